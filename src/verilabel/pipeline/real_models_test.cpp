// The label run with real engines and real models: what comes out does not depend on threads and timing, and hardly on the engine.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/pipeline/label_run.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPhotographs = 24;

std::map<std::int64_t, TaskOutcome> outcomes_of(Engine& engine, const Labeller& labeller, const std::vector<fs::path>& paths,
                                                int threads) {
  LabelRunOptions options;
  options.candidates = labeller.default_options();
  options.candidates.floor = .01;
  options.threads = threads;
  const auto compiled = compile_for_run(engine, labeller.graph(), options);
  std::map<std::int64_t, TaskOutcome> outcomes;
  std::size_t next = 0;
  const LabelSource source = [&]() -> std::optional<LabelTask> {
    if (next == paths.size()) {
      return std::nullopt;
    }
    const std::size_t i = next++;
    return LabelTask{SampleId{static_cast<std::int64_t>(i) + 1}, paths[i]};
  };
  const LabelSink sink = [&](TaskOutcome&& outcome) { outcomes.emplace(outcome.sample.value, std::move(outcome)); };
  const LabelRunReport report =
      run_labelling({.proposer = &labeller, .proposer_graph = compiled.get()}, options, source, sink, {}, CancelToken{});
  EXPECT_EQ(report.done, static_cast<std::int64_t>(paths.size()));
  EXPECT_EQ(report.device, "CPU");
  return outcomes;
}

std::vector<fs::path> photographs(const fs::path& data) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(data / "coco128-val" / "images")) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  EXPECT_GE(paths.size(), kPhotographs);
  paths.resize(kPhotographs);
  return paths;
}

class LabelRunWithRealModels : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* data = std::getenv("VERILABEL_TEST_DATA");
    if (data == nullptr) {
      GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real models and photographs";
    }
    data_ = data;
    if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
  }
  fs::path data_;
};

TEST_P(LabelRunWithRealModels, SameLabelsWithOneThreadAndWithMany) {
  const std::vector<fs::path> paths = photographs(data_);
  const auto engine = open_engine(GetParam());
  for (const char* name : {"yolox_nano.onnx", "nanodet_m_320.onnx"}) {
    SCOPED_TRACE(name);
    const fs::path model = data_ / "models" / name;
    const auto labeller = load_labeller(*engine, model);
    const auto alone = outcomes_of(*engine, *labeller, paths, 1);
    const auto together = outcomes_of(*engine, *labeller, paths, 4);
    ASSERT_EQ(alone.size(), together.size());
    std::size_t candidates = 0;
    for (const auto& [sample, outcome] : alone) {
      const TaskOutcome& other = together.at(sample);
      EXPECT_FALSE(outcome.failure);
      EXPECT_GT(outcome.image_width, 0);
      EXPECT_EQ(outcome.image_width, other.image_width);
      ASSERT_EQ(outcome.candidates.size(), other.candidates.size());
      for (std::size_t i = 0; i < outcome.candidates.size(); ++i) {
        EXPECT_EQ(outcome.candidates[i].class_index, other.candidates[i].class_index);
        EXPECT_EQ(outcome.candidates[i].box_xywh_px, other.candidates[i].box_xywh_px);
        EXPECT_EQ(outcome.candidates[i].score, other.candidates[i].score);
      }
      candidates += outcome.candidates.size();
    }
    EXPECT_GT(candidates, kPhotographs);
  }
}

// Candidates whose score lies this near the floor may be on either side of it.
constexpr double kScoreTolerance = 1e-3;

class LabelRunElsewhere : public LabelRunWithRealModels {};

TEST_P(LabelRunElsewhere, SameLabelsAsWithOpenvino) {
  const std::vector<fs::path> paths = photographs(data_);
  for (const char* name : {"yolox_nano.onnx", "nanodet_m_416.onnx"}) {
    SCOPED_TRACE(name);
    const fs::path model = data_ / "models" / name;
    std::vector<std::map<std::int64_t, TaskOutcome>> runs;
    for (const char* engine_name : {GetParam(), "openvino"}) {
      const auto engine = open_engine(engine_name);
      const auto labeller = load_labeller(*engine, model);
      runs.push_back(outcomes_of(*engine, *labeller, paths, 2));
    }
    std::size_t pairs = 0;
    std::size_t alone = 0;
    for (const auto& [sample, outcome] : runs[0]) {
      std::vector<Candidate> others = runs[1].at(sample).candidates;
      for (const Candidate& candidate : outcome.candidates) {
        const auto same = std::ranges::find_if(others, [&](const Candidate& other) {
          const Box& a = candidate.box_xywh_px;
          const Box& b = other.box_xywh_px;
          return candidate.class_index == other.class_index && std::abs(candidate.score - other.score) <= kScoreTolerance &&
                 std::max({std::abs(a.x - b.x), std::abs(a.y - b.y), std::abs(a.x + a.w - b.x - b.w),
                           std::abs(a.y + a.h - b.y - b.h)}) <= 0.5;
        });
        if (same != others.end()) {
          ++pairs;
          others.erase(same);
        } else {
          EXPECT_LT(candidate.score, .01 + kScoreTolerance) << sample;
          ++alone;
        }
      }
      for (const Candidate& other : others) {
        EXPECT_LT(other.score, .01 + kScoreTolerance) << sample;
      }
      alone += others.size();
    }
    EXPECT_GT(pairs, 10 * kPhotographs);
    EXPECT_LE(100 * alone, pairs);
  }
}

INSTANTIATE_TEST_SUITE_P(Only, LabelRunElsewhere, ::testing::Values("onnxruntime"), engine_of);
INSTANTIATE_TEST_SUITE_P(Each, LabelRunWithRealModels, ::testing::ValuesIn(kTestedEngines), engine_of);

}  // namespace
}  // namespace verilabel
