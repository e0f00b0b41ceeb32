#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/buffered_file.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/label_studio.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBrushPixels = std::uint64_t{1} << 28;

constexpr std::string_view kSizeUnknown = "labels of images whose size is not known are left out";
constexpr std::string_view kNoPixels = "labels whose mask is of no pixels, or of 2^28 and more, are left out";
constexpr std::string_view kParts = "outlines of several parts become pixels, since a polygon of Label Studio has one";
constexpr std::string_view kBoxesOfMasks =
    "masks lose the box that was stated for them: Label Studio knows their points or pixels only";
constexpr std::string_view kTaskIds = "images lose their id, because it is not that of a task or occurs twice";
constexpr std::string_view kLabelIds = "labels get a new id, because theirs is not a text or occurs twice on their image";
constexpr std::string_view kAnnotations = "images lose what was said about their annotation, since their labels are predictions";
constexpr std::string_view kUnusedClasses =
    "classes without a label are lost, since a list of tasks has no list of classes; the labelling interface beside it names them";
constexpr std::string_view kNames = "image names and paths that are not UTF-8 are written with \\xNN for a byte";

constexpr std::string_view kTaskFields[] = {"id", "data", "annotations", "predictions", "meta", "annotation", "prediction"};
constexpr std::string_view kRegionFields[] = {
    "id", "type", "from_name", "to_name", "original_width", "original_height", "image_rotation", "value", "meta", "score"};

/// A kind of region, and the control of the labelling interface that makes it.
struct Control {
  std::string_view type;
  std::string_view element;  ///< of the interface
  std::string_view item;     ///< within it, for each class
  std::string_view name;     ///< unless the source says another
};
constexpr std::array<Control, 4> kControls = {{
    {"rectanglelabels", "RectangleLabels", "Label", "box"},
    {"polygonlabels", "PolygonLabels", "Label", "polygon"},
    {"brushlabels", "BrushLabels", "Label", "brush"},
    {"choices", "Choices", "Choice", "class"},
}};
enum ControlIndex : std::size_t { rectangle, polygon, brush, choices };

bool is_text(std::string_view json) {
  return json.size() >= 2 && json.front() == '"';
}

std::string text_of(std::string_view json) {
  return JsonValue(json, "").text();
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// As it stands behind `?d=`: what a URL cannot hold is written with `%`.
std::string percent_encoded(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          std::string_view("/-._~").find(c) != std::string_view::npos;
    out += is_plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// The key and the value of the field of `data` that names the image, as the reader finds it.
std::optional<SourceField> image_field(std::string_view data) {
  const std::vector<SourceField> fields = source_fields(data);
  const auto named = std::find_if(fields.begin(), fields.end(),
                                  [](const SourceField& field) { return field.key == "image" && is_text(field.json); });
  if (named != fields.end()) {
    return *named;
  }
  const auto is_candidate = [](const SourceField& field) { return is_text(field.json); };
  return std::count_if(fields.begin(), fields.end(), is_candidate) == 1
             ? std::optional(*std::find_if(fields.begin(), fields.end(), is_candidate))
             : std::nullopt;
}

/// Whether nothing is there, or a labelling interface, which an export writes anew.
bool may_hold_interface(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(file, ignored))) {
    return true;
  }
  constexpr std::string_view kStart = "<View>";
  std::string start(kStart.size(), '\0');
  std::ifstream in(file, std::ios::binary);
  return fs::is_regular_file(file, ignored) && in.read(start.data(), std::ssize(start)) && start == kStart;
}

class LabelStudioWriter {
 public:
  LabelStudioWriter(ExportSource& source, const WriteOptions& options)
      : source_(source),
        options_(options),
        holds_(format("label_studio").holds),
        classes_(source.classes()),
        is_used_(classes_.size()) {}

  std::vector<Loss> losses() {
    std::string unused;
    run("checking", [&](std::string task) { unused = std::move(task); });
    return losses_.list();
  }

  WriteReport write(int descriptor, const fs::path& path) {
    BufferedFile file(descriptor, path);
    file.text() += "[";
    bool is_first = true;
    run("writing", [&](const std::string& task) {
      file.text().append(std::exchange(is_first, false) ? "\n" : ",\n").append(task);
      file.flush_when_full();
    });
    file.text() += "\n]\n";
    file.flush();
    report_.losses = losses_.list();
    return std::move(report_);
  }

  /// The labelling interface for what was written.
  std::string interface() const {
    std::string out = "<View>\n";
    const std::set<std::string> objects = objects_.empty() ? std::set<std::string>{"image"} : objects_;
    for (const std::string& object : objects) {
      out += fmt::format("  <Image name=\"{}\" value=\"${}\"/>\n", xml_escaped(object), xml_escaped(image_key_));
    }
    std::map<std::string, std::pair<std::size_t, std::string>> controls = controls_;
    if (controls.empty()) {
      controls.emplace(kControls[rectangle].name, std::pair(std::size_t{rectangle}, *objects.begin()));
    }
    for (const auto& [name, made] : controls) {
      const Control& control = kControls[made.first];
      out += fmt::format("  <{} name=\"{}\" toName=\"{}\"{}>\n", control.element, xml_escaped(name), xml_escaped(made.second),
                         made.first == choices ? " choice=\"multiple\"" : "");
      for (const ExportClass& item : classes_) {
        out += fmt::format("    <{} value=\"{}\"/>\n", control.item,
                           xml_escaped(is_utf8(item.name) ? item.name : printable(item.name)));
      }
      out += fmt::format("  </{}>\n", control.element);
    }
    return out + "</View>\n";
  }

 private:
  template <typename Take>
  void run(std::string_view stage, Take&& take) {
    FormatHolds of_dataset = holds_;
    of_dataset.ids_and_unknown_fields = false;  // a list of tasks says nothing about itself
    count_dataset_losses(of_dataset, source_, losses_);
    count_class_losses(classes_, losses_);
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, stage, index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_)) {
        ++report_.images_left_out;
        continue;
      }
      count_image_losses(holds_, image, options_, losses_);
      take(task(index, image));
      ++report_.images;
      report_.images_unlabelled += image.state == SampleState::not_labelled ? 1 : 0;
    }
    losses_.add(kUnusedClasses, std::count(is_used_.begin(), is_used_.end(), false));
    report_image(options_, stage, count, count);
  }

  std::string task(std::int64_t index, const ExportImage& image) {
    const std::vector<ExportLabel> labels =
        image.state == SampleState::labelled ? source_.labels(index) : std::vector<ExportLabel>();
    std::string out;
    JsonWriter json(out);
    json.begin_object();
    add_task_id(image, json);
    const std::string name = add_data(image, json);
    add_meta(image, name, json);
    const std::string_view annotation = source_field(image.source_json, "annotation");
    const std::string_view prediction = source_field(image.source_json, "prediction");
    const bool are_predictions =
        labels.empty()
            ? !prediction.empty() && annotation.empty()
            : std::any_of(labels.begin(), labels.end(), [](const ExportLabel& item) { return item.label.confidence.has_value(); });
    losses_.add(kAnnotations, are_predictions && !annotation.empty() ? 1 : 0);
    json.key("annotations").begin_array();
    if (image.state != SampleState::not_labelled && !are_predictions) {
      add_result(labels, image, annotation, false, json, out);
    }
    json.end_array().key("predictions").begin_array();
    if (image.state != SampleState::not_labelled && are_predictions) {
      add_result(labels, image, prediction, true, json, out);
    }
    json.end_array();
    add_source_fields(out, image.source_json, kTaskFields);
    json.end_object();
    return out;
  }

  void add_task_id(const ExportImage& image, JsonWriter& json) {
    const std::string_view id = source_field(image.source_json, "id");
    if (id.empty()) {
      return;
    }
    if (integer_id({{"id", id}}) && task_ids_.emplace(id).second) {
      json.key("id").raw(id);
    } else {
      losses_.add(kTaskIds);
    }
  }

  /// Gives back the name that a reader finds in the data.
  std::string add_data(const ExportImage& image, JsonWriter& json) {
    const std::string_view data = source_field(image.source_json, "data");
    if (const std::optional<SourceField> field = image_field(data)) {
      json.key("data").raw(data);
      image_key_ = text_of(fmt::format("\"{}\"", field->key));
      return image_name_of_url(text_of(field->json));
    }
    losses_.add(kNames, is_utf8(image.name) ? 0 : 1);
    const std::string path = image.path.native();
    const std::string url = "/data/local-files/?d=" + percent_encoded(std::string_view(path).substr(path.starts_with('/') ? 1 : 0));
    json.key("data").begin_object().field("image", url).end_object();
    return image_name_of_url(url);
  }

  static void add_meta(const ExportImage& image, const std::string& name_in_data, JsonWriter& json) {
    const std::string_view rest = source_field(image.source_json, "meta");
    const bool has_other_name = name_in_data != image.name;
    if (!has_other_name && image.split.empty() && image.tags.empty() && image.fields_json.empty()) {
      if (!rest.empty()) {
        json.key("meta").raw(rest);
      }
      return;
    }
    std::vector<std::string_view> ours;
    std::string meta;
    JsonWriter inner(meta);
    inner.begin_object();
    if (has_other_name) {
      inner.field("file_name", image.name);
      ours.push_back("file_name");
    }
    if (!image.split.empty()) {
      inner.field("split", image.split);
      ours.push_back("split");
    }
    if (!image.tags.empty()) {
      add_texts(inner, "tags", image.tags);
      ours.push_back("tags");
    }
    if (!image.fields_json.empty()) {
      inner.key("fields").raw(image.fields_json);
      ours.push_back("fields");
    }
    add_source_fields(meta, rest, ours);
    inner.end_object();
    json.key("meta").raw(meta);
  }

  static void add_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
    json.key(key).begin_array();
    for (const std::string& text : texts) {
      json.value(text);
    }
    json.end_array();
  }

  /// One annotation or prediction.
  void add_result(const std::vector<ExportLabel>& labels, const ExportImage& image, std::string_view source, bool is_prediction,
                  JsonWriter& json, std::string& out) {
    json.begin_object().key("result").begin_array();
    std::unordered_set<std::string> ids;
    for (const ExportLabel& exported : labels) {
      const std::string_view id = source_field(exported.label.source_json, "id");
      if (is_text(id)) {
        ids.emplace(id);
      }
    }
    stated_ids_ = std::move(ids);
    used_ids_.clear();
    std::int64_t written = 0;
    double sum = 0;
    for (std::size_t i = 0; i < labels.size();) {
      std::size_t end = i + 1;
      while (labels[i].label.kind == LabelKind::classification && end < labels.size() && is_one_answer(labels[i], labels[end])) {
        ++end;
      }
      const std::span<const ExportLabel> group = std::span(labels).subspan(i, end - i);
      if (add_region(group, image, json, out)) {
        report_.labels += static_cast<std::int64_t>(group.size());
        written += labels[i].label.confidence ? 1 : 0;
        sum += labels[i].label.confidence.value_or(0);
      } else {
        report_.labels_left_out += static_cast<std::int64_t>(group.size());
      }
      i = end;
    }
    json.end_array();
    // What Label Studio sorts tasks by; a reader takes it for regions without a score, so that it is there only when all have one.
    const bool all_have_scores =
        std::all_of(labels.begin(), labels.end(), [](const ExportLabel& item) { return item.label.confidence.has_value(); });
    std::vector<std::string_view> ours = {"result"};
    if (is_prediction && all_have_scores && written > 0) {
      json.field("score", sum / static_cast<double>(written));
      ours.push_back("score");
    }
    add_source_fields(out, source, ours);
    json.end_object();
  }

  /// Whether two classes were chosen by one answer.
  static bool is_one_answer(const ExportLabel& a, const ExportLabel& b) {
    return b.label.kind == LabelKind::classification && a.label.source_json == b.label.source_json &&
           a.label.confidence == b.label.confidence && a.label.attributes_json == b.label.attributes_json && a.tags == b.tags &&
           a.class_index != b.class_index;
  }

  /// False when it is left out. A group of more than one is of classifications.
  bool add_region(std::span<const ExportLabel> group, const ExportImage& image, JsonWriter& json, std::string& out) {
    const ExportLabel& exported = group.front();
    const Label& label = exported.label;
    const auto leave_out = [&](std::string_view why) {
      losses_.add(why, static_cast<std::int64_t>(group.size()));
      return false;
    };
    if (const auto reason = reason_to_leave_out(holds_, label)) {
      return leave_out(*reason);
    }
    std::int64_t width = image.width;
    std::int64_t height = image.height;
    const Rle* const rle = label.mask ? std::get_if<Rle>(&label.mask->shape) : nullptr;
    if (rle != nullptr) {
      width = rle->width;
      height = rle->height;
      if (width == 0 || height == 0 || static_cast<std::uint64_t>(width * height) >= kMaxBrushPixels) {
        return leave_out(kNoPixels);
      }
    }
    const bool is_classification = label.kind == LabelKind::classification;
    if (!is_classification && (width <= 0 || height <= 0)) {
      return leave_out(kSizeUnknown);
    }
    const auto* const parts = label.mask ? std::get_if<std::vector<Polygon>>(&label.mask->shape) : nullptr;
    const bool has_parts = parts != nullptr && parts->size() > 1;
    if (has_parts && static_cast<std::uint64_t>(width * height) >= kMaxBrushPixels) {
      return leave_out(kNoPixels);
    }
    if (!is_classification && rle == nullptr && !has_parts && !comes_back(label, width, height)) {
      return leave_out(kBeyondNumbers);
    }
    for (const ExportLabel& item : group) {
      count_label_losses(holds_, item, image, losses_);
      is_used_[static_cast<std::size_t>(item.class_index)] = true;
    }
    losses_.add(kParts, has_parts ? 1 : 0);
    losses_.add(kBoxesOfMasks, label.mask && mask_box(*label.mask) != label.box_xywh_px ? 1 : 0);

    const ControlIndex index = is_classification             ? choices
                               : rle != nullptr || has_parts ? brush
                               : parts != nullptr            ? polygon
                                                             : rectangle;
    json.begin_object();
    add_names(label, index, json);
    if (!is_classification) {
      json.field("original_width", width).field("original_height", height).field("image_rotation", 0);
    }
    json.key("value").begin_object();
    std::vector<std::string_view> value_fields = {"rotation", kControls[index].type};
    if (index == rectangle) {
      const Box percent = percent_from_box(label.box_xywh_px, width, height);
      json.field("x", percent.x).field("y", percent.y);
      json.field("width", percent.w).field("height", percent.h).field("rotation", 0);
      value_fields.insert(value_fields.end(), {"x", "y", "width", "height"});
    } else if (index == polygon) {
      json.key("points").begin_array();
      for (std::size_t i = 0; i < parts->front().size(); i += 2) {
        json.begin_array().value(percent_from_pixels(parts->front()[i], width));
        json.value(percent_from_pixels(parts->front()[i + 1], height)).end_array();
      }
      json.end_array().field("closed", true);
      value_fields.insert(value_fields.end(), {"points", "closed"});
    } else if (index == brush) {
      json.field("format", "rle").key("rle").begin_array();
      const Rle pixels = rasterised(*label.mask, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width));
      for (const std::uint8_t byte : brush_from_rle(pixels)) {
        json.value(byte);
      }
      json.end_array();
      value_fields.insert(value_fields.end(), {"format", "rle"});
    }
    json.key(kControls[index].type).begin_array();
    for (const ExportLabel& item : group) {
      json.value(classes_[static_cast<std::size_t>(item.class_index)].name);
    }
    json.end_array();
    add_source_fields(out, source_field(label.source_json, "value"), value_fields);
    json.end_object();
    add_meta_of_region(exported, json);
    std::vector<std::string_view> ours(std::begin(kRegionFields), std::end(kRegionFields));
    if (label.confidence) {
      json.field("score", *label.confidence);
    } else {
      ours.pop_back();  // a score that an annotation came with
    }
    add_source_fields(out, label.source_json, ours);
    json.end_object();
    return true;
  }

  /// Whether a reader makes a label of the percent that stand for the box, or for the outline of one part: they, and what they
  /// become, may be beyond all numbers.
  static bool comes_back(const Label& label, std::int64_t width, std::int64_t height) {
    Label read;
    if (!label.mask) {
      read.box_xywh_px = box_from_percent(percent_from_box(label.box_xywh_px, width, height), width, height);
      return !fault_of(read);
    }
    Polygon outline = std::get<std::vector<Polygon>>(label.mask->shape).front();
    for (std::size_t i = 0; i < outline.size(); ++i) {
      const std::int64_t side = i % 2 == 0 ? width : height;
      outline[i] = pixels_from_percent(percent_from_pixels(outline[i], side), side);
    }
    read.kind = LabelKind::mask;
    read.mask = Mask{std::vector<Polygon>{std::move(outline)}};
    read.box_xywh_px = mask_box(*read.mask);
    return !fault_of(read);
  }

  void add_names(const Label& label, ControlIndex index, JsonWriter& json) {
    const std::string_view stated_id = source_field(label.source_json, "id");
    if (is_text(stated_id) && used_ids_.emplace(stated_id).second) {
      json.key("id").raw(stated_id);
    } else {
      losses_.add(kLabelIds, stated_id.empty() ? 0 : 1);
      std::string id;
      do {
        id = fmt::format("\"v{}\"", next_id_++);
      } while (stated_ids_.contains(id));
      json.key("id").raw(id);
    }
    const Control& control = kControls[index];
    const std::string_view from = source_field(label.source_json, "from_name");
    const std::string_view to = source_field(label.source_json, "to_name");
    const std::string object = is_text(to) ? text_of(to) : "image";
    std::string name = is_text(from) ? text_of(from) : std::string(control.name);
    auto at = controls_.emplace(name, std::pair(std::size_t{index}, object)).first;
    if (at->second.first != index) {
      name = fmt::format("{}_{}", control.name, name);  // the control makes regions of another kind
      controls_.emplace(name, std::pair(std::size_t{index}, object));
    }
    objects_.insert(object);
    json.field("type", control.type).field("from_name", name).field("to_name", object);
  }

  static void add_meta_of_region(const ExportLabel& exported, JsonWriter& json) {
    const std::string_view rest = source_field(exported.label.source_json, "meta");
    std::string meta;
    JsonWriter inner(meta);
    inner.begin_object();
    std::vector<std::string_view> ours;
    if (!exported.tags.empty()) {
      add_texts(inner, "tags", exported.tags);
      ours.push_back("tags");
    }
    if (!exported.label.attributes_json.empty()) {
      inner.key("attributes").raw(exported.label.attributes_json);
      ours.push_back("attributes");
    }
    if (!ours.empty()) {
      add_source_fields(meta, rest, ours);
      inner.end_object();
      json.key("meta").raw(meta);
    } else if (!rest.empty()) {
      json.key("meta").raw(rest);
    }
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<bool> is_used_;
  LossCounts losses_;
  WriteReport report_;
  std::unordered_set<std::string> task_ids_;
  std::unordered_set<std::string> stated_ids_;  // of the image that is written
  std::unordered_set<std::string> used_ids_;    // likewise
  std::int64_t next_id_ = 1;
  std::string image_key_ = "image";
  std::set<std::string> objects_;
  std::map<std::string, std::pair<std::size_t, std::string>> controls_;  // by name: the kind, and the object that it is about
};

fs::path interface_beside(const fs::path& path) {
  return fs::path(path).replace_extension(".config.xml");
}

}  // namespace

std::vector<Loss> losses_of_label_studio(ExportSource& source, const WriteOptions& options) {
  return LabelStudioWriter(source, options).losses();
}

void check_label_studio(const fs::path& path, const WriteOptions& options) {
  check_export_file(path, options, "a Label Studio export", ".json");
  const fs::path interface = interface_beside(path);
  if (!may_hold_interface(interface)) {
    throw Error(
        ErrorCode::conflict,
        "there is a file that is no labelling interface, and it would be lost to the one of this export; choose another name, "
        "or remove it",
        {{"path", printable(interface.native())}});
  }
}

WriteReport write_label_studio(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  check_label_studio(path, options);
  WriteReport report;
  LabelStudioWriter writer(source, options);
  replace_file(path, [&](int descriptor) {
    report = writer.write(descriptor, path);
    replace_file(interface_beside(path), writer.interface());
  });
  return report;
}

}  // namespace verilabel
