#include "verilabel/models/testing_parity.h"

#include <array>
#include <cmath>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "verilabel/geometry/mask.h"
#include "verilabel/image/decode.h"
#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

struct Detection {
  std::int32_t class_index;
  double score;
  std::array<double, 4> box_xyxy;
  std::optional<Rle> mask;
};

/// A logit near 0 may fall on either side.
bool is_same_mask(const Candidate& candidate, const Detection& other) {
  if (candidate.mask.has_value() != other.mask.has_value()) {
    return false;
  }
  if (!candidate.mask) {
    return true;
  }
  const Rle& mask = std::get<Rle>(candidate.mask->shape);
  const auto united = static_cast<double>(area(union_of(std::vector{mask, *other.mask})));
  return united * (1 - iou(mask, *other.mask)) <= std::max(2.0, united * 0.01);
}

}  // namespace

DetectionMatches match_detections(const std::string& expected_json, int width, int height, double floor,
                                  const std::vector<Candidate>& ours) {
  std::vector<Detection> theirs;
  for (const nlohmann::json& one : nlohmann::json::parse(expected_json)) {
    theirs.push_back({one.at("class").get<std::int32_t>(), one.at("score").get<double>(),
                      one.at("box_xyxy_px").get<std::array<double, 4>>(), std::nullopt});
    if (one.contains("mask")) {
      theirs.back().mask = rle_from_coco_string(one.at("mask").get<std::string>(), static_cast<std::uint32_t>(height),
                                                static_cast<std::uint32_t>(width));
    }
  }
  DetectionMatches matches;
  std::vector<bool> is_taken(theirs.size(), false);
  for (const Candidate& candidate : ours) {
    const Box& box = candidate.box_xywh_px;
    const std::array<double, 4> edges = {box.x, box.y, box.x + box.w, box.y + box.h};
    bool has_partner = false;
    for (std::size_t i = 0; i < theirs.size() && !has_partner; ++i) {
      const Detection& other = theirs[i];
      bool is_same =
          !is_taken[i] && candidate.class_index == other.class_index && std::abs(candidate.score - other.score) <= kScoreTolerance;
      for (std::size_t edge = 0; edge < edges.size(); ++edge) {
        is_same = is_same && std::abs(edges[edge] - other.box_xyxy[edge]) <= kEdgeTolerancePx;
      }
      has_partner = is_same;
      matches.off_masks += is_same && !is_same_mask(candidate, other) ? 1 : 0;
      is_taken[i] = is_taken[i] || is_same;
    }
    matches.partners += has_partner ? 1 : 0;
    matches.lacking += has_partner || candidate.score < floor + kScoreTolerance ? 0 : 1;
  }
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    matches.lacking += is_taken[i] || theirs[i].score < floor + kScoreTolerance ? 0 : 1;
  }
  return matches;
}

void replace_in(const std::filesystem::path& file, const std::string& text, const std::string& by) {
  std::string content = read_file(file);
  const std::size_t at = content.find(text);
  EXPECT_NE(at, std::string::npos) << text;
  std::ofstream(file, std::ios::binary) << content.replace(std::min(at, content.size()), text.size(), by);
}

FaultyModel::FaultyModel(const std::filesystem::path& folder)
    : path_(std::filesystem::temp_directory_path() / ("verilabel-faulty-" + std::to_string(::getpid()))) {
  std::filesystem::remove_all(path_);
  std::filesystem::copy(folder, path_, std::filesystem::copy_options::recursive);
}

void FaultyModel::set(const std::string& key, const std::string& value_json, const char* file_name) const {
  const std::filesystem::path file = path_ / file_name;
  nlohmann::json document = nlohmann::json::object();
  if (std::filesystem::exists(file)) {
    document = nlohmann::json::parse(std::ifstream(file));
  }
  document[key] = nlohmann::json::parse(value_json);
  std::ofstream(file) << document;
}

Image fixture_image(const std::string& file_name, const ImageChange& change) {
  Image image;
  decode(fixtures() / "images" / file_name, image);
  if (change) {
    change(image);
  }
  return image;
}

std::string loading_fault(const std::filesystem::path& fixture, const std::function<void(const std::filesystem::path&)>& change,
                          GraphInfo stated, const Prompts& prompts) {
  const FaultyModel copy(fixture);
  if (change) {
    change(copy.path());
  }
  StatedGraphEngine engine(std::move(stated));
  LoadOptions options;
  options.prompts = prompts;
  const Error error = error_of([&] { load_labeller(engine, copy.path(), options); });
  return fmt::format("{} {}", info(error.code()).name, error.what());
}

}  // namespace verilabel
