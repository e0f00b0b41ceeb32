#pragma once

#include <cstdint>

namespace verilabel {

inline bool is_json_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

inline const char* skip_json_space(const char* at, const char* end) {
  while (at != end && is_json_space(*at)) {
    ++at;
  }
  return at;
}

/// Finds the end of one JSON value that may come in pieces, by its quotes and brackets alone.
class JsonValueScan {
 public:
  /// Just behind the value's last byte, or null when the value goes on after `end`; the next call then continues with the bytes
  /// that follow. The first call starts at the value's first byte. A place where no value begins gives `at` itself.
  const char* run(const char* at, const char* end);

  /// After null: whether the value may end there, as a number may at the end of a file.
  bool may_end_here() const { return in_scalar_; }

 private:
  const char* run_string(const char* at, const char* end);

  std::uint64_t depth_ = 0;
  bool in_string_ = false;
  bool in_scalar_ = false;
  bool is_escaped_ = false;
};

}  // namespace verilabel
