// What no protocol may take silently: each has a defined answer or an error that names the sample.

#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/calibration.h"
#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/confusion.h"
#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/lvis.h"
#include "verilabel/evaluate/open_images.h"
#include "verilabel/evaluate/score_curve.h"
#include "verilabel/evaluate/testing_input.h"
#include "verilabel/evaluate/voc.h"

namespace verilabel {
namespace {

using ::testing::Contains;
using ::testing::Pair;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// Outcomes for those that take them, as a matching pass would make them if nothing were wrong.
Outcomes outcomes_for(const EvaluationInput& input) {
  EvaluationInput sound = input;
  for (double& score : sound.predictions.score) {
    score = std::isfinite(score) ? score : 0.5;
  }
  for (std::vector<Box>* const boxes : {&sound.truths.box_xywh_px, &sound.predictions.box_xywh_px}) {
    for (Box& box : *boxes) {
      box.w = std::isfinite(box.w) ? box.w : 1;
    }
  }
  return evaluate(sound, {}).outcomes;
}

Federation federation_for(const EvaluationInput& input) {
  Federation federation;
  federation.absent.resize(input.images.size());
  federation.not_exhaustive.resize(input.images.size());
  for (std::vector<std::uint32_t>& list : federation.absent) {
    for (std::uint32_t k = 0; k < input.classes.size(); ++k) {
      list.push_back(k);
    }
  }
  federation.frequency.assign(input.classes.size(), ClassFrequency::frequent);
  return federation;
}

std::optional<double> coco_map(const EvaluationInput& input, IouType type) {
  EvaluateOptions options;
  options.iou_type = type;
  return evaluate(input, options).coco.map;
}

/// The figure for the whole, or nothing where it is undefined.
using Figure = std::optional<double>;

struct Protocol {
  const char* name;
  std::function<Figure(const EvaluationInput&, IouType)> run;
  bool takes_boxes = true;
  bool takes_masks = true;
  Figure without_truth = std::nullopt;  ///< and with predictions
  Figure without_predictions = 0;       ///< and with truths
  Figure without_anything = std::nullopt;
};

const std::vector<Protocol>& protocols() {
  static const std::vector<Protocol> all = {
      {.name = "coco", .run = [](const EvaluationInput& input, IouType type) { return coco_map(input, type); }},
      {.name = "lvis",
       .run = [](const EvaluationInput& input,
                 IouType type) { return lvis_metrics(input, federation_for(input), {.iou_type = type}).metrics.ap; }},
      {.name = "voc",
       .run = [](const EvaluationInput& input,
                 IouType) { return voc_average_precision(input, std::vector<std::uint8_t>(input.truths.size(), 0), {}).map; },
       .takes_masks = false},
      {.name = "open_images",
       .run = [](const EvaluationInput& input,
                 IouType) { return open_images_metrics(input, {.absent = federation_for(input).absent}, {}).map; },
       .takes_masks = false},
      {.name = "confusion",
       .run =
           [](const EvaluationInput& input, IouType type) {
             const ConfusionMatrix matrix =
                 confusion_at(input, pair_across_classes(input, outcomes_for(input), {.iou_type = type}), std::nullopt);
             std::int64_t right = 0;
             for (std::size_t k = 0; k < matrix.classes(); ++k) {
               right += matrix.at(k, k);
             }
             return Figure(static_cast<double>(right));
           },
       .without_truth = 0,
       .without_anything = 0},
      {.name = "error_kind",
       .run = [](const EvaluationInput& input,
                 IouType type) { return analyse_errors(input, outcomes_for(input), {.iou_type = type}).ap; }},
      {.name = "calibration",
       .run = [](const EvaluationInput& input, IouType) { return calibration(input, outcomes_for(input)).expected_error; },
       .takes_boxes = false,
       .takes_masks = false,
       .without_truth = 0.75,  // all wrong, at a score of 3/4
       .without_predictions = std::nullopt},
      {.name = "score_curve",
       .run = [](const EvaluationInput& input,
                 IouType) { return score_curves(input, outcomes_for(input)).overall.at(std::nullopt).recall(); },
       .takes_boxes = false,
       .takes_masks = false},
      {.name = "classification",
       .run =
           [](const EvaluationInput& input, IouType) {
             const ClassificationInput classes{input.images, input.classes, input.truths, input.predictions};
             return evaluate_classification(classes, {.is_multi_label = true}).macro.average_precision;
           },
       .takes_boxes = false,
       .takes_masks = false,
       // One of two images of each class, and no score for either: precision 1/2 at recall 1.
       .without_predictions = 0.5},
  };
  return all;
}

EvaluationInput two_samples() {
  EvaluationInput input = input_of({11, 12}, 2);
  input.images.name = {"a.jpg", "b.jpg"};
  add(input, TruthRow{0, 0, {0, 0, 10, 10}});
  add(input, TruthRow{1, 1, {0, 0, 10, 10}});
  add(input, PredictionRow{0, 0, {0, 0, 10, 10}, 0.75});
  add(input, PredictionRow{1, 1, {0, 0, 10, 10}, 0.75});
  return input;
}

void drop_truths(EvaluationInput& input) {
  input.truths = {};
}

void drop_predictions(EvaluationInput& input) {
  input.predictions = {};
}

class BadInput : public testing::TestWithParam<std::size_t> {
 protected:
  const Protocol& protocol() const { return protocols()[GetParam()]; }
  Figure run(const EvaluationInput& input, IouType type = IouType::box) const { return protocol().run(input, type); }

  void expect_error_names(const EvaluationInput& input, const std::string& sample, IouType type = IouType::box) const {
    try {
      run(input, type);
      FAIL() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << error.what();
      EXPECT_THAT(error.context(), testing::AnyOf(Contains(Pair("sample", sample)), Contains(Pair("image", sample))));
    }
  }
};

TEST_P(BadInput, NothingOnOneSideOrBothHasADefinedAnswer) {
  EvaluationInput input = two_samples();
  drop_truths(input);
  EXPECT_EQ(run(input), protocol().without_truth);
  drop_predictions(input);
  EXPECT_EQ(run(input), protocol().without_anything);
  input = two_samples();
  drop_predictions(input);
  EXPECT_EQ(run(input), protocol().without_predictions);
  EXPECT_EQ(run(EvaluationInput{}), protocol().without_anything) << "not even images and classes";
}

TEST_P(BadInput, AClassThatIsOnlyPredictedChangesNoMean) {
  EvaluationInput input = two_samples();
  const Figure before = run(input);
  EXPECT_TRUE(before);
  input.classes.id.push_back(7);
  input.classes.name.emplace_back("only predicted");
  add(input, PredictionRow{0, 2, {50, 50, 10, 10}, 0.75});
  if (protocol().name == std::string("calibration")) {
    EXPECT_DOUBLE_EQ(*run(input), (0.75 * 3 - 2) / 3) << "one more that is wrong";
  } else {
    EXPECT_EQ(run(input), before);
  }
}

TEST_P(BadInput, OneClassIsEnough) {
  EvaluationInput input = two_samples();
  input.classes.id.pop_back();
  input.classes.name.pop_back();
  std::fill(input.truths.category.begin(), input.truths.category.end(), 0);
  std::fill(input.predictions.category.begin(), input.predictions.category.end(), 0);
  EXPECT_TRUE(run(input));
}

TEST_P(BadInput, SamplesThatAreMissingFromOneSideCount) {
  EvaluationInput input = two_samples();
  input.images.id.push_back(13);
  input.images.name.emplace_back("c.jpg");
  const Figure before = run(input);
  add(input, PredictionRow{2, 0, {0, 0, 10, 10}, 0.9});  // nothing is true there
  add(input, PredictionRow{2, 1, {0, 0, 10, 10}, 0.9});
  if (protocol().name == std::string("confusion") || protocol().name == std::string("score_curve")) {
    EXPECT_EQ(run(input), before) << "what is right stays right";
  } else {
    EXPECT_NE(run(input), before);
  }
}

TEST_P(BadInput, AScoreThatIsNoNumberIsAnErrorThatNamesTheSample) {
  for (const double bad : {kNaN, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()}) {
    EvaluationInput input = two_samples();
    input.predictions.score[1] = bad;
    expect_error_names(input, "b.jpg");
  }
}

TEST_P(BadInput, ABoxThatIsNoNumberIsAnErrorThatNamesTheSample) {
  if (!protocol().takes_boxes) {
    GTEST_SKIP() << "looks at no boxes";
  }
  EvaluationInput input = two_samples();
  input.predictions.box_xywh_px[1].w = kNaN;
  expect_error_names(input, "b.jpg");
  input = two_samples();
  input.truths.box_xywh_px[0].w = kNaN;
  expect_error_names(input, "a.jpg");
}

TEST_P(BadInput, TiesEverywhereAreAnsweredTheSameWayEachTime) {
  EvaluationInput input = input_of({1, 2, 3}, 3);
  for (std::uint32_t i = 0; i < 90; ++i) {
    if (i % 3 == 0) {
      add(input, TruthRow{i % 3, i / 3 % 3, {0, 0, 10, 10}});
    }
    add(input, PredictionRow{i % 3, i / 7 % 3, {0, 0, 10, 10}, 0.5});
  }
  const Figure first = run(input);
  EXPECT_TRUE(first);
  EXPECT_EQ(run(input), first);
}

TEST_P(BadInput, BoxesWithoutAreaOverlapNothing) {
  if (!protocol().takes_boxes) {
    GTEST_SKIP() << "looks at no boxes";
  }
  EvaluationInput input = two_samples();
  for (std::vector<Box>* const boxes : {&input.truths.box_xywh_px, &input.predictions.box_xywh_px}) {
    std::fill(boxes->begin(), boxes->end(), Box{5, 5, 0, 0});
  }
  std::fill(input.truths.area_px.begin(), input.truths.area_px.end(), 0);
  // To VOC's devkit a box from pixel 5 to pixel 5 is one pixel; lvis-api takes no notice of such truths, and then nothing is true.
  const std::string name = protocol().name;
  EXPECT_EQ(run(input), name == "lvis" ? std::nullopt : std::optional(name == "voc" ? 1.0 : 0.0));
}

TEST_P(BadInput, MasksOfAnotherSizeAreAnErrorThatNamesTheSample) {
  if (!protocol().takes_masks) {
    GTEST_SKIP() << "compares no masks";
  }
  EvaluationInput input = two_samples();
  const Rle mask{10, 10, {0, 50, 50}};
  input.truths.mask = {mask, mask};
  input.predictions.mask = {mask, mask};
  EXPECT_TRUE(run(input, IouType::mask));
  // Far from the truth, and of another class: never compared with it, and yet wrong.
  input.predictions.mask = {mask, {10, 20, {190, 10}}};
  input.predictions.category[1] = 0;
  expect_error_names(input, "b.jpg", IouType::mask);
  input.predictions.mask = {mask};
  EXPECT_THROW(run(input, IouType::mask), Error);
}

TEST_P(BadInput, ColumnsOfUnequalLengthAreRefused) {
  EvaluationInput input = two_samples();
  input.predictions.score.pop_back();
  try {
    run(input);
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
  }
}

/// Boxes of one image in a row of cells, one truth a cell at most.
EvaluationInput crowded_image(std::size_t truths, std::size_t predictions) {
  EvaluationInput input = input_of({1}, 3);
  std::mt19937 random(5);
  const auto place = [&] { return static_cast<double>(random() % 1000); };
  for (std::size_t i = 0; i < truths; ++i) {
    add(input, TruthRow{0, static_cast<std::uint32_t>(i % 3), {place() * 20, place() * 20, 15, 15}});
  }
  for (std::size_t i = 0; i < predictions; ++i) {
    const Box box{place() * 20 + 1, place() * 20, 15, 15};
    add(input, PredictionRow{0, static_cast<std::uint32_t>(random() % 3), box, static_cast<double>(random() % 1000) / 1000});
  }
  return input;
}

TEST_P(BadInput, AHundredThousandBoxesOnOneImageAreAnswered) {
  EXPECT_TRUE(run(crowded_image(1'000, 100'000)));
  EXPECT_TRUE(run(crowded_image(100'000, 1'000)));
}

INSTANTIATE_TEST_SUITE_P(EveryProtocol, BadInput, testing::Range<std::size_t>(0, protocols().size()),
                         [](const auto& tested) { return std::string(protocols()[tested.param].name); });

}  // namespace
}  // namespace verilabel
