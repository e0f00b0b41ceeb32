#include "verilabel/evaluate/open_images.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/evaluate/input_check.h"
#include "verilabel/evaluate/nearby_truths.h"
#include "verilabel/evaluate/overlap.h"
#include "verilabel/evaluate/precision_recall.h"
#include "verilabel/geometry/box.h"

namespace verilabel {
namespace {

using Lists = std::vector<std::vector<std::uint32_t>>;

void sort_unique(std::vector<std::uint32_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

void check(const EvaluationInput& input, const OpenImagesContext& context, const OpenImagesOptions& options) {
  if (!(options.iou > 0 && options.iou <= 1)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the least overlap must be above 0 and at most 1, not {}", options.iou));
  }
  if (options.max_detections == 0) {
    throw Error(ErrorCode::wrong_use, "at least one detection for each class and image must count");
  }
  const auto fits = [&](const Lists& lists, std::size_t count) {
    return (lists.empty() || lists.size() == count) && std::all_of(lists.begin(), lists.end(), [&](const auto& list) {
             return std::all_of(list.begin(), list.end(), [&](std::uint32_t k) { return k < input.classes.size(); });
           });
  };
  if (!fits(context.parents, input.classes.size()) || !fits(context.present, input.images.size()) ||
      !fits(context.absent, input.images.size())) {
    throw Error(ErrorCode::wrong_use,
                "Open Images needs for each class those above it, and for each image the classes that are present and absent");
  }
  check_labels(input);
}

/// Of each class those above and below it, itself left out, each once.
struct Kinship {
  Lists above;
  Lists below;
};

Kinship kinship_of(const EvaluatedClasses& classes, const Lists& parents) {
  Kinship kinship{Lists(classes.size()), Lists(classes.size())};
  if (parents.empty()) {
    return kinship;
  }
  Lists children(classes.size());
  std::vector<std::size_t> waits_for(classes.size());  // parents whose own ancestors are not known yet
  std::vector<std::uint32_t> ready;
  for (std::uint32_t k = 0; k < classes.size(); ++k) {
    waits_for[k] = parents[k].size();
    for (const std::uint32_t parent : parents[k]) {
      children[parent].push_back(k);
    }
    if (parents[k].empty()) {
      ready.push_back(k);
    }
  }
  for (std::size_t i = 0; i < ready.size(); ++i) {
    const std::uint32_t k = ready[i];
    for (const std::uint32_t parent : parents[k]) {
      kinship.above[k].push_back(parent);
      kinship.above[k].insert(kinship.above[k].end(), kinship.above[parent].begin(), kinship.above[parent].end());
    }
    sort_unique(kinship.above[k]);
    for (const std::uint32_t child : children[k]) {
      if (--waits_for[child] == 0) {
        ready.push_back(child);
      }
    }
  }
  if (ready.size() < classes.size()) {
    const auto stuck = std::find_if(waits_for.begin(), waits_for.end(), [](std::size_t count) { return count > 0; });
    throw Error(ErrorCode::bad_data, "the hierarchy of classes goes round in a circle; a class must not be above itself",
                {{"class", classes.name[static_cast<std::size_t>(stuck - waits_for.begin())]}});
  }
  for (std::uint32_t k = 0; k < classes.size(); ++k) {
    for (const std::uint32_t ancestor : kinship.above[k]) {
      kinship.below[ancestor].push_back(k);
    }
  }
  return kinship;
}

/// For each image the classes, in ascending order, of which predictions count.
Lists verified_classes(const EvaluationInput& input, const OpenImagesContext& context, const Kinship& kinship) {
  Lists verified(input.images.size());
  const auto add = [&](std::uint32_t image, std::uint32_t category, const Lists& kin) {
    verified[image].push_back(category);
    verified[image].insert(verified[image].end(), kin[category].begin(), kin[category].end());
  };
  const auto add_lists = [&](const Lists& lists, const Lists& kin) {
    for (std::uint32_t image = 0; image < lists.size(); ++image) {
      for (const std::uint32_t category : lists[image]) {
        add(image, category, kin);
      }
    }
  };
  add_lists(context.present, kinship.above);
  add_lists(context.absent, kinship.below);
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    add(input.truths.image[i], input.truths.category[i], kinship.above);
  }
  for (std::vector<std::uint32_t>& classes : verified) {
    sort_unique(classes);
  }
  return verified;
}

/// What one class makes of its predictions.
struct Judgement {
  OpenImagesClass numbers;
  std::int64_t beyond_limit = 0;
  std::int64_t in_group = 0;
};

class ClassJudge {
 public:
  ClassJudge(const EvaluationInput& input, const OpenImagesOptions& options) : input_(input), options_(options) {}

  Judgement judge(std::vector<std::uint32_t> truths, std::vector<std::uint32_t> predictions) {
    judgement_.numbers.truths = static_cast<std::int64_t>(truths.size());
    const auto rank_of = [&](std::uint32_t image) { return input_.images.ranks()[image]; };
    const std::vector<std::uint32_t>& truth_image = input_.truths.image;
    const std::vector<std::uint32_t>& prediction_image = input_.predictions.image;
    const std::vector<double>& score = input_.predictions.score;
    std::stable_sort(truths.begin(), truths.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return rank_of(truth_image[a]) < rank_of(truth_image[b]); });
    std::sort(predictions.begin(), predictions.end(), [&](std::uint32_t a, std::uint32_t b) {
      const std::int64_t image_a = rank_of(prediction_image[a]);
      const std::int64_t image_b = rank_of(prediction_image[b]);
      return image_a != image_b ? image_a < image_b : score[a] != score[b] ? score[a] > score[b] : a < b;
    });
    std::size_t truth = 0;
    for (std::size_t begin = 0; begin < predictions.size();) {
      const std::int64_t image = rank_of(prediction_image[predictions[begin]]);
      std::size_t end = begin;
      while (end < predictions.size() && rank_of(prediction_image[predictions[end]]) == image) {
        ++end;
      }
      while (truth < truths.size() && rank_of(truth_image[truths[truth]]) < image) {
        ++truth;
      }
      const std::size_t first_truth = truth;
      while (truth < truths.size() && rank_of(truth_image[truths[truth]]) == image) {
        ++truth;
      }
      judge_image(std::span(truths).subspan(first_truth, truth - first_truth), std::span(predictions).subspan(begin, end - begin));
      begin = end;
    }
    if (!truths.empty()) {
      judgement_.numbers.ap = average_precision(static_cast<double>(truths.size()));
    }
    return judgement_;
  }

 private:
  struct Judged {
    double score;
    bool is_right;
  };

  void judge_image(std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) {
    if (predictions.size() > options_.max_detections) {
      judgement_.beyond_limit += static_cast<std::int64_t>(predictions.size() - options_.max_detections);
      predictions = predictions.first(options_.max_detections);
    }
    is_taken_.assign(truths.size(), 0);
    NearbyTruths nearby(input_.truths.box_xywh_px, truths);
    const auto place_of = [&](std::uint32_t truth) {
      return static_cast<std::size_t>(std::lower_bound(truths.begin(), truths.end(), truth) - truths.begin());
    };
    for (const std::uint32_t prediction : predictions) {
      const std::span<const std::uint32_t> around = nearby.around(input_.predictions.box_xywh_px[prediction]);
      if (const auto one = best_of(around, prediction, 0); one && is_taken_[place_of(*one)] == 0) {
        is_taken_[place_of(*one)] = 1;
        add(prediction, true);
      } else if (const auto group = best_of(around, prediction, 1); !group) {
        add(prediction, false);
      } else if (input_.predictions.score[prediction] > 0 && is_taken_[place_of(*group)] == 0) {
        is_taken_[place_of(*group)] = 1;
        add(prediction, true);
      } else {
        ++judgement_.in_group;
      }
    }
  }

  /// Among those that are groups, or those that are none, the first of greatest overlap, when that is enough.
  std::optional<std::uint32_t> best_of(std::span<const std::uint32_t> truths, std::uint32_t prediction,
                                       std::uint8_t is_group) const {
    const Box& box = input_.predictions.box_xywh_px[prediction];
    std::optional<std::uint32_t> best;
    double greatest = 0;
    for (const std::uint32_t truth : truths) {
      const Box& other = input_.truths.box_xywh_px[truth];
      if (input_.truths.is_crowd[truth] != is_group || is_apart(box, other)) {
        continue;
      }
      const double overlap = is_group != 0 ? intersection_over_detection(box, other) : iou(box, other);
      if (overlap >= options_.iou && overlap > greatest) {
        best = truth;
        greatest = overlap;
      }
    }
    return best;
  }

  void add(std::uint32_t prediction, bool is_right) {
    ++(is_right ? judgement_.numbers.true_positives : judgement_.numbers.false_positives);
    judged_.push_back({input_.predictions.score[prediction], is_right});
  }

  double average_precision(double truths) {
    std::stable_sort(judged_.begin(), judged_.end(), [](const Judged& a, const Judged& b) { return a.score > b.score; });
    PrecisionRecall curve;
    double right = 0;
    for (std::size_t i = 0; i < judged_.size(); ++i) {
      right += judged_[i].is_right ? 1 : 0;
      curve.precision.push_back(right / static_cast<double>(i + 1));
      curve.recall.push_back(right / truths);
    }
    return area_under_envelope(std::move(curve));
  }

  const EvaluationInput& input_;
  const OpenImagesOptions& options_;
  Judgement judgement_;
  std::vector<Judged> judged_;
  std::vector<std::uint8_t> is_taken_;  ///< by truth of the image
};

}  // namespace

OpenImagesResult open_images_metrics(const EvaluationInput& input, const OpenImagesContext& context,
                                     const OpenImagesOptions& options) {
  check(input, context, options);
  const Kinship kinship = kinship_of(input.classes, context.parents);
  const Lists verified = verified_classes(input, context, kinship);

  OpenImagesResult result;
  Lists truths(input.classes.size());
  for (std::uint32_t i = 0; i < input.truths.size(); ++i) {
    const std::vector<std::uint32_t>& above = kinship.above[input.truths.category[i]];
    truths[input.truths.category[i]].push_back(i);
    for (const std::uint32_t category : above) {
      truths[category].push_back(i);
    }
    result.truths_added += static_cast<std::int64_t>(above.size());
  }
  Lists predictions(input.classes.size());
  for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
    const Box& box = input.predictions.box_xywh_px[i];
    const std::vector<std::uint32_t>& classes = verified[input.predictions.image[i]];
    const auto take = [&](std::uint32_t category) {
      if (!std::binary_search(classes.begin(), classes.end(), category)) {
        ++result.predictions_not_verified;
      } else if (!(box.x < box.x + box.w && box.y < box.y + box.h)) {
        ++result.predictions_without_area;
      } else {
        predictions[category].push_back(i);
      }
    };
    take(input.predictions.category[i]);
    if (options.expands_predictions) {
      const std::vector<std::uint32_t>& above = kinship.above[input.predictions.category[i]];
      std::for_each(above.begin(), above.end(), take);
      result.predictions_added += static_cast<std::int64_t>(above.size());
    }
  }

  std::vector<Judgement> judgements(input.classes.size());
  for_each_in_parallel(input.classes.size(), options.threads, [&](std::size_t k) {
    judgements[k] = ClassJudge(input, options).judge(std::move(truths[k]), std::move(predictions[k]));
  });
  double sum = 0;
  int count = 0;
  for (const Judgement& judgement : judgements) {
    result.per_class.push_back(judgement.numbers);
    result.predictions_beyond_limit += judgement.beyond_limit;
    result.predictions_in_group += judgement.in_group;
    sum += judgement.numbers.ap.value_or(0);
    count += judgement.numbers.ap ? 1 : 0;
  }
  result.map = count == 0 ? std::nullopt : std::optional(sum / count);
  return result;
}

}  // namespace verilabel
