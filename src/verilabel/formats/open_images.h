#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

// The functions of the Open Images row of the table of formats; their contracts stand in format.h, the conventions in
// docs/formats.md.

ReadCounts read_open_images(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
std::vector<Loss> losses_of_open_images(ExportSource& source, const WriteOptions& options);
WriteReport write_open_images(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);

/// A column of the boxes table that is an attribute of ours: 1 is true, 0 false, −1 not known.
struct OpenImagesFlag {
  std::string_view column;
  std::string_view attribute;
};
inline constexpr OpenImagesFlag kOpenImagesFlags[] = {
    {"IsOccluded", "occluded"}, {"IsTruncated", "truncated"}, {"IsDepiction", "depiction"}, {"IsInside", "inside"}};

/// The columns of ours, in the order in which Open Images has them.
inline constexpr std::string_view kOpenImagesColumns[] = {"ImageID",   "Source",      "LabelName", "Confidence", "XMin",
                                                          "XMax",      "YMin",        "YMax",      "IsOccluded", "IsTruncated",
                                                          "IsGroupOf", "IsDepiction", "IsInside"};

inline constexpr std::string_view kOpenImagesBoxes = "annotations-bbox.csv";
inline constexpr std::string_view kOpenImagesLabels = "annotations-human-imagelabels.csv";
inline constexpr std::string_view kOpenImagesClasses = "class-descriptions-boxable.csv";

}  // namespace verilabel
