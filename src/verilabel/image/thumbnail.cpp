#include "verilabel/image/thumbnail.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "verilabel/base/error.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

void check_side(int max_side_px) {
  if (max_side_px < 1) {
    throw Error(ErrorCode::wrong_use, fmt::format("a thumbnail of at most {} pixels a side holds nothing", max_side_px));
  }
}

}  // namespace

void ThumbnailOptions::validate() const {
  check_side(max_side_px);
  if (quality < 1 || quality > 100) {
    throw Error(ErrorCode::wrong_use, fmt::format("the JPEG quality {} is not between 1 and 100", quality));
  }
}

void shrink_to_fit(const Image& source, int max_side_px, Image& result) {
  check_side(max_side_px);
  if (source.empty()) {
    throw Error(ErrorCode::wrong_use, "an image without pixels cannot be shrunk");
  }
  const int longer = std::max(source.width(), source.height());
  if (longer <= max_side_px) {
    result = source;
    return;
  }
  const double scale = static_cast<double>(max_side_px) / longer;
  const auto shrunk = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  resize_opencv(source, shrunk(source.width()), shrunk(source.height()), OpencvInterpolation::area, result);
}

std::string thumbnail_jpeg(const std::filesystem::path& path, const ThumbnailOptions& options) {
  options.validate();
  Image whole;
  decode(path, whole);
  Image small;
  shrink_to_fit(whole, options.max_side_px, small);
  return encode_jpeg(small, options.quality);
}

}  // namespace verilabel
