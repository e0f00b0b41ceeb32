// NanoDet: class scores, already through their sigmoid, and for each side of the box 8 logits whose softmax is a distribution over
// distances of 0 to 7 strides from the cell's centre (generalized focal loss, Li et al. 2020). NanoDet-m has strides 8, 16, 32 and
// centres half a pixel short of the middle of the cells, exported as one tensor or as six; NanoDet-Plus adds stride 64, has centres
// at the corners, and was trained on stretched images.

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "verilabel/models/family.h"

namespace verilabel {
namespace {

constexpr std::size_t kBins = 8;
constexpr std::size_t kSideLogits = 4 * kBins;
constexpr InputSize kUsualSize{320, 320};

std::int64_t cells_of(std::int64_t height, std::int64_t width, int stride) {
  return ((height + stride - 1) / stride) * ((width + stride - 1) / stride);
}

/// Where one stride's class scores and side logits stand.
struct Level {
  int stride = 0;
  std::size_t score_output = 0;
  std::size_t side_output = 0;
  std::size_t first_row = 0;
  std::size_t score_columns = 0;  ///< of a row in that output
  std::size_t side_columns = 0;
  std::size_t side_offset = 0;  ///< of the first side logit in a row
};

struct Layout {
  std::vector<Level> levels;
  std::size_t classes = 0;
  std::size_t output_count = 1;
  bool is_plus = false;
  std::string name;
};

std::optional<Layout> one_tensor(const GraphInfo& graph, std::int64_t height, std::int64_t width) {
  const auto& shape = graph.outputs[0].shape;
  if (graph.outputs.size() != 1 || shape.size() != 3 || shape[2] <= static_cast<std::int64_t>(kSideLogits)) {
    return std::nullopt;
  }
  for (const bool is_plus : {false, true}) {
    Layout layout;
    layout.classes = static_cast<std::size_t>(shape[2]) - kSideLogits;
    layout.is_plus = is_plus;
    layout.name = fmt::format("[anchors, {} + {}]{}", layout.classes, kSideLogits, is_plus ? ", four strides" : "");
    std::size_t rows = 0;
    for (const int stride : is_plus ? std::vector{8, 16, 32, 64} : std::vector{8, 16, 32}) {
      const auto columns = static_cast<std::size_t>(shape[2]);
      layout.levels.push_back({stride, 0, 0, rows, columns, columns, layout.classes});
      rows += static_cast<std::size_t>(cells_of(height, width, stride));
    }
    if (static_cast<std::int64_t>(rows) == shape[1]) {
      return layout;
    }
  }
  return std::nullopt;
}

/// Scores and distances of each stride as tensors of their own; the strides follow from the number of rows.
std::optional<Layout> six_tensors(const GraphInfo& graph, std::int64_t height, std::int64_t width) {
  if (graph.outputs.size() != 6) {
    return std::nullopt;
  }
  Layout layout;
  layout.output_count = graph.outputs.size();
  layout.name = "scores and distances of three strides";
  for (const int stride : {8, 16, 32}) {
    Level level;
    level.stride = stride;
    int found = 0;
    for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
      const auto& shape = graph.outputs[i].shape;
      if (shape.size() != 3 || shape[1] != cells_of(height, width, stride)) {
        continue;
      }
      const bool is_side = graph.outputs[i].name.find("dis") != std::string::npos;
      const auto columns = static_cast<std::size_t>(shape[2]);
      (is_side ? level.side_output : level.score_output) = i;
      (is_side ? level.side_columns : level.score_columns) = columns;
      ++found;
    }
    if (found != 2 || level.side_columns != kSideLogits || level.score_columns == 0) {
      return std::nullopt;
    }
    layout.classes = level.score_columns;
    layout.levels.push_back(level);
  }
  return layout;
}

/// The expected distance, in strides, of a softmax over 0 to 7.
float expected_distance(const float* logits) {
  const float greatest = *std::max_element(logits, logits + kBins);
  float sum = 0;
  float weighted = 0;
  for (std::size_t i = 0; i < kBins; ++i) {
    const float weight = std::exp(logits[i] - greatest);
    sum += weight;
    weighted += weight * static_cast<float>(i);
  }
  return weighted / sum;
}

// The way of the reference figures for NanoDet-m; Plus was trained on stretched images, and OpenCV's warp knows no area.
FitStyle fit_of(const Layout& layout) {
  if (layout.is_plus) {
    return {Fit::stretch, false, 0, OpencvInterpolation::linear, OpencvInterpolation::linear};
  }
  return {Fit::letterbox_centre, false, 0, OpencvInterpolation::area, OpencvInterpolation::linear};
}

class Nanodet final : public LetterboxDetector {
 public:
  Nanodet(const ModelSource& source, Layout layout)
      : LetterboxDetector(source, "nanodet", fit_of(layout),
                          {ChannelOrder::bgr, {103.53F, 116.28F, 123.675F}, {57.375F, 57.12F, 58.395F}},
                          input_size_of(source, kUsualSize)),
        layout_(std::move(layout)) {
    nms_iou_ = 0.6;
    take_class_names(source, std::nullopt, layout_.classes);
    card_.layout = layout_.name;
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    std::vector<std::vector<std::int64_t>> shapes(layout_.output_count);
    for (const Level& level : layout_.levels) {
      const std::int64_t rows = static_cast<std::int64_t>(level.first_row) + cells_of(input_height(), input_width(), level.stride);
      shapes[level.score_output] = {rows, static_cast<std::int64_t>(level.score_columns)};
      shapes[level.side_output] = {rows, static_cast<std::int64_t>(level.side_columns)};
    }
    return shapes;
  }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    RawCandidates raw;
    const float floor = float_floor(options.floor);
    for (const Level& level : layout_.levels) {
      const int columns = (input_width() + level.stride - 1) / level.stride;
      const auto cells = static_cast<std::size_t>(cells_of(input_height(), input_width(), level.stride));
      for (std::size_t cell = 0; cell < cells; ++cell) {
        const std::size_t row = level.first_row + cell;
        const float* scores = outputs[level.score_output].values.data() + row * level.score_columns;
        require_scores({scores, layout_.classes});
        bool has_box = false;
        std::array<float, 4> box{};
        for_each_above(
            layout_.classes, floor, [&](std::size_t c) { return scores[c]; },
            [&](std::size_t c, float score) {
              if (!is_wanted(options, c)) {
                return;
              }
              if (!has_box) {
                box = box_of(level, cell, columns,
                             outputs[level.side_output].values.data() + row * level.side_columns + level.side_offset);
                has_box = true;
              }
              raw.add(box[0], box[1], box[2], box[3], score, static_cast<std::int32_t>(c), static_cast<std::uint32_t>(row));
            });
      }
    }
    return suppressed_in_image(std::move(raw), transform, options);
  }

 private:
  std::array<float, 4> box_of(const Level& level, std::size_t cell, int columns, const float* sides) const {
    const auto stride = static_cast<float>(level.stride);
    const float to_centre = layout_.is_plus ? 0.0F : (stride - 1) / 2;
    const int row = static_cast<int>(cell) / columns;
    const int column = static_cast<int>(cell) % columns;
    const float cx = static_cast<float>(column) * stride + to_centre;
    const float cy = static_cast<float>(row) * stride + to_centre;
    const auto distance = [&](std::size_t side) { return expected_distance(sides + side * kBins) * stride; };
    return {cx - distance(0), cy - distance(1), cx + distance(2), cy + distance(3)};
  }

  Layout layout_;
};

}  // namespace

std::unique_ptr<FamilyLabeller> make_nanodet(const ModelSource& source) {
  const auto& inputs = source.graph.inputs;
  if (!takes_one_image(source.graph) || source.graph.metadata.contains("names")) {
    return nullptr;
  }
  const auto [height, width] = input_size_of(source, kUsualSize);
  auto layout = six_tensors(source.graph, height, width);
  // Of one tensor the rows may be YOLOX's too; the exporters differ in what they call the input.
  if (!layout && (inputs[0].name != "images" || source.manifest.family == "nanodet")) {
    layout = one_tensor(source.graph, height, width);
  }
  return layout ? std::make_unique<Nanodet>(source, std::move(*layout)) : nullptr;
}

}  // namespace verilabel
