#include "verilabel/evaluate/confusion.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <tuple>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/nearby_truths.h"
#include "verilabel/evaluate/overlap.h"

namespace verilabel {
namespace {

constexpr std::size_t kImagesOfABlock = 128;

void check(const EvaluationInput& input, const Outcomes& outcomes, const PairingOptions& options) {
  if (!(options.iou > 0 && options.iou <= 1)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the IoU of a pair must be above 0 and at most 1, not {}", options.iou));
  }
  check_outcomes(input, outcomes);
  check_labels(input);
  if (options.iou_type == IouType::mask) {
    check_masks(input);
  }
}

std::vector<std::uint8_t> left_out(const std::vector<LabelOutcome>& outcomes) {
  std::vector<std::uint8_t> flags;
  flags.reserve(outcomes.size());
  for (const LabelOutcome& label : outcomes) {
    flags.push_back(label.outcome == Outcome::ignored ? 1 : 0);
  }
  return flags;
}

class ImagePairer {
 public:
  ImagePairer(const EvaluationInput& input, const Overlaps& overlaps, const PairingOptions& options, Pairing& pairing)
      : input_(input), overlaps_(overlaps), options_(options), pairing_(pairing) {}

  void pair(std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) {
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
      const auto key_of = [&](std::uint32_t i) {
        return std::tuple(-input_.predictions.score[i], input_.classes.id[input_.predictions.category[i]], i);
      };
      return key_of(a) < key_of(b);
    };
    order_.clear();
    std::copy_if(predictions.begin(), predictions.end(), std::back_inserter(order_),
                 [&](std::uint32_t prediction) { return pairing_.is_prediction_left_out[prediction] == 0; });
    std::sort(order_.begin(), order_.end(), before);
    NearbyTruths nearby(overlaps_.truth_boxes(), truths);
    for (const std::uint32_t prediction : order_) {
      take_best(nearby.around(overlaps_.prediction_boxes()[prediction]), prediction);
    }
  }

 private:
  void take_best(std::span<const std::uint32_t> truths, std::uint32_t prediction) {
    std::uint32_t best = kNoPartner;
    double greatest = 0;
    for (const std::uint32_t truth : truths) {
      if (pairing_.is_truth_left_out[truth] != 0 || pairing_.prediction_of_truth[truth] != kNoPartner) {
        continue;
      }
      const double overlap = overlaps_.of(prediction, truth, masks_);
      if (overlap >= options_.iou && overlap >= greatest) {
        best = truth;
        greatest = overlap;
      }
    }
    if (best != kNoPartner) {
      pairing_.truth_of_prediction[prediction] = best;
      pairing_.prediction_of_truth[best] = prediction;
    }
  }

  const EvaluationInput& input_;
  const Overlaps& overlaps_;
  const PairingOptions& options_;
  Pairing& pairing_;
  std::vector<std::uint32_t> order_;
  MaskPair masks_;
};

}  // namespace

Pairing pair_across_classes(const EvaluationInput& input, const Outcomes& outcomes, const PairingOptions& options) {
  check(input, outcomes, options);
  const ImageGroups truths(input.truths.image, input.images.size());
  const ImageGroups predictions(input.predictions.image, input.images.size());
  const Overlaps overlaps(input, options.iou_type, options.threads);
  Pairing pairing;
  pairing.truth_of_prediction.assign(input.predictions.size(), kNoPartner);
  pairing.prediction_of_truth.assign(input.truths.size(), kNoPartner);
  pairing.is_prediction_left_out = left_out(outcomes.predictions);
  pairing.is_truth_left_out = left_out(outcomes.truths);
  const std::vector<std::size_t> ends = range_ends(input.images.size(), kImagesOfABlock);
  for_each_in_parallel(ends.size(), options.threads, [&](std::size_t block) {
    ImagePairer pairer(input, overlaps, options, pairing);
    for (std::size_t image = block == 0 ? 0 : ends[block - 1]; image < ends[block]; ++image) {
      pairer.pair(truths.of(image), predictions.of(image));
    }
  });
  return pairing;
}

ConfusionMatrix confusion_at(const EvaluationInput& input, const Pairing& pairing, std::optional<double> threshold) {
  ConfusionMatrix matrix(input.classes.size());
  const auto counts = [&](std::uint32_t prediction) { return !threshold || input.predictions.score[prediction] >= *threshold; };
  for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
    if (pairing.is_prediction_left_out[i] != 0 || !counts(i)) {
      continue;
    }
    const std::uint32_t truth = pairing.truth_of_prediction[i];
    matrix.add(truth == kNoPartner ? matrix.background() : input.truths.category[truth], input.predictions.category[i]);
  }
  for (std::uint32_t i = 0; i < input.truths.size(); ++i) {
    const std::uint32_t prediction = pairing.prediction_of_truth[i];
    if (pairing.is_truth_left_out[i] == 0 && (prediction == kNoPartner || !counts(prediction))) {
      matrix.add(input.truths.category[i], matrix.background());
    }
  }
  return matrix;
}

}  // namespace verilabel
