#include "verilabel/models/prototype_mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "verilabel/models/mask_upsampling.h"

namespace verilabel {
namespace {

/// One axis of the way from the prototypes to the image.
struct Axis {
  int prototype_size = 0;
  int image_size = 0;
  int padding_px = 0;  ///< before the image, in pixels of the model's input
  int content_px = 0;  ///< of the image in the model's input
};

Axis axis_of(int prototype_size, int image_size, double offset, double scale) {
  const int input_size = prototype_size * kPrototypeStride;
  const int padding = std::clamp(static_cast<int>(std::nearbyint(offset)), 0, input_size - 1);
  const int content = std::clamp(static_cast<int>(std::nearbyint(image_size * scale)), 1, input_size - padding);
  return {prototype_size, image_size, padding, content};
}

/// When the prototypes are enlarged `enlargement` times before the padding is cut.
UpsamplingAxis upsampling_of(const Axis& axis, int enlargement) {
  return {axis.prototype_size, axis.prototype_size * enlargement, axis.padding_px * enlargement / kPrototypeStride,
          axis.content_px * enlargement / kPrototypeStride, axis.image_size};
}

}  // namespace

Rle mask_from_prototypes(std::span<const float> coefficients, const OutputView& prototypes, const Box& box_xywh_px,
                         const InputTransform& transform) {
  const Axis down = axis_of(static_cast<int>(prototypes.shape[1]), transform.image_height, transform.offset_y, transform.scale_y);
  const Axis across = axis_of(static_cast<int>(prototypes.shape[2]), transform.image_width, transform.offset_x, transform.scale_x);
  RleBuilder builder(down.image_size, across.image_size);
  const auto first_at_or_after = [](double edge, int size) {
    return static_cast<int>(std::clamp(std::ceil(edge), 0.0, static_cast<double>(size)));
  };
  const int x_begin = first_at_or_after(box_xywh_px.x, across.image_size);
  const int x_end = first_at_or_after(box_xywh_px.x + box_xywh_px.w, across.image_size);
  const int y_begin = first_at_or_after(box_xywh_px.y, down.image_size);
  const int y_end = first_at_or_after(box_xywh_px.y + box_xywh_px.h, down.image_size);
  if (x_begin >= x_end || y_begin >= y_end) {
    return builder.finish();
  }

  // 1, 2 or 4 times: the least at which no edge of the padding falls inside a pixel.
  const int edges = std::gcd(std::gcd(across.padding_px, across.content_px), std::gcd(down.padding_px, down.content_px));
  const int enlargement = kPrototypeStride / std::gcd(kPrototypeStride, edges);
  const std::vector<Blend> columns = blends_of(upsampling_of(across, enlargement), x_begin, x_end);
  const std::vector<Blend> rows = blends_of(upsampling_of(down, enlargement), y_begin, y_end);

  // Only the part of the prototypes that the box needs. Both enlargements are linear and separable, so they are one weighted sum a
  // direction.
  const int left = columns.front().first;
  const int top = rows.front().first;
  const auto width = static_cast<std::size_t>(columns.back().first + columns.back().count - left);
  const auto height = static_cast<std::size_t>(rows.back().first + rows.back().count - top);
  std::vector<float> logits(width * height, 0.0F);
  const auto stride = static_cast<std::size_t>(across.prototype_size);
  const float* prototype = prototypes.values.data() + static_cast<std::size_t>(top) * stride + static_cast<std::size_t>(left);
  for (const float coefficient : coefficients) {
    for (std::size_t row = 0; row < height; ++row) {
      for (std::size_t column = 0; column < width; ++column) {
        logits[row * width + column] += coefficient * prototype[row * stride + column];
      }
    }
    prototype += stride * static_cast<std::size_t>(down.prototype_size);
  }

  std::vector<float> of_column(height);
  for (int x = x_begin; x < x_end; ++x) {
    const Blend& column = columns[static_cast<std::size_t>(x - x_begin)];
    const auto offset = static_cast<std::size_t>(column.first - left);
    for (std::size_t row = 0; row < height; ++row) {
      const float* from = logits.data() + row * width + offset;
      float sum = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(column.count); ++i) {
        sum += column.weights[i] * from[i];
      }
      of_column[row] = sum;
    }
    const auto start = static_cast<std::uint32_t>(x) * static_cast<std::uint32_t>(down.image_size);
    for (int y = y_begin; y < y_end; ++y) {
      const Blend& row = rows[static_cast<std::size_t>(y - y_begin)];
      const float* from = of_column.data() + static_cast<std::size_t>(row.first - top);
      float sum = 0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(row.count); ++i) {
        sum += row.weights[i] * from[i];
      }
      if (sum > 0) {
        builder.add(start + static_cast<std::uint32_t>(y), start + static_cast<std::uint32_t>(y) + 1);
      }
    }
  }
  return builder.finish();
}

Rle mask_of_logits(const OutputView& logits, std::size_t index, const InputTransform& transform) {
  const auto height = static_cast<int>(logits.shape[1]);
  const auto width = static_cast<int>(logits.shape[2]);
  const std::size_t cells = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  return MaskUpsampling::stretched(height, width, transform.image_height, transform.image_width)
      .mask(logits.values.subspan(index * cells, cells));
}

}  // namespace verilabel
