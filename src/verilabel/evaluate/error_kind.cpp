#include "verilabel/evaluate/error_kind.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/overlap.h"

namespace verilabel {
namespace {

constexpr std::size_t kImagesOfABlock = 128;
constexpr std::size_t kRecallPoints = 101;

constexpr std::array<std::string_view, kErrorKinds> kNames = {"none",      "classification", "localization", "both",
                                                              "duplicate", "background",     "missed"};

bool is_placed_or_classed_wrong(ErrorKind kind) {
  return kind == ErrorKind::classification || kind == ErrorKind::localization;
}

/// The kind of each false positive, and the truth that it is about.
struct Kinds {
  std::vector<ErrorKind> kind;
  std::vector<std::uint32_t> about;  ///< `kNoPartner` where there is none
};

class Classifier {
 public:
  Classifier(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options)
      : input_(input), outcomes_(outcomes), options_(options) {}

  /// `truths` are those of the prediction's image.
  std::pair<ErrorKind, std::uint32_t> classify(std::uint32_t prediction, std::span<const std::uint32_t> truths) const {
    Best same_class;
    Best other_class;
    Best taken;  // of the same class
    Best any;
    bool has_truth = false;
    for (const std::uint32_t truth : truths) {
      if (outcomes_.truths[truth].outcome == Outcome::ignored) {
        continue;
      }
      has_truth = true;
      const double overlap = overlap_of(input_, options_.iou_type, prediction, truth);
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
    if (!has_truth) {
      return {ErrorKind::background, kNoPartner};
    }
    if (same_class.overlap >= options_.background_iou && same_class.overlap <= options_.iou) {
      return {ErrorKind::localization, same_class.truth};
    }
    if (other_class.overlap >= options_.iou) {
      return {ErrorKind::classification, other_class.truth};
    }
    if (taken.overlap >= options_.iou) {
      return {ErrorKind::duplicate, taken.truth};
    }
    return {any.overlap <= options_.background_iou ? ErrorKind::background : ErrorKind::both, kNoPartner};
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
  };

  const EvaluationInput& input_;
  const Outcomes& outcomes_;
  const ErrorOptions& options_;
};

Kinds classify_all(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options) {
  const ImageGroups truths(input.truths.image, input.images.size());
  const ImageGroups predictions(input.predictions.image, input.images.size());
  Kinds kinds{std::vector<ErrorKind>(input.predictions.size(), ErrorKind::none),
              std::vector<std::uint32_t>(input.predictions.size(), kNoPartner)};
  const Classifier classifier(input, outcomes, options);
  const std::vector<std::size_t> ends = range_ends(input.images.size(), kImagesOfABlock);
  for_each_in_parallel(ends.size(), options.threads, [&](std::size_t block) {
    for (std::size_t image = block == 0 ? 0 : ends[block - 1]; image < ends[block]; ++image) {
      for (const std::uint32_t prediction : predictions.of(image)) {
        if (outcomes.predictions[prediction].outcome == Outcome::fp) {
          std::tie(kinds.kind[prediction], kinds.about[prediction]) = classifier.classify(prediction, truths.of(image));
        }
      }
    }
  });
  return kinds;
}

/// A prediction on the way to average precision.
struct Entry {
  double score = 0;
  std::uint32_t prediction = 0;
  bool is_right = false;
};

bool is_before(const Entry& a, const Entry& b) {
  return a.score != b.score ? a.score > b.score : a.prediction < b.prediction;
}

/// `entries` are in the order of `is_before`; 0 without truth. Nothing for a class of which nothing is left.
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
  for (std::size_t i = precision_at_hit.size(); i-- > 1;) {
    precision_at_hit[i - 1] = std::max(precision_at_hit[i - 1], precision_at_hit[i]);
  }
  double sum = 0;
  std::size_t hits = 1;
  for (std::size_t point = 0; point < kRecallPoints; ++point) {
    const double recall = static_cast<double>(point) / (kRecallPoints - 1);
    while (hits <= precision_at_hit.size() && static_cast<double>(hits) / static_cast<double>(truths) < recall) {
      ++hits;
    }
    if (hits > precision_at_hit.size()) {
      break;
    }
    sum += precision_at_hit[hits - 1];
  }
  return sum / kRecallPoints;
}

/// What average precision would be with some errors mended.
class Mending {
 public:
  Mending(const EvaluationInput& input, const Outcomes& outcomes, const std::vector<ErrorKind>& kinds_of_truths, const Kinds& kinds,
          const std::vector<std::uint8_t>& is_mendable, unsigned threads)
      : kinds_(kinds), is_mendable_(is_mendable), threads_(threads) {
    const std::size_t classes = input.classes.size();
    entries_.resize(classes);
    moved_.resize(classes);
    truths_.assign(classes, 0);
    missed_.assign(classes, 0);
    not_found_.assign(classes, 0);
    for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
      const Outcome outcome = outcomes.predictions[i].outcome;
      if (outcome != Outcome::ignored) {
        entries_[input.predictions.category[i]].push_back({input.predictions.score[i], i, outcome == Outcome::tp});
      }
      if (kinds.kind[i] == ErrorKind::classification && is_mendable[i] != 0) {
        moved_[input.truths.category[kinds.about[i]]].push_back({input.predictions.score[i], i, true});
      }
    }
    for (std::uint32_t i = 0; i < input.truths.size(); ++i) {
      if (outcomes.truths[i].outcome == Outcome::ignored) {
        continue;
      }
      const std::uint32_t category = input.truths.category[i];
      ++truths_[category];
      not_found_[category] += outcomes.truths[i].outcome == Outcome::fn ? 1 : 0;
      missed_[category] += kinds_of_truths[i] == ErrorKind::missed ? 1 : 0;
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
        const bool is_concerned = kinds_.kind[entry.prediction] == mended;
        if (!is_concerned) {
          scratch.push_back(entry);
        } else if (mended == ErrorKind::localization && is_mendable_[entry.prediction] != 0) {
          scratch.push_back({entry.score, entry.prediction, true});
        }
      }
      if (mended == ErrorKind::classification) {
        const auto middle = static_cast<std::ptrdiff_t>(scratch.size());
        scratch.insert(scratch.end(), moved_[k].begin(), moved_[k].end());
        std::inplace_merge(scratch.begin(), scratch.begin() + middle, scratch.end(), is_before);
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

  const Kinds& kinds_;
  const std::vector<std::uint8_t>& is_mendable_;
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
  if (outcomes.predictions.size() != input.predictions.size() || outcomes.truths.size() != input.truths.size()) {
    throw Error(ErrorCode::wrong_use, "these outcomes are of other truths and predictions");
  }
}

}  // namespace

std::string_view name_of(ErrorKind kind) {
  return kNames[static_cast<std::size_t>(kind)];
}

std::optional<ErrorKind> error_kind_from(std::string_view name) {
  const auto* const at = std::find(kNames.begin(), kNames.end(), name);
  return at == kNames.end() ? std::nullopt : std::optional(static_cast<ErrorKind>(at - kNames.begin()));
}

ErrorAnalysis analyse_errors(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options) {
  check(input, outcomes, options);
  Kinds kinds = classify_all(input, outcomes, options);

  // Of the predictions that would be right on a truth without a partner, the one of highest score is it.
  const auto is_better = [&](std::uint32_t a, std::uint32_t b) {
    const std::vector<double>& score = input.predictions.score;
    return b == kNoPartner || (score[a] != score[b] ? score[a] > score[b] : a < b);
  };
  std::vector<std::uint32_t> best_on_truth(input.truths.size(), kNoPartner);
  for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
    const std::uint32_t truth = kinds.about[i];
    if (is_placed_or_classed_wrong(kinds.kind[i]) && outcomes.truths[truth].outcome == Outcome::fn &&
        is_better(i, best_on_truth[truth])) {
      best_on_truth[truth] = i;
    }
  }
  std::vector<std::uint8_t> is_mendable(input.predictions.size(), 0);
  ErrorAnalysis analysis;
  analysis.truths.assign(input.truths.size(), ErrorKind::none);
  for (std::uint32_t truth = 0; truth < input.truths.size(); ++truth) {
    if (outcomes.truths[truth].outcome != Outcome::fn) {
      continue;
    }
    const std::uint32_t best = best_on_truth[truth];
    analysis.truths[truth] = best == kNoPartner ? ErrorKind::missed : kinds.kind[best];
    if (best == kNoPartner) {
      ++analysis.costs[static_cast<std::size_t>(ErrorKind::missed)].count;
    } else {
      is_mendable[best] = 1;
    }
  }
  for (const ErrorKind kind : kinds.kind) {
    analysis.costs[static_cast<std::size_t>(kind)].count += kind == ErrorKind::none ? 0 : 1;
  }

  const Mending mending(input, outcomes, analysis.truths, kinds, is_mendable, options.threads);
  analysis.ap = mending.as_it_is();
  if (analysis.ap) {
    const auto gain = [&](const std::optional<double>& mended) { return std::max(0.0, mended.value_or(0) - *analysis.ap); };
    for (std::size_t kind = 1; kind < kErrorKinds; ++kind) {
      analysis.costs[kind].ap = gain(mending.without(static_cast<ErrorKind>(kind)));
    }
    analysis.false_positive_cost = gain(mending.without_false_positives());
    analysis.false_negative_cost = gain(mending.without_false_negatives());
  }
  analysis.predictions = std::move(kinds.kind);
  return analysis;
}

}  // namespace verilabel
