#include "verilabel/demo/world_files.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"

namespace verilabel::demo {
namespace {

constexpr std::array<std::string_view, 3> kPatternNames = {"plain", "striped", "spotted"};

double rounded(double value, double steps) {
  return std::round(value * steps) / steps;
}

void write_box(JsonWriter& json, std::string_view name, const Box& box) {
  json.key(name).begin_array().value(box.x).value(box.y).value(box.w).value(box.h).end_array();
}

/// Numbered from 1.
void write_categories(JsonWriter& json, const auto& names) {
  json.key("categories").begin_array();
  std::int64_t id = 0;
  for (const std::string_view name : names) {
    json.begin_object().field("id", ++id).field("name", name).end_object();
  }
  json.end_array();
}

/// Fields of a sample as (name, JSON): the conditions, and how strong they are.
std::vector<std::pair<std::string_view, std::string>> fields_of(const Conditions& conditions) {
  std::vector<std::pair<std::string_view, std::string>> fields;
  for (const auto& [field, value] : names_of(conditions)) {
    fields.emplace_back(field, fmt::format("\"{}\"", value));
  }
  fields.emplace_back("blur_sigma_px", fmt::format("{}", rounded(conditions.blur_sigma_px, 100)));
  fields.emplace_back("noise_sigma", fmt::format("{}", rounded(conditions.noise_sigma, 100)));
  if (conditions.jpeg_quality > 0) {
    fields.emplace_back("jpeg_quality", fmt::format("{}", conditions.jpeg_quality));
  }
  return fields;
}

void write_images(JsonWriter& json, const std::vector<WorldImage>& images) {
  json.key("images").begin_array();
  std::int64_t id = 0;
  for (const WorldImage& image : images) {
    json.begin_object()
        .field("id", ++id)
        .field("file_name", image.file_name)
        .field("width", image.width)
        .field("height", image.height);
    json.field("split", image.is_val ? "val" : "train").key("fields").begin_object();
    for (const auto& [name, value] : fields_of(image.conditions)) {
      json.key(name).raw(value);
    }
    json.end_object().end_object();
  }
  json.end_array();
}

void write_attributes(JsonWriter& json, const SeenObject& object, const WorldImage& image) {
  const Kind& kind = kinds()[object.kind];
  json.key("attributes").begin_object();
  json.field("color", named(object.color).name).field("size", size_name(object.box_xywh_px, image.width, image.height));
  if (kind.patterns != kPlain) {
    json.field("pattern", kPatternNames[static_cast<std::size_t>(object.pattern)]);
  }
  if (!kind.poses.empty()) {
    json.field("pose", kind.poses[static_cast<std::size_t>(object.pose)]);
  }
  json.field("occluded", object.hidden() >= kOccluded)
      .field("hidden", rounded(object.hidden(), 1000))
      .field("truncated", object.is_truncated);
  json.end_object();
}

void write_object(JsonWriter& json, std::int64_t id, std::size_t image, std::size_t category, const SeenObject& object,
                  const WorldImage& in) {
  json.begin_object().field("id", id).field("image_id", image).field("category_id", category);
  write_box(json, "bbox", object.box_xywh_px);
  json.field("area", object.seen_px).field("iscrowd", 0).key("segmentation").begin_object();
  json.key("size").begin_array().value(in.height).value(in.width).end_array();
  json.field("counts", coco_string_from_rle(object.mask)).end_object();
  write_attributes(json, object, in);
  json.end_object();
}

/// A COCO file of the images, whose annotations `write` writes.
template <typename Write>
std::string coco_json(const std::vector<WorldImage>& images, const auto& category_names, Write write) {
  std::string text;
  JsonWriter json(text);
  json.begin_object();
  write_images(json, images);
  write_categories(json, category_names);
  json.key("annotations").begin_array();
  write(json);
  json.end_array().end_object();
  return text + "\n";
}

/// The numbers that labels have in truth.json and human.json.
struct LabelIds {
  std::int64_t truth = 0;
  std::int64_t human = 0;
};

/// Calls `visit(image, id of its first true label, human label, id of that)` for each of the human's labels, and those that are
/// missing, whose id is 0.
template <typename Visit>
void for_each_human_label(const std::vector<WorldImage>& images, Visit visit) {
  LabelIds ids;
  for (const WorldImage& image : images) {
    for (const HumanLabel& label : image.human) {
      const std::int64_t id = label.fault == LabelFault::missing ? 0 : ++ids.human;
      visit(image, ids.truth + 1 + static_cast<std::int64_t>(label.object), label, id);
    }
    ids.truth += static_cast<std::int64_t>(image.objects.size());
  }
}

class ManifestWriter {
 public:
  ManifestWriter(Manifest& manifest, const std::vector<WorldImage>& images)
      : manifest_(manifest), json_(manifest.json), images_(images) {}

  JsonWriter& json() { return json_; }

  /// A list of the images for which `is_in` holds; `write` adds what there is to say of each.
  template <typename IsIn, typename Write>
  void list_images(std::string_view name, IsIn is_in, Write write) {
    std::int64_t count = 0;
    json_.key(name).begin_array();
    for (const WorldImage& image : images_) {
      if (is_in(image)) {
        json_.begin_object().field("image", image.file_name);
        write(image);
        json_.end_object();
        ++count;
      }
    }
    json_.end_array();
    manifest_.counts.emplace_back(name, count);
  }

  template <typename Write>
  void list_labels(std::string_view name, LabelFault fault, Write write) {
    std::int64_t count = 0;
    std::int64_t before = 0;
    json_.key(name).begin_array();
    for_each_human_label(images_, [&](const WorldImage& image, std::int64_t truth_id, const HumanLabel& label, std::int64_t id) {
      if (label.fault == fault) {
        json_.begin_object().field("image", image.file_name);
        if (id != 0) {
          json_.field("human_id", id);
        }
        json_.field("truth_id", truth_id);
        write(image, label, before);
        json_.end_object();
        ++count;
      }
      before = id == 0 ? before : id;
    });
    json_.end_array();
    manifest_.counts.emplace_back(name, count);
  }

 private:
  Manifest& manifest_;
  JsonWriter json_;
  const std::vector<WorldImage>& images_;
};

void write_options(JsonWriter& json, const DemoOptions& options) {
  json.key("options")
      .begin_object()
      .field("images", options.images)
      .field("seed", options.seed)
      .field("long_side_px", options.long_side_px);
  for (const auto& [name, list] :
       {std::pair("only", &options.only), std::pair("without", &options.without), std::pair("classes", &options.classes)}) {
    json.key(name).begin_array();
    for (const std::string& item : *list) {
      json.value(item);
    }
    json.end_array();
  }
  const DemoFaults& faults = options.faults;
  json.field("val_share", options.val_share).key("shares").begin_object();
  json.field("exact_duplicates", faults.exact_duplicates).field("near_duplicates", faults.near_duplicates);
  json.field("dark", faults.dark).field("blurred", faults.blurred).field("mislabelled", faults.mislabelled);
  json.field("missing", faults.missing).field("shifted", faults.shifted).field("doubled", faults.doubled);
  json.end_object().end_object();
}

void write_image_faults(ManifestWriter& list, const std::vector<WorldImage>& images) {
  JsonWriter& json = list.json();
  const auto has = [](Role role) { return [role](const WorldImage& image) { return image.plan.role == role; }; };
  const auto write_source = [&](const WorldImage& image) { json.field("of", images[image.plan.source].file_name); };
  list.list_images("exact_duplicates", has(Role::exact_duplicate), write_source);
  list.list_images("near_duplicates", has(Role::near_duplicate), [&](const WorldImage& image) {
    write_source(image);
    json.field("change", name_of(image.change.change));
    if (image.change.change == Change::cropped) {
      write_box(json, "crop_xywh_px", image.change.crop_xywh_px);
    } else if (image.change.change == Change::brightened) {
      json.field("gain", rounded(image.change.gain, 1000));
    } else if (image.change.change == Change::recompressed) {
      json.field("jpeg_quality", image.conditions.jpeg_quality);
    }
  });
  list.list_images("dark", has(Role::dark),
                   [&](const WorldImage& image) { json.field("mean_luma", rounded(image.mean_luma, 1000)); });
  list.list_images("blurred", has(Role::blurred),
                   [&](const WorldImage& image) { json.field("sigma_px", rounded(image.conditions.blur_sigma_px, 100)); });
  const auto rare_condition = [](const WorldImage& image) -> std::optional<ConditionInfo> {
    for (const auto& [field, value] : names_of(image.conditions)) {
      const auto rows = condition_table();
      const auto found = std::ranges::find_if(rows, [&](const ConditionInfo& row) { return row.is_rare && row.name == value; });
      if (found != rows.end()) {
        return *found;
      }
    }
    return std::nullopt;
  };
  list.list_images(
      "rare_conditions", [&](const WorldImage& image) { return rare_condition(image).has_value(); },
      [&](const WorldImage& image) {
        const ConditionInfo condition = *rare_condition(image);
        json.field("field", condition.field).field("value", condition.name);
      });
}

void write_rare_class(ManifestWriter& list) {
  const auto is_rare = [](const SeenObject& object) { return kinds()[object.kind].name == kRareKind; };
  list.json().field("rare_class", kRareKind);
  list.list_images(
      "rare_class_images", [&](const WorldImage& image) { return std::ranges::any_of(image.objects, is_rare); },
      [&](const WorldImage& image) { list.json().field("labels", std::ranges::count_if(image.objects, is_rare)); });
}

void write_look_alikes(JsonWriter& json) {
  json.key("look_alikes").begin_array();
  for (const Kind& kind : kinds()) {
    if (!kind.look_alike.empty()) {
      json.begin_array().value(kind.name).value(kind.look_alike).end_array();
    }
  }
  json.end_array();
}

void write_label_faults(ManifestWriter& list) {
  JsonWriter& json = list.json();
  list.list_labels("mislabelled", LabelFault::mislabelled, [&](const WorldImage& image, const HumanLabel& label, std::int64_t) {
    json.field("class", kinds()[label.kind].name).field("true_class", kinds()[image.objects[label.object].kind].name);
  });
  list.list_labels("missing", LabelFault::missing, [&](const WorldImage& image, const HumanLabel& label, std::int64_t) {
    json.field("true_class", kinds()[image.objects[label.object].kind].name);
  });
  list.list_labels("shifted", LabelFault::shifted,
                   [&](const WorldImage&, const HumanLabel& label, std::int64_t) { json.field("iou", rounded(label.iou, 10000)); });
  list.list_labels("doubled", LabelFault::doubled, [&](const WorldImage&, const HumanLabel& label, std::int64_t before) {
    json.field("doubles_human_id", before).field("iou", rounded(label.iou, 10000));
  });
}

}  // namespace

std::int64_t WorldImage::written_human_labels() const {
  return std::ranges::count_if(human, [](const HumanLabel& label) { return label.fault != LabelFault::missing; });
}

std::string truth_json(const std::vector<WorldImage>& images) {
  return coco_json(images, demo_kinds(), [&](JsonWriter& json) {
    std::int64_t id = 0;
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (const SeenObject& object : images[i].objects) {
        write_object(json, ++id, i + 1, object.kind + 1, object, images[i]);
      }
    }
  });
}

AskedTruth asked_json(const std::vector<WorldImage>& images, const std::vector<std::string>& classes) {
  std::vector<ColoredKind> asked;
  for (const std::string& name : classes) {
    asked.push_back(colored_kind_from(name).value());
  }
  AskedTruth truth;
  truth.json = coco_json(images, classes, [&](JsonWriter& json) {
    for (std::size_t i = 0; i < images.size(); ++i) {
      for (const SeenObject& object : images[i].objects) {
        for (std::size_t k = 0; k < asked.size(); ++k) {
          if (asked[k].kind == object.kind && (!asked[k].color || *asked[k].color == object.color)) {
            write_object(json, ++truth.labels, i + 1, k + 1, object, images[i]);
          }
        }
      }
    }
  });
  return truth;
}

std::string human_json(const std::vector<WorldImage>& images) {
  return coco_json(images, demo_kinds(), [&](JsonWriter& json) {
    for_each_human_label(images, [&](const WorldImage& image, std::int64_t, const HumanLabel& label, std::int64_t id) {
      if (id != 0) {
        json.begin_object().field("id", id).field("image_id", &image - images.data() + 1).field("category_id", label.kind + 1);
        write_box(json, "bbox", label.box_xywh_px);
        json.field("area", area(label.box_xywh_px)).field("iscrowd", 0).end_object();
      }
    });
  });
}

std::string metadata_csv(const std::vector<WorldImage>& images) {
  constexpr std::array<std::string_view, 9> kColumns = {"scene",    "light",         "weather",     "blur",        "noise",
                                                        "exposure", "blur_sigma_px", "noise_sigma", "jpeg_quality"};
  std::string text = "file_name,split";
  for (const std::string_view column : kColumns) {
    text += fmt::format(",{}", column);
  }
  for (const WorldImage& image : images) {
    text += fmt::format("\n{},{}", image.file_name, image.is_val ? "val" : "train");
    const auto fields = fields_of(image.conditions);
    for (const std::string_view column : kColumns) {
      const auto found = std::ranges::find(fields, column, [](const auto& field) { return field.first; });
      std::string cell = found == fields.end() ? "" : found->second;
      std::erase(cell, '"');
      text += "," + cell;
    }
  }
  return text + "\n";
}

Manifest planted_json(const std::vector<WorldImage>& images, const DemoOptions& options) {
  Manifest manifest;
  ManifestWriter list(manifest, images);
  JsonWriter& json = list.json();
  json.begin_object().field("version", 1);
  write_options(json, options);
  write_image_faults(list, images);
  write_rare_class(list);
  write_look_alikes(json);
  write_label_faults(list);
  json.end_object();
  manifest.json += "\n";
  return manifest;
}

std::string readme_text(const DemoOptions& options) {
  return fmt::format(
      "A drawn world: {} images, seed {}. Nothing in it is a photograph; it may be used for anything.\n"
      "\n"
      "images/       the pictures, JPEG and some PNG\n"
      "truth.json    COCO: every object with its exact box and mask (run lengths) and its attributes; the conditions of each "
      "image\n"
      "              as `fields`, its split as `split`\n"
      "human.json    COCO: the boxes of a person who makes mistakes\n"
      "{}"
      "metadata.csv  the conditions and splits alone, for images that come without truth.json\n"
      "planted.json  every mistake and every odd image that was made on purpose\n"
      "\n"
      "  verilabel init PROJECT\n"
      "  verilabel --project PROJECT import --images images --metadata metadata.csv\n"
      "  verilabel --project PROJECT import --labels truth.json --format coco --set ground_truth\n"
      "  verilabel --project PROJECT import --labels human.json --format coco --set human\n",
      options.images, options.seed,
      options.classes.empty() ? ""
                              : "asked.json    COCO: what truth.json has of the classes that were asked for, under their names\n");
}

}  // namespace verilabel::demo
