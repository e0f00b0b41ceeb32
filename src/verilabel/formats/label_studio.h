#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {

// The functions of the Label Studio row of the table of formats; their contracts stand in format.h, the conventions in
// docs/formats.md.

ReadCounts read_label_studio(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_label_studio(ExportSource& source, const WriteOptions& options);
WriteReport write_label_studio(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// The pixels of a brush: runs and single values, packed by bits, of red, green, blue and alpha in turn, row by row; inside is
/// where alpha is not 0. The form is that of `rle-pack` of thi.ng/umbrella, which Label Studio uses. Throws `bad_data` for what
/// breaks off, or is of another size.
Rle rle_from_brush(std::span<const std::uint8_t> packed, std::uint32_t height, std::uint32_t width);
/// All four channels 255 inside; the bytes that label-studio-converter's `mask2rle` writes. The mask must have at least one pixel
/// and fewer than 2^30.
std::vector<std::uint8_t> brush_from_rle(const Rle& rle);

/// How a task names its image, as a path: what follows the bucket or the host of a URL, `d` of a local file, and of an uploaded
/// file the name that it had before Label Studio put eight hexadecimal digits in front. Empty when there is none.
std::string image_name_of_url(std::string_view url);

}  // namespace verilabel
