#pragma once

#include <optional>

#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"
#include "verilabel/image/image.h"

namespace verilabel {

/// How an object is cut out of its image.
struct CropOptions {
  double margin = 0;      ///< of the box's sides, added on each side as far as the image goes
  bool is_masked = true;  ///< pixels outside the object's mask, where it has one, become grey

  /// Throws `wrong_use` for a margin that is not from 0 to 10.
  void validate() const;
};

/// The pixels that the box touches, with its margin; at least one pixel. The box is in pixels of the image and may reach beyond it;
/// a mask has the image's size. Grey is the mean of ImageNet, near what models take for nothing.
void crop_object(const Image& image, const Box& box_xywh_px, const std::optional<Mask>& mask, const CropOptions& options,
                 Image& object);

}  // namespace verilabel
