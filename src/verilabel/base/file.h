#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "verilabel/base/digest.h"

namespace verilabel {

/// The whole file. Throws `not_found`, `io`, or `bad_data` when it is larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes = UINT64_MAX);

/// Tells the operating system that the file will be read soon, so that whoever then reads it need not wait for the disk. Costs
/// little when it is in memory. Whatever is wrong with the file shows when it is read.
void read_ahead(const std::filesystem::path& path) noexcept;

/// Writes beside `path` and renames over it once everything is on disk: readers see the old file or the new one, never a part. A
/// symbolic link stays, and what it leads to is replaced. `write` gets the descriptor of the new file. Where others take every file
/// beside `path` for one of theirs, `made_in` is another folder of the same file system: a process that is killed leaves its part
/// there. Throws `io`, and `wrong_use` for a device, a pipe or a folder; the old file then stays as it was.
void replace_file(const std::filesystem::path& path, const std::function<void(int descriptor)>& write,
                  const std::filesystem::path& made_in = {});
void replace_file(const std::filesystem::path& path, std::string_view content, const std::filesystem::path& made_in = {});

/// All bytes to a descriptor, through short writes and signals. Throws `io` naming `path`.
void write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path);

/// A read-only view of a file's bytes, private to this process and shared with the page cache.
class MappedFile {
 public:
  /// Throws `not_found` or `io`.
  static MappedFile open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::span<const std::byte> bytes_;
};

/// An exclusive advisory lock on a file, freed by the kernel when the process ends however it ends.
class FileLock {
 public:
  /// Creates the file when it is missing. Nothing when another process, or another `FileLock` of this one, holds it. Throws `io`.
  static std::optional<FileLock> try_acquire(const std::filesystem::path& path);
  /// Whether somebody holds it now. Needs no right to write. Throws `io`.
  static bool is_held(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

/// The digest with the file's bytes added. `read` is told now and then how many those are so far; what it throws is thrown on.
/// Throws `not_found` or `io`.
Digest with_file(Digest digest, const std::filesystem::path& path, const std::function<void(std::uint64_t bytes)>& read = {});
/// Hexadecimal SHA-256 of the file's bytes. Throws `not_found` or `io`.
std::string sha256_of_file(const std::filesystem::path& path);
/// Likewise of bytes in memory.
std::string sha256_of(std::string_view bytes);

}  // namespace verilabel
