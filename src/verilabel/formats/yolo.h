#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the YOLO row of the table of formats; their contracts stand in format.h, the conventions in docs/formats.md.

ReadCounts read_yolo(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
void check_yolo(const std::filesystem::path& path, const WriteOptions& options);
std::vector<Loss> losses_of_yolo(ExportSource& source, const WriteOptions& options);
WriteReport write_yolo(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

struct YoloSplit {
  std::string name;
  std::vector<std::string> entries;  ///< folders of images and lists of images, as the file says them
};

/// What a `data.yaml` says.
struct YoloData {
  std::filesystem::path file;  ///< data.yaml, or the list of class names
  std::filesystem::path root;  ///< what entries are relative to
  std::vector<std::string> class_names;
  std::vector<YoloSplit> splits;
};

/// Throws `not_found`, `io`, and `bad_data` for what is no YAML, has no names or names that are not numbered from 0 without a gap;
/// `unsupported` for keypoints.
YoloData read_yolo_data(const std::filesystem::path& file);

}  // namespace verilabel
