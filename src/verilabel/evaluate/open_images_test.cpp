#include "verilabel/evaluate/open_images.h"

#include <sys/wait.h>
#include <unistd.h>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

using ::testing::Contains;
using ::testing::Pair;

constexpr Box kObject{300, 300, 100, 100};
constexpr Box kGroup{0, 0, 200, 200};
constexpr Box kInGroup{10, 10, 80, 80};

OpenImagesClass only_class(const EvaluationInput& input, const OpenImagesContext& context = {}) {
  return open_images_metrics(input, context, {.threads = 1}).per_class.at(0);
}

TEST(OpenImages, AGroupIsFoundOnceByTheBestInItAndAsksForOne) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kObject});
  add(input, TruthRow{0, 0, kGroup, true});
  add(input, PredictionRow{0, 0, kObject, 0.5});
  // Right, of two truths; the group is missed: recall 1/2 at precision 1
  EXPECT_DOUBLE_EQ(*only_class(input).ap, 0.5);
  add(input, PredictionRow{0, 0, kInGroup, 0.7});
  add(input, PredictionRow{0, 0, {50, 50, 60, 60}, 0.8});
  const OpenImagesResult result = open_images_metrics(input, {}, {});
  EXPECT_DOUBLE_EQ(*result.map, 1);
  EXPECT_EQ(result.per_class[0].true_positives, 2);
  EXPECT_EQ(result.per_class[0].false_positives, 0);
  EXPECT_EQ(result.predictions_in_group, 1);
}

TEST(OpenImages, TheScoreOfAGroupIsThatOfTheBestInIt) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kGroup, true});
  add(input, PredictionRow{0, 0, kInGroup, 0.3});
  add(input, PredictionRow{0, 0, {500, 0, 9, 9}, 0.5});
  EXPECT_DOUBLE_EQ(*only_class(input).ap, 0.5) << "wrong, then right";
  add(input, PredictionRow{0, 0, kInGroup, 0.7});
  EXPECT_DOUBLE_EQ(*only_class(input).ap, 1) << "right, then wrong";
  input.predictions.score = {0, 0.5, -1};
  EXPECT_DOUBLE_EQ(*only_class(input).ap, 0) << "a score of 0 finds no group";
}

TEST(OpenImages, WhatCountsForAGroupIsThePartOfThePredictionThatLiesInIt) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kGroup, true});
  add(input, PredictionRow{0, 0, {150, 0, 100, 100}, 0.9});  // one half
  EXPECT_EQ(only_class(input).true_positives, 1);
  input.predictions.box_xywh_px[0].x = 151;
  EXPECT_EQ(only_class(input).false_positives, 1);
}

TEST(OpenImages, ASecondPredictionOnATakenTruthIsWrongUnlessAGroupHoldsIt) {
  EvaluationInput input = input_of({1});
  add(input, TruthRow{0, 0, kInGroup});
  add(input, PredictionRow{0, 0, kInGroup, 0.9});
  add(input, PredictionRow{0, 0, kInGroup, 0.8});
  EXPECT_EQ(only_class(input).false_positives, 1);
  add(input, TruthRow{0, 0, kGroup, true});
  EXPECT_EQ(only_class(input).true_positives, 2);
}

TEST(OpenImages, OnlyVerifiedClassesCount) {
  EvaluationInput input = input_of({1, 2, 3});
  add(input, TruthRow{0, 0, kObject});
  for (const std::uint32_t image : {0U, 1U, 2U}) {
    add(input, PredictionRow{image, 0, {0, 0, 9, 9}, 0.9});
  }
  add(input, PredictionRow{0, 0, kObject, 0.5});
  const OpenImagesResult result = open_images_metrics(input, {{}, {{}, {}, {0}}, {{}, {0}, {}}}, {});
  EXPECT_EQ(result.predictions_not_verified, 0);
  EXPECT_DOUBLE_EQ(*result.map, 0.25);
  const OpenImagesResult none = open_images_metrics(input, {}, {});
  EXPECT_EQ(none.predictions_not_verified, 2) << "on the images without a truth";
  EXPECT_DOUBLE_EQ(*none.map, 0.5);
}

// 0 animal, 1 dog, 2 poodle, 3 car
std::vector<std::vector<std::uint32_t>> parents() {
  return {{}, {0}, {1}, {}};
}

TEST(OpenImages, TruthsCountForEveryClassAboveTheirOwnAndPredictionsWhenAsked) {
  EvaluationInput input = input_of({1}, 4);
  add(input, TruthRow{0, 2, kObject});
  add(input, PredictionRow{0, 2, kObject, 0.9});
  const OpenImagesResult as_they_come = open_images_metrics(input, {.parents = parents()}, {});
  EXPECT_EQ(as_they_come.truths_added, 2);
  EXPECT_EQ(as_they_come.per_class[0].ap, 0);
  EXPECT_EQ(as_they_come.per_class[2].ap, 1);
  EXPECT_FALSE(as_they_come.per_class[3].ap);
  EXPECT_DOUBLE_EQ(*as_they_come.map, 1.0 / 3);
  const OpenImagesResult expanded = open_images_metrics(input, {.parents = parents()}, {.expands_predictions = true});
  EXPECT_EQ(expanded.predictions_added, 2);
  EXPECT_DOUBLE_EQ(*expanded.map, 1);
}

TEST(OpenImages, WhatIsPresentVerifiesTheClassesAboveWhatIsAbsentThoseBelow) {
  EvaluationInput input = input_of({1}, 4);
  for (const std::uint32_t category : {0U, 1U, 2U, 3U}) {
    add(input, PredictionRow{0, category, kObject, 0.9});
  }
  const auto wrong = [&](const OpenImagesContext& context) {
    std::vector<std::int64_t> counts;
    for (const OpenImagesClass& of_class : open_images_metrics(input, context, {}).per_class) {
      counts.push_back(of_class.false_positives);
    }
    return counts;
  };
  EXPECT_THAT(wrong({.parents = parents(), .present = {{1}}}), testing::ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(wrong({.parents = parents(), .absent = {{1}}}), testing::ElementsAre(0, 1, 1, 0));
}

TEST(OpenImages, AClassUnderAnotherBySeveralWaysIsAddedOnce) {
  EvaluationInput input = input_of({1}, 4);
  add(input, TruthRow{0, 3, kObject});
  const OpenImagesResult result = open_images_metrics(input, {.parents = {{}, {0}, {0, 0}, {1, 2, 0}}}, {});
  EXPECT_EQ(result.truths_added, 3);
  EXPECT_EQ(result.per_class[0].truths, 1);
}

TEST(OpenImages, EveryPredictionIsSomewhere) {
  EvaluationInput input = input_of({1, 2}, 4);
  add(input, TruthRow{0, 2, kGroup, true});
  add(input, TruthRow{0, 2, kObject});
  for (int i = 0; i < 5; ++i) {
    add(input, PredictionRow{0, 2, kInGroup, 0.9});
    add(input, PredictionRow{0, 2, kObject, 0.8});
    add(input, PredictionRow{1, 1, kObject, 0.8});
    add(input, PredictionRow{0, 2, {0, 0, 0, 5}, 0.8});
  }
  const OpenImagesResult result =
      open_images_metrics(input, {.parents = parents()}, {.expands_predictions = true, .max_detections = 7});
  std::int64_t sum = result.predictions_not_verified + result.predictions_without_area + result.predictions_beyond_limit +
                     result.predictions_in_group;
  for (const OpenImagesClass& of_class : result.per_class) {
    sum += of_class.true_positives + of_class.false_positives;
  }
  EXPECT_EQ(sum, 20 + result.predictions_added);
  EXPECT_EQ(result.predictions_without_area, 15);
  EXPECT_EQ(result.predictions_beyond_limit, 9);
  EXPECT_EQ(result.predictions_not_verified, 10);
}

TEST(OpenImages, BadContextIsRefused) {
  const EvaluationInput input = input_of({1, 2}, 3);
  EXPECT_FALSE(open_images_metrics(input, {}, {}).map) << "nothing is true, so that nothing can be said";
  EXPECT_THROW(open_images_metrics(input, {.parents = {{}}}, {}), Error);
  EXPECT_THROW(open_images_metrics(input, {.parents = {{}, {3}, {}}}, {}), Error);
  EXPECT_THROW(open_images_metrics(input, {.present = {{}}}, {}), Error);
  EXPECT_THROW(open_images_metrics(input, {.absent = {{}, {3}}}, {}), Error);
  EXPECT_THROW(open_images_metrics(input, {}, {.iou = 0}), Error);
  EXPECT_THROW(open_images_metrics(input, {}, {.max_detections = 0}), Error);
  try {
    open_images_metrics(input, {.parents = {{}, {2}, {1}}}, {});
    FAIL() << "a circle was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.context(), Contains(Pair("class", "c1")));
  }
}

struct ReferenceCase {
  std::string name;
  EvaluationInput input;
  OpenImagesContext context;
  std::vector<double> values;  ///< the mean, then each class; NaN where there is none
};

/// Reads what reference_open_images.py wrote.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : in_(path) { EXPECT_TRUE(in_) << path; }

  std::optional<ReferenceCase> next() {
    ReferenceCase one;
    if (!(in_ >> one.name)) {
      return std::nullopt;
    }
    const auto images = read<std::size_t>();
    const auto classes = read<std::size_t>();
    const auto truths = read<std::size_t>();
    const auto predictions = read<std::size_t>();
    one.input = input_of({}, classes);
    for (std::size_t i = 0; i < images; ++i) {
      one.input.images.id.push_back(static_cast<std::int64_t>(i));
    }
    one.context = {lists(classes), lists(images), lists(images)};
    for (std::size_t i = 0; i < truths; ++i) {
      TruthRow row{read<std::uint32_t>(), read<std::uint32_t>(), box()};
      row.is_crowd = read<int>() != 0;
      add(one.input, row);
    }
    for (std::size_t i = 0; i < predictions; ++i) {
      PredictionRow row{read<std::uint32_t>(), read<std::uint32_t>(), box()};
      row.score = read<double>();
      add(one.input, row);
    }
    for (std::size_t i = 0; i <= classes; ++i) {
      one.values.push_back(std::strtod(read<std::string>().c_str(), nullptr));
    }
    return one;
  }

 private:
  template <typename T>
  T read() {
    T value{};
    in_ >> value;
    EXPECT_TRUE(in_) << "the reference file breaks off";
    return value;
  }
  Box box() { return {read<double>(), read<double>(), read<double>(), read<double>()}; }
  std::vector<std::vector<std::uint32_t>> lists(std::size_t count) {
    std::vector<std::vector<std::uint32_t>> all(count);
    for (std::vector<std::uint32_t>& list : all) {
      list.resize(read<std::size_t>());
      for (std::uint32_t& value : list) {
        value = read<std::uint32_t>();
      }
    }
    return all;
  }

  std::ifstream in_;
};

void expect_same(const ReferenceCase& one, const std::optional<double>& actual, double expected) {
  if (std::isnan(expected)) {
    EXPECT_FALSE(actual) << one.name;
  } else {
    ASSERT_TRUE(actual) << one.name;
    EXPECT_NEAR(*actual, expected, 1e-12) << one.name;
  }
}

TEST(OpenImages, GivesTheNumbersOfTheChallengesEvaluator) {
  Reader reader(std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/open_images_reference.txt");
  int cases = 0;
  std::int64_t not_verified = 0;
  std::int64_t without_area = 0;
  std::int64_t in_group = 0;
  while (const std::optional<ReferenceCase> one = reader.next()) {
    SCOPED_TRACE(fmt::format("data set {}", cases++));
    const OpenImagesResult result = open_images_metrics(one->input, one->context, {.threads = 2});
    expect_same(*one, result.map, one->values[0]);
    for (std::size_t k = 0; k < result.per_class.size(); ++k) {
      expect_same(*one, result.per_class[k].ap, one->values[k + 1]);
    }
    not_verified += result.predictions_not_verified;
    without_area += result.predictions_without_area;
    in_group += result.predictions_in_group;
  }
  EXPECT_GE(cases, 80);
  EXPECT_GT(not_verified, 50);
  EXPECT_GT(without_area, 5);
  EXPECT_GT(in_group, 20);
}

TEST(OpenImages, HotcocoSaysTheSameWhereItFollowsTheChallengeAndDiffersWhereItDoesNot) {
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / fmt::format("verilabel_open_images_{}.txt", ::getpid());
  const std::string script = std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/reference_open_images.py";
  const int status = std::system(fmt::format("'{}' '{}' hotcoco '{}'", python, script, file.string()).c_str());
  if (!std::filesystem::exists(python) || (WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
    GTEST_SKIP() << "hotcoco is not installed in " << VERILABEL_VENV << ": nothing to compare with";
  }
  ASSERT_EQ(status, 0) << "the reference script failed";
  Reader reader(file);
  int same = 0;
  int different = 0;
  while (const std::optional<ReferenceCase> one = reader.next()) {
    const OpenImagesResult result = open_images_metrics(one->input, one->context, {.threads = 2});
    if (one->name != "dataset") {
      EXPECT_GT(std::abs(result.map.value() - one->values[0]), 1e-3) << one->name << ": no longer a difference";
      ++different;
      continue;
    }
    SCOPED_TRACE(fmt::format("data set {}", same++));
    expect_same(*one, result.map, one->values[0]);
    for (std::size_t k = 0; k < result.per_class.size(); ++k) {
      expect_same(*one, result.per_class[k].ap, one->values[k + 1]);
    }
  }
  EXPECT_GE(same, 100);
  EXPECT_EQ(different, 4);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace verilabel
