#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"

// Zip archives, read and written without extracting anything to disk. Private to the module.
namespace verilabel {

class ZipArchive {
 public:
  /// Throws `not_found`, `io`, and `bad_data` for a file that is no archive.
  explicit ZipArchive(const std::filesystem::path& file);

  /// The names of the entries, folders included, as the archive has them.
  const std::vector<std::string>& names() const { return names_; }
  /// Bytes of an entry once it is unpacked, as the archive states them.
  std::uint64_t size(std::size_t index) const;
  /// Gives out the bytes of an entry from front to back, as `XmlStream::Read` wants them; holds the archive open. Throws `bad_data`
  /// here, or when called, for an entry that is encrypted, packed in an unknown way or broken.
  std::function<std::size_t(char*, std::size_t)> open(std::size_t index) const;

 private:
  struct Handle;
  std::shared_ptr<Handle> handle_;
  std::vector<std::string> names_;
};

/// Whether an entry of this name would stay below the folder into which somebody unpacks the archive.
bool is_safe_entry_name(std::string_view name);

struct NewZipEntry {
  std::string name;            ///< UTF-8, `/` between folders
  std::filesystem::path file;  ///< what is in it
  bool is_packed = false;      ///< deflated, as opposed to stored as it is
};

/// Writes a new archive at `path`, which must not exist. Throws `io`, and `interrupted` when asked to stop.
void write_zip(const std::filesystem::path& path, std::span<const NewZipEntry> entries, const CancelToken* cancel);

}  // namespace verilabel
