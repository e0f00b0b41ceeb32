#pragma once

#include <filesystem>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the FiftyOne row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_fiftyone(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_fiftyone(ExportSource& source, const WriteOptions& options);
WriteReport write_fiftyone(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

}  // namespace verilabel
