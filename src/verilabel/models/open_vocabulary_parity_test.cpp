// Equality of OWL-ViT, OWLv2 and both forms of Grounding DINO with transformers, and of YOLO-World with osam and Ultralytics, on
// the fixtures that tests/parity/export_open_vocabulary.py and export_yolo_world.py made: tokens, tensors, classes, scores and
// boxes. Engine and PyTorch sum in different orders, so a detection within kScoreTolerance of the floor may be on either side; such
// ones, and nothing else, may lack a partner.

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/engine/testing_installed.h"
#include "verilabel/image/resize.h"
#include "verilabel/models/testing_engine.h"
#include "verilabel/models/testing_parity.h"
#include "verilabel/text/tokenizer.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;

/// Of values of the tensor where the reference resizes in floating point.
constexpr double kTensorTolerance = 2e-5;

json json_of(const fs::path& file) {
  return json::parse(std::ifstream(file));
}

/// What differs from the reference.
struct Differences {
  int images = 0;
  int tensors = 0;
  int scores = 0;      ///< detections without a partner that are not near the floor
  int detections = 0;  ///< compared
};

std::vector<fs::path> cases() {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(fixtures() / "open_vocabulary")) {
    folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

fs::path case_of(const char* name) {
  return fixtures() / "open_vocabulary" / name;
}

/// Whether the texts are in the graph.
bool is_baked(const json& expected) {
  return expected.value("baked", false);
}

Image image_of(const json& item) {
  return fixture_image(item.at("file").get<std::string>());
}

LoadOptions asking(const json& expected) {
  LoadOptions options;
  if (is_baked(expected)) {
    return options;
  }
  options.prompts = prompts_of_names(expected.at("labels").get<std::vector<std::string>>());
  if (const std::string sentence = expected.value("template", "{}"); sentence != "{}") {
    options.prompts.templates = {sentence};
  }
  return options;
}

bool is_same_tensor(std::span<const float> tensor, const json& item) {
  if (item.contains("tensor_sha256")) {
    return sha256_of_floats(tensor) == item.at("tensor_sha256").get<std::string>();
  }
  const auto samples = item.at("tensor_samples").get<std::vector<double>>();
  const auto every = item.at("tensor_every").get<std::size_t>();
  bool is_same = samples.size() == (tensor.size() + every - 1) / every;
  for (std::size_t i = 0; is_same && i < samples.size(); ++i) {
    is_same = std::abs(tensor[i * every] - samples[i]) <= kTensorTolerance;
  }
  return is_same;
}

/// What the labeller finds in an image over all of its passes.
std::vector<Candidate> found_in(Runner& runner, const Image& image, const CandidateOptions& options) {
  std::vector<std::vector<Candidate>> passes;
  for (int pass = 0; pass < runner.labeller().passes(); ++pass) {
    runner.prepare(image, pass);
    passes.push_back(runner.candidates(options));
  }
  return passes.size() == 1 ? passes.front() : runner.labeller().merge(std::move(passes), options);
}

CandidateOptions reference_options(const Labeller& labeller, const json& expected) {
  CandidateOptions options = labeller.default_options();
  options.floor = expected.at("floor").get<double>();
  options.nms_iou = expected.value("nms_iou", options.nms_iou);
  options.max_detections = 1000;
  return options;
}

/// As if texts were padded in front.
void shift_tokens(Runner& runner) {
  const std::vector<InputPart>& inputs = runner.labeller().graph().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].is_i64 && inputs[i].shape.size() <= 2 && inputs[i].size() < 1000) {
      const std::span<std::int64_t> ids = runner.numbers(i);
      std::ranges::rotate(ids, ids.end() - 1);
    }
  }
}

/// OWLv2's square without the blur that comes before it is made smaller.
void shrink_without_blur(Image& image) {
  const int side = std::max(image.width(), image.height());
  Image square(side, side);
  std::ranges::fill(square.pixels(), std::uint8_t{0});
  for (int y = 0; y < image.height(); ++y) {
    std::copy_n(image.row(y), image.stride_bytes(), square.row(y));
  }
  resize_opencv(square, 64, 64, OpencvInterpolation::linear, image);
}

Differences compare(const fs::path& model, const json& expected, const ImageChange& change = {}, bool shifts_tokens = false,
                    const char* engine = "openvino") {
  Runner runner(model, asking(expected), engine);
  EXPECT_EQ(runner.labeller().class_names(), expected.at("labels").get<std::vector<std::string>>());
  const CandidateOptions options = reference_options(runner.labeller(), expected);
  Differences differences;
  for (const json& item : expected.at("images")) {
    Image image = image_of(item);
    if (change) {
      change(image);
    }
    ++differences.images;
    differences.tensors += is_same_tensor(runner.prepare(image), item) ? 0 : 1;
    if (shifts_tokens) {
      shift_tokens(runner);
    }
    const DetectionMatches matches =
        match_detections(item.at("detections").dump(), image.width(), image.height(), options.floor, runner.candidates(options));
    differences.scores += matches.lacking;
    differences.detections += matches.partners;
  }
  return differences;
}

class OpenVocabularyParityOn : public ::testing::TestWithParam<const char*> {};

TEST_P(OpenVocabularyParityOn, TheSameTensorsClassesScoresAndBoxes) {
  if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  ASSERT_EQ(cases().size(), 7U);
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const Differences differences = compare(folder, expected, {}, false, GetParam());
    EXPECT_GE(differences.images, 20);
    EXPECT_EQ(differences.tensors, 0);
    EXPECT_EQ(differences.scores, 0);
    EXPECT_GE(differences.detections, 8 * differences.images);
    std::printf("%-24s %d images, %d compared\n", folder.filename().c_str(), differences.images, differences.detections);
  }
}

INSTANTIATE_TEST_SUITE_P(Each, OpenVocabularyParityOn, ::testing::ValuesIn(kTestedEngines), engine_of);

TEST(OpenVocabularyParity, TheSameNumbersGoIntoTheGraph) {
  for (const char* name : {"grounding-dino", "grounding-dino-idea"}) {
    SCOPED_TRACE(name);
    const json expected = json_of(case_of(name) / "expected.json");
    const auto engine = open_engine("openvino");
    const auto labeller = load_labeller(*engine, case_of(name), asking(expected));
    const GraphInfo graph = engine->inspect(labeller->graph().file);
    std::vector<std::vector<float>> f32(graph.inputs.size());
    std::vector<std::vector<std::int64_t>> i64(graph.inputs.size());
    std::vector<InputView> views;
    std::map<std::string, std::vector<std::int64_t>> written;
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      const InputPart& part = labeller->graph().inputs[i];
      (part.is_i64 ? i64[i].resize(part.size(), -1) : f32[i].resize(part.size(), -1));
      views.push_back({f32[i], i64[i]});
    }
    Image scratch;
    labeller->preprocess(image_of(expected.at("images").front()), views, scratch, 0);
    for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
      written[graph.inputs[i].name] = i64[i].empty() ? std::vector<std::int64_t>(f32[i].begin(), f32[i].end()) : i64[i];
    }
    const auto ids = expected.at("input_ids").get<std::vector<std::int64_t>>();
    EXPECT_EQ(written.at("input_ids"), ids);
    EXPECT_EQ(written.at("attention_mask"), std::vector<std::int64_t>(ids.size(), 1));
    EXPECT_EQ(written.at("token_type_ids"), std::vector<std::int64_t>(ids.size(), 0));
    if (expected.contains("text_token_mask")) {
      EXPECT_EQ(written.at("position_ids"), expected.at("position_ids").get<std::vector<std::int64_t>>());
      std::vector<std::int64_t> mask;
      for (const json& row : expected.at("text_token_mask")) {
        for (const char c : row.get<std::string>()) {
          mask.push_back(c - '0');
        }
      }
      EXPECT_EQ(written.at("text_token_mask"), mask);
    }
  }
}

/// The same files, of which one says that images are prepared otherwise.
Differences compare_prepared_otherwise(const fs::path& folder, const json& expected, bool is_mean) {
  FaultyModel faulty(folder);
  if (folder.filename().native().starts_with("yolo-world")) {
    faulty.set(is_mean ? "mean" : "interpolation", is_mean ? "[10, 10, 10]" : R"("nearest")", "model.verilabel.json");
    return compare(faulty.path(), expected);
  }
  const fs::path processor = faulty.path() / "preprocessor_config.json";
  if (!fs::exists(processor)) {
    // IDEA's form has no such file, and means what transformers has for Grounding DINO.
    faulty.set("image_processor_type", R"("GroundingDinoImageProcessor")");
    faulty.set("resample", "2");
  }
  const int other_filter = json_of(processor).at("resample") == 2 ? 3 : 2;
  faulty.set(is_mean ? "image_mean" : "resample", is_mean ? "[0.4, 0.45, 0.5]" : std::to_string(other_filter));
  return compare(faulty.path(), expected);
}

TEST(OpenVocabularyParity, PlantedFaultsAreFound) {
  for (const fs::path& folder : cases()) {
    SCOPED_TRACE(folder.filename().native());
    const json expected = json_of(folder / "expected.json");
    const auto expect_found = [&](const char* fault, const Differences& differences, bool is_of_image) {
      EXPECT_GT(differences.scores, 0) << fault;
      if (is_of_image) {
        EXPECT_GT(differences.tensors, differences.images / 2) << fault;
      }
    };
    expect_found("red and blue swapped", compare(folder, expected, swap_red_and_blue), true);
    expect_found("shifted by a pixel", compare(folder, expected, shift_by_a_pixel), true);
    if (folder.filename() == "yolo-world") {
      // What stands behind the end of a text is never looked at there, so that padding cannot be wrong; how texts are read can.
      expect_found("texts with their capitals",
                   compare(FaultyModel(folder, "normalizer", "null", "tokenizer.json").path(), expected), false);
    } else if (!is_baked(expected)) {
      expect_found("texts padded in front", compare(folder, expected, {}, true), false);
    }
    if (folder.filename() == "owlv2") {
      EXPECT_GT(compare(folder, expected, shrink_without_blur).tensors, 12) << "another kernel";
    } else {
      expect_found("another kernel", compare_prepared_otherwise(folder, expected, false), true);
    }
    expect_found("another mean", compare_prepared_otherwise(folder, expected, true), true);
  }
}

// ---- Long lists ----

std::vector<std::string> many_names(const json& expected, std::size_t count) {
  auto names = expected.at("labels").get<std::vector<std::string>>();
  for (std::size_t i = names.size(); i < count; ++i) {
    names.push_back(fmt::format("{} {}", i % 3 == 0 ? "cat" : (i % 3 == 1 ? "red bus" : "dent"), i));
  }
  return names;
}

/// Same classes, scores and boxes; scores may differ by rounding, as matrix products of other shapes sum in other orders, so that
/// one near the floor may lack its partner.
bool are_same(const std::vector<Candidate>& ours, const std::vector<Candidate>& theirs, double floor) {
  constexpr double kRounding = 1e-4;
  constexpr double kRoundingPx = 0.01;
  const auto has_partners = [&](const std::vector<Candidate>& some, const std::vector<Candidate>& others) {
    std::vector<bool> is_taken(others.size(), false);
    return std::ranges::all_of(some, [&](const Candidate& one) {
      for (std::size_t i = 0; i < others.size(); ++i) {
        const Candidate& other = others[i];
        if (!is_taken[i] && one.class_index == other.class_index && std::abs(one.score - other.score) <= kRounding &&
            std::abs(one.box_xywh_px.x - other.box_xywh_px.x) < kRoundingPx &&
            std::abs(one.box_xywh_px.y - other.box_xywh_px.y) < kRoundingPx &&
            std::abs(one.box_xywh_px.w - other.box_xywh_px.w) < kRoundingPx &&
            std::abs(one.box_xywh_px.h - other.box_xywh_px.h) < kRoundingPx) {
          is_taken[i] = true;
          return true;
        }
      }
      return one.score < floor + kRounding;
    });
  };
  return has_partners(ours, theirs) && has_partners(theirs, ours);
}

TEST(OpenVocabulary, WhatOwlFindsDoesNotDependOnHowTheListIsSplit) {
  for (const char* name : {"owlvit", "owlv2"}) {
    SCOPED_TRACE(name);
    const json expected = json_of(case_of(name) / "expected.json");
    LoadOptions options = asking(expected);
    options.prompts.classes = prompts_of_names(many_names(expected, 60)).classes;
    options.prompts.classes[3].phrasings = {"fire hydrant", "hydrant", "a red hydrant"};
    options.prompts.negatives = {"wine glass", "teddy bear"};
    const auto all_of = [&](std::size_t texts) {
      options.texts_per_pass = texts;
      Runner runner(case_of(name), options);
      EXPECT_EQ(runner.labeller().passes() > 1, texts != 0);
      const CandidateOptions candidates = reference_options(runner.labeller(), expected);
      std::vector<std::vector<Candidate>> found;
      for (std::size_t image = 0; image < 6; ++image) {
        found.push_back(found_in(runner, image_of(expected.at("images").at(image)), candidates));
      }
      return found;
    };
    const auto whole = all_of(0);
    std::set<std::int32_t> classes;
    for (const std::size_t texts : {5UL, 7UL, 33UL}) {
      const auto split = all_of(texts);
      for (std::size_t image = 0; image < whole.size(); ++image) {
        EXPECT_TRUE(are_same(split[image], whole[image], expected.at("floor").get<double>())) << texts << " texts a pass";
        for (const Candidate& candidate : split[image]) {
          classes.insert(candidate.class_index);
        }
      }
    }
    EXPECT_GE(classes.size(), 10U) << "or nothing was compared";
  }
}

/// Class by class the best score of an image; 0 where nothing was found.
std::vector<double> best_scores(const std::vector<Candidate>& found, std::size_t classes) {
  std::vector<double> best(classes, 0);
  for (const Candidate& candidate : found) {
    double& score = best[static_cast<std::size_t>(candidate.class_index)];
    score = std::max(score, candidate.score);
  }
  return best;
}

// docs/models.md says so: the image's features are mixed with those of all texts, so that the classes of one pass change each
// other's scores, and their order does not.
TEST(OpenVocabulary, WithMixedFeaturesTheOtherClassesMatterAndTheirOrderDoesNot) {
  for (const char* name : {"grounding-dino", "grounding-dino-idea", "yolo-world"}) {
    SCOPED_TRACE(name);
    const json expected = json_of(case_of(name) / "expected.json");
    const std::size_t classes = expected.at("labels").size();
    LoadOptions options = asking(expected);
    Runner whole(case_of(name), options);
    ASSERT_EQ(whole.labeller().passes(), 1);
    options.texts_per_pass = classes / 2;
    Runner split(case_of(name), options);
    ASSERT_GE(split.labeller().passes(), 2);
    options.texts_per_pass = 0;
    std::ranges::reverse(options.prompts.classes);
    Runner reversed(case_of(name), options);
    const CandidateOptions candidates = reference_options(whole.labeller(), expected);
    double moved_by_split = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      const Image image = image_of(expected.at("images").at(i));
      const std::vector<Candidate> found = found_in(whole, image, candidates);
      const std::vector<double> best = best_scores(found, classes);
      const std::vector<double> of_split = best_scores(found_in(split, image, candidates), classes);
      for (std::size_t c = 0; c < classes; ++c) {
        moved_by_split = std::max(moved_by_split, std::abs(best[c] - of_split[c]));
      }
      std::vector<Candidate> in_other_order = found_in(reversed, image, candidates);
      for (Candidate& candidate : in_other_order) {
        candidate.class_index = static_cast<std::int32_t>(classes) - 1 - candidate.class_index;
      }
      EXPECT_TRUE(are_same(in_other_order, found, candidates.floor)) << "image " << i;
    }
    std::printf("%-24s a split moves scores by up to %.3f\n", name, moved_by_split);
    EXPECT_GT(moved_by_split, kScoreTolerance);
  }
}

TEST(OpenVocabulary, LongListsAreAskedToTheirEnd) {
  for (const char* name : {"owlv2", "grounding-dino", "yolo-world"}) {
    SCOPED_TRACE(name);
    const json expected = json_of(case_of(name) / "expected.json");
    LoadOptions options = asking(expected);
    options.prompts = prompts_of_names(many_names(expected, 1203));
    options.texts_per_pass = 50;
    Runner runner(case_of(name), options);
    EXPECT_GE(runner.labeller().passes(), 25);
    EXPECT_THAT(runner.labeller().notes(), Contains(HasSubstr("1,203 classes are asked in")));
    std::set<std::int32_t> classes;
    for (const Candidate& candidate :
         found_in(runner, image_of(expected.at("images").front()), reference_options(runner.labeller(), expected))) {
      EXPECT_GE(candidate.class_index, 0);
      EXPECT_LT(candidate.class_index, 1203);
      classes.insert(candidate.class_index);
    }
    EXPECT_GE(classes.size(), 5U);
    EXPECT_GT(*classes.rbegin(), 300) << "of later passes, too";
  }
}

/// How many of eight images give other candidates than `alone` when the first of two passes is asked, whose caption is padded.
int images_with_other_candidates(Runner& both, Runner& alone, const json& expected, std::optional<std::size_t> seen_padding) {
  const CandidateOptions candidates = reference_options(alone.labeller(), expected);
  int others = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const Image image = image_of(expected.at("images").at(i));
    both.prepare(image, 0);
    if (seen_padding) {
      both.fill(*seen_padding, 1);
    }
    alone.prepare(image, 0);
    others += are_same(both.candidates(candidates), alone.candidates(candidates), candidates.floor) ? 0 : 1;
  }
  return others;
}

TEST(OpenVocabulary, PaddingOfACaptionHasNoEffectUnlessItIsNotMasked) {
  for (const char* name : {"grounding-dino", "grounding-dino-idea"}) {
    SCOPED_TRACE(name);
    const json expected = json_of(case_of(name) / "expected.json");
    const auto labels = expected.at("labels").get<std::vector<std::string>>();
    LoadOptions options;
    options.prompts = prompts_of_names({labels[0], labels[1]});
    options.texts_per_pass = 1;
    Runner both(case_of(name), options);
    ASSERT_EQ(both.labeller().passes(), 2);
    options.prompts = prompts_of_names({labels[0]});
    Runner alone(case_of(name), options);
    EXPECT_EQ(images_with_other_candidates(both, alone, expected, std::nullopt), 0);
    const GraphInfo graph = open_engine("openvino")->inspect(both.labeller().graph().file);
    const auto attention = std::ranges::find(graph.inputs, "attention_mask", &TensorInfo::name);
    ASSERT_NE(attention, graph.inputs.end());
    EXPECT_GT(images_with_other_candidates(both, alone, expected, attention - graph.inputs.begin()), 4);
  }
}

}  // namespace
}  // namespace verilabel
