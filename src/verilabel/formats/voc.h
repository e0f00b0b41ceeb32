#pragma once

#include <filesystem>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the VOC row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_voc(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
void check_voc(const std::filesystem::path& path, const WriteOptions& options);
std::vector<Loss> losses_of_voc(ExportSource& source, const WriteOptions& options);
WriteReport write_voc(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

}  // namespace verilabel
