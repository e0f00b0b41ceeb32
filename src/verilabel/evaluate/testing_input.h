#pragma once

// Inputs for tests of this module, built label by label.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/evaluate/input.h"

namespace verilabel {

inline EvaluationInput input_of(std::vector<std::int64_t> image_ids, std::size_t class_count = 1) {
  EvaluationInput input;
  input.images.id = std::move(image_ids);
  for (std::size_t k = 0; k < class_count; ++k) {
    input.classes.id.push_back(static_cast<std::int64_t>(k));
    input.classes.name.push_back(fmt::format("c{}", k));
  }
  return input;
}

struct TruthRow {
  std::uint32_t image = 0;
  std::uint32_t category = 0;
  Box box_xywh_px;
  bool is_crowd = false;
  std::optional<double> area_px = std::nullopt;  // that of the box when absent
};

inline void add(EvaluationInput& input, const TruthRow& row) {
  input.truths.image.push_back(row.image);
  input.truths.category.push_back(row.category);
  input.truths.box_xywh_px.push_back(row.box_xywh_px);
  input.truths.area_px.push_back(row.area_px.value_or(area(row.box_xywh_px)));
  input.truths.is_crowd.push_back(row.is_crowd ? 1 : 0);
}

struct PredictionRow {
  std::uint32_t image = 0;
  std::uint32_t category = 0;
  Box box_xywh_px;
  double score = 0;
};

inline void add(EvaluationInput& input, const PredictionRow& row) {
  input.predictions.image.push_back(row.image);
  input.predictions.category.push_back(row.category);
  input.predictions.box_xywh_px.push_back(row.box_xywh_px);
  input.predictions.score.push_back(row.score);
}

}  // namespace verilabel
