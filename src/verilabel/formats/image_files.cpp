#include "verilabel/formats/image_files.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <sys/stat.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImageExtensions[] = {".jpg",  ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm",
                                                 ".heic", ".avif", ".jp2", ".dng", ".mpo",  ".pfm", ".pgm",  ".pbm"};

std::string lowered_extension(const fs::path& path) {
  std::string text = path.extension().native();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

/// What macOS lays beside a file `NAME` where it cannot keep its attributes otherwise: `._NAME`, of a form of its own.
bool is_apple_double(const fs::path& path) {
  if (!path.filename().native().starts_with("._")) {
    return false;
  }
  constexpr std::array<char, 4> kMagic = {0x00, 0x05, 0x16, 0x07};
  std::array<char, 4> first{};
  std::ifstream file(path, std::ios::binary);
  return file.read(first.data(), first.size()) && first == kMagic;
}

using FolderKey = std::pair<dev_t, ino_t>;

FolderKey key_of(const fs::path& folder) {
  struct stat found{};
  if (::stat(folder.c_str(), &found) != 0) {
    throw io_error("cannot list the folder", folder.native(), errno);
  }
  return {found.st_dev, found.st_ino};
}

/// `above` holds the folders on the way here.
void collect(const fs::path& folder, std::vector<FolderKey>& above, std::vector<fs::path>& files) {
  const FolderKey key = key_of(folder);
  if (std::find(above.begin(), above.end(), key) != above.end()) {
    return;
  }
  above.push_back(key);
  for (fs::path& entry : entries_of(folder)) {
    std::error_code ignored;
    const fs::file_status status = fs::status(entry, ignored);
    if (fs::is_directory(status)) {
      collect(entry, above, files);
    } else if (fs::is_regular_file(status) || !fs::exists(status)) {
      files.push_back(std::move(entry));
    }
  }
  above.pop_back();
}

}  // namespace

bool is_image_name(const fs::path& path) {
  return std::find(std::begin(kImageExtensions), std::end(kImageExtensions), lowered_extension(path)) != std::end(kImageExtensions);
}

std::optional<fs::path> image_with_stem_of(const fs::path& file) {
  std::error_code ignored;
  for (const std::string_view extension : kImageExtensions) {
    for (const bool is_in_capitals : {false, true}) {
      std::string text(extension);
      if (is_in_capitals) {
        std::ranges::transform(text, text.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
      }
      if (const fs::path image = fs::path(file).replace_extension(text); fs::is_regular_file(image, ignored)) {
        return image.lexically_normal();
      }
    }
  }
  return std::nullopt;
}

bool has_extension(const fs::path& path, std::string_view extension) {
  return lowered_extension(path) == extension;
}

bool stays_inside(const fs::path& name) {
  return !name.empty() && name.is_relative() && std::find(name.begin(), name.end(), fs::path("..")) == name.end();
}

bool is_hidden(const fs::path& path) {
  const std::string name = path.filename().native();
  return name.starts_with('.') && name != "." && name != "..";
}

bool is_in_hidden_folder(const fs::path& relative) {
  const fs::path folders = relative.parent_path();
  return std::any_of(folders.begin(), folders.end(), is_hidden);
}

std::vector<fs::path> files_under(const fs::path& folder) {
  std::vector<fs::path> files;
  std::vector<FolderKey> above;
  collect(folder, above, files);
  return files;
}

std::vector<fs::path> files_under(const fs::path& folder, bool (*is_wanted)(const fs::path&)) {
  std::vector<fs::path> files = files_under(folder);
  std::erase_if(files, [&](const fs::path& file) { return !is_wanted(file); });
  return files;
}

void put_outer_first(std::vector<fs::path>& files) {
  std::ranges::stable_sort(files, {}, [](const fs::path& file) { return std::distance(file.begin(), file.end()); });
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (!is_apple_double(entry.path())) {
        entries.push_back(entry.path());
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw io_error("cannot list the folder", folder.native(), error.code().value());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace verilabel
