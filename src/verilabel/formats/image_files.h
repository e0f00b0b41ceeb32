#pragma once

#include <filesystem>
#include <vector>

// What readers of folders share. Private to the module.
namespace verilabel {

/// Whether the extension is one of an image.
bool is_image_name(const std::filesystem::path& path);

/// The files under a folder and the folders in it, each folder's in the order of their names. Links are followed, but not back into
/// a folder that leads to them; a link to nothing counts as a file. Names that begin with a dot are passed over. Throws `io`.
std::vector<std::filesystem::path> files_under(const std::filesystem::path& folder);

/// What is directly in a folder, in the order of the names, without names that begin with a dot. Throws `io`.
std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

}  // namespace verilabel
