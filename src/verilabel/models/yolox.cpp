// YOLOX (Megvii): one output of [batch, anchors, 5 + classes] with 4 box numbers, objectness and class scores, the scores already
// through their sigmoid. Boxes are offsets within the cells of strides 8, 16, 32, unless exported with --decode_in_inference. Every
// class of an anchor is a candidate of its own, and boxes are cut at the image before suppression: the reference figures come out
// so.

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/models/family.h"

namespace verilabel {
namespace {

constexpr std::array kStrides = {8, 16, 32};
constexpr InputSize kUsualSize{640, 640};
/// Sizes are logarithms in a graph that leaves decoding to us; none comes near this. In a decoded one, in pixels, many are beyond.
constexpr float kLeastDecodedSide = 20;

std::int64_t anchors_of(std::int64_t height, std::int64_t width) {
  std::int64_t anchors = 0;
  for (const int stride : kStrides) {
    anchors += (height / stride) * (width / stride);
  }
  return anchors;
}

class Yolox final : public LetterboxDetector {
 public:
  explicit Yolox(const ModelSource& source)
      : LetterboxDetector(source, "yolox",
                          {Fit::letterbox_corner, false, 114, OpencvInterpolation::linear, OpencvInterpolation::linear},
                          {ChannelOrder::bgr, {0, 0, 0}, {1, 1, 1}}, input_size_of(source, kUsualSize)) {
    const auto columns = source.graph.outputs.front().shape[2];
    classes_ = static_cast<std::size_t>(columns) - 5;
    take_class_names(source, std::nullopt, classes_);
    card_.layout = fmt::format("[anchors, 5 + {}]", classes_);
    for (const int stride : kStrides) {
      for (int y = 0; y < input_height() / stride; ++y) {
        for (int x = 0; x < input_width() / stride; ++x) {
          cells_.push_back({static_cast<float>(x), static_cast<float>(y), static_cast<float>(stride)});
        }
      }
    }
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    return {{static_cast<std::int64_t>(cells_.size()), static_cast<std::int64_t>(5 + classes_)}};
  }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    const std::span<const float> values = outputs[0].values;
    const std::size_t columns = 5 + classes_;
    bool is_decoded = false;
    for (std::size_t i = 0; i < cells_.size() && !is_decoded; ++i) {
      is_decoded = values[i * columns + 2] > kLeastDecodedSide || values[i * columns + 3] > kLeastDecodedSide;
    }
    const float floor = float_floor(options.floor);
    RawCandidates raw;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const float* row = values.data() + i * columns;
      require_scores({row + 4, columns - 4});
      const float objectness = row[4];
      if (!(objectness > floor)) {
        continue;  // no class score is above 1
      }
      const Cell& cell = cells_[i];
      const float cx = is_decoded ? row[0] : (row[0] + cell.x) * cell.stride;
      const float cy = is_decoded ? row[1] : (row[1] + cell.y) * cell.stride;
      const float w = is_decoded ? row[2] : std::exp(row[2]) * cell.stride;
      const float h = is_decoded ? row[3] : std::exp(row[3]) * cell.stride;
      for_each_above(
          classes_, floor, [&](std::size_t c) { return objectness * row[5 + c]; },
          [&](std::size_t c, float score) {
            if (is_wanted(options, c)) {
              raw.add(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, static_cast<std::int32_t>(c),
                      static_cast<std::uint32_t>(i));
            }
          });
    }
    return suppressed_in_image(std::move(raw), transform, options);
  }

 private:
  struct Cell {
    float x;
    float y;
    float stride;
  };
  std::size_t classes_ = 0;
  std::vector<Cell> cells_;
};

}  // namespace

std::unique_ptr<FamilyLabeller> make_yolox(const ModelSource& source) {
  const auto& inputs = source.graph.inputs;
  const auto& outputs = source.graph.outputs;
  if (!takes_one_image(source.graph) || outputs.size() != 1 || outputs[0].shape.size() != 3 || outputs[0].shape[2] < 6 ||
      source.graph.metadata.contains("names")) {
    return nullptr;
  }
  // A NanoDet-m of one tensor has the same rows; the exporters differ in what they call the input.
  if (inputs[0].name != "images" && source.manifest.family != "yolox") {
    return nullptr;
  }
  const InputSize size = input_size_of(source, kUsualSize);
  if (outputs[0].shape[1] > 0 && outputs[0].shape[1] != anchors_of(size.height, size.width)) {
    return nullptr;
  }
  return std::make_unique<Yolox>(source);
}

}  // namespace verilabel
