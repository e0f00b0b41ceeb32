#pragma once

#include <cstddef>
#include <cstdint>

namespace verilabel {

/// What the plug-in libverilabel_codecs.so offers: OpenCV's imgcodecs behind a C interface. Loading imgcodecs takes some 70 ms (it
/// pulls in GDAL and 140 more libraries), so only a process that meets a format which needs it pays.
struct CodecTable {
  static constexpr std::uint32_t kVersion = 1;

  std::uint32_t version;
  /// Decodes `content` into `bgr`, which has room for `width` x `height` pixels, without applying EXIF (TIFF's own orientation is
  /// always applied). True when the image has that size and every pixel is written; else `message` says why, cut to
  /// `message_bytes`.
  bool (*decode)(const std::uint8_t* content, std::size_t content_bytes, int width, int height, std::uint8_t* bgr, char* message,
                 std::size_t message_bytes);
};

/// The table of the plug-in beside this program, loaded on first use and kept. Throws `internal` when it cannot be loaded.
const CodecTable& codecs();

}  // namespace verilabel
