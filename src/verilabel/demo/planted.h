#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "verilabel/demo/picture.h"
#include "verilabel/demo/world.h"

// The faults that are made on purpose. Private to the module.
namespace verilabel::demo {

enum class Role : std::uint8_t { plain, exact_duplicate, near_duplicate, dark, blurred };
enum class Change : std::uint8_t { recompressed, cropped, brightened, halved };
std::string_view name_of(Change change);

/// What becomes of the image of a number.
struct Plan {
  Role role = Role::plain;
  std::uint64_t source = 0;  ///< of a duplicate: the number of the image, smaller than its own and plain
  Change change = Change::recompressed;

  friend bool operator==(const Plan&, const Plan&) = default;
};
Plan plan_of(std::uint64_t seed, std::uint64_t index, const DemoFaults& faults);

/// How a near duplicate was made.
struct ChangeDone {
  Change change = Change::recompressed;
  Box crop_xywh_px;  ///< the part of the first picture that is left
  double gain = 1;   ///< of the values of pixels
};
/// Pixels and truth of the near duplicate. A picture too small to be halved is recompressed.
ChangeDone change_picture(Picture& picture, Change change, Random& random);

enum class LabelFault : std::uint8_t { none, mislabelled, missing, shifted, doubled };

/// What the human made of an object. One that was doubled is followed by a second label.
struct HumanLabel {
  std::size_t object = 0;  ///< its place in the truth
  std::size_t kind = 0;
  Box box_xywh_px;
  LabelFault fault = LabelFault::none;  ///< `missing`: this label is not written; `doubled`: it is the second one
  double iou = 1;                       ///< with the true box; of a second label with the first one
};
/// Boxes are never quite right: without a fault IoU with the truth is at least this.
inline constexpr double kCarefulIou = 0.85;
inline constexpr double kShiftedIou[] = {0.3, 0.65};
inline constexpr double kDoubledIou[] = {0.65, 0.92};
std::vector<HumanLabel> label_as_human(const std::vector<SeenObject>& objects, int width_px, int height_px,
                                       const DemoFaults& faults, Random& random);

}  // namespace verilabel::demo
