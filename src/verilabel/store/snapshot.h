#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "verilabel/dataset/columns.h"

// Columns as a file that is mapped, not read. Private to the module.
//
//     header   = "vlcols\x05\n"  uuid:32 bytes  change:i64  mark:i64  sections:u64  file_bytes:u64  sum:u64
//     table    = (offset:u64 bytes:u64) for each section, in the order of snapshot.cpp
//     sections, each at a multiple of 64 bytes
//
// Numbers are little-endian, as the machines are that this runs on. The file is replaced as a whole, so a reader sees an old one or
// a new one; anything that does not fit (another project, another version, a cut-off or damaged file) reads as no snapshot. `sum`
// is over the whole file, itself as 0: any one 8-byte word that changes changes it. It is no protection against intent.
namespace verilabel::store {

/// What a snapshot is of: the project, and the change that it contains as the last.
struct SnapshotStamp {
  std::string project_uuid;
  std::int64_t change = 0;
  std::int64_t mark = 0;  ///< of that change: see the schema

  friend bool operator==(const SnapshotStamp&, const SnapshotStamp&) = default;
};

struct Snapshot {
  SnapshotStamp stamp;
  Columns columns;
};

/// Nothing when there is none that fits. Whatever bytes the file holds, even with a sum that fits them, every index in the columns
/// points to something, every enumeration has one of its values and ids increase.
std::optional<Snapshot> open_snapshot(const std::filesystem::path& path);

/// Throws `io`; the old snapshot then stays.
void write_snapshot(const std::filesystem::path& path, const SnapshotStamp& stamp, const Columns& columns);

/// Makes the sum fit the bytes of a file, for tests of what lies behind it. Does nothing to less than a header.
void correct_sum(std::span<std::byte> file);

}  // namespace verilabel::store
