#include "verilabel/workflow/ready_graph.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

// Eight images take as long as one.
class EagerModel : public CompiledModel {
 public:
  EagerModel(int images, std::chrono::duration<double>& clock) : images_(images), clock_(clock) {}
  std::unique_ptr<InferRequest> create_request() override { return std::make_unique<Request>(*this); }
  int optimal_requests() const override { return 1; }
  std::size_t output_count() const override { return 0; }
  std::string device() const override { return "FAKE"; }

 private:
  class Request : public InferRequest {
   public:
    explicit Request(EagerModel& model) : model_(model), input_(static_cast<std::size_t>(model.images_)) {}
    std::span<float> input(std::size_t) override { return input_; }
    std::span<std::int64_t> input_i64(std::size_t) override { throw std::logic_error("there is no such input"); }
    std::span<const float> output(std::size_t) override { throw std::logic_error("there is no such output"); }
    std::vector<std::int64_t> output_shape(std::size_t) override { throw std::logic_error("there is no such output"); }
    void start(std::function<void(std::exception_ptr)> done) override {
      model_.clock_ += std::chrono::duration<double>(model_.images_ <= 8 ? 0.01 : 0.00125 * model_.images_);
      done(nullptr);
    }

   private:
    EagerModel& model_;
    std::vector<float> input_;
  };

  int images_;
  std::chrono::duration<double>& clock_;
};

class EagerEngine : public Engine {
 public:
  std::string_view name() const override { return "eager"; }
  std::string version() const override { return version_number; }
  GraphInfo inspect(const fs::path&) override { return {}; }
  std::unique_ptr<CompiledModel> compile(const fs::path&, const CompileOptions& options) override {
    compiled.push_back(static_cast<int>(options.input_shapes.at(0).at(0)));
    return std::make_unique<EagerModel>(compiled.back(), clock);
  }

  std::vector<int> compiled;
  std::chrono::duration<double> clock{0};
  std::string version_number = "1";
};

class ReadyGraphTest : public testing::Test {
 protected:
  ReadyGraphTest() : folder_(fs::temp_directory_path() / ("verilabel_ready_graph_test_" + std::to_string(::getpid()))) {}
  ~ReadyGraphTest() override { fs::remove_all(folder_); }

  ReadyGraph ready(std::int64_t images, const std::string& weights = "aa", const LabelRunOptions& options = {}) {
    return ready(images, BatchMemory(folder_), weights, options);
  }

  ReadyGraph ready(std::int64_t images, const BatchMemory& memory, const std::string& weights = "aa",
                   const LabelRunOptions& options = {}) {
    engine_.compiled.clear();
    const CancelToken never;
    return ready_graph(engine_, {.file = "graph.onnx", .inputs = {{{1}}}, .fixed_batch = 0}, weights, options, images, memory,
                       {.now = [this] { return engine_.clock; }}, {}, never);
  }

  fs::path folder_;
  EagerEngine engine_;
};

TEST_F(ReadyGraphTest, ALongRunFindsOutOnceAndAllRunsRemember) {
  const ReadyGraph found = ready(kImagesWorthTuning);
  EXPECT_THAT(engine_.compiled, ElementsAre(1, 2, 4, 8, 16, 32, 8));
  EXPECT_EQ(found.images, 8);
  EXPECT_EQ(found.in_stage().images, 8);
  EXPECT_THAT(found.note, testing::StartsWith("graph.onnx: 8 images at a time, which is remembered"));

  for (const std::int64_t images : {std::int64_t{1}, kImagesWorthTuning}) {
    const ReadyGraph remembered = ready(images);
    EXPECT_THAT(engine_.compiled, ElementsAre(8));
    EXPECT_TRUE(remembered.note.empty());
  }
}

TEST_F(ReadyGraphTest, MemoryAnewFindsOutAgainForAllRuns) {
  ready(kImagesWorthTuning);
  const fs::path file = fs::directory_iterator(folder_)->path();
  const std::string good = read_file(file);
  std::string wrong = good;
  wrong.replace(wrong.find("8"), 1, "2");
  replace_file(file, wrong);
  EXPECT_EQ(ready(1).images, 2);
  EXPECT_EQ(ready(kImagesWorthTuning, BatchMemory(folder_).anew()).images, 8);
  EXPECT_EQ(ready(1).images, 8);
}

TEST_F(ReadyGraphTest, AShortRunTakesOneAtATimeAndRemembersNothing) {
  EXPECT_EQ(ready(kImagesWorthTuning - 1).images, 1);
  EXPECT_THAT(engine_.compiled, ElementsAre(1));
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(ReadyGraphTest, WhatIsAskedForIsNotLookedUp) {
  ready(kImagesWorthTuning);
  EXPECT_EQ(ready(kImagesWorthTuning, "aa", {.batch = 3}).images, 3);
  EXPECT_THAT(engine_.compiled, ElementsAre(3));
}

TEST_F(ReadyGraphTest, OtherWeightsEnginesDevicesAndProcessorsAreFoundOutAnew) {
  ready(kImagesWorthTuning);
  const auto is_known = [&](const std::string& weights, const LabelRunOptions& options) {
    return ready(1, weights, options).images == 8;
  };
  EXPECT_TRUE(is_known("aa", {}));
  EXPECT_FALSE(is_known("bb", {}));
  EXPECT_FALSE(is_known("aa", {.device = "cuda"}));
  EXPECT_FALSE(is_known("aa", {.threads = 1000}));
  engine_.version_number = "2";
  EXPECT_FALSE(is_known("aa", {}));
}

TEST_F(ReadyGraphTest, ADamagedMemoryIsFoundOutAgainAndAnUnwritableOneIsNoError) {
  ready(kImagesWorthTuning);
  const fs::path file = fs::directory_iterator(folder_)->path();
  const std::string good = read_file(file);
  for (const std::string& damaged :
       {std::string(), good.substr(0, good.size() / 2), std::string("[]"), std::string(R"({"images": 0})"),
        std::string(R"({"images": 8, "key": "another"})"), std::string(R"({"images": "8"})")}) {
    replace_file(file, damaged);
    EXPECT_EQ(ready(1).images, 1) << damaged;
    EXPECT_EQ(ready(kImagesWorthTuning).images, 8) << damaged;
  }
  fs::remove_all(folder_);
  replace_file(folder_, "a file where a folder should be");
  EXPECT_EQ(ready(kImagesWorthTuning).images, 8);
}

}  // namespace
}  // namespace verilabel
