// Reads COCO files for evaluation: the list that is read piece by piece on all processors must say what its elements say one by
// one, wherever it is cut, and a whole file is read or refused.

#include <cstring>
#include <span>
#include <tuple>
#include <vector>

#include "fuzz/fuzzing.h"
#include "verilabel/formats/coco_annotation_list.h"
#include "verilabel/formats/coco_detections.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/json_stream.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

/// Bits, so that -0 is not 0.
bool is_same(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

std::vector<Rle> masks_of(const RleColumn& column) {
  std::vector<Rle> masks;
  for (std::size_t i = 0; i < column.size(); ++i) {
    masks.push_back(column[i]);
  }
  return masks;
}

using RowPolygons = std::tuple<std::uint32_t, std::vector<double>, std::vector<std::uint32_t>>;

std::vector<RowPolygons> polygons_of(const CocoDetections& rows) {
  std::vector<RowPolygons> polygons;
  for (const CocoPolygons& part : rows.polygons) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      const std::span<const double> xy_px = part.xy_px(i);
      const std::span<const std::uint32_t> ends = part.ends(i);
      polygons.emplace_back(part.rows()[i], std::vector(xy_px.begin(), xy_px.end()), std::vector(ends.begin(), ends.end()));
    }
  }
  return polygons;
}

bool is_same(const CocoDetections& a, const CocoDetections& b) {
  return a.image_id == b.image_id && a.category_id == b.category_id && a.box_xywh_px == b.box_xywh_px &&
         is_same(a.area_px, b.area_px) && is_same(a.score, b.score) && a.is_crowd == b.is_crowd &&
         a.boxless_rows == b.boxless_rows && masks_of(a.mask) == masks_of(b.mask) && polygons_of(a) == polygons_of(b);
}

/// The list whose `[` stands there, one element after the other; nothing when one of them has a fault or a text for an id.
std::optional<CocoAnnotationList> read_by_element(const fs::path& path, std::uint64_t byte_offset, CocoListKind kind,
                                                  CocoMasks masks) {
  CocoAnnotationList list;
  CocoDetections& rows = list.detections;
  CocoElementParser parser(masks == CocoMasks::read ? CocoElementParser::Keep::boxes_and_masks : CocoElementParser::Keep::boxes);
  CocoAnnotation annotation;
  JsonStream stream(path);
  stream.seek(byte_offset);
  stream.enter_array();
  while (const auto slice = stream.next_element()) {
    try {
      parser.parse_annotation(slice->text, annotation);
    } catch (const CocoFault& fault) {
      require(!fault.message.empty(), "a fault says what is wrong");
      return std::nullopt;
    }
    const bool has_texts = !annotation.image_id.text.empty() || !annotation.category_id.text.empty() ||
                           (annotation.id && !annotation.id->text.empty());
    if (has_texts || (kind == CocoListKind::results && !annotation.label.confidence)) {
      return std::nullopt;
    }
    const std::optional<std::string> fault =
        annotation.has_box || annotation.label.mask ? fault_of(annotation.label) : std::nullopt;
    require(!fault || masks == CocoMasks::skip, "an annotation keeps the invariants of a label: " + fault.value_or(""));
    const Label& label = annotation.label;
    const auto row = static_cast<std::uint32_t>(rows.size());
    rows.image_id.push_back(annotation.image_id.number);
    rows.category_id.push_back(annotation.category_id.number);
    rows.box_xywh_px.push_back(label.box_xywh_px);
    if (kind == CocoListKind::truth) {
      rows.area_px.push_back(label.area_px.value_or(label.box_xywh_px.w * label.box_xywh_px.h));
    }
    if (kind == CocoListKind::results) {
      rows.score.push_back(*label.confidence);
    } else {
      rows.is_crowd.push_back(label.is_crowd ? 1 : 0);
      if (annotation.id) {
        list.ids.push_back(annotation.id->number);
      }
    }
    if (masks == CocoMasks::read) {
      const Rle* const runs = label.mask ? std::get_if<Rle>(&label.mask->shape) : nullptr;
      rows.mask.push_back(runs != nullptr ? RleView(*runs) : RleView());
      if (kind == CocoListKind::results && !annotation.has_box && label.mask) {
        rows.boxless_rows.push_back(row);
      }
      if (label.mask && runs == nullptr) {
        std::vector<double> xy_px;
        std::vector<std::uint32_t> ends;
        for (const Polygon& polygon : std::get<std::vector<Polygon>>(label.mask->shape)) {
          xy_px.insert(xy_px.end(), polygon.begin(), polygon.end());
          ends.push_back(static_cast<std::uint32_t>(xy_px.size()));
        }
        rows.polygons.resize(1);
        rows.polygons.back().push_back(row, xy_px, ends);
      }
    }
  }
  list.end_byte_offset = stream.bytes_consumed();
  return list;
}

void compare_lists(const fs::path& path, std::uint64_t byte_offset, CocoListKind kind, CocoMasks masks) {
  const CocoListOptions whole{.kind = kind, .masks = masks, .threads = 1};
  const auto list = read_coco_annotation_list(path, byte_offset, whole);
  for (const std::size_t piece_bytes : {std::size_t{16}, std::size_t{100}}) {
    CocoListOptions cut = whole;
    cut.piece_bytes = piece_bytes;
    const auto pieces = read_coco_annotation_list(path, byte_offset, cut);
    require(pieces.has_value() == list.has_value(), "where a list is cut does not decide whether it is sound");
    require(!list || (is_same(pieces->detections, list->detections) && pieces->ids == list->ids &&
                      pieces->end_byte_offset == list->end_byte_offset),
            "where a list is cut does not matter");
  }
  if (list) {
    const auto elements = unless_refused([&] { return read_by_element(path, byte_offset, kind, masks); });
    require(elements.has_value() && elements->has_value(), "a list that is sound as a whole is sound element by element");
    const CocoAnnotationList& expected = **elements;
    require(is_same(list->detections, expected.detections), "the list says what its elements say");
    require(list->ids == expected.ids, "the list has the ids of its elements");
    require(list->end_byte_offset == expected.end_byte_offset, "the list ends where its last element says");
  }
}

}  // namespace
}  // namespace verilabel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const ScratchFolder scratch;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const fs::path path = scratch.write("input.json", input);
  const auto is_results = unless_refused([&] { return is_coco_results_list(path); });
  if (!is_results) {
    return 0;
  }
  for (const CocoMasks masks : {CocoMasks::skip, CocoMasks::read}) {
    if (*is_results) {
      compare_lists(path, input.find('['), CocoListKind::results, masks);
    } else if (const std::size_t key = input.find("\"annotations\""); key != std::string_view::npos) {
      const std::size_t bracket = input.find('[', key);
      if (bracket != std::string_view::npos) {
        compare_lists(path, bracket, CocoListKind::truth, masks);
      }
    }
    const auto rows = unless_refused(
        [&] { return *is_results ? read_coco_results(path, masks).size() : read_coco_truth(path, masks).detections.size(); });
    require(rows.value_or(0) <= size, "every detection stands in the file");
  }
  return 0;
}
