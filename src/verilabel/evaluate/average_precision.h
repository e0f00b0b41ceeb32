#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "verilabel/evaluate/coco_curves.h"

namespace verilabel {

/// Average precision over COCO's points of recall, from the precision at each right prediction in descending order of score. The
/// precisions become the falling envelope. `truths` above 0. Private to the module.
inline double average_precision_of(std::vector<double>& precision_at_hit, std::int64_t truths) {
  for (std::size_t i = precision_at_hit.size(); i-- > 1;) {
    precision_at_hit[i - 1] = std::max(precision_at_hit[i - 1], precision_at_hit[i]);
  }
  double sum = 0;
  std::size_t hits = 1;
  for (std::size_t point = 0; point < kRecallPoints; ++point) {
    const double recall = linspace(0, 1, kRecallPoints, point);
    while (hits <= precision_at_hit.size() && static_cast<double>(hits) / static_cast<double>(truths) < recall) {
      ++hits;
    }
    if (hits > precision_at_hit.size()) {
      break;
    }
    sum += precision_at_hit[hits - 1];
  }
  return sum / kRecallPoints;
}

}  // namespace verilabel
