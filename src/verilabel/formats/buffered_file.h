#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "verilabel/base/file.h"

// Private to the module.
namespace verilabel {

/// A file that is written in large pieces. Throws `io`.
class BufferedFile {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

  BufferedFile(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  std::string& text() { return text_; }
  void flush_when_full() {
    if (text_.size() >= kPieceBytes) {
      flush();
    }
  }
  void flush() {
    write_all(descriptor_, std::as_bytes(std::span(text_)), path_);
    text_.clear();
  }

 private:
  int descriptor_;
  std::filesystem::path path_;
  std::string text_;
};

}  // namespace verilabel
