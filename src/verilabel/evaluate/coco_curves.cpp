#include "verilabel/evaluate/coco_curves.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/coco.h"
#include "verilabel/evaluate/score_index.h"

namespace verilabel {
namespace {

/// A prediction that has a partner in some cell. Only such move a curve; of all others it is enough to know how many come before.
struct Ranked {
  double score = 0;
  std::uint32_t position = 0;  ///< in `Matching::prediction_order`
  std::uint32_t rank = 0;      ///< on its image
  CellMask matched = 0;
  CellMask counting = 0;  ///< matched with a truth that counts

  bool is_before(double other_score, std::uint32_t other_position) const {
    return score > other_score || (score == other_score && position < other_position);
  }
};

/// The matched predictions of each class, best first.
struct Rankings {
  std::vector<Ranked> entries;
  std::vector<std::size_t> begin;   ///< of each class in `entries`, and the end
  std::vector<ScoreIndex> indices;  ///< of each class

  std::span<const Ranked> of(std::size_t category) const {
    return std::span(entries).subspan(begin[category], begin[category + 1] - begin[category]);
  }
};

/// Predictions within each range, by the first entry that they do not come after: entry i stands for itself and those between it
/// and the entry before. Those after the last entry of a class cannot change a curve and are left out.
using RangeCounts = std::array<std::uint32_t, kCocoRanges>;

/// The sum in the order of `numpy.add.reduce` over contiguous doubles, so that means are the same doubles.
double pairwise_sum(std::span<const double> values) {
  constexpr std::size_t block = 128;
  const std::size_t n = values.size();
  if (n < 8) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  if (n <= block) {
    std::array<double, 8> lanes{};
    std::copy_n(values.begin(), 8, lanes.begin());
    std::size_t i = 8;
    for (; i + 8 <= n; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) {
        lanes[lane] += values[i + lane];
      }
    }
    double sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    for (; i < n; ++i) {
      sum += values[i];
    }
    return sum;
  }
  const std::size_t half = n / 2 - n / 2 % 8;
  return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
}

std::optional<double> mean(std::span<const double> values) {
  if (values.empty()) {
    return std::nullopt;
  }
  return pairwise_sum(values) / static_cast<double>(values.size());
}

Rankings rank_matched(const EvaluationInput& input, const Matching& matching, std::span<const std::uint32_t> positions,
                      unsigned threads) {
  const std::vector<std::uint32_t>& category = input.predictions.category;
  const std::vector<Match>& matches = matching.matches;
  const auto is_first_of_prediction = [&](std::size_t i) { return i == 0 || matches[i].prediction != matches[i - 1].prediction; };
  Rankings rankings;
  rankings.begin.assign(input.classes.size() + 1, 0);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    rankings.begin[category[matches[i].prediction] + 1] += is_first_of_prediction(i) ? 1 : 0;
  }
  std::partial_sum(rankings.begin.begin(), rankings.begin.end(), rankings.begin.begin());
  rankings.entries.resize(rankings.begin.back());
  std::vector<std::size_t> next(rankings.begin.begin(), rankings.begin.end() - 1);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const Match& match = matches[i];
    std::size_t& end = next[category[match.prediction]];
    if (is_first_of_prediction(i)) {
      rankings.entries[end++] = {input.predictions.score[match.prediction], positions[match.prediction], match.rank, 0, 0};
    }
    Ranked& entry = rankings.entries[end - 1];
    entry.matched |= match.cells;
    entry.counting |= match.cells & ~matching.truth_ignored[match.truth];
  }
  rankings.indices.resize(input.classes.size());
  for_each_in_parallel(input.classes.size(), threads, [&](std::size_t k) {
    const auto begin = rankings.entries.begin() + static_cast<std::ptrdiff_t>(rankings.begin[k]);
    const auto end = rankings.entries.begin() + static_cast<std::ptrdiff_t>(rankings.begin[k + 1]);
    std::sort(begin, end, [](const Ranked& a, const Ranked& b) { return a.is_before(b.score, b.position); });
    std::vector<double> scores;
    std::transform(begin, end, std::back_inserter(scores), [](const Ranked& entry) { return entry.score; });
    rankings.indices[k] = ScoreIndex(scores);
  });
  return rankings;
}

std::vector<RangeCounts> count_between(const EvaluationInput& input, const Matching& matching, const Rankings& rankings,
                                       unsigned threads) {
  // Each thread counts a stretch of the predictions for itself; whole numbers add up the same in any order.
  const std::size_t stretch = std::max<std::size_t>(16384, input.predictions.size() / thread_count(threads) + 1);
  const std::vector<std::size_t> ends = range_ends(input.predictions.size(), stretch);
  std::vector<std::vector<RangeCounts>> parts(ends.size());
  for_each_in_parallel(ends.size(), threads, [&](std::size_t part) {
    std::vector<RangeCounts>& counts = parts[part];
    counts.assign(rankings.entries.size(), {});
    for (std::size_t position = part == 0 ? 0 : ends[part - 1]; position < ends[part]; ++position) {
      const std::uint32_t prediction = matching.prediction_order[position];
      if (matching.is_within_limit[prediction] == 0) {
        continue;
      }
      const std::uint32_t category = input.predictions.category[prediction];
      const double score = input.predictions.score[prediction];
      const auto [from, to] = rankings.indices[category].narrow(score);
      const std::span<const Ranked> near = rankings.of(category).subspan(from, to - from);
      const auto entry = std::partition_point(near.begin(), near.end(), [&](const Ranked& ranked) {
        return ranked.is_before(score, static_cast<std::uint32_t>(position));
      });
      const std::size_t at = rankings.begin[category] + from + static_cast<std::size_t>(entry - near.begin());
      if (at == rankings.begin[category + 1]) {
        continue;
      }
      RangeCounts& count = counts[at];
      for (std::size_t range = 0; range < kCocoRanges; ++range) {
        count[range] += std::uint32_t{matching.prediction_ranges[prediction]} >> range & 1U;
      }
    }
  });
  std::vector<RangeCounts> sum = parts.empty() ? std::vector<RangeCounts>(rankings.entries.size()) : std::move(parts.front());
  for (std::size_t part = 1; part < parts.size(); ++part) {
    for (std::size_t i = 0; i < sum.size(); ++i) {
      for (std::size_t range = 0; range < kCocoRanges; ++range) {
        sum[i][range] += parts[part][i][range];
      }
    }
  }
  return sum;
}

/// For each recall point how many true positives it takes to reach it; at least 1, because the curve has no value before its first.
std::array<std::size_t, kRecallPoints> needed_for_recall(std::int64_t truths) {
  std::array<std::size_t, kRecallPoints> needed{};
  std::size_t count = 1;
  for (std::size_t i = 0; i < kRecallPoints; ++i) {
    const double recall = linspace(0, 1, kRecallPoints, i);
    while (static_cast<double>(count) / static_cast<double>(truths) < recall) {
      ++count;
    }
    needed[i] = count;
  }
  return needed;
}

/// Precision at each recall point from the precision at each true positive, which is made non-increasing first.
std::array<double, kRecallPoints> sample_precision(std::span<double> at_true_positive, std::span<const std::size_t> needed) {
  for (std::size_t i = at_true_positive.size(); i-- > 1;) {
    at_true_positive[i - 1] = std::max(at_true_positive[i - 1], at_true_positive[i]);
  }
  std::array<double, kRecallPoints> sampled{};
  for (std::size_t i = 0; i < kRecallPoints && needed[i] <= at_true_positive.size(); ++i) {
    sampled[i] = at_true_positive[needed[i] - 1];
  }
  return sampled;
}

/// `entries` and `counts` are of one class, `ranges` by position.
void fill_curves(ClassCurves& curves, std::span<const Ranked> entries, std::span<const RangeCounts> counts,
                 const Matching& matching) {
  const std::size_t thresholds = matching.options.iou_thresholds.size();
  std::array<std::vector<double>, kCocoRanges * kCocoThresholds> precision;
  std::array<std::uint32_t, kCocoRanges * kCocoThresholds> matched_in_range{};
  std::array<std::uint32_t, kCocoThresholds> found_1{};
  std::array<std::uint32_t, kCocoThresholds> found_10{};
  RangeCounts seen{};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Ranked& entry = entries[i];
    const std::uint32_t ranges = matching.prediction_ranges[matching.prediction_order[entry.position]];
    for (std::size_t range = 0; range < kCocoRanges; ++range) {
      seen[range] += counts[i][range];
      const std::size_t first = range * thresholds;
      const std::uint32_t in_range = ranges >> range & 1U;
      for (CellMask left = entry.matched >> first & ((1U << kCocoThresholds) - 1); left != 0; left &= left - 1) {
        const auto threshold = static_cast<std::size_t>(std::countr_zero(left));
        const std::size_t cell = range * kCocoThresholds + threshold;
        matched_in_range[cell] += in_range;
        if ((entry.counting >> (first + threshold) & 1U) == 0) {
          continue;
        }
        // What is in the range and has no partner is wrong; the reference adds the machine epsilon to the divisor.
        const auto true_positives = static_cast<double>(precision[cell].size() + 1);
        const auto false_positives = static_cast<double>(seen[range] - matched_in_range[cell]);
        precision[cell].push_back(true_positives / (false_positives + true_positives + std::numeric_limits<double>::epsilon()));
        if (range == 0) {
          found_1[threshold] += entry.rank < 1 ? 1 : 0;
          found_10[threshold] += entry.rank < 10 ? 1 : 0;
        }
      }
    }
  }
  for (std::size_t range = 0; range < kCocoRanges; ++range) {
    if (curves.truths[range] == 0) {
      continue;
    }
    const auto truths = static_cast<double>(curves.truths[range]);
    const std::array<std::size_t, kRecallPoints> needed = needed_for_recall(curves.truths[range]);
    for (std::size_t threshold = 0; threshold < kCocoThresholds; ++threshold) {
      std::vector<double>& at_true_positive = precision[range * kCocoThresholds + threshold];
      curves.precision[range][threshold] = sample_precision(at_true_positive, needed);
      curves.recall[range][threshold] = static_cast<double>(at_true_positive.size()) / truths;
      if (range == 0) {
        curves.recall_1[threshold] = found_1[threshold] / truths;
        curves.recall_10[threshold] = found_10[threshold] / truths;
      }
    }
  }
}

void check(const EvaluationInput& input, const Matching& matching) {
  const MatchOptions expected = coco_match_options();
  const MatchOptions& actual = matching.options;
  const auto same_range = [](const AreaRange& a, const AreaRange& b) {
    return a.least_px == b.least_px && a.greatest_px == b.greatest_px;
  };
  if (actual.iou_thresholds.size() < kCocoThresholds ||
      !std::equal(expected.iou_thresholds.begin(), expected.iou_thresholds.end(), actual.iou_thresholds.begin()) ||
      !std::equal(expected.area_ranges.begin(), expected.area_ranges.end(), actual.area_ranges.begin(), actual.area_ranges.end(),
                  same_range) ||
      actual.area_ranges.size() != kCocoRanges) {
    throw Error(ErrorCode::wrong_use, "COCO metrics take a matching pass made with coco_match_options");
  }
  if (matching.prediction_order.size() != input.predictions.size() || matching.truth_ignored.size() != input.truths.size()) {
    throw Error(ErrorCode::wrong_use, "this matching pass was made from other truths and predictions");
  }
}

}  // namespace

double linspace(double start, double stop, std::size_t count, std::size_t i) {
  return i + 1 == count ? stop : static_cast<double>(i) * ((stop - start) / static_cast<double>(count - 1)) + start;
}

std::vector<ClassCurves> class_curves(const EvaluationInput& input, const Matching& matching) {
  check(input, matching);
  const unsigned threads = matching.options.threads;
  std::vector<std::uint32_t> positions(matching.prediction_order.size());
  for (std::uint32_t position = 0; position < positions.size(); ++position) {
    positions[matching.prediction_order[position]] = position;
  }
  const Rankings rankings = rank_matched(input, matching, positions, threads);
  const std::vector<RangeCounts> counts = count_between(input, matching, rankings, threads);

  std::vector<ClassCurves> curves(input.classes.size());
  for (std::size_t truth = 0; truth < input.truths.size(); ++truth) {
    for (std::size_t range = 0; range < kCocoRanges; ++range) {
      curves[input.truths.category[truth]].truths[range] +=
          (matching.truth_ignored[truth] >> matching.cell(range, 0) & 1U) == 0 ? 1 : 0;
    }
  }
  for_each_in_parallel(curves.size(), threads, [&](std::size_t k) {
    fill_curves(curves[k], rankings.of(k), std::span(counts).subspan(rankings.begin[k], rankings.begin[k + 1] - rankings.begin[k]),
                matching);
  });
  return curves;
}

std::vector<const ClassCurves*> by_class_id(const EvaluationInput& input, const std::vector<ClassCurves>& curves) {
  std::vector<const ClassCurves*> by_id(curves.size());
  std::vector<std::size_t> order(curves.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return input.classes.id[a] < input.classes.id[b]; });
  std::transform(order.begin(), order.end(), by_id.begin(), [&](std::size_t k) { return &curves[k]; });
  return by_id;
}

std::optional<double> mean_precision(std::span<const ClassCurves* const> classes, std::size_t range, std::size_t first,
                                     std::size_t last) {
  std::vector<double> values;
  values.reserve((last - first) * kRecallPoints * classes.size());
  for (std::size_t threshold = first; threshold < last; ++threshold) {
    for (std::size_t point = 0; point < kRecallPoints; ++point) {
      for (const ClassCurves* curves : classes) {
        if (curves->truths[range] > 0) {
          values.push_back(curves->precision[range][threshold][point]);
        }
      }
    }
  }
  return mean(values);
}

std::optional<double> mean_recall(std::span<const ClassCurves* const> classes, std::size_t range,
                                  const std::array<double, kCocoThresholds>& (*recall_of)(const ClassCurves&, std::size_t range)) {
  std::vector<double> values;
  for (std::size_t threshold = 0; threshold < kCocoThresholds; ++threshold) {
    for (const ClassCurves* curves : classes) {
      if (curves->truths[range] > 0) {
        values.push_back(recall_of(*curves, range)[threshold]);
      }
    }
  }
  return mean(values);
}

}  // namespace verilabel
