// Equality of segmenters with transformers and segment_anything on the fixtures that tests/parity/export_segment_anything.py made:
// pixels before scaling bit for bit, the choice among masks, masks, and what a grid of points finds. In every engine that is there.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/geometry/nms.h"
#include "verilabel/image/resize.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr double kLeastIou = 0.99;
constexpr double kScoreTolerance = 1e-3;
constexpr double kTensorTolerance = 1e-5;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

std::vector<fs::path> cases() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fixtures() / "segment_anything")) {
    folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

/// One graph of a segmenter with a request.
class GraphRunner {
 public:
  GraphRunner(Engine& engine, const GraphUse& use) : use_(use) {
    CompileOptions compile;
    compile.input_shapes = input_shapes_of(use, std::max(1, use.fixed_batch));
    compile.outputs = use.outputs;
    compiled_ = engine.compile(use.file, compile);
    request_ = compiled_->create_request();
  }

  std::vector<InputView> inputs() {
    std::vector<InputView> views;
    for (std::size_t i = 0; i < use_.inputs.size(); ++i) {
      views.push_back(use_.inputs[i].is_i64 ? InputView{{}, request_->input_i64(i)} : InputView{request_->input(i), {}});
      std::ranges::fill(views.back().f32, 0.F);
      std::ranges::fill(views.back().i64, 0);
    }
    return views;
  }
  /// Valid until the next run.
  std::vector<OutputView> run() {
    request_->run();
    shapes_.clear();
    for (std::size_t i = 0; i < compiled_->output_count(); ++i) {
      shapes_.push_back(request_->output_shape(i));
      if (use_.outputs_have_batch) {
        EXPECT_EQ(shapes_.back().front(), 1);
        shapes_.back().erase(shapes_.back().begin());
      }
    }
    std::vector<OutputView> outputs;
    for (std::size_t i = 0; i < shapes_.size(); ++i) {
      outputs.push_back({request_->output(i), shapes_[i]});
    }
    return outputs;
  }

 private:
  const GraphUse& use_;
  std::unique_ptr<CompiledModel> compiled_;
  std::unique_ptr<InferRequest> request_;
  std::vector<std::vector<std::int64_t>> shapes_;
};

/// Spoils what an encoder is about to get.
using InputChange = std::function<void(const Segmenter& segmenter, const Image& image, const InputTransform& transform,
                                       std::span<const InputView> inputs)>;

class SegmenterRunner {
 public:
  explicit SegmenterRunner(const fs::path& model, std::string_view engine = "openvino")
      : engine_(open_engine(engine)), segmenter_(load_segmenter(*engine_, model)), encoder_(*engine_, segmenter_->encoder()) {}

  const Segmenter& segmenter() const { return *segmenter_; }

  /// The encoder's input tensor; what it gives is kept.
  std::vector<float> encode(const Image& image, const InputChange& change = {}) {
    const std::vector<InputView> inputs = encoder_.inputs();
    encoded_.transform = segmenter_->preprocess(image, inputs, scratch_);
    if (change) {
      change(*segmenter_, image, encoded_.transform, inputs);
    }
    const std::vector<float> tensor(inputs[0].f32.begin(), inputs[0].f32.end());
    encoded_.outputs.clear();
    for (const OutputView& output : encoder_.run()) {
      encoded_.outputs.emplace_back(output.values.begin(), output.values.end());
    }
    return tensor;
  }

  std::vector<std::optional<Mask>> of_boxes(const std::vector<Box>& boxes) {
    std::vector<std::optional<Mask>> masks;
    const std::size_t each = segmenter_->decoder(PromptKind::box).prompts_per_inference;
    for (std::size_t begin = 0; begin < boxes.size(); begin += each) {
      const auto some = std::span(boxes).subspan(begin, std::min(each, boxes.size() - begin));
      segmenter_->write_boxes(encoded_, some, decoder(PromptKind::box).inputs());
      std::ranges::move(segmenter_->masks_of_boxes(decoder(PromptKind::box).run(), encoded_, some.size()),
                        std::back_inserter(masks));
    }
    return masks;
  }

  std::vector<MaskProposal> of_points(const std::vector<Point>& points, const EverythingOptions& options) {
    std::vector<MaskProposal> proposals;
    const std::size_t each = segmenter_->decoder(PromptKind::point).prompts_per_inference;
    for (std::size_t begin = 0; begin < points.size(); begin += each) {
      const auto some = std::span(points).subspan(begin, std::min(each, points.size() - begin));
      segmenter_->write_points(encoded_, some, decoder(PromptKind::point).inputs());
      std::ranges::move(segmenter_->masks_of_points(decoder(PromptKind::point).run(), encoded_, some.size(), options),
                        std::back_inserter(proposals));
    }
    return proposals;
  }

 private:
  GraphRunner& decoder(PromptKind kind) {
    std::unique_ptr<GraphRunner>& runner = decoders_[static_cast<std::size_t>(kind)];
    if (!runner) {
      runner = std::make_unique<GraphRunner>(*engine_, segmenter_->decoder(kind).graph);
    }
    return *runner;
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Segmenter> segmenter_;
  GraphRunner encoder_;
  std::array<std::unique_ptr<GraphRunner>, 2> decoders_;
  EncodedImage encoded_;
  Image scratch_;
};

Image image_of(const json& item, const ImageChange& change = {}) {
  return fixture_image(item.at("file").get<std::string>(), change);
}

Rle mask_from(const json& counts, const Image& image) {
  return rle_from_coco_string(counts.get<std::string>(), static_cast<std::uint32_t>(image.height()),
                              static_cast<std::uint32_t>(image.width()));
}

/// A logit near 0 may fall on either side; of a small mask that is more than a hundredth.
bool is_same_mask(const Rle& ours, const Rle& theirs) {
  const auto united = static_cast<double>(area(union_of(std::vector{ours, theirs})));
  return united == 0 || iou(ours, theirs) >= kLeastIou || united * (1 - iou(ours, theirs)) <= 2;
}

struct Differences {
  int images = 0;
  int tensors = 0;  ///< images whose tensor is another
  int masks = 0;    ///< that are others
  int compared = 0;
  double least_iou = 1;
};

/// The tensor that a model gets, from what the encoder takes; rows of pixels are what its graph will make of them.
std::vector<float> planes_of(const std::vector<float>& tensor, bool is_rows) {
  if (!is_rows) {
    return tensor;
  }
  constexpr std::array kMean = {123.675F, 116.28F, 103.53F};
  constexpr std::array kStd = {58.395F, 57.12F, 57.375F};
  const std::size_t plane = tensor.size() / 3;
  std::vector<float> planes(tensor.size());
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    planes[i % 3 * plane + i / 3] = (tensor[i] - kMean[i % 3]) / kStd[i % 3];
  }
  return planes;
}

struct Comparison {
  std::string_view engine = "openvino";
  ImageChange image_change = {};
  InputChange input_change = {};
};

Differences compare(const fs::path& model, const json& expected, const Comparison& how = {}) {
  SegmenterRunner runner(model, how.engine);
  const bool is_rows = runner.segmenter().encoder().inputs[0].shape.back() == 3;
  Differences differences;
  for (const json& item : expected.at("images")) {
    const Image image = image_of(item, how.image_change);
    ++differences.images;
    const std::vector<float> tensor = planes_of(runner.encode(image, how.input_change), is_rows);
    const auto samples = item.at("tensor_samples").get<std::vector<double>>();
    bool is_same = true;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      is_same = is_same && std::abs(tensor[i * item.at("tensor_every").get<std::size_t>()] - samples[i]) <= kTensorTolerance;
    }
    differences.tensors += is_same ? 0 : 1;

    std::vector<Box> boxes;
    std::vector<Rle> theirs;
    for (const json& prompt : item.at("prompts")) {
      if (prompt.contains("box_xyxy_px")) {
        const auto box = prompt.at("box_xyxy_px").get<std::array<double, 4>>();
        boxes.push_back({box[0], box[1], box[2] - box[0], box[3] - box[1]});
        theirs.push_back(mask_from(prompt.at("mask"), image));
      }
    }
    if (boxes.empty()) {
      continue;
    }
    const std::vector<std::optional<Mask>> ours = runner.of_boxes(boxes);
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      const Rle empty{theirs[i].height, theirs[i].width, {theirs[i].height * theirs[i].width}};
      const Rle mask = ours[i] ? std::get<Rle>(ours[i]->shape) : empty;
      ++differences.compared;
      differences.masks += is_same_mask(mask, theirs[i]) ? 0 : 1;
      differences.least_iou = std::min(differences.least_iou, area(theirs[i]) == 0 ? 1 : iou(mask, theirs[i]));
    }
  }
  return differences;
}

TEST(SegmenterParity, TheSameTensorsAndTheSameMaskOfEachBox) {
  EXPECT_GE(cases().size(), 6U);
  for (const char* engine : {"openvino", "onnxruntime"}) {
    if (const std::string reason = reason_to_skip(engine); !reason.empty()) {
      std::printf("%s: %s\n", engine, reason.c_str());
      continue;
    }
    for (const fs::path& folder : cases()) {
      SCOPED_TRACE(folder.filename().native() + " in " + engine);
      const Differences differences = compare(folder, json_of(folder / "expected.json"), {.engine = engine});
      EXPECT_GE(differences.images, 20);
      EXPECT_EQ(differences.tensors, 0);
      EXPECT_EQ(differences.masks, 0);
      std::printf("%-18s %-12s %d images, %d masks of boxes, the least alike by an IoU of %.4f\n", folder.filename().c_str(),
                  engine, differences.images, differences.compared, differences.least_iou);
    }
  }
}

// The pixels before they are scaled, of which the fixture has a hash: the scaling is undone, which whole numbers survive.
TEST(SegmenterParity, PixelsBitForBitBeforeScaling) {
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    SegmenterRunner runner(folder);
    const bool is_rows = runner.segmenter().encoder().inputs[0].shape.back() == 3;
    const json expected = json_of(folder / "expected.json");
    const auto side = expected.at("input_side").get<std::size_t>();
    for (const json& item : expected.at("images")) {
      const std::vector<float> tensor = planes_of(runner.encode(image_of(item)), is_rows);
      const auto wh = item.at("input_wh").get<std::array<std::size_t, 2>>();
      constexpr std::array kMean = {0.485, 0.456, 0.406};
      constexpr std::array kStd = {0.229, 0.224, 0.225};
      std::string pixels;
      for (std::size_t y = 0; y < wh[1]; ++y) {
        for (std::size_t x = 0; x < wh[0]; ++x) {
          for (std::size_t channel = 0; channel < 3; ++channel) {
            const double value = tensor[(channel * side + y) * side + x];
            pixels.push_back(
                static_cast<char>(static_cast<std::uint8_t>(std::lround((value * kStd[channel] + kMean[channel]) * 255))));
          }
        }
      }
      EXPECT_EQ(sha256_of(pixels), item.at("pixels_sha256").get<std::string>()) << item.at("file");
      for (std::size_t channel = 0; channel < 3; ++channel) {
        for (std::size_t y = 0; y < side; ++y) {
          for (std::size_t x = y < wh[1] ? wh[0] : 0; x < side; ++x) {
            ASSERT_EQ(tensor[(channel * side + y) * side + x], 0) << "padding, " << item.at("file");
          }
        }
      }
    }
  }
}

/// A single point inside an object, as the fixture of points only has it for every other image.
TEST(SegmenterParity, TheBestOfTheMasksForAPoint) {
  SegmenterRunner runner(fixtures() / "segment_anything" / "sam");
  EXPECT_FALSE(runner.segmenter().takes(PromptKind::box));
  const json expected = json_of(fixtures() / "segment_anything" / "sam" / "expected.json");
  int compared = 0;
  for (const json& item : expected.at("images")) {
    const Image image = image_of(item);
    runner.encode(image);
    for (const json& prompt : item.at("prompts")) {
      const auto points = prompt.at("points_xy_px").get<std::vector<std::array<double, 2>>>();
      if (points.size() != 1) {
        continue;
      }
      const EverythingOptions all{.min_iou = -10, .min_stability = 0, .stability_offset = 1e-9};
      const std::vector<MaskProposal> proposals = runner.of_points({{points[0][0], points[0][1]}}, all);
      const auto best = std::ranges::max_element(proposals, {}, &MaskProposal::iou);
      ASSERT_NE(best, proposals.end());
      const Rle theirs = mask_from(prompt.at("mask"), image);
      const double their_iou = prompt.at("iou_scores")[prompt.at("best").get<std::size_t>()].get<double>();
      if (area(theirs) > 0) {
        EXPECT_NEAR(best->iou, their_iou, kScoreTolerance);
        EXPECT_TRUE(is_same_mask(best->mask, theirs)) << item.at("file") << " " << iou(best->mask, theirs);
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 30);
}

/// What the pipeline's stage does with the proposals; it has a test of its own.
std::vector<MaskProposal> suppressed(std::vector<MaskProposal> proposals, double nms_iou) {
  std::vector<float> boxes_xyxy;
  std::vector<float> scores;
  for (const MaskProposal& proposal : proposals) {
    const Box box = tight_box(proposal.mask);
    for (const double edge : {box.x, box.y, box.x + box.w - 1, box.y + box.h - 1}) {
      boxes_xyxy.push_back(static_cast<float>(edge));
    }
    scores.push_back(static_cast<float>(proposal.iou));
  }
  std::vector<MaskProposal> kept;
  for (const std::uint32_t i : nms({boxes_xyxy, scores, {}}, {.iou_threshold = nms_iou, .is_class_aware = false})) {
    kept.push_back(proposals[i]);
  }
  return kept;
}

TEST(SegmenterParity, EverythingOnAGridOfPoints) {
  int folders = 0;
  for (const char* engine : {"openvino", "onnxruntime"}) {
    if (!reason_to_skip(engine).empty()) {
      continue;
    }
    for (const fs::path& folder : cases()) {
      if (!fs::exists(folder / "everything.json")) {
        continue;
      }
      SCOPED_TRACE(folder.filename().native() + " in " + engine);
      ++folders;
      const json expected = json_of(folder / "everything.json");
      const int side = expected.at("points_per_side").get<int>();
      SegmenterRunner runner(folder, engine);
      if (engine == std::string("onnxruntime") && folder.filename() == "sam2") {
        // Boxes that are not there are an empty input with another number of prompts; see the engine's test of joining.
        const Image image = image_of(expected.at("images").at(0));
        runner.encode(image);
        EXPECT_EQ(error_of([&] { runner.of_points({{1, 1}}, {}); }).code(), ErrorCode::bad_model);
        continue;
      }
      int masks = 0;
      for (const json& item : expected.at("images")) {
        const Image image = image_of(item);
        runner.encode(image);
        std::vector<Point> points;
        for (int i = 0; i < side * side; ++i) {
          const int row = i / side;
          points.push_back({(i % side + 0.5) / side * image.width(), (row + 0.5) / side * image.height()});
        }
        const EverythingOptions options{.min_iou = item.at("min_iou").get<double>(),
                                        .min_stability = item.at("min_stability").get<double>(),
                                        .stability_offset = item.at("stability_offset").get<double>()};
        const std::vector<MaskProposal> ours = suppressed(runner.of_points(points, options), item.at("nms_iou").get<double>());
        const json& theirs = item.at("masks");
        ASSERT_EQ(ours.size(), theirs.size()) << item.at("file") << ", NMS at " << item.at("nms_iou");
        // Of nearly equal scores either may come first.
        std::vector<bool> is_taken(theirs.size(), false);
        for (const MaskProposal& proposal : ours) {
          bool has_partner = false;
          for (std::size_t i = 0; i < theirs.size() && !has_partner; ++i) {
            has_partner = !is_taken[i] && std::abs(proposal.iou - theirs[i].at("score").get<double>()) <= kScoreTolerance &&
                          is_same_mask(proposal.mask, mask_from(theirs[i].at("mask"), image));
            is_taken[i] = is_taken[i] || has_partner;
          }
          EXPECT_TRUE(has_partner) << item.at("file") << ", score " << proposal.iou;
        }
        masks += static_cast<int>(ours.size());
      }
      std::printf("%-18s %-12s %d masks\n", folder.filename().c_str(), engine, masks);
    }
  }
  EXPECT_GE(folders, 4);
}

void use_another_kernel(const Segmenter& segmenter, const Image& image, const InputTransform& transform,
                        std::span<const InputView> inputs) {
  Image resized;
  Image scratch;
  resize_pillow(image, static_cast<int>(std::lround(image.width() * transform.scale_x)),
                static_cast<int>(std::lround(image.height() * transform.scale_y)), PillowFilter::bicubic, resized);
  segmenter.preprocess(resized, inputs, scratch);
}

void use_another_mean(const Segmenter& segmenter, const Image&, const InputTransform&, std::span<const InputView> inputs) {
  const bool is_rows = segmenter.encoder().inputs[0].shape.back() == 3;
  for (float& value : inputs[0].f32) {
    value += is_rows ? 12.F : 0.2F;
  }
}

TEST(SegmenterParity, PlantedFaultsAreFound) {
  for (const char* name : {"sam-boxes", "sam-meta", "sam-meta-raw", "sam2", "sam2-samexporter"}) {
    SCOPED_TRACE(name);
    const fs::path folder = fixtures() / "segment_anything" / name;
    const json expected = json_of(folder / "expected.json");
    for (const auto& [fault, how] :
         {std::pair<const char*, Comparison>{"red and blue swapped", {.image_change = swap_red_and_blue}},
          {"shifted by a pixel", {.image_change = shift_by_a_pixel}},
          {"another kernel", {.input_change = use_another_kernel}},
          {"another mean", {.input_change = use_another_mean}}}) {
      const Differences differences = compare(folder, expected, how);
      EXPECT_GT(differences.tensors, differences.images / 2) << fault;
      EXPECT_GT(differences.masks, 0) << fault;
    }
  }
  // An image that is smaller than it should be in padding of the right size.
  const fs::path padded = fixtures() / "segment_anything" / "sam-boxes";
  const Differences differences =
      compare(FaultyModel(padded, "size", R"({"longest_edge": 96})").path(), json_of(padded / "expected.json"));
  EXPECT_GT(differences.tensors, differences.images / 2);
  EXPECT_GT(differences.masks, differences.compared / 2);
  // Images that are stretched instead of padded are not even loaded.
  EXPECT_EQ(error_of([&] { SegmenterRunner(FaultyModel(padded, "image_processor_type", "\"Sam2ImageProcessor\"").path()); }).code(),
            ErrorCode::bad_data);
}

}  // namespace
}  // namespace verilabel
