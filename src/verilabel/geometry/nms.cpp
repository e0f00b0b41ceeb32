#include "verilabel/geometry/nms.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace verilabel {
namespace {

// Survivors of one class, column by column, so that a candidate is compared with several at once.
class Survivors {
 public:
  void add(const float* xyxy, float area) {
    x1_.push_back(xyxy[0]);
    y1_.push_back(xyxy[1]);
    x2_.push_back(xyxy[2]);
    y2_.push_back(xyxy[3]);
    area_.push_back(area);
  }

  // torchvision's arithmetic in float32; 0/0 of two empty boxes compares false, so they survive.
  bool overlap(const float* xyxy, float area, float threshold) const {
    constexpr std::size_t block = 32;  // long enough for vector instructions, short enough to stop early
    for (std::size_t begin = 0; begin < x1_.size(); begin += block) {
      const std::size_t end = std::min(begin + block, x1_.size());
      int suppressing = 0;
      for (std::size_t i = begin; i < end; ++i) {
        const float w = std::max(0.F, std::min(x2_[i], xyxy[2]) - std::max(x1_[i], xyxy[0]));
        const float h = std::max(0.F, std::min(y2_[i], xyxy[3]) - std::max(y1_[i], xyxy[1]));
        const float shared = w * h;
        suppressing |= static_cast<int>(shared / (area_[i] + area - shared) > threshold);
      }
      if (suppressing != 0) {
        return true;
      }
    }
    return false;
  }

 private:
  std::vector<float> x1_;
  std::vector<float> y1_;
  std::vector<float> x2_;
  std::vector<float> y2_;
  std::vector<float> area_;
};

// Ascending keys are descending scores, then ascending indices; not-a-number comes last.
std::uint64_t rank_key(float score, std::uint32_t index) {
  constexpr std::uint32_t sign_bit = 0x80000000U;
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.F);  // + 0 makes -0 equal to 0
  const std::uint32_t ascending = std::isnan(score) ? 0 : ((bits & sign_bit) != 0 ? ~bits : bits | sign_bit);
  return (std::uint64_t{~ascending} << 32) | index;
}

// The largest float32 that is not above the threshold: float32 values exceed one exactly when they exceed the other.
float as_float_threshold(double threshold) {
  const auto nearest = static_cast<float>(threshold);
  return static_cast<double>(nearest) > threshold ? std::nextafter(nearest, -std::numeric_limits<float>::infinity()) : nearest;
}

}  // namespace

std::vector<std::uint32_t> nms(const NmsCandidates& candidates, const NmsOptions& options) {
  const std::size_t count = candidates.scores.size();
  assert(candidates.boxes_xyxy.size() == 4 * count);
  assert(!options.is_class_aware || candidates.class_ids.size() == count);
  const float threshold = as_float_threshold(options.iou_threshold);

  std::vector<std::uint64_t> keys(count);
  for (std::size_t i = 0; i < count; ++i) {
    keys[i] = rank_key(candidates.scores[i], static_cast<std::uint32_t>(i));
  }

  std::vector<std::uint32_t> kept;
  std::unordered_map<std::int32_t, Survivors> survivors_of;
  // The best are sorted a portion at a time: a hundred survivors are usually found among the first thousand candidates.
  std::size_t portion = options.max_detections >= count / 4 ? count : std::max<std::size_t>(1024, 4 * options.max_detections);
  for (std::size_t begin = 0; begin < count && kept.size() < options.max_detections;) {
    const std::size_t end = portion >= count - begin ? count : begin + portion;
    if (end < count) {
      std::nth_element(keys.begin() + static_cast<std::ptrdiff_t>(begin), keys.begin() + static_cast<std::ptrdiff_t>(end),
                       keys.end());
    }
    std::sort(keys.begin() + static_cast<std::ptrdiff_t>(begin), keys.begin() + static_cast<std::ptrdiff_t>(end));
    for (std::size_t i = begin; i < end && kept.size() < options.max_detections; ++i) {
      const auto index = static_cast<std::uint32_t>(keys[i]);
      const float* xyxy = candidates.boxes_xyxy.data() + std::size_t{index} * 4;
      const float area = (xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]);
      Survivors& survivors = survivors_of[options.is_class_aware ? candidates.class_ids[index] : 0];
      if (!survivors.overlap(xyxy, area, threshold)) {
        survivors.add(xyxy, area);
        kept.push_back(index);
      }
    }
    begin = end;
    portion *= 4;
  }
  return kept;
}

}  // namespace verilabel
