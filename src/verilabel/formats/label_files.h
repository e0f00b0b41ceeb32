#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "verilabel/formats/import.h"

// What readers share whose labels are in a text file for each image. Private to the module.
namespace verilabel {

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct ImageWithLabelFile {
  SourceImage image;
  std::filesystem::path label_path;  ///< of an image that is labelled
};

/// Rejects and takes out images of which several share one label file, as `a.jpg` and `a.png` in one folder would.
void reject_shared_label_files(std::vector<ImageWithLabelFile>& items, ImportSink& sink, ReadCounts& counts);

/// Gets the text of the label file; the image is the one at `ReadCounts::images`.
using TakeLabelFile = std::function<void(const ImageWithLabelFile& item, const ResolvedImage& resolved, std::string_view text)>;

/// Announces the images some hundreds at a time, with `before_batch` before each, then hands their label files to `take`. A file
/// that cannot be read is a rejected image.
void read_label_files(std::span<const ImageWithLabelFile> items, ImportSink& sink, ReadCounts& counts,
                      const std::function<void()>& before_batch, const TakeLabelFile& take);

/// Calls `take` with the number, from 1, and the text of each line, without white space at its end. A byte order mark at the
/// beginning is passed over.
template <typename Take>
void for_each_line(std::string_view text, Take&& take) {
  std::uint64_t number = 0;
  for (std::size_t begin = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    line = line.substr(0, line.find_last_not_of(" \t\r\f\v") + 1);
    take(++number, line);
    begin = end + 1;
  }
}

}  // namespace verilabel
