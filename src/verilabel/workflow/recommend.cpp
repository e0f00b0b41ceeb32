#include "verilabel/workflow/recommend.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/workflow/interval_json.h"
#include "verilabel/workflow/judged.h"

namespace verilabel {
namespace {

using Kind = ThresholdGoal::Kind;

struct UsualGoal {
  ThresholdGoal goal;
  std::string_view use;
};
constexpr std::string_view kTraining = "to train on";
constexpr std::string_view kAcceptance = "to accept unseen";
constexpr std::array kUsualGoals = {
    UsualGoal{{Kind::f_beta, 2}, kTraining},
    UsualGoal{{Kind::f_beta, 1}, ""},
    UsualGoal{{Kind::f_beta, 0.5}, ""},
    UsualGoal{{Kind::precision, 0.9}, ""},
    UsualGoal{{Kind::precision, 0.95}, kAcceptance},
    UsualGoal{{Kind::precision, 0.99}, ""},
};

void write_point(JsonWriter& json, const std::optional<OperatingPoint>& point) {
  const auto number = [&](std::optional<double> (Counts::*of)() const) {
    return point ? (point->counts.*of)() : std::optional<double>();
  };
  json.field("threshold", point ? point->threshold : std::nullopt).field("f1", number(&Counts::f1));
  json.field("precision", number(&Counts::precision)).field("recall", number(&Counts::recall));
}

void write_recommendation(JsonWriter& json, const Recommendation& one, const PointMetricIntervals* metrics = nullptr) {
  write_point(json, one.point);
  if (!one.point) {
    json.field("unattainable", true);
  }
  json.field("truths", one.truths).field("few_truths", one.has_few_truths());
  json.key("intervals").begin_object();
  write_interval(json, "threshold", one.threshold);
  if (metrics != nullptr) {
    write_interval(json, "precision", metrics->precision);
    write_interval(json, "recall", metrics->recall);
    write_interval(json, "f1", metrics->f1);
  }
  json.end_object();
}

void write_counts(JsonWriter& json, const Counts& counts) {
  json.field("kept", counts.true_positives + counts.false_positives).field("right", counts.true_positives);
  json.field("wrong", counts.false_positives).field("missed", counts.false_negatives);
}

/// Of the classes with few truths together; nothing where there are none.
std::optional<Recommendation> shared_by(const ScoreCurves& curves, const ThresholdRecommendation& recommendation) {
  std::vector<const ScoreCurve*> few;
  for (std::size_t k = 0; k < curves.per_class.size(); ++k) {
    const ScoreCurve& curve = curves.per_class[k];
    if (recommendation.per_class[k].has_few_truths() && (curve.truths() > 0 || curve.size() > 0)) {
      few.push_back(&curve);
    }
  }
  if (few.empty()) {
    return std::nullopt;
  }
  const ScoreCurve together = sum_of(few);
  Recommendation shared{point_for(together, recommendation.goal), std::nullopt, together.truths()};
  if (shared.has_few_truths()) {
    shared.point = recommendation.overall.point;
    if (shared.point) {
      shared.point->counts = together.at(shared.point->threshold);
    }
  }
  return shared;
}

Counts counts_by_class(const ScoreCurves& curves, const ThresholdRecommendation& recommendation) {
  Counts sum;
  const auto add = [&](const Recommendation& one) { sum += one.point ? one.point->counts : Counts{0, 0, one.truths}; };
  for (std::size_t k = 0; k < curves.per_class.size(); ++k) {
    if (!recommendation.per_class[k].has_few_truths()) {
      add(recommendation.per_class[k]);
    }
  }
  if (recommendation.shared) {
    add(*recommendation.shared);
  }
  return sum;
}

/// From the outcomes of predictions of every score.
ThresholdRecommendation recommend(const EvaluationInput& input, const Outcomes& outcomes, const ScoreCurves& curves,
                                  const RecommendOptions& options) {
  ThresholdRecommendation recommendation;
  recommendation.class_names = input.classes.name;
  recommendation.goal = options.goal;
  const auto recommend_for = [&](const ScoreCurve& curve) {
    return Recommendation{point_for(curve, options.goal), std::nullopt, curve.truths()};
  };
  recommendation.overall = recommend_for(curves.overall);
  for (const ScoreCurve& curve : curves.per_class) {
    recommendation.per_class.push_back(recommend_for(curve));
  }
  recommendation.shared = shared_by(curves, recommendation);
  recommendation.by_class = counts_by_class(curves, recommendation);
  if (options.with_intervals) {
    const ThresholdIntervals intervals = bootstrap_thresholds(input, outcomes, options.goal, options.bootstrap);
    recommendation.overall.threshold = intervals.overall.threshold;
    for (std::size_t k = 0; k < intervals.per_class.size(); ++k) {
      if (recommendation.per_class[k].point) {
        recommendation.per_class[k].threshold = intervals.per_class[k].threshold;
      }
    }
    if (recommendation.overall.point) {
      const ResampledMetrics metrics(input, outcomes, recommendation.overall.point->threshold);
      recommendation.intervals = bootstrap_metrics(metrics, options.bootstrap);
    }
  }
  for (const UsualGoal& usual : kUsualGoals) {
    recommendation.choices.push_back({usual.goal, usual.use, point_for(curves.overall, usual.goal)});
  }
  return recommendation;
}

std::optional<double> threshold_for(const ThresholdRecommendation& recommendation, std::string_view use) {
  const auto found = std::ranges::find(recommendation.choices, use, &ThresholdChoice::use);
  return found == recommendation.choices.end() || !found->point ? std::nullopt : found->point->threshold;
}

}  // namespace

std::string name_of(const ThresholdGoal& goal) {
  switch (goal.kind) {
    case Kind::f_beta:
      return fmt::format("f{}", goal.value);
    case Kind::precision:
      return fmt::format("precision {}", goal.value);
    case Kind::recall:
      break;
  }
  return fmt::format("recall {}", goal.value);
}

ThresholdRecommendation recommend_thresholds(const std::filesystem::path& project_dir, const RecommendOptions& options) {
  options.goal.validate();
  if (options.sets.is_classification()) {
    JudgedClasses judged = judge_classes_of_sets(project_dir, options.sets);
    const Outcomes& calls = judged.result.result.of_every_score.calls;
    const ScoreCurves curves = score_curves(judged.input, calls);
    ThresholdRecommendation recommendation = recommend(judged.input, calls, curves, options);
    for (std::size_t k = 0; k < curves.per_class.size(); ++k) {
      const bool occurs = judged.result.result.per_class[k].truths > 0 || curves.per_class[k].size() > 0;
      recommendation.class_occurs.push_back(occurs ? 1 : 0);
    }
    recommendation.sets = std::move(judged.result);
    return recommendation;
  }
  JudgedSets judged = judge_sets(project_dir, options.sets);
  const Outcomes& outcomes = judged.result.evaluation.outcomes;
  ThresholdRecommendation recommendation = recommend(judged.input, outcomes, score_curves(judged.input, outcomes), options);
  recommendation.class_occurs.resize(judged.input.classes.size(), 0);
  for (const std::vector<std::uint32_t>* const categories : {&judged.input.truths.category, &judged.input.predictions.category}) {
    for (const std::uint32_t category : *categories) {
      recommendation.class_occurs[category] = 1;
    }
  }
  recommendation.categories_of_shared_name = judged.categories_of_shared_name;
  recommendation.sets = std::move(judged.result);
  return recommendation;
}

std::string recommendation_json(const ThresholdRecommendation& recommendation) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("goal", name_of(recommendation.goal));
  write_recommendation(json, recommendation.overall, &recommendation.intervals);
  json.field("training", threshold_for(recommendation, kTraining));
  json.field("acceptance", threshold_for(recommendation, kAcceptance));
  json.key("per_class").begin_object();
  for (std::size_t k = 0; k < recommendation.per_class.size(); ++k) {
    if (recommendation.class_occurs[k] != 0) {
      json.key(recommendation.class_names[k]).begin_object();
      write_recommendation(json, recommendation.per_class[k]);
      json.end_object();
    }
  }
  json.end_object();
  if (recommendation.shared) {
    json.key("shared").begin_object();
    write_recommendation(json, *recommendation.shared);
    json.end_object();
  }
  const Counts& by_class = recommendation.by_class;
  json.key("by_class").begin_object().field("f1", by_class.f1()).field("precision", by_class.precision());
  json.field("recall", by_class.recall());
  write_counts(json, by_class);
  json.end_object().key("choices").begin_array();
  for (const ThresholdChoice& choice : recommendation.choices) {
    json.begin_object().field("goal", name_of(choice.goal));
    json.field("use", choice.use.empty() ? std::nullopt : std::optional(choice.use));
    write_point(json, choice.point);
    if (choice.point) {
      write_counts(json, choice.point->counts);
    }
    json.end_object();
  }
  json.end_array().end_object();
  return out + "\n";
}

}  // namespace verilabel
