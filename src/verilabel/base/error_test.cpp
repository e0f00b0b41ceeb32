#include "verilabel/base/error.h"

#include <cerrno>
#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace verilabel {
namespace {

TEST(Error, TableIsTotalAndItsRowsStandAtTheirCode) {
  const auto codes = error_codes();
  ASSERT_EQ(codes.size(), static_cast<std::size_t>(ErrorCode::internal) + 1);
  std::set<std::string_view> names;
  std::set<int> exit_statuses;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(codes[i].code), i);
    EXPECT_EQ(&info(codes[i].code), &codes[i]);
    names.insert(codes[i].name);
    exit_statuses.insert(codes[i].exit_status);
    EXPECT_GE(codes[i].exit_status, 2) << "0 and 1 mean that the work was done";
    EXPECT_GE(codes[i].http_status, 400);
  }
  EXPECT_EQ(names.size(), codes.size());
  EXPECT_EQ(exit_statuses.size(), codes.size());
  EXPECT_EQ(info(ErrorCode::wrong_use).exit_status, 2);
  EXPECT_EQ(info(ErrorCode::interrupted).exit_status, 130);
}

TEST(Error, WhatCarriesMessageAndContext) {
  const Error error(ErrorCode::bad_data, "the box has no width", {{"file", "a.json"}, {"field", "bbox"}});
  EXPECT_STREQ(error.what(), "the box has no width (file: a.json, field: bbox)");
  const Error outer = error.with("sample", "7");
  EXPECT_EQ(outer.context().front(), (std::pair<std::string, std::string>("sample", "7")));
  EXPECT_EQ(outer.code(), ErrorCode::bad_data);
  EXPECT_EQ(error.with("file", "b.json").context(), error.context()) << "who threw knows best";
}

TEST(Error, MissingFileIsNotFoundOtherReasonsAreIo) {
  EXPECT_EQ(io_error("cannot open", "/x", ENOENT).code(), ErrorCode::not_found);
  EXPECT_EQ(io_error("cannot open", "/x", EACCES).code(), ErrorCode::io);
}

}  // namespace
}  // namespace verilabel
