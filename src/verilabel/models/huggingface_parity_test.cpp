// Equality with transformers, timm, torchvision and RF-DETR's own package on the fixtures that tests/parity/export_huggingface.py
// made: pixels before and numbers after scaling bit for bit, the same classes, boxes and masks. Engine and PyTorch sum in different
// orders, so a detection within kScoreTolerance of the floor may be on either side; such ones, and nothing else, may lack a
// partner.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "verilabel/base/file.h"
#include "verilabel/engine/testing_installed.h"
#include "verilabel/models/image_processor.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/testing_parity.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

constexpr double kHalfScoreTolerance = 4e-3;
constexpr float kFloatTolerance = 1e-5F;

/// What differs from the reference.
struct Differences {
  int tensors = 0;
  int scores = 0;      ///< classifications, or detections without a partner that are not near the floor
  int masks = 0;       ///< of detections that have a partner
  int detections = 0;  ///< compared
  int images = 0;
};

void compare_scores(const json& expected, double tolerance, const std::vector<Candidate>& candidates, std::size_t classes,
                    Differences& differences) {
  std::vector<double> ours(classes, 0);
  for (const Candidate& candidate : candidates) {
    EXPECT_EQ(candidate.kind, LabelKind::classification);
    EXPECT_EQ(candidate.box_xywh_px, Box{});
    ours[static_cast<std::size_t>(candidate.class_index)] = candidate.score;
  }
  const auto theirs = expected.at("scores").get<std::vector<double>>();
  for (std::size_t i = 0; i < classes; ++i) {
    differences.scores += std::abs(ours[i] - theirs.at(i)) <= tolerance ? 0 : 1;
  }
  ++differences.detections;
}

/// Bit for bit; where the reference resizes floats, some of the numbers within the rounding of that.
bool is_same_tensor(const json& expected, std::span<const float> tensor) {
  if (!expected.contains("tensor")) {
    return sha256_of_floats(tensor) == expected.at("tensor_sha256").get<std::string>();
  }
  const auto step = expected.at("tensor_step").get<std::size_t>();
  const auto some = expected.at("tensor").get<std::vector<float>>();
  if (some.size() != (tensor.size() + step - 1) / step) {
    return false;
  }
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (!(std::abs(tensor[i * step] - some[i]) <= kFloatTolerance)) {
      return false;
    }
  }
  return true;
}

Differences compare(const fs::path& model, const json& expected, const ImageChange& change = {},
                    const std::string& engine = "openvino") {
  Runner runner(model, {}, engine);
  CandidateOptions options = runner.labeller().default_options();
  const bool is_classification = expected.at("kind") == "classification";
  options.floor = is_classification ? 0 : expected.at("floor").get<double>();
  options.max_detections = 1000;
  if (!is_classification) {
    EXPECT_EQ(runner.labeller().class_names(), expected.at("class_names").get<std::vector<std::string>>());
  }
  Differences differences;
  for (const json& item : expected.at("images")) {
    const Image image = fixture_image(item.at("file").get<std::string>(), change);
    ++differences.images;
    differences.tensors += is_same_tensor(item, runner.prepare(image)) ? 0 : 1;
    const std::vector<Candidate> candidates = runner.candidates(options);
    if (is_classification) {
      // ONNX Runtime rounds to f16 after each operation of such a graph; OpenVINO computes it in f32.
      const bool is_rounded = engine == "onnxruntime" && model.native().ends_with("-fp16");
      compare_scores(item, is_rounded ? kHalfScoreTolerance : kScoreTolerance, candidates, runner.labeller().class_names().size(),
                     differences);
    } else {
      const DetectionMatches matches =
          match_detections(item.at("detections").dump(), image.width(), image.height(), options.floor, candidates);
      differences.scores += matches.lacking;
      differences.masks += matches.off_masks;
      differences.detections += matches.partners;
    }
  }
  return differences;
}

std::vector<fs::path> cases() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fixtures())) {
    if (fs::exists(entry.path() / "expected.json")) {
      folders.push_back(entry.path());
    }
  }
  std::ranges::sort(folders);
  return folders;
}

class HuggingFaceParityOn : public ::testing::TestWithParam<const char*> {};

TEST_P(HuggingFaceParityOn, TensorsBitForBitAndTheSameScoresAndBoxes) {
  if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  const std::vector<fs::path> folders = cases();
  EXPECT_GE(folders.size(), 20U);
  for (const fs::path& folder : folders) {
    SCOPED_TRACE(folder.filename().native());
    const Differences differences = compare(folder, json_of(folder / "expected.json"), {}, GetParam());
    EXPECT_GE(differences.images, 20);
    EXPECT_EQ(differences.tensors, 0);
    EXPECT_EQ(differences.scores, 0);
    EXPECT_EQ(differences.masks, 0);
    EXPECT_GE(differences.detections, differences.images);
    std::printf("%-24s %d images, %d compared\n", folder.filename().c_str(), differences.images, differences.detections);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, HuggingFaceParityOn, ::testing::ValuesIn(kTestedEngines), engine_of);

/// Red, green and blue of the image before it is scaled: the processor with tables that change nothing.
std::string sha256_of_pixels(ImageProcessor processor, const Image& image, std::size_t* pixels = nullptr) {
  for (std::size_t channel = 0; channel < 3; ++channel) {
    for (std::size_t value = 0; value < 256; ++value) {
      processor.tables.values[channel][value] = static_cast<float>(value);
    }
    processor.tables.padding[channel] = 0;
  }
  processor.tables.order = ChannelOrder::rgb;
  const InputSize size = processor.crop.value_or(processor.resized(image.width(), image.height()));
  const std::size_t plane = static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height);
  std::vector<float> chw(3 * plane);
  Image scratch;
  write_image(processor, image, size, chw, scratch);
  std::string bytes(3 * plane, '\0');
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      bytes[3 * i + channel] = static_cast<char>(static_cast<std::uint8_t>(chw[channel * plane + i]));
    }
  }
  if (pixels != nullptr) {
    *pixels = plane;
  }
  return sha256_of(bytes);
}

TEST(HuggingFaceParity, PixelsBeforeScalingBitForBit) {
  int compared = 0;
  for (const fs::path& folder : cases()) {
    const bool is_timm = fs::exists(folder / "config.json") && !fs::exists(folder / "preprocessor_config.json");
    if (!is_timm && !fs::exists(folder / "preprocessor_config.json")) {
      continue;
    }
    SCOPED_TRACE(folder.filename().native());
    const ImageProcessor processor =
        is_timm ? read_timm_processor(folder / "config.json") : read_image_processor(folder / "preprocessor_config.json");
    const json expected = json_of(folder / "expected.json");
    if (expected.at("images").front().contains("tensor")) {
      continue;  // resized after scaling
    }
    for (const json& item : expected.at("images")) {
      const Image image = fixture_image(item.at("file").get<std::string>());
      EXPECT_EQ(sha256_of_pixels(processor, image), item.at("pixels_sha256").get<std::string>()) << item.at("file");
      ++compared;
    }
  }
  EXPECT_GE(compared, 200);
}

class WrittenFile {
 public:
  explicit WrittenFile(const json& content)
      : path_(fs::temp_directory_path() / ("verilabel-processor-" + std::to_string(::getpid()) + ".json")) {
    std::ofstream(path_) << content;
  }
  WrittenFile(const WrittenFile&) = delete;
  WrittenFile& operator=(const WrittenFile&) = delete;
  ~WrittenFile() { fs::remove(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

TEST(HuggingFaceParity, EveryProcessorBitForBit) {
  int processors = 0;
  for (const auto& entry : fs::directory_iterator(fixtures() / "processors")) {
    SCOPED_TRACE(entry.path().stem().native());
    const json document = json_of(entry.path());
    const WrittenFile file(document.at("preprocessor_config"));
    const ImageProcessor processor = read_image_processor(file.path());
    ++processors;
    for (const json& item : document.at("images")) {
      const Image image = fixture_image(item.at("file").get<std::string>());
      const auto size_wh = item.at("size_wh").get<std::array<int, 2>>();
      const InputSize size = processor.crop.value_or(processor.resized(image.width(), image.height()));
      ASSERT_EQ(size, (InputSize{size_wh[1], size_wh[0]})) << item.at("file");
      EXPECT_EQ(sha256_of_pixels(processor, image), item.at("pixels_sha256").get<std::string>()) << item.at("file");
      std::vector<float> chw(3 * static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height));
      Image scratch;
      write_image(processor, image, size, chw, scratch);
      EXPECT_EQ(sha256_of_floats(chw), item.at("tensor_sha256").get<std::string>()) << item.at("file");
    }
  }
  EXPECT_EQ(processors, 18);
}

// The fixture is made by tests/parity/linear_resize.py.
TEST(RfDetrParity, ResizesFloatsByTheFormula) {
  ImageProcessor processor;
  processor.resizes_tensor = true;
  ValueScaling scaling;
  scaling.rescale = ValueScaling::Rescale::divided;
  scaling.is_normalised = false;
  processor.tables = tables_of(scaling);
  const json cases = json_of(fixtures() / "linear-resize.json");
  ASSERT_GE(cases.size(), 7U);
  for (const json& item : cases) {
    const auto from_wh = item.at("size_wh").get<std::array<int, 2>>();
    const auto to_wh = item.at("to_wh").get<std::array<int, 2>>();
    Image image(from_wh[0], from_wh[1]);
    for (int y = 0; y < from_wh[1]; ++y) {
      for (int x = 0; x < from_wh[0]; ++x) {
        for (int red_first = 0; red_first < 3; ++red_first) {
          const std::size_t at = static_cast<std::size_t>(x) * Image::kChannels + static_cast<std::size_t>(2 - red_first);
          image.row(y)[at] = static_cast<std::uint8_t>((37 * x + 101 * y + 59 * red_first + 7 * x * y) % 256);
        }
      }
    }
    processor.size = {to_wh[1], to_wh[0]};
    const auto wanted = item.at("values").get<std::vector<float>>();
    std::vector<float> chw(wanted.size(), -1);
    Image scratch;
    EXPECT_EQ(write_image(processor, image, processor.size, chw, scratch), processor.size);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_NEAR(chw[i], wanted[i], kFloatTolerance) << item.at("size_wh") << " to " << item.at("to_wh") << ", number " << i;
    }
  }
}

enum class PreparationFault : std::uint8_t { kernel, mean };

/// Plants it where the form of the model says how images are prepared.
void plant(PreparationFault fault, const FaultyModel& model) {
  constexpr const char* kManifest = "model.verilabel.json";
  constexpr const char* kMean = "[0.4, 0.45, 0.5]";
  const bool is_kernel = fault == PreparationFault::kernel;
  if (fs::exists(model.path() / "preprocessor_config.json")) {
    const json processor = json_of(model.path() / "preprocessor_config.json");
    if (is_kernel) {
      model.set("resample", processor.at("resample") == 2 ? "3" : "2");
    } else {
      model.set("do_normalize", "true");
      model.set("image_mean", kMean);
    }
    if (processor.at("image_processor_type") == "RfDetrImageProcessor") {
      model.set("image_processor_type", R"("RTDetrImageProcessor")");  // the other knows one kernel alone
    }
  } else if (fs::exists(model.path() / "config.json")) {
    json pretrained = json_of(model.path() / "config.json").at("pretrained_cfg");
    (is_kernel ? pretrained["interpolation"] : pretrained["mean"]) =
        is_kernel ? json(pretrained.at("interpolation") == "bicubic" ? "bilinear" : "bicubic") : json::parse(kMean);
    model.set("pretrained_cfg", pretrained.dump(), "config.json");
  } else {
    if (!fs::exists(model.path() / kManifest)) {
      // Ultralytics', which is prepared in one way: described as a classifier of no particular origin.
      model.set("family", R"("classifier")", kManifest);
      model.set("resize", R"({"shortest_edge": 48})", kManifest);
      model.set("crop", "[48, 48]", kManifest);
      model.set("filter", R"("bilinear")", kManifest);
      model.set("scale", "0.00392156862745098", kManifest);
    }
    model.set(is_kernel ? "filter" : "mean", is_kernel ? R"("bicubic")" : kMean, kManifest);
  }
}

TEST(HuggingFaceParity, PlantedFaultsAreFound) {
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const auto expect_found = [&](const char* fault, const Differences& differences) {
      EXPECT_GT(differences.tensors, differences.images / 2) << fault;
      EXPECT_GT(differences.scores, 0) << fault;
    };
    expect_found("red and blue swapped", compare(folder, expected, swap_red_and_blue));
    expect_found("shifted by a pixel", compare(folder, expected, shift_by_a_pixel));
    for (const auto& [name, fault] :
         {std::pair{"another kernel", PreparationFault::kernel}, {"another mean", PreparationFault::mean}}) {
      const FaultyModel faulty(folder);
      plant(fault, faulty);
      expect_found(name, compare(faulty.path(), expected));
    }
  }
}

}  // namespace
}  // namespace verilabel
