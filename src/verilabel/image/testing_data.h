#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "verilabel/image/image.h"

namespace verilabel {

/// The folder of real test data, or nothing.
inline std::optional<std::filesystem::path> test_data() {
  if (const char* folder = std::getenv("VERILABEL_TEST_DATA"); folder != nullptr && *folder != '\0') {
    return folder;
  }
  if (std::filesystem::path beside = std::filesystem::path(VERILABEL_SOURCE_DIR) / ".." / "shared" / "data";
      std::filesystem::exists(beside)) {
    return beside;
  }
  return std::nullopt;
}

/// The interpreter of the virtual environment, or nothing when it lacks `modules` (comma separated).
inline std::optional<std::string> python_with(const std::string& modules) {
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  if (std::system(("'" + python + "' -c 'import " + modules + "' >/dev/null 2>&1").c_str()) != 0) {
    return std::nullopt;
  }
  return python;
}

/// Peak signal-to-noise ratio of two images of one size; 99 for equal ones.
inline double psnr_db(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels().size(); ++i) {
    const double delta = static_cast<double>(a.pixels()[i]) - b.pixels()[i];
    sum += delta * delta;
  }
  return sum == 0 ? 99 : 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels().size()) / sum);
}

/// A folder that is removed when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "verilabel-image-XXXXXX").native();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace verilabel
