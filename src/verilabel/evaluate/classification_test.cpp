#include "verilabel/evaluate/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;

ClassificationInput input_of(std::size_t images, std::size_t classes) {
  ClassificationInput input;
  for (std::size_t i = 0; i < images; ++i) {
    input.images.id.push_back(static_cast<std::int64_t>(10 * i));
  }
  for (std::size_t i = 0; i < classes; ++i) {
    input.classes.id.push_back(static_cast<std::int64_t>(i));
    input.classes.name.push_back(fmt::format("c{}", i));
  }
  return input;
}

void add_truth(ClassificationInput& input, std::uint32_t image, std::uint32_t category) {
  input.truths.image.push_back(image);
  input.truths.category.push_back(category);
}

void add_prediction(ClassificationInput& input, std::uint32_t image, std::uint32_t category, double score) {
  input.predictions.image.push_back(image);
  input.predictions.category.push_back(category);
  input.predictions.score.push_back(score);
}

// Five images of three classes:
//   image  truth  ranked predictions       best is
//   0      0      0 (.7), 1 (.2)           right
//   1      0      1 (.6), 0 (.3)           wrong, second is right
//   2      1      1 (.9)                   right
//   3      2      1 (.5), 0 (.4), 2 (.1)   wrong, third is right
//   4      2      none                     wrong
// Accuracy 2 / 5; top-2 3 / 5; top-3 4 / 5. Class 0: tp 1, fp 0, fn 1. Class 1: tp 1, fp 2, fn 0. Class 2: tp 0, fp 0, fn 2.
ClassificationInput five_images() {
  ClassificationInput input = input_of(5, 3);
  for (const auto& [image, category] : {std::pair{0U, 0U}, {1U, 0U}, {2U, 1U}, {3U, 2U}, {4U, 2U}}) {
    add_truth(input, image, category);
  }
  add_prediction(input, 3, 0, 0.4);
  add_prediction(input, 0, 1, 0.2);
  add_prediction(input, 0, 0, 0.7);
  add_prediction(input, 1, 1, 0.6);
  add_prediction(input, 1, 0, 0.3);
  add_prediction(input, 2, 1, 0.9);
  add_prediction(input, 3, 1, 0.5);
  add_prediction(input, 3, 2, 0.1);
  return input;
}

TEST(Classification, FiveImagesByHand) {
  const ClassificationResult result = evaluate_classification(five_images());
  EXPECT_EQ(result.images, 5);
  EXPECT_EQ(result.images_without_prediction, 1);
  EXPECT_EQ(result.accuracy(), 0.4);
  EXPECT_THAT(result.right_within, ElementsAre(2, 3, 4, 4, 4));
  EXPECT_EQ(result.top_k(3), 0.8);
  EXPECT_EQ(result.top_k(5), 0.8);
  EXPECT_EQ(result.per_class[0].counts, (Counts{1, 0, 1}));
  EXPECT_EQ(result.per_class[1].counts, (Counts{1, 2, 0}));
  EXPECT_EQ(result.per_class[2].counts, (Counts{0, 0, 2}));
  EXPECT_EQ(result.per_class[0].counts.precision(), 1);
  EXPECT_EQ(result.per_class[0].counts.recall(), 0.5);
  EXPECT_EQ(result.per_class[1].counts.f1(), 0.5);  // 2 / (2 + 2)
  EXPECT_EQ(result.per_class[2].counts.precision(), std::nullopt);
  EXPECT_EQ(result.per_class[1].truths, 1);
  EXPECT_EQ(result.per_class[1].predictions, 3);
}

TEST(Classification, EveryLabelHasItsOutcome) {
  const ClassificationResult result = evaluate_classification(five_images());
  std::vector<Outcome> predictions;
  for (const LabelOutcome& outcome : result.outcomes.predictions) {
    predictions.push_back(outcome.outcome);
  }
  EXPECT_THAT(predictions, ElementsAre(Outcome::ignored, Outcome::ignored, Outcome::tp, Outcome::fp, Outcome::ignored, Outcome::tp,
                                       Outcome::fp, Outcome::ignored));
  std::vector<Outcome> truths;
  for (const LabelOutcome& outcome : result.outcomes.truths) {
    truths.push_back(outcome.outcome);
  }
  EXPECT_THAT(truths, ElementsAre(Outcome::tp, Outcome::fn, Outcome::tp, Outcome::fn, Outcome::fn));
  EXPECT_EQ(result.outcomes.predictions[2].partner, 0U);
  EXPECT_EQ(result.outcomes.truths[0].partner, 2U);
  EXPECT_EQ(result.outcomes.truths[1].partner, kNoPartner);
}

// Image 0 is of classes 0 and 1 and is called 1: right, and class 0 is not missed. Image 1 is of classes 0 and 2 and is called 1:
// both are missed. A truth that is stated twice is one.
TEST(Classification, OneOfSeveralTruthsIsEnough) {
  ClassificationInput input = input_of(2, 3);
  add_truth(input, 0, 0);
  add_truth(input, 0, 1);
  add_truth(input, 1, 0);
  add_truth(input, 1, 2);
  add_truth(input, 1, 2);
  add_prediction(input, 0, 1, 0.5);
  add_prediction(input, 1, 1, 0.5);
  const ClassificationResult result = evaluate_classification(input);
  EXPECT_EQ(result.accuracy(), 0.5);
  EXPECT_EQ(result.per_class[0].counts, (Counts{0, 0, 1}));
  EXPECT_EQ(result.per_class[1].counts, (Counts{1, 1, 0}));
  EXPECT_EQ(result.per_class[2].counts, (Counts{0, 0, 1}));
  EXPECT_EQ(result.per_class[2].truths, 1);
  EXPECT_EQ(result.outcomes.truths[0].outcome, Outcome::ignored);
  EXPECT_EQ(result.outcomes.truths[1].outcome, Outcome::tp);
  EXPECT_EQ(result.outcomes.truths[4].outcome, Outcome::fn);
}

TEST(Classification, EqualScoresRankInTheirOrderAndAClassCountsOnce) {
  ClassificationInput input = input_of(1, 3);
  add_truth(input, 0, 2);
  add_prediction(input, 0, 1, 0.5);
  add_prediction(input, 0, 1, 0.5);
  add_prediction(input, 0, 2, 0.5);
  const ClassificationResult result = evaluate_classification(input);
  EXPECT_THAT(result.right_within, ElementsAre(0, 1, 1, 1, 1));
  EXPECT_EQ(result.outcomes.predictions[0].outcome, Outcome::fp);
  EXPECT_EQ(result.outcomes.predictions[1].outcome, Outcome::ignored);
}

TEST(Classification, NothingToEvaluateIsNoFigure) {
  const ClassificationResult result = evaluate_classification(input_of(0, 2));
  EXPECT_EQ(result.accuracy(), std::nullopt);
  EXPECT_EQ(result.per_class[0].counts.f1(), std::nullopt);
}

TEST(Classification, FaultyInputIsRefused) {
  ClassificationInput input = five_images();
  input.images.name = {"a", "b", "c", "d", "e"};
  input.predictions.score[3] = std::numeric_limits<double>::quiet_NaN();
  try {
    evaluate_classification(input);
    FAIL() << "a score that is no number was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.context(), ElementsAre(testing::Pair("image", "b")));
  }
  input = five_images();
  input.truths.image.back() = 3;  // image 4 is left without one
  EXPECT_THROW(evaluate_classification(input), Error);
  input = five_images();
  input.predictions.category[0] = 3;
  EXPECT_THROW(evaluate_classification(input), Error);
}

/// What NumPy makes of a matrix of scores: counts within the best k, then tp, fp, fn of each class.
constexpr const char* kReference = R"(
import sys
import numpy as np
images, classes = map(int, open(sys.argv[1]).readline().split())
rows = np.loadtxt(sys.argv[1], skiprows=1, ndmin=2)
truth, scores = rows[:, 0].astype(int), rows[:, 1:]
order = np.argsort(-scores, axis=1, kind="stable")
within = [int((order[:, :k] == truth[:, None]).any(1).sum()) for k in range(1, 6)]
best = order[:, 0]
confusion = np.zeros((classes, classes), int)
np.add.at(confusion, (truth, best), 1)
right = np.diag(confusion)
with open(sys.argv[2], "w") as out:
    print(*within, *right, *(confusion.sum(0) - right), *(confusion.sum(1) - right), file=out)
)";

TEST(Classification, NumpyCountsTheSameOnRandomScores) {
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  if (std::system(fmt::format("'{}' -c 'import numpy' 2>/dev/null", python).c_str()) != 0) {
    GTEST_SKIP() << "NumPy is not installed in " << VERILABEL_VENV << ": nothing to compare with";
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("verilabel_classification_{}", ::getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "reference.py") << kReference;
  std::mt19937 random(11);
  for (int round = 0; round < 8; ++round) {
    const std::size_t images = 40 + random() % 200;
    const std::size_t classes = 6 + random() % 12;
    ClassificationInput input = input_of(images, classes);
    std::ofstream table(folder / "scores.txt");
    table << images << ' ' << classes << '\n';
    for (std::uint32_t image = 0; image < images; ++image) {
      const auto truth = static_cast<std::uint32_t>(random() % classes);
      add_truth(input, image, truth);
      table << truth;
      for (std::uint32_t category = 0; category < classes; ++category) {
        // Coarse, so that scores tie; the truth is the best half of the time.
        const double score = static_cast<double>(random() % 20) / 32 + (category == truth && random() % 2 == 0 ? 0.5 : 0);
        add_prediction(input, image, category, score);
        table << ' ' << score;
      }
      table << '\n';
    }
    table.close();
    ASSERT_EQ(
        std::system(fmt::format("'{0}' '{1}/reference.py' '{1}/scores.txt' '{1}/counts.txt'", python, folder.native()).c_str()), 0);
    const ClassificationResult result = evaluate_classification(input);
    std::ifstream counts(folder / "counts.txt");
    const auto next = [&] {
      std::int64_t value = -1;
      counts >> value;
      return value;
    };
    for (const std::int64_t right : result.right_within) {
      EXPECT_EQ(right, next());
    }
    for (const auto& of_class : result.per_class) {
      EXPECT_EQ(of_class.counts.true_positives, next());
    }
    for (const auto& of_class : result.per_class) {
      EXPECT_EQ(of_class.counts.false_positives, next());
    }
    for (const auto& of_class : result.per_class) {
      EXPECT_EQ(of_class.counts.false_negatives, next());
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace verilabel
