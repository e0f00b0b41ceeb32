#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace verilabel {

/// What the camera and later programs have written beside the pixels (CIPA DC-008, EXIF 3.0). What is absent is not stated, or
/// cannot be used; `notes` then say why.
struct Exif {
  std::optional<std::string> make;      ///< of the camera
  std::optional<std::string> model;     ///< of the camera
  std::optional<std::string> lens;      ///< its model
  std::optional<std::string> software;  ///< that wrote the file
  /// ISO 8601, `2024-05-01T22:00:00.25+02:00`; without a zone when the camera states none, which is the time of its clock.
  std::optional<std::string> captured_at;
  std::optional<double> exposure_s;
  std::optional<double> f_number;
  std::optional<double> iso;
  std::optional<double> focal_length_mm;  ///< of the lens itself, not of a 35 mm equivalent
  std::optional<bool> flash;              ///< whether it fired
  std::optional<int> orientation;         ///< 1 to 8
  std::optional<double> latitude_deg;     ///< WGS 84, north is positive
  std::optional<double> longitude_deg;    ///< WGS 84, east is positive
  std::optional<double> altitude_m;       ///< above the sea; below it negative
  std::vector<std::string> notes;         ///< what is damaged or makes no sense, one sentence each
};

/// Reads the EXIF of JPEG (APP1), PNG (eXIf), WebP (EXIF) and of TIFF's own directories; empty where there is none. A damaged block
/// costs what is damaged and is noted. Throws as `read_header` does, for what is no image.
Exif read_exif(const std::filesystem::path& path);
Exif read_exif(std::span<const std::byte> file_content);

}  // namespace verilabel
