#include "verilabel/evaluate/voc.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/nearby_truths.h"
#include "verilabel/evaluate/overlap.h"
#include "verilabel/evaluate/precision_recall.h"
#include "verilabel/geometry/box.h"

namespace verilabel {
namespace {

constexpr int kRecallSteps = 10;

double area_2007(const PrecisionRecall& curve) {
  double sum = 0;
  for (int step = 0; step <= kRecallSteps; ++step) {
    double greatest = 0;
    for (std::size_t i = 0; i < curve.recall.size(); ++i) {
      if (curve.recall[i] >= static_cast<double>(step) / kRecallSteps) {
        greatest = std::max(greatest, curve.precision[i]);
      }
    }
    sum += greatest / (kRecallSteps + 1);
  }
  return sum;
}

class ClassJudge {
 public:
  ClassJudge(const EvaluationInput& input, std::span<const std::uint8_t> is_difficult, const VocOptions& options)
      : input_(input), is_difficult_(is_difficult), options_(options), truths_(input.truths.image, input.images.size()) {
    for (const Box& box : input.truths.box_xywh_px) {
      truth_boxes_.push_back(with_sides(box));
    }
  }

  /// `predictions` are those of the class.
  VocClass judge(std::uint32_t category, std::vector<std::uint32_t> predictions) const {
    const EvaluatedPredictions& all = input_.predictions;
    std::sort(predictions.begin(), predictions.end(), [&](std::uint32_t a, std::uint32_t b) {
      if (all.score[a] != all.score[b]) {
        return all.score[a] > all.score[b];
      }
      const std::int64_t image_a = input_.images.ranks()[all.image[a]];
      const std::int64_t image_b = input_.images.ranks()[all.image[b]];
      return image_a != image_b ? image_a < image_b : a < b;
    });
    VocClass result;
    for (std::size_t i = 0; i < input_.truths.size(); ++i) {
      result.truths += input_.truths.category[i] == category && is_difficult_[i] == 0 ? 1 : 0;
    }
    const std::vector<Best> best = best_truths(category, predictions);
    std::vector<std::uint8_t> is_taken(input_.truths.size(), 0);
    PrecisionRecall curve;
    for (const auto& [truth, overlap] : best) {
      const bool is_hit = overlap > options_.iou;
      if (is_hit && is_difficult_[truth] != 0) {
        continue;
      }
      const bool is_right = is_hit && std::exchange(is_taken[truth], std::uint8_t{1}) == 0;
      ++(is_right ? result.true_positives : result.false_positives);
      curve.precision.push_back(static_cast<double>(result.true_positives) /
                                static_cast<double>(result.true_positives + result.false_positives));
      curve.recall.push_back(static_cast<double>(result.true_positives) / static_cast<double>(result.truths));
    }
    if (result.truths > 0) {
      result.ap = options_.year == VocYear::voc_2007 ? area_2007(curve) : area_under_envelope(std::move(curve));
    }
    return result;
  }

 private:
  struct Best {
    std::uint32_t truth = 0;
    double overlap = 0;
  };

  /// Of each prediction the truth of the class that it overlaps most, the first of equals.
  std::vector<Best> best_truths(std::uint32_t category, std::span<const std::uint32_t> predictions) const {
    const std::vector<std::uint32_t>& image_of = input_.predictions.image;
    std::vector<std::uint32_t> by_image(predictions.size());
    std::iota(by_image.begin(), by_image.end(), 0U);
    std::sort(by_image.begin(), by_image.end(),
              [&](std::uint32_t a, std::uint32_t b) { return image_of[predictions[a]] < image_of[predictions[b]]; });
    std::vector<Best> best(predictions.size());
    std::vector<std::uint32_t> truths;
    for (std::size_t begin = 0, end = 0; begin < by_image.size(); begin = end) {
      const std::uint32_t image = image_of[predictions[by_image[begin]]];
      const std::span<const std::uint32_t> on_image = truths_.of(image);
      truths.clear();
      std::copy_if(on_image.begin(), on_image.end(), std::back_inserter(truths),
                   [&](std::uint32_t truth) { return input_.truths.category[truth] == category; });
      NearbyTruths nearby(truth_boxes_, truths);
      for (; end < by_image.size() && image_of[predictions[by_image[end]]] == image; ++end) {
        const Box box = with_sides(input_.predictions.box_xywh_px[predictions[by_image[end]]]);
        best[by_image[end]] = best_of(nearby.around(box), box);
      }
    }
    return best;
  }

  Best best_of(std::span<const std::uint32_t> truths, const Box& box) const {
    Best best;
    for (const std::uint32_t truth : truths) {
      if (is_apart(box, truth_boxes_[truth])) {
        continue;
      }
      if (const double overlap = iou(box, truth_boxes_[truth]); overlap > best.overlap) {
        best = {truth, overlap};
      }
    }
    return best;
  }

  Box with_sides(Box box) const {
    box.w += options_.has_whole_pixels ? 1 : 0;
    box.h += options_.has_whole_pixels ? 1 : 0;
    return box;
  }

  const EvaluationInput& input_;
  std::span<const std::uint8_t> is_difficult_;
  const VocOptions& options_;
  ImageGroups truths_;
  std::vector<Box> truth_boxes_;  ///< with the pixels at their ends
};

void check(const EvaluationInput& input, std::span<const std::uint8_t> is_difficult, const VocOptions& options) {
  check_labels(input);
  if (is_difficult.size() != input.truths.size()) {
    throw Error(ErrorCode::wrong_use, "VOC needs to know of each truth whether it is difficult");
  }
  if (!(options.iou >= 0 && options.iou < 1)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the IoU to exceed must be at least 0 and below 1, not {}", options.iou));
  }
}

}  // namespace

VocResult voc_average_precision(const EvaluationInput& input, std::span<const std::uint8_t> is_difficult,
                                const VocOptions& options) {
  check(input, is_difficult, options);
  std::vector<std::vector<std::uint32_t>> predictions(input.classes.size());
  for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
    predictions[input.predictions.category[i]].push_back(i);
  }
  const ClassJudge judge(input, is_difficult, options);
  VocResult result;
  result.per_class.resize(input.classes.size());
  for_each_in_parallel(input.classes.size(), options.threads, [&](std::size_t k) {
    result.per_class[k] = judge.judge(static_cast<std::uint32_t>(k), std::move(predictions[k]));
  });
  double sum = 0;
  int count = 0;
  for (const VocClass& of_class : result.per_class) {
    sum += of_class.ap.value_or(0);
    count += of_class.ap ? 1 : 0;
  }
  result.map = count == 0 ? std::nullopt : std::optional(sum / count);
  return result;
}

}  // namespace verilabel
