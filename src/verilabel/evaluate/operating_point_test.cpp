#include "verilabel/evaluate/operating_point.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

Box place(int i) {
  return {20.0 * i, 0, 10, 10};
}

/// `truths` truths in a row, of which right predictions take the next one each, and wrong ones that lie elsewhere.
EvaluationInput ranking(int truths, const std::vector<std::pair<double, bool>>& scores) {
  EvaluationInput input = input_of({1});
  for (int i = 0; i < truths; ++i) {
    add(input, TruthRow{0, 0, place(i)});
  }
  int next = 0;
  for (const auto& [score, is_right] : scores) {
    add(input, PredictionRow{0, 0, is_right ? place(next++) : Box{0, 500, 10, 10}, score});
  }
  return input;
}

OperatingPoints best_of(const EvaluationInput& input) {
  return best_f1_points(input, outcomes(input, match(input, {}), 0));
}

OperatingPoints at(const EvaluationInput& input, std::optional<double> threshold) {
  return operating_points_at(input, outcomes(input, match(input, {}), 0), threshold);
}

TEST(OperatingPoint, precision_recall_and_f1_at_a_threshold) {
  // Three truths; right .9, wrong .8, right .7, wrong .6.
  const EvaluationInput input = ranking(3, {{.9, true}, {.8, false}, {.7, true}, {.6, false}});
  // At .7: tp 2, fp 1, fn 1: precision 2/3, recall 2/3, F1 4 / (4 + 1 + 1) = 2/3.
  const Counts counts = at(input, .7).overall.counts;
  EXPECT_EQ(counts, (Counts{2, 1, 1}));
  EXPECT_EQ(counts.precision(), 2. / 3);
  EXPECT_EQ(counts.recall(), 2. / 3);
  EXPECT_EQ(counts.f1(), 2. / 3);
  EXPECT_EQ(at(input, .71).overall.counts, (Counts{1, 1, 2}));
  EXPECT_EQ(at(input, std::nullopt).overall.counts, (Counts{2, 2, 1}));
  EXPECT_EQ(at(input, 1.0).overall.counts, (Counts{0, 0, 3}));
}

TEST(OperatingPoint, best_f1_by_hand) {
  // Three truths. F1 = 2 tp / (predictions + truths) after each: right .9: 2/4; wrong .8: 2/5; right .7: 4/6; wrong .6: 4/7.
  const OperatingPoint best = best_of(ranking(3, {{.9, true}, {.8, false}, {.7, true}, {.6, false}})).overall;
  EXPECT_EQ(best.threshold, .7);
  EXPECT_EQ(best.counts, (Counts{2, 1, 1}));
}

TEST(OperatingPoint, of_equal_f1_the_higher_threshold_wins) {
  // Three truths. Right .9: 2/4. Then three wrong and right .5: 4 / (5 + 3) = 2/4 as well.
  const OperatingPoint best = best_of(ranking(3, {{.9, true}, {.8, false}, {.7, false}, {.6, false}, {.5, true}})).overall;
  EXPECT_EQ(best.threshold, .9);
  EXPECT_EQ(best.counts, (Counts{1, 0, 2}));
}

TEST(OperatingPoint, equal_scores_stand_or_fall_together) {
  // Two truths. Right .9: 2/3. At .5 one right and three wrong tie, the right one first: a cut between them (4/4) does not exist,
  // and with all four it is 4 / (5 + 2).
  const OperatingPoint best = best_of(ranking(2, {{.9, true}, {.5, true}, {.5, false}, {.5, false}, {.5, false}})).overall;
  EXPECT_EQ(best.threshold, .9);
  EXPECT_EQ(best.counts.f1(), 2. / 3);
}

TEST(OperatingPoint, each_class_has_its_own) {
  EvaluationInput input = input_of({1}, 3);
  add(input, TruthRow{0, 0, place(0)});
  add(input, TruthRow{0, 1, place(1)});
  add(input, PredictionRow{0, 0, place(0), .9});
  add(input, PredictionRow{0, 0, place(5), .4});
  add(input, PredictionRow{0, 1, place(1), .3});
  add(input, PredictionRow{0, 2, place(1), .2});
  // Class 0: .9 is perfect. Class 1: .3 is perfect. Together: at .9 2·1 / (1 + 2), at .3 2·2 / (3 + 2).
  const OperatingPoints best = best_of(input);
  EXPECT_EQ(best.per_class[0].threshold, .9);
  EXPECT_EQ(best.per_class[0].counts, (Counts{1, 0, 0}));
  EXPECT_EQ(best.per_class[1].threshold, .3);
  EXPECT_EQ(best.overall.threshold, .3);
  EXPECT_EQ(best.overall.counts, (Counts{2, 1, 0}));
  // Class 2 has no truth: nothing can be right, precision is 0 and recall undefined.
  EXPECT_EQ(best.per_class[2].threshold, std::nullopt);
  EXPECT_EQ(best.per_class[2].counts.precision(), 0.0);
  EXPECT_EQ(best.per_class[2].counts.recall(), std::nullopt);
  EXPECT_EQ(best.per_class[2].counts.f1(), 0.0);
}

TEST(OperatingPoint, nothing_to_measure_is_undefined) {
  const OperatingPoint nothing = best_of(input_of({1})).overall;
  EXPECT_EQ(nothing.threshold, std::nullopt);
  EXPECT_EQ(nothing.counts.precision(), std::nullopt);
  EXPECT_EQ(nothing.counts.recall(), std::nullopt);
  EXPECT_EQ(nothing.counts.f1(), std::nullopt);
  // Truth and no prediction: recall and F1 are 0, precision is undefined.
  const OperatingPoint missed = best_of(ranking(2, {})).overall;
  EXPECT_EQ(missed.counts.precision(), std::nullopt);
  EXPECT_EQ(missed.counts.recall(), 0.0);
  EXPECT_EQ(missed.counts.f1(), 0.0);
}

TEST(OperatingPoint, ignored_labels_are_in_no_count) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, place(0)});
  add(input, TruthRow{0, 0, {200, 0, 300, 300}, true});
  add(input, PredictionRow{0, 0, {250, 10, 10, 10}, .9});
  add(input, PredictionRow{0, 0, place(0), .5});
  EXPECT_EQ(at(input, std::nullopt).overall.counts, (Counts{1, 0, 0}));
  EXPECT_EQ(best_of(input).overall.threshold, .5);
}

TEST(OperatingPoint, outcomes_of_other_data_are_refused) {
  EXPECT_THROW(best_f1_points(ranking(1, {}), Outcomes{}), Error);
  EXPECT_THROW(operating_points_at(ranking(1, {}), Outcomes{}, .5), Error);
}

// Everything below repeats the definitions from scratch: at every score, drop what is below it, match again, count.

double overlap(const Box& detection, const Box& truth, bool is_crowd) {
  const double w = std::min(detection.x + detection.w, truth.x + truth.w) - std::max(detection.x, truth.x);
  const double h = std::min(detection.y + detection.h, truth.y + truth.h) - std::max(detection.y, truth.y);
  if (w <= 0 || h <= 0) {
    return 0;
  }
  const double whole = detection.w * detection.h;
  return w * h / (is_crowd ? whole : whole + truth.w * truth.h - w * h);
}

Counts count_by_definition(const EvaluationInput& input, double iou, double threshold, std::uint32_t first, std::uint32_t last) {
  Counts counts;
  for (std::uint32_t image = 0; image < input.images.size(); ++image) {
    for (std::uint32_t category = first; category < last; ++category) {
      std::vector<std::size_t> predictions;
      for (std::size_t i = 0; i < input.predictions.size(); ++i) {
        if (input.predictions.image[i] == image && input.predictions.category[i] == category &&
            input.predictions.score[i] >= threshold) {
          predictions.push_back(i);
        }
      }
      std::stable_sort(predictions.begin(), predictions.end(),
                       [&](std::size_t a, std::size_t b) { return input.predictions.score[a] > input.predictions.score[b]; });
      std::set<std::size_t> found;
      std::int64_t truths = 0;
      for (std::size_t g = 0; g < input.truths.size(); ++g) {
        truths += input.truths.image[g] == image && input.truths.category[g] == category && input.truths.is_crowd[g] == 0 ? 1 : 0;
      }
      for (const std::size_t prediction : predictions) {
        std::optional<std::size_t> best;
        double best_overlap = iou;
        bool is_in_crowd = false;
        for (std::size_t g = 0; g < input.truths.size(); ++g) {
          if (input.truths.image[g] != image || input.truths.category[g] != category) {
            continue;
          }
          const bool is_crowd = input.truths.is_crowd[g] != 0;
          const double now = overlap(input.predictions.box_xywh_px[prediction], input.truths.box_xywh_px[g], is_crowd);
          if (is_crowd) {
            is_in_crowd = is_in_crowd || now >= iou;
          } else if (found.count(g) == 0 && now >= best_overlap) {
            best = g;
            best_overlap = now;
          }
        }
        if (best) {
          found.insert(*best);
        } else if (!is_in_crowd) {
          ++counts.false_positives;
        }
      }
      counts.true_positives += static_cast<std::int64_t>(found.size());
      counts.false_negatives += truths - static_cast<std::int64_t>(found.size());
    }
  }
  return counts;
}

OperatingPoint best_by_definition(const EvaluationInput& input, double iou, std::uint32_t first, std::uint32_t last) {
  const std::set<double, std::greater<>> thresholds(input.predictions.score.begin(), input.predictions.score.end());
  OperatingPoint best;
  double best_f1 = 0;
  for (const double threshold : thresholds) {
    const Counts counts = count_by_definition(input, iou, threshold, first, last);
    if (counts.f1().value_or(0) > best_f1) {
      best_f1 = *counts.f1();
      best = {threshold, counts};
    }
  }
  if (!best.threshold) {
    best.counts = count_by_definition(input, iou, -1, first, last);
  }
  return best;
}

EvaluationInput random_input(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random() % limit); };
  const std::uint32_t class_count = 1 + below(3);
  EvaluationInput input = input_of({9, 4, 6}, class_count);
  const auto box = [&] { return Box{8.0 * below(6), 8.0 * below(4), 8.0 * (1 + below(4)), 8.0 * (1 + below(4))}; };
  for (std::uint32_t left = below(25); left > 0; --left) {
    add(input, TruthRow{below(3), below(class_count), box(), below(8) == 0});
  }
  const std::uint32_t score_count = seed % 2 == 0 ? 5 : 1000;
  for (std::uint32_t left = below(50); left > 0; --left) {
    if (!input.truths.image.empty() && below(2) == 0) {
      const std::size_t near = below(static_cast<std::uint32_t>(input.truths.size()));
      add(input, PredictionRow{input.truths.image[near], input.truths.category[near], input.truths.box_xywh_px[near],
                               below(score_count) / 1000.0});
    } else {
      add(input, PredictionRow{below(3), below(class_count), box(), below(score_count) / 1000.0});
    }
  }
  return input;
}

TEST(OperatingPoint, random_data_agrees_with_the_definition) {
  int with_threshold = 0;
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    const EvaluationInput input = random_input(seed);
    const auto class_count = static_cast<std::uint32_t>(input.classes.size());
    MatchOptions options;
    options.iou_thresholds = {seed % 3 == 0 ? .3 : .5};
    options.threads = 2;
    const double iou = options.iou_thresholds[0];
    const Outcomes all = outcomes(input, match(input, options), 0);
    const OperatingPoints best = best_f1_points(input, all, 2);
    const OperatingPoint expected = best_by_definition(input, iou, 0, class_count);
    with_threshold += expected.threshold ? 1 : 0;
    EXPECT_EQ(best.overall.threshold, expected.threshold) << seed;
    EXPECT_EQ(best.overall.counts, expected.counts) << seed;
    for (std::uint32_t k = 0; k < class_count; ++k) {
      const OperatingPoint of_class = best_by_definition(input, iou, k, k + 1);
      EXPECT_EQ(best.per_class[k].threshold, of_class.threshold) << seed << ", class " << k;
      EXPECT_EQ(best.per_class[k].counts, of_class.counts) << seed << ", class " << k;
    }
    for (const double threshold : {0.0, .002, .3, .7}) {
      const OperatingPoints points = operating_points_at(input, all, threshold);
      EXPECT_EQ(points.overall.counts, count_by_definition(input, iou, threshold, 0, class_count)) << seed;
      EXPECT_EQ(points.per_class[0].counts, count_by_definition(input, iou, threshold, 0, 1)) << seed;
    }
  }
  EXPECT_GT(with_threshold, 200);
}

}  // namespace
}  // namespace verilabel
