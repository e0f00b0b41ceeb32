#include <limits>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"
#include "verilabel/text/tokenizer.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr ElementType kF32 = ElementType::f32;
constexpr ElementType kI64 = ElementType::i64;
constexpr ElementType kBoolean = ElementType::boolean;
constexpr float kNever = -std::numeric_limits<float>::infinity();

fs::path dino(const char* name = "grounding-dino") {
  return fixtures() / "open_vocabulary" / name;
}

GraphInfo graph() {
  return {{{"pixel_values", kF32, {-1, 3, -1, -1}},
           {"input_ids", kI64, {-1, -1}},
           {"token_type_ids", kI64, {-1, -1}},
           {"attention_mask", kI64, {-1, -1}},
           {"pixel_mask", kI64, {-1, -1, -1}}},
          {{"logits", kF32, {-1, -1, -1}}, {"pred_boxes", kF32, {-1, -1, 4}}},
          {}};
}

GraphInfo idea_graph(std::int64_t height, std::int64_t width) {
  return {{{"img", kF32, {1, 3, height, width}},
           {"input_ids", kI64, {1, -1}},
           {"attention_mask", kBoolean, {1, -1}},
           {"position_ids", kI64, {1, -1}},
           {"token_type_ids", kI64, {1, -1}},
           {"text_token_mask", kBoolean, {1, -1, -1}}},
          {{"logits", kF32, {1, 900, 256}}, {"boxes", kF32, {1, 900, 4}}},
          {}};
}

std::unique_ptr<Labeller> asked(const Prompts& prompts, std::size_t texts_per_pass = 0) {
  StatedGraphEngine engine(graph());
  LoadOptions options;
  options.prompts = prompts;
  options.texts_per_pass = texts_per_pass;
  return load_labeller(engine, dino(), options);
}

CandidateOptions above(double floor, double nms_iou = 1) {
  CandidateOptions options;
  options.floor = floor;
  options.nms_iou = nms_iou;
  return options;
}

/// Logits of each query, all of one length.
std::vector<Candidate> decoded(const Labeller& labeller, const std::vector<std::vector<float>>& logits,
                               const CandidateOptions& options, int pass = 0) {
  std::vector<float> values;
  std::vector<float> boxes;
  for (const std::vector<float>& row : logits) {
    values.insert(values.end(), row.begin(), row.end());
    boxes.insert(boxes.end(), {0.5F, 0.5F, 0.2F, 0.4F});
  }
  const auto queries = static_cast<std::int64_t>(logits.size());
  const std::vector<std::int64_t> logits_shape = {queries, static_cast<std::int64_t>(logits[0].size())};
  const std::vector<std::int64_t> boxes_shape = {queries, 4};
  return labeller.decode(std::vector<OutputView>{{values, logits_shape}, {boxes, boxes_shape}}, {1, 1, 0, 0, 100, 50, pass},
                         options);
}

std::vector<std::int64_t> ids_of(const Labeller& labeller, int pass) {
  std::vector<std::vector<float>> f32;
  std::vector<std::vector<std::int64_t>> i64;
  std::vector<InputView> views;
  for (const InputPart& part : labeller.graph().inputs) {
    f32.emplace_back(part.is_i64 ? 0 : part.size());
    i64.emplace_back(part.is_i64 ? part.size() : 0);
  }
  for (std::size_t i = 0; i < f32.size(); ++i) {
    views.push_back({f32[i], i64[i]});
  }
  Image scratch;
  Image image(20, 10);
  std::ranges::fill(image.pixels(), std::uint8_t{7});
  labeller.preprocess(image, views, scratch, pass);
  return i64[1];
}

std::vector<std::int64_t> encoded(const std::string& text) {
  return Tokenizer::load(dino() / "tokenizer.json").encode(text).ids;
}

// [CLS] cat . d ##og . [SEP]: the tokens of each class alone count, and not the separators, whatever their logits are. sigmoid(1) =
// 0.7311, sigmoid(2) = 0.8808.
TEST(GroundingDino, AClassIsTheTokensThatItBecame) {
  const auto labeller = asked(prompts_of_names({"cat", "dog"}));
  EXPECT_EQ(labeller->graph().fixed_batch, 1);
  const std::size_t cat = encoded("cat").size() - 2;
  const std::size_t dog = encoded("dog").size() - 2;
  const std::size_t length = cat + dog + 4;
  ASSERT_THAT(labeller->graph().inputs[1].shape, ElementsAre(static_cast<std::int64_t>(length)));
  EXPECT_EQ(ids_of(*labeller, 0), encoded("cat. dog."));
  std::vector<float> first(256, kNever);
  std::fill_n(first.begin(), length, 9.0F);  // marks and separators
  std::fill_n(first.begin() + 1, cat, -3.0F);
  first[cat] = 1;  // the last of the tokens of cat
  std::fill_n(first.begin() + static_cast<std::ptrdiff_t>(cat) + 2, dog, 0.5F);
  std::vector<float> second = first;
  second[cat + 2] = 2;  // the first of the tokens of dog
  std::vector<float> third(256, kNever);
  third[0] = 9;
  const auto found = decoded(*labeller, {first, second, third}, above(0.3));
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 1);
  EXPECT_NEAR(found[0].score, 0.8808, 1e-4);
  EXPECT_EQ(found[1].class_index, 0);
  EXPECT_NEAR(found[1].score, 0.7311, 1e-4);
  EXPECT_NEAR(found[1].box_xywh_px.x, 40, 1e-4);
  EXPECT_NEAR(found[1].box_xywh_px.h, 20, 1e-4);
  EXPECT_THAT(decoded(*labeller, {second, second}, above(0.3)), SizeIs(2));
  EXPECT_THAT(decoded(*labeller, {second, second}, above(0.3, 0.5)), SizeIs(1));
}

TEST(GroundingDino, PhrasingsAreOneClassAndNegativesTakeQueries) {
  Prompts prompts;
  prompts.classes = {{"pet", {"cat", "dog"}}};
  prompts.negatives = {"car"};
  const auto labeller = asked(prompts);
  EXPECT_EQ(ids_of(*labeller, 0), encoded("cat. dog. car."));
  const std::size_t cat = encoded("cat").size() - 2;
  const std::size_t dog = encoded("dog").size() - 2;
  std::vector<float> row(256, kNever);
  row[1] = 0;
  row[cat + 2] = 1;
  row[cat + dog + 3] = 0.5F;
  const auto found = decoded(*labeller, {row}, above(0.1));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].class_index, 0);
  EXPECT_NEAR(found[0].score, 0.7311, 1e-4);
  row[cat + dog + 3] = 1.5F;
  EXPECT_THAT(decoded(*labeller, {row}, above(0.1)), IsEmpty());
}

TEST(GroundingDino, NamesThatWereNotAskedForCannotComeOut) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal(0, 3);
  const auto labeller = asked(prompts_of_names({"remote control", "cat", "fire hydrant"}));
  for (int round = 0; round < 20; ++round) {
    std::vector<std::vector<float>> logits(50, std::vector<float>(256));
    for (std::vector<float>& row : logits) {
      std::ranges::generate(row, [&] { return normal(random); });
    }
    for (const Candidate& candidate : decoded(*labeller, logits, above(0))) {
      EXPECT_GE(candidate.class_index, 0);
      EXPECT_LT(candidate.class_index, 3);
    }
  }
}

TEST(GroundingDino, MarksThatEndAPhraseAreTakenOutAndSaid) {
  const auto labeller = asked(prompts_of_names({"U.S. car?", "cat"}));
  EXPECT_THAT(labeller->class_names(), ElementsAre("U.S. car?", "cat"));
  EXPECT_EQ(ids_of(*labeller, 0), encoded("u s  car. cat."));
  EXPECT_THAT(labeller->notes(),
              Contains(AllOf(HasSubstr("full stops and question marks"), HasSubstr("'U.S. car?'"), Not(HasSubstr("cat")))));
}

TEST(GroundingDino, WordsThatTheModelDoesNotKnowAreSaid) {
  const auto labeller = asked(prompts_of_names({"日本", "cat"}));
  EXPECT_THAT(labeller->notes(), Contains(AllOf(HasSubstr("knows no part of these"), HasSubstr("'日本'"), Not(HasSubstr("cat")))));
  EXPECT_THAT(asked(prompts_of_names({"日本", "韓国"}))->notes(), Contains(HasSubstr("cannot tell them apart: '日本' and '韓国'")));
}

TEST(GroundingDino, NoNameIsTakenForAMark) {
  EXPECT_EQ(ids_of(*asked(prompts_of_names({"[SEP] cat"})), 0), encoded("[sep] cat."));
}

TEST(GroundingDino, LongListsAreAskedInEvenParts) {
  std::vector<std::string> names;
  for (int i = 0; i < 1203; ++i) {
    names.push_back(fmt::format("cat {}", i));
  }
  const auto labeller = asked(prompts_of_names(names));
  const int passes = labeller->passes();
  EXPECT_GT(passes, 10);
  EXPECT_THAT(
      labeller->notes(),
      Contains(HasSubstr(fmt::format("1,203 classes are asked in {} parts: each image takes {} inferences", passes, passes))));
  EXPECT_THAT(labeller->notes(), Contains(HasSubstr("compete")));
  const auto length = static_cast<std::size_t>(labeller->graph().inputs[1].shape[0]);
  EXPECT_LE(length, 256U);
  std::size_t classes = 0;
  std::size_t shortest = length;
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<std::int64_t> ids = ids_of(*labeller, pass);
    ASSERT_EQ(ids.size(), length) << "one shape for all";
    while (ids.back() == 0) {
      ids.pop_back();
    }
    shortest = std::min(shortest, ids.size());
    classes += static_cast<std::size_t>(std::ranges::count(ids, 1012));
  }
  EXPECT_EQ(classes, 1203U);
  EXPECT_GT(shortest, length * 2 / 3) << "parts are about even";
  // Of another pass, other classes.
  std::vector<float> row(256, 1);
  EXPECT_EQ(decoded(*labeller, {row}, above(0.1), 0).front().class_index, 0);
  EXPECT_GT(decoded(*labeller, {row}, above(0.1), passes - 1).front().class_index, 1100);
}

TEST(GroundingDino, TenThousandClassesAreAsked) {
  std::vector<std::string> names;
  for (int i = 0; i < 10000; ++i) {
    names.push_back(fmt::format("c{}", i));
  }
  EXPECT_THAT(asked(prompts_of_names(names))->notes(), Contains(HasSubstr("10,000 classes are asked in")));
}

std::string fault_of(const std::function<void(const fs::path&)>& change, GraphInfo stated = graph(),
                     const Prompts& prompts = prompts_of_names({"cat"})) {
  return loading_fault(dino(), change, std::move(stated), prompts);
}

TEST(GroundingDino, WhatCannotBeAskedIsRefused) {
  std::string longer;
  for (int i = 0; i < 300; ++i) {
    longer += "cat ";
  }
  EXPECT_THAT(fault_of({}, graph(), prompts_of_names({longer})),
              HasSubstr("the model reads 256 with the marks around it; say it shorter"));
  EXPECT_THAT(fault_of({}, graph(), prompts_of_names({"cat", "..."})), HasSubstr("'...' is no phrase to this model"));
  Prompts many = prompts_of_names({"cat"});
  for (int i = 0; i < 200; ++i) {
    many.negatives.push_back(fmt::format("dog {}", i));
  }
  EXPECT_THAT(fault_of({}, graph(), many), HasSubstr("and the 200 negatives are together more than the model reads"));
  Prompts averaged = prompts_of_names({"cat"});
  averaged.templates = {"a {}", "the {}"};
  EXPECT_THAT(fault_of({}, graph(), averaged), HasSubstr("cannot average"));
}

TEST(GroundingDino, FilesThatDoNotBelongTogetherAreRefused) {
  EXPECT_THAT(fault_of([](const fs::path& folder) { fs::remove(folder / "tokenizer.json"); }),
              HasSubstr("there is no tokenizer.json"));
  EXPECT_THAT(fault_of([](const fs::path& folder) { fs::remove(folder / "preprocessor_config.json"); }),
              HasSubstr("preprocessor_config.json is missing"));
  EXPECT_THAT(fault_of([](const fs::path& folder) {
                fs::copy_file(fixtures() / "open_vocabulary/owlvit/tokenizer.json", folder / "tokenizer.json",
                              fs::copy_options::overwrite_existing);
              }),
              HasSubstr("does not know '[CLS]' by the number 101"));
  EXPECT_THAT(
      fault_of([](const fs::path& folder) { replace_in(folder / "config.json", "\"vocab_size\": 1253", "\"vocab_size\": 1000"); }),
      HasSubstr("it belongs to another model"));
}

TEST(GroundingDino, SwappedAndShortOutputsAreRefused) {
  const auto labeller = asked(prompts_of_names({"cat", "dog"}));
  const std::vector<float> values(2048);
  const std::vector<std::int64_t> logits = {2, 256};
  const std::vector<std::int64_t> boxes = {2, 4};
  const std::vector<std::int64_t> few = {2, 5};
  const auto fault = [&](const std::vector<std::int64_t>& first, const std::vector<std::int64_t>& second) {
    const auto output = [&](const std::vector<std::int64_t>& shape) {
      return OutputView{std::span(values).first(static_cast<std::size_t>(shape[0] * shape[1])), shape};
    };
    const Error error =
        error_of([&] { labeller->decode(std::vector<OutputView>{output(first), output(second)}, {1, 1, 0, 0, 9, 9}, above(0.1)); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    return std::string(error.what());
  };
  EXPECT_THAT(fault(boxes, logits), HasSubstr("[2, 4]; [2, 256]"));
  EXPECT_THAT(fault(few, boxes), HasSubstr("scores of 5 tokens"));
  EXPECT_THAT(fault(logits, {3, 4}), HasSubstr("3 boxes"));
}

TEST(GroundingDino, GraphsOfIdeaFillTheirInput) {
  const auto load = [](std::int64_t height, std::int64_t width, const std::string& manifest) {
    const ModelFolder folder;
    fs::copy_file(dino() / "tokenizer.json", folder.model().parent_path() / "tokenizer.json");
    if (!manifest.empty()) {
      folder.write("model.verilabel.json", manifest);
    }
    StatedGraphEngine engine(idea_graph(height, width));
    LoadOptions options;
    options.prompts = prompts_of_names({"cat"});
    return load_labeller(engine, folder.model(), options);
  };
  const auto fixed = load(80, 120, "");
  EXPECT_EQ(fixed->input_width(), 120);
  EXPECT_THAT(fixed->card().preprocessing, HasSubstr("stretched to 120 x 80"));
  EXPECT_EQ(fixed->graph().fixed_batch, 1);
  EXPECT_EQ(load(-1, -1, R"({"fit": "stretch", "input_size": [64, 96]})")->input_height(), 64);
  const Error error = error_of([&] { load(-1, -1, ""); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), HasSubstr("pixel_mask"));
}

}  // namespace
}  // namespace verilabel
