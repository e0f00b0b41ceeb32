#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "verilabel/models/prototype_mask.h"
#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr ElementType kF32 = ElementType::f32;
constexpr ElementType kI64 = ElementType::i64;

constexpr const char* kRtDetr = R"({"image_processor_type": "RTDetrImageProcessor", "size": {"height": 8, "width": 16}})";
constexpr const char* kDetr = R"({"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 8, "longest_edge": 16}})";

std::string config_of(const std::string& model_type, const std::string& more = "") {
  return fmt::format(R"({{"model_type": "{}", "id2label": {{"0": "a", "1": "b"}}{}}})", model_type, more);
}

GraphInfo queries(std::int64_t count, std::int64_t columns, bool has_mask = false) {
  GraphInfo graph{{{"pixel_values", kF32, {-1, 3, -1, -1}}},
                  {{"logits", kF32, {-1, count, columns}}, {"pred_boxes", kF32, {-1, count, 4}}},
                  {}};
  if (has_mask) {
    graph.inputs.push_back({"pixel_mask", kI64, {-1, -1, -1}});
  }
  return graph;
}

std::unique_ptr<Labeller> load(GraphInfo graph, const std::string& config, const std::string& preprocessor,
                               const std::string& manifest = "") {
  const ModelFolder folder;
  if (!config.empty()) {
    folder.write("config.json", config);
  }
  if (!preprocessor.empty()) {
    folder.write("preprocessor_config.json", preprocessor);
  }
  if (!manifest.empty()) {
    folder.write("model.verilabel.json", manifest);
  }
  StatedGraphEngine engine(std::move(graph));
  return load_labeller(engine, folder.model());
}

std::string refusal(GraphInfo graph, const std::string& config, const std::string& preprocessor, const std::string& manifest = "") {
  const Error error = error_of([&] { load(std::move(graph), config, preprocessor, manifest); });
  return fmt::format("{} {}", info(error.code()).name, error.what());
}

struct Output {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

std::vector<Candidate> decoded(const Labeller& labeller, const std::vector<Output>& outputs, const CandidateOptions& options,
                               int width = 100, int height = 50) {
  std::vector<OutputView> views;
  for (const Output& output : outputs) {
    views.push_back({output.values, output.shape});
  }
  return labeller.decode(views, {1, 1, 0, 0, width, height}, options);
}

void expect_box(const Candidate& candidate, const Box& box) {
  EXPECT_NEAR(candidate.box_xywh_px.x, box.x, 1e-4);
  EXPECT_NEAR(candidate.box_xywh_px.y, box.y, 1e-4);
  EXPECT_NEAR(candidate.box_xywh_px.w, box.w, 1e-4);
  EXPECT_NEAR(candidate.box_xywh_px.h, box.h, 1e-4);
}

// A softmax over a, b and "no object". Query 0: weights 3, 1, 4, so a with 3 / 8. Query 1: 1, 5, 2, so b with 5 / 8. Query 2: no
// object is the best, b has 1 / 4 all the same.
TEST(Detr, TheBestClassOfEachQueryButNoObject) {
  const auto detr = load(queries(3, 3, true), config_of("detr"), kDetr);
  EXPECT_EQ(detr->card().family, "transformers_detr");
  const auto log = [](float value) { return std::log(value); };
  const Output logits{{3, 3}, {log(3), log(1), log(4), log(1), log(5), log(2), log(1), log(2), log(5)}};
  const Output boxes{{3, 4}, {0.5F, 0.5F, 0.2F, 0.4F, 0.9F, 0.1F, 0.4F, 0.4F, 0.5F, 0.5F, 1, 1}};
  const auto found = decoded(*detr, {logits, boxes}, {.floor = 0.2});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_NEAR(found[0].score, 0.625, 1e-6);
  expect_box(found[0], {70, 0, 30, 15});  // from 70 to 110 and from −5 to 15, cut at 100 and 0
  EXPECT_EQ(found[1].class_index, 0);
  EXPECT_NEAR(found[1].score, 0.375, 1e-6);
  expect_box(found[1], {40, 15, 20, 20});
  EXPECT_NEAR(found[2].score, 0.25, 1e-6);
  EXPECT_THAT(decoded(*detr, {logits, boxes}, {.floor = 0.2, .max_detections = 1}), SizeIs(1));
  EXPECT_THAT(decoded(*detr, {logits, boxes}, {.floor = 0.2, .is_class_wanted = {1, 0}}), SizeIs(1));
}

// As many pairs as queries, here two: query 1 takes both, with b before a; query 0 comes third.
TEST(RtDetr, TheBestPairsOfAQueryAndAClass) {
  const auto detector = load(queries(2, 2), config_of("rt_detr"), kRtDetr);
  const Output logits{{2, 2}, {0.5F, -9, 1, 2}};
  const Output boxes{{2, 4}, {0.5F, 0.5F, 1, 1, 0.25F, 0.5F, 0.5F, 0.5F}};
  const auto found = decoded(*detector, {logits, boxes}, {.floor = 0.1});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_NEAR(found[0].score, 1 / (1 + std::exp(-2.0)), 1e-6);
  EXPECT_EQ(found[1].class_index, 0);
  expect_box(found[0], {0, 12.5, 50, 25});
  expect_box(found[1], {0, 12.5, 50, 25});
  for (const char* type : {"rt_detr_v2", "d_fine", "rf_detr", "deformable_detr"}) {
    EXPECT_THAT(load(queries(2, 2), config_of(type), kRtDetr)->card().layout, HasSubstr("sigmoid"));
  }
}

GraphInfo original_export() {
  return {{{"images", kF32, {-1, 3, 8, 16}}, {"orig_target_sizes", kI64, {-1, 2}}},
          {{"labels", kI64, {-1, 3}}, {"boxes", kF32, {-1, 3, 4}}, {"scores", kF32, {-1, 3}}},
          {}};
}

// Of 100 x 50 pixels: one wholly beyond the right edge, one that is in the image.
TEST(Detr, BoxesThatLieBesideTheImageAreNone) {
  const auto detector = load(queries(2, 2), config_of("rt_detr"), kRtDetr);
  const Output logits{{2, 2}, {3, -9, 2, -9}};
  const auto found = decoded(*detector, {logits, {{2, 4}, {1.25F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F}}}, {.floor = 0.3});
  ASSERT_THAT(found, SizeIs(1));
  expect_box(found[0], {25, 12.5, 50, 25});
  const auto scaled = load(original_export(), "", "", R"({"class_names": ["a", "b"]})");
  EXPECT_THAT(decoded(*scaled, {{{3}, {1, 0, 1}}, {{3, 4}, {100, 0, 120, 9, -9, 2, 0, 4, 5, 5, 4, 9}}, {{3}, {0.5F, 0.5F, 0.5F}}},
                      {.floor = 0.2}),
              SizeIs(0));
}

/// As the initial reference points of a detector of two stages, for example, infinite where a proposal lies outside.
TEST(Detr, OutputsThatAreNotNeededAreNotAskedFor) {
  GraphInfo graph = queries(2, 2);
  graph.outputs.insert(graph.outputs.begin(), {"enc_outputs_coord_logits", kF32, {-1, 9, 4}});
  EXPECT_THAT(load(graph, config_of("deformable_detr"), kRtDetr)->graph().outputs, ElementsAre(1, 2));
}

TEST(Detr, OutputsThatAreNoNumbersOrOfAnotherShapeEndTheImage) {
  const auto detector = load(queries(1, 2), config_of("rt_detr"), kRtDetr);
  const Output boxes{{1, 4}, {0.5F, 0.5F, 1, 1}};
  for (const float value : {std::nanf(""), INFINITY, -INFINITY}) {
    EXPECT_EQ(error_of([&] { decoded(*detector, {{{1, 2}, {value, 0}}, boxes}, {}); }).code(), ErrorCode::bad_model);
    EXPECT_EQ(error_of([&] { decoded(*detector, {{{1, 2}, {0, 0}}, {{1, 4}, {0.5F, value, 1, 1}}}, {}); }).code(),
              ErrorCode::bad_model);
  }
  EXPECT_EQ(error_of([&] { decoded(*detector, {{{1, 3}, {0, 0, 0}}, boxes}, {}); }).code(), ErrorCode::bad_model);
}

Image grey_image(int width, int height, std::uint8_t value) {
  Image image(width, height);
  std::ranges::fill(image.pixels(), value);
  return image;
}

// 20 x 10 pixels become 16 x 8, the longer bound; they fill the upper half of a canvas of 16 x 16.
TEST(Detr, ImagesArePaddedToOneCanvasAndTheMaskSaysWhereTheyAre) {
  const auto detr = load(queries(3, 3, true), config_of("detr"), kDetr);
  EXPECT_THAT(input_shapes_of(detr->graph(), 2), ElementsAre(ElementsAre(2, 3, 16, 16), ElementsAre(2, 16, 16)));
  EXPECT_TRUE(detr->graph().inputs[1].is_i64);
  std::vector<float> chw(3 * 16 * 16, -1);
  std::vector<std::int64_t> mask(16 * 16, -1);
  Image scratch;
  const std::vector<InputView> views = {{chw, {}}, {{}, mask}};
  const InputTransform transform = detr->preprocess(grey_image(20, 10, 255), views, scratch, 0);
  EXPECT_EQ(transform.image_width, 20);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    EXPECT_EQ(mask[i], i < 8 * 16 ? 1 : 0) << i;
    EXPECT_NEAR(chw[i], i < 8 * 16 ? (1 - 0.485) / 0.229 : 0, 1e-5) << i;
  }
}

// A mask of 64 x 64 for a canvas of 107: the features have ceil(107 / 32) = 4 cells a side. An image of 80 rows covers those whose
// pixel of the full mask, 0, 26, 53 and 80, is below 80: three. Entries 0, 16, 32 and 48 of the mask become the cells: 48 of 64
// rows are ones.
TEST(Detr, AMaskOfFixedSizeComesOutAsTheFullOneAtTheFeatures) {
  GraphInfo graph = queries(3, 3, true);
  graph.inputs[1].shape = {-1, 64, 64};
  const auto detr = load(graph, config_of("detr"),
                         R"({"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 80, "longest_edge": 107}})");
  std::vector<float> chw(3 * 107 * 107);
  std::vector<std::int64_t> mask(64 * 64);
  Image scratch;
  detr->preprocess(grey_image(107, 80, 9), std::vector<InputView>{{chw, {}}, {{}, mask}}, scratch, 0);
  for (std::size_t row = 0; row < 64; ++row) {
    EXPECT_EQ(mask[row * 64], row < 48 ? 1 : 0) << row;
    EXPECT_EQ(mask[row * 64 + 63], mask[row * 64]) << row;
  }
  graph.inputs[1].shape = {-1, 3, 3};
  EXPECT_THAT(refusal(graph, config_of("detr"),
                      R"({"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 80, "longest_edge": 107}})"),
              HasSubstr("too coarse"));
}

TEST(Detr, WithoutAMaskImagesOfDifferentShapesAreRefusedUnlessStretchingIsAskedFor) {
  EXPECT_THAT(refusal(queries(3, 3), config_of("detr"), kDetr), AllOf(HasSubstr("bad_model"), HasSubstr("no input pixel_mask")));
  const auto stretched = load(queries(3, 3), config_of("detr"), kDetr, R"({"fit": "stretch", "input_size": [32, 48]})");
  EXPECT_THAT(input_shapes_of(stretched->graph(), 1), ElementsAre(ElementsAre(1, 3, 32, 48)));
  EXPECT_THAT(refusal(queries(3, 3), config_of("detr"), kDetr, R"({"fit": "stretch"})"), HasSubstr("input_size"));
}

TEST(Detr, WhatIsNotKnownIsRefused) {
  EXPECT_THAT(refusal(queries(3, 3), config_of("dab-detr"), kRtDetr), AllOf(HasSubstr("'dab-detr'"), HasSubstr("rt_detr_v2")));
  EXPECT_THAT(refusal(queries(3, 3), "", ""), HasSubstr("config.json or preprocessor_config.json is missing"));
  EXPECT_THAT(refusal(queries(3, 5), config_of("rt_detr"), kRtDetr, R"({"class_names": ["a"]})"),
              HasSubstr("5 classes, but 1 names"));
  EXPECT_THAT(refusal(queries(3, 2), config_of("rt_detr"), kRtDetr, R"({"mean": [1, 2, 3]})"), HasSubstr("'mean'"));
}

TEST(DetrExport, TheGraphScalesBoxesToTheSizeItIsGiven) {
  const auto detector = load(original_export(), "", "", R"({"class_names": ["a", "b"]})");
  EXPECT_EQ(detector->card().family, "detr_export");
  EXPECT_THAT(input_shapes_of(detector->graph(), 1), ElementsAre(ElementsAre(1, 3, 8, 16), ElementsAre(1, 2)));
  std::vector<float> chw(3 * 8 * 16);
  std::vector<std::int64_t> size(2);
  Image scratch;
  detector->preprocess(grey_image(20, 10, 51), std::vector<InputView>{{chw, {}}, {{}, size}}, scratch, 0);
  EXPECT_THAT(size, ElementsAre(20, 10));
  EXPECT_THAT(chw, ::testing::Each(51 / 255.0F));
  const auto found =
      decoded(*detector, {{{3}, {1, 0, 1}}, {{3, 4}, {-5, 10, 30, 60, 1, 2, 3, 4, 0, 0, 9, 9}}, {{3}, {0.5F, 0.75F, 0.1F}}},
              {.floor = 0.2});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 0);
  expect_box(found[0], {1, 2, 2, 2});
  expect_box(found[1], {0, 10, 30, 40});
  EXPECT_THAT(
      error_of([&] { decoded(*detector, {{{3}, {2, 0, 1}}, {{3, 4}, std::vector<float>(12)}, {{3}, {1, 1, 1}}}, {}); }).what(),
      HasSubstr("class 2, but its classes are the whole numbers from 0 to 1"));
}

TEST(DetrExport, LabelsAndScoresThatAreMixedUpEndTheImage) {
  const auto detector = load(original_export(), "", "", R"({"class_names": "coco"})");
  const Output boxes{{3, 4}, std::vector<float>(12)};
  const auto message = [&](std::vector<float> labels, std::vector<float> scores) {
    const Error error =
        error_of([&] { decoded(*detector, {{{3}, std::move(labels)}, boxes, {{3}, std::move(scores)}}, {.floor = 0}); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    return std::string(error.what());
  };
  EXPECT_THAT(message({0.9F, 0.5F, 0}, {16, 1, 1}), HasSubstr("scores from 1 to 16, and they must be numbers from 0 to 1"));
  EXPECT_THAT(message({0.9F, 0.5F, 0}, {1, 1, 0}), HasSubstr("class 0.9"));
  EXPECT_THAT(message({0, 0, 0}, {-0.5F, 1, 0}), HasSubstr("scores from -0.5 to 1"));
  EXPECT_THAT(decoded(*detector, {{{3}, {1, 1, 1}}, {{3, 4}, {0, 0, 9, 9, 0, 0, 9, 9, 0, 0, 9, 9}}, {{3}, {1.001F, 0, 0.5F}}},
                      {.floor = 0.1}),
              SizeIs(2));  // rounding in half precision
}

TEST(DetrExport, NamesAreNeverGuessed) {
  EXPECT_THAT(refusal(original_export(), "", ""), AllOf(HasSubstr("bad_model"), HasSubstr("\"coco\"")));
  EXPECT_THAT(load(original_export(), "", "", R"({"class_names": "coco"})")->class_names(), SizeIs(80));
}

GraphInfo rf_detr_graph(std::int64_t columns, bool has_masks = false) {
  GraphInfo graph{{{"input", kF32, {1, 3, 8, 8}}}, {{"dets", kF32, {1, 2, 4}}, {"labels", kF32, {1, 2, columns}}}, {}};
  if (has_masks) {
    graph.outputs.push_back({"4186", kF32, {1, 2, 2, 2}});
  }
  return graph;
}

TEST(RfDetr, ColumnsAreCocosCategoryNumbers) {
  const auto detector = load(rf_detr_graph(91), "", "");
  EXPECT_EQ(detector->card().family, "rf_detr");
  EXPECT_EQ(detector->graph().fixed_batch, 1);
  EXPECT_THAT(detector->class_names(), SizeIs(80));
  Output logits{{2, 91}, std::vector<float>(2 * 91, -20)};
  logits.values[1] = 3;        // category 1: person
  logits.values[91 + 90] = 2;  // category 90: toothbrush
  logits.values[91 + 12] = 1;  // stands for no class
  const Output boxes{{2, 4}, {0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 0.5F, 1, 1}};
  const auto found = decoded(*detector, {logits, boxes}, {.floor = 0.3});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(detector->class_names()[static_cast<std::size_t>(found[0].class_index)], "person");
  EXPECT_EQ(detector->class_names()[static_cast<std::size_t>(found[1].class_index)], "toothbrush");
  EXPECT_THAT(refusal(rf_detr_graph(7), "", ""), HasSubstr("nothing names them"));
  EXPECT_THAT(load(rf_detr_graph(3), "", "", R"({"class_names": ["N/A", "a", "b"]})")->class_names(), ElementsAre("a", "b"));
}

// A mask of 2 x 2 logits on an image of 4 x 2. Across, pixel 0 lies at −.25 of the logits and takes the first, pixel 1 at .25,
// pixel 2 at .75, pixel 3 takes the second; down each row is its own. The upper row, 1 and −1, gives 1, .5, −.5, −1; the lower one,
// −3 and 3, gives −3, −1.5, 1.5, 3. In COCO's order, column by column: 1 0, 1 0, 0 1, 0 1.
TEST(RfDetr, MasksAreEnlargedBetweenPixelCentres) {
  const auto detector = load(rf_detr_graph(2, true), "", "", R"({"class_names": ["a", "b"]})");
  const Output masks{{2, 2, 2}, {1, -1, -3, 3, -1, -1, -1, -1}};
  const Output boxes{{2, 4}, {0.5F, 0.5F, 1, 1, 0.5F, 0.5F, 1, 1}};
  const auto found = decoded(*detector, {{{2, 2}, {2, -9, 1, -9}}, boxes, masks}, {.floor = 0.3}, 4, 2);
  ASSERT_THAT(found, SizeIs(1));  // the other query's mask is empty
  EXPECT_EQ(found[0].kind, LabelKind::mask);
  EXPECT_EQ(std::get<Rle>(found[0].mask->shape), (Rle{2, 4, {0, 1, 1, 1, 2, 1, 1, 1}}));
}

TEST(RfDetr, MasksOfTheFormOfTransformersAreRead) {
  constexpr const char* kRfDetr = R"({"image_processor_type": "RfDetrImageProcessor", "size": {"height": 8, "width": 16}})";
  GraphInfo graph = queries(1, 2);
  graph.outputs.push_back({"pred_masks", kF32, {-1, 1, 2, 2}});
  const auto detector = load(graph, config_of("rf_detr"), kRfDetr);
  EXPECT_THAT(detector->card().preprocessing, HasSubstr("16 x 8 (linear between floats, without antialiasing)"));
  const std::vector<Output> outputs = {{{1, 2}, {2, -9}}, {{1, 4}, {0.5F, 0.5F, 1, 1}}, {{1, 2, 2}, {1, -1, -3, 3}}};
  const auto found = decoded(*detector, outputs, {.floor = 0.3}, 4, 2);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(std::get<Rle>(found[0].mask->shape), (Rle{2, 4, {0, 1, 1, 1, 2, 1, 1, 1}}));
  // Others' masks mean something else: boxes alone.
  const auto other = load(graph, config_of("rt_detr"), kRtDetr);
  EXPECT_EQ(decoded(*other, {outputs[0], outputs[1]}, {.floor = 0.3}, 4, 2)[0].kind, LabelKind::box);
  EXPECT_THAT(refusal(graph, config_of("rf_detr"), R"({"image_processor_type": "RfDetrImageProcessor"})"),
              HasSubstr("shortest_edge"));
}

}  // namespace
}  // namespace verilabel
