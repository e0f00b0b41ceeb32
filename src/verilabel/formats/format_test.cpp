#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/format.h"

namespace verilabel {
namespace {

TEST(Formats, AreFoundByNameAndWhole) {
  EXPECT_GE(formats().size(), 2U);
  for (const Format& row : formats()) {
    EXPECT_EQ(&format(row.name), &row);
    EXPECT_FALSE(row.summary.empty());
    EXPECT_FALSE(row.path.empty());
    EXPECT_NE(row.read, nullptr);
    EXPECT_NE(row.losses, nullptr);
    EXPECT_NE(row.write, nullptr);
  }
}

TEST(Formats, AnswerAnUnknownNameWithThoseThatExist) {
  try {
    format("voc2");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_THAT(error.message(), testing::HasSubstr("voc2"));
    EXPECT_THAT(error.message(), testing::HasSubstr("coco, yolo"));
  }
}

}  // namespace
}  // namespace verilabel
