// Equality of vectors with transformers on the fixtures that tests/parity/export_embeddings.py made: tensors bit for bit (DINOv3's,
// which are resized as floats, within rounding), vectors within tolerance, of images, in each engine.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

using testing::HasSubstr;

constexpr double kVectorTolerance = 1e-3;
constexpr double kLeastCosine = 0.9999;
/// Of numbers that are written with five digits.
constexpr float kFloatTolerance = 2e-5F;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

std::vector<fs::path> cases(bool with_texts) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fixtures() / "embedding")) {
    if (with_texts || json_of(entry.path() / "expected.json").at("kind") == "embedding") {
      folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders);
  return folders;
}

bool is_same_tensor(const json& item, std::span<const float> tensor) {
  if (!item.contains("tensor_samples")) {
    return sha256_of_floats(tensor) == item.at("tensor_sha256").get<std::string>();
  }
  const auto every = item.at("tensor_every").get<std::size_t>();
  const auto samples = item.at("tensor_samples").get<std::vector<float>>();
  bool is_same = samples.size() == (tensor.size() + every - 1) / every;
  for (std::size_t i = 0; is_same && i < samples.size(); ++i) {
    is_same = std::abs(samples[i] - tensor[i * every]) <= kFloatTolerance;
  }
  return is_same;
}

struct Differences {
  int images = 0;
  int tensors = 0;
  int vectors = 0;
  double greatest = 0;  ///< of two numbers
};

/// The model on one image at a time.
class EmbedRunner {
 public:
  EmbedRunner(const fs::path& model, Pooling pooling, const char* engine)
      : engine_(open_engine(engine)), embedder_(load_embedder(*engine_, model, {}, pooling)) {
    const GraphUse& graph = embedder_->graph();
    CompileOptions compile;
    compile.input_shapes = input_shapes_of(graph, 1);
    compile.outputs = graph.outputs;
    compiled_ = engine_->compile(graph.file, compile);
    request_ = compiled_->create_request();
  }

  const Embedder& embedder() const { return *embedder_; }

  /// The tensor of the image.
  std::span<const float> prepare(const Image& image) {
    std::vector<InputView> inputs;
    std::span<const float> tensor;
    for (std::size_t i = 0; i < embedder_->graph().inputs.size(); ++i) {
      const bool is_text = embedder_->graph().inputs[i].is_i64;
      inputs.push_back(is_text ? InputView{{}, request_->input_i64(i)} : InputView{request_->input(i), {}});
      std::ranges::fill(inputs.back().i64, 0);
      tensor = is_text ? tensor : inputs.back().f32;
    }
    embedder_->preprocess(image, inputs, scratch_);
    return tensor;
  }

  /// Of what was prepared.
  std::vector<float> vector() {
    request_->run();
    const auto shape = request_->output_shape(0);
    return embedder_->decode(std::array{OutputView{request_->output(0), std::span(shape).subspan(1)}});
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<CompiledModel> compiled_;
  std::unique_ptr<InferRequest> request_;
  Image scratch_;
};

Differences compare(const fs::path& model, const json& expected, Pooling pooling, const char* engine = "openvino",
                    const ImageChange& change = {}) {
  EmbedRunner runner(model, pooling, engine);
  Differences differences;
  for (const json& item : expected.at("images")) {
    const Image image = fixture_image(item.at("file").get<std::string>(), change);
    ++differences.images;
    differences.tensors += is_same_tensor(item, runner.prepare(image)) ? 0 : 1;
    const std::vector<float> ours = runner.vector();
    const auto theirs = item.at(pooling == Pooling::tokens ? "patch_mean" : "image_embeds").get<std::vector<double>>();
    EXPECT_EQ(ours.size(), theirs.size());
    double cosine = 0;
    double square = 0;
    double greatest = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      cosine += ours[i] * theirs[i];
      square += static_cast<double>(ours[i]) * ours[i];
      greatest = std::max(greatest, std::abs(ours[i] - theirs[i]));
    }
    EXPECT_NEAR(square, 1, 1e-6);
    differences.vectors += cosine > kLeastCosine && greatest <= kVectorTolerance ? 0 : 1;
    differences.greatest = std::max(differences.greatest, greatest);
  }
  return differences;
}

class EmbedderParityOn : public ::testing::TestWithParam<const char*> {};

TEST_P(EmbedderParityOn, TheSameTensorsAndVectors) {
  if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  EXPECT_GE(cases(true).size(), 7U);
  for (const fs::path& folder : cases(true)) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    std::vector<Pooling> poolings = {Pooling::usual};
    if (expected.at("kind") == "embedding") {
      poolings.push_back(Pooling::tokens);
    }
    for (const Pooling pooling : poolings) {
      const Differences differences = compare(folder, expected, pooling, GetParam());
      EXPECT_GE(differences.images, 20);
      EXPECT_EQ(differences.tensors, 0);
      EXPECT_EQ(differences.vectors, 0);
      std::printf("%-24s %-8s numbers differ by at most %.1e\n", folder.filename().c_str(),
                  pooling == Pooling::tokens ? "patches" : "usual", differences.greatest);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, EmbedderParityOn, ::testing::ValuesIn(kTestedEngines), engine_of);

TEST(EmbedderParity, PlantedFaultsAreFound) {
  EXPECT_GE(cases(false).size(), 3U);
  for (const fs::path& folder : cases(false)) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    for (const Pooling pooling : {Pooling::usual, Pooling::tokens}) {
      const auto expect_found = [](const char* fault, const Differences& differences) {
        EXPECT_GT(differences.tensors, differences.images / 2) << fault;
        EXPECT_GT(differences.vectors, differences.images / 2) << fault;
      };
      expect_found("red and blue swapped", compare(folder, expected, pooling, "openvino", swap_red_and_blue));
      expect_found("shifted by a pixel", compare(folder, expected, pooling, "openvino", shift_by_a_pixel));
      const json processor = json_of(folder / "preprocessor_config.json");
      const std::string other_filter = processor.at("resample") == 2 ? "3" : "2";
      expect_found("another kernel", compare(FaultyModel(folder, "resample", other_filter).path(), expected, pooling));
      expect_found("another mean", compare(FaultyModel(folder, "image_mean", "[0.4, 0.45, 0.5]").path(), expected, pooling));
    }
    // The one kind of vector is not the other.
    json other = expected;
    for (json& item : other.at("images")) {
      item["image_embeds"] = item.at("patch_mean");
    }
    EXPECT_EQ(compare(folder, other, Pooling::usual).vectors, static_cast<int>(other.at("images").size()));
  }
}

TEST(EmbedderParity, RegistersAreNoPartOfThePicture) {
  for (const char* name : {"dinov2-registers", "dinov3"}) {
    const fs::path folder = fixtures() / "embedding" / name;
    const json expected = json_of(folder / "expected.json");
    const FaultyModel forgotten(folder, "num_register_tokens", "0", "config.json");
    EmbedRunner runner(forgotten.path(), Pooling::tokens, "openvino");
    runner.prepare(Image(8, 8));
    const Error error = error_of([&] { runner.vector(); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.what(), HasSubstr("num_register_tokens"));
    replace_in(forgotten.path() / "config.json", "\"patch_size\":", "\"patches\":");
    EXPECT_GT(compare(forgotten.path(), expected, Pooling::tokens).vectors, 0) << "they are told apart";
  }
}

TEST(Embedder, AnotherWayToPrepareImagesForDinov3IsRefused) {
  const fs::path folder = fixtures() / "embedding" / "dinov3";
  const auto engine = open_engine("openvino");
  for (const auto& [key, value] : {std::pair("size", R"({"shortest_edge": 64})"), std::pair("do_center_crop", "true"),
                                   std::pair("resample", "1"), std::pair("unheard_of", "1")}) {
    const FaultyModel other(folder, key, value);
    const Error error = error_of([&] { load_embedder(*engine, other.path()); });
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << key;
    EXPECT_THAT(error.what(), HasSubstr("DINOv3ViTImageProcessor")) << key;
  }
}

TEST(Embedder, TakesWhatStandsForThePictureInEachFamily) {
  const fs::path folder = fixtures() / "embedding" / "dinov2";
  const json expected = json_of(folder / "expected.json");
  EXPECT_EQ(EmbedRunner(folder, Pooling::usual, "openvino").embedder().method(), "class token of last_hidden_state");
  const FaultyModel other(folder, "model_type", "\"convnext\"", "config.json");
  EXPECT_EQ(EmbedRunner(other.path(), Pooling::usual, "openvino").embedder().method(), "pooler_output");
  const auto engine = open_engine("openvino");
  const Error error = error_of([&] { load_embedder(*engine, other.path(), {}, Pooling::tokens); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), HasSubstr("known to be parts of a picture"));
}

}  // namespace
}  // namespace verilabel
