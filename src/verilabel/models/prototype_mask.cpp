#include "verilabel/models/prototype_mask.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace verilabel {
namespace {

/// Where a pixel of a bilinearly resized row lies between two pixels of the row it came from.
struct Tap {
  int low = 0;
  int high = 0;
  float weight = 0;  ///< of `high`
};

Tap tap_at(int target, float pixels_per_target, int size) {
  const float at = std::max(0.0F, (static_cast<float>(target) + 0.5F) * pixels_per_target - 0.5F);
  const int low = std::min(static_cast<int>(at), size - 1);
  return {low, std::min(low + 1, size - 1), at - static_cast<float>(low)};
}

/// A pixel of the image as a weighted sum of pixels of the prototypes. Two neighbours in an enlarged row lie between at most three
/// in the row it was made from.
struct Blend {
  int first = 0;
  std::array<float, 3> weights{};
  int count = 1;
};

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

/// For the pixels [begin, end) of the image along an axis, when the prototypes are enlarged `enlargement` times before the padding
/// is cut.
std::vector<Blend> blends_of(const Axis& axis, int enlargement, int begin, int end) {
  const int cut = axis.padding_px * enlargement / kPrototypeStride;
  const int content = axis.content_px * enlargement / kPrototypeStride;
  const auto from_image = static_cast<float>(content) / static_cast<float>(axis.image_size);
  std::vector<Blend> blends;
  blends.reserve(static_cast<std::size_t>(end - begin));
  for (int target = begin; target < end; ++target) {
    const Tap outer = tap_at(target, from_image, content);
    Blend blend;
    const auto add = [&](int enlarged, float share) {
      const Tap inner = tap_at(enlarged, 1.0F / static_cast<float>(enlargement), axis.prototype_size);
      blend.weights[static_cast<std::size_t>(inner.low - blend.first)] += share * (1 - inner.weight);
      blend.weights[static_cast<std::size_t>(inner.high - blend.first)] += share * inner.weight;
      blend.count = inner.high - blend.first + 1;
    };
    blend.first = tap_at(cut + outer.low, 1.0F / static_cast<float>(enlargement), axis.prototype_size).low;
    add(cut + outer.low, 1 - outer.weight);
    add(cut + outer.high, outer.weight);
    blends.push_back(blend);
  }
  return blends;
}

/// Runs of an image's pixels in COCO's order, from pixels that come in that order.
class RleBuilder {
 public:
  RleBuilder(int height, int width) : rle_{static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width), {}} {}

  void add(std::uint32_t position) {
    if (position != end_ || rle_.counts.empty()) {
      close();
      rle_.counts.push_back(position - end_);
      begin_ = position;
    }
    end_ = position + 1;
  }
  Rle finish() {
    close();
    if (const std::uint32_t pixels = rle_.height * rle_.width; end_ < pixels) {
      rle_.counts.push_back(pixels - end_);
    }
    return std::move(rle_);
  }

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
  const std::vector<Blend> columns = blends_of(across, enlargement, x_begin, x_end);
  const std::vector<Blend> rows = blends_of(down, enlargement, y_begin, y_end);

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
        builder.add(start + static_cast<std::uint32_t>(y));
      }
    }
  }
  return builder.finish();
}

Rle mask_of_logits(const OutputView& logits, std::size_t index, const InputTransform& transform) {
  const auto height = static_cast<int>(logits.shape[1]);
  const auto width = static_cast<int>(logits.shape[2]);
  const auto stride = static_cast<std::size_t>(width);
  const float* map = logits.values.data() + index * stride * static_cast<std::size_t>(height);
  const float down = static_cast<float>(height) / static_cast<float>(transform.image_height);
  const float across = static_cast<float>(width) / static_cast<float>(transform.image_width);
  std::vector<Tap> rows;
  for (int y = 0; y < transform.image_height; ++y) {
    rows.push_back(tap_at(y, down, height));
  }
  RleBuilder builder(transform.image_height, transform.image_width);
  std::vector<float> column(static_cast<std::size_t>(height));
  std::uint32_t position = 0;
  for (int x = 0; x < transform.image_width; ++x) {
    const Tap tap = tap_at(x, across, width);
    for (std::size_t y = 0; y < column.size(); ++y) {
      const float* row = map + y * stride;
      column[y] = (1 - tap.weight) * row[tap.low] + tap.weight * row[tap.high];
    }
    for (const Tap& row : rows) {
      const float logit =
          (1 - row.weight) * column[static_cast<std::size_t>(row.low)] + row.weight * column[static_cast<std::size_t>(row.high)];
      if (logit > 0) {
        builder.add(position);
      }
      ++position;
    }
  }
  return builder.finish();
}

}  // namespace verilabel
