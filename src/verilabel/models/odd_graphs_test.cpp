// Graphs that are nearly those of a family: every fixture with one input or output of another rank or type, with open sizes, and
// with answers of whatever size the open ones allow. Each is refused, or works; under sanitizers that means something.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kGreatestRank = 6;

std::size_t count_of(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1},
                         [](std::size_t count, std::int64_t size) { return count * static_cast<std::size_t>(size); });
}

/// Computes nothing: answers of the declared shapes, whose open sizes are another number each time.
class OddModel final : public CompiledModel {
 public:
  OddModel(const GraphInfo& graph, const CompileOptions& options, std::mt19937& random) : random_(random) {
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      inputs_.push_back({graph.inputs[i], options.input_shapes.at(i)});
    }
    for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
      if (options.outputs.empty()) {
        outputs_.push_back(graph.outputs[i]);
      }
    }
    for (const std::size_t output : options.outputs) {
      outputs_.push_back(graph.outputs.at(output));
    }
  }

  std::unique_ptr<InferRequest> create_request() override { return std::make_unique<Request>(*this); }
  int optimal_requests() const override { return 2; }
  std::size_t output_count() const override { return outputs_.size(); }
  std::string device() const override { return "ODD"; }

 private:
  struct Input {
    TensorInfo info;
    std::vector<std::int64_t> shape;
  };

  class Request final : public InferRequest {
   public:
    explicit Request(OddModel& model) : model_(model) {
      for (const Input& input : model.inputs_) {
        numbers_.emplace_back(takes_i64(input.info.type) ? 0 : count_of(input.shape));
        whole_.emplace_back(takes_i64(input.info.type) ? count_of(input.shape) : 0);
      }
    }
    std::span<float> input(std::size_t index) override {
      require_kind(index, false);
      return numbers_.at(index);
    }
    std::span<std::int64_t> input_i64(std::size_t index) override {
      require_kind(index, true);
      return whole_.at(index);
    }
    std::span<const float> output(std::size_t index) override { return outputs_.at(index); }
    std::vector<std::int64_t> output_shape(std::size_t index) override { return shapes_.at(index); }
    void start(std::function<void(std::exception_ptr)> done) override {
      outputs_.clear();
      shapes_.clear();
      // Mostly as one expects: the images come first, and what is open is the same everywhere.
      std::mt19937& random = model_.random_;
      const auto usual = static_cast<std::int64_t>(1 + random() % 7);
      const std::int64_t images = model_.inputs_.empty() || model_.inputs_[0].shape.empty() ? 1 : model_.inputs_[0].shape[0];
      const bool is_as_usual = random() % 4 > 0;
      const bool is_whole = random() % 2 == 0;
      for (const TensorInfo& info : model_.outputs_) {
        std::vector<std::int64_t>& shape = shapes_.emplace_back(info.shape);
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
          if (shape[axis] < 0) {
            shape[axis] = !is_as_usual ? static_cast<std::int64_t>(random() % 5) : axis == 0 ? images : usual;
          }
        }
        std::vector<float>& values = outputs_.emplace_back(count_of(shape));
        for (float& value : values) {
          value = is_whole ? static_cast<float>(random() % 2) : static_cast<float>(random() % 101) / 100;
        }
      }
      done(nullptr);
    }

   private:
    void require_kind(std::size_t index, bool is_i64) const {
      if (takes_i64(model_.inputs_.at(index).info.type) != is_i64) {
        throw Error(ErrorCode::engine, "the input is of another type");
      }
    }

    OddModel& model_;
    std::vector<std::vector<float>> numbers_;
    std::vector<std::vector<std::int64_t>> whole_;
    std::vector<std::vector<float>> outputs_;
    std::vector<std::vector<std::int64_t>> shapes_;
  };

  std::mt19937& random_;
  std::vector<Input> inputs_;
  std::vector<TensorInfo> outputs_;
};

/// Reads graphs as another engine does, and says of one tensor something else.
class OddEngine final : public Engine {
 public:
  explicit OddEngine(Engine& real) : real_(real) {}

  struct Change {
    fs::path graph;
    bool is_output = false;
    std::size_t index = 0;
    TensorInfo tensor;
  };
  std::optional<Change> change;

  std::string_view name() const override { return "odd"; }
  std::string version() const override { return "0"; }
  GraphInfo inspect(const fs::path& model) override {
    if (!graphs_.contains(model)) {
      graphs_.emplace(model, real_.inspect(model));
    }
    GraphInfo graph = graphs_.at(model);
    if (change && change->graph == model) {
      (change->is_output ? graph.outputs : graph.inputs).at(change->index) = change->tensor;
    }
    return graph;
  }
  std::unique_ptr<CompiledModel> compile(const fs::path& model, const CompileOptions& options) override {
    const GraphInfo graph = inspect(model);
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      const std::vector<std::int64_t>& declared = graph.inputs[i].shape;
      const std::vector<std::int64_t>& given = options.input_shapes.at(i);
      if (!std::ranges::equal(declared, given, [](std::int64_t size, std::int64_t wanted) { return size < 0 || size == wanted; })) {
        throw Error(ErrorCode::wrong_use, "the shapes do not fit");
      }
    }
    return std::make_unique<OddModel>(graph, options, random_);
  }
  const std::map<fs::path, GraphInfo>& graphs() const { return graphs_; }

 private:
  Engine& real_;
  std::map<fs::path, GraphInfo> graphs_;
  std::mt19937 random_{1};
};

/// One image through the graph, as a run has it.
template <typename Read>
void run_once(OddEngine& engine, const GraphUse& use, const auto& preprocess, const Read& read) {
  const auto compiled = engine.compile(use.file, {.input_shapes = input_shapes_of(use, 1), .outputs = use.outputs});
  const auto request = compiled->create_request();
  std::vector<InputView> inputs;
  for (std::size_t i = 0; i < use.inputs.size(); ++i) {
    const InputPart& part = use.inputs[i];
    inputs.push_back(part.is_i64 ? InputView{{}, request->input_i64(i).subspan(0, part.size())}
                                 : InputView{request->input(i).subspan(0, part.size()), {}});
  }
  const InputTransform transform = preprocess(inputs);
  for (int turn = 0; turn < 3; ++turn) {
    request->run();
    std::vector<std::vector<std::int64_t>> shapes;
    std::vector<OutputView> outputs;
    for (std::size_t i = 0; i < compiled->output_count(); ++i) {
      shapes.push_back(request->output_shape(i));
    }
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (use.outputs_have_batch && (shapes[i].empty() || shapes[i][0] != 1)) {
        throw Error(ErrorCode::bad_model, "the first dimension should be the image");
      }
      outputs.push_back({request->output(i), std::span(shapes[i]).subspan(use.outputs_have_batch ? 1 : 0)});
    }
    read(outputs, transform);
  }
}

/// Loads a model and lets it look at an image. Returns whether it could.
bool works(OddEngine& engine, const fs::path& folder, const json& expected) {
  try {
    const Image image(37, 23);
    Image scratch;
    const fs::path model = fs::exists(folder / "model.onnx") ? folder / "model.onnx" : folder;
    const std::string kind = expected.at("kind");
    if (kind == "prompted_masks") {
      const auto segmenter = load_segmenter(engine, folder);
      run_once(
          engine, segmenter->encoder(),
          [&](const std::vector<InputView>& inputs) { return segmenter->preprocess(image, inputs, scratch); },
          [](const auto&, const auto&) {});
      return true;
    }
    if (kind == "embedding") {
      const auto embedder = load_embedder(engine, folder);
      run_once(
          engine, embedder->graph(),
          [&](const std::vector<InputView>& inputs) { return embedder->preprocess(image, inputs, scratch); },
          [&](const std::vector<OutputView>& outputs, const InputTransform&) { embedder->decode(outputs); });
      return true;
    }
    LoadOptions load;
    if (expected.contains("labels") && !expected.value("baked", false)) {
      load.prompts = prompts_of_names(expected.at("labels").get<std::vector<std::string>>());
    }
    const auto labeller = load_labeller(engine, model, load);
    CandidateOptions options = labeller->default_options();
    options.floor = 0;
    run_once(
        engine, labeller->graph(),
        [&](const std::vector<InputView>& inputs) { return labeller->preprocess(image, inputs, scratch, 0); },
        [&](const std::vector<OutputView>& outputs, const InputTransform& transform) {
          for (const Candidate& candidate : labeller->decode(outputs, transform, options)) {
            ASSERT_LT(candidate.class_index, static_cast<std::int32_t>(labeller->class_names().size()));
          }
        });
    return true;
  } catch (const Error& error) {
    EXPECT_NE(error.code(), ErrorCode::internal) << error.what();
    return false;
  }
}

std::vector<TensorInfo> changes_of(const TensorInfo& tensor) {
  std::vector<TensorInfo> changes;
  for (std::size_t rank = 0; rank <= kGreatestRank; ++rank) {
    if (rank != tensor.shape.size()) {
      changes.push_back(tensor);
      changes.back().shape.resize(rank, 1);
      changes.push_back(tensor);
      changes.back().shape.assign(rank, -1);
    }
  }
  changes.push_back(tensor);
  std::ranges::fill(changes.back().shape, -1);
  for (const ElementType type : {ElementType::f32, ElementType::i64, ElementType::u8}) {
    if (type != tensor.type) {
      changes.push_back(tensor);
      changes.back().type = type;
    }
  }
  return changes;
}

TEST(OddGraphs, AreRefusedOrWork) {
  constexpr const char* kReader = "openvino";
  if (const std::string reason = reason_to_skip(kReader); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  const auto real = open_engine(kReader);
  int tried = 0;
  int worked = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fixtures())) {
    if (entry.path().filename() != "expected.json") {
      continue;
    }
    const json expected = json::parse(std::ifstream(entry.path()));
    if (!expected.contains("images") || !expected.contains("kind")) {
      continue;
    }
    const fs::path folder = entry.path().parent_path();
    OddEngine engine(*real);
    SCOPED_TRACE(folder.lexically_relative(fixtures()).native());
    works(engine, folder, expected);  // which graphs there are
    const std::map<fs::path, GraphInfo> graphs = engine.graphs();
    for (const auto& [file, graph] : graphs) {
      for (const bool is_output : {false, true}) {
        const std::vector<TensorInfo>& tensors = is_output ? graph.outputs : graph.inputs;
        for (std::size_t i = 0; i < tensors.size(); ++i) {
          for (const TensorInfo& tensor : changes_of(tensors[i])) {
            SCOPED_TRACE(fmt::format("{} {} as {}", file.filename().native(), text_of(tensors[i]), text_of(tensor)));
            engine.change = {file, is_output, i, tensor};
            worked += works(engine, folder, expected) ? 1 : 0;
            ++tried;
          }
        }
      }
    }
  }
  EXPECT_GT(tried, 1000);
  EXPECT_GT(worked, 100);
  fmt::print("{} odd graphs, {} of which work\n", tried, worked);
}

}  // namespace
}  // namespace verilabel
