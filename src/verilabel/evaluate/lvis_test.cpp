#include "verilabel/evaluate/lvis.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/testing_input.h"

namespace verilabel {
namespace {

struct FederatedCase {
  EvaluationInput input;
  Federation federation;
};

/// Reads what reference_lvis.py wrote.
class Words {
 public:
  explicit Words(const std::string& path) : in_(path) { EXPECT_TRUE(in_) << path; }
  bool has_more() { return static_cast<bool>(in_ >> std::ws) && in_.peek() != std::ifstream::traits_type::eof(); }
  template <typename T>
  T next() {
    T value{};
    in_ >> value;
    EXPECT_TRUE(in_) << "the reference file breaks off";
    return value;
  }
  std::vector<std::uint32_t> list() {
    std::vector<std::uint32_t> values(next<std::size_t>());
    for (std::uint32_t& value : values) {
      value = next<std::uint32_t>();
    }
    return values;
  }
  Box box() {
    Box box;
    in_ >> box.x >> box.y >> box.w >> box.h;
    return box;
  }

 private:
  std::ifstream in_;
};

FederatedCase read_case(Words& words) {
  EXPECT_EQ(words.next<std::string>(), "dataset");
  FederatedCase one;
  const auto images = words.next<std::size_t>();
  const auto classes = words.next<std::size_t>();
  const auto truths = words.next<std::size_t>();
  const auto predictions = words.next<std::size_t>();
  for (std::size_t k = 0; k < classes; ++k) {
    one.input.classes.id.push_back(words.next<std::int64_t>());
    one.input.classes.name.push_back(fmt::format("c{}", k));
    one.federation.frequency.push_back(class_frequency_from(words.next<std::string>()).value());
  }
  for (std::size_t i = 0; i < images; ++i) {
    one.input.images.id.push_back(words.next<std::int64_t>());
    one.federation.absent.push_back(words.list());
    one.federation.not_exhaustive.push_back(words.list());
  }
  for (std::size_t i = 0; i < truths; ++i) {
    TruthRow row;
    row.image = words.next<std::uint32_t>();
    row.category = words.next<std::uint32_t>();
    row.box_xywh_px = words.box();
    row.area_px = words.next<double>();
    add(one.input, row);
  }
  for (std::size_t i = 0; i < predictions; ++i) {
    PredictionRow row;
    row.image = words.next<std::uint32_t>();
    row.category = words.next<std::uint32_t>();
    row.box_xywh_px = words.box();
    row.score = words.next<double>();
    add(one.input, row);
  }
  return one;
}

TEST(Lvis, GivesTheThirteenNumbersOfLvisApi) {
  Words words(std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/lvis_reference.txt");
  int cases = 0;
  std::int64_t beyond_limit = 0;
  std::int64_t not_looked_for = 0;
  std::int64_t truths_without_area = 0;
  std::int64_t predictions_without_area = 0;
  while (words.has_more() && !HasFailure()) {
    SCOPED_TRACE(fmt::format("data set {}", cases));
    ++cases;
    const FederatedCase one = read_case(words);
    const LvisResult result = lvis_metrics(one.input, one.federation, {.threads = 2});
    beyond_limit += result.predictions_beyond_limit;
    not_looked_for += result.predictions_not_looked_for;
    predictions_without_area += result.predictions_without_area;
    EXPECT_EQ(result.truths_without_area, words.next<std::int64_t>());
    truths_without_area += result.truths_without_area;
    for (const auto& [name, value] : result.metrics.named()) {
      const auto expected = words.next<double>();
      if (expected == -1) {
        EXPECT_FALSE(value) << name;
      } else {
        ASSERT_TRUE(value) << name;
        EXPECT_NEAR(*value, expected, 1e-12) << name;
      }
    }
  }
  EXPECT_GE(cases, 50);
  EXPECT_GT(beyond_limit, 0) << "some images have more than 300 predictions";
  EXPECT_GT(not_looked_for, 0);
  EXPECT_GT(truths_without_area, 50);
  EXPECT_GT(predictions_without_area, 50);
}

TEST(Lvis, ATruthWithoutAreaIsNoneAndNamesNoClassThatWasLookedFor) {
  EvaluationInput input = input_of({1060}, 2);
  add(input, TruthRow{0, 0, {0, 24, 8, 40}, false, 0});
  add(input, TruthRow{0, 1, {0, 0, 10, 10}});
  add(input, PredictionRow{0, 0, {7, 6, 24, 32}, 0.5});
  add(input, PredictionRow{0, 1, {0, 0, 10, 0}, 0.9});
  add(input, PredictionRow{0, 1, {0, 0, 10, 10}, 0.4});
  const LvisResult result = lvis_metrics(input, {{{}}, {{}}, {ClassFrequency::rare, ClassFrequency::common}}, {});
  EXPECT_FALSE(result.ap_per_class[0]) << "there is no truth of it";
  EXPECT_FALSE(result.metrics.ap_rare);
  EXPECT_DOUBLE_EQ(result.ap_per_class[1].value(), 1) << "the better one has no area";
  EXPECT_EQ(result.truths_without_area, 1);
  EXPECT_EQ(result.predictions_without_area, 1);
  EXPECT_EQ(result.predictions_not_looked_for, 1);
}

TEST(Lvis, ListsMustFitTheImagesAndClasses) {
  EvaluationInput input = input_of({1, 2}, 2);
  Federation good{{{}, {0}}, {{1}, {}}, {ClassFrequency::rare, ClassFrequency::common}};
  EXPECT_FALSE(lvis_metrics(input, good, {}).metrics.ap) << "nothing is true, so that nothing can be said";
  Federation few = good;
  few.absent.pop_back();
  EXPECT_THROW(lvis_metrics(input, few, {}), Error);
  Federation unknown = good;
  unknown.not_exhaustive[0] = {2};
  EXPECT_THROW(lvis_metrics(input, unknown, {}), Error);
  good.frequency.pop_back();
  EXPECT_THROW(lvis_metrics(input, good, {}), Error);
  EXPECT_FALSE(class_frequency_from("x"));
}

}  // namespace
}  // namespace verilabel
