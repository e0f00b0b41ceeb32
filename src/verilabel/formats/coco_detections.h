#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/label.h"
#include "verilabel/geometry/rle_column.h"

namespace verilabel {

enum class CocoMasks : std::uint8_t { skip, read };

/// The polygons of some rows, one behind the other.
class CocoPolygons {
 public:
  std::size_t size() const { return rows_.size(); }
  const std::vector<std::uint32_t>& rows() const { return rows_; }
  /// x0, y0, x1, y1, … of all polygons of row `rows()[i]`, and where in them each polygon ends.
  std::span<const double> xy_px(std::size_t i) const;
  std::span<const std::uint32_t> ends(std::size_t i) const;

  void push_back(std::uint32_t row, std::span<const double> xy_px, std::span<const std::uint32_t> ends);
  /// As many rows stand in front.
  void move_rows(std::uint32_t by);
  /// Leaves out what is not among `kept`, which ascend; a row is then its place in there.
  void keep_rows(std::span<const std::uint32_t> kept);

 private:
  std::vector<std::uint32_t> rows_;
  std::vector<std::size_t> xy_begin_ = {0};    ///< of each row, and the end
  std::vector<std::size_t> ends_begin_ = {0};  ///< likewise
  std::vector<double> xy_px_;
  std::vector<std::uint32_t> ends_;
};

/// Detections of a COCO file column by column, in the order of the file, for evaluation without a project. Every column has one row
/// a detection.
struct CocoDetections {
  std::vector<std::int64_t> image_id;
  std::vector<std::int64_t> category_id;
  std::vector<Box> box_xywh_px;
  std::vector<double> area_px;         ///< of truths as stated, else w · h; empty in results lists, where w · h always counts
  std::vector<double> score;           ///< results lists only; empty otherwise
  std::vector<std::uint8_t> is_crowd;  ///< truth files only; empty otherwise
  // The rest only when masks are asked for.
  /// Rows of a results list with nothing but a mask, whose pixels are the area; they have the box around it. Ascending.
  std::vector<std::uint32_t> boxless_rows;
  RleColumn mask;                      ///< none where the row has no runs
  std::vector<CocoPolygons> polygons;  ///< of rows without runs, whose image may not be known yet; parts of the list

  std::size_t size() const { return image_id.size(); }
};

struct CocoImage {
  std::int64_t id = 0;
  std::string name;        ///< its `file_name`, else the end of its `coco_url`
  std::int32_t width = 0;  ///< 0 when not stated
  std::int32_t height = 0;
  bool is_labelled = true;  ///< false where the file says `"labelled": false`
  std::string source_json;  ///< an object of the id and the unknown fields
};

struct CocoCategory {
  std::int64_t id = 0;
  std::string name;
  std::string source_json;  ///< likewise
};

struct CocoTruth {
  std::vector<CocoImage> images;
  std::vector<CocoCategory> categories;
  CocoDetections detections;
};

/// Whether the file's first value is an array: a results list, as opposed to a truth file. Throws `not_found`, `io`, and `bad_data`
/// when it is neither.
bool is_coco_results_list(const std::filesystem::path& path);

/// Reads a truth file into memory. Evaluation must not go on with a part of its input, so here any fault ends it: throws `bad_data`
/// with context file, byte and field (and of an annotation the image id) for broken JSON, a missing field, a number that is not
/// finite, a negative size, an id that is no integer or occurs twice, an annotation of an unknown image or category; `not_found`,
/// `io`.
CocoTruth read_coco_truth(const std::filesystem::path& path, CocoMasks masks = CocoMasks::skip);

/// Reads a results list, likewise. Whether its image and category ids are known is the caller's question. A detection without a box
/// has the box (0, 0, 0, 0) when it has a mask.
CocoDetections read_coco_results(const std::filesystem::path& path, CocoMasks masks = CocoMasks::skip);

/// Where an annotation of a truth file, or a detection of a results list, stands: the context of an error about it. Throws as the
/// readers do, and `bad_data` when the list has no such index.
ErrorContext place_of_coco_annotation(const std::filesystem::path& path, std::uint64_t index);

}  // namespace verilabel
