#include "verilabel/image/brightness.h"

#include <array>
#include <cstdint>

#include "verilabel/base/error.h"

namespace verilabel {

double mean_luma(const Image& image) {
  const auto pixels = static_cast<double>(image.width()) * image.height();
  if (pixels == 0) {
    throw Error(ErrorCode::wrong_use, "an image without pixels is neither bright nor dark");
  }
  std::array<std::uint64_t, Image::kChannels> sums{};  // of blue, green, red
  for (int y = 0; y < image.height(); ++y) {
    const std::uint8_t* row = image.row(y);
    std::array<std::uint32_t, Image::kChannels> of_row{};
    for (int x = 0; x < image.width(); ++x, row += Image::kChannels) {
      of_row[0] += row[0];
      of_row[1] += row[1];
      of_row[2] += row[2];
    }
    for (std::size_t channel = 0; channel < sums.size(); ++channel) {
      sums[channel] += of_row[channel];
    }
  }
  return (0.114 * static_cast<double>(sums[0]) + 0.587 * static_cast<double>(sums[1]) + 0.299 * static_cast<double>(sums[2])) /
         pixels;
}

}  // namespace verilabel
