#include "verilabel/evaluate/voc.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/input_check.h"
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
      : input_(input), is_difficult_(is_difficult), options_(options), truths_(input.truths.image, input.images.size()) {}

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
    std::vector<std::uint8_t> is_taken(input_.truths.size(), 0);
    PrecisionRecall curve;
    for (const std::uint32_t prediction : predictions) {
      const auto [truth, overlap] = best_truth(category, prediction);
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
  std::pair<std::uint32_t, double> best_truth(std::uint32_t category, std::uint32_t prediction) const {
    const auto sides = [&](Box box) {
      box.w += options_.has_whole_pixels ? 1 : 0;
      box.h += options_.has_whole_pixels ? 1 : 0;
      return box;
    };
    std::pair<std::uint32_t, double> best{0, 0};
    const Box box = sides(input_.predictions.box_xywh_px[prediction]);
    for (const std::uint32_t truth : truths_.of(input_.predictions.image[prediction])) {
      const Box other = sides(input_.truths.box_xywh_px[truth]);
      if (input_.truths.category[truth] != category || is_apart(box, other)) {
        continue;
      }
      if (const double overlap = iou(box, other); overlap > best.second) {
        best = {truth, overlap};
      }
    }
    return best;
  }

  const EvaluationInput& input_;
  std::span<const std::uint8_t> is_difficult_;
  const VocOptions& options_;
  ImageGroups truths_;
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
