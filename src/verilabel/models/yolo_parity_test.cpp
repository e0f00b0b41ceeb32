// Equality with Ultralytics on the narrow graphs of tests/parity/export_yolo.py, of which the tests need nothing else: YOLOv8,
// YOLO11 and YOLO26 with masks, YOLOE with classes baked in. Letterboxed pixels bit for bit, the same classes, scores, boxes and
// masks, in each engine. A detection within kScoreTolerance of the floor may be on either side.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

std::vector<fs::path> cases() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fixtures() / "yolo")) {
    folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

/// Of the pixels that the tensor was made of.
std::string sha256_of_pixels(std::span<const float> tensor) {
  std::string bytes;
  for (const float value : tensor) {
    bytes += static_cast<char>(static_cast<std::uint8_t>(std::nearbyint(std::clamp(value, 0.0F, 1.0F) * 255)));
  }
  return sha256_of(bytes);
}

struct Differences {
  int images = 0;
  int tensors = 0;
  int detections = 0;  ///< without a partner
  int masks = 0;
  int partners = 0;
};

Differences compare(const fs::path& folder, const json& expected, const char* engine = "openvino", const ImageChange& change = {},
                    const std::optional<fs::path>& manifest = std::nullopt) {
  Runner runner(folder / "model.onnx", {.manifest = manifest}, engine);
  EXPECT_EQ(runner.labeller().card().family, "ultralytics");
  EXPECT_EQ(runner.labeller().class_names(), expected.at("class_names").get<std::vector<std::string>>());
  CandidateOptions options = runner.labeller().default_options();
  EXPECT_EQ(options.nms_iou, expected.at("nms_iou").get<double>());
  EXPECT_EQ(options.max_detections, expected.at("max_detections").get<int>());
  options.floor = expected.at("floor").get<double>();
  Differences differences;
  for (const json& item : expected.at("images")) {
    const Image image = fixture_image(item.at("file").get<std::string>(), change);
    ++differences.images;
    differences.tensors += sha256_of_pixels(runner.prepare(image)) == item.at("pixels_sha256").get<std::string>() ? 0 : 1;
    const DetectionMatches matches =
        match_detections(item.at("detections").dump(), image.width(), image.height(), options.floor, runner.candidates(options));
    differences.detections += matches.lacking;
    differences.masks += matches.off_masks;
    differences.partners += matches.partners;
  }
  return differences;
}

class YoloParityOn : public ::testing::TestWithParam<const char*> {};

TEST_P(YoloParityOn, PixelsBitForBitAndTheSameScoresBoxesAndMasks) {
  if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  EXPECT_GE(cases().size(), 6U);
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const Differences differences = compare(folder, expected, GetParam());
    EXPECT_GE(differences.images, 20);
    EXPECT_EQ(differences.tensors, 0);
    EXPECT_EQ(differences.detections, 0);
    EXPECT_EQ(differences.masks, 0);
    EXPECT_GT(differences.partners, 100);
    std::printf("%-24s %d detections\n", folder.filename().c_str(), differences.partners);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, YoloParityOn, ::testing::ValuesIn(kTestedEngines), engine_of);

TEST(YoloParity, PlantedFaultsAreFound) {
  const ModelFolder place;
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const auto expect_found = [](const char* fault, const Differences& differences) {
      EXPECT_GT(differences.tensors, differences.images / 2) << fault;
      EXPECT_GT(differences.detections, 0) << fault;
    };
    const auto with = [&](const char* manifest) {
      return compare(folder, expected, "openvino", {}, place.write("faulty.json", manifest));
    };
    expect_found("red and blue swapped", compare(folder, expected, "openvino", swap_red_and_blue));
    expect_found("shifted by a pixel", compare(folder, expected, "openvino", shift_by_a_pixel));
    expect_found("another kernel", with(R"({"interpolation": "cubic"})"));
    expect_found("another mean", with(R"({"mean": [10, 10, 10]})"));
    expect_found("another padding", with(R"({"padding": 0})"));
    expect_found("padding on the right and below", with(R"({"fit": "letterbox_corner"})"));
  }
}

TEST(YoloParity, AMaskThatIsOffByAPixelIsFound) {
  const fs::path folder = fixtures() / "yolo" / "yolov8-seg";
  json expected = json_of(folder / "expected.json");
  int moved = 0;
  for (json& item : expected.at("images")) {
    const Image image = fixture_image(item.at("file").get<std::string>());
    for (json& one : item.at("detections")) {
      Rle mask = rle_from_coco_string(one.at("mask").get<std::string>(), static_cast<std::uint32_t>(image.height()),
                                      static_cast<std::uint32_t>(image.width()));
      if (mask.counts.size() < 3 || mask.counts.size() % 2 == 0 || mask.counts.back() == 0) {
        continue;
      }
      // COCO's order goes down the columns.
      ++mask.counts.front();
      --mask.counts.back();
      one["mask"] = coco_string_from_rle(mask);
      ++moved;
    }
  }
  EXPECT_GT(compare(folder, expected).masks, moved / 4);
}

}  // namespace
}  // namespace verilabel
