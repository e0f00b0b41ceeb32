#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace verilabel {

/// Pixels of one image: 8 bits a channel, blue, green, red interleaved, rows top to bottom without padding. Reusing an image for
/// another of at most its greatest size so far allocates nothing.
class Image {
 public:
  static constexpr int kChannels = 3;

  Image() = default;
  Image(int width, int height) { resize(width, height); }

  /// Gives the image this size; the pixels are then undefined.
  void resize(int width, int height) {
    width_ = width;
    height_ = height;
    pixels_.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * kChannels);
  }

  int width() const { return width_; }
  int height() const { return height_; }
  bool empty() const { return pixels_.empty(); }
  std::size_t stride_bytes() const { return static_cast<std::size_t>(width_) * kChannels; }
  std::span<std::uint8_t> pixels() { return pixels_; }
  std::span<const std::uint8_t> pixels() const { return pixels_; }
  std::uint8_t* row(int y) { return pixels_.data() + static_cast<std::size_t>(y) * stride_bytes(); }
  const std::uint8_t* row(int y) const { return pixels_.data() + static_cast<std::size_t>(y) * stride_bytes(); }

 private:
  int width_ = 0;
  int height_ = 0;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace verilabel
