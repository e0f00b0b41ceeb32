#include "verilabel/hub/repository.h"

#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr std::string_view kSha1 = "43bd404b159de6fba7c2f4d3264347668d43af25";
constexpr std::string_view kSha256 = "d88b0d6a6ff9c3f8151f9d3228f57092aaea997f09af009eefd7373a77b5abb9";

std::string entry(std::string_view path, std::string_view rest) {
  return "[{\"type\": \"file\", \"path\": \"" + std::string(path) + "\", " + std::string(rest) + "}]";
}

std::string small(std::string_view path) {
  return entry(path, "\"size\": 12, \"oid\": \"" + std::string(kSha1) + "\"");
}

TEST(RepositoryListing, FilesAreGitBlobsOrLargeFiles) {
  const HubFile plain = files_from_json(small("config.json")).at(0);
  EXPECT_EQ(plain.path, "config.json");
  EXPECT_EQ(plain.size, 12U);
  EXPECT_EQ(plain.hash, kSha1);
  EXPECT_TRUE(plain.is_git_blob);
  const HubFile large =
      files_from_json(entry("a/b.onnx", "\"size\": 9, \"oid\": \"" + std::string(kSha1) + "\", \"lfs\": {\"oid\": \"" +
                                            std::string(kSha256) + "\", \"size\": 5000000000, \"pointerSize\": 134}"))
          .at(0);
  EXPECT_EQ(large.size, 5'000'000'000U);
  EXPECT_EQ(large.hash, kSha256);
  EXPECT_FALSE(large.is_git_blob);
  EXPECT_TRUE(files_from_json(R"([{"type": "directory", "path": "onnx", "oid": "x"}])").empty());
}

TEST(RepositoryListing, WhatCannotBeIsRefused) {
  const std::string hash = "\"oid\": \"" + std::string(kSha1) + "\"";
  for (const std::string& text : {
           std::string("<!DOCTYPE html><html></html>"),
           std::string("{}"),
           std::string("[1]"),
           std::string(""),
           small("../evil"),
           small("/etc/passwd"),
           small("a/../../b"),
           small("a\\\\..\\\\b"),
           small(""),
           small("a\\u0000b"),
           entry("a", "\"size\": -1, " + hash),
           entry("a", "\"size\": 1e30, " + hash),
           entry("a", "\"size\": 99999999999999999999, " + hash),
           entry("a", "\"size\": \"12\", " + hash),
           entry("a", hash),
           entry("a", "\"size\": 1, \"oid\": \"../../x\""),
           entry("a", "\"size\": 1, \"oid\": \"" + std::string(39, 'a') + "\""),
           entry("a", "\"size\": 1, \"oid\": \"" + std::string(40, 'A') + "\""),
           entry("a", "\"size\": 1, \"oid\": \"" + std::string(kSha1) + "\", \"lfs\": {\"oid\": \"" + std::string(kSha1) +
                          "\", \"size\": 1}"),
       }) {
    try {
      files_from_json(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
    }
  }
}

}  // namespace
}  // namespace verilabel
