// Images that go through a graph together give what each gives alone: every model of tests/parity/fixtures whose graph takes any
// number of images, in each engine. That they are what the references give is the other tests' to show, one image at a time.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/embedder.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kTogether = 4;
constexpr int kGroups = 2;
/// Of the greatest number of an encoder's output, and of scores and vectors.
constexpr double kTolerance = 1e-3;
constexpr double kBoxTolerancePx = 0.05;
/// Each operation of a graph in f16 is rounded by ONNX Runtime, in another order where there are more rows.
constexpr double kHalfTolerance = 4e-3;

/// Models that take one image at a time: OWL and Grounding DINO because their families do, all others because they were exported
/// so.
constexpr const char* kOneAtATime[] = {"d-fine",
                                       "detr-coarse-mask",
                                       "open_vocabulary/grounding-dino",
                                       "open_vocabulary/grounding-dino-idea",
                                       "open_vocabulary/owlv2",
                                       "open_vocabulary/owlvit",
                                       "open_vocabulary/yolo-world-mmyolo",
                                       "open_vocabulary/yolo-world-ultralytics",
                                       "rf-detr",
                                       "rf-detr-seg",
                                       "rf-detr-transformers",
                                       "rt-detr",
                                       "rt-detr-original",
                                       "rt-detr-v2",
                                       "segment_anything/sam-meta",
                                       "segment_anything/sam-meta-raw",
                                       "segment_anything/sam2-samexporter",
                                       "swin",
                                       "ultralytics-classify",
                                       "yolo/yolo11-seg",
                                       "yolo/yolo26-seg",
                                       "yolo/yoloe",
                                       "yolo/yoloe-26-seg",
                                       "yolo/yoloe-seg",
                                       "yolo/yolov8-seg"};

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

/// Folders of models below that of the fixtures, by their path there.
std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(fixtures())) {
    if (entry.path().filename() == "expected.json" && json_of(entry.path()).contains("images")) {
      names.push_back(entry.path().parent_path().lexically_relative(fixtures()).native());
    }
  }
  std::ranges::sort(names);
  return names;
}

/// A graph compiled for some images, with one request.
class Together {
 public:
  Together(Engine& engine, const GraphUse& use, int images) : use_(use), images_(static_cast<std::size_t>(images)) {
    CompileOptions compile;
    compile.input_shapes = input_shapes_of(use, images);
    compile.outputs = use.outputs;
    compiled_ = engine.compile(use.file, compile);
    request_ = compiled_->create_request();
  }

  /// What one image is written into.
  std::vector<InputView> inputs_of(std::size_t image) {
    std::vector<InputView> views;
    for (std::size_t i = 0; i < use_.inputs.size(); ++i) {
      const InputPart& part = use_.inputs[i];
      const std::size_t begin = part.has_batch ? image * part.size() : 0;
      views.push_back(part.is_i64 ? InputView{{}, request_->input_i64(i).subspan(begin, part.size())}
                                  : InputView{request_->input(i).subspan(begin, part.size()), {}});
    }
    return views;
  }
  void run() {
    request_->run();
    shapes_.clear();
    for (std::size_t i = 0; i < compiled_->output_count(); ++i) {
      shapes_.push_back(request_->output_shape(i));
      ASSERT_EQ(shapes_.back().at(0), static_cast<std::int64_t>(images_));
      shapes_.back().erase(shapes_.back().begin());
    }
  }
  /// Valid until the next run.
  std::vector<OutputView> outputs_of(std::size_t image) {
    std::vector<OutputView> views;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      const std::span<const float> all = request_->output(i);
      views.push_back({all.subspan(image * (all.size() / images_), all.size() / images_), shapes_[i]});
    }
    return views;
  }

 private:
  const GraphUse& use_;
  std::size_t images_;
  std::unique_ptr<CompiledModel> compiled_;
  std::unique_ptr<InferRequest> request_;
  std::vector<std::vector<std::int64_t>> shapes_;
};

/// What is made of an image: candidates of a labeller, rows of numbers of an embedder or an encoder.
struct Answer {
  std::vector<Candidate> candidates;
  std::vector<std::vector<float>> numbers;
};

/// A model of any kind, and how its answers are read.
class Subject {
 public:
  Subject(const std::string& name, const char* engine) : engine_(open_engine(engine)) {
    const fs::path folder = fixtures() / name;
    const json expected = json_of(folder / "expected.json");
    const std::string kind = expected.at("kind");
    const fs::path model = fs::exists(folder / "model.onnx") ? folder / "model.onnx" : folder;
    if (kind == "prompted_masks") {
      segmenter_ = load_segmenter(*engine_, folder);
      return;
    }
    if (kind == "embedding") {
      embedder_ = load_embedder(*engine_, folder);
      return;
    }
    LoadOptions load;
    if (expected.contains("labels") && !expected.value("baked", false)) {
      load.prompts = prompts_of_names(expected.at("labels").get<std::vector<std::string>>());
    }
    labeller_ = load_labeller(*engine_, model, load);
    options_ = labeller_->default_options();
    options_.floor = expected.value("floor", 0.0);
    options_.max_detections = 1000;
  }

  const GraphUse& graph() const { return labeller_ ? labeller_->graph() : embedder_ ? embedder_->graph() : segmenter_->encoder(); }

  Together compiled_for(int images) { return {*engine_, graph(), images}; }

  /// One answer an image, of all of them in one inference.
  std::vector<Answer> answers(Together& together, std::span<const Image> images) {
    std::vector<InputTransform> transforms;
    for (std::size_t i = 0; i < images.size(); ++i) {
      const std::vector<InputView> inputs = together.inputs_of(i);
      transforms.push_back(labeller_   ? labeller_->preprocess(images[i], inputs, scratch_, 0)
                           : embedder_ ? embedder_->preprocess(images[i], inputs, scratch_)
                                       : segmenter_->preprocess(images[i], inputs, scratch_));
    }
    together.run();
    std::vector<Answer> answers(images.size());
    for (std::size_t i = 0; i < images.size(); ++i) {
      const std::vector<OutputView> outputs = together.outputs_of(i);
      if (labeller_) {
        answers[i].candidates = labeller_->decode(outputs, transforms[i], options_);
      } else if (embedder_) {
        answers[i].numbers.push_back(embedder_->decode(outputs));
      } else {
        for (const OutputView& output : outputs) {
          answers[i].numbers.emplace_back(output.values.begin(), output.values.end());
        }
      }
    }
    return answers;
  }

  double floor() const { return options_.floor; }

 private:
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Labeller> labeller_;  // one of the three
  std::unique_ptr<Embedder> embedder_;
  std::unique_ptr<Segmenter> segmenter_;
  CandidateOptions options_;
  Image scratch_;
};

bool are_same(const Candidate& a, const Candidate& b, double tolerance) {
  const auto near = [](double x, double y) { return std::abs(x - y) <= kBoxTolerancePx; };
  const Box& left = a.box_xywh_px;
  const Box& right = b.box_xywh_px;
  return a.class_index == b.class_index && a.mask.has_value() == b.mask.has_value() && std::abs(a.score - b.score) <= tolerance &&
         near(left.x, right.x) && near(left.y, right.y) && near(left.w, right.w) && near(left.h, right.h);
}

/// Numbers and candidates of either side without a partner on the other, those aside whose score is at the floor.
int differences_of(const Answer& a, const Answer& b, double floor, double tolerance) {
  int differences = 0;
  for (const auto& [some, others] : {std::pair(&a.candidates, &b.candidates), std::pair(&b.candidates, &a.candidates)}) {
    for (const Candidate& one : *some) {
      const bool has_partner =
          std::ranges::any_of(*others, [&](const Candidate& other) { return are_same(one, other, tolerance); });
      differences += has_partner || one.score < floor + tolerance ? 0 : 1;
    }
  }
  for (std::size_t k = 0; k < a.numbers.size(); ++k) {
    const float largest = std::abs(*std::ranges::max_element(a.numbers[k], {}, [](float value) { return std::abs(value); }));
    for (std::size_t i = 0; i < a.numbers[k].size(); ++i) {
      differences += std::abs(a.numbers[k][i] - b.numbers[k].at(i)) <= tolerance * largest ? 0 : 1;
    }
  }
  return differences;
}

class BatchParityOn : public ::testing::TestWithParam<const char*> {};

TEST_P(BatchParityOn, ImagesTogetherGiveWhatEachGivesAlone) {
  if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  std::set<std::string> one_at_a_time;
  int compared = 0;
  for (const std::string& name : cases()) {
    SCOPED_TRACE(name);
    Subject subject(name, GetParam());
    if (subject.graph().fixed_batch != 0 || !subject.graph().outputs_have_batch) {
      one_at_a_time.insert(name);
      continue;
    }
    const json expected = json_of(fixtures() / name / "expected.json");
    const double tolerance = name.ends_with("-fp16") ? kHalfTolerance : kTolerance;
    Together one = subject.compiled_for(1);
    Together some = subject.compiled_for(kTogether);
    int differing = 0;
    int distinct = 0;
    for (int group = 0; group < kGroups; ++group) {
      std::vector<Image> images;
      std::vector<Answer> alone;
      for (int i = 0; i < kTogether; ++i) {
        // Of all of them, not the first ones only: tall, wide, tiny.
        const json& item = expected.at("images").at(static_cast<std::size_t>((group + kGroups * i) * 3));
        images.push_back(fixture_image(item.at("file").get<std::string>()));
        alone.push_back(subject.answers(one, std::span(&images.back(), 1)).front());
      }
      const std::vector<Answer> together = subject.answers(some, images);
      for (std::size_t i = 0; i < images.size(); ++i) {
        differing += differences_of(alone[i], together[i], subject.floor(), tolerance);
        distinct += differences_of(alone[i], together[(i + 1) % images.size()], subject.floor(), tolerance) > 0 ? 1 : 0;
      }
    }
    EXPECT_EQ(differing, 0);
    EXPECT_GE(distinct, kGroups * kTogether / 2) << "images that give the same prove nothing";
    ++compared;
  }
  std::printf("%s: %d models compared; one image at a time: %s\n", GetParam(), compared,
              fmt::format("{}", fmt::join(one_at_a_time, ", ")).c_str());
  EXPECT_THAT(one_at_a_time, ::testing::ElementsAreArray(kOneAtATime));
}

INSTANTIATE_TEST_SUITE_P(Each, BatchParityOn, ::testing::ValuesIn(kTestedEngines), engine_of);

}  // namespace
}  // namespace verilabel
