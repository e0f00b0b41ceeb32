#include "verilabel/pipeline/label_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <random>
#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kSide = 4;  // of the fake model's input
constexpr std::size_t kValuesPerImage = 3 * kSide * kSide;

// An engine whose threads copy the input to the output after a random wait, so that inferences end in any order.
class FakeModel : public CompiledModel {
 public:
  struct Options {
    int batch = 1;
    int threads = 2;
    int fail_at = -1;  // the inference that fails, counted from 0
    bool has_batch_dimension = true;
    std::chrono::microseconds longest_wait{300};
  };

  explicit FakeModel(Options options) : options_(options) {
    for (int i = 0; i < options.threads; ++i) {
      threads_.emplace_back([this, i] {
        std::mt19937 random(static_cast<unsigned>(i));
        while (auto work = work_.pop()) {
          std::this_thread::sleep_for(options_.longest_wait * (random() % 100) / 100);
          (*work)();
        }
      });
    }
  }
  ~FakeModel() override {
    work_.close();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

  std::unique_ptr<InferRequest> create_request() override { return std::make_unique<Request>(*this); }
  int optimal_requests() const override { return options_.threads; }
  std::size_t output_count() const override { return 1; }
  std::string device() const override { return "FAKE"; }
  int started() const { return started_; }

 private:
  class Request : public InferRequest {
   public:
    explicit Request(FakeModel& model)
        : model_(model), input_(kValuesPerImage * static_cast<std::size_t>(model.options_.batch)), output_(input_.size()) {}
    ~Request() override { EXPECT_FALSE(is_running_) << "a request was destroyed while it ran"; }
    std::span<float> input(std::size_t) override {
      EXPECT_FALSE(is_running_);
      return input_;
    }
    std::span<std::int64_t> input_i64(std::size_t) override { throw std::logic_error("there is no such input"); }
    std::span<const float> output(std::size_t) override {
      EXPECT_FALSE(is_running_);
      return output_;
    }
    std::vector<std::int64_t> output_shape(std::size_t) override {
      std::vector<std::int64_t> shape = {model_.options_.batch, 3, kSide, kSide};
      return model_.options_.has_batch_dimension ? shape : std::vector<std::int64_t>(shape.begin() + 1, shape.end());
    }
    void start(std::function<void(std::exception_ptr)> done) override {
      EXPECT_FALSE(is_running_.exchange(true));
      const bool fails = model_.started_++ == model_.options_.fail_at;
      model_.work_.push([this, fails, done = std::move(done)] {
        output_ = input_;
        is_running_ = false;
        done(fails ? std::make_exception_ptr(Error(ErrorCode::engine, "the fake device is gone")) : nullptr);
      });
    }

   private:
    FakeModel& model_;
    std::vector<float> input_;
    std::vector<float> output_;
    std::atomic<bool> is_running_{false};
  };

  Options options_;
  std::atomic<int> started_{0};
  BoundedQueue<std::function<void()>> work_{1000};
  std::vector<std::thread> threads_;
};

// Proposes one object whose score says which pixel value the image had, so that a mix-up of images shows.
class FakeDetector : public Labeller {
 public:
  int batch = 1;
  int fail_preprocess_of = -1;  // pixel values
  int fail_decode_of = -1;
  int empty_for = -1;

  const ModelCard& card() const override { return card_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  const std::vector<std::string>& notes() const override { return class_names_; }
  CandidateOptions default_options() const override { return {}; }
  int input_width() const override { return kSide; }
  int input_height() const override { return kSide; }
  const std::vector<InputPart>& inputs() const override { return inputs_; }
  int fixed_batch() const override { return batch; }
  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image&) const override {
    EXPECT_EQ(inputs.size(), 1U);
    const std::span<float> input_chw = inputs[0].f32;
    EXPECT_EQ(input_chw.size(), kValuesPerImage);
    const int value = image.pixels()[0];
    if (value == fail_preprocess_of) {
      throw std::length_error("odd");
    }
    std::fill(input_chw.begin(), input_chw.end(), static_cast<float>(value));
    return {.image_width = image.width(), .image_height = image.height()};
  }
  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform&,
                                const CandidateOptions&) const override {
    EXPECT_EQ(outputs.size(), 1U);
    EXPECT_THAT(outputs[0].shape, testing::ElementsAre(3, kSide, kSide));
    EXPECT_EQ(outputs[0].values.size(), kValuesPerImage);
    EXPECT_EQ(outputs[0].values.front(), outputs[0].values.back());
    const int value = static_cast<int>(outputs[0].values.front());
    if (value == fail_decode_of) {
      throw Error(ErrorCode::bad_model, "undecodable");
    }
    if (value == empty_for) {
      return {};
    }
    return {{.class_index = 0, .box_xywh_px = {0, 0, 1, 1}, .score = value / 256., .mask = {}}};
  }

 private:
  ModelCard card_;
  std::vector<InputPart> inputs_ = {{{3, kSide, kSide}, false}};
  std::vector<std::string> class_names_ = {"thing", "other"};
};

// Images i = 1, 2, …: one pixel value each, sizes that tell them apart.
class LabelRun : public testing::Test {
 protected:
  static constexpr int kImages = 120;

  static void SetUpTestSuite() {
    folder = fs::path(testing::TempDir()) / ("verilabel-label-run-" + std::to_string(::getpid()));
    fs::create_directories(folder);
    for (int i = 1; i <= kImages; ++i) {
      // One grey level survives JPEG at full quality as it is.
      Image image(2 + i % 7, 3);
      std::fill(image.pixels().begin(), image.pixels().end(), static_cast<std::uint8_t>(i));
      replace_file(path_of(i), encode_jpeg(image, 100));
    }
  }
  static void TearDownTestSuite() { fs::remove_all(folder); }
  static fs::path path_of(int i) { return folder / (std::to_string(i) + ".jpg"); }

  LabelSource images(int count) {
    return [this, count, next = 0]() mutable -> std::optional<LabelTask> {
      EXPECT_EQ(std::this_thread::get_id(), caller_);
      if (next == count) {
        return std::nullopt;
      }
      ++given_;
      ++next;
      return LabelTask{SampleId{next}, path_of(next)};
    };
  }
  LabelSink collect() {
    return [this](TaskOutcome&& outcome) {
      EXPECT_EQ(std::this_thread::get_id(), caller_);
      EXPECT_LE(given_ - static_cast<std::int64_t>(outcomes_.size()), 200) << "tasks in flight are bounded";
      EXPECT_TRUE(outcomes_.emplace(outcome.sample.value, outcome).second) << "delivered twice: " << outcome.sample.value;
    };
  }
  LabelRunReport run(CompiledModel& model, const LabelSource& source, const LabelSink& sink) {
    return run_labelling(detector_, model, options_, source, sink, progress_, cancel_);
  }
  void expect_own_labels(std::int64_t i) {
    const TaskOutcome& outcome = outcomes_.at(i);
    ASSERT_FALSE(outcome.failure) << outcome.failure->message;
    ASSERT_EQ(outcome.candidates.size(), 1U);
    EXPECT_EQ(outcome.candidates[0].score, static_cast<double>(i) / 256.);
    EXPECT_EQ(outcome.image_width, 2 + i % 7);
    EXPECT_EQ(outcome.image_height, 3);
  }

  static inline fs::path folder;
  const std::thread::id caller_ = std::this_thread::get_id();
  FakeDetector detector_;
  LabelRunOptions options_;
  ProgressSink progress_;
  CancelToken cancel_;
  std::map<std::int64_t, TaskOutcome> outcomes_;
  std::int64_t given_ = 0;
};

TEST_F(LabelRun, EveryImageGetsItsOwnLabelsWhateverTheTiming) {
  for (const int batch : {1, 3, 7}) {
    for (const int threads : {1, 4}) {
      for (const int engine_threads : {1, 3}) {
        SCOPED_TRACE(testing::Message() << "batch " << batch << ", threads " << threads << ", engine threads " << engine_threads);
        outcomes_.clear();
        given_ = 0;
        detector_.batch = batch;
        options_.threads = threads;
        FakeModel model({.batch = batch, .threads = engine_threads});
        const LabelRunReport report = run(model, images(kImages), collect());
        EXPECT_EQ(report.done, kImages);
        EXPECT_EQ(report.failed, 0);
        EXPECT_EQ(report.candidates, kImages);
        EXPECT_EQ(report.device, "FAKE");
        EXPECT_FALSE(report.is_cancelled);
        EXPECT_GT(report.images_per_second(), 0);
        EXPECT_EQ(model.started(), (kImages + batch - 1) / batch) << "batches are full, but for the last one";
        ASSERT_EQ(outcomes_.size(), static_cast<std::size_t>(kImages));
        for (int i = 1; i <= kImages; ++i) {
          expect_own_labels(i);
        }
      }
    }
  }
}

TEST_F(LabelRun, NothingToDoEndsAtOnce) {
  FakeModel model({});
  const LabelRunReport report = run(model, images(0), collect());
  EXPECT_EQ(report.done + report.failed, 0);
  EXPECT_EQ(model.started(), 0);
}

TEST_F(LabelRun, FailuresOfSingleImagesAreOutcomes) {
  const fs::path empty = folder / "empty.jpg";
  replace_file(empty, "");
  const fs::path broken = folder / "broken.jpg";
  replace_file(broken, read_file(path_of(1)).substr(0, 200));
  detector_.batch = 4;
  detector_.fail_preprocess_of = 5;
  detector_.fail_decode_of = 6;
  detector_.empty_for = 7;
  const std::vector<fs::path> paths = {path_of(1), folder / "missing.jpg", empty, broken, path_of(5), path_of(6), path_of(7),
                                       path_of(8)};
  FakeModel model({.batch = 4});
  std::size_t next = 0;
  const LabelRunReport report = run(
      model,
      [&]() -> std::optional<LabelTask> {
        return next == paths.size() ? std::nullopt
                                    : std::optional(LabelTask{SampleId{static_cast<std::int64_t>(++next)}, paths[next - 1]});
      },
      [&](TaskOutcome&& outcome) { outcomes_.emplace(outcome.sample.value, std::move(outcome)); });
  EXPECT_EQ(report.done, 3);
  EXPECT_EQ(report.failed, 5);
  EXPECT_EQ(report.candidates, 2);
  ASSERT_EQ(outcomes_.size(), paths.size());
  expect_own_labels(1);
  EXPECT_EQ(outcomes_.at(2).failure->code, ErrorCode::not_found);
  EXPECT_EQ(outcomes_.at(3).failure->code, ErrorCode::bad_data);
  EXPECT_EQ(outcomes_.at(4).failure->code, ErrorCode::bad_data);
  EXPECT_EQ(outcomes_.at(5).failure->code, ErrorCode::internal);
  EXPECT_THAT(outcomes_.at(5).failure->message, HasSubstr("odd"));
  EXPECT_EQ(outcomes_.at(6).failure->code, ErrorCode::bad_model);
  EXPECT_EQ(outcomes_.at(6).failure->message, "undecodable");
  EXPECT_FALSE(outcomes_.at(7).failure) << "no object is not a failure";
  EXPECT_TRUE(outcomes_.at(7).candidates.empty());
  expect_own_labels(8);
}

TEST_F(LabelRun, CancelDeliversWhatHasBegunAndNothingTwice) {
  for (const int batch : {1, 5}) {
    outcomes_.clear();
    given_ = 0;
    detector_.batch = batch;
    FakeModel model({.batch = batch});
    CancelToken cancel;
    const LabelSource endless = [this]() -> std::optional<LabelTask> {
      const std::int64_t i = given_++ % kImages + 1;
      return LabelTask{SampleId{given_}, path_of(static_cast<int>(i))};
    };
    std::int64_t given_at_request = 0;
    const LabelRunReport report = run_labelling(
        detector_, model, options_, endless,
        [&, take = collect()](TaskOutcome&& outcome) {
          take(std::move(outcome));
          if (outcomes_.size() == 150) {
            cancel.request();
            given_at_request = given_;
          }
        },
        progress_, cancel);
    EXPECT_TRUE(report.is_cancelled);
    EXPECT_EQ(given_, given_at_request) << "no new task after the request";
    EXPECT_EQ(report.done, static_cast<std::int64_t>(outcomes_.size()));
    EXPECT_GE(report.done, 150);
    EXPECT_LE(report.done, given_);
    EXPECT_LE(model.started() * batch, given_ + batch);
  }
}

TEST_F(LabelRun, CancelBeforeTheBeginningDoesNothing) {
  cancel_.request();
  FakeModel model({});
  const LabelRunReport report = run(model, images(kImages), collect());
  EXPECT_TRUE(report.is_cancelled);
  EXPECT_EQ(given_, 0);
}

TEST_F(LabelRun, WhatTheSinkOrTheSourceThrowEndsTheRun) {
  const Error full(ErrorCode::io, "the disk is full");
  const auto expect_thrown = [&](const LabelSource& source, const LabelSink& sink) {
    FakeModel model({});
    try {
      run(model, source, sink);
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), full.message());
    }
  };
  int taken = 0;
  expect_thrown(images(kImages), [&](TaskOutcome&&) {
    if (++taken == 20) {
      throw full;
    }
  });
  EXPECT_EQ(taken, 20) << "nothing is delivered after that";
  int given = 0;
  expect_thrown(
      [&]() -> std::optional<LabelTask> {
        if (++given == 30) {
          throw full;
        }
        return LabelTask{SampleId{given}, path_of(given)};
      },
      [](TaskOutcome&&) {});
  expect_thrown([&]() -> std::optional<LabelTask> { throw full; }, [](TaskOutcome&&) {});
}

TEST_F(LabelRun, AFailureOfTheEngineEndsTheRun) {
  for (const int fail_at : {0, 40}) {
    outcomes_.clear();
    given_ = 0;
    FakeModel model({.fail_at = fail_at});
    try {
      run(model, images(kImages), collect());
      ADD_FAILURE() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::engine);
      EXPECT_EQ(error.message(), "the fake device is gone");
    }
    EXPECT_LT(outcomes_.size(), static_cast<std::size_t>(kImages));
    EXPECT_EQ(outcomes_.count(kImages + 1), 0U);
  }
}

TEST_F(LabelRun, AnOutputWithoutABatchDimensionIsRefused) {
  FakeModel model({.has_batch_dimension = false});
  try {
    run(model, images(kImages), collect());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.message(), HasSubstr("[3, 4, 4] for 1 images"));
  }
}

TEST_F(LabelRun, ASlowSinkMakesTheOthersWait) {
  FakeModel model({.threads = 4, .longest_wait = std::chrono::microseconds(10)});
  run(model, images(kImages), [&, take = collect()](TaskOutcome&& outcome) {
    take(std::move(outcome));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_EQ(outcomes_.size(), static_cast<std::size_t>(kImages));
}

TEST_F(LabelRun, ProgressEndsWithTheCounts) {
  std::vector<std::int64_t> done;
  progress_ = [&](const Progress& progress) {
    EXPECT_EQ(std::this_thread::get_id(), caller_);
    EXPECT_EQ(progress.total, kImages);
    EXPECT_EQ(progress.unit, "images");
    done.push_back(progress.done);
  };
  options_.total = kImages;
  FakeModel model({.threads = 1, .longest_wait = std::chrono::milliseconds(10)});
  run(model, images(kImages), collect());
  EXPECT_GE(done.size(), 2U);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), kImages);
}

TEST_F(LabelRun, OptionsAndGraphMustAgree) {
  EXPECT_EQ(images_per_inference(detector_, {}), 1);
  EXPECT_EQ(images_per_inference(detector_, {.batch = 1}), 1);
  EXPECT_THROW(images_per_inference(detector_, {.batch = 4}), Error);
  detector_.batch = 0;
  EXPECT_EQ(images_per_inference(detector_, {}), 1);
  EXPECT_EQ(images_per_inference(detector_, {.batch = 4}), 4);
  detector_.batch = 8;
  EXPECT_EQ(images_per_inference(detector_, {}), 8);

  const auto message = [](const LabelRunOptions& options) -> std::string {
    try {
      options.validate();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      return error.message();
    }
    return "accepted";
  };
  const auto changed = [](auto change) {
    LabelRunOptions options;
    change(options);
    return options;
  };
  EXPECT_EQ(message({}), "accepted");
  EXPECT_THAT(message(changed([](auto& options) { options.candidates.floor = 1; })), HasSubstr("floor is 1"));
  EXPECT_THAT(message(changed([](auto& options) { options.candidates.floor = std::nan(""); })), HasSubstr("floor is nan"));
  EXPECT_THAT(message(changed([](auto& options) { options.candidates.nms_iou = 1.5; })), HasSubstr("NMS threshold is 1.5"));
  EXPECT_THAT(message(changed([](auto& options) { options.candidates.max_detections = 0; })), HasSubstr("at most 0 detections"));
  EXPECT_THAT(message(changed([](auto& options) { options.batch = -1; })), HasSubstr("batch is -1"));
  EXPECT_THAT(message(changed([](auto& options) { options.threads = -1; })), HasSubstr("threads is -1"));

  FakeModel model({});
  detector_.batch = 1;
  options_.candidates.is_class_wanted = {1};
  EXPECT_THROW(run(model, images(1), collect()), Error);
}

}  // namespace
}  // namespace verilabel
