#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"
#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {

// The functions of the Label Studio row of the table of formats; their contracts stand in format.h, the conventions in
// docs/formats.md.

ReadCounts read_label_studio(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
void check_label_studio(const std::filesystem::path& path, const WriteOptions& options);
std::vector<Loss> losses_of_label_studio(ExportSource& source, const WriteOptions& options);
WriteReport write_label_studio(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// Percent of a side of the image. What is beyond all numbers is infinite.
inline double percent_from_pixels(double pixels, std::int64_t side) {
  const double percent = 100 * pixels / static_cast<double>(side);
  return std::isfinite(percent) ? percent : pixels / static_cast<double>(side) * 100;
}
inline double pixels_from_percent(double percent, std::int64_t side) {
  return percent * (static_cast<double>(side) / 100.0);
}
inline Box percent_from_box(const Box& box_xywh_px, std::int64_t width, std::int64_t height) {
  return {percent_from_pixels(box_xywh_px.x, width), percent_from_pixels(box_xywh_px.y, height),
          percent_from_pixels(box_xywh_px.w, width), percent_from_pixels(box_xywh_px.h, height)};
}
inline Box box_from_percent(const Box& percent, std::int64_t width, std::int64_t height) {
  return {pixels_from_percent(percent.x, width), pixels_from_percent(percent.y, height), pixels_from_percent(percent.w, width),
          pixels_from_percent(percent.h, height)};
}

/// The pixels of a brush: runs and single values, packed by bits, of red, green, blue and alpha in turn, row by row; inside is
/// where alpha is not 0. The form is that of `rle-pack` of thi.ng/umbrella, which Label Studio uses. Throws `bad_data` for what
/// breaks off, or is of another size.
Rle rle_from_brush(std::span<const std::uint8_t> packed, std::uint32_t height, std::uint32_t width);
/// All four channels 255 inside; the bytes that label-studio-converter's `mask2rle` writes. The mask must have at least one pixel
/// and fewer than 2^30.
std::vector<std::uint8_t> brush_from_rle(const Rle& rle);

/// How a task names its image, as a path: what follows the bucket or the host of a URL, `d` of a local file, and of an uploaded
/// file its name. Empty when there is none.
std::string image_name_of_url(std::string_view url);
/// The name that an uploaded file had before Label Studio put eight hexadecimal digits in front; empty of another.
std::string name_before_upload(const std::string& name);

}  // namespace verilabel
