// Equality of CLIP and SigLIP with transformers on the fixtures that tests/parity/export_embeddings.py made: tensors bit for bit,
// embeddings and scores within tolerance, for each set of templates, from one graph and from two.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/image/decode.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using testing::HasSubstr;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

constexpr double kScoreTolerance = 1e-3;
constexpr double kCosineTolerance = 1e-5;

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

Image image_of(const json& item) {
  Image image;
  decode(fixtures() / "images" / item.at("file").get<std::string>(), image);
  return image;
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

Differences compare(const fs::path& model, const json& expected, const json& prompt, const ImageChange& change = {}) {
  Runner runner(model, asking(expected, prompt));
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

TEST(TwoTowersParity, TensorsBitForBitAndTheSameScores) {
  EXPECT_GE(cases().size(), 2U);
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    for (const json& prompt : expected.at("prompts")) {
      const Differences differences = compare(folder, expected, prompt);
      EXPECT_GE(differences.images, 20);
      EXPECT_EQ(differences.tensors, 0);
      EXPECT_EQ(differences.scores, 0);
      std::printf("%-24s %-10s scores differ by at most %.1e\n", folder.filename().c_str(),
                  prompt.at("name").get<std::string>().c_str(), differences.greatest);
    }
  }
}

TEST(TwoTowersParity, TheSameEmbeddingsOfImages) {
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const auto engine = open_engine("openvino");
    const auto embedder = load_embedder(*engine, folder);
    CompileOptions compile;
    compile.input_shapes = input_shapes_of(embedder->graph(), 1);
    compile.outputs = embedder->graph().outputs;
    const auto compiled = engine->compile(embedder->graph().file, compile);
    const auto request = compiled->create_request();
    Image scratch;
    for (const json& item : json_of(folder / "expected.json").at("images")) {
      std::vector<InputView> inputs;
      for (std::size_t i = 0; i < embedder->graph().inputs.size(); ++i) {
        inputs.push_back(embedder->graph().inputs[i].is_i64 ? InputView{{}, request->input_i64(i)}
                                                            : InputView{request->input(i), {}});
        std::ranges::fill(inputs.back().i64, 0);
      }
      embedder->preprocess(image_of(item), inputs, scratch);
      run_now(*request);
      const auto shape = request->output_shape(0);
      const std::vector<float> ours = embedder->decode(std::array{OutputView{request->output(0), std::span(shape).subspan(1)}});
      const auto theirs = item.at("image_embeds").get<std::vector<double>>();
      ASSERT_EQ(ours.size(), theirs.size());
      double cosine = 0;
      double length = 0;
      for (std::size_t i = 0; i < ours.size(); ++i) {
        cosine += ours[i] * theirs[i];
        length += static_cast<double>(ours[i]) * ours[i];
      }
      EXPECT_NEAR(cosine, 1, kCosineTolerance) << item.at("file");
      EXPECT_NEAR(length, 1, 1e-6);
    }
  }
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
    expect_found("a template without its full stop", compare(folder, expected, other_prompt), false);
  }
}

TEST(TwoTowers, PhrasingsAreOneClassAndNegativesTakeTheirShare) {
  const fs::path folder = fixtures() / "embedding" / "clip";
  const json expected = json_of(folder / "expected.json");
  const json& prompt = expected.at("prompts").front();
  const auto labels = expected.at("labels").get<std::vector<std::string>>();
  LoadOptions options = asking(expected, prompt);
  options.prompts.classes.clear();
  options.prompts.classes.push_back({"animal or thing", {labels[0], labels[1]}});
  options.prompts.classes.push_back({labels[2], {labels[2]}});
  options.prompts.negatives = {labels.begin() + 3, labels.end()};
  Runner runner(folder, options);
  EXPECT_THAT(runner.labeller().class_names(), testing::ElementsAre("animal or thing", labels[2]));
  for (const json& item : expected.at("images")) {
    runner.prepare(image_of(item));
    const std::vector<double> ours = scores_of(runner.candidates({.floor = 0, .max_detections = 10}), 2);
    const auto logits = item.at("logits").at(prompt.at("name").get<std::string>()).get<std::vector<double>>();
    double sum = std::exp(std::max(logits[0], logits[1]));
    for (std::size_t i = 2; i < logits.size(); ++i) {
      sum += std::exp(logits[i]);
    }
    EXPECT_NEAR(ours[0], std::exp(std::max(logits[0], logits[1])) / sum, kScoreTolerance);
    EXPECT_NEAR(ours[1], std::exp(logits[2]) / sum, kScoreTolerance);
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
