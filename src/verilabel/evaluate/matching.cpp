#include "verilabel/evaluate/matching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/nearby_truths.h"
#include "verilabel/evaluate/overlap.h"

namespace verilabel {
namespace {

/// pycocotools lets a perfect overlap match even where rounding keeps it below 1.
constexpr double kGreatestThreshold = 1 - 1e-10;

/// Predictions and truths that one call in parallel takes: enough to outweigh handing it out, few enough to spread evenly.
constexpr std::size_t kBlockSize = 4096;

/// Of fewer truths or predictions looking at all pairs costs less than a grid.
constexpr std::size_t kFewLabels = 64;

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

/// The things of each image one after the other, images by ascending rank, things of one image in the order of their file.
struct ByImage {
  std::vector<std::uint32_t> order;
  std::vector<std::size_t> begin;  ///< of each image rank in `order`, and the end

  std::span<const std::uint32_t> of(std::size_t rank) const {
    return std::span(order).subspan(begin[rank], begin[rank + 1] - begin[rank]);
  }
};

void check(const MatchOptions& options) {
  const auto wrong = [](std::string message) { throw Error(ErrorCode::wrong_use, std::move(message)); };
  if (options.iou_thresholds.empty() || options.area_ranges.empty() ||
      options.iou_thresholds.size() * options.area_ranges.size() > 64 || options.area_ranges.size() > 16) {
    wrong("matching takes at least one IoU threshold and one area range, at most 16 ranges, and 64 pairs of both");
  }
  for (const double threshold : options.iou_thresholds) {
    if (!(threshold > 0 && threshold <= 1)) {
      wrong(fmt::format("an IoU threshold must be above 0 and at most 1, not {}", threshold));
    }
  }
  if (options.max_detections == 0) {
    wrong("at least one detection for each class and image must count");
  }
}

/// Place of each image among them all.
std::vector<std::uint32_t> rank_images(const EvaluatedImages& images) {
  const std::vector<std::int64_t>& given = images.ranks();
  std::vector<std::uint32_t> order(images.size());
  std::iota(order.begin(), order.end(), 0U);
  if (!std::is_sorted(given.begin(), given.end())) {
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return given[a] < given[b]; });
  }
  std::vector<std::uint32_t> ranks(images.size());
  for (std::uint32_t rank = 0; rank < order.size(); ++rank) {
    ranks[order[rank]] = rank;
  }
  return ranks;
}

ByImage group_by_image(std::span<const std::uint32_t> image, std::span<const std::uint32_t> image_ranks) {
  ByImage groups;
  groups.begin.assign(image_ranks.size() + 1, 0);
  for (const std::uint32_t i : image) {
    if (i >= image_ranks.size()) {
      throw Error(ErrorCode::internal, "a label to evaluate is on an image that is not listed; please report this");
    }
    ++groups.begin[image_ranks[i] + 1];
  }
  std::partial_sum(groups.begin.begin(), groups.begin.end(), groups.begin.begin());
  groups.order.resize(image.size());
  std::vector<std::size_t> next(groups.begin.begin(), groups.begin.end() - 1);
  for (std::uint32_t thing = 0; thing < image.size(); ++thing) {
    groups.order[next[image_ranks[image[thing]]]++] = thing;
  }
  return groups;
}

bool is_finite(const Box& box) {
  // Zero times anything finite is zero; a sum of the numbers themselves could overflow.
  return box.x * 0 + box.y * 0 + box.w * 0 + box.h * 0 == 0;
}

/// Matches the images of one block after the other; what it allocates serves them all.
class BlockMatcher {
 public:
  BlockMatcher(const EvaluationInput& input, Matching& matching, std::vector<Match>& matches)
      : input_(input), options_(matching.options), matching_(matching), matches_(matches), slots_(input.classes.size()) {
    for (double& threshold : options_.iou_thresholds) {
      threshold = std::min(threshold, kGreatestThreshold);
    }
    least_threshold_ = *std::min_element(options_.iou_thresholds.begin(), options_.iou_thresholds.end());
    const std::size_t thresholds = options_.iou_thresholds.size();
    all_thresholds_ = ~CellMask{0} >> (64 - thresholds);  // one to 64 of them
    for (std::size_t range = 0; range < options_.area_ranges.size(); ++range) {
      all_ranges_ |= CellMask{1} << (range * thresholds);
    }
    all_cells_ = all_thresholds_ * all_ranges_;
  }

  void match_image(std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) {
    for (const std::uint32_t truth : truths) {
      take_in_truth(truth);
    }
    present_.clear();
    for (const std::uint32_t prediction : predictions) {
      take_in_prediction(prediction);
    }
    cut_off(predictions);
    for (const std::uint32_t prediction : predictions) {
      if (!takes_part(prediction)) {
        continue;
      }
      Slot& slot = slots_[input_.predictions.category[prediction]];
      if (slot.predictions++ == 0) {
        present_.push_back(input_.predictions.category[prediction]);
      }
    }
    for (const std::uint32_t truth : truths) {
      slots_[input_.truths.category[truth]].truths += input_.truths.is_unseen_at(truth) ? 0 : 1;
    }
    // Only classes with truth here, or with too many predictions, need their predictions in order.
    wanted_.clear();
    for (const std::uint32_t category : present_) {
      if (slots_[category].truths > 0 || slots_[category].predictions > options_.max_detections) {
        wanted_.push_back(category);
      }
    }
    if (!wanted_.empty()) {
      std::sort(wanted_.begin(), wanted_.end());
      gather(truths, predictions);
      for (const std::uint32_t category : wanted_) {
        const Slot& slot = slots_[category];
        match_group(std::span(group_truths_).subspan(slot.truth_end - slot.truths, slot.truths),
                    std::span(group_predictions_).subspan(slot.prediction_end - slot.predictions, slot.predictions));
      }
    }
    for (const std::uint32_t category : present_) {
      slots_[category] = {};
    }
    for (const std::uint32_t truth : truths) {
      slots_[input_.truths.category[truth]] = {};
    }
  }

 private:
  /// What an image has of a class.
  struct Slot {
    std::uint32_t truths = 0;
    std::uint32_t predictions = 0;
    std::uint32_t truth_end = kNone;  ///< in `group_truths_`; while gathering, where the next one goes
    std::uint32_t prediction_end = kNone;
  };

  struct Candidate {
    double iou;
    std::uint32_t truth;  ///< within the group
  };

  void check_category(std::uint32_t category) const {
    if (category >= slots_.size()) {
      throw Error(ErrorCode::internal, "a label to evaluate has a class that is not listed; please report this");
    }
  }

  void take_in_truth(std::uint32_t truth) {
    const EvaluatedTruths& truths = input_.truths;
    check_category(truths.category[truth]);
    if (!is_finite(truths.box_xywh_px[truth]) || !std::isfinite(truths.area_px[truth])) {
      throw label_error(input_, "the box or the area of a truth is not a finite number; correct it or leave the label out",
                        truths.image[truth], {{"truth", fmt::to_string(truth)}});
    }
    CellMask ignored = truths.is_crowd[truth] != 0 || truths.is_unseen_at(truth) ? all_cells_ : 0;
    for (std::size_t range = 0; range < options_.area_ranges.size(); ++range) {
      if (!options_.area_ranges[range].contains(truths.area_px[truth])) {
        ignored |= all_thresholds_ << (range * options_.iou_thresholds.size());
      }
    }
    matching_.truth_ignored[truth] = ignored;
  }

  void take_in_prediction(std::uint32_t prediction) {
    const EvaluatedPredictions& predictions = input_.predictions;
    check_category(predictions.category[prediction]);
    const Box& box = predictions.box_xywh_px[prediction];
    const double area_px = predictions.area_px_of(prediction);
    if (!std::isfinite(predictions.score[prediction]) || !is_finite(box) || !std::isfinite(area_px)) {
      throw label_error(input_,
                        "the score, the box or the area of a prediction is not a finite number; correct it or leave the label out",
                        predictions.image[prediction],
                        {{"prediction", fmt::to_string(prediction)}, {"score", fmt::to_string(predictions.score[prediction])}});
    }
    std::uint16_t ranges = 0;
    for (std::size_t range = 0; range < options_.area_ranges.size(); ++range) {
      const bool counts = options_.area_ranges[range].contains(area_px) && !predictions.is_unseen_at(prediction);
      ranges |= static_cast<std::uint16_t>(counts ? 1U << range : 0U);
    }
    matching_.prediction_ranges[prediction] = ranges;
  }

  bool takes_part(std::uint32_t prediction) const {
    return matching_.is_within_limit[prediction] != 0 && !input_.predictions.is_unseen_at(prediction);
  }

  /// Best scores first; ties: the order of the file.
  void sort_by_score(std::span<std::uint32_t> predictions) const {
    const std::vector<double>& score = input_.predictions.score;
    std::sort(predictions.begin(), predictions.end(),
              [&](std::uint32_t a, std::uint32_t b) { return score[a] != score[b] ? score[a] > score[b] : a < b; });
  }

  /// What is beyond the limit of the image.
  void cut_off(std::span<const std::uint32_t> predictions) {
    const std::size_t limit = options_.max_detections_of_image;
    if (limit == 0 || predictions.size() <= limit) {
      return;
    }
    std::vector<std::uint32_t> best_first(predictions.begin(), predictions.end());
    sort_by_score(best_first);
    for (const std::uint32_t prediction : std::span(best_first).subspan(limit)) {
      matching_.is_within_limit[prediction] = 0;
    }
  }

  /// Puts truths and predictions of the wanted classes together, class by class, each in the order of its file.
  void gather(std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) {
    std::uint32_t truth_count = 0;
    std::uint32_t prediction_count = 0;
    for (const std::uint32_t category : wanted_) {
      Slot& slot = slots_[category];
      slot.truth_end = std::exchange(truth_count, truth_count + slot.truths);
      slot.prediction_end = std::exchange(prediction_count, prediction_count + slot.predictions);
    }
    group_truths_.resize(truth_count);
    group_predictions_.resize(prediction_count);
    for (const std::uint32_t truth : truths) {
      Slot& slot = slots_[input_.truths.category[truth]];
      if (slot.truth_end != kNone && !input_.truths.is_unseen_at(truth)) {
        group_truths_[slot.truth_end++] = truth;
      }
    }
    for (const std::uint32_t prediction : predictions) {
      Slot& slot = slots_[input_.predictions.category[prediction]];
      if (slot.prediction_end != kNone && takes_part(prediction)) {
        group_predictions_[slot.prediction_end++] = prediction;
      }
    }
  }

  /// One class on one image.
  void match_group(std::span<const std::uint32_t> truths, std::span<std::uint32_t> predictions) {
    sort_by_score(predictions);
    if (predictions.size() > options_.max_detections) {
      for (const std::uint32_t prediction : predictions.subspan(options_.max_detections)) {
        matching_.is_within_limit[prediction] = 0;
      }
      predictions = predictions.first(options_.max_detections);
    }
    if (truths.empty()) {
      return;
    }
    taken_.assign(truths.size(), 0);
    const bool is_mask = options_.iou_type == IouType::mask;
    if (is_mask) {
      choose_masks(truths);
    }
    std::optional<NearbyTruths> nearby;
    if (!is_mask && std::min(truths.size(), predictions.size()) > kFewLabels) {
      nearby.emplace(input_.truths.box_xywh_px, truths);
    }
    for (std::uint32_t rank = 0; rank < predictions.size(); ++rank) {
      candidates_.clear();
      if (is_mask) {
        find_mask_candidates(truths, predictions[rank]);
      } else if (nearby) {
        find_box_candidates(truths, *nearby, predictions[rank]);
      } else {
        find_box_candidates(truths, predictions[rank]);
      }
      if (!candidates_.empty()) {
        take_best(truths, predictions[rank], rank);
      }
    }
  }

  void choose_masks(std::span<const std::uint32_t> truths) {
    truth_columns_.clear();
    if (truth_masks_.size() < truths.size()) {
      truth_masks_.resize(truths.size());
    }
    for (std::size_t i = 0; i < truths.size(); ++i) {
      truth_columns_.push_back(input_.truths.mask.columns_around(truths[i]));
      truth_masks_[i].choose(input_.truths.mask, truths[i]);
    }
  }

  // The truths that the prediction overlaps enough for the lowest threshold.

  void find_box_candidates(std::span<const std::uint32_t> truths, std::uint32_t prediction) {
    const Box& box = input_.predictions.box_xywh_px[prediction];
    for (std::uint32_t i = 0; i < truths.size(); ++i) {
      const Box& truth_box = input_.truths.box_xywh_px[truths[i]];
      if (!is_apart(box, truth_box)) {
        offer(i, box_overlap(box, truth_box, input_.truths.is_crowd[truths[i]] != 0));
      }
    }
  }

  void find_box_candidates(std::span<const std::uint32_t> truths, NearbyTruths& nearby, std::uint32_t prediction) {
    const Box& box = input_.predictions.box_xywh_px[prediction];
    for (const std::uint32_t truth : nearby.around(box)) {
      const Box& truth_box = input_.truths.box_xywh_px[truth];
      if (!is_apart(box, truth_box)) {
        const auto i = std::lower_bound(truths.begin(), truths.end(), truth) - truths.begin();
        offer(static_cast<std::uint32_t>(i), box_overlap(box, truth_box, input_.truths.is_crowd[truth] != 0));
      }
    }
  }

  void find_mask_candidates(std::span<const std::uint32_t> truths, std::uint32_t prediction) {
    const Box columns = input_.predictions.mask.columns_around(prediction);
    prediction_mask_.choose(input_.predictions.mask, prediction);
    for (std::uint32_t i = 0; i < truths.size(); ++i) {
      if (!is_apart(columns, truth_columns_[i]) && !is_apart(prediction_mask_.box(), truth_masks_[i].box())) {
        offer(i, mask_overlap(prediction_mask_, truth_masks_[i], input_.truths.is_crowd[truths[i]] != 0));
      }
    }
  }

  void offer(std::uint32_t truth, double overlap) {
    if (overlap >= least_threshold_) {
      candidates_.push_back({overlap, truth});
    }
  }

  /// All cells at once, a bit each. In one cell the reference takes the truth of greatest overlap that is free, the later of
  /// equals, and an ignored one only when there is no other. So with the candidates in that order, each takes the bits that are
  /// left to take and allowed to it; first as a truth that counts, then as an ignored one.
  void take_best(std::span<const std::uint32_t> truths, std::uint32_t prediction, std::uint32_t rank) {
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.iou != b.iou ? a.iou > b.iou : a.truth > b.truth; });
    const std::size_t first_match = matches_.size();
    CellMask left = all_cells_;
    for (const Candidate& candidate : candidates_) {
      const std::uint32_t truth = truths[candidate.truth];
      const CellMask cells = left & allowed(candidate, truth) & ~matching_.truth_ignored[truth];
      left &= ~cells;
      matches_.push_back({prediction, truth, rank, candidate.iou, cells});
    }
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      Match& match = matches_[first_match + i];
      const CellMask cells = left & allowed(candidates_[i], match.truth) & matching_.truth_ignored[match.truth];
      left &= ~cells;
      match.cells |= cells;
      taken_[candidates_[i].truth] |= match.cells;
    }
    const auto unused = std::remove_if(matches_.begin() + static_cast<std::ptrdiff_t>(first_match), matches_.end(),
                                       [](const Match& match) { return match.cells == 0; });
    matches_.erase(unused, matches_.end());
  }

  /// The cells whose threshold the candidate reaches and in which its truth is free.
  CellMask allowed(const Candidate& candidate, std::uint32_t truth) const {
    CellMask thresholds = 0;
    for (std::size_t i = 0; i < options_.iou_thresholds.size(); ++i) {
      thresholds |= CellMask{candidate.iou >= options_.iou_thresholds[i]} << i;
    }
    return thresholds * all_ranges_ & (input_.truths.is_crowd[truth] != 0 ? all_cells_ : ~taken_[candidate.truth]);
  }

  const EvaluationInput& input_;
  MatchOptions options_;  ///< with thresholds of at most `kGreatestThreshold`
  Matching& matching_;
  std::vector<Match>& matches_;
  double least_threshold_ = 0;
  CellMask all_thresholds_ = 0;  ///< the cells of the first range
  CellMask all_ranges_ = 0;      ///< the cells of the first threshold
  CellMask all_cells_ = 0;
  std::vector<Slot> slots_;             ///< one a class, zero between images
  std::vector<std::uint32_t> present_;  ///< classes of the image's predictions
  std::vector<std::uint32_t> wanted_;
  std::vector<std::uint32_t> group_truths_;
  std::vector<std::uint32_t> group_predictions_;
  std::vector<CellMask> taken_;        ///< by truth of the group: cells in which it has a partner
  std::vector<Box> truth_columns_;     ///< of masks: `columns_around` each truth of the group
  std::vector<LazyMask> truth_masks_;  ///< likewise, at least as many as there are
  LazyMask prediction_mask_;
  std::vector<Candidate> candidates_;
};

/// Runs of images with about `kBlockSize` labels each.
std::vector<std::size_t> block_ends(const ByImage& truths, const ByImage& predictions) {
  std::vector<std::size_t> ends;
  std::size_t weight = 0;
  const std::size_t images = truths.begin.size() - 1;
  for (std::size_t rank = 0; rank < images; ++rank) {
    weight += truths.of(rank).size() + predictions.of(rank).size();
    if (weight >= kBlockSize || rank + 1 == images) {
      ends.push_back(rank + 1);
      weight = 0;
    }
  }
  return ends;
}

}  // namespace

Matching match(const EvaluationInput& input, const MatchOptions& options) {
  check(options);
  check_columns(input);
  const std::vector<std::uint32_t> image_ranks = rank_images(input.images);
  const ByImage truths = group_by_image(input.truths.image, image_ranks);
  ByImage predictions = group_by_image(input.predictions.image, image_ranks);
  if (options.iou_type == IouType::mask) {
    check_masks(input);
  }

  Matching matching;
  matching.options = options;
  matching.is_within_limit.assign(input.predictions.size(), 1);
  matching.truth_ignored.resize(input.truths.size());
  matching.prediction_ranges.resize(input.predictions.size());

  const std::vector<std::size_t> ends = block_ends(truths, predictions);
  std::vector<std::vector<Match>> matches(ends.size());
  for_each_in_parallel(ends.size(), options.threads, [&](std::size_t block) {
    BlockMatcher matcher(input, matching, matches[block]);
    for (std::size_t rank = block == 0 ? 0 : ends[block - 1]; rank < ends[block]; ++rank) {
      matcher.match_image(truths.of(rank), predictions.of(rank));
    }
  });

  std::size_t count = 0;
  for (const std::vector<Match>& block : matches) {
    count += block.size();
  }
  matching.matches.reserve(count);
  for (const std::vector<Match>& block : matches) {
    matching.matches.insert(matching.matches.end(), block.begin(), block.end());
  }
  matching.prediction_order = std::move(predictions.order);
  return matching;
}

}  // namespace verilabel
