#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/fiftyone.h"
#include "verilabel/formats/fiftyone_names.h"
#include "verilabel/formats/import_batch.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/numpy_mask.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/source_fields.h"
#include "verilabel/image/header.h"
#include "verilabel/image/png.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxMetadataBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxMaskFileBytes = std::uint64_t{256} << 20;
constexpr std::int64_t kSamplesBetweenReports = 256;

/// The value that MongoDB's extended JSON wraps: `{"$numberLong": "5"}`, `{"$date": …}`, `{"$oid": …}`.
JsonValue unwrapped(const JsonValue& value) {
  if (value.kind() != JsonKind::object) {
    return value;
  }
  JsonObject object(value);
  if (object.fields().size() != 1) {
    return value;
  }
  const JsonObject::Field& only = object.fields().front();
  if (only.key == "$date") {
    return unwrapped(only.value);
  }
  if (only.key == "$oid") {
    return only.value;
  }
  const bool is_number = only.key == "$numberLong" || only.key == "$numberInt" || only.key == "$numberDouble";
  if (is_number && only.value.kind() == JsonKind::text && only.value.raw().size() > 2) {
    return {only.value.raw().substr(1, only.value.raw().size() - 2), value.field()};
  }
  return value;
}

std::optional<JsonValue> take_unwrapped(JsonObject& object, std::string_view key) {
  const std::optional<JsonValue> value = object.take(key);
  return value ? std::optional(unwrapped(*value)) : std::nullopt;
}

std::string class_of(const JsonObject& object) {
  const JsonValue* const name = object.peek("_cls");
  return name != nullptr && name->kind() == JsonKind::text ? name->text() : std::string();
}

/// Classes of labels that can be read, the one or the many of a sample.
bool is_readable(std::string_view name) {
  constexpr std::string_view kNames[] = {"Detections", "Detection", "Classifications", "Classification", "Polylines", "Polyline"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

/// Classes of labels that are known and counted.
bool is_countable(std::string_view name) {
  constexpr std::string_view kNames[] = {"Keypoints",  "Keypoint",           "Segmentation",     "Heatmap",
                                         "Regression", "TemporalDetections", "TemporalDetection"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

MaskCrop crop_from_file(const JsonValue& value, const fs::path& root) {
  const std::string named = value.text();
  const fs::path path = root / named;
  MaskCrop crop;
  try {
    const std::string text = read_file(path, kMaxMaskFileBytes);
    const auto content = std::as_bytes(std::span(text));
    const ImageHeader header = read_header(content);
    if (header.format != ImageFormat::png || header.orientation != 1) {
      value.fail(RejectionReason::malformed, fmt::format("`{}` is no PNG file of a mask", printable(named)));
    }
    Image image(header.width, header.height);
    decode_png(content, image);
    crop.width = static_cast<std::uint32_t>(header.width);
    crop.height = static_cast<std::uint32_t>(header.height);
    crop.pixels.reserve(image.pixels().size() / Image::kChannels);
    for (std::size_t i = 0; i < image.pixels().size(); i += Image::kChannels) {
      const std::span<const std::uint8_t> pixel = image.pixels().subspan(i, Image::kChannels);
      crop.pixels.push_back(std::any_of(pixel.begin(), pixel.end(), [](std::uint8_t channel) { return channel != 0; }) ? 1 : 0);
    }
  } catch (const Error& error) {
    value.fail(RejectionReason::unreadable_file,
               fmt::format("the mask `{}` cannot be read: {}", printable(named), error.message()));
  }
  return crop;
}

/// `{"$binary": {"base64": …, "subType": …}}`, or its older form, or the base64 text alone.
MaskCrop crop_from_binary(const JsonValue& value) {
  JsonValue text = value;
  if (value.kind() == JsonKind::object) {
    JsonObject object(value);
    const JsonValue* const binary = object.peek("$binary");
    if (binary == nullptr) {
      value.fail(RejectionReason::malformed, "the mask is no binary value");
    }
    text = *binary;
    if (binary->kind() == JsonKind::object) {
      JsonObject inner(*binary);
      const std::optional<JsonValue> base64 = inner.take("base64");
      if (!base64) {
        value.fail(RejectionReason::malformed, "the binary value has no base64");
      }
      text = *base64;
    }
  }
  const std::optional<std::vector<std::uint8_t>> bytes = bytes_from_base64(text.text());
  if (!bytes) {
    value.fail(RejectionReason::malformed, "this is not base64");
  }
  try {
    return crop_from_numpy(*bytes);
  } catch (const Error& error) {
    value.fail(RejectionReason::malformed, error.message());
  }
}

/// A mask fills its box: on the pixels of the image, whose borders are the box's rounded ones, each takes the nearest of the mask.
Rle spread(const MaskCrop& mask, const Box& box, std::uint32_t height, std::uint32_t width, const std::string& field) {
  const auto span_of = [&](double begin, double size, std::uint32_t mask_size, std::uint32_t limit) {
    auto first = static_cast<std::int64_t>(std::lround(begin));
    auto count = std::max<std::int64_t>(1, std::lround(begin + size) - first);
    if (std::abs(static_cast<double>(mask_size) - size) < 1) {
      count = mask_size;  // the mask has been cut out of these very pixels
      first = std::min(first, static_cast<std::int64_t>(limit) - count);
    }
    if (first < 0 || first + count > static_cast<std::int64_t>(limit)) {
      throw ElementFault{RejectionReason::out_of_range, field, "the mask reaches beyond its image"};
    }
    return std::pair(static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count));
  };
  if (!(std::abs(box.x) < 1e9 && std::abs(box.y) < 1e9 && box.w < 1e9 && box.h < 1e9) ||
      std::uint64_t{height} * width > std::numeric_limits<std::uint32_t>::max()) {
    throw ElementFault{RejectionReason::out_of_range, field, "the mask reaches beyond its image"};
  }
  MaskCrop placed;
  std::tie(placed.x, placed.width) = span_of(box.x, box.w, mask.width, width);
  std::tie(placed.y, placed.height) = span_of(box.y, box.h, mask.height, height);
  placed.pixels.reserve(std::size_t{placed.width} * placed.height);
  for (std::uint64_t row = 0; row < placed.height; ++row) {
    const std::uint64_t from_row = (2 * row + 1) * mask.height / (2 * std::uint64_t{placed.height});
    for (std::uint64_t column = 0; column < placed.width; ++column) {
      const std::uint64_t from_column = (2 * column + 1) * mask.width / (2 * std::uint64_t{placed.width});
      placed.pixels.push_back(mask.pixels[from_row * mask.width + from_column]);
    }
  }
  return rle_from_crop(placed, height, width);
}

class FiftyOneReader {
 public:
  FiftyOneReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : root_(folder_of(path)), file_((root_ / "samples.json").native()), options_(options), sink_(sink), batch_(sink, options) {}

  ReadCounts read() {
    read_metadata();
    if (!has_schema_) {
      find_label_fields();
    }
    choose_field();
    announce_classes();
    JsonStream stream(file_);
    for_each_sample(stream, [&](const JsonValue& json) { batch_.add(sample_of(json)); });
    const ReadCounts counts = batch_.finish(file_);
    if (!dataset_json_.empty()) {
      sink_.on_dataset_json(dataset_json_);
    }
    return counts;
  }

 private:
  static fs::path folder_of(const fs::path& path) {
    if (!fs::exists(path)) {
      throw Error(ErrorCode::not_found, "there is no such file or folder; name the folder of a FiftyOneDataset",
                  {{"path", path.native()}});
    }
    const fs::path folder = fs::absolute(fs::is_directory(path) ? path : path.parent_path()).lexically_normal();
    if (!fs::is_regular_file(folder / "samples.json")) {
      const bool has_folder = fs::is_directory(folder / "samples");
      throw Error(has_folder ? ErrorCode::unsupported : ErrorCode::bad_data,
                  has_folder ? "the dataset has one file a sample; export it from FiftyOne without `use_dirs`"
                             : "the folder has no samples.json, and so is no FiftyOneDataset",
                  {{"path", folder.native()}});
    }
    return folder;
  }

  void read_metadata() {
    const fs::path file = root_ / "metadata.json";
    if (!fs::exists(file)) {
      return;
    }
    try {
      const std::string text = read_file(file, kMaxMetadataBytes);
      const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
      const std::size_t end = text.find_last_not_of(" \t\r\n") + 1;
      JsonObject metadata(JsonValue(std::string_view(text).substr(begin, end - begin), ""));
      if (const auto media = metadata.take("media_type", JsonKind::text); media && media->text() != "image") {
        throw Error(ErrorCode::unsupported, fmt::format("the dataset is of the media type `{}`; images are needed", media->text()),
                    {{"file", file.native()}});
      }
      if (const JsonValue* const fields = metadata.peek("sample_fields"); fields != nullptr && fields->kind() == JsonKind::array) {
        has_schema_ = true;
        for (const JsonValue& element : fields->elements()) {
          JsonObject field(element);
          const auto name = field.take("name", JsonKind::text);
          const auto type = field.take("embedded_doc_type", JsonKind::text);
          if (name && type && type->text().starts_with(kFiftyOneLabels)) {
            note_field(name->text(), std::string_view(type->text()).substr(kFiftyOneLabels.size()));
          }
        }
      }
      dataset_json_ = metadata.rest();
    } catch (const ElementFault& fault) {
      throw Error(ErrorCode::bad_data, fault.message, {{"file", file.native()}, {"field", fault.field}});
    }
  }

  /// By the samples, for a dataset whose metadata do not say.
  void find_label_fields() {
    JsonStream stream(file_);
    is_looking_ = true;
    for_each_sample(stream, [&](const JsonValue& json) {
      JsonObject sample(json);
      for (const JsonObject::Field& field : sample.fields()) {
        if (field.value.kind() == JsonKind::object) {
          note_field(std::string(field.key), class_of(JsonObject(field.value)));
        }
      }
    });
    is_looking_ = false;
  }

  void note_field(const std::string& name, std::string_view label_class) {
    if ((!is_readable(label_class) && !is_countable(label_class)) || is_fiftyone_sample_name(name)) {
      return;
    }
    std::vector<std::string>& fields = is_readable(label_class) ? label_fields_ : other_fields_;
    if (std::find(fields.begin(), fields.end(), name) == fields.end()) {
      fields.push_back(name);
    }
  }

  void choose_field() {
    // A field whose labels can only be counted is read when it is asked for, or there is no other.
    if (label_fields_.empty() || std::find(other_fields_.begin(), other_fields_.end(), options_.field) != other_fields_.end()) {
      label_fields_.insert(label_fields_.end(), other_fields_.begin(), other_fields_.end());
    }
    constexpr std::string_view kDefault = "ground_truth";
    const auto has = [&](std::string_view name) {
      return std::find(label_fields_.begin(), label_fields_.end(), name) != label_fields_.end();
    };
    const auto fail = [&](std::string message) {
      throw Error(ErrorCode::wrong_use, std::move(message), {{"path", root_.native()}});
    };
    if (!options_.field.empty()) {
      if (!has(options_.field)) {
        fail(label_fields_.empty()
                 ? "the dataset has no field of labels"
                 : fmt::format("there is no field of labels `{}`; there is {}", options_.field, fmt::join(label_fields_, ", ")));
      }
      field_ = options_.field;
    } else if (!options_.set.empty() && has(options_.set)) {
      field_ = options_.set;
    } else if (label_fields_.size() == 1) {
      field_ = label_fields_.front();
    } else if (has(kDefault)) {
      field_ = kDefault;
    } else if (!label_fields_.empty()) {
      fail(fmt::format("the dataset has several fields of labels ({}); say with `field` which one is meant",
                       fmt::join(label_fields_, ", ")));
    }
    if (!field_.empty()) {
      std::string name;
      JsonWriter(name).begin_object().field(kFiftyOneFieldKey, field_).end_object();
      dataset_json_ = dataset_json_.empty() ? name : dataset_json_.substr(0, dataset_json_.size() - 1) + "," + name.substr(1);
    }
  }

  /// The list of the field's classes, else that of all fields; else what older datasets have in `info`, where a user may keep
  /// anything.
  void announce_classes() {
    const auto stated = [&](std::string_view object, std::string_view key, std::string name) -> std::optional<JsonValue> {
      const std::string_view json = source_field(object, key);
      return json.empty() || json == "null" ? std::nullopt : std::optional(JsonValue(json, std::move(name)));
    };
    const auto reject = [&](RejectionReason reason, std::string field, std::string message) {
      batch_.reject(RejectedKind::label_class, {(root_ / "metadata.json").native()}, {},
                    {reason, std::move(field), std::move(message)});
    };
    std::optional<JsonValue> names;
    if (const auto by_field = stated(dataset_json_, "classes", "classes")) {
      if (by_field->kind() == JsonKind::object) {
        names = stated(by_field->raw(), field_, "classes." + field_);
      } else {
        reject(RejectionReason::malformed, "classes", fmt::format("{} is no object of lists, one a field", by_field->shown()));
      }
    }
    if (!names) {
      names = stated(dataset_json_, "default_classes", "default_classes");
    }
    if (!names) {
      const std::string_view older = source_field(source_field(dataset_json_, "info"), "classes");
      names = list_of_texts(older) ? std::optional(JsonValue(older, "info.classes")) : std::nullopt;
    }
    if (names && names->kind() != JsonKind::array) {
      reject(RejectionReason::malformed, names->field(), fmt::format("{} is no list of the names of classes", names->shown()));
      return;
    }
    for (const JsonValue& name : names ? names->elements() : std::vector<JsonValue>()) {
      try {
        if (name.text().empty()) {
          name.fail(RejectionReason::missing_field, "the class has no name");
        }
        batch_.class_index(name.text(), std::string(kOnlyListed));
      } catch (const ElementFault& fault) {
        reject(fault.reason, fault.field, fault.message);
      }
    }
  }

  template <typename Take>
  void for_each_sample(JsonStream& stream, Take&& take) {
    bool has_samples = false;
    if (stream.peek() != '{') {
      stream.fail(stream.byte_offset(), "this is no samples.json of FiftyOne: an object with the list `samples` is needed");
    }
    stream.enter_object();
    while (const auto key = stream.next_key()) {
      if (*key != "samples") {
        stream.skip_value();
        continue;
      }
      has_samples = true;
      if (stream.peek() != '[') {
        stream.fail(stream.byte_offset(), "`samples` must be a list");
      }
      stream.enter_array();
      for (std::int64_t index = 0; const auto slice = stream.next_element(); ++index) {
        if (index % kSamplesBetweenReports == 0) {
          report_progress(stream);
        }
        place_ = {file_, slice->byte_offset};
        const std::string field = fmt::format("samples[{}]", index);
        try {
          if (slice->is_too_large) {
            throw ElementFault{RejectionReason::too_large, field, "the sample is larger than 64 MB"};
          }
          take(JsonValue(slice->text, field));
        } catch (const ElementFault& fault) {
          if (!is_looking_) {
            batch_.reject(RejectedKind::image, place_, {}, fault);
          }
        }
      }
    }
    stream.finish();
    if (!has_samples) {
      stream.fail(0, "the file has no list `samples`");
    }
    report_progress(stream);
  }

  PendingImage sample_of(const JsonValue& json) {
    JsonObject sample(json);
    PendingImage pending{.image = {}, .place = place_, .key = {}};
    SourceImage& image = pending.image;
    const std::optional<JsonValue> file_path = sample.take("filepath");
    if (!file_path) {
      throw ElementFault{RejectionReason::missing_field, json.field() + ".filepath",
                         "the sample does not say which image it is about"};
    }
    locate(*file_path, image);
    pending.key = file_path->text();
    if (const JsonValue* const name = sample.peek("file_name"); name != nullptr && name->kind() == JsonKind::text) {
      const std::string text = name->text();
      if (!text.empty() && ("/" + pending.key).ends_with("/" + text)) {
        image.name = text;
        sample.take("file_name");
      }
    }
    take_size(sample, image);
    take_tags(sample, image);
    image.is_labelled = false;
    if (const std::optional<JsonValue> labels = field_.empty() ? std::nullopt : sample.take(field_)) {
      take_labels(*labels, pending);
    }
    VerbatimFields fields(image.fields_json);
    for (JsonObject::Field& field : sample.fields()) {
      if (field.is_taken || field.key.empty() || is_fiftyone_sample_name(field.key)) {
        continue;
      }
      if (const JsonValue value = unwrapped(field.value); value.is_scalar()) {
        fields.add(field.key, value.verbatim());
        field.is_taken = true;
      }
    }
    fields.close();
    image.source_json = sample.rest();
    return pending;
  }

  void locate(const JsonValue& file_path, SourceImage& image) const {
    std::string text = file_path.text();
    if (text.find('/') == std::string::npos) {
      std::replace(text.begin(), text.end(), '\\', '/');  // written on Windows
    }
    if (text.empty() || fs::path(text).filename().empty() || text.find('\0') != std::string::npos) {
      file_path.fail(RejectionReason::malformed, fmt::format("{} is no path of an image", file_path.shown()));
    }
    const fs::path path = (root_ / text).lexically_normal();
    const fs::path within = path.lexically_relative(root_ / "data");
    const bool is_within = !within.empty() && *within.begin() != "..";
    image.name = is_within ? within.native() : fs::path(text).lexically_normal().relative_path().native();
    std::error_code ignored;
    if (fs::is_regular_file(path, ignored)) {
      image.path = path.native();
    }
  }

  static void take_size(const JsonObject& sample, SourceImage& image) {
    const JsonValue* const metadata = sample.peek("metadata");
    if (metadata == nullptr || metadata->kind() != JsonKind::object) {
      return;
    }
    JsonObject object(*metadata);
    const std::optional<JsonValue> width = take_unwrapped(object, "width");
    const std::optional<JsonValue> height = take_unwrapped(object, "height");
    if (width && height) {
      image.width = static_cast<std::int32_t>(width->integer(1, std::numeric_limits<std::int32_t>::max()));
      image.height = static_cast<std::int32_t>(height->integer(1, std::numeric_limits<std::int32_t>::max()));
    }
  }

  /// A tag that names a split is the split, unless there are several.
  static void take_tags(JsonObject& sample, SourceImage& image) {
    if (const JsonValue* const tags = sample.peek("tags");
        tags != nullptr && tags->kind() == JsonKind::array && tags->elements().empty()) {
      sample.take("tags");
    }
    image.tags = sample.take_tags("tags");
    if (std::count_if(image.tags.begin(), image.tags.end(), is_fiftyone_split) == 1) {
      const auto at = std::find_if(image.tags.begin(), image.tags.end(), is_fiftyone_split);
      image.split = *at;
      image.tags.erase(at);
    }
  }

  void take_labels(const JsonValue& value, PendingImage& pending) {
    JsonObject object(value);
    const std::string name = class_of(object);
    pending.image.is_labelled = true;
    const std::string_view list = name == "Detections"        ? "detections"
                                  : name == "Classifications" ? "classifications"
                                  : name == "Polylines"       ? "polylines"
                                  : name == "Keypoints"       ? "keypoints"
                                                              : "";
    if (list.empty()) {
      take_label(value, pending);
      return;
    }
    object.take("_cls");
    if (const std::optional<JsonValue> elements = object.take(list)) {
      for (const JsonValue& element : elements->elements()) {
        take_label(element, pending);
      }
    }
    for (const JsonObject::Field& field : object.fields()) {
      if (!field.is_taken && !field.value.is_null()) {
        batch_.reject(RejectedKind::field, place_, pending.image.name,
                      {RejectionReason::unsupported, field.value.field(), "what is said about all labels of a sample is not kept"});
      }
    }
  }

  void take_label(const JsonValue& json, PendingImage& pending) {
    try {
      pending.labels.push_back(label_of(json));
    } catch (const ElementFault& fault) {
      batch_.reject(RejectedKind::label, place_, pending.image.name, fault);
    }
  }

  PendingLabel label_of(const JsonValue& json) {
    JsonObject object(json);
    PendingLabel pending;
    pending.field = json.field();
    Label& label = pending.label;
    const std::string kind = class_of(object);
    if (kind == "Detection") {
      place_detection(json, object, pending);
    } else if (kind == "Polyline") {
      place_polyline(json, object, pending);
    } else if (kind == "Classification") {
      label.kind = LabelKind::classification;
    } else {
      throw ElementFault{RejectionReason::unsupported, json.field(),
                         fmt::format("a label of the class `{}` is neither a detection nor a closed polyline nor a classification",
                                     printable(kind))};
    }
    object.take("_cls");
    const std::optional<JsonValue> name = object.take("label");
    if (!name || name->text().empty()) {
      throw ElementFault{RejectionReason::missing_field, json.field() + ".label", "the label has no class"};
    }
    if (const auto confidence = take_unwrapped(object, "confidence")) {
      label.confidence = confidence->number();
    }
    if (const auto is_crowd = take_unwrapped(object, "iscrowd")) {
      label.is_crowd = is_crowd->flag();
    }
    if (const JsonValue* const tags = object.peek("tags");
        tags != nullptr && (tags->is_null() || (tags->kind() == JsonKind::array && tags->elements().empty()))) {
      object.take("tags");
    }
    pending.tags = object.take_tags("tags");
    take_attributes(object, label.attributes_json);
    for (const std::string_view key : {"index", "instance", "logits", "mask_path", "mask"}) {
      if (const JsonValue* const value = object.peek(key); value != nullptr && value->is_null()) {
        object.take(key);
      }
    }
    label.source_json = object.rest();
    pending.class_index = batch_.class_index(name->text());
    return pending;
  }

  static void take_attributes(JsonObject& object, std::string& attributes_json) {
    VerbatimFields attributes(attributes_json);
    // The older form: objects with a `value`, in one of their own.
    if (const JsonValue* const old = object.peek("attributes");
        old != nullptr && (old->is_null() || old->kind() == JsonKind::object)) {
      JsonObject named(old->is_null() ? JsonValue("{}", old->field()) : *old);
      const auto value_of = [](const JsonValue& attribute) {
        return attribute.kind() == JsonKind::object ? JsonObject(attribute).take("value") : std::nullopt;
      };
      const bool all_have_values = std::all_of(named.fields().begin(), named.fields().end(), [&](const JsonObject::Field& field) {
        const std::optional<JsonValue> value = value_of(field.value);
        return value && value->is_scalar();
      });
      if (all_have_values) {
        object.take("attributes");
        for (const JsonObject::Field& field : named.fields()) {
          attributes.add(field.key, value_of(field.value)->verbatim());
        }
      }
    }
    for (JsonObject::Field& field : object.fields()) {
      if (field.is_taken || is_fiftyone_label_name(field.key)) {
        continue;
      }
      if (const JsonValue value = unwrapped(field.value); value.is_scalar()) {
        attributes.add(field.key, value.verbatim());
        field.is_taken = true;
      }
    }
    attributes.close();
  }

  void place_detection(const JsonValue& json, JsonObject& object, PendingLabel& pending) const {
    const std::optional<JsonValue> value = object.take("bounding_box");
    if (!value) {
      throw ElementFault{RejectionReason::missing_field, json.field() + ".bounding_box", "the detection has no box"};
    }
    std::vector<double> numbers;
    for (const JsonValue& element : value->elements()) {
      numbers.push_back(unwrapped(element).number());
    }
    if (numbers.size() != 4) {
      value->fail(RejectionReason::malformed,
                  fmt::format("four numbers x, y, width, height are needed, there are {}", numbers.size()));
    }
    const Box relative{numbers[0], numbers[1], numbers[2], numbers[3]};
    if (relative.w < 0 || relative.h < 0) {
      value->fail(RejectionReason::out_of_range,
                  fmt::format("width {} and height {} must not be negative", relative.w, relative.h));
    }
    const auto place = [relative](Label& label, std::int32_t width, std::int32_t height) {
      label.box_xywh_px = {relative.x * width, relative.y * height, relative.w * width, relative.h * height};
    };
    std::optional<JsonValue> mask = object.take("mask");
    std::optional<JsonValue> mask_path = mask ? std::nullopt : object.take("mask_path");
    if (!mask && !mask_path) {
      pending.place = place;
      return;
    }
    pending.label.kind = LabelKind::mask;
    const std::string field = (mask ? *mask : *mask_path).field();
    pending.place = [place, field, crop = mask ? crop_from_binary(*mask) : crop_from_file(*mask_path, root_)](
                        Label& label, std::int32_t width, std::int32_t height) {
      place(label, width, height);
      label.mask =
          Mask{spread(crop, label.box_xywh_px, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width), field)};
    };
  }

  static void place_polyline(const JsonValue& json, JsonObject& object, PendingLabel& pending) {
    for (const std::string_view key : {"closed", "filled"}) {
      const std::optional<JsonValue> flag = object.take(key);
      if (!flag || !flag->flag()) {
        throw ElementFault{RejectionReason::unsupported, fmt::format("{}.{}", json.field(), key),
                           "a polyline that is not closed and filled has no inside"};
      }
    }
    const std::optional<JsonValue> value = object.take("points");
    if (!value) {
      throw ElementFault{RejectionReason::missing_field, json.field() + ".points", "the polyline has no points"};
    }
    std::vector<Polygon> parts;
    for (const JsonValue& element : value->elements()) {
      parts.push_back(element.points());
      if (parts.back().size() < 6) {
        element.fail(RejectionReason::malformed,
                     fmt::format("a polygon has at least three points, not {}", parts.back().size() / 2));
      }
    }
    if (parts.empty()) {
      value->fail(RejectionReason::missing_field, "the polyline has no points");
    }
    pending.label.kind = LabelKind::mask;
    pending.place = [parts = std::move(parts)](Label& label, std::int32_t width, std::int32_t height) {
      std::vector<Polygon> placed = parts;
      for (Polygon& polygon : placed) {
        for (std::size_t i = 0; i < polygon.size(); ++i) {
          polygon[i] *= i % 2 == 0 ? width : height;
        }
      }
      label.mask = Mask{std::move(placed)};
      label.box_xywh_px = mask_box(*label.mask);
    };
  }

  void report_progress(const JsonStream& stream) const {
    if (is_looking_) {
      check_not_stopped(options_, file_);
    } else {
      report_bytes_read(options_, file_, stream.bytes_consumed(), stream.file_bytes());
    }
  }

  fs::path root_;
  std::string file_;
  const ReadOptions& options_;
  ImportSink& sink_;
  ImportBatch batch_;
  bool has_schema_ = false;
  bool is_looking_ = false;  // for the names of fields, before samples are read
  std::vector<std::string> label_fields_;
  std::vector<std::string> other_fields_;
  std::string field_;
  std::string dataset_json_;
  SourcePlace place_;  // of the sample that is read
};

}  // namespace

ReadCounts read_fiftyone(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return FiftyOneReader(path, options, sink).read();
}

}  // namespace verilabel
