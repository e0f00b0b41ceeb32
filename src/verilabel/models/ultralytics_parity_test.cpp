// Equality with Ultralytics' own predictions, on graphs that tests/parity/export_ultralytics.py made: set VERILABEL_PARITY_MODELS
// to their folder. Both engines compute in float32 with sums in different orders, so a candidate within kScoreMargin of the floor,
// or of the last score of a full list, may be on either side; such ones, and nothing else, may lack a partner.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "verilabel/engine/engine.h"
#include "verilabel/engine/testing_installed.h"
#include "verilabel/image/decode.h"
#include "verilabel/models/labeller.h"

namespace verilabel {
namespace {

constexpr double kScoreMargin = 1e-3;
constexpr double kScoreTolerance = 2e-4;
constexpr double kEdgeTolerancePx = 0.1;

std::vector<Candidate> candidates_of(const Labeller& detector, CompiledModel& model, const Image& image,
                                     const CandidateOptions& options) {
  const auto request = model.create_request();
  Image scratch;
  const InputTransform transform = detector.preprocess(image, std::array{InputView{request->input(0), {}}}, scratch, 0);
  std::promise<void> promise;
  request->start([&](std::exception_ptr failure) { failure ? promise.set_exception(failure) : promise.set_value(); });
  promise.get_future().get();
  std::vector<std::vector<std::int64_t>> shapes;
  for (std::size_t i = 0; i < model.output_count(); ++i) {
    const auto shape = request->output_shape(i);
    shapes.emplace_back(shape.begin() + 1, shape.end());
  }
  std::vector<OutputView> outputs;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    outputs.push_back({request->output(i), shapes[i]});
  }
  return detector.decode(outputs, transform, options);
}

Candidate candidate_from(const nlohmann::json& detection, const Image& image) {
  const auto edges = detection.at("box_xyxy_px").get<std::array<double, 4>>();
  Candidate candidate;
  candidate.class_index = detection.at("class").get<std::int32_t>();
  candidate.score = detection.at("score").get<double>();
  candidate.box_xywh_px = {edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]};
  if (detection.contains("mask")) {
    candidate.mask = Mask{rle_from_coco_string(detection.at("mask").get<std::string>(), static_cast<std::uint32_t>(image.height()),
                                               static_cast<std::uint32_t>(image.width())),
                          true};
  }
  return candidate;
}

double edge_distance(const Box& a, const Box& b) {
  return std::max({std::abs(a.x - b.x), std::abs(a.y - b.y), std::abs(a.x + a.w - b.x - b.w), std::abs(a.y + a.h - b.y - b.h)});
}

bool is_same(const Candidate& a, const Candidate& b) {
  return a.class_index == b.class_index && std::abs(a.score - b.score) <= kScoreTolerance &&
         edge_distance(a.box_xywh_px, b.box_xywh_px) <= kEdgeTolerancePx;
}

std::string text_of(const Candidate& candidate) {
  const Box& box = candidate.box_xywh_px;
  return "class " + std::to_string(candidate.class_index) + " score " + std::to_string(candidate.score) + " at " +
         std::to_string(box.x) + ", " + std::to_string(box.y) + ", " + std::to_string(box.w) + ", " + std::to_string(box.h);
}

/// Partners one to one, best scores first; `partner[i]` is the index in `theirs` of `ours[i]`, or their number.
std::vector<std::size_t> partners_of(const std::vector<Candidate>& ours, const std::vector<Candidate>& theirs) {
  std::vector<std::size_t> partners(ours.size(), theirs.size());
  std::vector<bool> is_taken(theirs.size(), false);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    for (std::size_t k = 0; k < theirs.size() && partners[i] == theirs.size(); ++k) {
      if (!is_taken[k] && is_same(ours[i], theirs[k])) {
        partners[i] = k;
        is_taken[k] = true;
      }
    }
  }
  return partners;
}

class UltralyticsParity : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("VERILABEL_PARITY_MODELS");
    if (folder == nullptr || *folder == '\0') {
      GTEST_SKIP() << "VERILABEL_PARITY_MODELS does not name a folder made by tests/parity/export_ultralytics.py";
    }
    folder_ = folder;
    if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
  }

  void compare(const std::filesystem::path& expected_file) {
    const auto expected = nlohmann::json::parse(std::ifstream(expected_file));
    const std::string stem = expected_file.filename().stem().stem().string();
    const auto engine = open_engine(GetParam());
    const std::filesystem::path graph = folder_ / (stem + ".onnx");
    const auto detector = load_labeller(*engine, graph);
    EXPECT_EQ(detector->card().family, "ultralytics");
    EXPECT_EQ(detector->class_names(), expected.at("class_names").get<std::vector<std::string>>());
    EXPECT_EQ(detector->input_width(), expected.at("input_wh").at(0).get<int>());
    EXPECT_EQ(detector->input_height(), expected.at("input_wh").at(1).get<int>());
    CandidateOptions options = detector->default_options();
    EXPECT_EQ(options.nms_iou, expected.at("nms_iou").get<double>());
    EXPECT_EQ(options.max_detections, expected.at("max_detections").get<int>());
    options.floor = expected.at("floor").get<double>();
    CompileOptions compile;
    compile.input_shapes = input_shapes_of(detector->graph(), 1);
    const auto model = engine->compile(graph, compile);
    std::size_t pairs = 0;
    std::size_t borderline = 0;
    for (const auto& item : expected.at("images")) {
      const auto file = item.at("file").get<std::string>();
      SCOPED_TRACE(stem + " on " + file);
      Image image;
      decode(folder_ / "images" / file, image);
      std::vector<Candidate> theirs;
      for (const auto& detection : item.at("detections")) {
        Candidate candidate = candidate_from(detection, image);
        // Of what it sees in the padding alone, Ultralytics leaves a box without area at the border; we leave nothing.
        if (candidate.box_xywh_px.w > 0 && candidate.box_xywh_px.h > 0) {
          theirs.push_back(std::move(candidate));
        }
      }
      std::vector<Candidate> ours = candidates_of(*detector, *model, image, options);
      EXPECT_TRUE(std::ranges::is_sorted(ours, std::ranges::greater{}, &Candidate::score));
      double limit = options.floor;
      if (static_cast<int>(item.at("detections").size()) == options.max_detections) {
        limit = std::max(limit, item.at("detections").back().at("score").get<double>());
      }
      const auto partners = partners_of(ours, theirs);
      const auto partners_of_theirs = partners_of(theirs, ours);
      const auto expect_partner = [&](const std::vector<Candidate>& list, const std::vector<std::size_t>& found, std::size_t none,
                                      const char* whose) {
        for (std::size_t i = 0; i < list.size(); ++i) {
          if (found[i] != none) {
            continue;
          }
          ++borderline;
          EXPECT_LT(list[i].score, limit + kScoreMargin) << whose << " alone: " << text_of(list[i]);
        }
      };
      expect_partner(ours, partners, theirs.size(), "ours");
      expect_partner(theirs, partners_of_theirs, ours.size(), "theirs");
      for (std::size_t i = 0; i < ours.size(); ++i) {
        if (partners[i] == theirs.size()) {
          continue;
        }
        ++pairs;
        const Candidate& other = theirs[partners[i]];
        ASSERT_EQ(ours[i].mask.has_value(), other.mask.has_value());
        if (ours[i].mask) {
          const Rle& mask = std::get<Rle>(ours[i].mask->shape);
          const Rle& other_mask = std::get<Rle>(other.mask->shape);
          // A logit near 0, or an edge of the box near a whole number, may fall on either side.
          const double united = static_cast<double>(area(union_of(std::vector{mask, other_mask})));
          EXPECT_LE(united * (1 - iou(mask, other_mask)), std::max(2.0, united * 0.01)) << text_of(ours[i]);
        }
      }
    }
    RecordProperty(stem + "_pairs", static_cast<int>(pairs));
    EXPECT_GT(pairs, 50U) << stem << " shows too little";
    EXPECT_LE(borderline * 100, pairs) << stem << ": too many near the limit";
    std::printf("%-24s %zu pairs, %zu borderline\n", stem.c_str(), pairs, borderline);
  }

  std::filesystem::path folder_;
};

TEST_P(UltralyticsParity, BoxesClassesScoresAndMasks) {
  int graphs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().native().ends_with(".expected.json")) {
      ++graphs;
      compare(entry.path());
    }
  }
  EXPECT_GT(graphs, 0) << folder_ << " holds no *.expected.json";
}

INSTANTIATE_TEST_SUITE_P(Each, UltralyticsParity, ::testing::ValuesIn(kTestedEngines), engine_of);

}  // namespace
}  // namespace verilabel
