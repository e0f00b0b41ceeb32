// Equality with hotcoco on random data that reference_errors.py makes and evaluates in the same run.

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "verilabel/evaluate/calibration.h"
#include "verilabel/evaluate/confusion.h"
#include "verilabel/evaluate/error_kind.h"
#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

constexpr std::array kKinds = {ErrorKind::classification, ErrorKind::localization, ErrorKind::both,
                               ErrorKind::duplicate,      ErrorKind::background,   ErrorKind::missed};
constexpr double kTolerance = 1e-9;

class Words {
 public:
  explicit Words(const std::filesystem::path& path) : in_(path) {}
  bool has_more() { return static_cast<bool>(in_ >> std::ws) && in_.peek() != std::ifstream::traits_type::eof(); }
  std::string word() {
    std::string text;
    in_ >> text;
    EXPECT_TRUE(in_) << "the reference file breaks off";
    return text;
  }
  double number() { return std::strtod(word().c_str(), nullptr); }
  std::int64_t whole() { return std::strtoll(word().c_str(), nullptr, 10); }
  std::uint32_t index() { return static_cast<std::uint32_t>(whole()); }
  Box box() {
    Box box;
    box.x = number();
    box.y = number();
    box.w = number();
    box.h = number();
    return box;
  }

 private:
  std::ifstream in_;
};

EvaluationInput read_input(Words& words) {
  EXPECT_EQ(words.word(), "dataset");
  std::vector<std::int64_t> images(static_cast<std::size_t>(words.whole()));
  const auto classes = static_cast<std::size_t>(words.whole());
  const std::int64_t truths = words.whole();
  const std::int64_t predictions = words.whole();
  for (std::int64_t& id : images) {
    id = words.whole();
  }
  EvaluationInput input = input_of(std::move(images), classes);
  for (std::int64_t i = 0; i < truths; ++i) {
    TruthRow row;
    row.image = words.index();
    row.category = words.index();
    row.box_xywh_px = words.box();
    add(input, row);
  }
  for (std::int64_t i = 0; i < predictions; ++i) {
    PredictionRow row;
    row.image = words.index();
    row.category = words.index();
    row.box_xywh_px = words.box();
    row.score = words.number();
    add(input, row);
  }
  return input;
}

void expect_same_matrix(Words& words, const EvaluationInput& input, const Outcomes& outcomes) {
  const Pairing pairing = pair_across_classes(input, outcomes, {.threads = 2});
  const ConfusionMatrix matrix = confusion_at(input, pairing, std::nullopt);
  for (std::size_t row = 0; row <= matrix.classes(); ++row) {
    for (std::size_t column = 0; column <= matrix.classes(); ++column) {
      EXPECT_EQ(matrix.at(row, column), words.whole()) << "row " << row << ", column " << column;
    }
  }
}

void expect_same_errors(Words& words, const EvaluationInput& input, const Evaluation& evaluation) {
  const ErrorAnalysis analysis = analyse_errors(input, evaluation.outcomes, {.threads = 2});
  EXPECT_NEAR(analysis.ap.value(), evaluation.coco.map_50.value(), kTolerance);
  EXPECT_NEAR(analysis.ap.value(), words.number(), kTolerance);
  for (const ErrorKind kind : kKinds) {
    EXPECT_EQ(analysis.cost(kind).count, words.whole()) << name_of(kind);
  }
  for (const ErrorKind kind : kKinds) {
    EXPECT_NEAR(analysis.cost(kind).ap, words.number(), kTolerance) << name_of(kind);
  }
  EXPECT_NEAR(analysis.false_positive_cost, words.number(), kTolerance);
  EXPECT_NEAR(analysis.false_negative_cost, words.number(), kTolerance);
}

void expect_same_calibration(Words& words, const EvaluationInput& input, const Outcomes& outcomes) {
  const Calibration calibrated = calibration(input, outcomes);
  EXPECT_NEAR(calibrated.expected_error.value(), words.number(), kTolerance);
  EXPECT_NEAR(calibrated.greatest_error.value(), words.number(), kTolerance);
  for (const ReliabilityBin& bin : calibrated.bins) {
    EXPECT_EQ(bin.count, words.whole());
  }
}

TEST(Reference, HotcocoGivesTheSameConfusionsErrorsAndCalibrationOnRandomData) {
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  const std::filesystem::path file = std::filesystem::temp_directory_path() / fmt::format("verilabel_errors_{}.txt", ::getpid());
  const std::string script = std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/reference_errors.py";
  const int status = std::system(fmt::format("'{}' '{}' '{}'", python, script, file.string()).c_str());
  if (!std::filesystem::exists(python) || (WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
    GTEST_SKIP() << "hotcoco is not installed in " << VERILABEL_VENV << ": nothing to compare with";
  }
  ASSERT_EQ(status, 0) << "the reference script failed";
  Words words(file);
  int datasets = 0;
  while (words.has_more() && !HasFailure()) {
    SCOPED_TRACE(fmt::format("data set {}", datasets));
    ++datasets;
    const EvaluationInput input = read_input(words);
    const Evaluation evaluation = evaluate(input, {});
    expect_same_matrix(words, input, evaluation.outcomes);
    expect_same_errors(words, input, evaluation);
    expect_same_calibration(words, input, evaluation.outcomes);
  }
  EXPECT_GE(datasets, 200);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace verilabel
