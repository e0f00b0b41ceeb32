#include "verilabel/evaluate/error_kind.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/average_precision.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/nearby_truths.h"
#include "verilabel/evaluate/overlap.h"

namespace verilabel {
namespace {

constexpr std::size_t kImagesOfABlock = 128;

bool is_placed_or_classed_wrong(ErrorKind kind) {
  return kind == ErrorKind::classification || kind == ErrorKind::localization;
}

class Classifier {
 public:
  Classifier(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options)
      : input_(input), overlaps_(input, options.iou_type, options.threads), outcomes_(outcomes), options_(options) {}

  /// `truths` are those of the prediction's image.
  void classify_image(std::span<const std::uint32_t> predictions, std::span<const std::uint32_t> truths, MaskPair& masks,
                      std::vector<LabelError>& errors) const {
    NearbyTruths nearby(overlaps_.truth_boxes(), truths);
    // Where no overlap is too little to be a wrong place, a truth that is far away is one.
    const bool may_be_apart = options_.background_iou == 0;
    for (const std::uint32_t prediction : predictions) {
      if (outcomes_.predictions[prediction].outcome == Outcome::fp) {
        const Box& box = overlaps_.prediction_boxes()[prediction];
        errors[prediction] = classify(prediction, may_be_apart ? truths : nearby.around(box), masks);
      }
    }
  }

 private:
  struct Best {
    double overlap = 0;
    std::uint32_t truth = kNoPartner;
    void offer(double other, std::uint32_t other_truth) {
      if (truth == kNoPartner || other > overlap) {
        overlap = other;
        truth = other_truth;
      }
    }
    LabelError as(ErrorKind kind) const { return {kind, truth, overlap}; }
  };

  LabelError classify(std::uint32_t prediction, std::span<const std::uint32_t> truths, MaskPair& masks) const {
    Best same_class;
    Best other_class;
    Best taken;  // of the same class
    Best any;
    for (const std::uint32_t truth : truths) {
      if (outcomes_.truths[truth].outcome == Outcome::ignored) {
        continue;
      }
      const double overlap = overlaps_.of(prediction, truth, masks);
      any.offer(overlap, truth);
      if (input_.truths.category[truth] != input_.predictions.category[prediction]) {
        other_class.offer(overlap, truth);
        continue;
      }
      same_class.offer(overlap, truth);
      if (outcomes_.truths[truth].outcome == Outcome::tp) {
        taken.offer(overlap, truth);
      }
    }
    if (same_class.truth != kNoPartner && same_class.overlap >= options_.background_iou && same_class.overlap <= options_.iou) {
      return same_class.as(ErrorKind::localization);
    }
    if (other_class.overlap >= options_.iou) {
      return other_class.as(ErrorKind::classification);
    }
    if (taken.overlap >= options_.iou) {
      return taken.as(ErrorKind::duplicate);
    }
    if (any.overlap <= options_.background_iou) {
      return {ErrorKind::background, kNoPartner, any.overlap};
    }
    return any.as(ErrorKind::both);
  }

  const EvaluationInput& input_;
  Overlaps overlaps_;
  const Outcomes& outcomes_;
  const ErrorOptions& options_;
};

std::vector<LabelError> errors_of_predictions(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options) {
  const ImageGroups truths(input.truths.image, input.images.size());
  const ImageGroups predictions(input.predictions.image, input.images.size());
  std::vector<LabelError> errors(input.predictions.size());
  const Classifier classifier(input, outcomes, options);
  const std::vector<std::size_t> ends = range_ends(input.images.size(), kImagesOfABlock);
  for_each_in_parallel(ends.size(), options.threads, [&](std::size_t block) {
    MaskPair masks;
    for (std::size_t image = block == 0 ? 0 : ends[block - 1]; image < ends[block]; ++image) {
      classifier.classify_image(predictions.of(image), truths.of(image), masks, errors);
    }
  });
  return errors;
}

/// A prediction on the way to average precision.
struct Entry {
  double score = 0;
  std::int64_t image_rank = 0;
  std::uint32_t prediction = 0;
  bool is_right = false;
};

/// The order of COCO.
bool is_before(const Entry& a, const Entry& b) {
  return std::tuple(-a.score, a.image_rank, a.prediction) < std::tuple(-b.score, b.image_rank, b.prediction);
}

/// `entries` are in the order that they count in; 0 without truth. Nothing for a class of which nothing is left.
std::optional<double> average_precision(std::span<const Entry> entries, std::int64_t truths,
                                        std::vector<double>& precision_at_hit) {
  if (truths <= 0) {
    return entries.empty() ? std::nullopt : std::optional(0.0);
  }
  precision_at_hit.clear();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].is_right) {
      precision_at_hit.push_back(static_cast<double>(precision_at_hit.size() + 1) / static_cast<double>(i + 1));
    }
  }
  return average_precision_of(precision_at_hit, truths);
}

/// What average precision would be with some errors mended.
class Mending {
 public:
  Mending(const EvaluationInput& input, const Outcomes& outcomes, const LabelErrors& errors, unsigned threads)
      : errors_(errors.predictions), is_mendable_(input.predictions.size(), 0), threads_(threads) {
    for (const LabelError& error : errors.truths) {
      if (error.about != kNoPartner) {
        is_mendable_[error.about] = 1;
      }
    }
    const std::size_t classes = input.classes.size();
    entries_.resize(classes);
    moved_.resize(classes);
    truths_.assign(classes, 0);
    missed_.assign(classes, 0);
    not_found_.assign(classes, 0);
    for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
      const Outcome outcome = outcomes.predictions[i].outcome;
      Entry entry{input.predictions.score[i], input.images.ranks()[input.predictions.image[i]], i, outcome == Outcome::tp};
      if (outcome != Outcome::ignored) {
        entries_[input.predictions.category[i]].push_back(entry);
      }
      if (errors_[i].kind == ErrorKind::classification && is_mendable_[i] != 0) {
        entry.is_right = true;
        moved_[input.truths.category[errors_[i].about]].push_back(entry);
      }
    }
    for (std::uint32_t i = 0; i < input.truths.size(); ++i) {
      if (outcomes.truths[i].outcome == Outcome::ignored) {
        continue;
      }
      const std::uint32_t category = input.truths.category[i];
      ++truths_[category];
      not_found_[category] += outcomes.truths[i].outcome == Outcome::fn ? 1 : 0;
      missed_[category] += errors.truths[i].kind == ErrorKind::missed ? 1 : 0;
    }
    for_each_in_parallel(classes, threads, [&](std::size_t k) {
      std::sort(entries_[k].begin(), entries_[k].end(), is_before);
      std::sort(moved_[k].begin(), moved_[k].end(), is_before);
    });
  }

  std::optional<double> as_it_is() const {
    return mean([&](std::size_t k, std::vector<Entry>& /*scratch*/, std::vector<double>& hits) {
      return average_precision(entries_[k], truths_[k], hits);
    });
  }

  std::optional<double> without(ErrorKind mended) const {
    return mean([&](std::size_t k, std::vector<Entry>& scratch, std::vector<double>& hits) {
      if (mended == ErrorKind::missed) {
        return average_precision(entries_[k], truths_[k] - missed_[k], hits);
      }
      scratch.clear();
      for (const Entry& entry : entries_[k]) {
        const bool is_concerned = errors_[entry.prediction].kind == mended;
        if (!is_concerned) {
          scratch.push_back(entry);
        } else if (mended == ErrorKind::localization && is_mendable_[entry.prediction] != 0) {
          scratch.push_back(entry);
          scratch.back().is_right = true;
        }
      }
      if (mended == ErrorKind::classification) {
        const auto middle = static_cast<std::ptrdiff_t>(scratch.size());
        scratch.insert(scratch.end(), moved_[k].begin(), moved_[k].end());
        std::inplace_merge(scratch.begin(), scratch.begin() + middle, scratch.end(),
                           [](const Entry& a, const Entry& b) { return a.score > b.score; });
      }
      return average_precision(scratch, truths_[k], hits);
    });
  }

  std::optional<double> without_false_positives() const {
    return mean([&](std::size_t k, std::vector<Entry>& scratch, std::vector<double>& hits) {
      scratch.clear();
      std::copy_if(entries_[k].begin(), entries_[k].end(), std::back_inserter(scratch), [](const Entry& e) { return e.is_right; });
      return average_precision(scratch, truths_[k], hits);
    });
  }

  std::optional<double> without_false_negatives() const {
    return mean([&](std::size_t k, std::vector<Entry>& /*scratch*/, std::vector<double>& hits) {
      return average_precision(entries_[k], truths_[k] - not_found_[k], hits);
    });
  }

 private:
  /// Over the classes that have truth, mended or not.
  template <typename ApOf>
  std::optional<double> mean(const ApOf& ap_of) const {
    std::vector<std::optional<double>> ap(truths_.size());
    for_each_in_parallel(truths_.size(), threads_, [&](std::size_t k) {
      if (truths_[k] > 0) {
        std::vector<Entry> scratch;
        std::vector<double> hits;
        ap[k] = ap_of(k, scratch, hits);
      }
    });
    double sum = 0;
    std::int64_t count = 0;
    for (const std::optional<double>& of_class : ap) {
      sum += of_class.value_or(0);
      count += of_class ? 1 : 0;
    }
    return count == 0 ? std::nullopt : std::optional(sum / static_cast<double>(count));
  }

  const std::vector<LabelError>& errors_;
  std::vector<std::uint8_t> is_mendable_;  ///< one a prediction: its truth, which it is the best of, has no partner
  unsigned threads_;
  std::vector<std::vector<Entry>> entries_;  ///< of each class, those that count
  std::vector<std::vector<Entry>> moved_;    ///< into each class, once their own is mended
  std::vector<std::int64_t> truths_;
  std::vector<std::int64_t> missed_;
  std::vector<std::int64_t> not_found_;
};

void check(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options) {
  if (!(options.background_iou >= 0 && options.background_iou < options.iou && options.iou <= 1)) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("errors are told apart by two overlaps, 0 <= background < IoU <= 1; these are {} and {}",
                            options.background_iou, options.iou));
  }
  check_outcomes(input, outcomes);
  check_labels(input);
  if (options.iou_type == IouType::mask) {
    check_masks(input);
  }
}

}  // namespace

LabelErrors label_errors(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options) {
  check(input, outcomes, options);
  LabelErrors errors{errors_of_predictions(input, outcomes, options), std::vector<LabelError>(input.truths.size())};
  for (std::uint32_t truth = 0; truth < input.truths.size(); ++truth) {
    if (outcomes.truths[truth].outcome == Outcome::fn) {
      errors.truths[truth].kind = ErrorKind::missed;
    }
  }
  // Of the predictions that would be right on a truth without a partner, the one of highest score is it.
  const std::vector<double>& score = input.predictions.score;
  for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
    const LabelError& error = errors.predictions[i];
    if (!is_placed_or_classed_wrong(error.kind) || outcomes.truths[error.about].outcome != Outcome::fn) {
      continue;
    }
    LabelError& lost = errors.truths[error.about];
    if (lost.about == kNoPartner || score[i] > score[lost.about]) {
      lost = {error.kind, i, error.iou};
    }
  }
  return errors;
}

ErrorAnalysis analyse_errors(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options) {
  ErrorAnalysis analysis;
  analysis.labels = label_errors(input, outcomes, options);
  const LabelErrors& errors = analysis.labels;
  for (const LabelError& error : errors.predictions) {
    ++analysis.costs[static_cast<std::size_t>(error.kind)].count;
  }
  for (const LabelError& error : errors.truths) {
    analysis.costs[static_cast<std::size_t>(ErrorKind::missed)].count += error.kind == ErrorKind::missed ? 1 : 0;
  }
  analysis.costs[static_cast<std::size_t>(ErrorKind::none)].count = 0;

  const Mending mending(input, outcomes, errors, options.threads);
  analysis.ap = mending.as_it_is();
  if (analysis.ap) {
    const auto gain = [&](const std::optional<double>& mended) { return std::max(0.0, mended.value_or(0) - *analysis.ap); };
    for (std::size_t kind = 1; kind < kErrorKinds; ++kind) {
      analysis.costs[kind].ap = gain(mending.without(static_cast<ErrorKind>(kind)));
    }
    analysis.false_positive_cost = gain(mending.without_false_positives());
    analysis.false_negative_cost = gain(mending.without_false_negatives());
  }
  return analysis;
}

}  // namespace verilabel
