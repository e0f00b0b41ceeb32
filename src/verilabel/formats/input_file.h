#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>

// Private to the module.
namespace verilabel {

/// A file that is read in pieces. Every function may throw `io`.
class InputFile {
 public:
  /// Throws `not_found`.
  explicit InputFile(std::filesystem::path path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  bool is_folder() const { return is_folder_; }
  /// As it was opened; 0 for what has no size, such as a pipe.
  std::uint64_t bytes() const { return regular_bytes_.value_or(0); }
  /// Nothing for a pipe, a device or a folder.
  const std::optional<std::uint64_t>& regular_bytes() const { return regular_bytes_; }

  /// Some of the next bytes, through signals; 0 at the end.
  std::size_t read(char* buffer, std::size_t size);
  /// All of these bytes, from any thread.
  void read_at(std::uint64_t byte_offset, std::span<char> buffer) const;
  void seek(std::uint64_t byte_offset);

 private:
  std::filesystem::path path_;
  int descriptor_;
  bool is_folder_ = false;
  std::optional<std::uint64_t> regular_bytes_;
};

}  // namespace verilabel
