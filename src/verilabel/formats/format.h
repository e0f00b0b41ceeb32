#pragma once

#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/format_holds.h"
#include "verilabel/formats/import.h"

namespace verilabel {

/// One row of the table of formats.
struct Format {
  std::string_view name;
  std::string_view summary;
  std::string_view path;  ///< what PATH means: "a .json file", "data.yaml or its folder"
  FormatHolds holds;
  bool confidence_is_asked_for = false;  ///< it is written with `WriteOptions::with_confidence` only
  bool needs_splits = false;             ///< an image without one is written under `WriteOptions::default_split`
  bool has_label_fields = false;         ///< samples may have several fields of labels, of which an import reads one

  /// Reads `path` into the sink in memory that does not grow with the number of labels. One bad item is a rejection; throws
  /// `not_found`, `io`, `bad_data` when the file as a whole cannot be read, and `interrupted`. What the sink got before stays
  /// given.
  ReadCounts (*read)(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink);
  /// Throws what `write` would throw for the place and the options alone. Touches no file.
  void (*check)(const std::filesystem::path& path, const WriteOptions& options);
  /// What `write` with these options would lose. Touches no file.
  std::vector<Loss> (*losses)(ExportSource& source, const WriteOptions& options);
  /// Writes all of `source` to `path`: whole or not at all. Throws `conflict` for a folder that exists and is not empty,
  /// `wrong_use` when the source cannot be told in this format, `io`, and `interrupted`.
  WriteReport (*write)(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options);
};

/// Every format there is.
std::span<const Format> formats();

/// Throws `wrong_use` with the names that exist.
const Format& format(std::string_view name);

}  // namespace verilabel
