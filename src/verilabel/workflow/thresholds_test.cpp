#include "verilabel/workflow/thresholds.h"

#include <filesystem>
#include <limits>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

Thresholds read(const std::string& text) {
  const auto path = std::filesystem::path(testing::TempDir()) / ("thresholds-" + std::to_string(::getpid()) + ".json");
  replace_file(path, text);
  return read_thresholds(path);
}

TEST(Thresholds, ReadsBothFormsOfAClassAndTakesNullAsAbsent) {
  const Thresholds thresholds = read(
      R"({"threshold": 0.3, "f1": 1, "per_class": {"car": {"threshold": 0.4, "f1": 1}, "bus": 0.5, "cat": {"threshold": null}}})");
  EXPECT_EQ(thresholds.global, 0.3);
  ASSERT_EQ(thresholds.per_class.size(), 2U);
  EXPECT_EQ(thresholds.per_class[0].class_name, "bus");
  EXPECT_EQ(thresholds.per_class[1].threshold, 0.4);
  EXPECT_FALSE(read(R"({"threshold": null})").global);
}

TEST(Thresholds, NothingReachesWhatCannotBeAttainedAndFewTruthsSayNothing) {
  const Thresholds thresholds = read(
      R"({"threshold": null, "unattainable": true, "per_class": {"car": {"threshold": null, "unattainable": true},
          "bus": {"threshold": 0.4, "few_truths": true}, "cat": {"threshold": 0.5, "unattainable": false, "few_truths": false}}})");
  EXPECT_EQ(thresholds.global, std::numeric_limits<double>::infinity());
  ASSERT_EQ(thresholds.per_class.size(), 2U);
  EXPECT_EQ(thresholds.per_class[0].threshold, std::numeric_limits<double>::infinity());
  EXPECT_EQ(thresholds.per_class[1].class_name, "cat");
  EXPECT_EQ(thresholds.per_class[1].threshold, 0.5);
}

TEST(Thresholds, ClassesWithFewTruthsShareAThreshold) {
  const auto of_bus = [](const std::string& shared) {
    const Thresholds thresholds =
        read(R"({"threshold": 0.3, "per_class": {"bus": {"threshold": 0.4, "few_truths": true}}, "shared": )" + shared + "}");
    return thresholds.per_class.empty() ? thresholds.global : std::optional(thresholds.per_class.front().threshold);
  };
  EXPECT_EQ(of_bus(R"({"threshold": 0.35, "truths": 44})"), 0.35);
  EXPECT_EQ(of_bus(R"({"threshold": null, "unattainable": true})"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(of_bus("{}"), 0.3);
}

TEST(Thresholds, FaultsNameTheFileAndTheKey) {
  for (const char* text : {"", "[]", "{", "{}", R"({"threshold": 1e999})", R"({"threshold": "high"})", R"({"per_class": []})",
                           R"({"threshold": null, "unattainable": 1})", R"({"per_class": {"car": {"few_truths": "yes"}}})",
                           R"({"per_class": {"car": {"threshold": []}}})", R"({"threshold": 1, "shared": 0.5})",
                           R"({"threshold": 1, "shared": {"threshold": "low"}})"}) {
    try {
      read(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      EXPECT_EQ(error.context().front().first, "file");
    }
  }
}

TEST(Thresholds, AKeyThatStandsTwiceIsNamedWithItsPlace) {
  for (const auto& [text, field] :
       {std::pair{R"({"threshold": 0.3, "threshold": 0.4})", "threshold"},
        {R"({"per_class": {"car": 0.4, "bus": {"threshold": 0.4}, "car": {"threshold": 0.5}}})", "per_class.car"},
        {R"({"notes": [[{"a": 1}], {"b": {"a": 1, "a": 2}}]})", "notes[1].b.a"},
        {R"({"per_class": {"bus": {"threshold": 0.4, "f1": 1, "threshold": 0.4}}, "threshold": 1})", "per_class.bus.threshold"}}) {
    try {
      read(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
      EXPECT_EQ(error.context()[0].first, "file") << text;
      EXPECT_EQ(error.context()[1], std::pair(std::string("field"), std::string(field))) << text;
    }
  }
  EXPECT_EQ(read(R"({"threshold": 1, "per_class": {"threshold": {"threshold": 0.5}, "per_class": 0.5}})").per_class.size(), 2U);
}

}  // namespace
}  // namespace verilabel
