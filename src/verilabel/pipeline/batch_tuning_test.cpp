#include "verilabel/pipeline/batch_tuning.h"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using Seconds = std::chrono::duration<double>;

// Takes a fixed time for an inference and some more for each image, by a clock of its own.
class CostlyModel : public CompiledModel {
 public:
  struct Cost {
    double an_inference = 0;  // seconds
    double an_image = 0;
    int fails_from = 1 << 20;  // images an inference
    int mixes_from = 1 << 20;  // images an inference from which on the last depends on how many there are
  };

  CostlyModel(const Cost& cost, int images, Seconds& clock) : cost_(cost), images_(images), clock_(clock) {}

  std::unique_ptr<InferRequest> create_request() override { return std::make_unique<Request>(*this); }
  int optimal_requests() const override { return 1; }
  std::size_t output_count() const override { return 1; }
  std::string device() const override { return "FAKE"; }

 private:
  class Request : public InferRequest {
   public:
    explicit Request(CostlyModel& model)
        : model_(model),
          input_(static_cast<std::size_t>(12 * model.images_)),
          output_(static_cast<std::size_t>(2 * model.images_)) {}
    std::span<float> input(std::size_t) override { return input_; }
    std::span<std::int64_t> input_i64(std::size_t) override { throw std::logic_error("there is no such input"); }
    std::span<const float> output(std::size_t) override { return output_; }
    std::vector<std::int64_t> output_shape(std::size_t) override { return {model_.images_, 2}; }
    void start(std::function<void(std::exception_ptr)> done) override {
      for (int i = 0; i < model_.images_; ++i) {
        const bool is_mixed = i + 1 == model_.images_ && model_.images_ >= model_.cost_.mixes_from;
        output_[static_cast<std::size_t>(2 * i)] = input_[static_cast<std::size_t>(12 * i)] + (is_mixed ? 0.1F : 0.F);
        output_[static_cast<std::size_t>(2 * i + 1)] = input_[static_cast<std::size_t>(12 * i + 11)];
      }
      model_.clock_ += Seconds(model_.cost_.an_inference + model_.images_ * model_.cost_.an_image);
      const bool fails = model_.images_ >= model_.cost_.fails_from;
      done(fails ? std::make_exception_ptr(Error(ErrorCode::engine, "the memory is full")) : nullptr);
    }

   private:
    CostlyModel& model_;
    std::vector<float> input_;
    std::vector<float> output_;
  };

  Cost cost_;
  int images_;
  Seconds& clock_;
};

class CostlyEngine : public Engine {
 public:
  explicit CostlyEngine(const CostlyModel::Cost& cost) : cost_(cost) {}
  std::string_view name() const override { return "costly"; }
  std::string version() const override { return "1"; }
  GraphInfo inspect(const std::filesystem::path&) override { return {}; }
  std::unique_ptr<CompiledModel> compile(const std::filesystem::path&, const CompileOptions& options) override {
    compiled.push_back(static_cast<int>(options.input_shapes.at(0).at(0)));
    return std::make_unique<CostlyModel>(cost_, compiled.back(), clock);
  }

  std::vector<int> compiled;
  Seconds clock{0};

 private:
  CostlyModel::Cost cost_;
};

const GraphUse kOpen = {.inputs = {{{3, 2, 2}}}, .fixed_batch = 0};

BatchChoice choose(CostlyEngine& engine, BatchTuningOptions tuning = {}, const LabelRunOptions& options = {}) {
  const CancelToken never;
  tuning.now = [&] { return engine.clock; };
  return choose_batch(engine, kOpen, options, tuning, {}, never);
}

TEST(BatchTuning, TogetherWhereThatIsQuicker) {
  CostlyEngine engine({.an_inference = 8e-3, .an_image = 1e-5});
  const BatchChoice choice = choose(engine);
  EXPECT_THAT(engine.compiled, ElementsAre(1, 2, 4, 8, 16, 32));
  EXPECT_EQ(choice.images, 32);
  ASSERT_EQ(choice.measured.size(), 6U);
  EXPECT_GT(choice.measured[5].images_per_second, 8 * choice.measured[0].images_per_second);
}

TEST(BatchTuning, AloneWhereNothingIsGainedAndNoMoreIsTried) {
  CostlyEngine engine({.an_image = 4e-3});
  const BatchChoice choice = choose(engine);
  EXPECT_EQ(choice.images, 1);
  EXPECT_EQ(choice.measured.size(), 4U) << "three doublings without a gain";
  EXPECT_NEAR(choice.measured[0].images_per_second, 250, 1e-6);
}

TEST(BatchTuning, StopsAtItsLimits) {
  const CostlyModel::Cost cost{.an_inference = 5e-3, .an_image = 1e-6};
  CostlyEngine engine(cost);
  EXPECT_EQ(choose(engine, {.max_images = 4}).images, 4);
  EXPECT_THAT(engine.compiled, ElementsAre(1, 2, 4));

  // Two requests of 4 images with 14 numbers each are 448 bytes.
  CostlyEngine small(cost);
  LabelRunOptions one_thread;
  one_thread.threads = 1;
  EXPECT_EQ(choose(small, {.max_bytes = 448}, one_thread).images, 4);
  one_thread.threads = 3;  // a request more for each
  EXPECT_EQ(choose(small, {.max_bytes = 448}, one_thread).images, 2);

  CostlyEngine slow(cost);
  EXPECT_EQ(choose(slow, {.window = Seconds(0), .slow = Seconds(1e-3)}).measured.size(), 1U);
}

TEST(BatchTuning, WhatFailsIsNotChosenUnlessNothingWorks) {
  CostlyEngine engine({.an_inference = 5e-3, .an_image = 1e-6, .fails_from = 4});
  EXPECT_EQ(choose(engine).images, 2);
  CostlyEngine broken({.fails_from = 1});
  EXPECT_THROW(choose(broken), Error);
}

TEST(BatchTuning, ManyThatGiveSomethingElseThanOneAreNotChosen) {
  CostlyEngine engine({.an_inference = 5e-3, .an_image = 1e-6, .mixes_from = 8});
  const BatchChoice choice = choose(engine);
  EXPECT_EQ(choice.images, 4);
  EXPECT_EQ(choice.wrong_at, 8);
  EXPECT_THAT(engine.compiled, ElementsAre(1, 2, 4, 8));
  CostlyEngine always({.an_inference = 5e-3, .an_image = 1e-6, .mixes_from = 2});
  EXPECT_EQ(choose(always).images, 1);
}

TEST(BatchTuning, NothingIsTriedWhereThereIsNoChoice) {
  CostlyEngine engine({});
  EXPECT_EQ(choose(engine, {}, {.batch = 3}).images, 3);
  const CancelToken never;
  EXPECT_EQ(choose_batch(engine, {.inputs = {{{3, 2, 2}}}, .fixed_batch = 8}, {}, {}, {}, never).images, 8);
  EXPECT_EQ(choose_batch(engine, {.fixed_batch = 0, .outputs_have_batch = false}, {}, {}, {}, never).images, 1);
  EXPECT_TRUE(engine.compiled.empty());
}

TEST(BatchTuning, CanBeInterrupted) {
  CostlyEngine engine({.an_inference = 1e-3});
  CancelToken cancel;
  int told = 0;
  const ProgressSink progress = [&](const Progress&) {
    if (++told == 2) {
      cancel.request();
    }
  };
  try {
    choose_batch(engine, kOpen, {}, {.now = [&] { return engine.clock; }}, progress, cancel);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
  EXPECT_THAT(engine.compiled, ElementsAre(1, 2));
}

}  // namespace
}  // namespace verilabel
