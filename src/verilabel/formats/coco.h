#pragma once

#include <filesystem>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the COCO row of the table of formats; their contracts stand in format.h.

/// Truth files and results lists. The file is read once from front to back; annotations that come before the images or categories
/// they refer to are read after them.
ReadCounts read_coco(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_coco(ExportSource& source, const WriteOptions& options);
WriteReport write_coco(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

}  // namespace verilabel
