// Equality with pycocotools on random data that reference_pycocotools.py makes and evaluates in the same run.

#include <gtest/gtest.h>

#include <unistd.h>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "verilabel/evaluate/evaluate.h"

namespace verilabel {
namespace {

struct Reference {
  IouType iou_type = IouType::box;
  EvaluationInput input;
  std::array<double, 12> stats{};
  std::vector<std::array<double, 2>> per_class;  // AP, AP50
  std::vector<std::uint32_t> matched;            // for each prediction 1 + its truth, or 0
  std::vector<int> ignored;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : in_(path) {}

  template <typename T>
  T next() {
    T value{};
    in_ >> value;
    EXPECT_TRUE(in_) << "the reference file breaks off";
    return value;
  }
  // Not operator>>, which refuses some of what Python writes.
  double number() { return std::strtod(next<std::string>().c_str(), nullptr); }

  std::optional<Reference> dataset() {
    std::string word;
    if (!(in_ >> word)) {
      return std::nullopt;
    }
    Reference reference;
    reference.iou_type = next<std::string>() == "mask" ? IouType::mask : IouType::box;
    const auto width = next<std::uint32_t>();
    const auto height = next<std::uint32_t>();
    EvaluationInput& input = reference.input;
    for (auto left = next<std::size_t>(); left > 0; --left) {
      input.images.id.push_back(next<std::int64_t>());
    }
    for (auto left = next<std::size_t>(); left > 0; --left) {
      input.classes.id.push_back(next<std::int64_t>());
      input.classes.name.push_back(fmt::format("c{}", input.classes.id.back()));
    }
    const auto mask = [&](RleColumn& masks) {
      if (reference.iou_type == IouType::mask) {
        Rle rle{height, width, {}};
        for (auto left = next<std::size_t>(); left > 0; --left) {
          rle.counts.push_back(next<std::uint32_t>());
        }
        masks.push_back(rle);
      }
    };
    const auto box = [&] {
      Box read;
      read.x = number();
      read.y = number();
      read.w = number();
      read.h = number();
      return read;
    };
    for (auto left = next<std::size_t>(); left > 0; --left) {
      input.truths.is_crowd.push_back(static_cast<std::uint8_t>(next<int>()));
      input.truths.image.push_back(next<std::uint32_t>());
      input.truths.category.push_back(next<std::uint32_t>());
      input.truths.box_xywh_px.push_back(box());
      input.truths.area_px.push_back(number());
      mask(input.truths.mask);
    }
    for (auto left = next<std::size_t>(); left > 0; --left) {
      input.predictions.image.push_back(next<std::uint32_t>());
      input.predictions.category.push_back(next<std::uint32_t>());
      input.predictions.box_xywh_px.push_back(box());
      input.predictions.area_px.push_back(number());
      input.predictions.score.push_back(number());
      mask(input.predictions.mask);
    }
    for (double& value : reference.stats) {
      value = number();
    }
    for (std::size_t k = 0; k < input.classes.size(); ++k) {
      const double ap = number();
      reference.per_class.push_back({ap, number()});
    }
    for (std::size_t i = 0; i < input.predictions.size(); ++i) {
      reference.matched.push_back(next<std::uint32_t>());
    }
    for (std::size_t i = 0; i < input.predictions.size(); ++i) {
      reference.ignored.push_back(next<int>());
    }
    return reference;
  }

 private:
  std::ifstream in_;
};

/// pycocotools says −1 where we say nothing. Equal means the same double.
void expect_same(const std::optional<double>& actual, double expected, const std::string& what) {
  if (expected == -1) {
    EXPECT_FALSE(actual.has_value()) << what;
  } else {
    ASSERT_TRUE(actual.has_value()) << what;
    EXPECT_EQ(*actual, expected) << what << " differs by " << *actual - expected;
  }
}

void expect_same_outcomes(const Evaluation& evaluation, const Reference& reference, const std::string& where) {
  const Outcomes& outcomes = evaluation.outcomes;
  std::vector<Outcome> truths(reference.input.truths.size(), Outcome::fn);
  for (std::size_t i = 0; i < truths.size(); ++i) {
    truths[i] = reference.input.truths.is_crowd[i] != 0 ? Outcome::ignored : Outcome::fn;
  }
  for (std::size_t i = 0; i < reference.matched.size(); ++i) {
    const std::uint32_t partner = reference.matched[i] == 0 ? kNoPartner : reference.matched[i] - 1;
    const Outcome expected = reference.ignored[i] != 0 ? Outcome::ignored : partner == kNoPartner ? Outcome::fp : Outcome::tp;
    EXPECT_EQ(outcomes.predictions[i].outcome, expected) << where << ", prediction " << i;
    EXPECT_EQ(outcomes.predictions[i].partner, partner) << where << ", prediction " << i;
    if (expected == Outcome::tp) {
      truths[partner] = Outcome::tp;
      EXPECT_EQ(outcomes.truths[partner].partner, i) << where;
    }
  }
  for (std::size_t i = 0; i < truths.size(); ++i) {
    EXPECT_EQ(outcomes.truths[i].outcome, truths[i]) << where << ", truth " << i;
  }
}

TEST(Reference, pycocotools_gives_the_same_numbers_and_matches_on_random_data) {
  const std::string python = std::string(VERILABEL_VENV) + "/bin/python";
  const std::filesystem::path file = std::filesystem::temp_directory_path() / fmt::format("verilabel_reference_{}.txt", ::getpid());
  const std::string script = std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/evaluate/reference_pycocotools.py";
  const int status = std::system(fmt::format("'{}' '{}' '{}'", python, script, file.string()).c_str());
  if (!std::filesystem::exists(python) || (WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
    GTEST_SKIP() << "pycocotools is not installed in " << VERILABEL_VENV << ": nothing to compare with";
  }
  ASSERT_EQ(status, 0) << "the reference script failed";

  Reader reader(file);
  int datasets = 0;
  int masks = 0;
  while (const std::optional<Reference> reference = reader.dataset()) {
    const std::string where = fmt::format("data set {}", datasets);
    ++datasets;
    masks += reference->iou_type == IouType::mask ? 1 : 0;
    EvaluateOptions options;
    options.iou_type = reference->iou_type;
    options.threads = 2;
    const Evaluation evaluation = evaluate(reference->input, options);
    const auto named = evaluation.coco.named();
    for (std::size_t i = 0; i < named.size(); ++i) {
      expect_same(named[i].second, reference->stats[i], fmt::format("{}, {}", where, named[i].first));
    }
    for (std::size_t k = 0; k < reference->per_class.size(); ++k) {
      expect_same(evaluation.per_class[k].coco.ap, reference->per_class[k][0], fmt::format("{}, AP of class {}", where, k));
      expect_same(evaluation.per_class[k].coco.ap_50, reference->per_class[k][1], fmt::format("{}, AP50 of class {}", where, k));
    }
    expect_same_outcomes(evaluation, *reference, where);
    if (HasFatalFailure()) {
      break;
    }
  }
  EXPECT_GE(datasets, 200);
  EXPECT_GE(masks, 50);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace verilabel
