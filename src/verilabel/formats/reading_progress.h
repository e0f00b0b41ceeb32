#pragma once

#include <cstdint>
#include <filesystem>

#include "verilabel/formats/import.h"

// What all readers share. Private to the module.
namespace verilabel {

/// Ends the reading of `source` with `interrupted` when that was asked for.
void check_not_stopped(const ReadOptions& options, const std::filesystem::path& source);

/// How far the reading is, of a dataset with a file for every image. Throws as `check_not_stopped` does.
void report_images_read(const ReadOptions& options, const std::filesystem::path& source, std::int64_t done, std::int64_t total);

/// Likewise of a file of so many bytes.
void report_bytes_read(const ReadOptions& options, const std::filesystem::path& file, std::uint64_t done, std::uint64_t total);

}  // namespace verilabel
