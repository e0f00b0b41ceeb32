#include "verilabel/dataset/columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "verilabel/dataset/testing_columns.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;

TEST(Column, BorrowsUntilItIsChanged) {
  std::vector<std::int32_t> memory = {1, 2, 3};
  auto column = Column<std::int32_t>::borrowed(memory);
  EXPECT_EQ(column.rows().data(), memory.data());
  column.set(1, 20);
  EXPECT_THAT(column, ElementsAre(1, 20, 3));
  EXPECT_THAT(memory, ElementsAre(1, 2, 3));
  column.append(4);
  EXPECT_THAT(column, ElementsAre(1, 20, 3, 4));
}

TEST(Column, ACopyIsIndependent) {
  const std::vector<std::int32_t> memory = {1, 2};
  const auto column = Column<std::int32_t>::borrowed(memory);
  auto copy = column;
  copy.append(3);
  EXPECT_THAT(column, ElementsAre(1, 2));
  EXPECT_THAT(copy, ElementsAre(1, 2, 3));
}

TEST(Column, AppendsManyAtOnce) {
  const std::array<std::int32_t, 3> more = {2, 3, 4};
  auto column = Column<std::int32_t>::owned({1});
  column.append(std::span<const std::int32_t>(more));
  EXPECT_THAT(column, ElementsAre(1, 2, 3, 4));
}

TEST(Column, EmptyOnesAreEmptyHoweverTheyCame) {
  EXPECT_EQ(Column<double>().size(), 0U);
  EXPECT_EQ(Column<double>::owned({}).size(), 0U);
  auto column = Column<double>::borrowed({});
  EXPECT_EQ(column.size(), 0U);
  column.append(std::span<const double>());  // owned now, and still empty
  EXPECT_EQ(column.size(), 0U);
  column.append(1.5);
  EXPECT_THAT(column, ElementsAre(1.5));
}

TEST(TextColumn, KeepsTextsOfAnyBytes) {
  const std::vector<std::string> texts = {"", "a/b.jpg", std::string("nul\0inside", 10), "\xff\xfe", ""};
  TextColumn column;
  for (const std::string& text : texts) {
    column.append(text);
  }
  auto borrowed = TextColumn::borrowed(column.ends(), column.bytes());
  ASSERT_EQ(borrowed.size(), texts.size());
  for (std::size_t row = 0; row < texts.size(); ++row) {
    EXPECT_EQ(column[row], texts[row]);
    EXPECT_EQ(borrowed[row], texts[row]);
  }
  borrowed.append("more");
  EXPECT_EQ(borrowed[5], "more");
  EXPECT_EQ(borrowed[1], "a/b.jpg");
  EXPECT_EQ(column.size(), 5U);
}

TEST(Columns, FindNamesByExactMatch) {
  Columns columns;
  columns.sets = {{7, "ground_truth"}, {9, "auto"}};
  columns.classes = {{1, "car"}, {2, "traffic light"}};
  EXPECT_EQ(columns.set_index("auto"), 1);
  EXPECT_EQ(columns.set_index("Auto"), std::nullopt);
  EXPECT_EQ(columns.class_index("traffic light"), 1);
  EXPECT_EQ(columns.class_index(""), std::nullopt);
}

TEST(Columns, TellWhichSamplesAreLabelledInASet) {
  Columns columns;
  for (int i = 0; i < 4; ++i) {
    append(columns.samples, {.id = i + 1});
  }
  columns.labelled_sample = Column<std::int32_t>::owned({0, 3, 2, 3});
  columns.labelled_set = Column<std::int32_t>::owned({0, 0, 2, 2});
  EXPECT_THAT(columns.labelled_in(0), ElementsAre(1, 0, 0, 1));
  EXPECT_THAT(columns.labelled_in(1), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(columns.labelled_in(2), ElementsAre(0, 0, 1, 1));
}

}  // namespace
}  // namespace verilabel
