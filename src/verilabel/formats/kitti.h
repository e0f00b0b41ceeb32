#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the KITTI row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_kitti(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_kitti(ExportSource& source, const WriteOptions& options);
WriteReport write_kitti(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// The fields of a label that KITTI has and that are numbers in `source_json`, in the order of its columns; what a file states when
/// it does not know them; and how many columns they take.
struct KittiField {
  std::string_view name;
  double unknown;
  std::size_t count;
  std::size_t first_column;  ///< from 0
};
std::span<const KittiField> kitti_fields();

}  // namespace verilabel
