#include "verilabel/geometry/tiling.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr int kSmallestSide = 32;
constexpr int kGreatestSide = 65536;
constexpr double kGreatestOverlap = 0.9;
constexpr double kSmallestScale = 0.01;
constexpr double kGreatestScale = 10;
constexpr std::int64_t kMostWindows = 10'000;

// Where the tiles along one side of an image begin.
struct Row {
  int length = 0;  ///< of a tile
  int room = 0;    ///< from the first beginning to the last
  int count = 1;

  Row(int pixels, int side, double overlap) : length(std::min(pixels, side)), room(pixels - length) {
    // Whole pixels, so that rounding cannot make an overlap smaller than asked for.
    const int step = std::max(1, static_cast<int>(std::floor(side * (1 - overlap))));
    count = (room + step - 1) / step + 1;
  }

  int begin(int index) const { return count == 1 ? 0 : static_cast<int>(std::int64_t{index} * room / (count - 1)); }
};

void require(bool holds, std::string message) {
  if (!holds) {
    throw Error(ErrorCode::wrong_use, std::move(message));
  }
}

}  // namespace

void TilingOptions::validate() const {
  require(side == kChosenBySize || (side >= kSmallestSide && side <= kGreatestSide),
          fmt::format("the side of a tile is {} pixels; {} to {} are possible, or auto", side, kSmallestSide, kGreatestSide));
  require(overlap >= 0 && overlap <= kGreatestOverlap,
          fmt::format("the overlap of tiles is {}; 0 to {} of their side is possible", overlap, kGreatestOverlap));
  require(!scales.empty(), "tiles need at least one scale; 1 is that of the image");
  for (std::size_t i = 0; i < scales.size(); ++i) {
    require(scales[i] >= kSmallestScale && scales[i] <= kGreatestScale,
            fmt::format("a scale of tiles is {}; {} to {} is possible", scales[i], kSmallestScale, kGreatestScale));
    require(std::find(scales.begin(), scales.begin() + static_cast<std::ptrdiff_t>(i), scales[i]) ==
                scales.begin() + static_cast<std::ptrdiff_t>(i),
            fmt::format("the scale {} of tiles stands twice", scales[i]));
  }
}

std::vector<Tile> plan_tiles(int image_width, int image_height, int model_width, int model_height, const TilingOptions& options) {
  const Tile whole = {0, 0, image_width, image_height};
  int side = options.side;
  if (side == TilingOptions::kChosenBySize) {
    if (std::max(image_width, image_height) <= 2 * std::max(model_width, model_height)) {
      return {whole};
    }
    side = std::min(model_width, model_height);
  }
  std::vector<Row> across;
  std::vector<Row> down;
  std::int64_t windows = 1;
  for (const double scale : options.scales) {
    const int side_px = std::max(1, static_cast<int>(std::lround(side / scale)));
    across.emplace_back(image_width, side_px, options.overlap);
    down.emplace_back(image_height, side_px, options.overlap);
    windows += std::int64_t{across.back().count} * down.back().count;
  }
  if (windows > kMostWindows) {
    throw Error(
        ErrorCode::bad_data,
        fmt::format("an image of {} × {} pixels would be looked at in {} tiles; at most {} are possible: take larger tiles, "
                    "less overlap, or fewer scales",
                    image_width, image_height, windows, kMostWindows));
  }
  std::vector<Tile> tiles;
  if (options.has_whole) {
    tiles.push_back(whole);
  }
  for (std::size_t i = 0; i < across.size(); ++i) {
    // Tiles of one scale differ; those of another one may be the same where both are as large as the image.
    const std::size_t before = tiles.size();
    for (int row = 0; row < down[i].count; ++row) {
      for (int column = 0; column < across[i].count; ++column) {
        const Tile tile = {across[i].begin(column), down[i].begin(row), across[i].length, down[i].length};
        if (std::find(tiles.begin(), tiles.begin() + static_cast<std::ptrdiff_t>(before), tile) ==
            tiles.begin() + static_cast<std::ptrdiff_t>(before)) {
          tiles.push_back(tile);
        }
      }
    }
  }
  return tiles;
}

}  // namespace verilabel
