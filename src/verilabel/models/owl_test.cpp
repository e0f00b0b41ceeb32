#include <array>
#include <cmath>
#include <limits>

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
using testing::IsEmpty;
using testing::SizeIs;

constexpr ElementType kF32 = ElementType::f32;
constexpr ElementType kI64 = ElementType::i64;

fs::path owl(const char* name) {
  return fixtures() / "open_vocabulary" / name;
}

GraphInfo owl_graph() {
  return {{{"input_ids", kI64, {-1, -1}}, {"pixel_values", kF32, {-1, 3, -1, -1}}, {"attention_mask", kI64, {-1, -1}}},
          {{"logits", kF32, {-1, -1, -1}}, {"pred_boxes", kF32, {-1, -1, 4}}, {"text_embeds", kF32, {-1, -1, 32}}},
          {}};
}

std::unique_ptr<Labeller> loaded(const LoadOptions& options, const char* name = "owlvit") {
  StatedGraphEngine engine(owl_graph());
  return load_labeller(engine, owl(name), options);
}

std::unique_ptr<Labeller> asked(const Prompts& prompts, const char* name = "owlvit", std::size_t texts_per_pass = 0) {
  LoadOptions options;
  options.prompts = prompts;
  options.texts_per_pass = texts_per_pass;
  return loaded(options, name);
}

std::vector<Candidate> decoded(const Labeller& labeller, const std::vector<std::vector<float>>& logits,
                               const std::vector<std::array<float, 4>>& boxes, const CandidateOptions& options, int pass = 0) {
  std::vector<float> all_logits;
  std::vector<float> all_boxes;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    all_logits.insert(all_logits.end(), logits[i].begin(), logits[i].end());
    all_boxes.insert(all_boxes.end(), boxes[i].begin(), boxes[i].end());
  }
  const auto patches = static_cast<std::int64_t>(logits.size());
  const std::vector<std::int64_t> logits_shape = {patches, static_cast<std::int64_t>(logits[0].size())};
  const std::vector<std::int64_t> boxes_shape = {patches, 4};
  return labeller.decode(std::vector<OutputView>{{all_logits, logits_shape}, {all_boxes, boxes_shape}}, {1, 1, 0, 0, 100, 50, pass},
                         options);
}

CandidateOptions above(double floor, double nms_iou = 1, int max_detections = 100) {
  CandidateOptions options;
  options.floor = floor;
  options.nms_iou = nms_iou;
  options.max_detections = max_detections;
  return options;
}

constexpr std::array<float, 4> kBox = {0.5F, 0.5F, 0.2F, 0.4F};

// sigmoid(2) = 0.8808, sigmoid(-1) = 0.2689. Patch 2 goes to the negative, patch 3 is below the floor, the box of patch 4 lies
// outside.
TEST(Owl, TheBestTextOfEachPatch) {
  Prompts prompts = prompts_of_names({"cat", "dog"});
  prompts.negatives = {"cow"};
  const auto labeller = asked(prompts);
  EXPECT_EQ(labeller->card().family, "owlvit");
  EXPECT_TRUE(labeller->card().takes_prompts);
  EXPECT_EQ(labeller->passes(), 1);
  const auto found = decoded(*labeller, {{-1, -2, -9}, {1.5F, 2, -9}, {2, 3, 4}, {-5, -6, -9}, {3, 0, -9}},
                             {kBox, kBox, kBox, kBox, {-0.5F, 0.5F, 0.2F, 0.4F}}, above(0.1));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_NEAR(found[0].score, 0.8808, 1e-4);
  EXPECT_EQ(found[1].class_index, 0);
  EXPECT_NEAR(found[1].score, 0.2689, 1e-4);
  EXPECT_NEAR(found[1].box_xywh_px.x, 40, 1e-4);
  EXPECT_NEAR(found[1].box_xywh_px.y, 15, 1e-4);
  EXPECT_NEAR(found[1].box_xywh_px.w, 20, 1e-4);
  EXPECT_NEAR(found[1].box_xywh_px.h, 20, 1e-4);
  CandidateOptions one = above(0.1);
  one.is_class_wanted = {1, 0};
  EXPECT_THAT(decoded(*labeller, {{1, 2, 0}}, {kBox}, one), IsEmpty()) << "the patch is a dog";
}

// Shares of a square of 100 pixels, of which the image is the upper half: from 30 to 70, cut at 50.
TEST(Owl, BoxesOfTheSecondVersionAreSharesOfTheSquare) {
  const auto labeller = asked(prompts_of_names({"cat"}), "owlv2");
  const auto found = decoded(*labeller, {{1}}, {kBox}, above(0.1));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_NEAR(found[0].box_xywh_px.x, 40, 1e-4);
  EXPECT_NEAR(found[0].box_xywh_px.w, 20, 1e-4);
  EXPECT_NEAR(found[0].box_xywh_px.y, 30, 1e-4);
  EXPECT_NEAR(found[0].box_xywh_px.h, 20, 1e-4);
}

TEST(Owl, NothingIsSuppressedUnlessAskedFor) {
  const auto labeller = asked(prompts_of_names({"cat", "dog"}));
  const std::vector<std::vector<float>> logits = {{1, 0}, {2, 0}, {0, 3}};
  EXPECT_EQ(labeller->default_options().nms_iou, 1);
  EXPECT_THAT(decoded(*labeller, logits, {kBox, kBox, kBox}, above(0.1)), SizeIs(3));
  EXPECT_THAT(decoded(*labeller, logits, {kBox, kBox, kBox}, above(0.1, 0.5)), SizeIs(2)) << "the best of each class";
  EXPECT_THAT(decoded(*labeller, logits, {kBox, kBox, kBox}, above(0.1, 1, 1)), SizeIs(1));
}

TEST(Owl, PhrasingsAreOneClass) {
  Prompts prompts;
  prompts.classes = {{"pet", {"cat", "dog"}}, {"car", {"car"}}};
  const auto labeller = asked(prompts);
  EXPECT_THAT(labeller->class_names(), ElementsAre("pet", "car"));
  const auto found = decoded(*labeller, {{0, 2, 1}, {2, 0, 1}, {0, 1, 2}}, {kBox, kBox, kBox}, above(0.1));
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].class_index + found[1].class_index + found[2].class_index, 1);
}

TEST(Owl, PassesAreMergedPatchByPatch) {
  Prompts prompts = prompts_of_names({"cat", "dog", "car"});
  prompts.negatives = {"cow"};
  const auto labeller = asked(prompts, "owlvit", 3);
  ASSERT_EQ(labeller->passes(), 2);
  EXPECT_THAT(labeller->notes(), Contains(HasSubstr("3 classes are asked in 2 parts: each image takes 2 inferences")));
  // Columns: cat, dog, cow in the first pass; car, cow and one without a text in the second.
  const float none = std::numeric_limits<float>::lowest();
  const std::vector<std::array<float, 4>> boxes = {kBox, kBox, kBox, kBox};
  std::vector<std::vector<Candidate>> passes = {
      decoded(*labeller, {{1, 0, -9}, {1, 0, -9}, {0, 1, 5}, {0, 1, -9}}, boxes, above(0.1, 1, 2), 0),
      decoded(*labeller, {{2, -9, none}, {0.5F, -9, none}, {2, 5, none}, {-9, -9, none}}, boxes, above(0.1, 1, 2), 1),
  };
  EXPECT_THAT(passes[0], SizeIs(3)) << "what is found is cut after merging";
  const auto all = labeller->merge(passes, above(0.1));
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0].class_index, 2);
  EXPECT_EQ(all[0].place, 0);
  EXPECT_EQ(all[1].class_index, 0);
  EXPECT_EQ(all[1].place, 1);
  EXPECT_EQ(all[2].class_index, 1);
  EXPECT_EQ(all[2].place, 3);
  EXPECT_THAT(labeller->merge(passes, above(0.1, 1, 2)), SizeIs(2));
}

TEST(Owl, EveryPassHasTheSameShape) {
  std::vector<std::string> names;
  for (int i = 0; i < 1203; ++i) {
    names.push_back(fmt::format("c{}", i));
  }
  const auto labeller = asked(prompts_of_names(names));
  EXPECT_EQ(labeller->passes(), 3);
  EXPECT_THAT(labeller->graph().inputs[0].shape, ElementsAre(401, 16));
  EXPECT_FALSE(labeller->graph().inputs[0].has_batch);
  EXPECT_EQ(labeller->graph().fixed_batch, 1);
  EXPECT_THAT(labeller->notes(), Contains(HasSubstr("1,203 classes are asked in 3 parts")));
}

TEST(Owl, TextsThatAreNotThereBeginWithZero) {
  const auto labeller = asked(prompts_of_names({"cat", "dog", "car"}), "owlvit", 2);
  ASSERT_EQ(labeller->passes(), 2);
  std::vector<std::int64_t> ids(32, -1);
  std::vector<std::int64_t> mask(32, -1);
  std::vector<float> pixels(std::size_t{3} * 96 * 96);
  const std::vector<InputView> views = {{{}, ids}, {pixels, {}}, {{}, mask}};
  Image scratch;
  Image image(20, 10);
  std::ranges::fill(image.pixels(), std::uint8_t{7});
  labeller->preprocess(image, views, scratch, 1);
  EXPECT_EQ(ids[0], 632);
  EXPECT_EQ(ids[16], 0);
  EXPECT_THAT(std::vector(mask.begin() + 16, mask.end()), ElementsAre(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

TEST(Owl, SwappedOutputsAreRefused) {
  // With four texts the shapes would be the same.
  const auto labeller = asked(prompts_of_names({"a", "b", "c", "d"}));
  EXPECT_THAT(labeller->graph().inputs[0].shape, ElementsAre(5, 16));
  const std::vector<float> logits(10);
  const std::vector<float> boxes(8);
  const std::vector<std::int64_t> logits_shape = {2, 5};
  const std::vector<std::int64_t> boxes_shape = {2, 4};
  const Error error = error_of([&] {
    labeller->decode(std::vector<OutputView>{{boxes, boxes_shape}, {logits, logits_shape}}, {1, 1, 0, 0, 9, 9}, above(0.1));
  });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), HasSubstr("[2, 4]; [2, 5]"));
}

/// What is wrong with a copy of the fixture in which something was changed.
std::string fault_of(const std::function<void(const fs::path&)>& change, GraphInfo graph = owl_graph(),
                     const Prompts& prompts = prompts_of_names({"cat"})) {
  return loading_fault(owl("owlvit"), change, std::move(graph), prompts);
}

TEST(Owl, WhatCannotBeAskedIsRefused) {
  std::string longer;
  for (int i = 0; i < 30; ++i) {
    longer += "very ";
  }
  EXPECT_THAT(fault_of({}, owl_graph(), prompts_of_names({longer + "long"})), HasSubstr("the model reads 16; say it shorter"));
  Prompts prompts = prompts_of_names({"cat"});
  prompts.templates = {"a {}", "the {}"};
  EXPECT_THAT(fault_of({}, owl_graph(), prompts), HasSubstr("cannot average over 2 templates"));
  EXPECT_THAT(fault_of({}, owl_graph(), prompts_of_names({"cat", ""})), HasSubstr("empty name"));
  EXPECT_THAT(asked(prompts_of_names({"Cat", "cat"}))->notes(), Contains(HasSubstr("'Cat' and 'cat'")));
  EXPECT_THAT(loaded({})->class_names(), IsEmpty()) << "without classes it is described";
}

TEST(Owl, FilesThatDoNotBelongTogetherAreRefused) {
  EXPECT_THAT(fault_of([](const fs::path& folder) { fs::remove(folder / "tokenizer.json"); }),
              HasSubstr("there is no tokenizer.json"));
  EXPECT_THAT(fault_of([](const fs::path& folder) { fs::remove(folder / "config.json"); }), HasSubstr("config.json"));
  EXPECT_THAT(fault_of([](const fs::path& folder) {
                fs::copy_file(fixtures() / "open_vocabulary/grounding-dino/tokenizer.json", folder / "tokenizer.json",
                              fs::copy_options::overwrite_existing);
              }),
              HasSubstr("it belongs to another model"));
  EXPECT_THAT(fault_of([](const fs::path& folder) {
                replace_in(folder / "config.json", "\"vocab_size\": 634", "\"vocab_size\": 2000");
                fs::copy_file(fixtures() / "open_vocabulary/grounding-dino/tokenizer.json", folder / "tokenizer.json",
                              fs::copy_options::overwrite_existing);
              }),
              HasSubstr("does not put texts between"));
  EXPECT_THAT(fault_of([](const fs::path& folder) {
                fs::copy_file(owl("owlv2") / "preprocessor_config.json", folder / "preprocessor_config.json",
                              fs::copy_options::overwrite_existing);
              }),
              HasSubstr("cannot be prepared so"));
  GraphInfo pairs = owl_graph();
  pairs.inputs[1].shape[0] = 2;
  EXPECT_THAT(fault_of({}, pairs), HasSubstr("2 images at a time"));
}

TEST(Owl, AGraphOfSoManyTextsGetsSoMany) {
  GraphInfo graph = owl_graph();
  graph.inputs[0].shape = {8, 16};
  graph.inputs[2].shape = {8, 16};
  StatedGraphEngine engine(graph);
  LoadOptions options;
  options.prompts = prompts_of_names({"a", "b", "c", "d", "e", "f", "g", "h", "i"});
  const auto labeller = load_labeller(engine, owl("owlvit"), options);
  EXPECT_EQ(labeller->passes(), 2);
  EXPECT_THAT(labeller->graph().inputs[0].shape, ElementsAre(8, 16));
}

}  // namespace
}  // namespace verilabel
