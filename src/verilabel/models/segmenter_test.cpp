#include "verilabel/models/segmenter.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Shape = std::vector<std::int64_t>;

TensorInfo f32(std::string name, Shape shape) {
  return {std::move(name), ElementType::f32, std::move(shape)};
}
TensorInfo i64(std::string name, Shape shape) {
  return {std::move(name), ElementType::i64, std::move(shape)};
}

struct Graphs {
  GraphInfo encoder;
  GraphInfo decoder;
};

/// As the exporters of each family declare them, a sixteenth of SAM's size.
Graphs sam_transformers() {
  return {{{f32("pixel_values", {-1, 3, 64, 64})},
           {f32("image_embeddings", {-1, 16, 4, 4}), f32("image_positional_embeddings", {-1, 16, 4, 4})},
           {}},
          {{f32("image_positional_embeddings", {-1, 16, 4, 4}), f32("image_embeddings", {-1, 16, 4, 4}),
            f32("input_points", {-1, -1, -1, 2}), i64("input_labels", {-1, -1, -1}), f32("input_boxes", {-1, -1, 4})},
           {f32("iou_scores", {-1, -1, 3}), f32("pred_masks", {-1, -1, 3, 16, 16})},
           {}}};
}
Graphs sam2_transformers() {
  return {{{f32("pixel_values", {-1, 3, -1, -1})},
           {f32("image_embeddings.0", {-1, 4, 16, 16}), f32("image_embeddings.1", {-1, 8, 8, 8}),
            f32("image_embeddings.2", {-1, 16, 4, 4})},
           {}},
          {{f32("input_points", {-1, -1, -1, 2}), i64("input_labels", {-1, -1, -1}), f32("input_boxes", {-1, -1, 4}),
            f32("image_embeddings.0", {-1, 4, 16, 16}), f32("image_embeddings.1", {-1, 8, 8, 8}),
            f32("image_embeddings.2", {-1, 16, 4, 4})},
           {f32("iou_scores", {-1, -1, 3}), f32("pred_masks", {-1, -1, 3, 16, 16}), f32("object_score_logits", {-1, -1, 1})},
           {}}};
}
Graphs sam() {
  return {{{f32("input_image", {1, 3, 64, 64})}, {f32("image_embeddings", {1, 16, 4, 4})}, {}},
          {{f32("image_embeddings", {1, 16, 4, 4}), f32("point_coords", {1, -1, 2}), f32("point_labels", {1, -1}),
            f32("mask_input", {1, 1, 16, 16}), f32("has_mask_input", {1}), f32("orig_im_size", {2})},
           {f32("masks", {-1, -1, -1, -1}), f32("iou_predictions", {-1, 4}), f32("low_res_masks", {-1, 4, -1, -1})},
           {}}};
}
Graphs sam2() {
  return {{{f32("image", {1, 3, 64, 64})},
           {f32("high_res_feats_0", {1, 4, 16, 16}), f32("high_res_feats_1", {1, 8, 8, 8}), f32("image_embed", {1, 16, 4, 4})},
           {}},
          {{f32("image_embed", {1, 16, 4, 4}), f32("high_res_feats_0", {1, 4, 16, 16}), f32("high_res_feats_1", {1, 8, 8, 8}),
            f32("point_coords", {-1, -1, 2}), f32("point_labels", {-1, -1}), f32("mask_input", {-1, 1, 16, 16}),
            f32("has_mask_input", {-1})},
           {f32("masks", {-1, 3, 16, 16}), f32("iou_predictions", {-1, 3})},
           {}}};
}

constexpr const char* kPadding =
    R"({"image_processor_type": "SamImageProcessor", "size": {"longest_edge": 64}, "pad_size": {"height": 64, "width": 64}})";
constexpr const char* kStretching = R"({"image_processor_type": "Sam2ImageProcessorFast", "size": {"height": 64, "width": 64}})";

/// What stands in a folder beside the graphs.
class SegmenterFolder {
 public:
  SegmenterFolder() {
    folder_.write("vision_encoder.onnx", "encoder");
    folder_.write("prompt_encoder_mask_decoder.onnx", "decoder");
  }
  void write(const std::string& name, const std::string& content) const { folder_.write(name, content); }
  std::unique_ptr<Segmenter> load(Graphs graphs) const {
    TwoGraphEngine engine(std::move(graphs.encoder), std::move(graphs.decoder));
    return load_segmenter(engine, model());
  }
  std::filesystem::path model() const { return folder_.model().parent_path() / "vision_encoder.onnx"; }

 private:
  ModelFolder folder_;
};

std::unique_ptr<Segmenter> segmenter_of(Graphs graphs, const std::string& processor = "") {
  const SegmenterFolder folder;
  if (!processor.empty()) {
    folder.write("preprocessor_config.json", processor);
  }
  return folder.load(std::move(graphs));
}

std::string context_of(const Error& error) {
  std::string text;
  for (const auto& [key, value] : error.context()) {
    text += key + ": " + value + "\n";
  }
  return text;
}

std::vector<Shape> shapes_of(const GraphUse& graph) {
  return input_shapes_of(graph, 1);
}

TEST(Segmenter, FamiliesAreToldByTheNamesAndRanksOfBothGraphs) {
  const auto of_transformers = segmenter_of(sam_transformers(), kPadding);
  EXPECT_EQ(of_transformers->card().family, "sam_transformers");
  EXPECT_EQ(of_transformers->card().preprocessing,
            "longer side to 64 (Pillow's bilinear), RGB x 0.00392157, mean 0.485 0.456 0.406, std 0.229 0.224 0.225");
  EXPECT_EQ(of_transformers->encoder().fixed_batch, 0);
  EXPECT_THAT(shapes_of(of_transformers->encoder()), ElementsAre(Shape{1, 3, 64, 64}));
  EXPECT_THAT(of_transformers->encoder().outputs, ElementsAre(1, 0)) << "in the order in which the decoder takes them";
  EXPECT_THAT(shapes_of(of_transformers->decoder(PromptKind::box).graph),
              ElementsAre(Shape{1, 16, 4, 4}, Shape{1, 16, 4, 4}, Shape{1, 4, 0, 2}, Shape{1, 4, 0}, Shape{1, 4, 4}));
  EXPECT_THAT(of_transformers->decoder(PromptKind::box).graph.outputs, ElementsAre(0, 1));
  EXPECT_EQ(of_transformers->decoder(PromptKind::box).prompts_per_inference, 4U);

  const auto second = segmenter_of(sam2_transformers(), kStretching);
  EXPECT_EQ(second->card().family, "sam2_transformers");
  EXPECT_THAT(shapes_of(second->encoder()), ElementsAre(Shape{1, 3, 64, 64}))
      << "the size of the configuration where the graph is open";
  EXPECT_THAT(
      shapes_of(second->decoder(PromptKind::box).graph),
      ElementsAre(Shape{1, 4, 0, 2}, Shape{1, 4, 0}, Shape{1, 4, 4}, Shape{1, 4, 16, 16}, Shape{1, 8, 8, 8}, Shape{1, 16, 4, 4}));

  const auto of_meta = segmenter_of(sam());
  EXPECT_EQ(of_meta->card().family, "sam");
  EXPECT_EQ(of_meta->card().preprocessing,
            "longer side to 64 (Pillow's bilinear), RGB, mean 123.675 116.28 103.53, std 58.395 57.12 57.375");
  EXPECT_EQ(of_meta->encoder().fixed_batch, 1);
  EXPECT_EQ(of_meta->decoder(PromptKind::box).prompts_per_inference, 1U);
  EXPECT_THAT(shapes_of(of_meta->decoder(PromptKind::box).graph),
              ElementsAre(Shape{1, 16, 4, 4}, Shape{1, 2, 2}, Shape{1, 2}, Shape{1, 1, 16, 16}, Shape{1}, Shape{2}));
  EXPECT_THAT(of_meta->decoder(PromptKind::box).graph.outputs, ElementsAre(1, 2))
      << "masks of the image's own size are not asked for";

  const auto second_of_meta = segmenter_of(sam2());
  EXPECT_EQ(second_of_meta->card().family, "sam2");
  EXPECT_EQ(second_of_meta->card().preprocessing,
            "stretched to 64 x 64 (Pillow's bilinear), RGB / 255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225");
  EXPECT_THAT(shapes_of(second_of_meta->decoder(PromptKind::box).graph),
              ElementsAre(Shape{1, 16, 4, 4}, Shape{1, 4, 16, 16}, Shape{1, 8, 8, 8}, Shape{4, 2, 2}, Shape{4, 2},
                          Shape{4, 1, 16, 16}, Shape{1}));
}

TEST(Segmenter, AnEncoderThatPreparesImagesItselfGetsRowsOfPixels) {
  Graphs graphs = sam();
  graphs.encoder = {{f32("input_image", {-1, -1, 3})}, {f32("image_embeddings", {-1, -1, -1, -1})}, {}};
  const auto segmenter = segmenter_of(graphs);
  ASSERT_THAT(shapes_of(segmenter->encoder()), ElementsAre(Shape{64, 64, 3})) << "four times the side of the decoder's masks";
  Image image(2, 1);
  std::ranges::copy(std::vector<std::uint8_t>{1, 2, 3, 1, 2, 3}, image.pixels().begin());  // blue, green, red
  std::vector<float> rows(64 * 64 * 3);
  Image scratch;
  const InputTransform transform = segmenter->preprocess(image, std::vector<InputView>{{rows, {}}}, scratch);
  EXPECT_EQ(transform.scale_x, 32);
  EXPECT_EQ(transform.scale_y, 32);
  for (const std::size_t pixel : {0U, 63U, 31U * 64 + 63}) {
    EXPECT_THAT(std::vector(rows.begin() + static_cast<std::ptrdiff_t>(3 * pixel),
                            rows.begin() + static_cast<std::ptrdiff_t>(3 * pixel + 3)),
                ElementsAre(3, 2, 1));
  }
  EXPECT_THAT(std::vector(rows.begin() + 32 * 64 * 3, rows.begin() + 32 * 64 * 3 + 3), ElementsAre(123.675F, 116.28F, 103.53F))
      << "what the graph makes 0 of";
}

/// Memory for the inputs of a decoder.
struct Inputs {
  explicit Inputs(const GraphUse& graph) {
    for (const InputPart& part : graph.inputs) {
      f32s.emplace_back(part.is_i64 ? 0 : part.size());
      i64s.emplace_back(part.is_i64 ? part.size() : 0);
    }
    for (std::size_t i = 0; i < f32s.size(); ++i) {
      views.push_back({f32s[i], i64s[i]});
    }
  }
  std::vector<std::vector<float>> f32s;
  std::vector<std::vector<std::int64_t>> i64s;
  std::vector<InputView> views;
};

TEST(Segmenter, BoxesAreGivenInPixelsOfTheInput) {
  const InputTransform transform{.scale_x = 0.5, .scale_y = 2, .image_width = 128, .image_height = 32};
  const std::vector<Box> boxes = {{10, 4, 20, 8}, {1, 2, 3, 4}};
  {
    const auto segmenter = segmenter_of(sam2_transformers(), kStretching);
    const EncodedImage image{transform, {std::vector<float>(1024, 1), std::vector<float>(512, 2), std::vector<float>(256, 3)}};
    Inputs inputs(segmenter->decoder(PromptKind::box).graph);
    segmenter->write_boxes(image, boxes, inputs.views);
    EXPECT_THAT(inputs.f32s[2], ElementsAre(5, 8, 15, 24, 0.5, 4, 2, 12, 0.5, 4, 2, 12, 0.5, 4, 2, 12))
        << "the last again at the end";
    EXPECT_EQ(inputs.f32s[3], image.outputs[0]);
    EXPECT_EQ(inputs.f32s[5], image.outputs[2]);
    EXPECT_THAT(inputs.f32s[0], IsEmpty());
    const EncodedImage other{transform, {std::vector<float>(1024), std::vector<float>(512), std::vector<float>(255)}};
    EXPECT_EQ(error_of([&] { segmenter->write_boxes(other, boxes, inputs.views); }).code(), ErrorCode::bad_model);
  }
  {
    const auto segmenter = segmenter_of(sam());
    const EncodedImage image{transform, {std::vector<float>(256, 1)}};
    Inputs inputs(segmenter->decoder(PromptKind::box).graph);
    segmenter->write_boxes(image, std::span(boxes).first(1), inputs.views);
    EXPECT_THAT(inputs.f32s[1], ElementsAre(5, 8, 15, 24));
    EXPECT_THAT(inputs.f32s[2], ElementsAre(2, 3));
    EXPECT_THAT(inputs.f32s[5], ElementsAre(64, 64)) << "one size for all images, should the engine make such masks";
  }
  {
    Graphs graphs = sam();
    graphs.decoder.inputs[2] = i64("point_labels", {1, -1});
    const auto segmenter = segmenter_of(graphs);
    Inputs inputs(segmenter->decoder(PromptKind::box).graph);
    segmenter->write_boxes({transform, {std::vector<float>(256, 1)}}, std::span(boxes).first(1), inputs.views);
    EXPECT_THAT(inputs.i64s[2], ElementsAre(2, 3));
  }
}

/// Logits of masks that are each one number, and their scores.
std::vector<std::optional<Mask>> decoded(const Segmenter& segmenter, Shape before, const std::vector<float>& scores,
                                         const std::vector<float>& logits_of_masks, std::size_t boxes) {
  const auto places = static_cast<std::int64_t>(segmenter.decoder(PromptKind::box).prompts_per_inference);
  const auto masks = static_cast<std::int64_t>(scores.size()) / places;
  std::vector<float> logits;
  for (const float logit : logits_of_masks) {
    logits.insert(logits.end(), 16 * 16, logit);
  }
  Shape shape_of_scores = before;
  shape_of_scores.insert(shape_of_scores.end(), {places, masks});
  Shape shape_of_logits = std::move(before);
  shape_of_logits.insert(shape_of_logits.end(), {places, masks, 16, 16});
  const EncodedImage image{{.scale_x = 32, .scale_y = 32, .image_width = 2, .image_height = 1}, {}};
  return segmenter.masks_of_boxes(std::vector<OutputView>{{scores, shape_of_scores}, {logits, shape_of_logits}}, image, boxes);
}

TEST(Segmenter, TheMaskWithTheBestScoreIsTaken) {
  const Mask whole{Rle{1, 2, {0, 2}}, true};
  {
    const auto segmenter = segmenter_of(sam());
    // Of Meta's four, the first is meant for several points.
    EXPECT_THAT(decoded(*segmenter, {}, {9, 1, 3, 2}, {1, -1, 1, -1}, 1), ElementsAre(whole));
    EXPECT_THAT(decoded(*segmenter, {}, {9, 3, 1, 2}, {1, -1, 1, -1}, 1), ElementsAre(std::nullopt)) << "an empty mask is none";
    EXPECT_THAT(decoded(*segmenter, {}, {1}, {1}, 1), ElementsAre(whole)) << "the graph has chosen";
  }
  {
    const auto segmenter = segmenter_of(sam_transformers(), kPadding);
    const std::vector<float> scores = {3, 1, 2, 1, 2, 2, 0, 0, 0, 0, 0, 0};
    const std::vector<float> logits = {1, -1, -1, 1, -1, 1, 0, 0, 0, 0, 0, 0};
    EXPECT_THAT(decoded(*segmenter, {1}, scores, logits, 2), ElementsAre(whole, std::nullopt)) << "of equal ones the first";
  }
}

TEST(Segmenter, OutputsThatAreNoneAreRefused) {
  const auto segmenter = segmenter_of(sam());
  const EncodedImage image{{.scale_x = 1, .scale_y = 1, .image_width = 64, .image_height = 64}, {}};
  const auto code_of = [&](const Shape& of_scores, const Shape& of_logits, float value) {
    const auto size_of = [](const Shape& shape) {
      std::size_t size = 1;
      for (const std::int64_t side : shape) {
        size *= static_cast<std::size_t>(side);
      }
      return size;
    };
    const std::vector<float> scores(size_of(of_scores), value);
    const std::vector<float> logits(size_of(of_logits), value);
    return error_of([&] { segmenter->masks_of_boxes(std::vector<OutputView>{{scores, of_scores}, {logits, of_logits}}, image, 1); })
        .code();
  };
  EXPECT_EQ(code_of({1, 4}, {1, 4, 16, 16}, 1), ErrorCode::internal) << "nothing is wrong with these";
  EXPECT_EQ(code_of({2, 4}, {2, 4, 16, 16}, 1), ErrorCode::bad_model);
  EXPECT_EQ(code_of({1, 4}, {1, 3, 16, 16}, 1), ErrorCode::bad_model);
  EXPECT_EQ(code_of({1, 4}, {1, 4, 65, 16}, 1), ErrorCode::bad_model);
  EXPECT_EQ(code_of({1, 0}, {1, 0, 16, 16}, 1), ErrorCode::bad_model);
  EXPECT_EQ(code_of({1, 4}, {1, 4, 16, 16}, std::nanf("")), ErrorCode::bad_model);
}

TEST(Segmenter, WhatFitsNoFamilyIsRefusedWithWhatItIs) {
  const auto refusal = [](Graphs graphs, const std::string& processor = "") {
    const Error error = error_of([&] { segmenter_of(std::move(graphs), processor); });
    return std::string(info(error.code()).name) + ": " + error.message() + "\n" + context_of(error);
  };
  Graphs swapped = sam();
  std::swap(swapped.encoder, swapped.decoder);
  const std::string text = refusal(swapped);
  EXPECT_THAT(text, HasSubstr("bad_model: the two graphs fit none"));
  EXPECT_THAT(text, HasSubstr("decoder's inputs: input_image f32 [1, 3, 64, 64]"));
  EXPECT_THAT(text, HasSubstr("family sam2_transformers: "));
  EXPECT_THAT(text, HasSubstr("model: "));

  Graphs strange = sam();
  strange.decoder.inputs.push_back(f32("interm_embeddings", {4, 1, 4, 4, 16}));
  EXPECT_THAT(refusal(strange),
              HasSubstr("what the decoder's input interm_embeddings f32 [4, 1, 4, 4, 16] is to get is not known"));
  Graphs others = sam2();
  others.decoder.inputs[1].shape[2] = 32;
  EXPECT_THAT(refusal(others),
              HasSubstr("the graphs do not belong together: the encoder gives high_res_feats_0 f32 [1, 4, 16, 16]"));
  Graphs open = sam();
  open.encoder.outputs[0].shape[3] = -1;
  open.decoder.inputs[0].shape[3] = -1;
  EXPECT_THAT(refusal(open), HasSubstr("neither graph says how large image_embeddings"));
  Graphs oblong = sam();
  oblong.encoder.inputs[0].shape[3] = 128;
  EXPECT_THAT(refusal(oblong), HasSubstr("128 x 64 pixels; those of this family are square"));

  EXPECT_THAT(refusal(sam_transformers()), HasSubstr("preprocessor_config.json is missing"));
  EXPECT_THAT(refusal(sam_transformers(), kStretching),
              HasSubstr("bad_data: a segmenter of the family sam_transformers cannot take"));
  EXPECT_THAT(refusal(sam2_transformers(), kPadding),
              HasSubstr("bad_data: a segmenter of the family sam2_transformers cannot take"));
  EXPECT_THAT(refusal(sam_transformers(), R"({"image_processor_type": "SamImageProcessor"})"),
              HasSubstr("makes images of 1024 x 1024 pixels, but the graph takes pixel_values f32 [?, 3, 64, 64]"));
  EXPECT_THAT(refusal(sam_transformers(), R"({"image_processor_type": "SamImageProcessor", "pad_size": 64})"),
              HasSubstr("of up to 1024 pixels a side and pads them to 64 x 64"));
  EXPECT_THAT(refusal(sam_transformers(), R"({"image_processor_type": "SamImageProcessor", "do_pad": false})"),
              HasSubstr("key: do_pad"));
}

TEST(Segmenter, APointIsFollowedByOneThatIsNoneUnlessTheGraphAddsIt) {
  const InputTransform transform{.scale_x = 0.5, .scale_y = 2, .image_width = 128, .image_height = 32};
  const std::vector<Point> points = {{10, 4}, {20, 6}};
  {
    Graphs graphs = sam_transformers();
    graphs.decoder.inputs.pop_back();
    const auto segmenter = segmenter_of(graphs, kPadding);
    EXPECT_TRUE(segmenter->takes(PromptKind::point));
    EXPECT_EQ(segmenter->card().layout, "encoder and decoder, takes points");
    const DecoderUse& use = segmenter->decoder(PromptKind::point);
    EXPECT_THAT(shapes_of(use.graph), ElementsAre(Shape{1, 16, 4, 4}, Shape{1, 16, 4, 4}, Shape{1, 4, 1, 2}, Shape{1, 4, 1}));
    Inputs inputs(use.graph);
    const EncodedImage image{transform, {std::vector<float>(256, 1), std::vector<float>(256, 2)}};
    segmenter->write_points(image, points, inputs.views);
    EXPECT_THAT(inputs.f32s[2], ElementsAre(5, 8, 10, 12, 10, 12, 10, 12));
    EXPECT_THAT(inputs.i64s[3], ElementsAre(1, 1, 1, 1));
  }
  {
    const auto segmenter = segmenter_of(sam2_transformers(), kStretching);
    EXPECT_EQ(segmenter->card().layout, "encoder and decoder, takes boxes and points");
    const DecoderUse& use = segmenter->decoder(PromptKind::point);
    EXPECT_THAT(shapes_of(use.graph), ElementsAre(Shape{1, 4, 2, 2}, Shape{1, 4, 2}, Shape{1, 0, 4}, Shape{1, 4, 16, 16},
                                                  Shape{1, 8, 8, 8}, Shape{1, 16, 4, 4}));
    Inputs inputs(use.graph);
    std::ranges::fill(inputs.f32s[0], 7.F);
    const EncodedImage image{transform, {std::vector<float>(1024, 1), std::vector<float>(512, 2), std::vector<float>(256, 3)}};
    segmenter->write_points(image, points, inputs.views);
    EXPECT_THAT(inputs.f32s[0], ElementsAre(5, 8, 0, 0, 10, 12, 0, 0, 10, 12, 0, 0, 10, 12, 0, 0));
    EXPECT_THAT(inputs.i64s[1], ElementsAre(1, -1, 1, -1, 1, -1, 1, -1));
  }
  {
    const auto segmenter = segmenter_of(sam());
    EXPECT_EQ(segmenter->card().layout, "encoder and decoder, takes boxes and points");
    Inputs inputs(segmenter->decoder(PromptKind::point).graph);
    segmenter->write_points({transform, {std::vector<float>(256, 1)}}, std::span(points).last(1), inputs.views);
    EXPECT_THAT(inputs.f32s[1], ElementsAre(10, 12, 0, 0));
    EXPECT_THAT(inputs.f32s[2], ElementsAre(1, -1));
  }
  {
    const auto segmenter = segmenter_of(sam2());
    const DecoderUse& use = segmenter->decoder(PromptKind::point);
    EXPECT_THAT(shapes_of(use.graph), ElementsAre(Shape{1, 16, 4, 4}, Shape{1, 4, 16, 16}, Shape{1, 8, 8, 8}, Shape{4, 1, 2},
                                                  Shape{4, 1}, Shape{4, 1, 16, 16}, Shape{1}));
  }
}

TEST(Segmenter, PromptsThatAnExportDoesNotTakeAreRefused) {
  const auto refusal = [](Graphs graphs, PromptKind kind, const std::string& processor = "") {
    const auto segmenter = segmenter_of(std::move(graphs), processor);
    EXPECT_FALSE(segmenter->takes(kind));
    const Error error = error_of([&] { segmenter->decoder(kind); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    return error.message() + "\n" + context_of(error);
  };
  Graphs points_only = sam_transformers();
  points_only.decoder.inputs.pop_back();
  const std::string text = refusal(points_only, PromptKind::box, kPadding);
  EXPECT_THAT(text, HasSubstr("the decoder takes points and no boxes: it has no input input_boxes"));
  EXPECT_THAT(text, HasSubstr("decoder's inputs: image_positional_embeddings f32 [?, 16, 4, 4]; "));
  Graphs one_point = sam2_transformers();
  one_point.decoder.inputs[0].shape[2] = 1;
  EXPECT_THAT(refusal(one_point, PromptKind::box, kStretching),
              HasSubstr("a box takes 0 points, and the decoder was exported for"));
  EXPECT_THAT(refusal(one_point, PromptKind::point, kStretching),
              HasSubstr("a point takes 2 points, and the decoder was exported"));
  Graphs one_box = sam2_transformers();
  one_box.decoder.inputs[2].shape[1] = 1;
  EXPECT_THAT(refusal(one_box, PromptKind::point, kStretching), HasSubstr("cannot do without boxes"));
  Graphs five_points = sam();
  five_points.decoder.inputs[1].shape[1] = 5;
  EXPECT_THAT(refusal(five_points, PromptKind::box), HasSubstr("exported for another number: point_coords f32 [1, 5, 2]"));
}

TEST(Segmenter, OfAllMasksForAPointTheGoodAndStableOnesAreKept) {
  const auto segmenter = segmenter_of(sam());
  const EncodedImage image{{.scale_x = 32, .scale_y = 32, .image_width = 2, .image_height = 1}, {}};
  // Four masks of 16 x 16 for an image that fills the upper half of the input: the first is not to be chosen among; logits of 5, of
  // 0.5 and of 5 on the left and -5 on the right.
  std::vector<float> logits(std::size_t{2} * 256, 5);
  logits.insert(logits.end(), 256, 0.5F);
  for (int i = 0; i < 256; ++i) {
    logits.push_back(i % 16 < 8 ? 5.F : -5.F);
  }
  const auto found = [&](const std::vector<float>& scores, const EverythingOptions& options) {
    const Shape of_scores = {1, 4};
    const Shape of_logits = {1, 4, 16, 16};
    return segmenter->masks_of_points(std::vector<OutputView>{{scores, of_scores}, {logits, of_logits}}, image, 1, options);
  };
  const std::vector<MaskProposal> all = found({1, 0.9F, 0.9F, 0.95F}, {.min_stability = 0});
  ASSERT_EQ(all.size(), 2U) << "of logits of 0.5 nothing is above 1";
  EXPECT_EQ(all[0].mask, (Rle{1, 2, {0, 2}}));
  EXPECT_EQ(all[0].iou, 0.9F);
  EXPECT_EQ(all[1].mask, (Rle{1, 2, {0, 1, 1}}));
  EXPECT_EQ(found({1, 0.9F, 0.9F, 0.95F}, {.min_stability = 0, .stability_offset = 0.4}).size(), 3U);
  EXPECT_EQ(found({1, 0.9F, 0.9F, 0.88F}, {}).size(), 1U) << "its score must be above the limit";
  EXPECT_EQ(found({1, 0.1F, 0.9F, 0.1F}, {}).size(), 0U);
}

TEST(Segmenter, OptionsOfEverythingMustMakeSense) {
  const auto message = [](const EverythingOptions& options) { return error_of([&] { options.validate(); }).message(); };
  EXPECT_EQ(message({}), "nothing was thrown");
  EXPECT_THAT(message({.points_per_side = 0}), HasSubstr("0 points a side"));
  EXPECT_THAT(message({.points_per_side = 257}), HasSubstr("257 points a side"));
  EXPECT_THAT(message({.min_iou = std::nan("")}), HasSubstr("IoU is nan"));
  EXPECT_THAT(message({.min_stability = 1}), HasSubstr("stability is 1"));
  EXPECT_THAT(message({.stability_offset = 0}), HasSubstr("offset of logits is 0"));
  EXPECT_THAT(message({.nms_iou = 2}), HasSubstr("NMS threshold is 2"));
  EXPECT_THAT(message({.max_masks = 0}), HasSubstr("at most 0 masks"));
  const EverythingOptions reference;
  EXPECT_EQ(reference.points_per_side, 32);
  EXPECT_EQ(reference.min_iou, 0.88);
  EXPECT_EQ(reference.min_stability, 0.95);
  EXPECT_EQ(reference.stability_offset, 1);
  EXPECT_EQ(reference.nms_iou, 0.7);
}

TEST(Segmenter, WhoTakesItForADetectorIsToldWhatItIs) {
  const SegmenterFolder folder;
  TwoGraphEngine engine(sam().encoder, sam().decoder);
  EXPECT_TRUE(is_segmenter(engine, folder.model()));
  EXPECT_THAT(error_of([&] { load_labeller(engine, folder.model()); }).message(), HasSubstr("name it with --segment-with"));
  TwoGraphEngine swapped(sam().decoder, sam().encoder);
  EXPECT_FALSE(is_segmenter(swapped, folder.model()));
  EXPECT_THAT(error_of([&] { load_labeller(swapped, folder.model()); }).message(), HasSubstr("fits none of the families"));
}

TEST(Segmenter, OneGraphIsNoSegmenter) {
  const ModelFolder folder;
  TwoGraphEngine engine(sam().encoder, sam().decoder);
  EXPECT_FALSE(is_segmenter(engine, folder.model()));
  const Error error = error_of([&] { load_segmenter(engine, folder.model()); });
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.message(), HasSubstr("two graphs, and this is one"));
}

TEST(Segmenter, TheHashIsOfBothGraphsAndAManifestIsRefused) {
  const SegmenterFolder folder;
  const std::string first = folder.load(sam())->card().weights_sha256;
  folder.write("prompt_encoder_mask_decoder.onnx", "another");
  EXPECT_NE(folder.load(sam())->card().weights_sha256, first);
  folder.write("vision_encoder.verilabel.json", R"({"mean": [1, 2, 3]})");
  const Error error = error_of([&] { folder.load(sam()); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(context_of(error), HasSubstr("vision_encoder.verilabel.json"));
}

}  // namespace
}  // namespace verilabel
