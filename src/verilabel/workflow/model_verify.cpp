#include "verilabel/workflow/model_verify.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include <sys/resource.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/engine/engine.h"
#include "verilabel/hub/cache.h"
#include "verilabel/hub/download.h"
#include "verilabel/hub/locate.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/image.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/workflow/ready_graph.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr int kImageWidth = 640;
constexpr int kImageHeight = 480;
constexpr int kJpegQuality = 90;
constexpr double kScoreTolerance = 1e-3;
constexpr double kBoxTolerancePx = 0.5;

/// A sky, a ground, and some bright and dark things on it: nothing that any model must find.
Image test_image() {
  Image image(kImageWidth, kImageHeight);
  for (int y = 0; y < kImageHeight; ++y) {
    for (int x = 0; x < kImageWidth; ++x) {
      std::uint8_t* const pixel = image.row(y) + static_cast<std::ptrdiff_t>(x) * Image::kChannels;
      const bool is_sky = y < kImageHeight / 2;
      const bool is_disc = std::hypot(x - 180, y - 260) < 90;
      const bool is_tile = x > 360 && x < 560 && y > 180 && y < 400 && ((x / 20 + y / 20) % 2 == 0);
      pixel[0] = static_cast<std::uint8_t>(is_disc ? 40 : is_tile ? 230 : is_sky ? 220 - y / 4 : 60);
      pixel[1] = static_cast<std::uint8_t>(is_disc ? 60 : is_tile ? 230 : is_sky ? 160 - y / 4 : 110 + x % 32);
      pixel[2] = static_cast<std::uint8_t>(is_disc ? 200 : is_tile ? 230 : is_sky ? 100 : 90);
    }
  }
  return image;
}

/// The test image as a file, for as long as it lives.
class TestImageFile {
 public:
  TestImageFile() {
    std::string name = (fs::temp_directory_path() / "verilabel-verify-XXXXXX").native();
    if (::mkdtemp(name.data()) == nullptr) {
      throw io_error("cannot make a folder for the test image", name, errno);
    }
    folder_ = name;
    replace_file(path(), encode_jpeg(test_image(), kJpegQuality));
  }
  TestImageFile(const TestImageFile&) = delete;
  TestImageFile& operator=(const TestImageFile&) = delete;
  ~TestImageFile() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  fs::path path() const { return folder_ / "image.jpg"; }

 private:
  fs::path folder_;
};

/// A file of the hub's is called by the hash of what it holds.
std::string check_hashes(const CachedSnapshot& snapshot, const ProgressSink& progress, const CancelToken& cancel) {
  constexpr std::size_t kSha1Digits = 40;
  constexpr std::size_t kSha256Digits = 64;
  std::size_t checked = 0;
  for (const std::string& path : snapshot.files) {
    const fs::path file = snapshot.folder / path;
    const std::string hash = fs::is_symlink(file) ? fs::read_symlink(file).filename().native() : std::string();
    if (hash.size() != kSha1Digits && hash.size() != kSha256Digits) {
      continue;  // a cache without links says no hash
    }
    const HubFile expected{path, fs::file_size(file), hash, hash.size() == kSha1Digits};
    if (hashed(expected, file, progress, cancel).finish() != hash) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the file in the cache is damaged; mend it with: verilabel models pull {}@{} --file '{}' --check",
                              snapshot.repository.text, snapshot.commit, path),
                  {{"file", file.native()}});
    }
    ++checked;
  }
  return fmt::format("{} of {} files have the hash that the hub knows them by", checked, snapshot.files.size());
}

/// A mask for a point has the model's estimate of an IoU for a score, which may leave the range.
bool is_possible(const Candidate& candidate, bool is_estimate) {
  const Box& box = candidate.box_xywh_px;
  return std::isfinite(candidate.score) && (is_estimate || (candidate.score >= 0 && candidate.score <= 1)) &&
         std::isfinite(box.x) && std::isfinite(box.y) && box.w >= 0 && box.h >= 0 && box.x >= 0 && box.y >= 0 &&
         box.x + box.w <= kImageWidth + 1e-6 && box.y + box.h <= kImageHeight + 1e-6;
}

/// The two things of the test image as boxes for a model that outlines.
std::vector<Candidate> boxes_of_things() {
  Candidate disc;
  disc.box_xywh_px = {90, 170, 180, 180};
  disc.score = 1;
  Candidate board = disc;
  board.box_xywh_px = {360, 180, 200, 220};
  return {disc, board};
}

double product_of(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() ? std::inner_product(a.begin(), a.end(), b.begin(), 0.0) : 0;
}

bool are_alike(const Candidate& a, const Candidate& b) {
  const auto near = [](double x, double y, double tolerance) { return std::abs(x - y) <= tolerance; };
  return a.class_index == b.class_index && a.mask.has_value() == b.mask.has_value() && near(a.score, b.score, kScoreTolerance) &&
         near(a.box_xywh_px.x, b.box_xywh_px.x, kBoxTolerancePx) && near(a.box_xywh_px.y, b.box_xywh_px.y, kBoxTolerancePx) &&
         near(a.box_xywh_px.w, b.box_xywh_px.w, kBoxTolerancePx) && near(a.box_xywh_px.h, b.box_xywh_px.h, kBoxTolerancePx);
}

std::uint64_t peak_memory_bytes() {
  struct rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<std::uint64_t>(usage.ru_maxrss) * 1024 : 0;
}

/// Does one check after the other until one fails.
class Verification {
 public:
  Verification(const VerifyOptions& options, const ProgressSink& progress, const CancelToken& cancel)
      : options_(options), progress_(progress), cancel_(cancel), model_(locate_model(options.model)) {
    report_.name = model_.name;
    report_.engine = options.engine;
  }

  VerifyReport run() {
    static_cast<void>((!model_.snapshot || passes("files", [&] { return check_hashes(*model_.snapshot, progress_, cancel_); })) &&
                      passes("load", [&] { return load(); }) && passes("device", [&] { return compile(); }) &&
                      passes("run", [&] { return work(); }) && passes("answer", [&] { return look(); }) &&
                      passes("repeat", [&] { return compare(); }));
    report_.peak_memory_bytes = peak_memory_bytes();
    return std::move(report_);
  }

 private:
  template <typename Check>
  bool passes(const char* name, const Check& check) {
    try {
      report_.checks.push_back({name, true, check()});
      return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::interrupted) {
        throw;
      }
      report_.checks.push_back({name, false, error.what()});
      return false;
    }
  }

  /// A model that outlines objects, else one that proposes labels, else one that makes vectors.
  std::string load() {
    engine_ = open_engine(options_.engine);
    report_.engine_version = engine_->version();
    const LoadOptions asked{
        .manifest = options_.manifest, .prompts = prompts_of_names({"person", "car", "tree"}), .device = options_.device};
    const LoadOptions plain{.manifest = options_.manifest};
    if (is_segmenter(*engine_, model_.path)) {
      segmenter_ = load_segmenter(*engine_, model_.path, plain);
    } else {
      try {
        labeller_ = load_labeller(*engine_, model_.path, asked);
      } catch (const Error& refused) {
        embedder_ = refused.code() == ErrorCode::bad_model ? embedder_unless_refused(plain) : nullptr;
        if (!embedder_) {
          throw;
        }
      }
    }
    const ModelCard& card = labeller_ ? labeller_->card() : segmenter_ ? segmenter_->card() : embedder_->card();
    report_.notes = labeller_ ? labeller_->notes() : segmenter_ ? segmenter_->notes() : embedder_->notes();
    report_.family = card.family;
    return fmt::format("{} ({})", card.family, card.layout);
  }

  /// Nothing for a model that is none.
  std::unique_ptr<Embedder> embedder_unless_refused(const LoadOptions& options) const {
    try {
      return load_embedder(*engine_, model_.path, options);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::bad_model && error.code() != ErrorCode::wrong_use) {
        throw;
      }
      return nullptr;
    }
  }

  std::string compile() {
    run_options_.device = options_.device;
    run_options_.batch = options_.batch;
    if (labeller_) {
      run_options_.candidates = labeller_->default_options();
      stages_.proposer = labeller_.get();
      stages_.proposer_graph = ready(labeller_->graph(), labeller_->card());
    } else if (segmenter_) {
      stages_.segmenter = segmenter_.get();
      stages_.encoder_graph = ready(segmenter_->encoder(), segmenter_->card());
      const PromptKind kind = segmenter_->takes(PromptKind::box) ? PromptKind::box : PromptKind::point;
      stages_.decoder_graph = ready(segmenter_->decoder(kind).graph, segmenter_->card());
      if (kind == PromptKind::point) {
        run_options_.everything = {.points_per_side = 2, .min_iou = std::numeric_limits<double>::lowest(), .min_stability = 0};
      }
    } else {
      stages_.embedder = embedder_.get();
      stages_.embedder_graph = ready(embedder_->graph(), embedder_->card());
    }
    report_.device = graphs_.front().compiled->device();
    return fmt::format("runs on {} ({} {})", report_.device, options_.engine, report_.engine_version);
  }

  StageGraph ready(const GraphUse& graph, const ModelCard& card) {
    BatchTuningOptions tuning;
    tuning.window = std::min(tuning.window, std::chrono::duration<double>(options_.seconds / 10));
    graphs_.push_back(ready_graph(*engine_, graph, card.weights_sha256, run_options_, kImagesWorthTuning,
                                  BatchMemory::of_this_user().anew(), tuning, progress_, cancel_));
    images_an_inference_ = std::max(images_an_inference_, graphs_.back().images);
    if (!graphs_.back().note.empty()) {
      report_.notes.push_back(graphs_.back().note);
    }
    return graphs_.back().in_stage();
  }

  bool gives_boxes() const { return segmenter_ && !run_options_.everything; }

  std::string work() {
    run_for(0, images_an_inference_);  // the first inferences allocate
    const LabelRunReport worked = run_for(options_.seconds, 2 * images_an_inference_);
    report_.images = worked.done + worked.failed;
    report_.images_per_second = worked.images_per_second();
    return fmt::format("{} images, {} at a time, {:.1f} images a second", report_.images, images_an_inference_,
                       report_.images_per_second);
  }

  /// Shows the model the test image again and again for some time, but at least so often.
  LabelRunReport run_for(double seconds, int at_least) {
    const auto begun = std::chrono::steady_clock::now();
    std::int64_t given = 0;
    const auto source = [&]() -> std::optional<LabelTask> {
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
      if (given >= at_least && passed.count() >= seconds) {
        return std::nullopt;
      }
      return LabelTask{SampleId{++given}, image_.path(), gives_boxes() ? boxes_of_things() : std::vector<Candidate>()};
    };
    const auto sink = [&](TaskOutcome&& outcome) {
      if (outcome.failure) {
        throw Error(outcome.failure->code, outcome.failure->message);
      }
      if (!first_) {
        first_ = std::move(outcome);
      } else {
        is_repeatable_ &= is_same(*first_, outcome);
      }
    };
    const LabelRunReport report = run_labelling(stages_, run_options_, source, sink, progress_, cancel_);
    if (report.is_cancelled) {
      throw Error(ErrorCode::interrupted, "the command was interrupted");
    }
    return report;
  }

  std::string look() const {
    const TaskOutcome& outcome = first_.value();
    for (const Candidate& candidate : outcome.candidates) {
      if (!is_possible(candidate, run_options_.everything.has_value())) {
        const Box& box = candidate.box_xywh_px;
        throw Error(
            ErrorCode::bad_model,
            "a candidate that cannot be: scores lie from 0 to 1 and boxes within the image; perhaps the model wants a manifest",
            {{"score", fmt::format("{}", candidate.score)},
             {"box_xywh_px", fmt::format("{}, {}, {}, {}", box.x, box.y, box.w, box.h)}});
      }
    }
    if (labeller_) {
      return fmt::format("{} candidates above {} on the test image", outcome.candidates.size(), run_options_.candidates.floor);
    }
    if (run_options_.everything) {
      return fmt::format("{} masks for the points of a grid on the test image", outcome.candidates.size());
    }
    if (segmenter_) {
      const auto outlined = std::ranges::count_if(outcome.candidates, [](const Candidate& one) { return one.mask.has_value(); });
      return fmt::format("{} of {} boxes on the test image have an outline", outlined, boxes_of_things().size());
    }
    const std::vector<float>& vector = outcome.vectors.at(0);
    const double length = std::sqrt(product_of(vector, vector));
    if (!(std::abs(length - 1) < kScoreTolerance)) {  // nor is it one that is no number
      throw Error(ErrorCode::bad_model, "a vector that cannot be: its length is not 1", {{"length", fmt::format("{}", length)}});
    }
    return fmt::format("a vector of {} numbers: {}", vector.size(), embedder_->method());
  }

  static bool is_same(const TaskOutcome& first, const TaskOutcome& other) {
    const bool has_same_vectors = std::ranges::equal(
        first.vectors, other.vectors, [](const auto& a, const auto& b) { return product_of(a, b) > 1 - kScoreTolerance; });
    return has_same_vectors && std::ranges::equal(first.candidates, other.candidates, &are_alike);
  }

  std::string compare() const {
    if (!is_repeatable_) {
      throw Error(ErrorCode::engine,
                  "the same image gave something else the second time; the engine or its device is not reliable");
    }
    return "the same each time";
  }

  const VerifyOptions& options_;
  const ProgressSink& progress_;
  const CancelToken& cancel_;
  LocatedModel model_;
  VerifyReport report_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Labeller> labeller_;  // one of the three
  std::unique_ptr<Segmenter> segmenter_;
  std::unique_ptr<Embedder> embedder_;
  std::vector<ReadyGraph> graphs_;
  int images_an_inference_ = 1;
  LabelStages stages_;
  LabelRunOptions run_options_;
  TestImageFile image_;
  std::optional<TaskOutcome> first_;
  bool is_repeatable_ = true;
};

}  // namespace

bool VerifyReport::is_good() const {
  return !checks.empty() && std::ranges::all_of(checks, &Check::is_good);
}

void VerifyOptions::validate() const {
  constexpr double kMaxSeconds = 3600;
  if (!std::isfinite(seconds) || seconds <= 0 || seconds > kMaxSeconds) {
    throw Error(ErrorCode::wrong_use, fmt::format("--seconds must be above 0 and at most {}", kMaxSeconds));
  }
  if (batch < 0) {
    throw Error(ErrorCode::wrong_use, "--batch must be at least 1, or 0 for what suits the model");
  }
}

VerifyReport verify_model(const VerifyOptions& options, const ProgressSink& progress, const CancelToken& cancel) {
  options.validate();
  return Verification(options, progress, cancel).run();
}

}  // namespace verilabel
