#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path << " cannot be read";
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

/// The folder of the text vocabularies, when there is one.
inline std::optional<std::filesystem::path> real_vocabularies() {
  const char* const data = std::getenv("VERILABEL_TEST_DATA");
  if (data == nullptr || *data == '\0') {
    return {};
  }
  return std::filesystem::path(data) / "text";
}

class TextFolder {
 public:
  TextFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "verilabel-text-XXXXXX").native();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  TextFolder(const TextFolder&) = delete;
  TextFolder& operator=(const TextFolder&) = delete;
  ~TextFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(std::string_view name, std::string_view content) const {
    std::filesystem::path file = path_ / name;
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

template <typename Work>
Error error_from(Work&& work) {
  try {
    std::forward<Work>(work)();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::internal, "no error"};
}

inline std::string context_value(const Error& error, std::string_view name) {
  for (const auto& [key, value] : error.context()) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

}  // namespace verilabel
