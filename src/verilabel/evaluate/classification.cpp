#include "verilabel/evaluate/classification.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/image_groups.h"
#include "verilabel/evaluate/ranking_areas.h"

namespace verilabel {
namespace {

std::string name_of(const EvaluatedImages& images, std::size_t image) {
  return images.name.empty() ? std::to_string(images.id[image]) : images.name[image];
}

void check(const ClassificationInput& input, const ClassificationOptions& options) {
  const EvaluatedTruths& truths = input.truths;
  const EvaluatedPredictions& predictions = input.predictions;
  if (options.threshold && std::isnan(*options.threshold)) {
    throw Error(ErrorCode::wrong_use, "the score from which on a class is taken must be a number");
  }
  if (truths.category.size() != truths.size() || predictions.category.size() != predictions.size() ||
      predictions.score.size() != predictions.size()) {
    throw Error(ErrorCode::internal, "columns of labels are of unequal length");
  }
  const auto are_listed = [&](const std::vector<std::uint32_t>& image, const std::vector<std::uint32_t>& category) {
    return std::ranges::all_of(image, [&](std::uint32_t i) { return i < input.images.size(); }) &&
           std::ranges::all_of(category, [&](std::uint32_t k) { return k < input.classes.size(); });
  };
  if (!are_listed(truths.image, truths.category) || !are_listed(predictions.image, predictions.category)) {
    throw Error(ErrorCode::internal, "a label is of an image or a class that is not listed");
  }
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    if (!std::isfinite(predictions.score[i])) {
      throw Error(ErrorCode::bad_data, "a prediction's score is not a finite number",
                  {{"image", name_of(input.images, predictions.image[i])}});
    }
  }
}

/// An image's score for a class, and whether it is of that class.
struct Scored {
  double score;
  bool is_positive;
};

/// Of `count` pairs, `positives` of which are true, those that have a score; the others rank last, all level.
RankingAreas areas_under_curves(std::vector<Scored> scored, std::int64_t positives, std::int64_t count) {
  std::ranges::sort(scored, std::ranges::greater{}, &Scored::score);
  RankingAreas areas;
  for (std::size_t i = 0; i < scored.size();) {
    std::int64_t right = 0;
    const std::size_t begin = i;
    for (; i < scored.size() && scored[i].score == scored[begin].score; ++i) {
      right += scored[i].is_positive ? 1 : 0;
    }
    areas.add_level(right, static_cast<std::int64_t>(i - begin) - right);
  }
  areas.add_rest(positives, count);
  return areas;
}

class Evaluator {
 public:
  Evaluator(const ClassificationInput& input, const ClassificationOptions& options)
      : input_(input),
        options_(options),
        scored_(input.classes.size()),
        truth_of_(input.classes.size(), kNoPartner),
        prediction_of_(input.classes.size(), kNoPartner) {
    result_.images = static_cast<std::int64_t>(input.images.size());
    result_.per_class.resize(input.classes.size());
    for (Outcomes* outcomes : {&result_.of_every_score.calls, &result_.of_every_score.one_against_all}) {
      outcomes->predictions.resize(input.predictions.size());
      outcomes->truths.resize(input.truths.size());
    }
  }

  ClassificationResult run() {
    const ImageGroups truths(input_.truths.image, input_.images.size());
    const ImageGroups predictions(input_.predictions.image, input_.images.size());
    for (std::size_t image = 0; image < input_.images.size(); ++image) {
      if (truths.of(image).empty() && !options_.is_multi_label) {
        throw Error(ErrorCode::bad_data, "an image has no class", {{"image", name_of(input_.images, image)}});
      }
      judge(truths.of(image), predictions.of(image));
    }
    cut_off();
    judge_images();
    measure();
    return std::move(result_);
  }

 private:
  void judge(std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) {
    for (const std::uint32_t i : truths) {
      if (std::uint32_t& first = truth_of_[input_.truths.category[i]]; first == kNoPartner) {
        first = i;
        ++result_.per_class[input_.truths.category[i]].truths;
      }
    }
    rank(predictions);
    for (const std::uint32_t i : ranked_) {
      scored_[input_.predictions.category[i]].push_back({input_.predictions.score[i], is_true(i)});
    }
    const auto first_right =
        static_cast<std::size_t>(std::ranges::find_if(ranked_, [&](std::uint32_t i) { return is_true(i); }) - ranked_.begin());
    for (std::size_t k = first_right; first_right < ranked_.size() && k < result_.right_within.size(); ++k) {
      ++result_.right_within[k];
    }
    call(result_.of_every_score.one_against_all, truths, ranked_);
    if (options_.is_multi_label) {
      call(result_.of_every_score.calls, truths, ranked_);
    } else if (first_right == 0 && !ranked_.empty()) {
      call(result_.of_every_score.calls, std::span(&truth_of_[input_.predictions.category[ranked_.front()]], 1),
           std::span(ranked_).first(1));
    } else {
      call(result_.of_every_score.calls, truths, std::span(ranked_).first(std::min<std::size_t>(ranked_.size(), 1)));
    }
    const std::size_t place = first_right < ranked_.size() ? first_right + 1 : 0;
    result_.of_images.right_place.push_back(static_cast<std::uint8_t>(place <= ClassificationResult::kLargestK ? place : 0));
    for (const std::uint32_t i : truths) {
      truth_of_[input_.truths.category[i]] = kNoPartner;
    }
  }

  bool is_true(std::uint32_t prediction) const { return truth_of_[input_.predictions.category[prediction]] != kNoPartner; }

  /// The image of the truths is called by the predictions, of which no two are of one class.
  void call(Outcomes& outcomes, std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) const {
    for (const std::uint32_t i : truths) {
      if (truth_of_[input_.truths.category[i]] == i) {
        outcomes.truths[i].outcome = Outcome::fn;
      }
    }
    for (const std::uint32_t i : predictions) {
      if (is_true(i)) {
        const std::uint32_t truth = truth_of_[input_.predictions.category[i]];
        outcomes.predictions[i] = {Outcome::tp, truth, 0};
        outcomes.truths[truth] = {Outcome::tp, i, 0};
      } else {
        outcomes.predictions[i].outcome = Outcome::fp;
      }
    }
  }

  /// The best prediction of each class, best first, into `ranked_`.
  void rank(std::span<const std::uint32_t> predictions) {
    ranked_.assign(predictions.begin(), predictions.end());
    std::ranges::stable_sort(ranked_, std::ranges::greater{}, [&](std::uint32_t i) { return input_.predictions.score[i]; });
    std::erase_if(ranked_,
                  [&](std::uint32_t i) { return std::exchange(prediction_of_[input_.predictions.category[i]], i) != kNoPartner; });
    for (const std::uint32_t i : ranked_) {
      prediction_of_[input_.predictions.category[i]] = kNoPartner;
    }
  }

  /// From all scores to those at the threshold.
  void cut_off() {
    const Outcomes& calls = result_.of_every_score.calls;
    OperatingPoints best = best_f1_points(input_, calls);
    std::optional<double> threshold = options_.threshold;
    if (!threshold && options_.is_multi_label) {
      threshold = best.overall.threshold;
    }
    const OperatingPoints chosen = operating_points_at(input_, calls, threshold);
    result_.best_f1 = best.overall;
    result_.at_threshold = chosen.overall;
    for (std::size_t k = 0; k < result_.per_class.size(); ++k) {
      ClassificationOfClass& of_class = result_.per_class[k];
      of_class.best_f1 = best.per_class[k];
      of_class.counts = chosen.per_class[k].counts;
      of_class.predictions = of_class.counts.true_positives + of_class.counts.false_positives;
    }
    result_.outcomes = threshold ? outcomes_at(input_, calls, *threshold) : calls;
  }

  void judge_images() {
    struct OfImage {
      std::int64_t truths = 0;
      std::int64_t called = 0;
      std::int64_t right = 0;
    };
    std::vector<OfImage> images(input_.images.size());
    for (std::size_t i = 0; i < input_.truths.size(); ++i) {
      const bool is_repeated = result_.of_every_score.one_against_all.truths[i].outcome == Outcome::ignored;
      images[input_.truths.image[i]].truths += is_repeated ? 0 : 1;
      result_.truths_repeated += is_repeated ? 1 : 0;
    }
    for (std::size_t i = 0; i < input_.predictions.size(); ++i) {
      const Outcome outcome = result_.outcomes.predictions[i].outcome;
      images[input_.predictions.image[i]].called += outcome == Outcome::ignored ? 0 : 1;
      images[input_.predictions.image[i]].right += outcome == Outcome::tp ? 1 : 0;
      const bool is_repeated = result_.of_every_score.one_against_all.predictions[i].outcome == Outcome::ignored;
      result_.predictions_repeated += is_repeated ? 1 : 0;
      const bool is_called = result_.of_every_score.calls.predictions[i].outcome != Outcome::ignored;
      result_.predictions_not_best += is_called || is_repeated ? 0 : 1;
    }
    for (const OfImage& image : images) {
      const bool is_exact = image.right == image.called && image.right == image.truths;
      result_.images_without_prediction += image.called == 0 ? 1 : 0;
      result_.images_exactly_right += is_exact ? 1 : 0;
      result_.of_images.is_exact.push_back(is_exact ? 1 : 0);
    }
  }

  void measure() {
    std::vector<Scored> all;
    std::int64_t positives = 0;
    for (std::size_t k = 0; k < scored_.size(); ++k) {
      ClassificationOfClass& of_class = result_.per_class[k];
      positives += of_class.truths;
      all.insert(all.end(), scored_[k].begin(), scored_[k].end());
      const RankingAreas areas = areas_under_curves(std::move(scored_[k]), of_class.truths, result_.images);
      of_class.roc_auc = areas.roc_auc();
      of_class.average_precision = areas.average_precision();
    }
    const std::int64_t pairs = result_.images * static_cast<std::int64_t>(scored_.size());
    const RankingAreas areas = areas_under_curves(std::move(all), positives, pairs);
    const Counts& counts = result_.at_threshold.counts;
    result_.micro = {counts.precision(), counts.recall(), counts.f1(), areas.roc_auc(), areas.average_precision()};
    result_.macro = average([](const ClassificationOfClass&) { return 1.0; });
    result_.weighted = average([](const ClassificationOfClass& of_class) { return static_cast<double>(of_class.truths); });
  }

  template <typename Weight>
  ClassificationAverage average(const Weight& weight) const {
    const auto mean = [&](const auto& figure) -> std::optional<double> {
      double sum = 0;
      double weights = 0;
      for (const ClassificationOfClass& of_class : result_.per_class) {
        if (const std::optional<double> value = figure(of_class)) {
          sum += weight(of_class) * *value;
          weights += weight(of_class);
        }
      }
      return weights == 0 ? std::nullopt : std::optional(sum / weights);
    };
    return {mean([](const ClassificationOfClass& one) { return one.counts.precision(); }),
            mean([](const ClassificationOfClass& one) { return one.counts.recall(); }),
            mean([](const ClassificationOfClass& one) { return one.counts.f1(); }),
            mean([](const ClassificationOfClass& one) { return one.roc_auc; }),
            mean([](const ClassificationOfClass& one) { return one.average_precision; })};
  }

  const ClassificationInput& input_;
  const ClassificationOptions& options_;
  ClassificationResult result_;
  std::vector<std::vector<Scored>> scored_;   ///< of each class
  std::vector<std::uint32_t> truth_of_;       ///< of each class the image's first truth; none between images
  std::vector<std::uint32_t> prediction_of_;  ///< likewise, while ranking
  std::vector<std::uint32_t> ranked_;
};

std::optional<double> share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? std::nullopt : std::optional(static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

std::optional<double> ClassificationResult::top_k(std::size_t k) const {
  return share(right_within.at(k - 1), images);
}

std::optional<double> ClassificationResult::exact_match() const {
  return share(images_exactly_right, images);
}

ClassificationResult evaluate_classification(const ClassificationInput& input, const ClassificationOptions& options) {
  check(input, options);
  return Evaluator(input, options).run();
}

}  // namespace verilabel
