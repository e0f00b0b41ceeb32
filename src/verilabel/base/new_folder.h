#pragma once

#include <filesystem>
#include <string_view>

namespace verilabel {

/// Where the folder `path` lies: absolute, normal, without a slash at its end.
std::filesystem::path place_of_folder(const std::filesystem::path& path);

/// Throws `conflict` when something is there that is not an empty folder.
void check_new_folder(const std::filesystem::path& path);

/// A new folder beside its final place, removed with all in it unless it is put in place, so that what is made is there whole or
/// not at all. A folder that is there already, and empty, keeps its mode; a link to one stays. Where it cannot be replaced itself,
/// because something is mounted there or the process works in it, it gets what was made entry by entry, at the end.
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
  bool is_inside_ = false;  ///< `path_` lies in `place_`, which stays
};

/// The folder and those above it, when they are missing. Throws `io`.
void make_folder(const std::filesystem::path& folder);

/// Writes a file that is not there yet, inside a `NewFolder`: without care for what happens half-way. Throws `io`.
void write_new_file(const std::filesystem::path& path, std::string_view content);

}  // namespace verilabel
