#include "verilabel/formats/reading_progress.h"

#include "verilabel/base/error.h"

namespace verilabel {

void check_not_stopped(const ReadOptions& options, const std::filesystem::path& source) {
  if (options.cancel != nullptr && options.cancel->is_requested()) {
    throw Error(ErrorCode::interrupted, "the import was stopped", {{"path", source.native()}});
  }
}

void report_images_read(const ReadOptions& options, const std::filesystem::path& source, std::int64_t done, std::int64_t total) {
  check_not_stopped(options, source);
  if (options.progress) {
    options.progress({.stage = "reading", .done = done, .failed = 0, .total = total, .unit = "images"});
  }
}

void report_bytes_read(const ReadOptions& options, const std::filesystem::path& file, std::uint64_t done, std::uint64_t total) {
  check_not_stopped(options, file);
  if (options.progress) {
    options.progress({.stage = "reading",
                      .done = static_cast<std::int64_t>(done),
                      .failed = 0,
                      .total = static_cast<std::int64_t>(total),
                      .unit = "bytes"});
  }
}

}  // namespace verilabel
