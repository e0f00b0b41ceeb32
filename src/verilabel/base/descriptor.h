#pragma once

#include <utility>

#include <unistd.h>

namespace verilabel {

/// Owns an open file descriptor, or none when it is negative.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  int get() const { return value_; }
  /// Gives it up without closing it.
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

}  // namespace verilabel
