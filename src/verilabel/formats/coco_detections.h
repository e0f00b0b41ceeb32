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

/// Detections of a COCO file column by column, in the order of the file, for evaluation without a project. Every column has one row
/// a detection.
struct CocoDetections {
  std::vector<std::int64_t> image_id;
  std::vector<std::int64_t> category_id;
  std::vector<Box> box_xywh_px;
  /// Of truths as stated, else w · h. Of results w · h, and NaN where there is nothing but a mask, whose pixels then count; empty
  /// where their masks are skipped, because nothing asks for it.
  std::vector<double> area_px;
  std::vector<double> score;           ///< results lists only; empty otherwise
  std::vector<std::uint8_t> is_crowd;  ///< truth files only; empty otherwise
  /// Only when masks are asked for. A row has runs, or polygons, whose image may not be known yet, or neither.
  RleColumn mask;                              ///< 0 × 0 pixels without runs where there are none
  std::vector<std::vector<Polygon>> polygons;  ///< no polygon where there are none

  std::size_t size() const { return image_id.size(); }
};

struct CocoImage {
  std::int64_t id = 0;
  std::int32_t width = 0;  ///< 0 when not stated
  std::int32_t height = 0;
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
/// with context file, byte and field for broken JSON, a missing field, a number that is not finite, a negative size, an id that is
/// no integer or occurs twice, an annotation of an unknown image or category; `not_found`, `io`.
CocoTruth read_coco_truth(const std::filesystem::path& path, CocoMasks masks = CocoMasks::skip);

/// Reads a results list, likewise. Whether its image and category ids are known is the caller's question. A detection without a box
/// has the box (0, 0, 0, 0) when it has a mask.
CocoDetections read_coco_results(const std::filesystem::path& path, CocoMasks masks = CocoMasks::skip);

/// Where an annotation of a truth file, or a detection of a results list, stands: the context of an error about it. Throws as the
/// readers do, and `bad_data` when the list has no such index.
ErrorContext place_of_coco_annotation(const std::filesystem::path& path, std::uint64_t index);

}  // namespace verilabel
