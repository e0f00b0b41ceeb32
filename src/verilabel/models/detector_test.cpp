#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/labeller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <future>

#include "verilabel/image/decode.h"
#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr ElementType kF32 = ElementType::f32;

/// An output of one image that is filled by row and column.
struct Output {
  std::vector<std::int64_t> shape;
  std::vector<float> values;

  explicit Output(std::vector<std::int64_t> sizes) : shape(std::move(sizes)) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) {
      count *= static_cast<std::size_t>(size);
    }
    values.resize(count, 0);
  }
  float& at(std::size_t row, std::size_t column) { return values[row * static_cast<std::size_t>(shape[1]) + column]; }
  void set_row(std::size_t row, std::initializer_list<float> content) {
    std::size_t column = 0;
    for (const float value : content) {
      at(row, column++) = value;
    }
  }
};

std::vector<Candidate> decoded(const Labeller& detector, const std::vector<Output>& outputs, const InputTransform& transform,
                               const CandidateOptions& options) {
  std::vector<OutputView> views;
  for (const Output& output : outputs) {
    views.push_back({output.values, output.shape});
  }
  return detector.decode(views, transform, options);
}

void expect_box(const Candidate& candidate, const Box& box, double tolerance = 1e-4) {
  EXPECT_NEAR(candidate.box_xywh_px.x, box.x, tolerance);
  EXPECT_NEAR(candidate.box_xywh_px.y, box.y, tolerance);
  EXPECT_NEAR(candidate.box_xywh_px.w, box.w, tolerance);
  EXPECT_NEAR(candidate.box_xywh_px.h, box.h, tolerance);
}

InputTransform unchanged(int side) {
  return {1, 1, 0, 0, side, side};
}

// YOLOX at 64 x 64: 8 * 8 + 4 * 4 + 2 * 2 = 84 cells.
GraphInfo yolox_graph(std::int64_t classes = 2) {
  return {{{"images", kF32, {1, 3, 64, 64}}}, {{"output", kF32, {1, 84, 5 + classes}}}, {}};
}
constexpr const char* kTwoNames = R"({"class_names": ["cat", "dog"]})";

TEST(Yolox, DecodesOffsetsAndLogarithms) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  EXPECT_EQ(detector->card().family, "yolox");
  EXPECT_EQ(detector->default_options().nms_iou, 0.65);
  EXPECT_EQ(detector->default_options().max_detections, 100);
  Output output({84, 7});
  // Stride 8, column 3, row 2: centre ((3 + .5) * 8, (2 + .25) * 8) = (28, 18), size (2 * 8, 4 * 8) = (16, 32); corners 20, 2,
  // 36, 34.
  output.set_row(2 * 8 + 3, {0.5F, 0.25F, std::log(2.0F), std::log(4.0F), 0.5F, 0.75F, 0.25F});
  // Stride 32, the last cell: centre (32, 32) + 32 * (.5, .5) = (48, 48), size (32, 32); corners 32, 32, 64, 64.
  output.set_row(83, {0.5F, 0.5F, 0, 0, 1, 0, 0.875F});
  const auto found = decoded(*detector, {output}, unchanged(64), {.floor = 0.1});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_EQ(found[0].score, 0.875);
  expect_box(found[0], {32, 32, 32, 32});
  EXPECT_EQ(found[1].class_index, 0);
  EXPECT_EQ(found[1].score, 0.375);  // .5 * .75
  expect_box(found[1], {20, 2, 16, 32});
  EXPECT_EQ(found[2].class_index, 1);  // the other class of the same cell
  EXPECT_EQ(found[2].score, 0.125);
  EXPECT_FALSE(found[0].mask);
  EXPECT_EQ(detector->class_names()[1], "dog");
}

TEST(Yolox, KeepsScoresAboveTheFloorOnly) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  Output output({84, 7});
  output.set_row(0, {0.5F, 0.5F, 0, 0, 0.5F, 0.5F, 0});
  EXPECT_THAT(decoded(*detector, {output}, unchanged(64), {.floor = 0.2499}), SizeIs(1));
  EXPECT_THAT(decoded(*detector, {output}, unchanged(64), {.floor = 0.25}), IsEmpty());
  // As a float, 0.05 is above the double 0.05.
  output.set_row(0, {0.5F, 0.5F, 0, 0, 1, 0.05F, 0});
  EXPECT_THAT(decoded(*detector, {output}, unchanged(64), {.floor = 0.05}), SizeIs(1));
  EXPECT_THAT(decoded(*detector, {output}, unchanged(64), {.floor = static_cast<double>(0.05F)}), IsEmpty());
}

TEST(Yolox, LeavesBoxesOfADecodedGraphAsTheyAre) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  Output output({84, 7});
  output.set_row(40, {30, 20, 24, 16, 1, 0.5F, 0});
  const auto found = decoded(*detector, {output}, unchanged(64), {});
  ASSERT_THAT(found, SizeIs(1));
  expect_box(found[0], {18, 12, 24, 16});
}

// Corners 20, 2, 36, 34 in the input; half the size of the image, which is 128 x 40: doubled, then cut at its lower edge.
TEST(Yolox, BoxesAreInTheImageAndCutAtItsBorder) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  Output output({84, 7});
  output.set_row(2 * 8 + 3, {0.5F, 0.25F, std::log(2.0F), std::log(4.0F), 1, 0.75F, 0});
  // Wholly in the padding below row 20 of the input: corners 0, 24, 8, 32.
  output.set_row(3 * 8, {0.5F, 0.5F, 0, 0, 1, 0.5F, 0});
  const auto found = decoded(*detector, {output}, {0.5, 0.5, 0, 0, 128, 40}, {});
  ASSERT_THAT(found, SizeIs(1));
  expect_box(found[0], {40, 4, 32, 36});
}

TEST(Yolox, SuppressesWithinAClass) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  Output output({84, 7});
  // The same box 16 x 16 around (16, 16) from two cells of stride 8, and once as the other class.
  const float twice = std::log(2.0F);
  output.set_row(1 * 8 + 1, {1, 1, twice, twice, 1, 0.5F, 0.25F});
  output.set_row(2 * 8 + 2, {0, 0, twice, twice, 1, 0.75F, 0});
  auto found = decoded(*detector, {output}, unchanged(64), {});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].score, 0.75);
  EXPECT_EQ(found[1].class_index, 1);
  EXPECT_THAT(decoded(*detector, {output}, unchanged(64), {.nms_iou = 1}), SizeIs(3));
  EXPECT_THAT(decoded(*detector, {output}, unchanged(64), {.max_detections = 1}), SizeIs(1));
  found = decoded(*detector, {output}, unchanged(64), {.is_class_wanted = {0, 1}});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].class_index, 1);
}

/// The message of the `bad_model` that an image ends with.
std::string fault_of(const Labeller& detector, const std::vector<Output>& outputs, int side) {
  const Error error = error_of([&] { decoded(detector, outputs, unchanged(side), {}); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  return error.message();
}

TEST(Yolox, AnOutputWithoutNumbersIsAnErrorAndNotAnEmptyImage) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  for (std::size_t place = 0; place < 7; ++place) {
    for (const float value : {std::nanf(""), INFINITY, -INFINITY}) {
      Output output({84, 7});
      output.set_row(3, {0, 0, 0, 0, 1, 0.5F, 0});
      output.at(3, place) = value;
      EXPECT_THAT(fault_of(*detector, {output}, 64), HasSubstr(std::isnan(value) ? "NaN instead" : "infinity instead")) << place;
    }
  }
}

TEST(Yolox, ScoresThatAreNoneEndTheImage) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  for (std::size_t place = 4; place < 7; ++place) {
    Output output({84, 7});
    output.set_row(83, {0, 0, 0, 0, 1, 0.5F, 0});
    output.at(83, place) = 3.25F;
    EXPECT_THAT(fault_of(*detector, {output}, 64), HasSubstr(" to 3.25, and they must be numbers from 0 to 1")) << place;
    output.at(83, place) = -1;
    EXPECT_THAT(fault_of(*detector, {output}, 64), HasSubstr("scores from -1 to ")) << place;
    output.at(83, place) = 1.001F;
    EXPECT_NO_THROW(decoded(*detector, {output}, unchanged(64), {})) << "rounding in half precision";
  }
}

TEST(Yolox, PreparesBgrInTheTopLeftCorner) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  Image image(101, 50);
  for (std::size_t i = 0; i < image.pixels().size(); ++i) {
    image.pixels()[i] = static_cast<std::uint8_t>(10 * (i % 3 + 1));
  }
  std::vector<float> input(std::size_t{3} * 64 * 64, -1);
  Image scratch;
  const InputTransform transform = detector->preprocess(image, std::array{InputView{input, {}}}, scratch, 0);
  // Ratio 64 / 101 = .6337; 50 * .6337 = 31.68, truncated to 31 rows.
  EXPECT_DOUBLE_EQ(transform.scale_x, 64.0 / 101);
  EXPECT_DOUBLE_EQ(transform.scale_y, 64.0 / 101);
  EXPECT_EQ(transform.offset_x, 0);
  EXPECT_EQ(transform.offset_y, 0);
  EXPECT_EQ(transform.image_width, 101);
  EXPECT_EQ(transform.image_height, 50);
  const auto at = [&](std::size_t channel, std::size_t y, std::size_t x) { return input[(channel * 64 + y) * 64 + x]; };
  for (std::size_t channel = 0; channel < 3; ++channel) {
    EXPECT_EQ(at(channel, 0, 0), 10.0F * static_cast<float>(channel + 1));  // blue, green, red
    EXPECT_EQ(at(channel, 30, 63), 10.0F * static_cast<float>(channel + 1));
    EXPECT_EQ(at(channel, 31, 0), 114);
    EXPECT_EQ(at(channel, 63, 63), 114);
  }
}

// NanoDet-m at 32 x 32: 16 + 4 + 1 cells.
GraphInfo nanodet_graph() {
  return {{{"input.1", kF32, {1, 3, 32, 32}}},
          {{"cls_pred_stride_8", kF32, {1, 16, 2}},
           {"cls_pred_stride_16", kF32, {1, 4, 2}},
           {"cls_pred_stride_32", kF32, {1, 1, 2}},
           {"dis_pred_stride_8", kF32, {1, 16, 32}},
           {"dis_pred_stride_16", kF32, {1, 4, 32}},
           {"dis_pred_stride_32", kF32, {1, 1, 32}}},
          {}};
}

// All weight on one bin a side.
void set_sides(Output& output, std::size_t row, std::size_t first, std::array<std::size_t, 4> bins) {
  for (std::size_t side = 0; side < 4; ++side) {
    output.at(row, first + side * 8 + bins[side]) = 200;
  }
}

TEST(Nanodet, DecodesDistributionsOfSixTensors) {
  const auto detector = labeller_of(nanodet_graph(), kTwoNames);
  EXPECT_EQ(detector->card().family, "nanodet");
  EXPECT_EQ(detector->default_options().nms_iou, 0.6);
  std::vector<Output> outputs = {Output({16, 2}),  Output({4, 2}),  Output({1, 2}),
                                 Output({16, 32}), Output({4, 32}), Output({1, 32})};
  // Stride 8, column 1, row 2: centre (8 + 3.5, 16 + 3.5); distances 8, 16, 8, 8: corners 3.5, 3.5, 19.5, 27.5.
  outputs[0].set_row(2 * 4 + 1, {0.5F, 0.75F});
  set_sides(outputs[3], 2 * 4 + 1, 0, {1, 2, 1, 1});
  // Stride 32: centre (15.5, 15.5). Even logits mean 3.5 strides to each side: all of the image.
  outputs[2].set_row(0, {0.25F, 0});
  const auto found = decoded(*detector, outputs, unchanged(32), {});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_EQ(found[0].score, 0.75);
  expect_box(found[0], {3.5, 3.5, 16, 24});
  EXPECT_EQ(found[1].class_index, 0);
  EXPECT_EQ(found[1].score, 0.5);
  expect_box(found[2], {0, 0, 32, 32});
  outputs[1].set_row(3, {0, -2});
  EXPECT_THAT(fault_of(*detector, outputs, 32), HasSubstr("scores from -2 to 0"));
}

TEST(Nanodet, OfOneTensorTheInputsNameTellsItFromYolox) {
  // 21 rows at 32 x 32 are YOLOX's too.
  const GraphInfo nanodet{{{"data", kF32, {1, 3, 32, 32}}}, {{"output", kF32, {1, 21, 34}}}, {}};
  const auto detector = labeller_of(nanodet, kTwoNames);
  EXPECT_EQ(detector->card().family, "nanodet");
  Output output({21, 34});
  output.set_row(16 + 3, {0, 0.5F});  // stride 16, column 1, row 1: centre (16 + 7.5, 16 + 7.5)
  set_sides(output, 16 + 3, 2, {0, 1, 0, 0});
  auto found = decoded(*detector, {output}, unchanged(32), {});
  EXPECT_THAT(found, IsEmpty()) << "a box without width";
  output = Output({21, 34});
  output.set_row(16 + 3, {0, 0.5F});
  set_sides(output, 16 + 3, 2, {1, 1, 0, 0});
  found = decoded(*detector, {output}, unchanged(32), {});
  ASSERT_THAT(found, SizeIs(1));
  expect_box(found[0], {7.5, 7.5, 16, 16});

  GraphInfo yolox = nanodet;
  yolox.inputs[0].name = "images";
  yolox.outputs[0].shape[2] = 7;
  EXPECT_EQ(labeller_of(yolox, kTwoNames)->card().family, "yolox");
  yolox.outputs[0].shape[2] = 34;
  EXPECT_EQ(labeller_of(yolox, R"({"family": "nanodet", "class_names": ["cat", "dog"]})")->card().family, "nanodet");
}

TEST(Nanodet, PlusHasFourStridesCornersAndStretchedImages) {
  // 64 x 64: 64 + 16 + 4 + 1 cells.
  const auto detector = labeller_of({{{"data", kF32, {1, 3, 64, 64}}}, {{"output", kF32, {1, 85, 34}}}, {}}, kTwoNames);
  Output output({85, 34});
  output.set_row(2 * 8 + 3, {0.5F, 0});  // stride 8, column 3, row 2: (24, 16)
  set_sides(output, 2 * 8 + 3, 2, {1, 1, 2, 3});
  const auto found = decoded(*detector, {output}, unchanged(64), {});
  ASSERT_THAT(found, SizeIs(1));
  expect_box(found[0], {16, 8, 24, 32});
  std::vector<float> input(std::size_t{3} * 64 * 64);
  Image scratch;
  Image image(128, 32);
  std::ranges::fill(image.pixels(), std::uint8_t{0});
  const InputTransform transform = detector->preprocess(image, std::array{InputView{input, {}}}, scratch, 0);
  EXPECT_EQ(transform.scale_x, 0.5);
  EXPECT_EQ(transform.scale_y, 2);
  EXPECT_FLOAT_EQ(input[0], -103.53F / 57.375F);
  EXPECT_FLOAT_EQ(input[std::size_t{2} * 64 * 64], -123.675F / 58.395F);
}

TEST(Nanodet, PreparesACentredLetterbox) {
  const auto detector = labeller_of(nanodet_graph(), kTwoNames);
  Image image(64, 38);
  std::ranges::fill(image.pixels(), std::uint8_t{200});
  std::vector<float> input(std::size_t{3} * 32 * 32);
  Image scratch;
  const InputTransform transform = detector->preprocess(image, std::array{InputView{input, {}}}, scratch, 0);
  // 38 / 2 = 19 rows; 13 are left over, 6 of them above.
  EXPECT_EQ(transform.offset_x, 0);
  EXPECT_EQ(transform.offset_y, 6);
  EXPECT_EQ(transform.scale_y, 0.5);
  const auto at = [&](std::size_t y) { return input[y * 32]; };
  EXPECT_FLOAT_EQ(at(5), -103.53F / 57.375F);  // padding is a black pixel
  EXPECT_FLOAT_EQ(at(6), (200 - 103.53F) / 57.375F);
  EXPECT_FLOAT_EQ(at(24), (200 - 103.53F) / 57.375F);
  EXPECT_FLOAT_EQ(at(25), -103.53F / 57.375F);
}

// Ultralytics at 32 x 32: 16 + 4 + 1 cells.
GraphInfo ultralytics_graph(std::vector<std::int64_t> shape, std::map<std::string, std::string> metadata) {
  return {{{"images", kF32, {1, 3, 32, 32}}}, {{"output0", kF32, std::move(shape)}}, std::move(metadata)};
}
const std::map<std::string, std::string> kDetect = {{"task", "detect"}, {"names", "{0: 'cat', 1: 'dog'}"}, {"stride", "32"}};

TEST(Ultralytics, DecodesColumnsFirst) {
  const auto detector = labeller_of(ultralytics_graph({1, 6, 21}, kDetect));
  EXPECT_EQ(detector->card().family, "ultralytics");
  EXPECT_THAT(detector->class_names(), ElementsAre("cat", "dog"));
  EXPECT_THAT(detector->notes(), IsEmpty());
  EXPECT_EQ(detector->default_options().nms_iou, 0.7);
  EXPECT_EQ(detector->default_options().max_detections, 300);
  Output output({6, 21});
  const auto set = [&](std::size_t anchor, std::initializer_list<float> column) {
    std::size_t row = 0;
    for (const float value : column) {
      output.at(row++, anchor) = value;
    }
  };
  set(4, {10, 12, 8, 4, 0.5F, 0.25F});
  set(20, {16, 16, 40, 40, 0, 0.75F});
  const auto found = decoded(*detector, {output}, unchanged(32), {});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].class_index, 1);
  expect_box(found[0], {0, 0, 32, 32});
  EXPECT_EQ(found[1].class_index, 0);
  EXPECT_EQ(found[1].score, 0.5);
  expect_box(found[1], {6, 10, 8, 4});
  EXPECT_EQ(found[2].score, 0.25);
  EXPECT_EQ(found[2].class_index, 1);
  output.at(5, 20) = 1.5F;
  EXPECT_THAT(fault_of(*detector, {output}, 32), HasSubstr("scores from 0 to 1.5"));
}

TEST(Ultralytics, DecodesYolov5WithObjectness) {
  const auto detector = labeller_of(ultralytics_graph({1, 63, 7}, {{"names", "['cat', 'dog']"}, {"stride", "32"}}));
  Output output({63, 7});
  output.set_row(50, {10, 12, 8, 4, 0.5F, 0.5F, 0});
  const auto found = decoded(*detector, {output}, unchanged(32), {});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].score, 0.25);
  expect_box(found[0], {6, 10, 8, 4});
  for (std::size_t column = 4; column < 7; ++column) {
    Output other = output;
    other.at(62, column) = -1;
    EXPECT_THAT(fault_of(*detector, {other}, 32), HasSubstr("scores from -1 to 0")) << column;
  }
}

TEST(Ultralytics, OneClassOfYolov5IsNotTakenForFinalBoxes) {
  const auto detector = labeller_of(ultralytics_graph({1, 63, 6}, {{"names", "['cat']"}, {"stride", "32"}}));
  EXPECT_THAT(detector->card().layout, HasSubstr("5 + classes"));
}

TEST(Ultralytics, TakesFinalBoxesAsTheyAre) {
  auto metadata = kDetect;
  metadata["end2end"] = "True";
  const auto detector = labeller_of(ultralytics_graph({1, 5, 6}, metadata));
  Output output({5, 6});
  output.set_row(0, {4, 4, 12, 12, 0.25F, 0});
  output.set_row(1, {4, 4, 12, 12, 0.5F, 0});  // nothing is suppressed
  output.set_row(2, {0, 0, 8, 8, 0.75F, 1});
  auto found = decoded(*detector, {output}, unchanged(32), {.floor = 0.1});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].class_index, 1);
  expect_box(found[1], {4, 4, 8, 8});
  EXPECT_EQ(found[2].score, 0.25);
  EXPECT_THAT(decoded(*detector, {output}, unchanged(32), {.floor = 0}), SizeIs(3)) << "rows of zeros are padding";
  EXPECT_THAT(decoded(*detector, {output}, unchanged(32), {.max_detections = 2}), SizeIs(2));
  output.at(3, 4) = 0.5F;
  output.at(3, 5) = 2;
  EXPECT_THAT(fault_of(*detector, {output}, 32), HasSubstr("class 2, but its classes are the whole numbers from 0 to 1"));
  output.at(3, 5) = 0.5F;
  EXPECT_THAT(fault_of(*detector, {output}, 32), HasSubstr("class 0.5"));
  output.at(3, 4) = 5;
  EXPECT_THAT(fault_of(*detector, {output}, 32), HasSubstr("scores from 5 to 5"));
}

// What simplifiers leave of a graph's shapes, as ONNX Runtime gives them.
TEST(Ultralytics, FinalBoxesMayStateNoShape) {
  auto metadata = kDetect;
  metadata["args"] = "{'nms': True, 'dynamic': True}";
  const auto detector = labeller_of(ultralytics_graph({-1, -1, -1}, metadata));
  EXPECT_THAT(detector->card().layout, HasSubstr("nothing left to suppress"));
}

TEST(Ultralytics, CellsOfTwoStridesAreThoseOfYolov3Tiny) {
  EXPECT_THAT(labeller_of(ultralytics_graph({1, 6, 5}, kDetect))->card().layout, HasSubstr("anchors"));
}

TEST(Ultralytics, RtdetrHasPartsOfTheStretchedImage) {
  auto metadata = kDetect;
  metadata["head"] = "RTDETRDecoder";
  const auto detector = labeller_of(ultralytics_graph({1, 4, 6}, metadata));
  EXPECT_THAT(detector->card().layout, HasSubstr("parts of the image"));
  EXPECT_THAT(detector->card().preprocessing, HasSubstr("stretch"));
  Output output({4, 6});
  output.set_row(0, {0.5F, 0.5F, 0.25F, 0.5F, 0.75F, 1});
  output.set_row(1, {0.5F, 0.5F, 0.25F, 0.5F, 0.5F, 1});  // nothing is suppressed
  output.set_row(2, {0.25F, 0.25F, 0.25F, 0.25F, 0.05F, 0});
  auto found = decoded(*detector, {output}, unchanged(32), {.floor = 0.1});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_EQ(found[0].score, 0.75);
  expect_box(found[0], {12, 8, 8, 16});
}

// Two classes make six numbers as well: what the graph says of itself decides.
TEST(Ultralytics, RtdetrBeforeItsHeadWasNamedHasAScoreAClass) {
  auto metadata = kDetect;
  metadata["description"] = "Ultralytics rt-detr-l model trained on coco.yaml";
  const auto detector = labeller_of(ultralytics_graph({1, 4, 6}, metadata));
  Output output({4, 6});
  output.set_row(0, {0.5F, 0.5F, 0.25F, 0.5F, 0.25F, 0.75F});
  output.set_row(1, {0.5F, 0.5F, 0.25F, 0.5F, 0.5F, 0.25F});
  const auto found = decoded(*detector, {output}, unchanged(32), {.floor = 0.1});
  ASSERT_THAT(found, SizeIs(2)) << "the best class of each query alone";
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_EQ(found[1].class_index, 0);
  expect_box(found[1], {12, 8, 8, 16});
}

TEST(Ultralytics, WholeNumbersAreNotMadeOfFractions) {
  GraphInfo graph = ultralytics_graph({1, 6, 21}, kDetect);
  graph.inputs[0].type = ElementType::u8;
  EXPECT_THAT(error_of([&] { labeller_of(graph); }).what(), HasSubstr("takes whole numbers"));
  EXPECT_NO_THROW(labeller_of(graph, R"({"std": [1, 1, 1]})"));
}

TEST(Ultralytics, ReadsTheSizeOfADynamicGraphFromItsMetadata) {
  auto metadata = kDetect;
  metadata["imgsz"] = "[64, 96]";
  const GraphInfo graph{{{"images", kF32, {-1, 3, -1, -1}}}, {{"output0", kF32, {-1, 6, -1}}}, metadata};
  const auto detector = labeller_of(graph);
  EXPECT_EQ(detector->input_height(), 64);
  EXPECT_EQ(detector->input_width(), 96);
  EXPECT_EQ(detector->graph().fixed_batch, 0);
  EXPECT_EQ(input_shapes_of(detector->graph(), 4), (std::vector<std::vector<std::int64_t>>{{4, 3, 64, 96}}));
}

TEST(Ultralytics, MixesMasksFromPrototypes) {
  GraphInfo graph = ultralytics_graph({1, 4 + 2 + 2, 21}, {{"task", "segment"}, {"names", "{0: 'cat', 1: 'dog'}"}});
  graph.outputs.push_back({"output1", kF32, {1, 2, 8, 8}});
  const auto detector = labeller_of(graph);
  EXPECT_THAT(detector->card().layout, HasSubstr("masks"));
  Output output({8, 21});
  Output prototypes({2, 8, 8});
  for (std::size_t y = 0; y < 8; ++y) {
    for (std::size_t x = 0; x < 8; ++x) {
      prototypes.values[y * 8 + x] = 1;                          // everywhere
      prototypes.values[64 + y * 8 + x] = x < 4 ? 1.0F : -1.0F;  // the left half
    }
  }
  const auto set = [&](std::size_t anchor, std::initializer_list<float> column) {
    std::size_t row = 0;
    for (const float value : column) {
      output.at(row++, anchor) = value;
    }
  };
  set(0, {12, 8, 16, 8, 0.75F, 0, 1, 0});    // 4 to 20 across, 4 to 12 down: all of its box
  set(1, {16, 20, 16, 8, 0.5F, 0, 0, 1});    // 8 to 24 across, 16 to 24 down: its left half
  set(2, {16, 28, 16, 8, 0.25F, 0, -1, 0});  // nothing: no candidate
  const auto found = decoded(*detector, {output, prototypes}, unchanged(32), {});
  ASSERT_THAT(found, SizeIs(2));
  ASSERT_TRUE(found[0].mask && found[1].mask);
  EXPECT_TRUE(found[0].mask->is_compressed);
  const Rle& whole = std::get<Rle>(found[0].mask->shape);
  EXPECT_EQ(whole.width, 32u);
  EXPECT_EQ(whole.height, 32u);
  EXPECT_EQ(tight_box(whole), (Box{4, 4, 16, 8}));
  EXPECT_EQ(area(whole), 128u);
  const Rle& half = std::get<Rle>(found[1].mask->shape);
  EXPECT_EQ(tight_box(half), (Box{8, 16, 8, 8}));
  EXPECT_EQ(area(half), 64u);
}

// YOLO-World is asked for a blank beside its classes, so that all else goes there. Its name stays in the metadata or is taken away;
// its channel stays.
TEST(Ultralytics, TheBackgroundOfYoloWorldIsNoClass) {
  const std::map<std::string, std::string> named = {{"task", "detect"}, {"names", "{0: 'cat', 1: 'dog', 2: ' '}"}};
  const std::map<std::string, std::string> unnamed = {
      {"task", "detect"}, {"names", "{0: 'cat', 1: 'dog'}"}, {"description", "Ultralytics YOLOv8s-worldv2 model"}};
  for (const auto& metadata : {named, unnamed}) {
    const auto detector = labeller_of(ultralytics_graph({1, 7, 21}, metadata));
    EXPECT_THAT(detector->class_names(), ElementsAre("cat", "dog"));
    Output output({7, 21});
    const auto set = [&](std::size_t row, float value) { output.at(row, 4) = value; };
    set(0, 10);
    set(1, 12);
    set(2, 8);
    set(3, 4);
    set(5, 0.5F);
    set(6, 0.9F);
    const auto found = decoded(*detector, {output}, unchanged(32), {});
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_EQ(found[0].class_index, 1);
    EXPECT_EQ(found[0].score, 0.5);
  }
  auto final_boxes = named;
  final_boxes["end2end"] = "True";
  const auto detector = labeller_of(ultralytics_graph({1, 5, 6}, final_boxes));
  Output output({5, 6});
  output.set_row(0, {4, 4, 12, 12, 0.9F, 2});
  output.set_row(1, {4, 4, 12, 12, 0.5F, 1});
  EXPECT_THAT(decoded(*detector, {output}, unchanged(32), {}), SizeIs(1));
  EXPECT_THAT(error_of([&] { labeller_of(ultralytics_graph({1, 7, 21}, kDetect)); }).message(), HasSubstr("2 names"))
      << "of another model a class that nothing names is none";
}

// Exports of YOLOE look as those of YOLOv8 and YOLO11 that segment; without prompts the anchors are chosen in the graph, so that
// their number is open.
TEST(Ultralytics, YoloeSegmentsWithAnyNumberOfAnchors) {
  GraphInfo graph = ultralytics_graph(
      {1, 4 + 3 + 2, -1},
      {{"task", "segment"}, {"names", "{0: 'cat', 1: 'dog', 2: 'cow'}"}, {"description", "Ultralytics YOLOE-11s-seg-pf model"}});
  graph.outputs.push_back({"output1", kF32, {1, 2, 8, 8}});
  const auto detector = labeller_of(graph);
  EXPECT_THAT(detector->class_names(), ElementsAre("cat", "dog", "cow"));
  Output output({9, 5});
  Output prototypes({2, 8, 8});
  std::ranges::fill(prototypes.values, 1.0F);
  std::size_t row = 0;
  for (const float value : {16.0F, 16.0F, 8.0F, 8.0F, 0.0F, 0.0F, 0.75F, 1.0F, 0.0F}) {
    output.at(row++, 3) = value;
  }
  const auto found = decoded(*detector, {output, prototypes}, unchanged(32), {});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].class_index, 2);
  EXPECT_EQ(found[0].kind, LabelKind::mask);
}

TEST(Ultralytics, PreparesRgbFromZeroToOneAndRoundsHalfToEven) {
  const auto detector = labeller_of(ultralytics_graph({1, 6, 21}, kDetect));
  Image image(64, 37);  // 18.5 rows: 18
  for (std::size_t i = 0; i < image.pixels().size(); ++i) {
    image.pixels()[i] = static_cast<std::uint8_t>(51 * (i % 3 + 1));
  }
  std::vector<float> input(std::size_t{3} * 32 * 32);
  Image scratch;
  const InputTransform transform = detector->preprocess(image, std::array{InputView{input, {}}}, scratch, 0);
  EXPECT_EQ(transform.offset_y, 7);
  EXPECT_DOUBLE_EQ(transform.scale_y, 18.0 / 37);
  EXPECT_FLOAT_EQ(input[std::size_t{6} * 32], 114 / 255.0F);
  EXPECT_FLOAT_EQ(input[std::size_t{7} * 32], 0.6F);  // red
  EXPECT_FLOAT_EQ(input[std::size_t{2} * 32 * 32 + std::size_t{24} * 32], 0.2F);
  EXPECT_FLOAT_EQ(input[std::size_t{2} * 32 * 32 + std::size_t{25} * 32], 114 / 255.0F);
}

TEST(Ultralytics, WithoutMetadataShapesAndTheManifestDecide) {
  const GraphInfo columns = ultralytics_graph({1, 6, 21}, {});
  EXPECT_THAT(error_of([&] { labeller_of(columns); }).message(), HasSubstr("class_names"));
  EXPECT_THAT(labeller_of(columns, kTwoNames)->class_names(), ElementsAre("cat", "dog"));
  const Error error = error_of([&] { labeller_of(columns, R"({"class_names": ["cat", "dog", "cow"]})"); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.message(), AllOf(HasSubstr("2 classes"), HasSubstr("3 names")));
}

TEST(Ultralytics, OtherTasksAreRefused) {
  for (const auto& [task, message] :
       std::map<std::string, std::string>{{"pose", "'pose'; detect, segment and classify can be used"},
                                          {"obb", "'obb'; detect, segment and classify can be used"},
                                          {"classify", "[B, classes] is expected; it gives output0"}}) {
    auto metadata = kDetect;
    metadata["task"] = task;
    EXPECT_THAT(error_of([&] { labeller_of(ultralytics_graph({1, 6, 21}, metadata)); }).message(), HasSubstr(message));
  }
}

TEST(Labeller, OutputsOfAnotherShapeAreNotRead) {
  const auto detector = labeller_of(yolox_graph(), kTwoNames);
  for (const auto& outputs : {std::vector<Output>{}, std::vector<Output>{Output({83, 7})}, std::vector<Output>{Output({84, 8})},
                              std::vector<Output>{Output({588})}}) {
    const Error error = error_of([&] { decoded(*detector, outputs, unchanged(64), {}); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.message(), HasSubstr("[84, 7]"));
  }
  Output cut_off({84, 7});
  cut_off.values.pop_back();
  EXPECT_EQ(error_of([&] { decoded(*detector, {cut_off}, unchanged(64), {}); }).code(), ErrorCode::bad_model);
}

TEST(Labeller, EightyClassesWithoutNamesAreCocos) {
  const auto detector = labeller_of(yolox_graph(80));
  ASSERT_THAT(detector->class_names(), SizeIs(80));
  EXPECT_EQ(detector->class_names().front(), "person");
  EXPECT_EQ(detector->class_names()[62], "tv");
  EXPECT_EQ(detector->class_names().back(), "toothbrush");
  ASSERT_THAT(detector->notes(), SizeIs(1));
  EXPECT_THAT(detector->notes()[0], HasSubstr("COCO"));
  const Error error = error_of([] { labeller_of(yolox_graph(79)); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(),
              AllOf(HasSubstr("79 classes"), HasSubstr("class_names"), HasSubstr("verilabel.json"), HasSubstr("model.onnx")));
}

TEST(Labeller, TheManifestOverridesTheFamily) {
  const auto detector = labeller_of(yolox_graph(), R"({"class_names": ["cat", "dog"], "channel_order": "rgb", "mean": [10, 20, 30],
      "std": [2, 4, 5], "fit": "letterbox_centre", "padding": 0, "nms_iou": 0.3, "max_detections": 9})");
  EXPECT_EQ(detector->default_options().nms_iou, 0.3);
  EXPECT_EQ(detector->default_options().max_detections, 9);
  EXPECT_THAT(detector->card().class_source, HasSubstr("manifest"));
  EXPECT_THAT(detector->card().preprocessing, AllOf(HasSubstr("64 x 64"), HasSubstr("centred"), HasSubstr("RGB")));
  EXPECT_EQ(detector->card().weights_sha256, "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c")
      << "of \"weights\"";
  Image image(64, 32);
  std::ranges::fill(image.pixels(), std::uint8_t{50});
  std::vector<float> input(std::size_t{3} * 64 * 64);
  Image scratch;
  EXPECT_EQ(detector->preprocess(image, std::array{InputView{input, {}}}, scratch, 0).offset_y, 16);
  EXPECT_EQ(input[0], -5);                                               // (0 - 10) / 2
  EXPECT_EQ(input[std::size_t{16} * 64], 20);                            // (50 - 10) / 2
  EXPECT_EQ(input[std::size_t{2} * 64 * 64 + std::size_t{16} * 64], 4);  // (50 - 30) / 5
}

TEST(Labeller, ADynamicGraphTakesItsSizeFromTheManifest) {
  const GraphInfo dynamic{{{"images", kF32, {-1, 3, -1, -1}}}, {{"output", kF32, {-1, -1, 7}}}, {}};
  const auto usual = labeller_of(dynamic, kTwoNames);
  EXPECT_EQ(usual->input_width(), 640);
  ASSERT_THAT(usual->notes(), SizeIs(1));
  EXPECT_THAT(usual->notes()[0], HasSubstr("input_size"));
  const auto stated = labeller_of(dynamic, R"({"class_names": ["cat", "dog"], "input_size": [32, 64]})");
  EXPECT_EQ(stated->input_height(), 32);
  EXPECT_EQ(stated->input_width(), 64);
  EXPECT_THAT(stated->notes(), IsEmpty());
  EXPECT_THAT(decoded(*stated, {Output({32 + 8 + 2, 7})}, unchanged(64), {}), IsEmpty());
  const Error error = error_of([] { labeller_of(yolox_graph(80), R"({"input_size": [64, 96]})"); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("[64, 96]"), HasSubstr("images f32 [1, 3, 64, 64]")));
}

TEST(Labeller, AGraphThatFitsNoFamilyIsRefusedWithItsRealInputsAndOutputs) {
  const std::vector<GraphInfo> strange = {
      {{{"input", kF32, {-1, 3, 224, 224}}}, {{"logits", kF32, {-1, 1000}}}, {}},
      {{{"images", kF32, {1, 3, 64, 64}}}, {{"output", kF32, {1, 85, 7}}}, {}},
      {{{"images", kF32, {1, 1, 64, 64}}}, {{"output", kF32, {1, 84, 7}}}, {}},
      {{{"images", kF32, {1, 3, 64, 64}}, {"size", kF32, {2}}}, {{"output", kF32, {1, 84, 7}}}, {}},
      {{{"images", kF32, {}}}, {{"output", kF32, {}}}, {}},
      {{}, {{"output0", kF32, {1, 84, 7}}}, {}},
  };
  for (const GraphInfo& graph : strange) {
    const Error error = error_of([&] { labeller_of(graph); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.what(), HasSubstr(text_of(graph.outputs[0])));
    for (const ModelFamily& family : model_families()) {
      EXPECT_THAT(error.what(), HasSubstr(std::string(family.name)));
    }
  }
  const Error forced = error_of([] { labeller_of(yolox_graph(), R"({"family": "ultralytics"})"); });
  EXPECT_EQ(forced.code(), ErrorCode::bad_model);
  EXPECT_THAT(forced.what(), AllOf(HasSubstr("ultralytics"), HasSubstr("output f32 [1, 84, 7]")));
}

TEST(Labeller, AFaultyManifestIsBadData) {
  const Error error = error_of([] { labeller_of(yolox_graph(80), R"({"clas_names": []})"); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.what(), HasSubstr("clas_names"));
}

// What the same graphs gave in Python, with the same steps written in NumPy and OpenCV.
class RealModels : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* data = std::getenv("VERILABEL_TEST_DATA");
    if (data == nullptr) {
      GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real models to try";
    }
    data_ = data;
    if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
    engine_ = open_engine(GetParam());
  }

  std::vector<Candidate> detected(const std::string& model, const std::string& image_name, CandidateOptions options) {
    const auto path = data_ / "models" / model;
    const auto detector = load_labeller(*engine_, path);
    const auto compiled = engine_->compile(path, {.input_shapes = input_shapes_of(detector->graph(), 1)});
    const auto request = compiled->create_request();
    Image image;
    Image scratch;
    decode(data_ / "coco128-val/images" / image_name, image);
    const InputTransform transform = detector->preprocess(image, std::array{InputView{request->input(0), {}}}, scratch, 0);
    std::promise<std::exception_ptr> done;
    request->start([&](const std::exception_ptr& failure) { done.set_value(failure); });
    if (const std::exception_ptr failure = done.get_future().get()) {
      std::rethrow_exception(failure);
    }
    std::vector<std::vector<std::int64_t>> shapes;
    for (std::size_t i = 0; i < compiled->output_count(); ++i) {
      shapes.push_back(request->output_shape(i));
      shapes.back().erase(shapes.back().begin());
    }
    std::vector<OutputView> outputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      outputs.push_back({request->output(i), shapes[i]});
    }
    return detector->decode(outputs, transform, options);
  }

  std::filesystem::path data_;
  std::unique_ptr<Engine> engine_;
};

struct Expected {
  std::int32_t class_index;
  Box box;
  double score;
};

void expect_best(const std::vector<Candidate>& found, std::size_t count, const std::vector<Expected>& best) {
  ASSERT_EQ(found.size(), count);
  for (std::size_t i = 0; i < best.size(); ++i) {
    EXPECT_EQ(found[i].class_index, best[i].class_index) << i;
    EXPECT_NEAR(found[i].score, best[i].score, 1e-3) << i;
    expect_box(found[i], best[i].box, 0.5);
  }
}

TEST_P(RealModels, YoloxNano) {
  const CandidateOptions options{.floor = 0.001, .nms_iou = 0.65, .max_detections = 100};
  expect_best(detected("yolox_nano.onnx", "000000000139.jpg", options), 100,
              {{62, {5.86, 165.78, 149.91, 98.83}, 0.8996},
               {0, {427.10, 163.95, 41.02, 130.96}, 0.6876},
               {74, {447.93, 119.75, 13.67, 22.42}, 0.6458},
               {56, {293.76, 222.23, 59.62, 100.89}, 0.6174}});
  expect_best(detected("yolox_nano.onnx", "000000000285.jpg", options), 5,
              {{21, {0.00, 63.95, 573.62, 573.05}, 0.9392}, {18, {30.40, 64.27, 508.64, 575.73}, 0.0031}});
}

TEST_P(RealModels, NanodetM) {
  const CandidateOptions options{.floor = 0.05, .nms_iou = 0.6, .max_detections = 100};
  expect_best(detected("nanodet_m_320.onnx", "000000000285.jpg", options), 30,
              {{21, {2.40, 62.49, 576.11, 577.51}, 0.7103},
               {16, {3.52, 62.81, 574.28, 577.19}, 0.3806},
               {21, {0.00, 72.82, 320.91, 562.82}, 0.1835},
               {6, {3.52, 62.81, 574.28, 577.19}, 0.1565}});
}

TEST_P(RealModels, AClassifierWithoutAManifestIsRefused) {
  const auto path = data_ / "models/mobilenet_v2_int8.onnx";
  const Error error = error_of([&] { load_labeller(*engine_, path); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("input f32 [?, 3, 224, 224]"), HasSubstr("output f32 [?, 1000]"),
                                  HasSubstr("mobilenet_v2_int8.onnx"), HasSubstr("nanodet")));
}

INSTANTIATE_TEST_SUITE_P(Each, RealModels, ::testing::ValuesIn(kTestedEngines), engine_of);

}  // namespace
}  // namespace verilabel
