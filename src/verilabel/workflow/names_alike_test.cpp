#include "verilabel/workflow/names_alike.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace verilabel {
namespace {

/// Each class with whether it has truths and whether it has predictions.
struct OfClass {
  std::string name;
  bool has_truths;
  bool has_predictions;
};

std::vector<std::string> alike(const std::vector<OfClass>& classes) {
  EvaluationInput input;
  for (std::uint32_t k = 0; k < classes.size(); ++k) {
    input.classes.id.push_back(k);
    input.classes.name.push_back(classes[k].name);
    if (classes[k].has_truths) {
      input.truths.category.push_back(k);
    }
    if (classes[k].has_predictions) {
      input.predictions.category.push_back(k);
    }
  }
  std::vector<std::string> pairs;
  for (const NamesAlike& pair : names_alike(input)) {
    pairs.push_back(pair.in_truth + "|" + pair.in_predictions);
  }
  return pairs;
}

TEST(NamesAlike, AreThoseOfWhichNothingCanBeRight) {
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  EXPECT_THAT(alike({{"Cat", true, false}, {"cat", false, true}}), ElementsAre("Cat|cat"));
  EXPECT_THAT(alike({{"traffic light", true, false}, {"Traffic_Light", false, true}, {"traffic-light", false, true}}),
              ElementsAre("traffic light|Traffic_Light", "traffic light|traffic-light"));
  EXPECT_THAT(alike({{"É", true, true}, {"é", false, true}}), ElementsAre("É|é"));
  EXPECT_THAT(alike({{"Cat", true, true}, {"cat", true, true}}), IsEmpty()) << "told apart on both sides";
  EXPECT_THAT(alike({{"Cat", true, true}, {"cat", true, false}}), ElementsAre("cat|Cat"));
  EXPECT_THAT(alike({{"Cat", true, false}, {"cat", true, false}}), IsEmpty()) << "nothing is predicted";
  EXPECT_THAT(alike({{"Cat", true, false}, {"cats", false, true}, {"cat", false, false}}), IsEmpty());
}

}  // namespace
}  // namespace verilabel
