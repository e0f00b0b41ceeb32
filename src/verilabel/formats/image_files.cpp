#include "verilabel/formats/image_files.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImageExtensions[] = {".jpg",  ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff",
                                                 ".heic", ".avif", ".jp2", ".dng", ".mpo",  ".pfm"};

std::string lowered_extension(const fs::path& path) {
  std::string text = path.extension().native();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace

bool is_image_name(const fs::path& path) {
  return std::find(std::begin(kImageExtensions), std::end(kImageExtensions), lowered_extension(path)) != std::end(kImageExtensions);
}

bool has_extension(const fs::path& path, std::string_view extension) {
  return lowered_extension(path) == extension;
}

bool stays_inside(const fs::path& name) {
  return !name.empty() && name.is_relative() && std::find(name.begin(), name.end(), fs::path("..")) == name.end();
}

std::vector<fs::path> files_under(const fs::path& folder, bool (*is_wanted)(const fs::path&)) {
  std::vector<fs::path> files;
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(
             folder, fs::directory_options::follow_directory_symlink | fs::directory_options::skip_permission_denied)) {
      if (entry.is_regular_file() && is_wanted(entry.path())) {
        files.push_back(entry.path());
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw io_error("cannot list the folder", error.path1().native(), error.code().value());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace verilabel
