#pragma once

#include <cstdint>
#include <optional>

namespace verilabel {

/// The areas under the ROC and the precision-recall curve of a ranking, level by level of equal score from the top down: those of
/// scikit-learn's `roc_auc_score` and `average_precision_score`. Private to the module.
class RankingAreas {
 public:
  void add_level(std::int64_t right, std::int64_t wrong) {
    // Pairs of a right and a wrong one in the right order, level ones by half.
    won_ += static_cast<double>(wrong) * (static_cast<double>(right_) + static_cast<double>(right) / 2);
    right_ += right;
    wrong_ += wrong;
    if (right > 0) {
      precision_sum_ += static_cast<double>(right) * static_cast<double>(right_) / static_cast<double>(right_ + wrong_);
    }
  }
  /// The last level: what is left of `count` ranked ones, of which `right` are right.
  void add_rest(std::int64_t right, std::int64_t count) { add_level(right - right_, count - right - wrong_); }

  /// Nothing where all are right, or none.
  std::optional<double> roc_auc() const {
    return right_ == 0 || wrong_ == 0 ? std::nullopt
                                      : std::optional(won_ / (static_cast<double>(right_) * static_cast<double>(wrong_)));
  }
  /// Nothing where none is right.
  std::optional<double> average_precision() const {
    return right_ == 0 ? std::nullopt : std::optional(precision_sum_ / static_cast<double>(right_));
  }

 private:
  std::int64_t right_ = 0;
  std::int64_t wrong_ = 0;
  double won_ = 0;
  double precision_sum_ = 0;
};

}  // namespace verilabel
