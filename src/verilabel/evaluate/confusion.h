#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/matching.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

struct PairingOptions {
  IouType iou_type = IouType::box;
  double iou = 0.5;      ///< least overlap of a pair; in (0, 1]
  unsigned threads = 0;  ///< 0: one for each processor. The result does not depend on it.
};

/// Predictions and truths that count, paired whatever their classes, which is what a confusion matrix counts.
struct Pairing {
  std::vector<std::uint32_t> truth_of_prediction;  ///< `kNoPartner` without one
  std::vector<std::uint32_t> prediction_of_truth;  ///< likewise
  std::vector<std::uint8_t> is_prediction_left_out;
  std::vector<std::uint8_t> is_truth_left_out;
};

/// On each image the predictions, best scores first (ties: by class id, then the order of their file), take in turn the free truth
/// that they overlap most (ties: the later one), of any class. What counts neither way in `outcomes`, which are those of
/// predictions of every score, has no part in it: crowds and what was matched with one, what is beyond a limit or not looked at by
/// a protocol. So the truths of a class in the matrix are its tp and fn, and the predictions its tp and fp. As every prediction
/// chooses before those below it, leaving out all below a score changes no pair above it: one pass serves every threshold. Throws
/// `wrong_use` for options out of range, for other outcomes and for masks that are wanted and not there; `bad_data`, naming the
/// sample, for a score, box or area that is not finite and for masks of different sizes; `internal` as `match` does.
Pairing pair_across_classes(const EvaluationInput& input, const Outcomes& outcomes, const PairingOptions& options);

/// How often a truth of one class was paired with a prediction of another; after the classes stands the background, for truths and
/// predictions without a partner.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::size_t classes) : classes_(classes), counts_((classes + 1) * (classes + 1), 0) {}

  std::size_t classes() const { return classes_; }
  std::size_t background() const { return classes_; }
  std::int64_t at(std::size_t true_class, std::size_t predicted_class) const {
    return counts_[true_class * (classes_ + 1) + predicted_class];
  }
  void add(std::size_t true_class, std::size_t predicted_class) { ++counts_[true_class * (classes_ + 1) + predicted_class]; }

 private:
  std::size_t classes_;
  std::vector<std::int64_t> counts_;
};

/// Counts predictions with a score at or above `threshold` (nothing: all).
ConfusionMatrix confusion_at(const EvaluationInput& input, const Pairing& pairing, std::optional<double> threshold);

}  // namespace verilabel
