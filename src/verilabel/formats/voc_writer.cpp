#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/voc.h"
#include "verilabel/formats/xml_json.h"
#include "verilabel/formats/xml_label.h"
#include "verilabel/formats/xml_writer.h"
#include "verilabel/geometry/mask_outline.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNames =
    "images whose names VOC's files cannot hold (line breaks, control characters, bytes that are not UTF-8, white space at an end) "
    "are left out with their labels";
constexpr std::string_view kEmptyMasks = "labels whose mask has no pixels are left out";
constexpr std::string_view kMaskSizes = "labels whose mask is of another size than their image are left out";
constexpr std::string_view kHoles = "masks have their holes filled";
constexpr std::string_view kNoArea = "labels whose box has no width or no height, which readers of VOC refuse, are left out";
constexpr std::string_view kTexts =
    "texts with characters that XML cannot hold (control characters, bytes that are not UTF-8) have them written as \\xNN";
constexpr std::string_view kEnds = "names of classes and attributes lose the white space at their ends";
constexpr std::string_view kBlankClasses = "labels of a class without a name are left out";
constexpr std::string_view kBlankAttributes = "attributes without a name are left out";
constexpr std::string_view kClassFields = "classes lose the id and the fields of the file they came from";
constexpr std::string_view kListed = "classes whose name a line of labelmap.txt cannot hold are named by their labels only";

constexpr std::string_view kOwn[] = {"voc", "voc_attributes"};
constexpr std::string_view kFlags[] = {"truncated", "difficult"};

bool is_flag(std::string_view name) {
  return name == "truncated" || name == "difficult" || name == "occluded";
}

/// The format's holds, for something that may have fields of another format.
FormatHolds holds_beside(const FormatHolds& holds, std::string_view source_json) {
  FormatHolds result = holds;
  result.ids_and_unknown_fields = !has_fields_beside(source_json, kOwn);
  return result;
}

bool can_be_line(std::string_view text) {
  return is_xml_text(text) && text.find_first_of("\r\n") == std::string_view::npos && trimmed_xml(text) == text;
}

/// Annotations hold the name, lists of splits the name without its extension.
bool can_be_listed(const fs::path& name) {
  return can_be_line(name.native()) && can_be_line(fs::path(name).replace_extension().native());
}

const LabelAttribute* find_attribute(const std::vector<LabelAttribute>& attributes, std::string_view name) {
  const auto at =
      std::find_if(attributes.begin(), attributes.end(), [&](const LabelAttribute& attribute) { return attribute.name == name; });
  return at == attributes.end() ? nullptr : &*at;
}

const XmlElement* find_element(const std::vector<XmlElement>& elements, std::string_view name) {
  const auto at = std::find_if(elements.begin(), elements.end(), [&](const XmlElement& element) { return element.name == name; });
  return at == elements.end() ? nullptr : &*at;
}

/// Whether the attribute has an element of its own in an object, as opposed to a place in the list.
bool has_own_element(const LabelAttribute& attribute) {
  if (is_flag(attribute.name)) {
    return attribute.kind == LabelAttribute::Kind::boolean && attribute.value == "true";
  }
  return attribute.name == "pose" && attribute.kind == LabelAttribute::Kind::text && !attribute.value.empty() &&
         attribute.value != "Unspecified" && trimmed_xml(attribute.value) == attribute.value;
}

/// Whether a reader would take the text for something else unless told that it is text.
bool needs_type(std::string_view text) {
  return text.empty() || trimmed_xml(text) != text || is_json_number(text) || text == "true" || text == "false" || text == "True" ||
         text == "False";
}

class VocWriter {
 public:
  VocWriter(ExportSource& source, const WriteOptions& options)
      : source_(source), options_(options), holds_(format("voc").holds), classes_(source.classes()) {}

  std::vector<Loss> losses() {
    plan();
    std::string text;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      const ExportImage image = source_.image(index);
      if (is_written(image) && image.state != SampleState::not_labelled) {
        text.clear();
        append_annotation(index, image, text);
      }
    }
    return losses_.list();
  }

  /// Everything into `folder`, which exists and is empty. `place` is where it will be.
  WriteReport write(const fs::path& folder, const fs::path& place) {
    plan();
    make_folder(folder / "Annotations");
    std::map<std::string, std::string> lists;
    std::string text;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_) || !can_be_listed(image.name)) {
        ++report_.images_left_out;
        report_.labels_left_out += is_left_out(image, options_) ? 0 : static_cast<std::int64_t>(source_.labels(index).size());
        continue;
      }
      const fs::path name = safe_relative_name(image);
      const fs::path image_file = fs::path("JPEGImages") / name;
      if (const std::optional<std::string> failure = bring_image(image, options_.images, folder / image_file, place / image_file)) {
        add_failure(report_, source_, index, image, *failure);
        continue;
      }
      lists[split_of(image, options_)].append(fs::path(name).replace_extension().native()).push_back('\n');
      if (image.state == SampleState::not_labelled) {
        ++report_.images_unlabelled;
      } else {
        text.clear();
        append_annotation(index, image, text);
        fs::path file = folder / "Annotations" / name;
        file.replace_extension(".xml");
        make_folder(file.parent_path());
        write_new_file(file, text);
      }
      ++report_.images;
    }
    make_folder(folder / "ImageSets" / "Main");
    for (const auto& [split, list] : lists) {
      write_new_file(folder / "ImageSets" / "Main" / (split + ".txt"), list);
    }
    write_new_file(folder / "labelmap.txt", labelmap_);
    report_image(options_, "writing", count, count);
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  bool is_written(const ExportImage& image) const {
    return !is_left_out(image, options_) && can_be_listed(image.name) && !lacks_file(image, options_);
  }

  /// What is lost with the dataset, its classes and its images. Throws when two images would share an annotation.
  void plan() {
    plan_classes();
    ExportedFiles taken;
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image, options_)) {
        continue;
      }
      if (!can_be_listed(image.name)) {
        losses_.add(kNames);
        continue;
      }
      check_split(image);
      const fs::path name = safe_relative_name(image);
      fs::path file = "Annotations" / name;
      file.replace_extension(".xml");
      if (const auto [at, is_new] = taken.emplace(file.native(), image.name); !is_new) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("the images `{}` and `{}` would share one annotation; leave one of them out, or export to another "
                                "format",
                                printable(at->second), printable(image.name)),
                    {{"file", printable(file.native())}});
      }
      if (options_.images != ImageTransfer::reference) {
        taken.emplace(("JPEGImages" / name).native(), image.name);
      }
      count_image_losses(holds_beside(holds_, image.source_json), image, options_, losses_);
    }
    check_folders(taken);
    count_dataset_losses(holds_beside(holds_, source_.dataset_json()), source_, losses_);
  }

  void plan_classes() {
    labelmap_ = "# label:color_rgb:parts:actions\n";
    for (const ExportClass& exported : classes_) {
      const std::string_view name = trimmed_xml(exported.name);
      losses_.add(kTexts, is_xml_text(exported.name) ? 0 : 1);
      losses_.add(kEnds, name == exported.name ? 0 : 1);
      losses_.add(kClassFields, has_fields_beside(exported.source_json, kOwn) ? 1 : 0);
      const bool can_be_line =
          !name.empty() && is_xml_text(name) && name.find_first_of(":\r\n") == std::string_view::npos && !name.starts_with('#');
      losses_.add(kListed, can_be_line ? 0 : 1);
      if (can_be_line) {
        labelmap_.append(name).append(":::\n");
      }
    }
  }

  void check_split(const ExportImage& image) const {
    const std::string split = split_of(image, options_);
    if (split.empty() || split.find_first_of(std::string_view("/\r\n\0", 4)) != std::string::npos || split == "." ||
        split == "..") {
      throw Error(ErrorCode::wrong_use, fmt::format("the split `{}` cannot be the name of a file", printable(split)),
                  {{"image", printable(image.name)}});
    }
  }

  void append_annotation(std::int64_t index, const ExportImage& image, std::string& text) {
    const std::vector<ExportLabel> labels =
        image.state == SampleState::labelled ? source_.labels(index) : std::vector<ExportLabel>();
    const std::vector<XmlElement> kept = xml_elements_of(image.source_json, "voc");
    const auto write_kept = [&](XmlWriter& xml, auto&& is_wanted) {
      for (const XmlElement& element : kept) {
        if (is_wanted(element.name)) {
          xml.element(element);
        }
      }
    };
    XmlWriter xml(text);
    xml.open("annotation");
    for (const auto& [name, value] : xml_attributes_of(image.source_json, "voc_attributes")) {
      xml.attribute(name, value);
    }
    if (find_element(kept, "folder") == nullptr) {
      xml.element("folder", "JPEGImages");
    }
    write_kept(xml, [](std::string_view name) { return name == "folder"; });
    xml.element("filename", image.name);
    if (options_.images == ImageTransfer::reference && can_be_line(image.path.native())) {
      xml.element("path", image.path.native());
    }
    write_kept(xml, [](std::string_view name) {
      return name != "folder" && name != "filename" && name != "path" && name != "size" && name != "object";
    });
    append_size(xml, image, find_element(kept, "size"));
    if (find_element(kept, "segmented") == nullptr) {
      xml.element("segmented", "0");
    }
    for (const ExportLabel& exported : labels) {
      ++(append_object(xml, exported, image) ? report_.labels : report_.labels_left_out);
    }
    xml.close();
  }

  static void append_size(XmlWriter& xml, const ExportImage& image, const XmlElement* kept) {
    const bool is_known = image.width > 0 && image.height > 0;
    if (!is_known && kept == nullptr) {
      return;
    }
    xml.open("size");
    if (is_known) {
      xml.element("width", std::to_string(image.width)).element("height", std::to_string(image.height));
    }
    if (kept != nullptr) {
      for (const XmlElement& child : kept->children) {
        xml.element(child);
      }
    }
    xml.close();
  }

  /// False when the label is left out.
  bool append_object(XmlWriter& xml, const ExportLabel& exported, const ExportImage& image) {
    const Label& label = exported.label;
    const auto leave_out = [&](std::string_view why) {
      losses_.add(why);
      return false;
    };
    if (const auto reason = reason_to_leave_out(holds_, label)) {
      return leave_out(*reason);
    }
    const std::string_view class_name = trimmed_xml(classes_[static_cast<std::size_t>(exported.class_index)].name);
    if (class_name.empty()) {
      return leave_out(kBlankClasses);
    }
    if (!has_corners(label.box_xywh_px)) {
      return leave_out(kNoArea);
    }
    std::vector<Polygon> outlines;
    if (label.mask) {
      if (const auto* rle = std::get_if<Rle>(&label.mask->shape)) {
        if (image.width > 0 && image.height > 0 && !is_of_size(*rle, image)) {
          return leave_out(kMaskSizes);
        }
        MaskOutline traced = outline_of(*rle);
        if (traced.polygons.empty()) {
          return leave_out(kEmptyMasks);
        }
        losses_.add(kHoles, traced.hole_count > 0 ? 1 : 0);
        outlines = std::move(traced.polygons);
      } else {
        outlines = std::get<std::vector<Polygon>>(label.mask->shape);
      }
    }
    count_label_losses(holds_beside(holds_, label.source_json), exported, image, losses_);

    const std::vector<LabelAttribute> attributes = label_attributes(label.attributes_json);
    const std::vector<XmlElement> kept = xml_elements_of(label.source_json, "voc");
    xml.open("object");
    for (const auto& [name, value] : xml_attributes_of(label.source_json, "voc_attributes")) {
      xml.attribute(name, value);
    }
    xml.element("name", class_name);
    const auto own = [&](std::string_view name) {
      const LabelAttribute* const attribute = find_attribute(attributes, name);
      return attribute != nullptr && has_own_element(*attribute) ? attribute : nullptr;
    };
    if (const LabelAttribute* const pose = own("pose")) {
      losses_.add(kTexts, is_xml_text(pose->value) ? 0 : 1);
      xml.element("pose", pose->value);
    } else {
      xml.element("pose", "Unspecified");
    }
    // Trainers ask for these two whether or not there is anything to say.
    for (const std::string_view flag : kFlags) {
      if (own(flag) != nullptr || find_element(kept, flag) == nullptr) {
        xml.element(flag, own(flag) != nullptr ? "1" : "0");
      }
    }
    if (own("occluded") != nullptr) {
      xml.element("occluded", "1");
    }
    append_geometry(xml, label.box_xywh_px, outlines);
    append_attributes(xml, attributes);
    for (const XmlElement& element : kept) {
      if (!(is_flag(element.name) && own(element.name) != nullptr)) {
        xml.element(element);
      }
    }
    xml.close();
    return true;
  }

  static void append_geometry(XmlWriter& xml, const Box& box, const std::vector<Polygon>& outlines) {
    xml.open("bndbox")
        .element("xmin", shortest_decimal(box.x))
        .element("ymin", shortest_decimal(box.y))
        .element("xmax", decimal_sum(box.x, box.w))
        .element("ymax", decimal_sum(box.y, box.h))
        .close();
    for (const Polygon& outline : outlines) {
      xml.open("polygon");
      for (std::size_t i = 0; i < outline.size(); ++i) {
        xml.element(fmt::format("{}{}", i % 2 == 0 ? 'x' : 'y', i / 2 + 1), shortest_decimal(outline[i]));
      }
      xml.close();
    }
  }

  void append_attributes(XmlWriter& xml, const std::vector<LabelAttribute>& attributes) {
    if (std::all_of(attributes.begin(), attributes.end(), has_own_element)) {
      return;
    }
    xml.open("attributes");
    for (const LabelAttribute& attribute : attributes) {
      if (has_own_element(attribute)) {
        continue;
      }
      if (trimmed_xml(attribute.name).empty()) {
        losses_.add(kBlankAttributes);
        continue;
      }
      losses_.add(kTexts, (is_xml_text(attribute.name) ? 0 : 1) + (is_xml_text(attribute.value) ? 0 : 1));
      losses_.add(kEnds, trimmed_xml(attribute.name) == attribute.name ? 0 : 1);
      xml.open("attribute").element("name", attribute.name).open("value");
      if (attribute.kind == LabelAttribute::Kind::text && needs_type(attribute.value)) {
        xml.attribute("type", "text");
      } else if (attribute.kind == LabelAttribute::Kind::other) {
        xml.attribute("type", "json");
      }
      xml.text(attribute.value).close().close();
    }
    xml.close();
  }

  ExportSource& source_;
  const WriteOptions& options_;
  FormatHolds holds_;
  std::vector<ExportClass> classes_;
  std::string labelmap_;
  LossCounts losses_;
  WriteReport report_;
};

}  // namespace

std::vector<Loss> losses_of_voc(ExportSource& source, const WriteOptions& options) {
  return VocWriter(source, options).losses();
}

void check_voc(const fs::path& path, const WriteOptions& /*options*/) {
  const fs::path place = place_of_folder(path);
  if (has_extension(place, ".xml")) {
    throw Error(ErrorCode::wrong_use, "a VOC export is a folder with one .xml file an image; name a folder",
                {{"path", printable(place.native())}});
  }
  check_new_folder(place);
}

WriteReport write_voc(const fs::path& path, ExportSource& source, const WriteOptions& options) {
  check_voc(path, options);
  const fs::path place = place_of_folder(path);
  NewFolder folder(place);
  WriteReport report = VocWriter(source, options).write(folder.path(), place);
  folder.put_in_place();
  return report;
}

}  // namespace verilabel
