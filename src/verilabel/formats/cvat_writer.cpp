#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/cvat.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/source_fields.h"
#include "verilabel/formats/xml_json.h"
#include "verilabel/formats/xml_label.h"
#include "verilabel/formats/xml_writer.h"
#include "verilabel/formats/zip_archive.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;

constexpr std::string_view kEmptyMasks = "labels whose mask has no pixels are left out";
constexpr std::string_view kLargeMasks = "labels whose mask spans more than 2^28 pixels are left out";
constexpr std::string_view kOtherGrid = "labels whose run lengths are not of their image's size are left out";
constexpr std::string_view kSizeUnknown = "labels whose mask needs the size of their image, which is not known, are left out";
constexpr std::string_view kNoArea = "labels whose box has no width or no height, which CVAT does not draw, are left out";
constexpr std::string_view kParts = "masks of several outlines become the pixels inside them: CVAT's polygons are single outlines";
constexpr std::string_view kBoxesOfMasks = "masks lose the box that was stated for them: CVAT takes the box around the mask";
constexpr std::string_view kImageIds = "images get a new id, because theirs is not a number or occurs twice";
constexpr std::string_view kClassFields = "classes lose the id and the fields of the file they came from";
constexpr std::string_view kBlankClasses = "labels of a class without a name are left out";
constexpr std::string_view kBlankAttributes = "attributes without a name are left out";
constexpr std::string_view kValuesAsText =
    "attributes become text, because the same attribute of the class has values of several kinds, or lists and objects";
constexpr std::string_view kTypes = "attributes of classes lose the type that CVAT gave them, because their values are of another";
constexpr std::string_view kTexts =
    "texts with characters that XML cannot hold (control characters, bytes that are not UTF-8) have them written as \\xNN";

constexpr std::string_view kNames =
    "images whose names XML cannot hold (control characters, bytes that are not UTF-8) are left out with their labels";

constexpr std::string_view kOwn[] = {"cvat"};
constexpr std::string_view kOwnOfImages[] = {"cvat", "id"};

/// The format's holds, for something that may have fields of another format.
FormatHolds holds_beside(const FormatHolds& holds, std::string_view source_json, std::span<const std::string_view> own = kOwn) {
  FormatHolds result = holds;
  result.ids_and_unknown_fields = !has_fields_beside(source_json, own);
  return result;
}

/// Kinds of values that an attribute of a class has in this export.
struct ValueKinds {
  bool has_boolean = false;
  bool has_number = false;
  bool has_text = false;
  bool has_other = false;

  void add(LabelAttribute::Kind kind) {
    has_boolean |= kind == LabelAttribute::Kind::boolean;
    has_number |= kind == LabelAttribute::Kind::number;
    has_text |= kind == LabelAttribute::Kind::text;
    has_other |= kind == LabelAttribute::Kind::other;
  }
  bool has_any() const { return has_boolean || has_number || has_text || has_other; }
  /// CVAT's type that keeps them, `text` when none does.
  std::string_view input_type() const {
    if (has_boolean && !has_number && !has_text && !has_other) {
      return "checkbox";
    }
    return has_number && !has_boolean && !has_text && !has_other ? "number" : "text";
  }
  /// Whether values stay what they are under a type that the file already had.
  bool fit(std::string_view type) const {
    return !has_any() || type == input_type() || ((type == "select" || type == "radio") && input_type() == "text");
  }
};

/// An attribute of a class as the list of labels has it.
struct AttributeType {
  std::string name;
  ValueKinds kinds;
  std::optional<XmlElement> kept;  ///< as it was imported
};

class ClassAttributes {
 public:
  AttributeType& operator[](std::string_view name) {
    const auto [at, is_new] = places_.try_emplace(std::string(name), list_.size());
    if (is_new) {
      list_.push_back({std::string(name), {}, {}});
    }
    return list_[at->second];
  }
  std::vector<AttributeType>& list() { return list_; }

 private:
  std::vector<AttributeType> list_;
  std::unordered_map<std::string, std::size_t> places_;
};

std::string text_of_child(const XmlElement& element, std::string_view name) {
  const XmlElement* const child = child_of(element, name);
  return child == nullptr ? std::string() : child->text;
}

/// Whether the attribute is the one that a shape has a place of its own for.
bool is_occlusion(const LabelAttribute& attribute, const Label& label) {
  return label.kind != LabelKind::classification && attribute.name == "occluded" &&
         attribute.kind == LabelAttribute::Kind::boolean && attribute.value == "true";
}

/// What becomes of a label: the element and its geometry.
struct Shape {
  std::string_view element;
  std::vector<std::pair<std::string_view, std::string>> geometry;
};

class CvatWriter {
 public:
  CvatWriter(ExportSource& source, const WriteOptions& options)
      : source_(source),
        options_(options),
        holds_(format("cvat").holds),
        classes_(source.classes()),
        attributes_(classes_.size()) {}

  std::vector<Loss> losses() {
    plan();
    std::string text;
    append_all(text, [&] { text.clear(); });
    return losses_.list();
  }

  WriteReport write(int descriptor, const fs::path& path) {
    plan();
    std::string text;
    const auto flush = [&] {
      if (text.size() >= kWriteBytes) {
        write_all(descriptor, std::as_bytes(std::span(text)), path);
        text.clear();
      }
    };
    append_all(text, flush);
    write_all(descriptor, std::as_bytes(std::span(text)), path);
    report_.losses = losses_.list();
    return std::move(report_);
  }

  /// The images that belong into the archive, after `write`.
  const std::vector<NewZipEntry>& image_entries() const { return entries_; }

 private:
  /// Ids, the types of attributes, and what is lost with the dataset, its classes and its images.
  void plan() {
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      losses_.add(kTexts, is_xml_text(classes_[i].name) ? 0 : 1);
      losses_.add(kClassFields, has_fields_beside(classes_[i].source_json, kOwn) ? 1 : 0);
      for (const XmlElement& child : xml_elements_of(classes_[i].source_json, "cvat")) {
        for (const XmlElement& attribute : child.name == "attributes" ? child.children : std::vector<XmlElement>()) {
          if (const std::string name = text_of_child(attribute, "name"); !name.empty()) {
            attributes_[i][name].kept = attribute;
          }
        }
      }
    }
    std::unordered_map<std::string, std::string> taken;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      ids_.emplace_back();
      if (is_left_out(image, options_)) {
        continue;
      }
      if (!is_xml_text(image.name)) {
        losses_.add(kNames);
        continue;
      }
      plan_id(image);
      losses_.add(kTexts, is_xml_text(image.split) ? 0 : 1);
      count_image_losses(holds_beside(holds_, image.source_json, kOwnOfImages), image, options_, losses_);
      if (options_.images == ImageTransfer::copy) {
        if (const auto [at, is_new] = taken.emplace(entry_name(image), image.name); !is_new) {
          throw Error(ErrorCode::wrong_use,
                      fmt::format("the images `{}` and `{}` would have one place in the archive; leave one of them out",
                                  printable(at->second), printable(image.name)),
                      {{"entry", printable(at->first)}});
        }
      }
      for (const ExportLabel& exported :
           image.state == SampleState::labelled ? source_.labels(index) : std::vector<ExportLabel>()) {
        for (const LabelAttribute& attribute : label_attributes(exported.label.attributes_json)) {
          if (!is_occlusion(attribute, exported.label) && !attribute.name.empty()) {
            attributes_[static_cast<std::size_t>(exported.class_index)][attribute.name].kinds.add(attribute.kind);
          }
        }
      }
    }
    count_dataset_losses(holds_beside(holds_, source_.dataset_json()), source_, losses_);
    for (ClassAttributes& of_class : attributes_) {
      for (AttributeType& attribute : of_class.list()) {
        losses_.add(kTexts, is_xml_text(attribute.name) ? 0 : 1);
        if (attribute.kept && !attribute.kinds.fit(text_of_child(*attribute.kept, "input_type"))) {
          losses_.add(kTypes);
          attribute.kept.reset();
        }
      }
    }
    for (std::optional<std::int64_t>& id : ids_) {
      if (!id) {
        id = next_id_++;
      }
    }
  }

  void plan_id(const ExportImage& image) {
    const std::vector<SourceField> fields = source_fields(image.source_json);
    const std::optional<std::int64_t> id = integer_id(fields);
    if (id && *id >= 0 && *id < INT64_MAX && taken_ids_.insert(*id).second) {
      ids_.back() = id;
      next_id_ = std::max(next_id_, *id + 1);
      return;
    }
    losses_.add(kImageIds,
                std::any_of(fields.begin(), fields.end(), [](const SourceField& field) { return field.key == "id"; }) ? 1 : 0);
  }

  static std::string entry_name(const ExportImage& image) { return "images/" + printable(safe_relative_name(image).native()); }

  template <typename Flush>
  void append_all(std::string& out, Flush&& flush) {
    out += "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
    XmlWriter xml(out);
    xml.open("annotations").element("version", "1.1");
    append_meta(xml);
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      append_image(xml, index);
      flush();
    }
    xml.close();
    report_image(options_, "writing", count, count);
  }

  void append_meta(XmlWriter& xml) {
    const std::vector<XmlElement> kept = xml_elements_of(source_.dataset_json(), "cvat");
    const auto takes_labels = [](const XmlElement& element) {
      return element.name == "task" || element.name == "job" || element.name == "project";
    };
    const auto place = std::find_if(kept.begin(), kept.end(), takes_labels);
    xml.open("meta");
    if (place == kept.end()) {
      xml.open("task");
      append_classes(xml);
      xml.close();
    }
    for (auto at = kept.begin(); at != kept.end(); ++at) {
      if (at != place) {
        xml.element(*at);
        continue;
      }
      xml.open(at->name);
      for (const XmlElement& child : at->children) {
        xml.element(child);
      }
      append_classes(xml);
      xml.close();
    }
    xml.close();
  }

  void append_classes(XmlWriter& xml) {
    xml.open("labels");
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      xml.open("label").element("name", classes_[i].name);
      for (const XmlElement& child : xml_elements_of(classes_[i].source_json, "cvat")) {
        if (child.name != "attributes" && child.name != "name") {
          xml.element(child);
        }
      }
      xml.open("attributes");
      for (const AttributeType& attribute : attributes_[i].list()) {
        if (attribute.kept) {
          xml.element(*attribute.kept);
          continue;
        }
        const std::string_view type = attribute.kinds.input_type();
        const std::string_view initial = type == "checkbox" ? "false" : type == "number" ? "0" : "";
        xml.open("attribute").element("name", attribute.name).element("mutable", "False").element("input_type", type);
        xml.element("default_value", initial).element("values", initial).close();
      }
      xml.close().close();
    }
    xml.close();
  }

  void append_image(XmlWriter& xml, std::int64_t index) {
    const ExportImage image = source_.image(index);
    if (is_left_out(image, options_) || !is_xml_text(image.name)) {
      ++report_.images_left_out;
      report_.labels_left_out += is_left_out(image, options_) ? 0 : static_cast<std::int64_t>(source_.labels(index).size());
      return;
    }
    if (options_.images == ImageTransfer::copy) {
      std::error_code ignored;
      if (image.is_missing || ::access(image.path.c_str(), R_OK) != 0 || !fs::is_regular_file(image.path, ignored)) {
        add_failure(report_, source_, index, image, "there is no such file, or it cannot be read");
        return;
      }
      entries_.push_back({entry_name(image), image.path, false});
    }
    xml.open("image").attribute("id", std::to_string(*ids_[static_cast<std::size_t>(index)])).attribute("name", image.name);
    if (!image.split.empty()) {
      xml.attribute("subset", image.split);
    }
    if (image.width > 0 && image.height > 0) {
      xml.attribute("width", std::to_string(image.width)).attribute("height", std::to_string(image.height));
    }
    static constexpr std::string_view kImageNames[] = {"id", "name", "subset", "width", "height"};
    append_kept(xml, image.source_json, kImageNames);
    for (const ExportLabel& exported : image.state == SampleState::labelled ? source_.labels(index) : std::vector<ExportLabel>()) {
      ++(append_label(xml, exported, image) ? report_.labels : report_.labels_left_out);
    }
    xml.close();
    ++report_.images;
    report_.images_unlabelled += image.state == SampleState::not_labelled ? 1 : 0;
  }

  /// The XML attributes that came with the file, but for those that are written here.
  static void append_kept(XmlWriter& xml, std::string_view source_json, std::span<const std::string_view> ours) {
    for (const auto& [name, value] : xml_attributes_of(source_json, "cvat")) {
      if (std::find(ours.begin(), ours.end(), name) == ours.end()) {
        xml.attribute(name, value);
      }
    }
  }

  /// False when the label is left out.
  bool append_label(XmlWriter& xml, const ExportLabel& exported, const ExportImage& image) {
    const Label& label = exported.label;
    const std::string& class_name = classes_[static_cast<std::size_t>(exported.class_index)].name;
    std::optional<std::string_view> reason = reason_to_leave_out(holds_, label);
    if (!reason && trimmed_xml(class_name).empty()) {
      reason = kBlankClasses;
    }
    const std::optional<Shape> shape = reason ? std::nullopt : shape_of(label, image, reason);
    if (!shape) {
      losses_.add(*reason);
      return false;
    }
    count_label_losses(holds_beside(holds_, label.source_json), exported, image, losses_);

    const std::vector<LabelAttribute> attributes = label_attributes(label.attributes_json);
    std::vector<std::string_view> ours = {"label", "occluded", "rotation"};
    xml.open(shape->element).attribute("label", class_name);
    if (label.kind != LabelKind::classification) {
      const bool is_occluded =
          std::any_of(attributes.begin(), attributes.end(), [&](const LabelAttribute& each) { return is_occlusion(each, label); });
      xml.attribute("occluded", is_occluded ? "1" : "0");
    }
    for (const auto& [name, value] : shape->geometry) {
      xml.attribute(name, value);
      ours.push_back(name);
    }
    append_kept(xml, label.source_json, ours);
    append_attributes(xml, exported, attributes);
    xml.close();
    return true;
  }

  void append_attributes(XmlWriter& xml, const ExportLabel& exported, const std::vector<LabelAttribute>& attributes) {
    ClassAttributes& of_class = attributes_[static_cast<std::size_t>(exported.class_index)];
    for (const LabelAttribute& attribute : attributes) {
      if (is_occlusion(attribute, exported.label)) {
        continue;
      }
      if (attribute.name.empty()) {
        losses_.add(kBlankAttributes);
        continue;
      }
      const bool is_text = of_class[attribute.name].kinds.input_type() == "text";
      losses_.add(kValuesAsText, is_text && attribute.kind != LabelAttribute::Kind::text ? 1 : 0);
      losses_.add(kTexts, is_xml_text(attribute.value) ? 0 : 1);
      xml.open("attribute").attribute("name", attribute.name).text(attribute.value).close();
    }
  }

  /// Nothing when the label is left out, and `reason` then says why.
  std::optional<Shape> shape_of(const Label& label, const ExportImage& image, std::optional<std::string_view>& reason) {
    switch (label.kind) {
      case LabelKind::classification:
        return Shape{"tag", {}};
      case LabelKind::box:
        break;
      case LabelKind::mask:
        return mask_shape(label, image, reason);
    }
    const Box& box = label.box_xywh_px;
    if (!has_corners(box)) {
      reason = kNoArea;
      return std::nullopt;
    }
    return Shape{"box",
                 {{"xtl", shortest_decimal(box.x)},
                  {"ytl", shortest_decimal(box.y)},
                  {"xbr", decimal_sum(box.x, box.w)},
                  {"ybr", decimal_sum(box.y, box.h)}}};
  }

  std::optional<Shape> mask_shape(const Label& label, const ExportImage& image, std::optional<std::string_view>& reason) {
    const auto* const polygons = std::get_if<std::vector<Polygon>>(&label.mask->shape);
    std::optional<Shape> shape;
    Box box;
    if (polygons != nullptr && polygons->size() == 1) {
      box = mask_box(*label.mask);
      if (fault_of(box)) {
        reason = kBeyondNumbers;
        return std::nullopt;
      }
      shape = Shape{"polygon", {{"points", points_of(polygons->front())}}};
    } else {
      if (image.width <= 0 || image.height <= 0) {
        reason = kSizeUnknown;
        return std::nullopt;
      }
      if (!has_countable_pixels(image)) {
        reason = kTooManyPixels;
        return std::nullopt;
      }
      const auto height = static_cast<std::uint32_t>(image.height);
      const auto width = static_cast<std::uint32_t>(image.width);
      const Rle rle = polygons != nullptr ? rle_from_polygons(*polygons, height, width) : std::get<Rle>(label.mask->shape);
      box = tight_box(rle);
      reason = rle.height != height || rle.width != width                ? std::optional(kOtherGrid)
               : box.w == 0 || box.h == 0                                ? std::optional(kEmptyMasks)
               : box.w * box.h > static_cast<double>(kMaxCvatMaskPixels) ? std::optional(kLargeMasks)
                                                                         : std::nullopt;
      if (reason) {
        return std::nullopt;
      }
      losses_.add(kParts, polygons != nullptr ? 1 : 0);
      const CvatMask mask = cvat_mask_from(rle);
      shape = Shape{"mask",
                    {{"rle", fmt::format("{}", fmt::join(mask.counts, ", "))},
                     {"left", std::to_string(mask.left)},
                     {"top", std::to_string(mask.top)},
                     {"width", std::to_string(mask.width)},
                     {"height", std::to_string(mask.height)}}};
    }
    losses_.add(kBoxesOfMasks, box == label.box_xywh_px ? 0 : 1);
    return shape;
  }

  static std::string points_of(const Polygon& polygon) {
    std::string points;
    for (std::size_t i = 0; i < polygon.size(); i += 2) {
      points.append(i == 0 ? "" : ";").append(shortest_decimal(polygon[i])).append(",").append(shortest_decimal(polygon[i + 1]));
    }
    return points;
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::vector<ClassAttributes> attributes_;
  std::vector<std::optional<std::int64_t>> ids_;
  std::unordered_set<std::int64_t> taken_ids_;
  std::int64_t next_id_ = 0;
  std::vector<NewZipEntry> entries_;
  LossCounts losses_;
  WriteReport report_;
};

WriteReport write_archive(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  // As `replace_file` does: a link stays, and what it leads to is replaced.
  std::error_code ignored;
  const fs::path place = fs::is_symlink(path, ignored) && fs::exists(path, ignored) ? fs::canonical(path) : path;
  const NewFolder scratch(place.native() + ".parts");
  const fs::path xml = scratch.path() / "annotations.xml";
  const fs::path archive = scratch.path() / "archive.zip";
  CvatWriter writer(source, options);
  WriteReport report;
  replace_file(xml, [&](int descriptor) { report = writer.write(descriptor, xml); });
  std::vector<NewZipEntry> entries = {{"annotations.xml", xml, true}};
  entries.insert(entries.end(), writer.image_entries().begin(), writer.image_entries().end());
  write_zip(archive, entries, options.cancel);
  const int descriptor = ::open(archive.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_on_disk = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int sync_error = errno;
  ::close(descriptor);
  if (!is_on_disk) {
    throw io_error("cannot write the archive", archive.native(), sync_error);
  }
  if (::rename(archive.c_str(), place.c_str()) != 0) {
    throw io_error("cannot put the archive in place", place.native(), errno);
  }
  return report;
}

}  // namespace

std::vector<Loss> losses_of_cvat(ExportSource& source, const WriteOptions& options) {
  return CvatWriter(source, options).losses();
}

void check_cvat(const fs::path& path, const WriteOptions& options) {
  const fs::path place = fs::absolute(path).lexically_normal();
  const bool is_zip = has_extension(place, ".zip");
  const auto refuse = [&](std::string_view what) {
    throw Error(ErrorCode::wrong_use, std::string(what), {{"path", printable(place.native())}});
  };
  if ((!is_zip && !has_extension(place, ".xml")) || fs::is_directory(place)) {
    refuse("a CVAT export is one file; name an .xml file or a .zip");
  }
  if (options.images != ImageTransfer::reference && !is_zip) {
    refuse("an .xml file has no place for images; name a .zip, or leave them where they are (`reference`)");
  }
  if (options.images != ImageTransfer::reference && options.images != ImageTransfer::copy) {
    refuse("a .zip holds images, not links to them; copy them, or leave them where they are (`reference`)");
  }
}

WriteReport write_cvat(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  check_cvat(path, options);
  const fs::path place = fs::absolute(path).lexically_normal();
  if (has_extension(place, ".zip")) {
    return write_archive(place, source, options);
  }
  WriteReport report;
  CvatWriter writer(source, options);
  replace_file(place, [&](int descriptor) { report = writer.write(descriptor, place); });
  return report;
}

}  // namespace verilabel
