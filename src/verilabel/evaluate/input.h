#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "verilabel/geometry/box.h"
#include "verilabel/geometry/rle_column.h"

namespace verilabel {

/// The images that an evaluation covers, those without any label included: a false positive on an empty image counts.
struct EvaluatedImages {
  std::vector<std::int64_t> id;  ///< distinct
  std::vector<std::int64_t>
      rank;                       ///< distinct: equal scores on different images rank by it, ascending; empty where the ids do that
  std::vector<std::string> name;  ///< for error messages; empty, or one an image

  std::size_t size() const { return id.size(); }
  const std::vector<std::int64_t>& ranks() const { return rank.empty() ? id : rank; }
};

/// The classes that an evaluation covers. A class without truth has undefined AP and no part in the means.
struct EvaluatedClasses {
  std::vector<std::int64_t> id;  ///< distinct; means sum in ascending id
  std::vector<std::string> name;

  std::size_t size() const { return id.size(); }
};

/// Truths in the order of their file: of two truths that overlap a prediction equally the later one is matched.
struct EvaluatedTruths {
  std::vector<std::uint32_t> image;     ///< index into `EvaluatedImages`
  std::vector<std::uint32_t> category;  ///< index into `EvaluatedClasses`
  std::vector<Box> box_xywh_px;
  std::vector<double> area_px;               ///< as the file states it (COCO: of the mask), else of the box
  std::vector<std::uint8_t> is_crowd;        ///< 1 for a region that predictions may match without counting
  std::vector<std::uint8_t> is_unseen = {};  ///< 1 for one that nothing matches and that does not count; empty where there is none
  RleColumn mask;                            ///< at the size of its image; empty unless masks are compared

  std::size_t size() const { return image.size(); }
  bool is_unseen_at(std::size_t row) const { return !is_unseen.empty() && is_unseen[row] != 0; }
};

/// Predictions in the order of their file, which breaks ties of score within an image.
struct EvaluatedPredictions {
  std::vector<std::uint32_t> image;
  std::vector<std::uint32_t> category;
  std::vector<Box> box_xywh_px;
  std::vector<double> score;  ///< finite
  /// Decides the area range of a prediction that matches nothing. Empty means w · h of each box, which is COCO's rule for every
  /// result that has a box; a COCO result with nothing but a mask takes the number of its pixels.
  std::vector<double> area_px;
  std::vector<std::uint8_t> is_unseen = {};  ///< as of truths
  RleColumn mask;                            ///< at the size of its image; empty unless masks are compared

  std::size_t size() const { return image.size(); }
  bool is_unseen_at(std::size_t row) const { return !is_unseen.empty() && is_unseen[row] != 0; }
  double area_px_of(std::size_t row) const { return area_px.empty() ? box_xywh_px[row].w * box_xywh_px[row].h : area_px[row]; }
};

/// What is compared with what: column by column, knowing neither store nor file formats. Whoever fills it
/// - lists every image and class that counts, and drops (and reports) predictions of others;
/// - keeps truths and predictions in the order of their file;
/// - takes numbers as they stand, without clipping or rounding: negative or zero sides overlap nothing, as in pycocotools.
struct EvaluationInput {
  EvaluatedImages images;
  EvaluatedClasses classes;
  EvaluatedTruths truths;
  EvaluatedPredictions predictions;
};

}  // namespace verilabel
