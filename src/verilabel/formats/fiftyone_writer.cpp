#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/buffered_file.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/fiftyone.h"
#include "verilabel/formats/fiftyone_names.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/numpy_mask.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultField = "ground_truth";

constexpr std::string_view kSizeUnknown = "labels of images whose size is not known are left out";
constexpr std::string_view kNoPixels = "labels whose mask has no pixels are left out";
constexpr std::string_view kMaskSizes = "labels whose mask is of another size than their image are left out";
constexpr std::string_view kMixed =
    "classifications of a dataset with boxes or masks, which are in another field of FiftyOne's, are left out";
constexpr std::string_view kOutlines = "outlines become pixels, since detections of FiftyOne have those";
constexpr std::string_view kBoxesOfMasks = "masks lose the box that was stated for them: in FiftyOne a mask fills its box";
constexpr std::string_view kSplits = "images have their split as a tag that does not name one to FiftyOne";
constexpr std::string_view kSplitTags = "images have a tag like a split, and come back with another split or none";
constexpr std::string_view kAttributes = "attributes are lost whose value is no scalar, or whose name FiftyOne cannot use";
constexpr std::string_view kFields = "fields of images are lost whose name FiftyOne cannot use";
constexpr std::string_view kTakenFields = "fields of images are lost whose name FiftyOne has for labels, lists or the like";
constexpr std::string_view kFieldsAsText = "fields of images become text, because the same field has values of several kinds";
constexpr std::string_view kFieldKinds = "fields of images are lost whose value is of another kind than FiftyOne's field";
constexpr std::string_view kIds = "images or labels get a new id, because theirs occurs twice";

bool can_be_name(std::string_view key) {
  return !key.empty() && !key.starts_with('$') && key.find('.') == std::string_view::npos &&
         key.find('\\') == std::string_view::npos;
}

/// Up to what fractions of an image lose: a box that an import of this format brought is not quite of whole pixels.
bool is_same_box(const Box& a, const Box& b) {
  constexpr double kTolerance = 1e-9;
  return std::abs(a.x - b.x) <= kTolerance && std::abs(a.y - b.y) <= kTolerance && std::abs(a.w - b.w) <= kTolerance &&
         std::abs(a.h - b.h) <= kTolerance;
}

Box fractions_of(const Box& box_xywh_px, const ExportImage& image) {
  const Box& box = box_xywh_px;
  return {box.x / image.width, box.y / image.height, box.w / image.width, box.h / image.height};
}

/// As a reader has it.
Box box_from(const Box& fractions, const ExportImage& image) {
  return {fractions.x * image.width, fractions.y * image.height, fractions.w * image.width, fractions.h * image.height};
}

bool is_scalar(std::string_view json) {
  return JsonValue(json, "").is_scalar();
}

/// The type of FiftyOne's for a value.
std::string_view type_of(std::string_view json) {
  switch (JsonValue(json, "").kind()) {
    case JsonKind::flag:
      return "fiftyone.core.fields.BooleanField";
    case JsonKind::number:
      return json.find_first_of(".eE") == std::string_view::npos ? "fiftyone.core.fields.IntField"
                                                                 : "fiftyone.core.fields.FloatField";
    default:
      return "fiftyone.core.fields.StringField";
  }
}

/// That of a field with values of both.
std::string_view common_type(std::string_view a, std::string_view b) {
  const auto is_number = [](std::string_view type) { return type.ends_with("IntField") || type.ends_with("FloatField"); };
  return a == b ? a : is_number(a) && is_number(b) ? "fiftyone.core.fields.FloatField" : "fiftyone.core.fields.StringField";
}

/// Whether FiftyOne takes the value for one of its field, as far as the type says.
bool is_of_type(std::string_view json, std::string_view type) {
  const JsonKind kind = JsonValue(json, "").kind();
  return type.ends_with("BooleanField")                               ? kind == JsonKind::flag
         : type.ends_with("IntField") || type.ends_with("FloatField") ? kind == JsonKind::number
         : type.ends_with("StringField")                              ? kind == JsonKind::text
                                                                      : true;
}

/// An entry of `sample_fields`.
struct SchemaField {
  std::string name;
  std::string type;
  std::string document = {};
  std::string subfield = {};
};

void add_schema_field(JsonWriter& json, const SchemaField& field) {
  const auto text_or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  json.begin_object().field("name", field.name).field("ftype", field.type);
  json.field("embedded_doc_type", text_or_null(field.document)).field("subfield", text_or_null(field.subfield));
  json.key("fields").begin_array().end_array();
  json.field("db_field", field.name == "id" ? "_id" : field.name).end_object();
}

class FiftyOneWriter {
 public:
  FiftyOneWriter(ExportSource& source, const WriteOptions& options)
      : source_(source),
        options_(options),
        holds_(format("fiftyone").holds),
        classes_(source.classes()),
        dataset_json_(source.dataset_json()) {}

  std::vector<Loss> losses() {
    plan();
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      const ExportImage image = source_.image(index);
      if (!is_left_out(image, options_) && !cannot_be_brought(image)) {
        sample(index, image);
      }
    }
    return losses_.list();
  }

  WriteReport write(const fs::path& folder, const fs::path& place) {
    plan();
    make_folder(folder / "data");
    replace_file(folder / "samples.json", [&](int descriptor) {
      BufferedFile file(descriptor, folder / "samples.json");
      write_samples(file, folder, place);
    });
    write_new_file(folder / "metadata.json", metadata(place));
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  void write_samples(BufferedFile& file, const fs::path& folder, const fs::path& place) {
    const std::int64_t count = source_.image_count();
    file.text() += "{\"samples\": [";
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
        failure = bring_image(image, options_.images, folder / "data" / name, place / "data" / name);
      }
      if (failure) {
        add_failure(report_, source_, index, image, std::move(*failure));
        continue;
      }
      file.text() += report_.images == 0 ? "\n" : ",\n";
      file.text() += sample(index, image);
      ++report_.images;
      report_.images_unlabelled += image.state == SampleState::not_labelled ? 1 : 0;
      file.flush_when_full();
    }
    file.text() += "\n]}\n";
    file.flush();
    report_image(options_, "writing", count, count);
  }

  /// What the labels are, where the images go, and what is lost with them.
  void plan() {
    const std::string_view stated = source_field(dataset_json_, kFiftyOneFieldKey);
    field_ = stated.empty() ? std::string(kDefaultField) : JsonValue(stated, "").text();
    ExportedFiles taken;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      names_.push_back(safe_relative_name(image));
      if (is_left_out(image, options_)) {
        continue;
      }
      if (const auto [at, is_new] = taken.emplace(names_.back().native(), image.name); !is_new) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("the images `{}` and `{}` would have one place in data/; leave one of them out",
                                printable(at->second), printable(image.name)),
                    {{"file", "data/" + printable(names_.back().native())}});
      }
      count_image_losses(holds_of(image.source_json), image, options_, losses_);
      losses_.add(kSplits, !image.split.empty() && !is_fiftyone_split(image.split) ? 1 : 0);
      // A reader takes the one tag that names a split for it; of several, none.
      const auto like_splits = std::ranges::count_if(image.tags, is_fiftyone_split);
      losses_.add(kSplitTags, (is_fiftyone_split(image.split) ? like_splits > 0 : like_splits == 1) ? 1 : 0);
      plan_fields(image);
      if (has_shapes_ || image.state != SampleState::labelled) {
        continue;
      }
      for (const ExportLabel& exported : source_.labels(index)) {
        has_shapes_ |= exported.label.kind != LabelKind::classification;
        has_classifications_ |= exported.label.kind == LabelKind::classification;
      }
    }
    if (options_.images != ImageTransfer::reference) {
      check_folders(taken);
    }
    FormatHolds of_dataset = holds_;
    of_dataset.ids_and_unknown_fields = !stated.empty();
    count_dataset_losses(of_dataset, source_, losses_);
    count_class_losses(classes_, losses_);
  }

  /// The types of fields that FiftyOne was not told of.
  void plan_fields(const ExportImage& image) {
    for (const SourceField& field : source_fields(image.fields_json)) {
      if (!cannot_be_brought(image) && !reason_against(field, image)) {
        std::string& type = fields_.try_emplace(std::string(field.key), type_of(field.json)).first->second;
        type = common_type(type, type_of(field.json));
      }
    }
  }

  /// Why a field has no place in the sample; nothing when it has one.
  std::optional<std::string_view> reason_against(const SourceField& field, const ExportImage& image) {
    if (!can_be_name(field.key) || is_fiftyone_sample_name(field.key) || field.key == field_) {
      return kFields;
    }
    const std::string_view type = stated_type(std::string(field.key));
    const std::string_view kept =
        holds_of(image.source_json).ids_and_unknown_fields ? source_field(image.source_json, field.key) : std::string_view();
    if ((!kept.empty() && kept != "null") || type.ends_with("DocumentField") || type.ends_with("ListField")) {
      return kTakenFields;
    }
    return type.ends_with("StringField") || is_of_type(field.json, type) ? std::nullopt : std::optional(kFieldKinds);
  }

  /// Fields come back only to where they came from: FiftyOne refuses samples with fields that it was not told of.
  FormatHolds holds_of(std::string_view source_json) const {
    FormatHolds holds = holds_;
    holds.ids_and_unknown_fields = !source_field(source_json, "_id").empty();
    return holds;
  }

  /// What is known before a file is touched.
  std::optional<std::string> cannot_be_brought(const ExportImage& image) const {
    if (!is_utf8(options_.images == ImageTransfer::reference ? image.path.native() : safe_relative_name(image).native())) {
      return "the path is not UTF-8, and JSON cannot name it; rename the image";
    }
    return lacks_file(image, options_) ? std::optional<std::string>("there is no such file") : std::nullopt;
  }

  /// Ids are twelve bytes. Those that we give begin with the letters `veri`, and the rest counts.
  void add_id(std::string_view source_json, JsonWriter& json) {
    const std::string_view id = source_field(source_json, "_id");
    if (!id.empty() && ids_.emplace(id).second) {
      json.key("_id").raw(id);
      return;
    }
    losses_.add(kIds, id.empty() ? 0 : 1);
    json.key("_id").begin_object().field("$oid", fmt::format("76657269{:016x}", ++last_id_)).end_object();
  }

  std::string sample(std::int64_t index, const ExportImage& image) {
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    add_id(image.source_json, json);
    const fs::path& name = names_[static_cast<std::size_t>(index)];
    const std::string file = options_.images == ImageTransfer::reference ? image.path.native() : (fs::path("data") / name).native();
    json.field("filepath", file);
    if (options_.images == ImageTransfer::reference && fs::path(file).relative_path() != fs::path(image.name) &&
        file.ends_with("/" + image.name)) {
      json.field("file_name", image.name);
      has_file_names_ = true;
    }
    json.key("tags").begin_array();
    if (!image.split.empty()) {
      json.value(image.split);
    }
    for (const std::string& tag : image.tags) {
      json.value(tag);
    }
    json.end_array();
    std::vector<std::string_view> ours = {"_id", "filepath", "file_name", "tags", "_media_type", "_rand", field_};
    if (source_field(image.source_json, "metadata").empty() && image.width > 0 && image.height > 0) {
      json.key("metadata").begin_object().field("_cls", "ImageMetadata");
      json.field("width", image.width).field("height", image.height).end_object();
      ours.push_back("metadata");
    }
    // What FiftyOne shuffles by: spread evenly, and the same in every export.
    constexpr double kGoldenRatio = 0.6180339887498949;
    const double spread = static_cast<double>(index) * kGoldenRatio;
    json.field("_media_type", "image").field("_rand", spread - std::floor(spread));
    add_fields(image, json, ours);
    json.key(field_);
    if (image.state == SampleState::not_labelled) {
      json.null();
    } else {
      const std::string_view list = are_classifications() ? "classifications" : "detections";
      json.begin_object().field("_cls", are_classifications() ? "Classifications" : "Detections").key(list).begin_array();
      if (image.state == SampleState::labelled) {
        for (const ExportLabel& exported : source_.labels(index)) {
          const bool is_written = add_label(exported, image, json, out);
          (is_written ? report_.labels : report_.labels_left_out) += 1;
        }
      }
      json.end_array().end_object();
    }
    if (holds_of(image.source_json).ids_and_unknown_fields) {
      add_source_fields(out, image.source_json, ours);
    }
    json.end_object();
    return out;
  }

  bool are_classifications() const { return has_classifications_ && !has_shapes_; }

  void add_fields(const ExportImage& image, JsonWriter& json, std::vector<std::string_view>& ours) {
    for (const SourceField& field : source_fields(image.fields_json)) {
      if (const auto reason = reason_against(field, image)) {
        losses_.add(*reason);
        continue;
      }
      const std::string key(field.key);
      const std::string_view stated = stated_type(key);
      const std::string_view type = stated.empty() ? std::string_view(fields_.at(key)) : stated;
      ours.push_back(field.key);
      json.key(key);
      if (!is_of_type(field.json, type)) {
        losses_.add(kFieldsAsText);
        json.value(field.json);
      } else if (type.ends_with("DateTimeField") || type.ends_with("DateField")) {
        json.begin_object().key("$date").raw(field.json).end_object();
      } else {
        json.raw(field.json);
      }
    }
  }

  /// As the metadata of the import have it; empty when they do not.
  std::string_view stated_type(const std::string& name) {
    if (!has_read_schema_) {
      has_read_schema_ = true;
      const std::string_view schema = source_field(dataset_json_, "sample_fields");
      if (!schema.starts_with('[')) {
        return {};
      }
      for (const JsonValue& element : JsonValue(schema, "").elements()) {
        const std::string_view key = source_field(element.raw(), "name");
        const std::string_view type = source_field(element.raw(), "ftype");
        if (!key.empty()) {
          stated_types_.emplace(JsonValue(key, "").text(),
                                type.size() < 2 ? std::string() : std::string(type.substr(1, type.size() - 2)));
        }
      }
    }
    const auto at = stated_types_.find(name);
    return at == stated_types_.end() ? std::string_view() : std::string_view(at->second);
  }

  /// False when the label is left out.
  bool add_label(const ExportLabel& exported, const ExportImage& image, JsonWriter& json, std::string& out) {
    const Label& label = exported.label;
    const auto leave_out = [&](std::string_view why) {
      losses_.add(why);
      return false;
    };
    const bool is_classification = label.kind == LabelKind::classification;
    if (is_classification && !are_classifications()) {
      return leave_out(kMixed);
    }
    std::optional<MaskCrop> crop;
    Box box = label.box_xywh_px;
    if (!is_classification) {
      if (image.width <= 0 || image.height <= 0) {
        return leave_out(kSizeUnknown);
      }
      const Rle* const rle = label.mask ? std::get_if<Rle>(&label.mask->shape) : nullptr;
      if (rle != nullptr && !is_of_size(*rle, image)) {
        return leave_out(kMaskSizes);
      }
      if (label.mask) {
        if (!has_countable_pixels(image)) {
          return leave_out(kTooManyPixels);
        }
        const Rle pixels =
            rasterised(*label.mask, static_cast<std::uint32_t>(image.height), static_cast<std::uint32_t>(image.width));
        if (area(pixels) == 0) {
          return leave_out(kNoPixels);
        }
        box = tight_box(pixels);
        crop = crop_of(pixels);
        losses_.add(kOutlines, rle == nullptr ? 1 : 0);
        losses_.add(kBoxesOfMasks, is_same_box(box, label.box_xywh_px) ? 0 : 1);
      }
      if (fault_of(box_from(fractions_of(box, image), image))) {
        return leave_out(kBeyondNumbers);
      }
    }
    const FormatHolds holds = holds_of(label.source_json);
    count_label_losses(holds, exported, image, losses_);

    json.begin_object();
    add_id(label.source_json, json);
    json.field("_cls", is_classification ? "Classification" : "Detection");
    std::vector<std::string_view> ours = {"_id", "_cls", "tags", "label", "bounding_box", "mask", "confidence", "iscrowd"};
    if (source_field(label.source_json, "attributes").empty() || !holds.ids_and_unknown_fields) {
      if (!is_classification) {
        json.key("attributes").begin_object().end_object();
      }
    }
    json.key("tags").begin_array();
    for (const std::string& tag : exported.tags) {
      json.value(tag);
    }
    json.end_array().field("label", classes_[static_cast<std::size_t>(exported.class_index)].name);
    if (!is_classification) {
      const Box fractions = fractions_of(box, image);
      json.key("bounding_box").begin_array().value(fractions.x).value(fractions.y);
      json.value(fractions.w).value(fractions.h).end_array();
    }
    if (crop) {
      json.key("mask").begin_object().key("$binary").begin_object();
      json.field("base64", base64_from_bytes(numpy_from_crop(*crop))).field("subType", "00").end_object().end_object();
    }
    if (label.confidence) {
      json.field("confidence", *label.confidence);
    }
    if (label.is_crowd) {
      json.field("iscrowd", 1);
    }
    for (const SourceField& attribute : source_fields(label.attributes_json)) {
      if (!can_be_name(attribute.key) || is_fiftyone_label_name(attribute.key) || !is_scalar(attribute.json)) {
        losses_.add(kAttributes);
      } else {
        json.key(attribute.key).raw(attribute.json);
      }
    }
    if (holds.ids_and_unknown_fields) {
      add_source_fields(out, label.source_json, ours);
    }
    json.end_object();
    return true;
  }

  /// What the import kept, or what FiftyOne needs; with the fields that are new.
  std::string metadata(const fs::path& place) {
    const auto stated = [&](std::string_view key) { return source_field(dataset_json_, key); };
    const bool is_ours = !stated(kFiftyOneFieldKey).empty();
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    if (!is_ours || stated("name").empty()) {
      json.field("name", is_utf8(place.filename().native()) ? place.filename().native() : printable(place.filename().native()));
    }
    if (!is_ours || stated("version").empty()) {
      json.field("version", "1.0.0");
    }
    json.field("media_type", "image").key("sample_fields").begin_array();
    if (is_ours && stated("sample_fields").starts_with('[')) {
      for (const JsonValue& element : JsonValue(stated("sample_fields"), "").elements()) {
        json.raw(element.raw());
      }
    }
    for (const SchemaField& field : schema()) {
      if (!is_ours || stated_type(field.name).empty()) {
        add_schema_field(json, field);
      }
    }
    json.end_array();
    // All classes of the field, with and without labels. Those of other fields, and of all fields, stay as they came.
    std::string lists;
    JsonWriter classes(lists);
    classes.begin_object().key(field_).begin_array();
    for (const ExportClass& item : classes_) {
      classes.value(item.name);
    }
    classes.end_array();
    if (is_ours) {
      const std::string_view our_list[] = {field_};
      add_source_fields(lists, stated("classes"), our_list);
    }
    classes.end_object();
    json.key("classes").raw(lists);
    if (is_ours) {
      static constexpr std::string_view kOurs[] = {"media_type", "sample_fields", "classes", kFiftyOneFieldKey};
      add_source_fields(out, dataset_json_, kOurs);
    }
    json.end_object();
    return out + "\n";
  }

  std::vector<SchemaField> schema() const {
    const std::string document = "fiftyone.core.fields.EmbeddedDocumentField";
    std::vector<SchemaField> result = {
        {"id", "fiftyone.core.fields.ObjectIdField"},
        {"filepath", "fiftyone.core.fields.StringField"},
        {"tags", "fiftyone.core.fields.ListField", "", "fiftyone.core.fields.StringField"},
        {"metadata", document, "fiftyone.core.metadata.ImageMetadata"},
        {"created_at", "fiftyone.core.fields.DateTimeField"},
        {"last_modified_at", "fiftyone.core.fields.DateTimeField"},
        {field_, document, std::string(kFiftyOneLabels) + (are_classifications() ? "Classifications" : "Detections")},
    };
    if (has_file_names_) {
      result.push_back({"file_name", "fiftyone.core.fields.StringField"});
    }
    for (const auto& [name, type] : fields_) {
      result.push_back({name, type});
    }
    return result;
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::string dataset_json_;
  std::string field_;
  std::vector<fs::path> names_;
  bool has_shapes_ = false;
  bool has_classifications_ = false;
  bool has_file_names_ = false;
  bool has_read_schema_ = false;
  std::map<std::string, std::string> stated_types_;
  std::map<std::string, std::string> fields_;  // of samples, with their types
  std::unordered_set<std::string> ids_;
  std::uint64_t last_id_ = 0;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_fiftyone(ExportSource& source, const WriteOptions& options) {
  return FiftyOneWriter(source, options).losses();
}

WriteReport write_fiftyone(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  NewFolder folder(path);
  WriteReport report = FiftyOneWriter(source, options).write(folder.path(), folder.place());
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
