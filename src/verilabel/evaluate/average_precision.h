#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace verilabel {

/// Average precision over the recalls 0, 0.01, … 1, from the precision at each right prediction in descending order of score. The
/// precisions become the falling envelope. `truths` above 0. Private to the module.
inline double average_precision_of(std::vector<double>& precision_at_hit, std::int64_t truths) {
  constexpr std::size_t recall_points = 101;
  for (std::size_t i = precision_at_hit.size(); i-- > 1;) {
    precision_at_hit[i - 1] = std::max(precision_at_hit[i - 1], precision_at_hit[i]);
  }
  double sum = 0;
  std::size_t hits = 1;
  for (std::size_t point = 0; point < recall_points; ++point) {
    const double recall = static_cast<double>(point) / (recall_points - 1);
    while (hits <= precision_at_hit.size() && static_cast<double>(hits) / static_cast<double>(truths) < recall) {
      ++hits;
    }
    if (hits > precision_at_hit.size()) {
      break;
    }
    sum += precision_at_hit[hits - 1];
  }
  return sum / recall_points;
}

}  // namespace verilabel
