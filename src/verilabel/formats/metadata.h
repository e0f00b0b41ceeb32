#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/formats/import.h"

namespace verilabel {

/// What one row of a file of metadata says of an image.
struct MetadataRow {
  std::string file;
  std::uint64_t line = 0;         ///< on which it begins, from 1
  SourceImage image;              ///< its name, path, split and tags; `fields_json` is flat, null takes a field away
  std::int64_t field_values = 0;  ///< in `fields_json`
};

/// Where a reader puts what it reads, row by row in the order of the file. A value that no field can hold is a rejection of the
/// kind `field`, and the rest of its row is taken; any other is of the kind `row`, which then is not handed over.
struct MetadataSink {
  std::function<void(MetadataRow&&)> on_row;
  std::function<void(Rejection&&)> on_rejected;
};

struct MetadataOptions {
  std::string key;        ///< the column that names the image; empty finds it by its name
  ProgressSink progress;  ///< of bytes
  const CancelToken* cancel = nullptr;
};

/// One row of the table of metadata formats.
struct MetadataFormat {
  std::string_view name;
  std::string_view summary;
  std::span<const std::string_view> extensions;  ///< of files that are taken for it

  /// Reads the file in memory that does not grow with it. Throws `not_found`, `io`, `bad_data` when the file as a whole cannot be
  /// read, `wrong_use` when it has no column of the name in `key`, and `interrupted`.
  void (*read)(const std::filesystem::path& path, const MetadataOptions& options, const MetadataSink& sink);
};

std::span<const MetadataFormat> metadata_formats();
/// The one of that name or, without a name, the one that the file's name ends like. Throws `wrong_use` with the names that exist.
const MetadataFormat& metadata_format(std::string_view name, const std::filesystem::path& path);

}  // namespace verilabel
