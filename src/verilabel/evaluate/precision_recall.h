#pragma once

#include <algorithm>
#include <utility>
#include <vector>

// The area under precision and recall as PASCAL VOC takes it from 2010 on. Private to the module.
namespace verilabel {

/// Precision and recall after each prediction that counts, best score first.
struct PrecisionRecall {
  std::vector<double> precision;
  std::vector<double> recall;
};

/// The whole area under the falling envelope of the precision.
inline double area_under_envelope(PrecisionRecall curve) {
  for (std::size_t i = curve.precision.size(); i-- > 1;) {
    curve.precision[i - 1] = std::max(curve.precision[i - 1], curve.precision[i]);
  }
  double area = 0;
  double reached = 0;
  for (std::size_t i = 0; i < curve.recall.size(); ++i) {
    area += (curve.recall[i] - std::exchange(reached, curve.recall[i])) * curve.precision[i];
  }
  return area;
}

}  // namespace verilabel
