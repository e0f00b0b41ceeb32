#include "verilabel/workflow/class_map.h"

#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

ClassMap map_of(std::string_view text) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / ("class_map-" + std::to_string(::getpid()) + ".json");
  replace_file(path, text);
  try {
    ClassMap map = ClassMap::read(path);
    std::filesystem::remove(path);
    return map;
  } catch (...) {
    std::filesystem::remove(path);
    throw;
  }
}

TEST(ClassMap, IsAppliedOnce) {
  const ClassMap map = map_of(R"({"a": "b", "b": "c"})");
  EXPECT_EQ(map("a"), "b");
  EXPECT_EQ(map("b"), "c");
  EXPECT_EQ(map("c"), "c");
  EXPECT_EQ(ClassMap()("a"), "a");
}

TEST(ClassMap, FaultsNameTheFile) {
  for (const char* text : {"", "[]", "{", "3", R"({"a": 1})", R"({"a": null})", R"({"a": ""})", R"({"a": "b", "a": "c"})"}) {
    try {
      map_of(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
      EXPECT_EQ(error.context().front().first, "file") << text;
    }
  }
}

}  // namespace
}  // namespace verilabel
