#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace verilabel {

/// Narrows down where a score falls among others, so that sorting in hundreds of thousands of predictions costs a few comparisons
/// each instead of a binary search: the span of the scores is cut into equal buckets, about two for each score.
class ScoreIndex {
 public:
  ScoreIndex() = default;

  /// `scores` finite, from high to low; not kept.
  explicit ScoreIndex(std::span<const double> scores) {
    if (scores.empty()) {
      return;
    }
    const auto buckets = static_cast<double>(2 * scores.size());
    const double per_score = buckets / (scores.front() - scores.back());
    // One bucket when all scores are equal, or so far apart or so close together that their difference overflows a double.
    if (std::isfinite(per_score) && per_score > 0) {
      highest_ = scores.front();
      per_score_ = per_score;
      last_ = buckets;
    }
    begin_.reserve(static_cast<std::size_t>(last_) + 2);
    for (std::uint32_t i = 0; i < scores.size(); ++i) {
      begin_.resize(bucket_of(scores[i]) + 1, i);
    }
    begin_.resize(static_cast<std::size_t>(last_) + 2, static_cast<std::uint32_t>(scores.size()));
  }

  /// Indices (begin, end): the scores before begin are above `score`, those from end on below it. Between them the caller searches.
  std::pair<std::size_t, std::size_t> narrow(double score) const {
    if (begin_.empty()) {
      return {0, 0};
    }
    const std::size_t bucket = bucket_of(score);
    return {begin_[bucket], begin_[bucket + 1]};
  }

 private:
  /// Never falls when the score falls, rounding included: that alone makes `narrow` right.
  std::size_t bucket_of(double score) const {
    return last_ == 0 ? 0 : static_cast<std::size_t>(std::clamp((highest_ - score) * per_score_, 0.0, last_));
  }

  double highest_ = 0;
  double per_score_ = 0;
  double last_ = 0;                   ///< the last bucket
  std::vector<std::uint32_t> begin_;  ///< of each bucket: the first score in it or in a later one; and the end
};

}  // namespace verilabel
