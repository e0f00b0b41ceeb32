#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "verilabel/formats/export.h"

// What exports of many files share. Private to the module.
namespace verilabel {

/// Where an export into the folder `path` lies: absolute, normal, without a slash at its end.
std::filesystem::path place_of_folder(const std::filesystem::path& path);

/// A new folder beside its final place, removed with all in it unless it is put in place, so that an export is there whole or not
/// at all.
class NewFolder {
 public:
  /// Throws `conflict` when `path` exists and is not an empty folder, `io`.
  explicit NewFolder(const std::filesystem::path& path);
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder();

  const std::filesystem::path& path() const { return path_; }
  /// Where it will be.
  const std::filesystem::path& place() const { return place_; }
  /// Everything is on disk and at its place when it returns. Throws `io`.
  void put_in_place();

 private:
  std::filesystem::path place_;
  std::filesystem::path path_;
};

/// The folder and those above it, when they are missing. Throws `io`.
void make_folder(const std::filesystem::path& folder);

/// Writes a file that is not there yet, inside a `NewFolder`: without care for what happens half-way. Throws `io`.
void write_new_file(const std::filesystem::path& path, std::string_view content);

/// The image's name below the folder of an export: without what would lead outside it.
std::filesystem::path safe_relative_name(const ExportImage& image);

/// Copies or links the image's file to `file`; does nothing for `reference`. `final_file` is where `file` will be once the export
/// is in place. Gives back why the image cannot be brought, or nothing; throws `io` for what no other image would survive either,
/// and `wrong_use` for a hard link to another file system.
std::optional<std::string> bring_image(const ExportImage& image, ImageTransfer transfer, const std::filesystem::path& file,
                                       const std::filesystem::path& final_file);

}  // namespace verilabel
