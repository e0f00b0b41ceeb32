#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {

// The functions of the CVAT row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_cvat(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
void check_cvat(const std::filesystem::path& path, const WriteOptions& options);
std::vector<Loss> losses_of_cvat(ExportSource& source, const WriteOptions& options);
WriteReport write_cvat(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// A mask as CVAT has it: runs of 0 and 1 in turn, starting with 0, row by row over the pixels of a box inside the image.
struct CvatMask {
  std::uint32_t left = 0;
  std::uint32_t top = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::vector<std::uint32_t> counts;
};

/// More pixels than this in the box of a mask are refused: they are turned over in memory.
inline constexpr std::uint64_t kMaxCvatMaskPixels = std::uint64_t{1} << 28;

/// Throws `bad_data` for runs that do not add up to the box, a box without pixels or that leaves the image, and too many pixels.
Rle rle_from_cvat(const CvatMask& mask, std::uint32_t image_height, std::uint32_t image_width);
/// On the tight box of the mask, which must have a pixel and no more than `kMaxCvatMaskPixels` in its box.
CvatMask cvat_mask_from(const Rle& rle);

}  // namespace verilabel
