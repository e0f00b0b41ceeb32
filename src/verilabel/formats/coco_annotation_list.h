#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "verilabel/formats/coco_detections.h"

// Reading the annotations of a COCO file for evaluation on all processors. Private to the module; coco_detections.h is the way in.
namespace verilabel {

enum class CocoListKind : std::uint8_t { truth, results };

struct CocoListOptions {
  CocoListKind kind = CocoListKind::results;
  CocoMasks masks = CocoMasks::skip;
  unsigned threads = 0;                            ///< 0: one for each processor
  std::size_t piece_bytes = std::size_t{1} << 19;  ///< what one thread reads at a time
};

struct CocoAnnotationList {
  CocoDetections detections;
  std::vector<std::int64_t> ids;      ///< of a truth file's annotations; empty when none has one
  std::uint64_t end_byte_offset = 0;  ///< behind the closing bracket

  /// Keeps memory for as many again.
  void clear();
};

/// The list whose `[` stands at `byte_offset` of the file. The file is cut where elements seem to begin, the pieces are read side
/// by side and put together in order as they come in, and a piece counts only when the one before it ended exactly where it began;
/// so the cuts need only be right mostly. Beside what is read it takes the memory of a few pieces.
///
/// Nothing when anything in the list is not as it must be, or some annotations of a truth file have an id and others none: the
/// reader that goes from element to element then says what and where. Whether ids are known or repeat is not looked at. Throws
/// `not_found`, `io`.
std::optional<CocoAnnotationList> read_coco_annotation_list(const std::filesystem::path& path, std::uint64_t byte_offset,
                                                            const CocoListOptions& options);

}  // namespace verilabel
