#pragma once

#include <filesystem>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the row of class folders in the table of formats; their contracts stand in format.h, the conventions in
// docs/formats.md.

ReadCounts read_image_folders(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_image_folders(ExportSource& source, const WriteOptions& options);
WriteReport write_image_folders(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// The split that a folder of this name stands for: `train`, `val` (also `valid`, `validation`) or `test`; empty for others.
std::string_view split_of_folder(std::string_view name);

}  // namespace verilabel
