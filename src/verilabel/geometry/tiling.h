#pragma once

#include <vector>

namespace verilabel {

/// A window of an image that a model looks at on its own, in pixels of the upright image. It lies inside the image.
struct Tile {
  int x = 0;
  int y = 0;
  int w = 0;
  int h = 0;

  friend bool operator==(const Tile&, const Tile&) = default;
};

/// How images are cut into tiles.
struct TilingOptions {
  static constexpr int kChosenBySize = 0;

  int side = kChosenBySize;          ///< pixels of the image; or by the sizes of image and model, see `plan_tiles`
  double overlap = 0.2;              ///< of neighbouring tiles at least, in parts of their side
  std::vector<double> scales = {1};  ///< all tiles again at each: tiles of side / scale pixels, which the model sees as large
  bool has_whole = true;             ///< the whole image is looked at too, for objects that are larger than a tile

  /// Throws `wrong_use` for a side that is not 0 or from 32 to 65,536, an overlap that is not from 0 to 0.9, no scale, and a scale
  /// that is not from 0.01 to 10 or stands twice.
  void validate() const;

  friend bool operator==(const TilingOptions&, const TilingOptions&) = default;
};

/// The windows through which a model sees an image: the whole image first, then the tiles of each scale row by row. Tiles are
/// squares of the same size, evenly spaced, the last of a row flush with the edge, neighbours sharing at least `overlap` of their
/// side. Where the image is not larger than a tile, the tile is as long as the image. A window stands once: an image not larger
/// than a tile is looked at once.
///
/// With a side chosen by size, an image whose longer side is at most twice the model's longer one is looked at once, as a whole;
/// tiles of others are as large as the model's shorter side, so that it sees their pixels unshrunk.
///
/// Throws `bad_data` for an image that would have more than 10,000 windows.
std::vector<Tile> plan_tiles(int image_width, int image_height, int model_width, int model_height, const TilingOptions& options);

}  // namespace verilabel
