#include "verilabel/evaluate/classification.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/image_groups.h"

namespace verilabel {
namespace {

std::string name_of(const EvaluatedImages& images, std::size_t image) {
  return images.name.empty() ? std::to_string(images.id[image]) : images.name[image];
}

void check(const ClassificationInput& input, const ClassificationOptions& options) {
  const EvaluatedTruths& truths = input.truths;
  const EvaluatedPredictions& predictions = input.predictions;
  if (options.is_multi_label && std::isnan(options.threshold)) {
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

struct Areas {
  std::optional<double> roc_auc;
  std::optional<double> average_precision;
};

/// Of `count` pairs, `positives` of which are true, those that have a score; the others rank last, all level.
Areas areas_under_curves(std::vector<Scored> scored, std::int64_t positives, std::int64_t count) {
  if (positives == 0) {
    return {};
  }
  std::ranges::sort(scored, std::ranges::greater{}, &Scored::score);
  std::int64_t right = 0;
  std::int64_t wrong = 0;
  double won = 0;  // pairs of a positive and a negative in the right order, level ones by half
  double precision_sum = 0;
  const auto add_level = [&](std::int64_t new_right, std::int64_t new_wrong) {
    won += static_cast<double>(new_wrong) * (static_cast<double>(right) + static_cast<double>(new_right) / 2);
    right += new_right;
    wrong += new_wrong;
    if (new_right > 0) {
      precision_sum += static_cast<double>(new_right) * static_cast<double>(right) / static_cast<double>(right + wrong);
    }
  };
  for (std::size_t i = 0; i < scored.size();) {
    std::int64_t new_right = 0;
    const std::size_t begin = i;
    for (; i < scored.size() && scored[i].score == scored[begin].score; ++i) {
      new_right += scored[i].is_positive ? 1 : 0;
    }
    add_level(new_right, static_cast<std::int64_t>(i - begin) - new_right);
  }
  const std::int64_t negatives = count - positives;
  add_level(positives - right, negatives - wrong);
  Areas areas;
  areas.average_precision = precision_sum / static_cast<double>(positives);
  if (negatives > 0) {
    areas.roc_auc = won / (static_cast<double>(positives) * static_cast<double>(negatives));
  }
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
    result_.outcomes.predictions.resize(input.predictions.size());
    result_.outcomes.truths.resize(input.truths.size());
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
    measure();
    return std::move(result_);
  }

 private:
  void judge(std::span<const std::uint32_t> truths, std::span<const std::uint32_t> predictions) {
    std::size_t distinct_truths = 0;
    for (const std::uint32_t i : truths) {
      if (std::uint32_t& first = truth_of_[input_.truths.category[i]]; first == kNoPartner) {
        first = i;
        ++distinct_truths;
        ++result_.per_class[input_.truths.category[i]].truths;
      }
    }
    rank(predictions);
    for (const std::uint32_t i : ranked_) {
      const std::uint32_t category = input_.predictions.category[i];
      scored_[category].push_back({input_.predictions.score[i], truth_of_[category] != kNoPartner});
    }
    const auto is_true = [&](std::uint32_t i) { return truth_of_[input_.predictions.category[i]] != kNoPartner; };
    const auto first_right = static_cast<std::size_t>(std::ranges::find_if(ranked_, is_true) - ranked_.begin());
    for (std::size_t k = first_right; first_right < ranked_.size() && k < result_.right_within.size(); ++k) {
      ++result_.right_within[k];
    }
    const std::size_t called = options_.is_multi_label ? count_at_threshold() : std::min<std::size_t>(ranked_.size(), 1);
    std::size_t right = 0;
    for (const std::uint32_t i : std::span(ranked_).first(called)) {
      right += call(i) ? 1 : 0;
    }
    result_.images_without_prediction += called == 0 ? 1 : 0;
    result_.images_exactly_right += right == called && right == distinct_truths ? 1 : 0;
    const bool is_excused = !options_.is_multi_label && right > 0;
    for (const std::uint32_t i : truths) {
      const std::uint32_t category = input_.truths.category[i];
      const bool is_found = result_.outcomes.truths[truth_of_[category]].outcome == Outcome::tp;
      if (!is_excused && !is_found) {
        result_.outcomes.truths[i].outcome = Outcome::fn;
        result_.per_class[category].counts.false_negatives += truth_of_[category] == i ? 1 : 0;
      }
    }
    for (const std::uint32_t i : truths) {
      truth_of_[input_.truths.category[i]] = kNoPartner;
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

  std::size_t count_at_threshold() const {
    const auto end =
        std::ranges::find_if(ranked_, [&](std::uint32_t i) { return input_.predictions.score[i] < options_.threshold; });
    return static_cast<std::size_t>(end - ranked_.begin());
  }

  /// Whether it is right that the image is called by that prediction.
  bool call(std::uint32_t prediction) {
    const std::uint32_t category = input_.predictions.category[prediction];
    const std::uint32_t truth = truth_of_[category];
    ClassificationOfClass& of_class = result_.per_class[category];
    ++of_class.predictions;
    if (truth == kNoPartner) {
      ++of_class.counts.false_positives;
      result_.outcomes.predictions[prediction].outcome = Outcome::fp;
      return false;
    }
    ++of_class.counts.true_positives;
    result_.outcomes.predictions[prediction] = {Outcome::tp, truth, 0};
    result_.outcomes.truths[truth] = {Outcome::tp, prediction, 0};
    return true;
  }

  void measure() {
    Counts counts;
    std::vector<Scored> all;
    std::int64_t positives = 0;
    for (std::size_t k = 0; k < scored_.size(); ++k) {
      ClassificationOfClass& of_class = result_.per_class[k];
      counts += of_class.counts;
      positives += of_class.truths;
      all.insert(all.end(), scored_[k].begin(), scored_[k].end());
      const Areas areas = areas_under_curves(std::move(scored_[k]), of_class.truths, result_.images);
      of_class.roc_auc = areas.roc_auc;
      of_class.average_precision = areas.average_precision;
    }
    const std::int64_t pairs = result_.images * static_cast<std::int64_t>(scored_.size());
    const Areas areas = areas_under_curves(std::move(all), positives, pairs);
    result_.micro = {counts.precision(), counts.recall(), counts.f1(), areas.roc_auc, areas.average_precision};
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
