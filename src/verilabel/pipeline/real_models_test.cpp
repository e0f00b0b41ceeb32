// The label run with the real engine and real models: what comes out does not depend on threads and timing.
#include <algorithm>
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

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

TEST(LabelRunWithRealModels, SameLabelsWithOneThreadAndWithMany) {
  const char* data = std::getenv("VERILABEL_TEST_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real models and photographs";
  }
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(fs::path(data) / "coco128-val" / "images")) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ASSERT_GE(paths.size(), kPhotographs);
  paths.resize(kPhotographs);

  const auto engine = open_engine("openvino");
  for (const char* name : {"yolox_nano.onnx", "nanodet_m_320.onnx"}) {
    SCOPED_TRACE(name);
    const fs::path model = fs::path(data) / "models" / name;
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

}  // namespace
}  // namespace verilabel
