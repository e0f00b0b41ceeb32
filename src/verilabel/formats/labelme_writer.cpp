#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/labelme.h"
#include "verilabel/formats/mask_crop.h"
#include "verilabel/formats/source_fields.h"
#include "verilabel/image/png.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBoxesOfMasks = "masks lose the box that was stated for them: labelme knows their points only";
constexpr std::string_view kGroups = "labels get a new group, because another label of their class is in theirs";
constexpr std::string_view kMaskSizes = "labels whose mask is of another size than their image are left out";
constexpr std::string_view kNames = "classes whose name a line of labels.txt cannot hold are named by their labels only";

constexpr std::string_view kImageFields[] = {"version",    "flags",  "shapes", "imagePath", "imageData", "imageHeight",
                                             "imageWidth", "fields", "tags",   "split",     "labelled"};
constexpr std::string_view kShapeFields[] = {"label", "points", "group_id",   "description", "shape_type",
                                             "flags", "mask",   "attributes", "score",       "tags"};

bool is_flag(const SourceField& field) {
  return field.json == "true" || field.json == "false";
}

/// Those of the fields that are true or false, or the others, as one object.
std::string selected(std::string_view object, bool flags) {
  std::string out = "{";
  for (const SourceField& field : source_fields(object)) {
    if (is_flag(field) == flags) {
      out.append(out.size() == 1 ? "\"" : ",\"").append(field.key).append("\":").append(field.json);
    }
  }
  return out + "}";
}

void add_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty()) {
    return;
  }
  json.key(key).begin_array();
  for (const std::string& text : texts) {
    json.value(text);
  }
  json.end_array();
}

/// Groups of one image that are taken, and numbers for new ones.
class Groups {
 public:
  explicit Groups(const std::vector<ExportLabel>& labels) {
    for (const ExportLabel& exported : labels) {
      if (const std::optional<std::int64_t> group = stated(exported.label);
          group && *group < std::numeric_limits<std::int64_t>::max()) {
        next_ = std::max(next_, *group + 1);
      }
    }
  }
  static std::optional<std::int64_t> stated(const Label& label) {
    const std::string_view json = source_field(label.source_json, "group_id");
    return json.empty() ? std::nullopt : integer_id({{"id", json}});
  }
  /// False when another outline of the class is in the group already, so that the two would be one object.
  bool claim(std::int32_t class_index, std::int64_t group) { return taken_.emplace(class_index, group).second; }
  std::int64_t add() { return next_++; }

 private:
  std::set<std::pair<std::int32_t, std::int64_t>> taken_;
  std::int64_t next_ = 1;
};

class LabelmeWriter {
 public:
  LabelmeWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("labelme").holds), classes_(source.classes()) {}

  std::vector<Loss> losses() {
    plan();
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      const ExportImage image = source_.image(index);
      if (!is_left_out(image, options_) && !cannot_be_brought(image)) {
        document(index, image);
      }
    }
    return losses_.list();
  }

  WriteReport write(const fs::path& folder, const fs::path& place) {
    plan();
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_)) {
        ++report_.images_left_out;
        continue;
      }
      const fs::path& name = names_[static_cast<std::size_t>(index)];
      std::optional<std::string> failure = cannot_be_brought(image);
      if (!failure) {
        failure = bring_image(image, options_.images, folder / name, place / name);
      }
      if (failure) {
        add_failure(report_, source_, index, image, std::move(*failure));
        continue;
      }
      fs::path file = folder / name;
      file.replace_extension(".json");
      make_folder(file.parent_path());
      write_new_file(file, document(index, image));
      ++report_.images;
      report_.images_unlabelled += image.state == SampleState::not_labelled ? 1 : 0;
    }
    write_new_file(folder / "labels.txt", class_list());
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  /// Where each image goes, and what is lost with images and classes. Throws when two images would share a file.
  void plan() {
    ExportedFiles taken;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      names_.push_back(safe_relative_name(image));
      if (is_left_out(image, options_)) {
        continue;
      }
      fs::path file = names_.back();
      file.replace_extension(".json");
      if (const auto [at, is_new] = taken.emplace(file.native(), image.name); !is_new) {
        throw Error(
            ErrorCode::wrong_use,
            fmt::format("the images `{}` and `{}` would share one labelme file; leave one of them out, or export to another format",
                        printable(at->second), printable(image.name)),
            {{"file", printable(file.native())}});
      }
      if (options_.images != ImageTransfer::reference) {
        taken.emplace(names_.back().native(), image.name);
      }
      count_image_losses(holds_, image, options_, losses_);
    }
    check_folders(taken);
    FormatHolds of_dataset = holds_;
    of_dataset.ids_and_unknown_fields = false;  // there is no file about the whole
    count_dataset_losses(of_dataset, source_, losses_);
    count_class_losses(classes_, losses_);
    losses_.add(kNames, std::ranges::count_if(classes_, [](const ExportClass& item) { return !is_labelme_class_line(item.name); }));
  }

  std::string class_list() const {
    std::string text;
    for (const ExportClass& item : classes_) {
      if (is_labelme_class_line(item.name)) {
        text.append(item.name).push_back('\n');
      }
    }
    return text;
  }

  /// What is known before a file is touched.
  std::optional<std::string> cannot_be_brought(const ExportImage& image) const {
    if (!is_utf8(options_.images == ImageTransfer::reference ? image.path.native()
                                                             : safe_relative_name(image).filename().native())) {
      return "the path is not UTF-8, and JSON cannot name it; rename the image";
    }
    return lacks_file(image, options_) ? std::optional<std::string>("there is no such file") : std::nullopt;
  }

  std::string document(std::int64_t index, const ExportImage& image) {
    std::string out;
    JsonWriter json(out);
    const std::string_view version = source_field(image.source_json, "version");
    const std::string flags = selected(image.fields_json, true);
    const std::string fields = selected(image.fields_json, false);
    json.begin_object().key("version").raw(version.empty() ? R"("5.5.0")" : version).key("flags").raw(flags);
    json.key("shapes").begin_array();
    if (image.state == SampleState::labelled) {
      const std::vector<ExportLabel> labels = source_.labels(index);
      Groups groups(labels);
      for (const ExportLabel& exported : labels) {
        if (add_label(exported, image, groups, json, out)) {
          ++report_.labels;
        } else {
          ++report_.labels_left_out;
        }
      }
    }
    json.end_array();
    json.field("imagePath", options_.images == ImageTransfer::reference
                                ? image.path.native()
                                : names_[static_cast<std::size_t>(index)].filename().native());
    json.key("imageData").null();
    json.field("imageHeight", image.height > 0 ? std::optional(image.height) : std::nullopt);
    json.field("imageWidth", image.width > 0 ? std::optional(image.width) : std::nullopt);
    if (fields != "{}") {
      json.key("fields").raw(fields);
    }
    add_texts(json, "tags", image.tags);
    if (!image.split.empty()) {
      json.field("split", image.split);
    }
    if (image.state == SampleState::not_labelled) {
      json.field("labelled", false);
    }
    add_source_fields(out, image.source_json, kImageFields);
    json.end_object();
    return out + "\n";
  }

  /// False when the label is left out.
  bool add_label(const ExportLabel& exported, const ExportImage& image, Groups& groups, JsonWriter& json, std::string& out) {
    const Label& label = exported.label;
    if (const auto reason = reason_to_leave_out(holds_, label)) {
      losses_.add(*reason);
      return false;
    }
    const Rle* const rle = label.mask ? std::get_if<Rle>(&label.mask->shape) : nullptr;
    if (rle != nullptr && !is_of_size(*rle, image)) {
      losses_.add(kMaskSizes);
      return false;
    }
    if (label.mask ? fault_of(mask_box(*label.mask)).has_value() : !has_sound_corners(label.box_xywh_px)) {
      losses_.add(kBeyondNumbers);
      return false;
    }
    count_label_losses(holds_, exported, image, losses_);
    losses_.add(kBoxesOfMasks, label.mask && mask_box(*label.mask) != label.box_xywh_px ? 1 : 0);
    if (!label.mask) {
      const Box& box = label.box_xywh_px;
      add_shape(exported, "rectangle", std::vector{box.x, box.y, box.x + box.w, box.y + box.h}, Groups::stated(label), {}, json,
                out);
    } else if (rle != nullptr) {
      const MaskCrop crop = crop_of(*rle);
      const std::string png = encode_gray_png(crop.pixels, crop.width, crop.height);
      const std::vector<double> corners = {static_cast<double>(crop.x), static_cast<double>(crop.y),
                                           static_cast<double>(crop.x + crop.width - 1),
                                           static_cast<double>(crop.y + crop.height - 1)};
      const std::vector<std::uint8_t> bytes(png.begin(), png.end());
      add_shape(exported, "mask", corners, Groups::stated(label), base64_from_bytes(bytes), json, out);
    } else {
      const auto& parts = std::get<std::vector<Polygon>>(label.mask->shape);
      const std::optional<std::int64_t> group = group_of(exported, parts.size(), groups);
      for (const Polygon& part : parts) {
        add_shape(exported, "polygon", part, group, {}, json, out);
      }
    }
    return true;
  }

  std::optional<std::int64_t> group_of(const ExportLabel& exported, std::size_t part_count, Groups& groups) {
    std::optional<std::int64_t> group = Groups::stated(exported.label);
    if (group && !groups.claim(exported.class_index, *group)) {
      losses_.add(kGroups);
      group.reset();
    }
    if (!group && (part_count > 1 || Groups::stated(exported.label))) {
      group = groups.add();
      groups.claim(exported.class_index, *group);
    }
    return group;
  }

  void add_shape(const ExportLabel& exported, std::string_view type, std::span<const double> coordinates,
                 std::optional<std::int64_t> group, std::string_view mask, JsonWriter& json, std::string& out) {
    const Label& label = exported.label;
    json.begin_object().field("label", classes_[static_cast<std::size_t>(exported.class_index)].name).key("points").begin_array();
    for (std::size_t i = 0; i < coordinates.size(); i += 2) {
      json.begin_array().value(coordinates[i]).value(coordinates[i + 1]).end_array();
    }
    json.end_array().field("group_id", group);
    const std::string_view description = source_field(label.source_json, "description");
    json.key("description").raw(description.empty() ? R"("")" : description);
    json.field("shape_type", type).key("flags").raw(selected(label.attributes_json, true));
    json.key("mask");
    if (mask.empty()) {
      json.null();
    } else {
      json.value(mask);
    }
    if (const std::string others = selected(label.attributes_json, false); others != "{}") {
      json.key("attributes").raw(others);
    }
    if (label.confidence) {
      json.field("score", *label.confidence);
    }
    add_texts(json, "tags", exported.tags);
    add_source_fields(out, label.source_json, kShapeFields);
    json.end_object();
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<fs::path> names_;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_labelme(ExportSource& source, const WriteOptions& options) {
  return LabelmeWriter(source, options).losses();
}

WriteReport write_labelme(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  NewFolder folder(path);
  WriteReport report = LabelmeWriter(source, options).write(folder.path(), folder.place());
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
