#include "verilabel/formats/export_pass.h"

#include <algorithm>

#include "verilabel/base/error.h"

namespace verilabel {

void LossCounts::add(std::string_view what, std::int64_t count) {
  if (count == 0) {
    return;
  }
  const auto at = std::find_if(losses_.begin(), losses_.end(), [&](const Loss& loss) { return loss.what == what; });
  if (at == losses_.end()) {
    losses_.push_back({std::string(what), count});
  } else {
    at->count += count;
  }
}

void report_image(const WriteOptions& options, std::string_view stage, std::int64_t done, std::int64_t total) {
  constexpr std::int64_t kImagesBetweenReports = 256;
  if (options.cancel != nullptr && options.cancel->is_requested()) {
    throw Error(ErrorCode::interrupted, "the export was stopped; nothing was left behind");
  }
  if (options.progress && (done % kImagesBetweenReports == 0 || done == total)) {
    options.progress({.stage = stage, .done = done, .failed = 0, .total = total, .unit = "images"});
  }
}

}  // namespace verilabel
