#include "verilabel/workflow/thresholds.h"

#include <filesystem>
#include <limits>
#include <string>

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

TEST(Thresholds, FaultsNameTheFileAndTheKey) {
  for (const char* text : {"", "[]", "{", "{}", R"({"threshold": 1e999})", R"({"threshold": "high"})", R"({"per_class": []})",
                           R"({"threshold": null, "unattainable": 1})", R"({"per_class": {"car": {"few_truths": "yes"}}})",
                           R"({"per_class": {"car": {"threshold": []}}})"}) {
    try {
      read(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
      EXPECT_EQ(error.context().front().first, "file");
    }
  }
}

}  // namespace
}  // namespace verilabel
