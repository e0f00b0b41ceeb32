#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "verilabel/demo/backdrop.h"
#include "verilabel/demo/conditions.h"
#include "verilabel/demo/kind.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/image/image.h"

// One picture with its truth. Private to the module.
namespace verilabel::demo {

/// An object before it is painted: how it looks and where it stands.
struct PlacedObject {
  std::size_t kind = 0;
  ColorName color = ColorName::red;
  Look look;
  Point base_px{};  ///< where the frame of the kind has its origin
  double unit_px = 0;
  bool is_mirrored = false;
  double turn_rad = 0;
  double nearness = 1;  ///< from 0, far away, to 1, which fog goes by
  Underneath underneath = Underneath::shadow;
};

/// An object painted by itself. Premultiplied pixels as `Canvas` has them, on the image's grid.
struct Sprite {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
  std::vector<std::uint32_t> pixels;

  /// Whether the object covers at least half of the pixel at column `x` and row `y` of the image.
  bool covers(int x, int y) const;
};

/// What the truth says of an object that can be seen.
struct SeenObject {
  std::size_t kind = 0;
  ColorName color = ColorName::red;
  Pattern pattern = Pattern::plain;
  int pose = 0;
  Rle mask;  ///< pixels that it covers by half or more and that nothing painted later does
  Rle own;   ///< those that it would have within the image by itself
  Box box_xywh_px;
  std::uint64_t seen_px = 0;  ///< in `mask`
  std::uint64_t own_px = 0;   ///< in `own`
  bool is_truncated = false;  ///< a part of it is outside of the image

  double hidden() const { return 1 - static_cast<double>(seen_px) / static_cast<double>(own_px); }
};

struct Picture {
  Image image;
  Conditions conditions;
  std::vector<SeenObject> objects;  ///< in the order in which they were painted
};

/// What is hidden by more than this is neither drawn nor listed, nor what shows less than this of itself within the image.
inline constexpr double kMostHidden = 0.7;
inline constexpr double kLeastInside = 0.55;
/// Of the longer side of its box, and of its pixels that are seen.
inline constexpr double kLeastSidePx = 12;
inline constexpr std::uint64_t kLeastSeenPx = 60;
/// From here on an object counts as occluded.
inline constexpr double kOccluded = 0.1;

/// "small", "medium" or "large" by the longer side of the box over the longer side of the image.
std::string_view size_name(const Box& box_xywh_px, int width_px, int height_px);
inline constexpr double kMediumFrom = 0.08;
inline constexpr double kLargeFrom = 0.15;

/// What to draw a picture by.
struct PictureOptions {
  int long_side_px = 640;  ///< the longest that an image has
  Selection selection;
  bool is_dark = false;  ///< the planted faults
  bool is_blurred = false;
};

/// The picture of a number, the same wherever and whenever it is drawn.
Picture draw_picture(std::uint64_t seed, std::uint64_t index, const PictureOptions& options);

/// The steps of it, for tests: where things stand, back to front, ...
std::vector<PlacedObject> place_objects(const Backdrop& backdrop, int width_px, int height_px, const Selection& selection,
                                        Random& random);
Sprite paint_sprite(const PlacedObject& object);
/// ... and what of each can be seen, in the same order; those that are not to be drawn are taken out of both lists. An object is in
/// the way of those before it as soon as it is drawn itself.
std::vector<SeenObject> find_seen(std::vector<PlacedObject>& objects, std::vector<Sprite>& sprites, int width_px, int height_px);

}  // namespace verilabel::demo
