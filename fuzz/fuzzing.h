#pragma once

// What the fuzzers share.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <stdlib.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {

/// Ends the process, which libFuzzer takes for a finding, unless the promise was kept.
inline void require(bool is_kept, std::string_view promise) {
  if (!is_kept) {
    fmt::print(stderr, "broken promise: {}\n", promise);
    std::abort();
  }
}

/// The words of the last error that `unless_refused` met, for what is said about a broken promise.
inline std::string last_refusal;

/// What `work` gives back, or nothing when it refuses the input with an `Error`; any other exception is a finding.
template <typename Work>
auto unless_refused(Work&& work) -> std::optional<decltype(work())> {
  try {
    return std::forward<Work>(work)();
  } catch (const Error& error) {
    require(!error.message().empty(), "an error says what is wrong");
    require(error.code() != ErrorCode::internal, std::string("an error is not our own fault: ") + error.what());
    last_refusal = error.what();
    return std::nullopt;
  }
}

/// Takes numbers off the front of an input; zeros behind its end.
class InputBytes {
 public:
  explicit InputBytes(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    const std::size_t count = std::min(sizeof(T), rest_.size());
    if (count > 0) {
      std::memcpy(&value, rest_.data(), count);
    }
    rest_ = rest_.subspan(count);
    return value;
  }

  bool empty() const { return rest_.empty(); }
  std::size_t size() const { return rest_.size(); }
  std::string_view text() const { return {reinterpret_cast<const char*>(rest_.data()), rest_.size()}; }

 private:
  std::span<const std::uint8_t> rest_;
};

inline void write_scratch_file(const std::filesystem::path& path, std::string_view content) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  require(file != nullptr, "the scratch folder can be written");
  const std::size_t written = std::fwrite(content.data(), 1, content.size(), file);
  require(std::fclose(file) == 0 && written == content.size(), "the scratch folder has room");
}

/// A folder for the files of a run, in TMPDIR, which scripts/fuzz lays into memory; it goes with the process.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "verilabel-fuzz-XXXXXX").native();
    require(::mkdtemp(name.data()) != nullptr, "there is room for a scratch folder in TMPDIR");
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::filesystem::path& name, std::string_view content) const {
    std::filesystem::path file = path_ / name;
    write_scratch_file(file, content);
    return file;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace verilabel

// libFuzzer calls this by name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);  // NOLINT(readability-identifier-naming)
