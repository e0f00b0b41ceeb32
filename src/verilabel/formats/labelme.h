#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the labelme row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_labelme(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_labelme(ExportSource& source, const WriteOptions& options);
WriteReport write_labelme(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// Whether a line of `labels.txt` says that this is a class: the first lines of labelme's own are names that its exporters give to
/// what is no object, and white space around a name, or a byte order mark before it, does not count.
inline bool is_labelme_class_line(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\n";
  return !line.empty() && line != "__ignore__" && line != "_background_" && !line.starts_with("\xEF\xBB\xBF") &&
         kSpace.find(line.front()) == std::string_view::npos && kSpace.find(line.back()) == std::string_view::npos &&
         line.find_first_of("\r\n") == std::string_view::npos;
}

}  // namespace verilabel
