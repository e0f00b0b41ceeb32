#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

// Files beside labels, for formats of many files. Private to the module.
namespace verilabel {

/// Whether the name ends like that of an image, in capitals or not.
bool is_image_name(const std::filesystem::path& path);

/// The image beside a labels file that has its name but for the extension; the first by extension when several have.
std::optional<std::filesystem::path> image_with_stem_of(const std::filesystem::path& file);

/// Whether the name ends with the extension (`.xml`), in capitals or not.
bool has_extension(const std::filesystem::path& path, std::string_view extension);

/// Whether a name, taken below some folder, stays in it: it is relative and never goes up.
bool stays_inside(const std::filesystem::path& name);

/// Whether the name begins with a dot and is not that of a folder itself or the one above.
bool is_hidden(const std::filesystem::path& path);

/// Whether one of the folders that a relative path names is hidden, as those are that programs keep their own files in (`.git`).
bool is_in_hidden_folder(const std::filesystem::path& relative);

/// The files under a folder and the folders in it, each folder's in the order of their names. Links are followed, but not back into
/// a folder that leads to them; a link to nothing counts as a file. Hidden files are files, since images can have such names,
/// except those that macOS keeps attributes in (`._NAME`). Throws `io`.
std::vector<std::filesystem::path> files_under(const std::filesystem::path& folder);
/// Those of them that are wanted.
std::vector<std::filesystem::path> files_under(const std::filesystem::path& folder,
                                               bool (*is_wanted)(const std::filesystem::path&));

/// Puts files in outer folders before those in deeper ones, where copies (`backup/`, `.ipynb_checkpoints/`) lie.
void put_outer_first(std::vector<std::filesystem::path>& files);

/// What is directly in a folder, in the order of the names, likewise. Throws `io`.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

}  // namespace verilabel
