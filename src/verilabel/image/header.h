#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>

namespace verilabel {

/// The formats that are decoded; `other` stands for an image of any other kind.
enum class ImageFormat : std::uint8_t { jpeg, png, bmp, tiff, webp, jpeg2000, pnm, gif, other };
std::string_view name_of(ImageFormat format);

/// Where a block of EXIF stands in an image file; TIFF files are such a block as a whole.
struct ExifPlace {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const ExifPlace&, const ExifPlace&) = default;
};

/// What stands in front of the pixels.
struct ImageHeader {
  ImageFormat format = ImageFormat::other;
  std::int32_t width = 0;  ///< pixels of the upright image
  std::int32_t height = 0;
  std::uint8_t orientation = 1;  ///< EXIF, 1 to 8; 1 when not stated or out of range
  std::uint64_t file_bytes = 0;
  std::optional<ExifPlace> exif;  ///< nobody has looked inside
};

/// How many bytes of a file `is_image_candidate` wants to see; fewer do when the file is shorter.
inline constexpr std::size_t kSniffBytes = 32;

/// Whether a file is meant to be an image, by its first bytes or else by its name: what import looks at and does not ignore. Of
/// files that are named like images, macOS's `._NAME` are none.
bool is_image_candidate(const std::filesystem::path& path, std::span<const std::byte> first_bytes);

/// Reads the header only, by content: a wrong extension is no problem. Throws `bad_data` for an empty file and for a header that is
/// cut off or makes no sense, `unsupported` for a format that cannot be decoded here (GIF among them), `not_found`, `io`.
ImageHeader read_header(const std::filesystem::path& path);
ImageHeader read_header(std::span<const std::byte> file_content);

}  // namespace verilabel
