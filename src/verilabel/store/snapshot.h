#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "verilabel/dataset/columns.h"

// Columns as a file that is mapped, not read. Private to the module.
//
//     header   = "vlcols\x01\n"  uuid:32 bytes  change:i64  sections:u64  file_bytes:u64
//     table    = (offset:u64 bytes:u64) for each section, in the order of snapshot.cpp
//     sections, each at a multiple of 64 bytes
//
// Numbers are little-endian, as the machines are that this runs on. The file is replaced as a whole, so a reader sees an old one or
// a new one; anything that does not fit (another project, another version, a cut-off file) reads as no snapshot.
namespace verilabel::store {

std::optional<Columns> open_snapshot(const std::filesystem::path& path, std::string_view project_uuid);

/// Throws `io`; the old snapshot then stays.
void write_snapshot(const std::filesystem::path& path, std::string_view project_uuid, const Columns& columns);

}  // namespace verilabel::store
