#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace verilabel {

/// Pixels of one image: 8 bits a channel, blue, green, red interleaved, rows top to bottom without padding. Reusing an image for
/// another of at most its greatest size so far allocates nothing.
class Image {
 public:
  static constexpr int kChannels = 3;
  static constexpr std::size_t kAlignment = 64;  ///< of the first pixel

  Image() = default;
  Image(int width, int height) { resize(width, height); }
  Image(const Image& other) { *this = other; }
  Image& operator=(const Image& other) {
    if (this != &other) {
      resize(other.width_, other.height_);
      if (!other.empty()) {
        std::memcpy(pixels_.get(), other.pixels_.get(), size_bytes());
      }
    }
    return *this;
  }
  Image(Image&& other) noexcept { swap(other); }
  Image& operator=(Image&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Image() = default;

  void swap(Image& other) noexcept {
    std::swap(width_, other.width_);
    std::swap(height_, other.height_);
    std::swap(capacity_bytes_, other.capacity_bytes_);
    pixels_.swap(other.pixels_);
  }

  /// Gives the image this size; the pixels are then undefined.
  void resize(int width, int height) {
    const std::size_t needed = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * kChannels;
    if (needed > capacity_bytes_) {
      pixels_.reset();
      capacity_bytes_ = 0;
      pixels_.reset(static_cast<std::uint8_t*>(::operator new(needed, std::align_val_t{kAlignment})));
      capacity_bytes_ = needed;
    }
    width_ = width;
    height_ = height;
  }

  int width() const { return width_; }
  int height() const { return height_; }
  bool empty() const { return size_bytes() == 0; }
  std::size_t stride_bytes() const { return static_cast<std::size_t>(width_) * kChannels; }
  std::span<std::uint8_t> pixels() { return {pixels_.get(), size_bytes()}; }
  std::span<const std::uint8_t> pixels() const { return {pixels_.get(), size_bytes()}; }
  std::uint8_t* row(int y) { return pixels_.get() + static_cast<std::size_t>(y) * stride_bytes(); }
  const std::uint8_t* row(int y) const { return pixels_.get() + static_cast<std::size_t>(y) * stride_bytes(); }

 private:
  struct Release {
    void operator()(std::uint8_t* pixels) const { ::operator delete(pixels, std::align_val_t{kAlignment}); }
  };

  std::size_t size_bytes() const { return stride_bytes() * static_cast<std::size_t>(height_); }

  int width_ = 0;
  int height_ = 0;
  std::size_t capacity_bytes_ = 0;
  std::unique_ptr<std::uint8_t, Release> pixels_;
};

}  // namespace verilabel
