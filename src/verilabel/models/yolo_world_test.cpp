#include <array>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr ElementType kF32 = ElementType::f32;
constexpr ElementType kI64 = ElementType::i64;

fs::path yolo_world() {
  return fixtures() / "open_vocabulary" / "yolo-world";
}

std::unique_ptr<Labeller> asked(const Prompts& prompts, std::size_t texts_per_pass = 0) {
  const auto engine = open_engine("openvino");
  LoadOptions options;
  options.prompts = prompts;
  options.texts_per_pass = texts_per_pass;
  return load_labeller(*engine, yolo_world(), options);
}

CandidateOptions above(double floor, double nms_iou = 0.7) {
  CandidateOptions options;
  options.floor = floor;
  options.nms_iou = nms_iou;
  return options;
}

/// Rows of scores, and a box for each, in an image that fills the input of 96 pixels.
std::vector<Candidate> decoded(const Labeller& labeller, const std::vector<std::vector<float>>& scores,
                               const std::vector<std::array<float, 4>>& boxes, const CandidateOptions& options) {
  std::vector<float> all_scores;
  std::vector<float> all_boxes;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    all_scores.insert(all_scores.end(), scores[i].begin(), scores[i].end());
    all_boxes.insert(all_boxes.end(), boxes[i].begin(), boxes[i].end());
  }
  const auto anchors = static_cast<std::int64_t>(scores.size());
  const std::vector<std::int64_t> scores_shape = {anchors, static_cast<std::int64_t>(scores[0].size())};
  const std::vector<std::int64_t> boxes_shape = {anchors, 4};
  return labeller.decode(std::vector<OutputView>{{all_scores, scores_shape}, {all_boxes, boxes_shape}}, {1, 1, 0, 0, 96, 96},
                         options);
}

constexpr std::array<float, 4> kBox = {10, 20, 40, 60};
constexpr std::array<float, 4> kOther = {50, 20, 90, 60};

TEST(YoloWorld, EveryClassAboveTheFloorButNotTheBackground) {
  const auto labeller = asked(prompts_of_names({"cat", "dog"}));
  EXPECT_EQ(labeller->card().family, "yolo_world");
  EXPECT_THAT(labeller->class_names(), ElementsAre("cat", "dog"));
  ASSERT_THAT(labeller->graph().inputs[1].shape, ElementsAre(3, 32));
  const auto found =
      decoded(*labeller, {{0.5F, 0.4F, 0.9F}, {0.3F, 0.05F, 0.9F}, {0.6F, 0, 0.9F}}, {kBox, kOther, kBox}, above(0.1));
  ASSERT_THAT(found, SizeIs(3)) << "the first cat is suppressed by the third";
  EXPECT_EQ(found[0].class_index, 0);
  EXPECT_NEAR(found[0].score, 0.6, 1e-6);
  EXPECT_EQ(found[1].class_index, 1);
  EXPECT_EQ(found[2].class_index, 0);
  EXPECT_NEAR(found[2].box_xywh_px.x, 50, 1e-5);
  CandidateOptions dogs = above(0.1);
  dogs.is_class_wanted = {0, 1};
  EXPECT_THAT(decoded(*labeller, {{0.5F, 0.4F, 0.9F}}, {kBox}, dogs), SizeIs(1));
}

TEST(YoloWorld, LogitsAndInfinitiesAreNoScores) {
  const auto labeller = asked(prompts_of_names({"cat", "dog"}));
  const auto message = [&](float score, float edge) {
    const Error error = error_of([&] { decoded(*labeller, {{score, 0.4F, 0.9F}}, {{edge, 20, 40, 60}}, above(0.1)); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    return std::string(error.what());
  };
  EXPECT_THAT(message(3.5F, 10), HasSubstr("scores from 0.4 to 3.5"));
  EXPECT_THAT(message(-1, 10), HasSubstr("scores from -1 to 0.9"));
  for (const float infinity : {INFINITY, -INFINITY}) {
    EXPECT_THAT(message(infinity, 10), HasSubstr("infinity instead of numbers"));
    EXPECT_THAT(message(0.5F, infinity), HasSubstr("infinity instead of numbers"));
  }
}

TEST(YoloWorld, PhrasingsAreOneClassAndNegativesTakeAnchors) {
  Prompts prompts;
  prompts.classes = {{"pet", {"cat", "dog"}}, {"car", {"car"}}};
  prompts.negatives = {"cow"};
  const auto labeller = asked(prompts);
  ASSERT_THAT(labeller->graph().inputs[1].shape, ElementsAre(5, 32));
  const auto found =
      decoded(*labeller, {{0.3F, 0.5F, 0.4F, 0.35F, 0}, {0.3F, 0.2F, 0.1F, 0.6F, 0}}, {kBox, kOther}, above(0.05, 1));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 0);
  EXPECT_NEAR(found[0].score, 0.5, 1e-6) << "the best phrasing, once";
  EXPECT_EQ(found[1].class_index, 1);
}

TEST(YoloWorld, PassesAreFilledWithBackground) {
  const auto labeller = asked(prompts_of_names({"cat", "dog", "car"}), 2);
  ASSERT_EQ(labeller->passes(), 2);
  EXPECT_THAT(labeller->notes(), Contains(HasSubstr("3 classes are asked in 2 parts")));
  EXPECT_THAT(labeller->notes(), Contains(HasSubstr("compete")));
  std::vector<float> pixels(std::size_t{3} * 96 * 96);
  std::vector<float> features(std::size_t{3} * 32);
  Image scratch;
  Image image(20, 10);
  std::ranges::fill(image.pixels(), std::uint8_t{7});
  EXPECT_EQ(labeller->preprocess(image, std::vector<InputView>{{pixels, {}}, {features, {}}}, scratch, 1).pass, 1);
  EXPECT_EQ(std::vector(features.begin() + 32, features.begin() + 64), std::vector(features.begin() + 64, features.end()));
  EXPECT_NE(std::vector(features.begin(), features.begin() + 32), std::vector(features.begin() + 32, features.begin() + 64));
  EXPECT_EQ(pixels.front(), 114 / 255.0F);
}

TEST(YoloWorld, SwappedOutputsAreRefused) {
  const auto labeller = asked(prompts_of_names({"cat", "dog", "car"}));
  ASSERT_THAT(labeller->graph().inputs[1].shape, ElementsAre(5, 32)) << "with four the shapes would be the same";
  const Error error = error_of([&] { decoded(*labeller, {{0, 0, 0, 0}}, {{0, 0, 0, 0}}, above(0.1)); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
}

TEST(YoloWorld, WithoutWhatReadsTextsItIsRefused) {
  const auto fault = [](const char* removed) {
    const FaultyModel copy(yolo_world());
    fs::remove(copy.path() / removed);
    const auto engine = open_engine("openvino");
    LoadOptions options;
    options.prompts = prompts_of_names({"cat"});
    const Error error = error_of([&] { load_labeller(*engine, copy.path() / "model.onnx", options); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    return std::string(error.what());
  };
  EXPECT_THAT(fault("text_model.onnx"), HasSubstr("as text_model.onnx"));
  EXPECT_THAT(fault("tokenizer.json"), HasSubstr("there is no tokenizer.json"));
}

TEST(YoloWorld, TokenizersOfOtherModelsAreRefused) {
  const FaultyModel copy(yolo_world());
  fs::copy_file(fixtures() / "open_vocabulary/grounding-dino/tokenizer.json", copy.path() / "tokenizer.json",
                fs::copy_options::overwrite_existing);
  const auto engine = open_engine("openvino");
  const Error error = error_of([&] { load_labeller(*engine, copy.path(), {}); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.what(), HasSubstr("it belongs to another model"));
}

TEST(YoloWorld, OverLongTextsAreRefused) {
  std::string longer;
  for (int i = 0; i < 100; ++i) {
    longer += "very ";
  }
  const Error error = error_of([&] { asked(prompts_of_names({longer})); });
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.what(), HasSubstr("the model reads 77"));
}

// ---- Classes of the export ----

GraphInfo final_boxes() {
  return {{{"images", kF32, {1, 3, 64, 64}}},
          {{"num_dets", kI64, {1, 1}}, {"boxes", kF32, {1, 3, 4}}, {"scores", kF32, {1, 3}}, {"labels", kI64, {1, 3}}},
          {}};
}

GraphInfo all_anchors(std::int64_t classes) {
  return {{{"images", kF32, {1, 3, 64, 64}}}, {{"scores", kF32, {1, 84, classes}}, {"boxes", kF32, {1, 84, 4}}}, {}};
}

std::vector<Candidate> final_candidates(const Labeller& labeller, float count, const std::vector<float>& labels,
                                        const std::vector<float>& scores = {0.9F, 0.5F, 0.2F}) {
  const std::vector<float> boxes = {10, 20, 40, 60, 12, 20, 40, 60, 20, 20, 60, 60};
  const std::vector<float> counts = {count};
  const std::vector<std::int64_t> three = {3};
  const std::vector<std::int64_t> one = {1};
  const std::vector<std::int64_t> corners = {3, 4};
  return labeller.decode(std::vector<OutputView>{{scores, three}, {boxes, corners}, {counts, one}, {labels, three}},
                         {1, 1, 0, 0, 64, 64}, above(0.3));
}

TEST(Mmyolo, BoxesThatTheGraphChose) {
  const auto labeller = labeller_of(final_boxes(), R"({"class_names": ["cat", "dog", "N/A"]})");
  EXPECT_EQ(labeller->card().family, "mmyolo");
  EXPECT_THAT(labeller->class_names(), ElementsAre("cat", "dog"));
  EXPECT_THAT(labeller->graph().outputs, ElementsAre(2, 1, 0, 3));
  const auto found = final_candidates(*labeller, 3, {1, 1, 0});
  ASSERT_THAT(found, SizeIs(2)) << "nothing is suppressed, and one is below the floor";
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_NEAR(found[0].box_xywh_px.x, 10, 1e-5);
  EXPECT_THAT(final_candidates(*labeller, 1, {1, -1, -1}), SizeIs(1)) << "what follows is padding";
  EXPECT_THAT(final_candidates(*labeller, 2, {2, 0, -1}), SizeIs(1)) << "2 is the background";
  EXPECT_THAT(error_of([&] { final_candidates(*labeller, 2, {3, 0, -1}); }).what(),
              HasSubstr("class 3, but its classes are the whole numbers from 0 to 2"));
  EXPECT_THAT(error_of([&] { final_candidates(*labeller, 4, {0, 0, 0}); }).what(), HasSubstr("found 4 objects"));
  EXPECT_THAT(error_of([&] { final_candidates(*labeller, 2, {0.5F, 0, 0}); }).what(), HasSubstr("class 0.5"));
  EXPECT_THAT(error_of([&] { final_candidates(*labeller, 2, {0, 0, 0}, {2, 1, 0}); }).what(), HasSubstr("scores from 1 to 2"));
  EXPECT_THAT(final_candidates(*labeller, 2, {0, 0, -1}, {0.9F, 0.5F, -1}), SizeIs(2)) << "what follows is padding";
}

TEST(Mmyolo, AllAnchors) {
  const auto labeller = labeller_of(all_anchors(3), R"({"class_names": ["cat", "dog", " "]})");
  EXPECT_THAT(labeller->class_names(), ElementsAre("cat", "dog"));
  std::vector<float> scores(std::size_t{84} * 3);
  std::vector<float> boxes(std::size_t{84} * 4, 1);
  scores[0] = 0.9F;
  scores[1] = 0.8F;
  scores[2] = 0.99F;
  std::ranges::copy(kBox, boxes.begin());
  const std::vector<std::int64_t> scores_shape = {84, 3};
  const std::vector<std::int64_t> boxes_shape = {84, 4};
  const auto found =
      labeller->decode(std::vector<OutputView>{{scores, scores_shape}, {boxes, boxes_shape}}, {1, 1, 0, 0, 64, 64}, above(0.3));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 0);
  EXPECT_EQ(found[1].class_index, 1);
  scores[5] = 1.5F;
  EXPECT_THAT(error_of([&] {
                labeller->decode(std::vector<OutputView>{{scores, scores_shape}, {boxes, boxes_shape}}, {1, 1, 0, 0, 64, 64},
                                 above(0.3));
              }).what(),
              HasSubstr("scores from 0 to 1.5"));
}

TEST(Mmyolo, ClassesMustBeNamed) {
  EXPECT_THAT(error_of([] { labeller_of(final_boxes()); }).what(), HasSubstr("name them in NAME.verilabel.json"));
  EXPECT_THAT(error_of([] { labeller_of(all_anchors(3), R"({"class_names": ["cat", "dog"]})"); }).what(),
              HasSubstr("the graph has 3 classes, but 2 names"));
}

}  // namespace
}  // namespace verilabel
