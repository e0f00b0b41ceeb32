#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/import_batch.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/label_studio.h"
#include "verilabel/formats/reading_progress.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxSide = std::numeric_limits<std::int32_t>::max();
constexpr std::uint64_t kMaxBrushPixels = std::uint64_t{1} << 28;
constexpr std::int64_t kTasksBetweenReports = 256;
constexpr std::string_view kUploads = "/data/upload/";

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::uint8_t byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      result += static_cast<char>(byte);
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool is_hexadecimal(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// The name of the list of classes in the value of a region, by the region's type; empty for a shape without classes of its own.
std::string_view class_list_of(std::string_view type) {
  for (const std::string_view known : {"rectanglelabels", "polygonlabels", "brushlabels", "labels", "choices"}) {
    if (type == known) {
      return known;
    }
  }
  return {};
}

bool is_bare_shape(std::string_view type) {
  return type == "rectangle" || type == "polygon" || type == "brush";
}

/// Types of controls whose answer about a region becomes an attribute of its label, and where the answer stands.
std::string_view answer_field_of(std::string_view type) {
  return type == "choices"    ? "choices"
         : type == "textarea" ? "text"
         : type == "number"   ? "number"
         : type == "rating"   ? "rating"
                              : std::string_view();
}

/// One element of a `result`.
struct Region {
  JsonObject object;
  std::string field;
  std::string type;
  std::string id;
  std::string control;  ///< `from_name`
};

struct Size {
  std::optional<std::int32_t> width;
  std::optional<std::int32_t> height;
};

std::string joined_objects(std::string first, std::string_view second) {
  if (first.empty() || second.empty()) {
    return first.empty() ? std::string(second) : first;
  }
  first.back() = ',';
  return first.append(second.substr(1));
}

std::string wrapped(std::string_view key, std::string_view json) {
  return json.empty() ? std::string() : fmt::format("{{\"{}\":{}}}", key, json);
}

class LabelStudioReader {
 public:
  LabelStudioReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : file_(path.native()), options_(options), batch_(sink, options), stream_(path) {}

  ReadCounts read() {
    if (stream_.peek() != '[') {
      stream_.fail(stream_.byte_offset(), "this is no list of tasks; export from Label Studio as JSON");
    }
    stream_.enter_array();
    for (std::int64_t index = 0; const auto slice = stream_.next_element(); ++index) {
      if (index % kTasksBetweenReports == 0) {
        report_bytes_read(options_, file_, stream_.bytes_consumed(), stream_.file_bytes());
      }
      place_ = {file_, slice->byte_offset};
      const std::string field = fmt::format("[{}]", index);
      try {
        if (slice->is_too_large) {
          throw ElementFault{RejectionReason::too_large, field, "the task is larger than 64 MB"};
        }
        batch_.add(task_of(JsonValue(slice->text, field)));
      } catch (const ElementFault& fault) {
        batch_.reject(RejectedKind::image, place_, {}, fault);
      }
    }
    stream_.finish();
    const ReadCounts counts = batch_.finish(file_);
    report_bytes_read(options_, file_, stream_.bytes_consumed(), stream_.file_bytes());
    return counts;
  }

 private:
  PendingImage task_of(const JsonValue& json) {
    JsonObject task(json);
    refuse_other_exports(task);
    PendingImage pending{.image = {}, .place = place_, .key = {}};
    SourceImage& image = pending.image;
    const JsonValue* const data = task.peek("data");
    if (data == nullptr) {
      throw ElementFault{RejectionReason::missing_field, json.field() + ".data", "the task has no data, and so no image"};
    }
    if (const JsonValue* const id = task.peek("id"); id != nullptr && !id->is_null()) {
      image.source_id = id->kind() == JsonKind::number
                            ? fmt::format("{}", id->integer(std::numeric_limits<std::int64_t>::min(), kMaxId))
                            : std::string(id->verbatim());
      pending.key = "task " + image.source_id;
    }
    locate(*data, image);
    take_meta(task, image);
    image.is_labelled = false;
    std::string source;
    if (const std::optional<JsonValue> annotation = newest(task.take("annotations"), true, image.name)) {
      source = take_result(*annotation, "annotation", pending);
    } else if (!has_cancelled_) {
      if (const std::optional<JsonValue> prediction = newest(task.take("predictions"), false, image.name)) {
        source = take_result(*prediction, "prediction", pending);
      }
    }
    task.take("predictions");
    if (pending.key.empty()) {
      pending.key = image.name;
    }
    image.source_json = joined_objects(task.rest(), joined_objects(meta_rest_, source));
    return pending;
  }

  void refuse_other_exports(const JsonObject& task) const {
    const bool is_min =
        task.peek("data") == nullptr && (task.peek("annotation_id") != nullptr || task.peek("annotator") != nullptr);
    if (is_min || task.peek("completions") != nullptr) {
      throw Error(ErrorCode::unsupported,
                  is_min
                      ? "this is the export called JSON-MIN, which does not say what is a prediction or was cancelled; export from "
                        "Label Studio as JSON"
                      : "this is an export of a Label Studio before 1.0; open the project with a newer one and export as JSON",
                  {{"file", file_}});
    }
  }

  /// The image's name and, when it is on this machine, its path.
  void locate(const JsonValue& data, SourceImage& image) const {
    JsonObject fields(data);
    std::optional<JsonValue> url = fields.take("image", JsonKind::text);
    if (!url) {
      const auto is_text = [](const JsonObject::Field& field) { return field.value.kind() == JsonKind::text; };
      if (std::count_if(fields.fields().begin(), fields.fields().end(), is_text) == 1) {
        url = std::find_if(fields.fields().begin(), fields.fields().end(), is_text)->value;
      }
    }
    if (!url) {
      throw ElementFault{RejectionReason::missing_field, data.field() + ".image",
                         "the task has neither `image` nor a single text that could name the image"};
    }
    const std::string text = url->text();
    image.name = image_name_of_url(text);
    if (text.find(kUploads) != std::string::npos) {
      image.name_in_layout = name_before_upload(image.name);
    }
    image.is_only = true;
    if (image.name.empty() || image.name.find('\0') != std::string::npos) {
      url->fail(RejectionReason::malformed, fmt::format("{} names no image", url->shown()));
    }
    if (text.starts_with("/data/local-files/") || text.starts_with("file://") || text.starts_with('/')) {
      const fs::path path = fs::path("/") / image.name;
      std::error_code ignored;
      if (fs::is_regular_file(path, ignored)) {
        image.path = path.native();
      }
    }
  }

  /// What our own exports say about a sample.
  void take_meta(JsonObject& task, SourceImage& image) {
    meta_rest_.clear();
    const std::optional<JsonValue> value = task.take("meta", JsonKind::object);
    if (!value) {
      return;
    }
    JsonObject meta(*value);
    if (const auto name = meta.take("file_name", JsonKind::text); name && !name->text().empty()) {
      image.name = name->text();
    }
    if (const auto split = meta.take("split", JsonKind::text)) {
      image.split = split->text();
    }
    image.tags = meta.take_tags("tags");
    image.fields_json = meta.take_fields("fields");
    meta_rest_ = wrapped("meta", meta.rest());
  }

  /// The annotation, or prediction, to read: the newest that was not cancelled. The others are counted.
  std::optional<JsonValue> newest(const std::optional<JsonValue>& list, bool are_annotations, const std::string& image) {
    has_cancelled_ = false;
    if (!list) {
      return std::nullopt;
    }
    std::vector<std::pair<std::string, JsonValue>> candidates;
    for (const JsonValue& element : list->elements()) {
      try {
        JsonObject object(element);
        if (const auto cancelled = object.take("was_cancelled"); cancelled && cancelled->flag()) {
          has_cancelled_ = true;
          continue;
        }
        const std::string_view first = are_annotations ? "updated_at" : "created_at";
        const std::optional<JsonValue> time = object.take(object.peek(first) != nullptr ? first : "created_at");
        candidates.emplace_back(time && time->kind() == JsonKind::text ? time->text() : "", element);
      } catch (const ElementFault& fault) {
        batch_.reject(RejectedKind::label, place_, image, fault);
      }
    }
    has_cancelled_ = has_cancelled_ && candidates.empty();
    if (candidates.empty()) {
      return std::nullopt;
    }
    // Times are texts of one form, so that their order is that of their letters; of equal ones the last is taken.
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i + 1 < candidates.size(); ++i) {
      batch_.reject(RejectedKind::field, place_, image,
                    {RejectionReason::unsupported, candidates[i].second.field(),
                     fmt::format("the task has several {}; the newest is read, and this is an older one",
                                 are_annotations ? "annotations" : "predictions")});
    }
    return candidates.back().second;
  }

  /// Reads the regions; gives back what else the annotation says.
  std::string take_result(const JsonValue& json, std::string_view kind, PendingImage& pending) {
    JsonObject object(json);
    pending.image.is_labelled = true;
    const bool is_prediction = kind == "prediction";
    std::optional<double> score;
    if (is_prediction) {
      if (const auto value = object.take("score", JsonKind::number)) {
        score = value->number();
      }
    }
    std::vector<Region> regions;
    if (const std::optional<JsonValue> result = object.take("result")) {
      for (const JsonValue& element : result->elements()) {
        try {
          regions.push_back(region_of(element));
        } catch (const ElementFault& fault) {
          batch_.reject(RejectedKind::label, place_, pending.image.name, fault);
        }
      }
    }
    const std::map<std::string, std::string> attributes = attributes_of_regions(regions, pending.image.name);
    std::set<std::string> classified;  // regions whose classes stand in an element of their own
    for (const Region& region : regions) {
      if (!class_list_of(region.type).empty()) {
        classified.insert(region.id);
      }
    }
    for (Region& region : regions) {
      const bool is_told_elsewhere = is_bare_shape(region.type) && classified.contains(region.id);
      const bool is_answer = is_attribute(region, attributes);
      if (is_told_elsewhere || is_answer) {
        continue;
      }
      try {
        take_region(region, is_prediction, score, attributes, pending);
      } catch (const ElementFault& fault) {
        batch_.reject(RejectedKind::label, place_, pending.image.name, fault);
      }
    }
    return wrapped(kind, object.rest());
  }

  static Region region_of(const JsonValue& json) {
    Region region{.object = JsonObject(json), .field = json.field(), .type = {}, .id = {}, .control = {}};
    const std::optional<JsonValue> type = region.object.take("type");
    if (!type) {
      throw ElementFault{RejectionReason::missing_field, json.field() + ".type", "the region has no type"};
    }
    region.type = type->text();
    const auto text_of = [&](std::string_view key) {
      const JsonValue* const value = region.object.peek(key);
      return value != nullptr && value->kind() == JsonKind::text ? value->text() : std::string();
    };
    region.id = text_of("id");
    region.control = text_of("from_name");
    return region;
  }

  static bool is_attribute(const Region& region, const std::map<std::string, std::string>& attributes) {
    return !answer_field_of(region.type).empty() && attributes.contains(region.id);
  }

  /// Answers about single regions, as an object of attributes by region; an empty text for regions without any.
  std::map<std::string, std::string> attributes_of_regions(std::vector<Region>& regions, const std::string& image) {
    std::map<std::string, std::string> attributes;
    for (const Region& region : regions) {
      const std::string_view list = class_list_of(region.type);
      if (!region.id.empty() && ((!list.empty() && list != "choices") || is_bare_shape(region.type))) {
        attributes.emplace(region.id, "");
      }
    }
    for (Region& region : regions) {
      const std::string_view answer = answer_field_of(region.type);
      const auto at = attributes.find(region.id);
      if (answer.empty() || at == attributes.end()) {
        continue;
      }
      try {
        const JsonValue* const value = region.object.peek("value");
        const std::optional<JsonValue> found = value == nullptr ? std::nullopt : JsonObject(*value).take(answer);
        if (!found || region.control.empty()) {
          throw ElementFault{RejectionReason::missing_field, region.field,
                             "an answer about a region needs `from_name` and a value"};
        }
        const std::vector<JsonValue> answers = found->kind() == JsonKind::array ? found->elements() : std::vector{*found};
        const JsonValue* const from_name = region.object.peek("from_name");
        const std::string_view key = from_name->raw().substr(1, from_name->raw().size() - 2);
        VerbatimFields(at->second).add(key, answers.size() == 1 ? answers.front().verbatim() : found->verbatim());
      } catch (const ElementFault& fault) {
        batch_.reject(RejectedKind::field, place_, image, fault);
      }
    }
    for (auto& [id, object] : attributes) {
      VerbatimFields(object).close();
    }
    return attributes;
  }

  void take_region(Region& region, bool is_prediction, std::optional<double> score,
                   const std::map<std::string, std::string>& attributes, PendingImage& pending) {
    const std::string_view list = class_list_of(region.type);
    if (list.empty() && !is_bare_shape(region.type)) {
      throw ElementFault{RejectionReason::unsupported, region.field,
                         fmt::format("a region of the type `{}` is neither a rectangle nor a polygon nor a brush nor a choice",
                                     printable(region.type))};
    }
    const std::optional<JsonValue> value_json = region.object.take("value");
    if (!value_json) {
      throw ElementFault{RejectionReason::missing_field, region.field + ".value", "the region has no value"};
    }
    JsonObject value(*value_json);
    const std::optional<JsonValue> names = list.empty() ? std::nullopt : value.take(list);
    const std::vector<std::string> class_names = names ? names->texts() : std::vector<std::string>();
    if (class_names.empty() ||
        std::any_of(class_names.begin(), class_names.end(), [](const std::string& name) { return name.empty(); })) {
      throw ElementFault{RejectionReason::missing_field, region.field, "the region has no class"};
    }
    PendingLabel label;
    label.field = region.field;
    const Size size = take_size(region.object, pending.image);
    refuse_rotation(region.object, "image_rotation");
    refuse_rotation(value, "rotation");
    place(region, value, size, label);
    if (is_prediction) {
      const std::optional<JsonValue> own = region.object.take("score", JsonKind::number);
      label.label.confidence = own ? std::optional(own->number()) : score;
    }
    take_meta_of_region(region, attributes, label);
    const std::string value_rest = value.rest();
    label.label.source_json =
        joined_objects(joined_objects(region.object.rest(), wrapped("meta", region_meta_rest_)), wrapped("value", value_rest));
    for (const std::string& name : class_names) {
      label.class_index = batch_.class_index(name);
      pending.labels.push_back(label);
    }
  }

  static Size take_size(JsonObject& region, SourceImage& image) {
    Size size;
    if (const auto width = region.take("original_width")) {
      size.width = static_cast<std::int32_t>(width->integer(1, kMaxSide));
    }
    if (const auto height = region.take("original_height")) {
      size.height = static_cast<std::int32_t>(height->integer(1, kMaxSide));
    }
    if (size.width && size.height && !image.width) {
      image.width = size.width;
      image.height = size.height;
    }
    return size;
  }

  static void refuse_rotation(JsonObject& object, std::string_view key) {
    if (const auto rotation = object.take(key); rotation && rotation->number() != 0) {
      rotation->fail(RejectionReason::unsupported,
                     fmt::format("the region is turned by {} degrees, and boxes here are not", rotation->number()));
    }
  }

  void take_meta_of_region(Region& region, const std::map<std::string, std::string>& attributes, PendingLabel& label) {
    region_meta_rest_.clear();
    std::string stated;
    if (const auto value = region.object.take("meta", JsonKind::object)) {
      JsonObject meta(*value);
      label.tags = meta.take_tags("tags");
      const JsonValue* const own = meta.peek("attributes");
      if (own != nullptr && own->kind() == JsonKind::object && !JsonObject(*own).fields().empty()) {
        stated = meta.take("attributes")->verbatim();
      }
      region_meta_rest_ = meta.rest();
    }
    const auto at = attributes.find(region.id);
    label.label.attributes_json = joined_objects(stated, at == attributes.end() ? std::string() : at->second);
  }

  void place(const Region& region, JsonObject& value, Size size, PendingLabel& label) {
    const auto needed = [&](std::string_view key) {
      const std::optional<JsonValue> field = value.take(key);
      if (!field) {
        throw ElementFault{RejectionReason::missing_field, fmt::format("{}.value.{}", region.field, key), "the region lacks this"};
      }
      return *field;
    };
    if (region.type == "choices") {
      label.label.kind = LabelKind::classification;
    } else if (value.peek("rle") != nullptr) {
      place_brush(needed("rle"), value, size, label);
    } else if (value.peek("points") != nullptr) {
      const JsonValue field = needed("points");
      std::vector<double> points = field.points();
      if (points.size() < 6) {
        field.fail(RejectionReason::malformed, fmt::format("a polygon has at least three points, not {}", points.size() / 2));
      }
      if (const auto closed = value.take("closed"); closed && !closed->flag()) {
        closed->fail(RejectionReason::unsupported, "the polygon is open, and so has no inside");
      }
      label.label.kind = LabelKind::mask;
      label.place = [points = std::move(points), size](Label& to, std::int32_t width, std::int32_t height) {
        Polygon polygon = points;
        for (std::size_t i = 0; i < polygon.size(); ++i) {
          polygon[i] = pixels_from_percent(polygon[i], i % 2 == 0 ? size.width.value_or(width) : size.height.value_or(height));
        }
        to.mask = Mask{std::vector<Polygon>{std::move(polygon)}};
        to.box_xywh_px = mask_box(*to.mask);
      };
    } else {
      const Box percent{needed("x").number(), needed("y").number(), needed("width").number(), needed("height").number()};
      if (percent.w < 0 || percent.h < 0) {
        throw ElementFault{RejectionReason::out_of_range, region.field + ".value",
                           fmt::format("width {} and height {} must not be negative", percent.w, percent.h)};
      }
      label.place = [percent, size](Label& to, std::int32_t width, std::int32_t height) {
        to.box_xywh_px = box_from_percent(percent, size.width.value_or(width), size.height.value_or(height));
      };
    }
    if (label.place && size.width && size.height) {
      std::exchange(label.place, nullptr)(label.label, *size.width, *size.height);
    }
  }

  static void place_brush(const JsonValue& field, JsonObject& value, Size size, PendingLabel& label) {
    if (const auto format = value.take("format"); format && format->text() != "rle") {
      format->fail(RejectionReason::unsupported, fmt::format("{} is not the format `rle`", format->shown()));
    }
    if (!size.width || !size.height) {
      field.fail(RejectionReason::image_size_unknown, "a brush needs `original_width` and `original_height`");
    }
    if (std::uint64_t{static_cast<std::uint32_t>(*size.width)} * static_cast<std::uint32_t>(*size.height) > kMaxBrushPixels) {
      field.fail(RejectionReason::too_large, fmt::format("the brush has {} × {} pixels", *size.width, *size.height));
    }
    try {
      label.label.mask =
          Mask{rle_from_brush(field.bytes(), static_cast<std::uint32_t>(*size.height), static_cast<std::uint32_t>(*size.width))};
    } catch (const Error& error) {
      field.fail(RejectionReason::malformed, error.message());
    }
    label.label.kind = LabelKind::mask;
    label.label.box_xywh_px = mask_box(*label.label.mask);
  }

  static constexpr std::int64_t kMaxId = std::numeric_limits<std::int64_t>::max();

  std::string file_;
  const ReadOptions& options_;
  ImportBatch batch_;
  JsonStream stream_;
  SourcePlace place_;             // of the task that is read
  std::string meta_rest_;         // of the task that is read
  std::string region_meta_rest_;  // of the region that is read
  bool has_cancelled_ = false;    // whether the task has nothing but cancelled annotations
};

}  // namespace

std::string image_name_of_url(std::string_view url) {
  constexpr std::string_view kLocalFiles = "/data/local-files/";
  std::string path;
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    const std::size_t host_end = url.find('/', scheme + 3);
    path = host_end == std::string_view::npos ? std::string() : std::string(url.substr(host_end));
  } else {
    path = url;
  }
  if (const std::size_t local = path.find(kLocalFiles); local != std::string::npos) {
    const std::size_t query = path.find("?d=", local);
    path = query == std::string::npos ? std::string() : path.substr(query + 3, path.find('&', query) - query - 3);
  } else if (url.find("://") != std::string_view::npos) {
    path = path.substr(0, path.find_first_of("?#"));
  }
  const std::size_t upload = path.find(kUploads);
  path = percent_decoded(path);
  if (upload != std::string::npos) {
    path = path.substr(path.rfind('/') + 1);
  }
  path.erase(0, std::min(path.find_first_not_of('/'), path.size()));
  return path;
}

std::string name_before_upload(const std::string& name) {
  constexpr std::size_t kDigits = 8;
  const bool is_of_upload = name.size() > kDigits + 1 && name[kDigits] == '-' && is_hexadecimal(name.substr(0, kDigits));
  return is_of_upload ? name.substr(kDigits + 1) : std::string();
}

ReadCounts read_label_studio(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return LabelStudioReader(path, options, sink).read();
}

}  // namespace verilabel
