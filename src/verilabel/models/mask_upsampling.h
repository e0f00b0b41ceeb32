#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "verilabel/geometry/mask.h"

// Private to the module.
namespace verilabel {

/// A pixel along one axis of an image as a weighted sum of neighbouring cells of a map. Two neighbours in an enlarged row lie
/// between at most three in the row it was made from.
struct Blend {
  int first = 0;
  std::array<float, 3> weights{};
  int count = 1;
};

/// One axis of the way from a map of logits to an image: the map is enlarged, the part that shows the image is cut out, and that is
/// stretched to the image. Both are bilinear between pixel centres and without antialiasing, as PyTorch's `interpolate` is.
struct UpsamplingAxis {
  int map_size = 0;
  int enlarged_size = 0;  ///< at least `map_size`
  int cut = 0;            ///< of the enlarged pixels: before the image
  int content = 0;        ///< that show the image
  int image_size = 0;
};

/// For the image's pixels [begin, end) along the axis.
std::vector<Blend> blends_of(const UpsamplingAxis& axis, int begin, int end);

/// Runs of an image's pixels in COCO's order, from pixels that come in that order.
class RleBuilder {
 public:
  RleBuilder(int height, int width) : rle_{static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width), {}} {}

  /// The pixels [begin, end), which come after all that were added.
  void add(std::uint32_t begin, std::uint32_t end) {
    if (begin != end_ || rle_.counts.empty()) {
      close();
      rle_.counts.push_back(begin - end_);
      begin_ = begin;
    }
    end_ = end;
  }
  Rle finish();

 private:
  void close() {
    if (!rle_.counts.empty()) {
      rle_.counts.push_back(end_ - begin_);
    }
  }

  Rle rle_;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

/// Masks of one image from maps of logits.
class MaskUpsampling {
 public:
  MaskUpsampling(const UpsamplingAxis& down, const UpsamplingAxis& across);
  /// The map shows the image and nothing else, and is stretched to it.
  static MaskUpsampling stretched(int map_height, int map_width, int image_height, int image_width);

  /// The pixels where the enlarged map, rows of logits, is above 0.
  Rle mask(std::span<const float> map) const;

  /// As `mask`, and how many pixels are above `offset` and above −`offset`.
  struct Graded {
    Rle mask;
    std::uint64_t above_offset = 0;
    std::uint64_t above_minus_offset = 0;
  };
  Graded graded(std::span<const float> map, float offset) const;

 private:
  template <typename Column>
  void for_each_column(std::span<const float> map, float lowest, const Column& found) const;

  UpsamplingAxis down_;
  UpsamplingAxis across_;
  std::vector<Blend> rows_;
  std::vector<Blend> columns_;
};

}  // namespace verilabel
