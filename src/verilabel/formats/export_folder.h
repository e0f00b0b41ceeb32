#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "verilabel/base/new_folder.h"
#include "verilabel/formats/export.h"

// What exports of many files share. Private to the module.
namespace verilabel {

/// What is wrong with a folder for an export: throws `conflict` for one that exists and is not empty.
void check_export_folder(const std::filesystem::path& path, const WriteOptions& options);

/// The files of an export, relative to its folder, each with the name of the image that it is of.
using ExportedFiles = std::unordered_map<std::string, std::string>;

/// Throws `wrong_use` when one of the files would be where another needs a folder (`a.jpg` has `a.txt`, and there is
/// `a.txt/b.jpg`).
void check_folders(const ExportedFiles& files);

/// The image's name below the folder of an export: without what would lead outside it.
std::filesystem::path safe_relative_name(const ExportImage& image);

/// For formats whose readers walk a folder and take for images what is called like one: why they would pass over this image, whose
/// file is known by what is in it; nothing when they would not, or when the image stays where it is.
std::optional<std::string> would_be_passed_over(const ExportImage& image, ImageTransfer transfer);

/// Copies or links the image's file to `file`; does nothing for `reference`. `final_file` is where `file` will be once the export
/// is in place. Gives back why the image cannot be brought, or nothing; throws `io` for what no other image would survive either,
/// and `wrong_use` for a hard link to another file system.
std::optional<std::string> bring_image(const ExportImage& image, ImageTransfer transfer, const std::filesystem::path& file,
                                       const std::filesystem::path& final_file);

}  // namespace verilabel
