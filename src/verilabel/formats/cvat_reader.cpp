#include <algorithm>
#include <cassert>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/cvat.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/number_text.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/xml_json.h"
#include "verilabel/formats/xml_label.h"
#include "verilabel/formats/xml_stream.h"
#include "verilabel/formats/zip_archive.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kImageBatch = 256;
constexpr std::size_t kLabelBatch = 1024;
constexpr std::size_t kMaxMetaJsonBytes = std::size_t{4} << 20;
constexpr std::string_view kAnnotations = "annotations.xml";

/// What can stand inside an image and be a label, and the attributes that are its geometry.
struct ShapeKind {
  std::string_view name;
  std::vector<std::string_view> geometry;
  std::string_view refusal;  ///< why labels cannot hold it; empty for what they can
};

const ShapeKind* shape_kind(std::string_view name) {
  static const ShapeKind kinds[] = {
      {"box", {"xtl", "ytl", "xbr", "ybr", "rotation"}, ""},
      {"polygon", {"points"}, ""},
      {"mask", {"rle", "left", "top", "width", "height"}, ""},
      {"tag", {}, ""},
      {"polyline", {}, "a line has no inside, and labels are boxes, masks and classifications"},
      {"points", {}, "points have no extent, and labels are boxes, masks and classifications"},
      {"cuboid", {}, "a cuboid is no flat outline, and labels are boxes, masks and classifications"},
      {"ellipse", {}, "an outline of straight lines would not be the ellipse; convert it to a polygon or a mask in CVAT"},
      {"skeleton", {}, "a skeleton is made of points, and labels are boxes, masks and classifications"},
  };
  const auto* const at = std::find_if(std::begin(kinds), std::end(kinds), [&](const ShapeKind& kind) { return kind.name == name; });
  return at == std::end(kinds) ? nullptr : at;
}

enum class InputType : std::uint8_t { text, checkbox, number };

/// An image, between reading it and knowing which one it is.
struct Document {
  SourceImage image;
  XmlElement element;
  std::int64_t index = 0;  ///< among the images of the file
  bool is_duplicate = false;
};

using NamedTexts = std::vector<std::pair<std::string_view, std::string_view>>;

std::string source_json_of(std::string_view id, const NamedTexts& kept) {
  std::string out;
  if (id.empty() && kept.empty()) {
    return out;
  }
  JsonWriter json(out);
  json.begin_object();
  if (!id.empty()) {
    json.key("id").raw(id);
  }
  if (!kept.empty()) {
    json.key("cvat").begin_object();
    for (const auto& [name, value] : kept) {
      json.field(name, value);
    }
    json.end_object();
  }
  json.end_object();
  return out;
}

std::string_view required(const XmlElement& element, std::string_view name) {
  const std::optional<std::string_view> value = attribute_of(element, name);
  if (!value) {
    throw XmlFault{RejectionReason::missing_field, std::string(name), "the attribute is missing"};
  }
  return *value;
}

std::uint32_t required_pixels(const XmlElement& element, std::string_view name) {
  const std::string_view text = required(element, name);
  const double value = xml_number(text, name);
  if (value < 0 || value > 4294967295.0 || value != static_cast<double>(static_cast<std::uint32_t>(value))) {
    throw XmlFault{RejectionReason::out_of_range, std::string(name), fmt::format("`{}` is not a place in pixels", shown_xml(text))};
  }
  return static_cast<std::uint32_t>(value);
}

/// Calls `take(part)` for each part between separators; an empty part at the end is none.
template <typename Take>
void for_each_part(std::string_view text, char separator, Take&& take) {
  text = trimmed_xml(text);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Polygon polygon_of(const XmlElement& element) {
  Polygon polygon;
  for_each_part(required(element, "points"), ';', [&](std::string_view point) {
    const std::size_t comma = point.find(',');
    if (comma == std::string_view::npos) {
      throw XmlFault{RejectionReason::malformed, "points", fmt::format("`{}` is no point x,y", shown_xml(point))};
    }
    polygon.push_back(xml_number(point.substr(0, comma), "points"));
    polygon.push_back(xml_number(point.substr(comma + 1), "points"));
  });
  if (polygon.size() < 6) {
    throw XmlFault{RejectionReason::malformed, "points",
                   fmt::format("an outline has at least three points; this has {}", polygon.size() / 2)};
  }
  return polygon;
}

Box box_of(const XmlElement& element) {
  if (const auto rotation = attribute_of(element, "rotation"); rotation && xml_number(*rotation, "rotation") != 0) {
    throw XmlFault{
        RejectionReason::malformed, "rotation",
        fmt::format("the box is rotated by {}°, and labels have no angle; convert it to a polygon in CVAT", shown_xml(*rotation))};
  }
  static constexpr std::string_view kCorners[] = {"xtl", "ytl", "xbr", "ybr"};
  for (const std::string_view corner : kCorners) {
    xml_number(required(element, corner), corner);
  }
  return box_between(required(element, "xtl"), required(element, "ytl"), required(element, "xbr"), required(element, "ybr"), "");
}

Mask mask_of(const XmlElement& element, const std::optional<std::pair<std::uint32_t, std::uint32_t>>& size_wh) {
  CvatMask mask{required_pixels(element, "left"),
                required_pixels(element, "top"),
                required_pixels(element, "width"),
                required_pixels(element, "height"),
                {}};
  for_each_part(required(element, "rle"), ',', [&](std::string_view run) {
    const double count = xml_number(run, "rle");
    if (count < 0 || count > 4294967295.0 || count != static_cast<double>(static_cast<std::uint32_t>(count))) {
      throw XmlFault{RejectionReason::out_of_range, "rle", fmt::format("`{}` is not a length of a run", shown_xml(run))};
    }
    mask.counts.push_back(static_cast<std::uint32_t>(count));
  });
  if (!size_wh) {
    throw XmlFault{RejectionReason::image_size_unknown, "",
                   "the mask is told in pixels of an image whose size is not known: import the image first"};
  }
  try {
    return Mask{rle_from_cvat(mask, size_wh->second, size_wh->first)};
  } catch (const Error& error) {
    const bool is_large = std::uint64_t{mask.width} * mask.height > kMaxCvatMaskPixels;
    throw XmlFault{is_large ? RejectionReason::too_large : RejectionReason::malformed, "rle", error.message()};
  }
}

class CvatReader {
 public:
  CvatReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : options_(options), sink_(sink), path_(fs::absolute(path).lexically_normal()) {
    if (!path_.has_filename()) {
      path_ = path_.parent_path();
    }
  }

  ReadCounts read() {
    open();
    const XmlElement& root = stream_->root();
    if (root.name != "annotations") {
      throw fault(root.line, fmt::format("the file begins with <{}>, and CVAT files begin with <annotations>{}",
                                         shown_xml(root.name), root.name == "annotation" ? "; this may be Pascal VOC" : ""));
    }
    while (std::optional<XmlElement> element = stream_->next()) {
      take(std::move(*element));
    }
    announce();
    hand_over();
    if (!options_.split.empty() && counts_.images == 0 && !splits_.contains(options_.split)) {
      throw Error(ErrorCode::wrong_use,
                  splits_.empty() ? fmt::format("there is no split `{}`: no image has a subset", options_.split)
                                  : fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(splits_, ", ")),
                  {{"file", file_}});
    }
    if (!dataset_json_.empty()) {
      sink_.on_dataset_json(std::move(dataset_json_));
    }
    report_bytes_read(options_, file_, stream_->bytes_consumed(), total_bytes_);
    return counts_;
  }

 private:
  void open() {
    if (!fs::exists(path_)) {
      throw Error(ErrorCode::not_found,
                  "there is no such file or folder; name an .xml file, a .zip or a folder with annotations.xml",
                  {{"path", path_.native()}});
    }
    fs::path file = path_;
    if (fs::is_directory(file)) {
      file /= kAnnotations;
      if (!fs::is_regular_file(file)) {
        throw Error(ErrorCode::not_found, "the folder has no annotations.xml, which is what CVAT calls its labels",
                    {{"path", path_.native()}});
      }
    }
    file_ = file.native();
    if (has_extension(file, ".zip")) {
      open_zip(file);
    } else if (has_extension(file, ".xml")) {
      images_ = file.parent_path();
      has_images_folder_ = fs::is_directory(images_ / "images");
      total_bytes_ = fs::file_size(file);
      stream_ = std::make_unique<XmlStream>(file);
    } else {
      throw Error(ErrorCode::wrong_use,
                  "CVAT labels are an .xml file, a .zip or a folder with annotations.xml, and this is neither",
                  {{"path", path_.native()}});
    }
  }

  /// The one annotations.xml, at the top or in the only folder that has one.
  void open_zip(const fs::path& file) {
    const ZipArchive archive(file);
    std::vector<std::size_t> found;
    std::optional<std::size_t> at_top;
    for (std::size_t index = 0; index < archive.names().size(); ++index) {
      const std::string& name = archive.names()[index];
      if (!is_safe_entry_name(name)) {
        reject(RejectedKind::field, {}, printable(name), {},
               {RejectionReason::malformed, "", "the name leads outside the archive; nothing is unpacked, and it is not read"});
      } else if (name == kAnnotations) {
        at_top = at_top.value_or(index);
      } else if (name.ends_with("/" + std::string(kAnnotations))) {
        found.push_back(index);
      }
    }
    if (at_top) {
      found = {*at_top};
    }
    if (found.size() != 1) {
      throw Error(ErrorCode::bad_data,
                  found.empty() ? "the archive has no annotations.xml, which is what CVAT calls its labels"
                                : "the archive has several annotations.xml and none at its top; unpack it and name one",
                  {{"file", file_}});
    }
    total_bytes_ = archive.size(found.front());
    file_ += "/" + archive.names()[found.front()];
    stream_ = std::make_unique<XmlStream>(archive.open(found.front()), printable(file_));
  }

  Error fault(std::uint64_t line, std::string message, ErrorCode code = ErrorCode::bad_data) const {
    return {code, std::move(message), {{"file", printable(file_)}, {"line", std::to_string(line)}}};
  }

  void take(XmlElement element) {
    if (element.name == "image") {
      take_image(std::move(element));
    } else if (element.name == "meta") {
      take_meta(element);
    } else if (element.name == "version") {
      if (trimmed_xml(element.text) != "1.1") {
        throw fault(element.line,
                    fmt::format("this is version {} of CVAT's format; export as `CVAT for images 1.1`", shown_xml(element.text)),
                    ErrorCode::unsupported);
      }
    } else if (element.name == "track") {
      throw fault(element.line,
                  "the file has tracks: this is a video task, and labels are of single images; export it from CVAT as "
                  "`CVAT for images 1.1`",
                  ErrorCode::unsupported);
    } else {
      reject(RejectedKind::field, element.line, element.name, {},
             {RejectionReason::malformed, "", "CVAT's files have no such element; it is not kept"});
    }
  }

  /// The classes, and the rest of what the file says about itself.
  void take_meta(XmlElement& meta) {
    if (std::exchange(has_meta_, true)) {
      reject(RejectedKind::field, meta.line, "meta", {},
             {RejectionReason::malformed, "", "the element stands twice; the first is taken"});
      return;
    }
    if (meta.is_too_large) {
      throw fault(meta.line, "<meta> is larger than 64 MB, which no labels file needs");
    }
    take_labels(meta);
    std::string json;
    JsonWriter writer(json);
    writer.begin_object().key("cvat").begin_array();
    for (const XmlElement& child : meta.children) {
      append_xml_json(writer, child);
    }
    writer.end_array().end_object();
    if (json.size() > kMaxMetaJsonBytes) {
      reject(
          RejectedKind::field, meta.line, "meta", {},
          {RejectionReason::too_large, "", "what the file says about its task is larger than 4 MB and is not kept for an export"});
    } else if (!meta.children.empty()) {
      dataset_json_ = std::move(json);
    }
  }

  /// Takes the lists of labels out, at whatever depth: a task, a job and a project have them in different places.
  void take_labels(XmlElement& element) {
    for (const XmlElement& child : element.children) {
      if (child.name == "labels") {
        for (const XmlElement& label : child.children) {
          try {
            take_label(label);
          } catch (const XmlFault& fault) {
            reject(RejectedKind::label_class, label.line, "meta.labels.label", {}, fault);
          }
        }
      }
    }
    std::erase_if(element.children, [](const XmlElement& child) { return child.name == "labels"; });
    for (XmlElement& child : element.children) {
      take_labels(child);
    }
  }

  void take_label(const XmlElement& label) {
    const XmlElement* const name = single_child(label, "name");
    if (label.name != "label" || name == nullptr || trimmed_xml(name->text).empty()) {
      throw XmlFault{RejectionReason::missing_field, "name", "a label of the task has no name"};
    }
    const std::string class_name = name->text;
    if (child_of(label, "parent") != nullptr) {
      return;  // a point of a skeleton, which is rejected where it stands in an image
    }
    if (class_index_.contains(class_name)) {
      reject(RejectedKind::field, label.line, "meta.labels.label.name", {},
             {RejectionReason::duplicate_name, "", fmt::format("two labels have the name `{}`; they become one", class_name)});
      return;
    }
    std::string source_json;
    JsonWriter json(source_json);
    json.begin_object().key("cvat").begin_array();
    bool has_more = false;
    for (const XmlElement& child : label.children) {
      if (child.name == "attributes") {
        take_types(class_name, child);
      }
      if (child.name != "name") {
        append_xml_json(json, child);
        has_more = true;
      }
    }
    json.end_array().end_object();
    class_of(class_name, has_more ? std::move(source_json) : std::string(kOnlyListed));
  }

  void take_types(const std::string& class_name, const XmlElement& attributes) {
    for (const XmlElement& attribute : attributes.children) {
      try {
        const XmlElement* const name = single_child(attribute, "name");
        const XmlElement* const type = single_child(attribute, "input_type");
        if (name != nullptr && type != nullptr) {
          const std::string_view text = trimmed_xml(type->text);
          const InputType input = text == "checkbox" ? InputType::checkbox : text == "number" ? InputType::number : InputType::text;
          if (!types_[class_name].try_emplace(name->text, input).second) {
            throw XmlFault{
                RejectionReason::duplicate_name, "name",
                fmt::format("the label has two attributes called `{}`; the type of the first is taken", shown_xml(name->text))};
          }
        }
      } catch (const XmlFault& fault) {
        reject(RejectedKind::field, attribute.line, "meta.labels.label.attributes.attribute", {}, fault);
      }
    }
  }

  void take_image(XmlElement element) {
    Document document;
    document.index = next_image_++;
    SourceImage& image = document.image;
    const std::string place = fmt::format("image[{}]", document.index);
    const auto name = attribute_of(element, "name");
    if (element.is_too_large || !name || name->empty()) {
      reject(RejectedKind::image, element.line, place, std::string(name.value_or("")),
             element.is_too_large ? XmlFault{RejectionReason::too_large, "", "the image has more than 64 MB of labels"}
                                  : XmlFault{RejectionReason::missing_field, "name", "the image has no name"});
      for (const XmlElement& shape : element.children) {
        reject(RejectedKind::label, shape.line, fmt::format("{}.{}", place, shown_xml(shape.name)), {},
               {RejectionReason::unknown_image, "", "the image has no name"});
      }
      return;
    }
    image.name = *name;
    image.is_only = true;
    image.split = attribute_of(element, "subset").value_or("");
    splits_.insert(image.split);
    splits_.erase("");
    if (!options_.split.empty() && image.split != options_.split) {
      return;
    }
    describe(element, place, image);
    find_file(image);
    document.element = std::move(element);
    shapes_waiting_ += document.element.children.size();
    batch_.push_back(std::move(document));
    if (batch_.size() == kImageBatch || shapes_waiting_ > kLabelBatch) {
      announce();
    }
  }

  /// Size, id and the attributes that we do not know.
  void describe(const XmlElement& element, const std::string& place, SourceImage& image) {
    NamedTexts kept;
    for (const auto& [name, value] : element.attributes) {
      if (name == "width" || name == "height") {
        std::optional<std::int32_t>& pixels = name == "width" ? image.width : image.height;
        pixels = xml_pixels(value);
        if (!pixels) {
          reject(RejectedKind::field, element.line, place, image.name,
                 {RejectionReason::malformed, name,
                  fmt::format("`{}` is not a size in pixels; the size is taken from the image", shown_xml(value))});
        }
      } else if (name == "id") {
        image.source_id = is_json_number(value) && !read_number(value).is_too_large ? value : std::string();
        if (image.source_id.empty()) {
          JsonWriter(image.source_id).value(value);
        }
      } else if (name != "name" && name != "subset") {
        kept.emplace_back(name, value);
      }
    }
    image.source_json = source_json_of(image.source_id, kept);
  }

  /// Where an unpacked archive has its images.
  void find_file(SourceImage& image) const {
    image.form = is_image_name(image.name) ? NameForm::whole : NameForm::whole_or_stem;
    if (images_.empty() || !stays_inside(image.name) || !(image.split.empty() || stays_inside(image.split))) {
      return;
    }
    // Asking the system is what takes the time of a large file: not where there is nothing.
    std::vector<fs::path> folders = {images_};
    if (has_images_folder_) {
      folders.insert(folders.begin(), images_ / "images");
      if (!image.split.empty()) {
        folders.insert(folders.begin(), images_ / "images" / image.split);
      }
    }
    for (const fs::path& folder : folders) {
      std::error_code ignored;
      if (fs::is_regular_file(folder / image.name, ignored)) {
        image.path = (folder / image.name).lexically_normal().native();
        image.form = NameForm::whole;
        return;
      }
    }
  }

  void announce() {
    report_bytes_read(options_, file_, stream_->bytes_consumed(), total_bytes_);
    std::vector<SourceImage> images;
    for (Document& document : batch_) {
      document.is_duplicate = !seen_names_.insert(document.image.name).second;
      if (document.is_duplicate) {
        reject(RejectedKind::image, document.element.line, fmt::format("image[{}]", document.index), document.image.name,
               {RejectionReason::duplicate_name, "name",
                "another image has this name, perhaps in another task of the project; export the tasks one by one"});
      } else {
        images.push_back(document.image);
      }
    }
    const std::vector<ResolvedImage> resolved = images.empty() ? std::vector<ResolvedImage>() : sink_.on_images(std::move(images));
    std::size_t next = 0;
    for (const Document& document : batch_) {
      std::optional<XmlFault> fault;
      std::optional<std::pair<std::uint32_t, std::uint32_t>> size_wh;
      if (document.is_duplicate) {
        fault = {RejectionReason::duplicate_name, "", "another image has the name of this one"};
      } else {
        assert(next < resolved.size());
        const ResolvedImage& answer = resolved[next++];
        if (answer.resolution == Resolution::ambiguous) {
          fault = {RejectionReason::ambiguous_image, "", "the name of the image fits several images of the project"};
        } else if (answer.resolution == Resolution::unknown) {
          fault = {RejectionReason::unknown_image, "", "the project has no such image"};
        } else if (answer.resolution == Resolution::duplicate) {
          fault = {RejectionReason::duplicate_name, "", "another image of the file is the same image of the project"};
        }
        // Masks are told in pixels of the size that the file states.
        const auto width = document.image.width ? document.image.width : answer.width;
        const auto height = document.image.height ? document.image.height : answer.height;
        if (width && height) {
          size_wh.emplace(static_cast<std::uint32_t>(*width), static_cast<std::uint32_t>(*height));
        }
      }
      read_shapes(document, size_wh, fault);
      if (!document.is_duplicate) {
        ++counts_.images;
        ++counts_.images_labelled;
      }
    }
    batch_.clear();
    shapes_waiting_ = 0;
  }

  void read_shapes(const Document& document, const std::optional<std::pair<std::uint32_t, std::uint32_t>>& size_wh,
                   const std::optional<XmlFault>& image_fault) {
    std::map<std::string_view, int> numbers;
    for (const XmlElement& element : document.element.children) {
      const std::string place = fmt::format("image[{}].{}[{}]", document.index, shown_xml(element.name), numbers[element.name]++);
      const ShapeKind* const kind = shape_kind(element.name);
      if (kind == nullptr) {
        reject(RejectedKind::field, element.line, place, document.image.name,
               {RejectionReason::malformed, "", "CVAT's images have no such element; it is not kept"});
        continue;
      }
      try {
        if (!kind->refusal.empty()) {
          throw XmlFault{RejectionReason::malformed, "", std::string(kind->refusal)};
        }
        ImportedLabel imported;
        imported.label = label_of(element, *kind, size_wh, document, place);
        if (image_fault) {
          throw XmlFault(*image_fault);
        }
        imported.image = counts_.images;
        imported.class_index = class_of(std::string(required(element, "label")), {});
        labels_.push_back(std::move(imported));
      } catch (const XmlFault& fault) {
        reject(RejectedKind::label, element.line, place, document.image.name, fault);
      }
    }
    if (labels_.size() >= kLabelBatch) {
      hand_over();
    }
  }

  Label label_of(const XmlElement& element, const ShapeKind& kind,
                 const std::optional<std::pair<std::uint32_t, std::uint32_t>>& size_wh, const Document& document,
                 const std::string& place) {
    const std::string class_name(required(element, "label"));
    if (trimmed_xml(class_name).empty()) {
      throw XmlFault{RejectionReason::missing_field, "label", "the label has no name"};
    }
    Label label;
    if (kind.name == "box") {
      label.box_xywh_px = box_of(element);
    } else if (kind.name == "tag") {
      label.kind = LabelKind::classification;
    } else {
      label.kind = LabelKind::mask;
      label.mask = kind.name == "polygon" ? Mask{std::vector<Polygon>{polygon_of(element)}} : mask_of(element, size_wh);
      label.box_xywh_px = mask_box(*label.mask);
    }
    AttributeObject attributes;
    NamedTexts kept;
    for (const auto& [name, value] : element.attributes) {
      const bool is_geometry = std::find(kind.geometry.begin(), kind.geometry.end(), name) != kind.geometry.end();
      const bool is_default = name == "occluded" && (value == "0" || value.empty());
      if (name == "occluded" && value == "1") {
        attributes.add_json("occluded", "true");
      } else if (!is_geometry && !is_default && name != "label") {
        kept.emplace_back(name, value);
      }
    }
    read_attributes(element, class_name, attributes, document, place);
    label.attributes_json = attributes.take();
    label.source_json = source_json_of({}, kept);
    if (const std::optional<std::string> wrong = fault_of(label)) {
      throw XmlFault{RejectionReason::malformed, "", *wrong};
    }
    return label;
  }

  void read_attributes(const XmlElement& element, const std::string& class_name, AttributeObject& attributes,
                       const Document& document, const std::string& place) {
    for (const XmlElement& child : element.children) {
      const auto name = attribute_of(child, "name");
      std::optional<XmlFault> fault;
      if (child.name != "attribute" || !name || name->empty()) {
        fault = {RejectionReason::malformed, shown_xml(child.name), "a label has <attribute name=\"…\"> only; this is not kept"};
      } else if (!add_attribute(class_name, std::string(*name), child.text, attributes)) {
        fault = {RejectionReason::duplicate_name, "attribute",
                 fmt::format("the attribute `{}` stands twice; the first is kept", shown_xml(*name))};
      }
      if (fault) {
        reject(RejectedKind::field, child.line, place, document.image.name, *fault);
      }
    }
  }

  /// As the task types it, where the value fits its type; as text otherwise, so that nothing is lost.
  bool add_attribute(const std::string& class_name, const std::string& name, std::string_view value, AttributeObject& attributes) {
    InputType type = InputType::text;
    if (const auto of_class = types_.find(class_name); of_class != types_.end()) {
      const auto at = of_class->second.find(name);
      type = at == of_class->second.end() ? type : at->second;
    }
    const std::string_view text = trimmed_xml(value);
    if (type == InputType::checkbox && (text == "true" || text == "True" || text == "false" || text == "False")) {
      return attributes.add_json(name, text == "true" || text == "True" ? "true" : "false");
    }
    if (type == InputType::number && is_json_number(text) && !read_number(text).is_too_large) {
      return attributes.add_json(name, text);
    }
    return attributes.add_text(name, value);
  }

  std::int32_t class_of(const std::string& name, std::string source_json) {
    const auto [at, is_new] = class_index_.try_emplace(name, static_cast<std::int32_t>(counts_.classes));
    if (is_new) {
      ++counts_.classes;
      sink_.on_classes({{name, {}, std::move(source_json)}});
    }
    return at->second;
  }

  void hand_over() {
    if (!labels_.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels_.size());
      sink_.on_labels(std::exchange(labels_, {}));
    }
  }

  void reject(RejectedKind kind, std::optional<std::uint64_t> line, const std::string& place, const std::string& image,
              const XmlFault& fault) {
    (kind == RejectedKind::label   ? counts_.labels_rejected
     : kind == RejectedKind::image ? counts_.images_rejected
                                   : counts_.others_rejected) += 1;
    sink_.on_rejected({.kind = kind,
                       .reason = fault.reason,
                       .file = file_,
                       .line = line,
                       .byte_offset = {},
                       .field = fault.field.empty() ? place : fmt::format("{}.{}", place, fault.field),
                       .image = image,
                       .message = fault.message});
  }

  const ReadOptions& options_;
  ImportSink& sink_;
  fs::path path_;
  std::string file_;  ///< as in rejections
  fs::path images_;   ///< the folder in which images may lie; empty for an archive
  bool has_images_folder_ = false;
  std::unique_ptr<XmlStream> stream_;
  std::uint64_t total_bytes_ = 0;
  std::int64_t next_image_ = 0;
  bool has_meta_ = false;
  std::string dataset_json_;
  std::unordered_map<std::string, std::int32_t> class_index_;
  std::unordered_map<std::string, std::unordered_map<std::string, InputType>> types_;
  std::set<std::string> splits_;
  std::unordered_set<std::string> seen_names_;
  std::vector<Document> batch_;
  std::size_t shapes_waiting_ = 0;
  std::vector<ImportedLabel> labels_;
  ReadCounts counts_;
};

}  // namespace

ReadCounts read_cvat(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return CvatReader(path, options, sink).read();
}

}  // namespace verilabel
