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

// Where the fake engine computes.
enum class Computes { on_own_threads, in_caller };

// An engine whose threads, or callers, copy the input to the output after a random wait, so that inferences end in any order.
class FakeModel : public CompiledModel {
 public:
  struct Options {
    int batch = 1;
    int threads = 2;
    int fail_at = -1;  // the inference that fails, counted from 0
    bool has_batch_dimension = true;
    std::chrono::microseconds longest_wait{300};
  };

  FakeModel(Options options, Computes where) : options_(options), where_(where) {
    for (int i = 0; i < options.threads; ++i) {
      threads_.emplace_back([this, i] {
        std::mt19937 random(static_cast<unsigned>(i));
        while (auto work = work_.pop()) {
          wait(random);
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
  bool computes_in_caller() const override { return where_ == Computes::in_caller; }
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
      EXPECT_EQ(model_.where_, Computes::on_own_threads);
      const bool fails = begin();
      model_.work_.push([this, fails, done = std::move(done)] { done(end(fails)); });
    }
    void run() override {
      EXPECT_EQ(model_.where_, Computes::in_caller);
      const bool fails = begin();
      static thread_local std::mt19937 random(static_cast<unsigned>(std::hash<std::thread::id>()(std::this_thread::get_id())));
      model_.wait(random);
      if (const std::exception_ptr failure = end(fails)) {
        std::rethrow_exception(failure);
      }
    }

   private:
    bool begin() {
      EXPECT_FALSE(is_running_.exchange(true));
      return model_.started_++ == model_.options_.fail_at;
    }
    std::exception_ptr end(bool fails) {
      output_ = input_;
      is_running_ = false;
      return fails ? std::make_exception_ptr(Error(ErrorCode::engine, "the fake device is gone")) : nullptr;
    }

    FakeModel& model_;
    std::vector<float> input_;
    std::vector<float> output_;
    std::atomic<bool> is_running_{false};
  };

  void wait(std::mt19937& random) const { std::this_thread::sleep_for(options_.longest_wait * (random() % 100) / 100); }

  Options options_;
  Computes where_;
  std::atomic<int> started_{0};
  BoundedQueue<std::function<void()>> work_{1000};
  std::vector<std::thread> threads_;
};

// Proposes one object whose score says which pixel value the image had, so that a mix-up of images shows.
class FakeDetector : public Labeller {
 public:
  GraphUse graph_use = {.inputs = {{{3, kSide, kSide}}}};
  int& batch = graph_use.fixed_batch;
  int fail_preprocess_of = -1;  // pixel values
  int fail_decode_of = -1;
  int empty_for = -1;
  int pass_count = 1;

  const ModelCard& card() const override { return card_; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  const std::vector<std::string>& notes() const override { return class_names_; }
  CandidateOptions default_options() const override { return {}; }
  int input_width() const override { return kSide; }
  int input_height() const override { return kSide; }
  const GraphUse& graph() const override { return graph_use; }
  int passes() const override { return pass_count; }
  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image&, int pass) const override {
    EXPECT_EQ(inputs.size(), 1U);
    const std::span<float> input_chw = inputs[0].f32;
    EXPECT_EQ(input_chw.size(), kValuesPerImage);
    const int value = image.pixels()[0];
    if (value == fail_preprocess_of) {
      throw std::length_error("odd");
    }
    std::fill(input_chw.begin(), input_chw.end(), static_cast<float>(value));
    return {.image_width = image.width(), .image_height = image.height(), .pass = pass};
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
  std::vector<std::string> class_names_ = {"thing", "other"};
};

// Outlines boxes by a mask whose area says which image and which box it was. For a point it proposes the whole image and the pixel
// where the point lies.
class FakeSegmenter : public Segmenter {
 public:
  mutable std::atomic<int> encoded{0};
  mutable std::atomic<int> asked{0};             // points
  mutable std::atomic<int> answered{0};          // likewise
  mutable std::atomic<int> most_asked_ahead{0};  // images that were encoded beside those answered, at nine points each

  const ModelCard& card() const override { return card_; }
  const std::vector<std::string>& notes() const override { return notes_; }
  const GraphUse& encoder() const override { return use_.graph; }
  bool takes(PromptKind) const override { return true; }
  const DecoderUse& decoder(PromptKind) const override { return use_; }
  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image&) const override {
    most_asked_ahead = std::max<int>(most_asked_ahead, ++encoded - answered / 9);
    std::ranges::fill(inputs[0].f32, static_cast<float>(image.pixels()[0]));
    return {.image_width = image.width(), .image_height = image.height()};
  }
  void write_boxes(const EncodedImage& image, std::span<const Box> boxes, std::span<const InputView> inputs) const override {
    ASSERT_EQ(image.outputs.size(), 1U);
    ASSERT_FALSE(boxes.empty());
    ASSERT_LE(boxes.size(), 2U);
    inputs[0].f32[0] = image.outputs[0][0];
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      inputs[0].f32[1 + i] = static_cast<float>(boxes[i].w);
    }
  }
  void write_points(const EncodedImage& image, std::span<const Point> points, std::span<const InputView> inputs) const override {
    ASSERT_FALSE(points.empty());
    ASSERT_LE(points.size(), 2U);
    asked += static_cast<int>(points.size());
    inputs[0].f32[0] = image.outputs[0][0];
    for (std::size_t i = 0; i < points.size(); ++i) {
      inputs[0].f32[1 + 2 * i] = static_cast<float>(points[i].x);
      inputs[0].f32[2 + 2 * i] = static_cast<float>(points[i].y);
    }
  }
  std::vector<std::optional<Mask>> masks_of_boxes(std::span<const OutputView> outputs, const EncodedImage& image,
                                                  std::size_t boxes) const override {
    const auto height = static_cast<std::uint32_t>(image.transform.image_height);
    const auto width = static_cast<std::uint32_t>(image.transform.image_width);
    EXPECT_EQ(outputs[0].values[0], image.outputs[0][0]) << "the encoding of another image";
    std::vector<std::optional<Mask>> masks;
    for (std::size_t i = 0; i < boxes; ++i) {
      const auto area = static_cast<std::uint32_t>(outputs[0].values[1 + i]);
      if (area == 3) {
        masks.emplace_back();  // sees nothing
      } else {
        masks.push_back(Mask{Rle{height, width, {0, area, height * width - area}}, true});
      }
    }
    return masks;
  }
  std::vector<MaskProposal> masks_of_points(std::span<const OutputView> outputs, const EncodedImage& image, std::size_t points,
                                            const EverythingOptions&) const override {
    const auto height = static_cast<std::uint32_t>(image.transform.image_height);
    const auto width = static_cast<std::uint32_t>(image.transform.image_width);
    EXPECT_EQ(outputs[0].values[0], image.outputs[0][0]) << "the encoding of another image";
    std::vector<MaskProposal> proposals;
    for (std::size_t i = 0; i < points; ++i) {
      const auto x = static_cast<std::uint32_t>(outputs[0].values[1 + 2 * i]);
      const auto y = static_cast<std::uint32_t>(outputs[0].values[2 + 2 * i]);
      const std::uint32_t before = x * height + y;
      ++answered;
      proposals.push_back({Rle{height, width, {0, height * width}}, 0.5 + outputs[0].values[0] / 1000});
      proposals.push_back({Rle{height, width, {before, 1, height * width - before - 1}}, 0.1 + before / 100.});
    }
    return proposals;
  }

 private:
  ModelCard card_;
  std::vector<std::string> notes_;
  DecoderUse use_ = {{.inputs = {{{3, kSide, kSide}}}}, 2};
};

// Proposes as many boxes as the pixel value modulo 6 says, in each of its passes one more; box i is i + 1 wide.
class FakeProposer : public FakeDetector {
 public:
  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                const CandidateOptions&) const override {
    const int value = static_cast<int>(outputs[0].values.front());
    std::vector<Candidate> candidates;
    for (int i = 0; i < value % 6 + transform.pass; ++i) {
      candidates.push_back({.class_index = 0,
                            .box_xywh_px = {0, 0, static_cast<double>(i + 1), 1 + 0.25 * transform.pass},
                            .score = 0.9 - 0.1 * i - 0.01 * transform.pass,
                            .mask = {}});
    }
    return candidates;
  }
};

// Gives what it sees the class of its first pixel value modulo 2, and nothing where that is 4.
class FakeClassifier : public FakeDetector {
 public:
  mutable std::atomic<int> seen{0};

  bool finds_objects() const override { return false; }
  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform&,
                                const CandidateOptions& options) const override {
    ++seen;
    EXPECT_EQ(options.max_detections, 1);
    const int value = static_cast<int>(outputs[0].values.front());
    if (value == 4) {
      return {};
    }
    return {{.class_index = value % 2, .box_xywh_px = {}, .score = 0.5, .mask = std::nullopt, .kind = LabelKind::classification}};
  }
};

// Images i = 1, 2, …: one pixel value each, sizes that tell them apart.
class LabelRun : public testing::TestWithParam<Computes> {
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
  /// Round and round; `given` counts them.
  static LabelSource endless_images(std::int64_t& given) {
    return [&given]() -> std::optional<LabelTask> {
      ++given;
      return LabelTask{SampleId{given}, path_of(static_cast<int>(given % kImages) + 1)};
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
    return run_labelling({.proposer = &detector_, .proposer_graph = &model}, options_, source, sink, progress_, cancel_);
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

INSTANTIATE_TEST_SUITE_P(Engines, LabelRun, testing::Values(Computes::on_own_threads, Computes::in_caller),
                         [](const auto& suite) { return suite.param == Computes::in_caller ? "InCaller" : "OnOwnThreads"; });

TEST_P(LabelRun, EveryImageGetsItsOwnLabelsWhateverTheTiming) {
  for (const int batch : {1, 3, 7}) {
    for (const int threads : {1, 4}) {
      for (const int engine_threads : {1, 3}) {
        SCOPED_TRACE(testing::Message() << "batch " << batch << ", threads " << threads << ", engine threads " << engine_threads);
        outcomes_.clear();
        given_ = 0;
        detector_.batch = batch;
        options_.threads = threads;
        FakeModel model({.batch = batch, .threads = engine_threads}, GetParam());
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

TEST_P(LabelRun, StagesWorkOnWhatTheOnesBeforeFound) {
  for (const int batch : {1, 4}) {
    for (const int threads : {1, 4}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch << ", threads " << threads);
      outcomes_.clear();
      given_ = 0;
      options_.threads = threads;
      FakeProposer proposer;
      proposer.batch = batch;
      proposer.pass_count = 2;
      FakeSegmenter segmenter;
      FakeClassifier classifier;
      classifier.batch = batch;
      FakeModel proposing({.batch = batch}, GetParam());
      FakeModel encoding({}, GetParam());
      FakeModel outlining({.threads = 3}, GetParam());
      FakeModel naming({.batch = batch}, GetParam());
      const LabelRunReport report = run_labelling({.proposer = &proposer,
                                                   .proposer_graph = &proposing,
                                                   .segmenter = &segmenter,
                                                   .encoder_graph = &encoding,
                                                   .decoder_graph = &outlining,
                                                   .classifier = &classifier,
                                                   .classifier_graph = &naming},
                                                  options_, images(kImages), collect(), progress_, cancel_);
      EXPECT_EQ(report.done, kImages);
      EXPECT_EQ(proposing.started(), 2 * kImages / batch);
      EXPECT_EQ(segmenter.encoded, kImages) << "once an image, whatever the number of boxes";
      int expected_candidates = 0;
      for (int i = 1; i <= kImages; ++i) {
        // Both passes find the same widths but for the last one; with a mask, what is the same twice is one object.
        std::vector<std::pair<double, int>> expected;  // score and width
        for (int width = 1; width <= i % 6 + 1 && i != 4; ++width) {
          const double score = 0.5 * (0.9 - 0.1 * (width - 1));
          if (width <= i % 6) {
            expected.emplace_back(score, width);
          }
          if (width > i % 6 || width == 3) {
            expected.emplace_back(score - 0.005, width);
          }
        }
        expected_candidates += static_cast<int>(expected.size());
        const TaskOutcome& outcome = outcomes_.at(i);
        ASSERT_FALSE(outcome.failure) << outcome.failure->message;
        ASSERT_EQ(outcome.candidates.size(), expected.size()) << i;
        for (std::size_t k = 0; k < expected.size(); ++k) {
          const Candidate& candidate = outcome.candidates[k];
          const auto [score, width] = expected[k];
          EXPECT_EQ(candidate.class_index, i % 2);
          EXPECT_NEAR(candidate.score, score, 1e-12);
          ASSERT_EQ(candidate.mask.has_value(), width != 3);
          EXPECT_EQ(candidate.kind, width == 3 ? LabelKind::box : LabelKind::mask);
          if (candidate.mask) {
            EXPECT_EQ(mask_area(*candidate.mask, 3, static_cast<std::uint32_t>(outcome.image_width)), width);
          }
        }
      }
      EXPECT_EQ(report.candidates, expected_candidates);
    }
  }
}

TEST_P(LabelRun, TilesAreForAModelThatFindsObjects) {
  options_.tiles = TilingOptions{.side = 32};
  FakeModel model({}, GetParam());
  EXPECT_EQ(run(model, images(10), collect()).windows, 10);
  EXPECT_EQ(outcomes_.at(3).windows, 1);

  const auto refused = [&](const LabelStages& stages) {
    try {
      run_labelling(stages, options_, images(0), collect(), progress_, cancel_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::wrong_use);
      return error.message();
    }
    return std::string("accepted");
  };
  FakeClassifier classifier;
  EXPECT_THAT(refused({.proposer = &classifier, .proposer_graph = &model}), HasSubstr("tiles are for a model that finds objects"));
  EXPECT_THAT(refused({.classifier = &classifier, .classifier_graph = &model}), HasSubstr("tiles are for"));
  options_.tiles->side = 3;
  EXPECT_THAT(refused({.proposer = &detector_, .proposer_graph = &model}), HasSubstr("side of a tile is 3"));
}

TEST_P(LabelRun, BoxesThatAreThereNeedNoProposer) {
  FakeSegmenter segmenter;
  FakeModel encoding({}, GetParam());
  FakeModel outlining({}, GetParam());
  int next = 0;
  const LabelSource source = [&]() -> std::optional<LabelTask> {
    if (next == kImages) {
      return std::nullopt;
    }
    ++next;
    LabelTask task{SampleId{next}, path_of(next)};
    for (int i = 0; i < next % 3; ++i) {
      task.given.push_back({.class_index = 7, .box_xywh_px = {0, 0, i + 1.0, 1}, .score = 1, .mask = {}});
    }
    return task;
  };
  const LabelRunReport report = run_labelling({.segmenter = &segmenter, .encoder_graph = &encoding, .decoder_graph = &outlining},
                                              options_, source, collect(), progress_, cancel_);
  EXPECT_EQ(report.done, kImages);
  EXPECT_EQ(segmenter.encoded, kImages * 2 / 3) << "not where there is no box";
  for (int i = 1; i <= kImages; ++i) {
    ASSERT_EQ(outcomes_.at(i).candidates.size(), static_cast<std::size_t>(i % 3));
    for (const Candidate& candidate : outcomes_.at(i).candidates) {
      EXPECT_EQ(candidate.class_index, 7);
      EXPECT_EQ(candidate.kind, LabelKind::mask);
    }
  }
}

TEST_P(LabelRun, EverythingIsFoundByPointsOnAGrid) {
  FakeSegmenter segmenter;
  FakeClassifier classifier;
  FakeModel encoding({}, GetParam());
  FakeModel asking({}, GetParam());
  FakeModel naming({}, GetParam());
  options_.everything = {.points_per_side = 3};
  options_.candidates.floor = 0.115;
  const LabelStages models{.segmenter = &segmenter, .encoder_graph = &encoding, .decoder_graph = &asking};
  const LabelRunReport report = run_labelling(models, options_, images(kImages), collect(), progress_, cancel_);
  EXPECT_EQ(report.done, kImages);
  EXPECT_EQ(segmenter.encoded, kImages);
  EXPECT_EQ(segmenter.asked, 9 * kImages);
  EXPECT_EQ(asking.started(), 5 * kImages) << "two points at a time";
  for (int i = 1; i <= kImages; ++i) {
    const std::vector<Candidate>& found = outcomes_.at(i).candidates;
    const auto width = static_cast<std::uint32_t>(2 + i % 7);
    // The image once, though all points find it. A pixel alone has no area between its edges, so that none suppresses another.
    std::vector<double> pixels;
    for (const std::uint32_t cell : {0U, 1U, 2U}) {
      const auto x = static_cast<std::uint32_t>((cell + 0.5) / 3 * width);
      for (const std::uint32_t y : {0U, 1U, 2U}) {
        if (const double score = 0.1 + (x * 3 + y) / 100.; score > 0.115) {
          pixels.push_back(score);
        }
      }
    }
    std::ranges::sort(pixels, std::ranges::greater{});
    ASSERT_EQ(found.size(), 1 + pixels.size()) << i;
    EXPECT_NEAR(found[0].score, 0.5 + i / 1000., 1e-6);
    EXPECT_EQ(found[0].box_xywh_px, (Box{0, 0, static_cast<double>(width), 3}));
    for (std::size_t k = 0; k < pixels.size(); ++k) {
      EXPECT_NEAR(found[1 + k].score, pixels[k], 1e-9);
      EXPECT_EQ(found[1 + k].kind, LabelKind::mask);
      EXPECT_EQ(mask_area(*found[1 + k].mask, 3, width), 1);
      EXPECT_EQ(area(found[1 + k].box_xywh_px), 1);
      EXPECT_EQ(found[1 + k].class_index, 0);
    }
  }

  outcomes_.clear();
  given_ = 0;
  options_.everything->max_masks = 2;
  options_.candidates.floor = 0.05;
  LabelStages with_names = models;
  with_names.classifier = &classifier;
  with_names.classifier_graph = &naming;
  run_labelling(with_names, options_, images(kImages), collect(), progress_, cancel_);
  for (int i = 1; i <= kImages; ++i) {
    ASSERT_EQ(outcomes_.at(i).candidates.size(), i == 4 ? 0U : 2U);
    for (const Candidate& candidate : outcomes_.at(i).candidates) {
      EXPECT_EQ(candidate.class_index, i % 2);
      EXPECT_EQ(candidate.kind, LabelKind::mask);
    }
  }

  FakeProposer proposer;
  with_names.proposer = &proposer;
  EXPECT_THROW(run_labelling(with_names, options_, images(1), collect(), progress_, cancel_), Error);
}

// What an encoder gives is large, so that few images may wait between the two graphs of a segmenter.
TEST_P(LabelRun, FewEncodedImagesWaitForASlowDecoder) {
  options_.threads = 2;
  options_.everything = {.points_per_side = 3};
  FakeSegmenter segmenter;
  FakeModel encoding({.longest_wait = {}}, GetParam());
  FakeModel asking({.threads = 1, .longest_wait = std::chrono::milliseconds(1)}, GetParam());
  run_labelling({.segmenter = &segmenter, .encoder_graph = &encoding, .decoder_graph = &asking}, options_, images(kImages),
                collect(), progress_, cancel_);
  EXPECT_EQ(segmenter.encoded, kImages);
  // Three that are worked on by threads, two in the encoder, one in the decoder, and one that is counted before it is answered.
  EXPECT_LE(segmenter.most_asked_ahead, 7);
}

// Its own outlines gave way to nothing, where a model that makes masks came first.
TEST_P(LabelRun, MasksOfADetectorAreOutlinedAnew) {
  class MaskProposer : public FakeProposer {
   public:
    std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                  const CandidateOptions& options) const override {
      std::vector<Candidate> candidates = FakeProposer::decode(outputs, transform, options);
      for (Candidate& candidate : candidates) {
        const auto pixels = static_cast<std::uint32_t>(3 * transform.image_width);
        candidate.kind = LabelKind::mask;
        candidate.mask = Mask{Rle{3, static_cast<std::uint32_t>(transform.image_width), {0, pixels}}, true};
      }
      return candidates;
    }
  };
  MaskProposer proposer;
  FakeSegmenter segmenter;
  FakeModel proposing({}, GetParam());
  FakeModel encoding({}, GetParam());
  FakeModel outlining({}, GetParam());
  run_labelling({.proposer = &proposer,
                 .proposer_graph = &proposing,
                 .segmenter = &segmenter,
                 .encoder_graph = &encoding,
                 .decoder_graph = &outlining},
                options_, images(5), collect(), progress_, cancel_);
  const std::vector<Candidate>& found = outcomes_.at(5).candidates;
  ASSERT_EQ(found.size(), 5U);
  for (const Candidate& candidate : found) {
    const int width = static_cast<int>(std::lround((0.9 - candidate.score) * 10)) + 1;
    ASSERT_EQ(candidate.mask.has_value(), width != 3) << "what the segmenter does not see is a box";
    EXPECT_EQ(candidate.kind, width == 3 ? LabelKind::box : LabelKind::mask);
    if (candidate.mask) {
      EXPECT_EQ(mask_area(*candidate.mask, 3, 7), width);
    }
  }
}

TEST_P(LabelRun, ACancelledRunBeginsNoMoreInferences) {
  options_.threads = 2;
  FakeProposer proposer;
  FakeClassifier classifier;
  FakeModel proposing({.longest_wait = {}}, GetParam());
  FakeModel naming({.threads = 1, .longest_wait = std::chrono::milliseconds(2)}, GetParam());
  CancelToken cancel;
  int at_request = 0;
  std::int64_t endless = 0;
  const LabelRunReport report = run_labelling(
      {.proposer = &proposer, .proposer_graph = &proposing, .classifier = &classifier, .classifier_graph = &naming}, options_,
      endless_images(endless),
      [&, count = 0](TaskOutcome&&) mutable {
        if (++count == 20) {
          cancel.request();
          at_request = naming.started();
        }
      },
      progress_, cancel);
  EXPECT_TRUE(report.is_cancelled);
  EXPECT_LT(report.done, endless);
  // Those that wait in the engine, and the one that is being written by each thread.
  EXPECT_LE(naming.started() - at_request, 8);
}

TEST_P(LabelRun, LaterStagesFailAndAreCancelledLikeTheFirst) {
  FakeProposer proposer;
  FakeClassifier classifier;
  classifier.fail_preprocess_of = 5;
  classifier.batch = 50;
  FakeModel proposing({}, GetParam());
  {
    FakeModel naming({.batch = 50}, GetParam());
    const LabelRunReport report =
        run_labelling({.proposer = &proposer, .proposer_graph = &proposing, .classifier = &classifier, .classifier_graph = &naming},
                      options_, images(kImages), collect(), progress_, cancel_);
    EXPECT_EQ(report.failed, 1);
    EXPECT_EQ(report.done, kImages - 1);
    EXPECT_THAT(outcomes_.at(5).failure->message, HasSubstr("odd"));
    EXPECT_EQ(naming.started(), (kImages / 6 * 15 - 5 + 49) / 50) << "batches hold objects of several images";
  }
  {
    FakeModel naming({.batch = 50, .fail_at = 1}, GetParam());
    EXPECT_THROW(run_labelling(
                     {.proposer = &proposer, .proposer_graph = &proposing, .classifier = &classifier, .classifier_graph = &naming},
                     options_, images(kImages), [](TaskOutcome&&) {}, progress_, cancel_),
                 Error);
  }
  FakeModel naming({.batch = 50}, GetParam());
  CancelToken cancel;
  std::int64_t endless = 0;
  const LabelRunReport report = run_labelling(
      {.proposer = &proposer, .proposer_graph = &proposing, .classifier = &classifier, .classifier_graph = &naming}, options_,
      endless_images(endless),
      [&, count = 0](TaskOutcome&&) mutable {
        if (++count == 100) {
          cancel.request();
        }
      },
      progress_, cancel);
  EXPECT_TRUE(report.is_cancelled);
  EXPECT_GE(report.done + report.failed, 100);
  EXPECT_LE(report.done + report.failed, endless);
}

TEST_P(LabelRun, NothingToDoEndsAtOnce) {
  FakeModel model({}, GetParam());
  const LabelRunReport report = run(model, images(0), collect());
  EXPECT_EQ(report.done + report.failed, 0);
  EXPECT_EQ(model.started(), 0);
}

TEST_P(LabelRun, FailuresOfSingleImagesAreOutcomes) {
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
  FakeModel model({.batch = 4}, GetParam());
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

TEST_P(LabelRun, CancelDeliversWhatHasBegunAndNothingTwice) {
  for (const int batch : {1, 5}) {
    outcomes_.clear();
    given_ = 0;
    detector_.batch = batch;
    FakeModel model({.batch = batch}, GetParam());
    CancelToken cancel;
    const LabelSource endless = [this]() -> std::optional<LabelTask> {
      const std::int64_t i = given_++ % kImages + 1;
      return LabelTask{SampleId{given_}, path_of(static_cast<int>(i))};
    };
    std::int64_t given_at_request = 0;
    const LabelRunReport report = run_labelling(
        {.proposer = &detector_, .proposer_graph = &model}, options_, endless,
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

TEST_P(LabelRun, CancelBeforeTheBeginningDoesNothing) {
  cancel_.request();
  FakeModel model({}, GetParam());
  const LabelRunReport report = run(model, images(kImages), collect());
  EXPECT_TRUE(report.is_cancelled);
  EXPECT_EQ(given_, 0);
}

TEST_P(LabelRun, WhatTheSinkOrTheSourceThrowEndsTheRun) {
  const Error full(ErrorCode::io, "the disk is full");
  const auto expect_thrown = [&](const LabelSource& source, const LabelSink& sink) {
    FakeModel model({}, GetParam());
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

TEST_P(LabelRun, AFailureOfTheEngineEndsTheRun) {
  for (const int fail_at : {0, 40}) {
    outcomes_.clear();
    given_ = 0;
    FakeModel model({.fail_at = fail_at}, GetParam());
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

TEST_P(LabelRun, AnOutputWithoutABatchDimensionIsRefused) {
  FakeModel model({.has_batch_dimension = false}, GetParam());
  try {
    run(model, images(kImages), collect());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.message(), HasSubstr("[3, 4, 4] for 1 images"));
  }
}

TEST_P(LabelRun, ASlowSinkMakesTheOthersWait) {
  FakeModel model({.threads = 4, .longest_wait = std::chrono::microseconds(10)}, GetParam());
  run(model, images(kImages), [&, take = collect()](TaskOutcome&& outcome) {
    take(std::move(outcome));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  EXPECT_EQ(outcomes_.size(), static_cast<std::size_t>(kImages));
}

TEST_P(LabelRun, ProgressEndsWithTheCounts) {
  std::vector<std::int64_t> done;
  progress_ = [&](const Progress& progress) {
    EXPECT_EQ(std::this_thread::get_id(), caller_);
    EXPECT_EQ(progress.total, kImages);
    EXPECT_EQ(progress.unit, "images");
    done.push_back(progress.done);
  };
  options_.total = kImages;
  FakeModel model({.threads = 1, .longest_wait = std::chrono::milliseconds(10)}, GetParam());
  run(model, images(kImages), collect());
  EXPECT_GE(done.size(), 2U);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.back(), kImages);
}

TEST_P(LabelRun, OptionsAndGraphMustAgree) {
  EXPECT_EQ(images_per_inference(detector_.graph(), {}), 1);
  EXPECT_EQ(images_per_inference(detector_.graph(), {.batch = 1}), 1);
  EXPECT_THROW(images_per_inference(detector_.graph(), {.batch = 4}), Error);
  detector_.batch = 0;
  EXPECT_EQ(images_per_inference(detector_.graph(), {}), 1);
  EXPECT_EQ(images_per_inference(detector_.graph(), {.batch = 4}), 4);
  detector_.batch = 8;
  EXPECT_EQ(images_per_inference(detector_.graph(), {}), 8);
  EXPECT_EQ(images_per_inference({.outputs_have_batch = false}, {.batch = 4}), 1);

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

  FakeModel model({}, GetParam());
  detector_.batch = 1;
  options_.candidates.is_class_wanted = {1};
  EXPECT_THROW(run(model, images(1), collect()), Error);
}

}  // namespace
}  // namespace verilabel
