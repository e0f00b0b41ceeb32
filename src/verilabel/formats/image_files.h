#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

// Files beside labels, for formats of many files. Private to the module.
namespace verilabel {

/// Whether the name ends like that of an image, in capitals or not.
bool is_image_name(const std::filesystem::path& path);

/// Whether the name ends with the extension (`.xml`), in capitals or not.
bool has_extension(const std::filesystem::path& path, std::string_view extension);

/// Whether the name, looked for in a folder, stays below it.
bool stays_inside(const std::filesystem::path& name);

/// All wanted files below the folder, links to folders followed, in the order of their paths. Throws `io`.
std::vector<std::filesystem::path> files_under(const std::filesystem::path& folder,
                                               bool (*is_wanted)(const std::filesystem::path&));

}  // namespace verilabel
