// Images with so many labels that each looks at those near it: the same answers as from a plain loop over all of them.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/open_images.h"
#include "verilabel/evaluate/overlap.h"
#include "verilabel/evaluate/testing_input.h"
#include "verilabel/evaluate/voc.h"

namespace verilabel {
namespace {

constexpr std::uint32_t kClasses = 3;

/// Small and large boxes, equal ones, ones without area or with sides the wrong way round; scores that are equal.
EvaluationInput crowded(std::mt19937& random) {
  const auto between = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
  EvaluationInput input = input_of({7, 3, 5}, kClasses);
  std::vector<Box> places;
  for (int i = 0; i < 400; ++i) {
    switch (random() % 10) {
      case 0:
        places.push_back({between(0, 900), between(0, 900), between(50, 900), between(50, 900)});
        break;
      case 1:
        places.push_back({between(0, 900), between(0, 900), 0, between(0, 30)});
        break;
      case 2:
        places.push_back({between(0, 900), between(0, 900), -between(0, 30), between(-30, 30)});
        break;
      case 3:
        places.push_back({std::floor(between(0, 30)) * 30, std::floor(between(0, 30)) * 30, 30, 30});
        break;
      default:
        places.push_back({between(0, 900), between(0, 900), between(5, 60), between(5, 60)});
    }
  }
  const auto near = [&] {
    Box box = places[random() % places.size()];
    if (random() % 3 != 0) {
      box = {box.x + between(-6, 6), box.y + between(-6, 6), box.w * between(0.8, 1.2), box.h * between(0.8, 1.2)};
    }
    return box;
  };
  for (int i = 0; i < 900; ++i) {
    add(input, TruthRow{static_cast<std::uint32_t>(random() % 8 == 0 ? 1 + random() % 2 : 0),
                        static_cast<std::uint32_t>(random() % kClasses), near(), random() % 12 == 0});
    add(input, PredictionRow{static_cast<std::uint32_t>(random() % 8 == 0 ? 1 + random() % 2 : 0),
                             static_cast<std::uint32_t>(random() % kClasses), near(), std::round(between(0, 40)) / 40});
  }
  return input;
}

bool belong_together(const EvaluationInput& input, std::size_t truth, std::size_t prediction) {
  return input.truths.image[truth] == input.predictions.image[prediction] &&
         input.truths.category[truth] == input.predictions.category[prediction];
}

double overlap_of(const EvaluationInput& input, std::size_t truth, std::size_t prediction) {
  const Box& box = input.predictions.box_xywh_px[prediction];
  const Box& other = input.truths.box_xywh_px[truth];
  return is_apart(box, other) ? 0 : box_overlap(box, other, input.truths.is_crowd[truth] != 0);
}

std::vector<std::uint32_t> best_first(const EvaluationInput& input) {
  std::vector<std::uint32_t> order(input.predictions.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(-input.predictions.score[a], input.images.id[input.predictions.image[a]]) <
           std::pair(-input.predictions.score[b], input.images.id[input.predictions.image[b]]);
  });
  return order;
}

/// COCO's matching at one IoU, prediction by prediction.
Outcomes matched_plainly(const EvaluationInput& input, double iou) {
  Outcomes outcomes;
  outcomes.predictions.resize(input.predictions.size());
  outcomes.truths.resize(input.truths.size());
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    const bool counts = input.truths.is_crowd[i] == 0 && input.truths.area_px[i] >= 0;  // COCO's ranges of area begin at 0
    outcomes.truths[i].outcome = counts ? Outcome::fn : Outcome::ignored;
  }
  for (const std::uint32_t prediction : best_first(input)) {
    std::optional<std::uint32_t> best;
    for (const bool crowds : {false, true}) {
      if (best) {
        break;
      }
      double greatest = iou;
      for (std::uint32_t truth = 0; truth < input.truths.size(); ++truth) {
        const bool is_free = crowds || outcomes.truths[truth].partner == kNoPartner;
        const bool is_asked = (input.truths.is_crowd[truth] != 0) == crowds && belong_together(input, truth, prediction);
        const double overlap = is_free && is_asked ? overlap_of(input, truth, prediction) : 0;
        if (overlap >= greatest) {  // of equals the last
          best = truth;
          greatest = overlap;
        }
      }
    }
    LabelOutcome& outcome = outcomes.predictions[prediction];
    outcome.outcome = input.predictions.area_px_of(prediction) >= 0 ? Outcome::fp : Outcome::ignored;
    if (best) {
      const bool counts = input.truths.is_crowd[*best] == 0;
      outcome = {counts ? Outcome::tp : Outcome::ignored, *best, overlap_of(input, *best, prediction)};
      if (outcomes.truths[*best].partner == kNoPartner) {
        outcomes.truths[*best] = {outcome.outcome, prediction, outcome.iou};
      }
    }
  }
  return outcomes;
}

TEST(CrowdedImages, AreMatchedAsByAPlainLoop) {
  std::mt19937 random(11);
  for (int round = 0; round < 6; ++round) {
    const EvaluationInput input = crowded(random);
    for (const double iou : {0.3, 0.75}) {
      EvaluateOptions options;
      options.iou = iou;
      options.max_detections = std::numeric_limits<std::uint32_t>::max();
      const Outcomes found = evaluate(input, options).outcomes;
      const Outcomes expected = matched_plainly(input, iou);
      for (std::size_t i = 0; i < expected.predictions.size(); ++i) {
        SCOPED_TRACE(fmt::format("round {}, IoU {}, prediction {}", round, iou, i));
        ASSERT_EQ(found.predictions[i].outcome, expected.predictions[i].outcome);
        ASSERT_EQ(found.predictions[i].partner, expected.predictions[i].partner);
        ASSERT_EQ(found.predictions[i].iou, expected.predictions[i].iou);
      }
      for (std::size_t i = 0; i < expected.truths.size(); ++i) {
        ASSERT_EQ(found.truths[i].outcome, expected.truths[i].outcome);
        ASSERT_EQ(found.truths[i].partner, expected.truths[i].partner);
      }
    }
  }
}

/// By the definitions of `ErrorKind`, of a prediction that is wrong.
LabelError error_plainly(const EvaluationInput& input, const Outcomes& outcomes, const ErrorOptions& options,
                         std::uint32_t prediction) {
  struct Best {
    std::uint32_t truth = kNoPartner;
    double overlap = 0;
  };
  const auto best_of = [&](const auto& is_meant) {
    Best best;
    for (std::uint32_t truth = 0; truth < input.truths.size(); ++truth) {
      if (input.truths.image[truth] == input.predictions.image[prediction] && outcomes.truths[truth].outcome != Outcome::ignored &&
          is_meant(truth)) {
        const double overlap = overlap_of(input, truth, prediction);
        if (best.truth == kNoPartner || overlap > best.overlap) {
          best = {truth, overlap};
        }
      }
    }
    return best;
  };
  const auto is_same = [&](std::uint32_t truth) { return input.truths.category[truth] == input.predictions.category[prediction]; };
  const Best same = best_of(is_same);
  const Best other = best_of([&](std::uint32_t truth) { return !is_same(truth); });
  const Best taken = best_of([&](std::uint32_t truth) { return is_same(truth) && outcomes.truths[truth].outcome == Outcome::tp; });
  const Best any = best_of([](std::uint32_t) { return true; });
  if (same.truth != kNoPartner && same.overlap >= options.background_iou && same.overlap <= options.iou) {
    return {ErrorKind::localization, same.truth, same.overlap};
  }
  if (other.truth != kNoPartner && other.overlap >= options.iou) {
    return {ErrorKind::classification, other.truth, other.overlap};
  }
  if (taken.truth != kNoPartner && taken.overlap >= options.iou) {
    return {ErrorKind::duplicate, taken.truth, taken.overlap};
  }
  return any.overlap <= options.background_iou ? LabelError{ErrorKind::background, kNoPartner, any.overlap}
                                               : LabelError{ErrorKind::both, any.truth, any.overlap};
}

TEST(CrowdedImages, HaveTheErrorsOfAPlainLoop) {
  std::mt19937 random(12);
  std::array<int, kErrorKinds> kinds{};
  for (int round = 0; round < 6; ++round) {
    const EvaluationInput input = crowded(random);
    for (const double background : {0.0, 0.1}) {
      const ErrorOptions options{.iou = 0.5, .background_iou = background};
      const Outcomes outcomes = evaluate(input, {}).outcomes;
      const LabelErrors errors = label_errors(input, outcomes, options);
      for (std::uint32_t i = 0; i < input.predictions.size(); ++i) {
        const bool is_wrong = outcomes.predictions[i].outcome == Outcome::fp;
        const LabelError expected = is_wrong ? error_plainly(input, outcomes, options, i) : LabelError();
        ++kinds[static_cast<std::size_t>(expected.kind)];
        SCOPED_TRACE(fmt::format("round {}, background {}, prediction {}", round, background, i));
        ASSERT_EQ(errors.predictions[i].kind, expected.kind);
        ASSERT_EQ(errors.predictions[i].about, expected.about);
        ASSERT_EQ(errors.predictions[i].iou, expected.iou);
      }
    }
  }
  for (const ErrorKind kind :
       {ErrorKind::classification, ErrorKind::localization, ErrorKind::both, ErrorKind::duplicate, ErrorKind::background}) {
    EXPECT_GT(kinds[static_cast<std::size_t>(kind)], 20) << name_of(kind);
  }
}

/// The area under precision, made to fall, over recall.
std::optional<double> area_plainly(const std::vector<bool>& is_right, std::int64_t truths) {
  if (truths == 0) {
    return std::nullopt;
  }
  double area = 0;
  for (std::size_t i = 0; i < is_right.size(); ++i) {
    if (!is_right[i]) {
      continue;
    }
    double greatest = 0;
    std::int64_t right = std::count(is_right.begin(), is_right.begin() + static_cast<std::ptrdiff_t>(i), true);
    for (std::size_t j = i; j < is_right.size(); ++j) {
      right += is_right[j] ? 1 : 0;
      greatest = std::max(greatest, static_cast<double>(right) / static_cast<double>(j + 1));
    }
    area += greatest / static_cast<double>(truths);
  }
  return area;
}

void expect_near(const std::optional<double>& actual, const std::optional<double>& expected) {
  ASSERT_EQ(actual.has_value(), expected.has_value());
  if (expected) {
    EXPECT_NEAR(*actual, *expected, 1e-9);
  }
}

TEST(CrowdedImages, GiveVocsNumbersOfAPlainLoop) {
  std::mt19937 random(13);
  for (int round = 0; round < 6; ++round) {
    const EvaluationInput input = crowded(random);
    std::vector<std::uint8_t> is_difficult;
    for (std::size_t i = 0; i < input.truths.size(); ++i) {
      is_difficult.push_back(random() % 6 == 0 ? 1 : 0);
    }
    for (const bool has_whole_pixels : {false, true}) {
      const VocOptions options{.year = VocYear::voc_2010, .iou = 0.4, .has_whole_pixels = has_whole_pixels};
      const VocResult result = voc_average_precision(input, is_difficult, options);
      const double more = has_whole_pixels ? 1 : 0;
      for (std::uint32_t k = 0; k < kClasses; ++k) {
        std::vector<std::uint8_t> is_taken(input.truths.size(), 0);
        std::vector<bool> is_right;
        std::int64_t truths = 0;
        for (std::size_t i = 0; i < input.truths.size(); ++i) {
          truths += input.truths.category[i] == k && is_difficult[i] == 0 ? 1 : 0;
        }
        for (const std::uint32_t prediction : best_first(input)) {
          if (input.predictions.category[prediction] != k) {
            continue;
          }
          std::optional<std::size_t> best;
          double greatest = 0.4;
          for (std::size_t truth = 0; truth < input.truths.size(); ++truth) {
            Box box = input.predictions.box_xywh_px[prediction];
            Box other = input.truths.box_xywh_px[truth];
            box = {box.x, box.y, box.w + more, box.h + more};
            other = {other.x, other.y, other.w + more, other.h + more};
            if (belong_together(input, truth, prediction) && !is_apart(box, other) && iou(box, other) > greatest) {
              best = truth;
              greatest = iou(box, other);
            }
          }
          if (best && is_difficult[*best] != 0) {
            continue;
          }
          is_right.push_back(best && std::exchange(is_taken[*best], std::uint8_t{1}) == 0);
        }
        SCOPED_TRACE(fmt::format("round {}, class {}", round, k));
        ASSERT_EQ(result.per_class[k].true_positives, std::count(is_right.begin(), is_right.end(), true));
        ASSERT_EQ(result.per_class[k].false_positives, std::count(is_right.begin(), is_right.end(), false));
        expect_near(result.per_class[k].ap, area_plainly(is_right, truths));
      }
    }
  }
}

TEST(CrowdedImages, GiveTheNumbersOfOpenImagesOfAPlainLoop) {
  std::mt19937 random(14);
  for (int round = 0; round < 6; ++round) {
    const EvaluationInput input = crowded(random);
    OpenImagesContext context;
    context.present.resize(input.images.size(), {0, 1, 2});
    context.absent.resize(input.images.size());
    const OpenImagesOptions options{.iou = 0.5};
    const OpenImagesResult result = open_images_metrics(input, context, options);
    for (std::uint32_t k = 0; k < kClasses; ++k) {
      std::vector<std::uint8_t> is_taken(input.truths.size(), 0);
      struct Judged {
        double score;
        std::int64_t image_id;
        bool is_right;
      };
      std::vector<Judged> judged;
      for (const std::uint32_t prediction : best_first(input)) {
        const Box& box = input.predictions.box_xywh_px[prediction];
        if (input.predictions.category[prediction] != k || !(box.w > 0 && box.h > 0)) {
          continue;
        }
        const auto best_of = [&](bool is_group) {
          std::optional<std::size_t> best;
          double greatest = 0;
          for (std::size_t truth = 0; truth < input.truths.size(); ++truth) {
            const double overlap = overlap_of(input, truth, prediction);
            if (belong_together(input, truth, prediction) && (input.truths.is_crowd[truth] != 0) == is_group && overlap >= 0.5 &&
                overlap > greatest) {
              best = truth;
              greatest = overlap;
            }
          }
          return best;
        };
        const double score = input.predictions.score[prediction];
        const std::int64_t image = input.images.id[input.predictions.image[prediction]];
        const std::optional<std::size_t> one = best_of(false);
        const std::optional<std::size_t> group = best_of(true);
        if (one && is_taken[*one] == 0) {
          is_taken[*one] = 1;
          judged.push_back({score, image, true});
        } else if (!group) {
          judged.push_back({score, image, false});
        } else if (score > 0 && is_taken[*group] == 0) {
          is_taken[*group] = 1;
          judged.push_back({score, image, true});
        }
      }
      std::vector<bool> is_right;
      for (const Judged& one : judged) {  // in the order of `best_first`: by score, then image
        is_right.push_back(one.is_right);
      }
      SCOPED_TRACE(fmt::format("round {}, class {}", round, k));
      ASSERT_EQ(result.per_class[k].true_positives, std::count(is_right.begin(), is_right.end(), true));
      ASSERT_EQ(result.per_class[k].false_positives, std::count(is_right.begin(), is_right.end(), false));
      expect_near(result.per_class[k].ap, area_plainly(is_right, result.per_class[k].truths));
    }
  }
}

}  // namespace
}  // namespace verilabel
