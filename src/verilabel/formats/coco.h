#pragma once

#include <filesystem>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the COCO and LVIS rows of the table of formats; their contracts stand in format.h.

/// Truth files and results lists. The file is read once from front to back; annotations that come before the images or categories
/// they refer to are read after them.
ReadCounts read_coco(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
void check_coco(const std::filesystem::path& path, const WriteOptions& options);
std::vector<Loss> losses_of_coco(ExportSource& source, const WriteOptions& options);
WriteReport write_coco(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

// LVIS is COCO whose images are named by `coco_url` alone. What else it has stands in fields that COCO's reader keeps and its
// writer gives back; a writer of LVIS adds those that its readers ask for.
ReadCounts read_lvis(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_lvis(ExportSource& source, const WriteOptions& options);
WriteReport write_lvis(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

}  // namespace verilabel
