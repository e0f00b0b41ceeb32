#include "verilabel/formats/split_filter.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"

namespace verilabel {

bool SplitFilter::takes(const std::string& split) {
  if (wanted_.empty() || split.empty() || split == wanted_) {
    has_taken_ = true;
    return true;
  }
  others_.insert(split);
  return false;
}

void SplitFilter::check(std::string_view file) const {
  if (!has_taken_ && !others_.empty()) {
    throw Error(ErrorCode::wrong_use, fmt::format("there is no split `{}`; there is {}", wanted_, fmt::join(others_, ", ")),
                {{"file", std::string(file)}});
  }
}

}  // namespace verilabel
