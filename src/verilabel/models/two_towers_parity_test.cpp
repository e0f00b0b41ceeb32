// Equality of CLIP and SigLIP with transformers on the fixtures that tests/parity/export_embeddings.py made: tensors bit for bit,
// tokens alike, scores within tolerance, for each set of templates, from one graph and from two, in each engine.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/family.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"
#include "verilabel/models/text_tower.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using testing::AllOf;
using testing::HasSubstr;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

std::vector<fs::path> cases() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fixtures() / "embedding")) {
    if (json_of(entry.path() / "expected.json").at("kind") == "zero_shot_classification") {
      folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders);
  return folders;
}

/// The model as a folder, and its graph of both towers where there is also a graph of each.
std::vector<fs::path> forms_of(const fs::path& folder) {
  std::vector<fs::path> forms = {folder};
  if (fs::exists(folder / "onnx" / "model.onnx") && fs::exists(folder / "onnx" / "vision_model.onnx")) {
    forms.push_back(folder / "onnx" / "model.onnx");
  }
  return forms;
}

Image image_of(const json& item) {
  return fixture_image(item.at("file").get<std::string>());
}

LoadOptions asking(const json& expected, const json& prompt) {
  LoadOptions options;
  options.prompts = prompts_of_names(expected.at("labels").get<std::vector<std::string>>());
  options.prompts.templates = prompt.at("templates").get<std::vector<std::string>>();
  return options;
}

std::vector<double> scores_of(const std::vector<Candidate>& candidates, std::size_t classes) {
  std::vector<double> scores(classes, 0);
  for (const Candidate& candidate : candidates) {
    EXPECT_EQ(candidate.kind, LabelKind::classification);
    scores[static_cast<std::size_t>(candidate.class_index)] = candidate.score;
  }
  return scores;
}

struct Differences {
  int images = 0;
  int tensors = 0;
  int scores = 0;
  double greatest = 0;
};

Differences compare(const fs::path& model, const json& expected, const json& prompt, const ImageChange& change = {},
                    const char* engine = "openvino", const std::optional<fs::path>& manifest = std::nullopt) {
  LoadOptions asked = asking(expected, prompt);
  asked.manifest = manifest;
  Runner runner(model, asked, engine);
  const std::size_t classes = runner.labeller().class_names().size();
  CandidateOptions options = runner.labeller().default_options();
  options.floor = 0;
  options.max_detections = 1000;
  Differences differences;
  for (const json& item : expected.at("images")) {
    Image image = image_of(item);
    if (change) {
      change(image);
    }
    ++differences.images;
    differences.tensors += sha256_of_floats(runner.prepare(image)) == item.at("tensor_sha256").get<std::string>() ? 0 : 1;
    const std::vector<double> ours = scores_of(runner.candidates(options), classes);
    const auto theirs = item.at("scores").at(prompt.at("name").get<std::string>()).get<std::vector<double>>();
    for (std::size_t i = 0; i < classes; ++i) {
      differences.scores += std::abs(ours[i] - theirs[i]) <= kScoreTolerance ? 0 : 1;
      differences.greatest = std::max(differences.greatest, std::abs(ours[i] - theirs[i]));
    }
  }
  return differences;
}

class TwoTowersParityOn : public ::testing::TestWithParam<const char*> {};

TEST_P(TwoTowersParityOn, TensorsBitForBitAndTheSameScores) {
  if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  EXPECT_GE(cases().size(), 4U);
  for (const fs::path& folder : cases()) {
    const json expected = json_of(folder / "expected.json");
    for (const fs::path& model : forms_of(folder)) {
      SCOPED_TRACE(model.native());
      for (const json& prompt : expected.at("prompts")) {
        if (model != folder && prompt != expected.at("prompts").front()) {
          continue;  // the same texts as from a graph of their own
        }
        const Differences differences = compare(model, expected, prompt, {}, GetParam());
        EXPECT_GE(differences.images, 20);
        EXPECT_EQ(differences.tensors, 0);
        EXPECT_EQ(differences.scores, 0);
        std::printf("%-24s %-10s scores differ by at most %.1e\n", model.lexically_relative(folder.parent_path()).c_str(),
                    prompt.at("name").get<std::string>().c_str(), differences.greatest);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, TwoTowersParityOn, ::testing::ValuesIn(kTestedEngines), engine_of);

TEST(TwoTowersParity, TheSameTokensAndThePaddingOfTheModel) {
  const auto engine = open_engine("openvino");
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const ModelFiles files = find_model_files(folder);
    const fs::path graph = files.companion.empty() ? files.graph : files.companion;
    const LoadOptions options;
    const ModelSource source{.engine = *engine,
                             .options = options,
                             .graph = engine->inspect(files.graph),
                             .companion = {},
                             .manifest = {},
                             .files = files,
                             .weights_sha256 = {}};
    const TextTower tower = text_tower_of(source, graph, engine->inspect(graph), 0, read_model_config(files.config));
    const json padding = expected.value("padding", json());
    EXPECT_EQ(tower.pads_to_max, !padding.is_null());
    if (!padding.is_null()) {
      EXPECT_EQ(tower.max_tokens, padding.at("length").get<int>());
      EXPECT_EQ(tower.pad_id, padding.at("id").get<std::int64_t>());
    }
    int compared = 0;
    for (const json& item : expected.at("texts")) {
      const auto text = item.at("text").get<std::string>();
      const auto ids = item.at("input_ids").get<std::vector<std::int64_t>>();
      if (ids.size() == static_cast<std::size_t>(tower.max_tokens)) {  // cut there
        EXPECT_EQ(error_of([&] { tokens_of(tower, text); }).code(), ErrorCode::wrong_use) << text;
      } else {
        EXPECT_EQ(tokens_of(tower, text), ids) << text;
        ++compared;
      }
    }
    EXPECT_GE(compared, 60);
  }
}

TEST(TwoTowersParity, EncodingCanBeStoppedAndGoesOnWhereItWas) {
  const auto engine = open_engine("openvino");
  const fs::path cache = fs::path(testing::TempDir()) / fmt::format("verilabel-texts-{}", ::getpid());
  std::vector<std::string> names;
  for (int i = 0; i < 600; ++i) {
    names.push_back(fmt::format("thing {}", i));
  }
  CancelToken cancel;
  std::vector<std::int64_t> totals;
  LoadOptions options;
  options.prompts = prompts_of_names(names);
  options.text_cache = cache;
  options.cancel = &cancel;
  options.progress = [&](const Progress& progress) {
    totals.push_back(progress.total);
    cancel.request();
  };
  EXPECT_EQ(error_of([&] { load_labeller(*engine, cases().front(), options); }).code(), ErrorCode::interrupted);
  EXPECT_EQ(totals, std::vector<std::int64_t>{600});
  options.cancel = nullptr;
  load_labeller(*engine, cases().front(), options);
  EXPECT_EQ(totals.at(1), 600 - 256);
  fs::remove_all(cache);
}

TEST(TwoTowersParity, PlantedFaultsAreFound) {
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const json& prompt = expected.at("prompts").front();
    const auto expect_found = [](const char* fault, const Differences& differences, bool is_of_image) {
      EXPECT_GT(differences.scores, 0) << fault;
      if (is_of_image) {
        EXPECT_GT(differences.tensors, differences.images / 2) << fault;
      }
    };
    expect_found("red and blue swapped", compare(folder, expected, prompt, swap_red_and_blue), true);
    expect_found("shifted by a pixel", compare(folder, expected, prompt, shift_by_a_pixel), true);
    const json processor = json_of(folder / "preprocessor_config.json");
    const int other_filter = processor.at("resample") == 2 ? 3 : 2;
    expect_found("another kernel", compare(FaultyModel(folder, "resample", std::to_string(other_filter)).path(), expected, prompt),
                 true);
    expect_found("another mean", compare(FaultyModel(folder, "image_mean", "[0.4, 0.45, 0.5]").path(), expected, prompt), true);
    json other_prompt = prompt;
    other_prompt["templates"] = {"This is a photo of {}"};
    if (folder.filename() == "siglip") {
      EXPECT_EQ(compare(folder, expected, other_prompt).scores, 0) << "it reads no punctuation";
    } else {
      expect_found("a template without its full stop", compare(folder, expected, other_prompt), false);
    }
    if (!expected.value("padding", json()).is_null()) {
      const auto with = [&](const char* key, const char* value) {
        return compare(FaultyModel(folder, key, value, "tokenizer_config.json").path(), expected, prompt);
      };
      expect_found("padded to fewer tokens", with("model_max_length", "32"), false);
      expect_found("padded with another token", with("pad_token", "\"<unk>\""), false);
      expect_found("padded on the left", with("padding_side", "\"left\""), false);
    }
  }
}

TEST(TwoTowers, PhrasingsAreOneClassAndNegativesTakeTheirShareAndWhatTheyWin) {
  const fs::path folder = fixtures() / "embedding" / "clip";
  const json expected = json_of(folder / "expected.json");
  const json& prompt = expected.at("prompts").front();
  const auto labels = expected.at("labels").get<std::vector<std::string>>();
  LoadOptions options = asking(expected, prompt);
  options.prompts.classes.clear();
  options.prompts.classes.push_back({"animal or thing", {labels[0], labels[1]}});
  options.prompts.classes.push_back({labels[2], {labels[2]}});
  options.prompts.negatives = {labels[3], labels[4]};
  Runner runner(folder, options);
  EXPECT_THAT(runner.labeller().class_names(), testing::ElementsAre("animal or thing", labels[2]));
  int kept = 0;
  int dropped = 0;
  for (const json& item : expected.at("images")) {
    runner.prepare(image_of(item));
    const std::vector<Candidate> candidates = runner.candidates({.floor = 0, .max_detections = 10});
    const auto logits = item.at("logits").at(prompt.at("name").get<std::string>()).get<std::vector<double>>();
    const std::vector<double> classes = {std::max(logits[0], logits[1]), logits[2]};
    double sum = std::exp(classes[0]) + std::exp(classes[1]);
    double rival = 0;
    for (std::size_t i = 3; i < 5; ++i) {
      sum += std::exp(logits[i]);
      rival = std::max(rival, std::exp(logits[i]));
    }
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const auto found = std::ranges::find(candidates, static_cast<std::int32_t>(i), &Candidate::class_index);
      const bool is_won = std::exp(classes[i]) < rival;
      ASSERT_EQ(found == candidates.end(), is_won) << item.at("file");
      if (!is_won) {
        EXPECT_NEAR(found->score, std::exp(classes[i]) / sum, kScoreTolerance);
      }
      (is_won ? dropped : kept)++;
    }
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(dropped, 0);
}

TEST(TwoTowers, ClassesOfSiglipDoNotCompeteButWithNegatives) {
  for (const char* name : {"siglip", "siglip2"}) {
    const fs::path folder = fixtures() / "embedding" / name;
    const json expected = json_of(folder / "expected.json");
    const json& prompt = expected.at("prompts").front();
    const auto labels = expected.at("labels").get<std::vector<std::string>>();
    LoadOptions options = asking(expected, prompt);
    options.prompts.classes = {{"animal or thing", {labels[0], labels[1]}}};
    options.prompts.negatives = {labels[2], labels[3]};
    Runner runner(folder, options);
    int dropped = 0;
    for (const json& item : expected.at("images")) {
      runner.prepare(image_of(item));
      const std::vector<Candidate> ours = runner.candidates({.floor = 0, .max_detections = 10});
      const auto logits = item.at("logits").at(prompt.at("name").get<std::string>()).get<std::vector<double>>();
      const double best = std::max(logits[0], logits[1]);
      if (best < std::max(logits[2], logits[3])) {
        EXPECT_TRUE(ours.empty());
        ++dropped;
      } else {
        ASSERT_EQ(ours.size(), 1U);
        EXPECT_NEAR(ours[0].score, 1 / (1 + std::exp(-best)), kScoreTolerance);
      }
    }
    EXPECT_GT(dropped, 0) << name;
    EXPECT_LT(dropped, static_cast<int>(expected.at("images").size())) << name;
  }
}

TEST(TwoTowers, FactorAndOffsetOfSiglipComeFromTheGraphOfBothOrAManifest) {
  const fs::path folder = fixtures() / "embedding" / "siglip";
  const json expected = json_of(folder / "expected.json");
  const json& prompt = expected.at("prompts").front();
  const FaultyModel towers(folder, "resample", json_of(folder / "preprocessor_config.json").at("resample").dump());
  fs::remove(towers.path() / "onnx" / "model.onnx");
  const auto engine = open_engine("openvino");
  const Error error = error_of([&] { load_labeller(*engine, towers.path(), asking(expected, prompt)); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), HasSubstr("logit_scale and logit_bias"));
  const auto differences = [&](double scale, double bias) {
    const fs::path manifest = towers.path() / "stated.json";
    std::ofstream(manifest) << json{{"logit_scale", scale}, {"logit_bias", bias}};
    return compare(towers.path(), expected, prompt, {}, "openvino", manifest).scores;
  };
  const auto scale = expected.at("logit_scale").get<double>();
  const auto bias = expected.at("logit_bias").get<double>();
  EXPECT_EQ(differences(scale, bias), 0);
  EXPECT_GT(differences(scale, 0), 0);
  EXPECT_GT(differences(scale + 1, bias), 0);
  for (const auto& [given, missing] : {std::pair("logit_scale", "logit_bias"), std::pair("logit_bias", "logit_scale")}) {
    const fs::path manifest = towers.path() / "half.json";
    std::ofstream(manifest) << json{{given, 2}};
    const Error half = error_of([&] { compare(towers.path(), expected, prompt, {}, "openvino", manifest); });
    EXPECT_THAT(half.what(), AllOf(HasSubstr("give both"), HasSubstr(missing), HasSubstr("half.json")));
  }
}

TEST(TwoTowers, WhatCannotBeAskedIsRefused) {
  const fs::path folder = fixtures() / "embedding" / "clip-towers";
  const auto fault = [&](const Prompts& prompts) {
    LoadOptions options;
    options.prompts = prompts;
    const auto engine = open_engine("openvino");
    const Error error = error_of([&] { load_labeller(*engine, folder, options); });
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    return std::string(error.what());
  };
  EXPECT_THAT(fault(prompts_of_names({"dog"})), HasSubstr("--negatives"));
  std::string longer;
  for (int i = 0; i < 100; ++i) {
    longer += "very ";
  }
  EXPECT_THAT(fault(prompts_of_names({"dog", longer + "long"})), HasSubstr("the model reads 77"));
  EXPECT_THAT(fault(prompts_of_names({"dog", "dog"})), HasSubstr("named twice"));
  const auto engine = open_engine("openvino");
  const auto described = load_labeller(*engine, folder);
  EXPECT_TRUE(described->card().takes_prompts);
  EXPECT_TRUE(described->class_names().empty());
}

TEST(TwoTowers, TowersThatCannotBeComparedAreRefused) {
  const fs::path folder = fixtures() / "embedding" / "clip-towers";
  const auto fault = [&](const char* of_image, const char* of_text) {
    TwoGraphEngine engine({{{"pixel_values", ElementType::f32, {-1, 3, -1, -1}}}, {{of_image, ElementType::f32, {-1, 32}}}, {}},
                          {{{"input_ids", ElementType::i64, {-1, -1}}}, {{of_text, ElementType::f32, {-1, 32}}}, {}},
                          "vision_model");
    return std::string(error_of([&] { load_labeller(engine, folder); }).what());
  };
  EXPECT_THAT(fault("pooler_output", "text_embeds"), HasSubstr("before its projection"));
  EXPECT_THAT(fault("image_embeds", "pooler_output"), HasSubstr("before its projection"));
}

TEST(TwoTowers, TokenizersOfOtherModelsAreRefused) {
  const auto fault = [](const char* name, const fs::path& tokenizer) {
    const FaultyModel copy(fixtures() / "embedding" / name);
    fs::copy_file(tokenizer, copy.path() / "tokenizer.json", fs::copy_options::overwrite_existing);
    const auto engine = open_engine("openvino");
    LoadOptions options;
    options.prompts = prompts_of_names({"cat", "dog"});
    const Error error = error_of([&] { load_labeller(*engine, copy.path(), options); });
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << name << ' ' << tokenizer;
    return std::string(error.what());
  };
  const fs::path clip = fixtures() / "embedding" / "clip" / "tokenizer.json";
  const fs::path siglip = fixtures() / "embedding" / "siglip" / "tokenizer.json";
  const fs::path bert = fixtures() / "open_vocabulary" / "grounding-dino" / "tokenizer.json";
  for (const fs::path& other : {siglip, bert}) {
    EXPECT_THAT(fault("clip", other), HasSubstr("belongs to another model"));
  }
  const ModelFolder folder;
  json unmarked = json_of(clip);
  unmarked["post_processor"] = nullptr;
  EXPECT_THAT(fault("clip-towers", folder.write("tokenizer.json", unmarked.dump())), HasSubstr("between <|startoftext|> and"));
  for (const char* name : {"siglip", "siglip2"}) {
    for (const fs::path& other : {clip, bert}) {
      EXPECT_THAT(fault(name, other), HasSubstr("belongs to another model"));
    }
  }
  const FaultyModel unknown(fixtures() / "embedding" / "siglip", "pad_token", "\"<nothing>\"", "tokenizer_config.json");
  const auto engine = open_engine("openvino");
  const Error error = error_of([&] { load_labeller(*engine, unknown.path()); });
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("'<nothing>'"), HasSubstr("tokenizer_config.json")));
}

TEST(TwoTowers, PatchesInAShapeOfTheirOwnAreRefused) {
  const std::vector<TensorInfo> image = {{"pixel_values", ElementType::f32, {-1, -1, 768}},
                                         {"pixel_attention_mask", ElementType::i64, {-1, -1}},
                                         {"spatial_shapes", ElementType::i64, {-1, 2}}};
  std::vector<TensorInfo> both = {{"input_ids", ElementType::i64, {-1, -1}}};
  both.insert(both.end(), image.begin(), image.end());
  const FaultyModel folder(fixtures() / "embedding" / "siglip2", "model_type", "\"siglip2\"", "config.json");
  for (const GraphInfo& graph :
       {GraphInfo{.inputs = image, .outputs = {{"pooler_output", ElementType::f32, {-1, 768}}}, .metadata = {}},
        GraphInfo{.inputs = both, .outputs = {{"logits_per_image", ElementType::f32, {-1, -1}}}, .metadata = {}}}) {
    StatedGraphEngine engine(graph);
    for (const Error& error :
         {error_of([&] { load_labeller(engine, folder.path()); }), error_of([&] { load_embedder(engine, folder.path()); })}) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_THAT(error.what(), AllOf(HasSubstr("NaFlex"), HasSubstr("siglip2-base-patch16-224"), HasSubstr("[?, ?, 768]")));
    }
  }
}

TEST(TwoTowers, TextsAreEncodedOnce) {
  const ModelFolder cache;
  const fs::path folder = fixtures() / "embedding" / "clip-towers";
  const json expected = json_of(folder / "expected.json");
  LoadOptions options = asking(expected, expected.at("prompts").front());
  options.text_cache = cache.model().parent_path() / "texts";
  const auto scores = [&] {
    Runner runner(folder, options);
    runner.prepare(image_of(expected.at("images").front()));
    return scores_of(runner.candidates({.floor = 0, .max_detections = 100}), runner.labeller().class_names().size());
  };
  const std::vector<double> first = scores();
  const auto files = [&] {
    std::vector<fs::path> found(fs::directory_iterator(options.text_cache), fs::directory_iterator{});
    return found;
  };
  ASSERT_EQ(files().size(), 1U);
  const fs::path file = files().front();
  const auto written = fs::last_write_time(file);
  EXPECT_EQ(scores(), first);
  EXPECT_EQ(fs::last_write_time(file), written) << "nothing new was encoded";
  options.prompts.classes.push_back({"zebra", {"zebra"}});
  scores();
  EXPECT_NE(fs::last_write_time(file), written);
  options.prompts.classes.pop_back();
  fs::resize_file(file, fs::file_size(file) - 3);
  EXPECT_EQ(scores(), first) << "a damaged file counts as empty";
}

}  // namespace
}  // namespace verilabel
