#include "verilabel/evaluate/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/input_check.h"

namespace verilabel {
namespace {

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
class SplitMix {
 public:
  explicit SplitMix(std::uint64_t state) : state_(state) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

/// A prediction that counts, of one class or of all; from the highest score down.
struct Scored {
  double score;
  std::uint32_t image;
  bool is_right;
};

struct Rows {
  std::vector<Scored> predictions;
  std::vector<std::uint32_t> truth_images;
};

/// Rows of each class, and of all together after them.
std::vector<Rows> rows_of(const EvaluationInput& input, const Outcomes& outcomes) {
  std::vector<Rows> rows(input.classes.size() + 1);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    if (outcomes.predictions[i].outcome != Outcome::ignored) {
      const Scored one{input.predictions.score[i], input.predictions.image[i], outcomes.predictions[i].outcome == Outcome::tp};
      rows[input.predictions.category[i]].predictions.push_back(one);
      rows.back().predictions.push_back(one);
    }
  }
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (outcomes.truths[i].outcome != Outcome::ignored) {
      rows[input.truths.category[i]].truth_images.push_back(input.truths.image[i]);
      rows.back().truth_images.push_back(input.truths.image[i]);
    }
  }
  for (Rows& of_class : rows) {
    std::sort(of_class.predictions.begin(), of_class.predictions.end(),
              [](const Scored& a, const Scored& b) { return a.score > b.score; });
  }
  return rows;
}

std::optional<OperatingPoint> point_on_resample(const Rows& rows, std::span<const std::uint32_t> weights,
                                                const ThresholdGoal& goal) {
  Counts counts;
  for (const std::uint32_t image : rows.truth_images) {
    counts.false_negatives += weights[image];
  }
  ThresholdSearch search(goal, counts.false_negatives);
  // A score that none of the images drawn has is no threshold of the resample.
  bool is_drawn = false;
  for (std::size_t i = 0; i < rows.predictions.size(); ++i) {
    const Scored& one = rows.predictions[i];
    const std::int64_t weight = weights[one.image];
    (one.is_right ? counts.true_positives : counts.false_positives) += weight;
    counts.false_negatives -= one.is_right ? weight : 0;
    is_drawn = is_drawn || weight > 0;
    const bool is_last_of_score = i + 1 == rows.predictions.size() || rows.predictions[i + 1].score != one.score;
    if (is_last_of_score && is_drawn) {
      if (search.offer({one.score, counts})) {
        break;
      }
      is_drawn = false;
    }
  }
  return search.best();
}

}  // namespace

void BootstrapOptions::validate() const {
  if (resamples < 1 || !(confidence > 0 && confidence < 1)) {
    throw Error(ErrorCode::wrong_use, "a bootstrap needs at least one resample and a confidence between 0 and 1");
  }
}

std::vector<std::uint32_t> resample_counts(std::size_t images, std::uint64_t seed, std::uint64_t resample) {
  std::vector<std::uint32_t> counts(images, 0);
  SplitMix of_seed(seed + resample * 0xD1B54A32D192ED03U);
  SplitMix random(of_seed.next());
  for (std::size_t draw = 0; draw < images; ++draw) {
    // The high half of a product spreads 32 random bits over the images, evenly up to one part in 2^32 an image.
    ++counts[static_cast<std::size_t>(((random.next() >> 32) * images) >> 32)];
  }
  return counts;
}

std::optional<Interval> percentile_interval(std::vector<double> values, double confidence) {
  if (values.empty()) {
    return std::nullopt;
  }
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double part) {
    const double at = part * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
  };
  return Interval{quantile((1 - confidence) / 2), quantile((1 + confidence) / 2)};
}

ThresholdIntervals bootstrap_thresholds(const EvaluationInput& input, const Outcomes& outcomes, const ThresholdGoal& goal,
                                        const BootstrapOptions& options) {
  options.validate();
  goal.validate();
  check_outcomes(input, outcomes);
  const std::vector<Rows> rows = rows_of(input, outcomes);
  const auto resamples = static_cast<std::size_t>(options.resamples);
  std::vector<std::vector<std::optional<OperatingPoint>>> points(resamples);
  for_each_in_parallel(resamples, options.threads, [&](std::size_t resample) {
    const std::vector<std::uint32_t> weights = resample_counts(input.images.size(), options.seed, resample);
    for (const Rows& of_class : rows) {
      points[resample].push_back(point_on_resample(of_class, weights, goal));
    }
  });
  std::vector<PointIntervals> intervals(rows.size());
  for (std::size_t k = 0; k < rows.size(); ++k) {
    std::vector<double> threshold;
    std::vector<double> precision;
    std::vector<double> recall;
    std::vector<double> f1;
    for (const auto& of_resample : points) {
      if (const std::optional<OperatingPoint>& point = of_resample[k]) {
        threshold.push_back(*point->threshold);
        precision.push_back(point->counts.precision().value_or(0));
        recall.push_back(point->counts.recall().value_or(0));
        f1.push_back(point->counts.f1().value_or(0));
      }
    }
    intervals[k].resamples = static_cast<int>(threshold.size());
    intervals[k].threshold = percentile_interval(std::move(threshold), options.confidence);
    intervals[k].precision = percentile_interval(std::move(precision), options.confidence);
    intervals[k].recall = percentile_interval(std::move(recall), options.confidence);
    intervals[k].f1 = percentile_interval(std::move(f1), options.confidence);
  }
  ThresholdIntervals result;
  result.overall = intervals.back();
  intervals.pop_back();
  result.per_class = std::move(intervals);
  return result;
}

}  // namespace verilabel
