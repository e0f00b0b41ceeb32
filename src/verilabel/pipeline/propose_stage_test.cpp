#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/pipeline/run_stage.h"

namespace verilabel {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int kInput = 16;  // of the fake model, which is twice as large as the smallest image that is cut by size

// Sees the pixels of a value as one object of the class (value / 100), and outlines it: in each pass one class. Its input tensor is
// the box, and the size of what it looked at.
class FakeOutliner : public Labeller {
 public:
  mutable int widest = 0;
  int pass_count = 1;

  const ModelCard& card() const override { return card_; }
  const std::vector<std::string>& class_names() const override { return names_; }
  const std::vector<std::string>& notes() const override { return names_; }
  CandidateOptions default_options() const override { return {}; }
  int input_width() const override { return kInput; }
  int input_height() const override { return kInput; }
  const GraphUse& graph() const override { return graph_; }
  int passes() const override { return pass_count; }

  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image&, int pass) const override {
    widest = std::max(widest, image.width());
    int left = image.width();
    int top = image.height();
    int right = 0;
    int bottom = 0;
    for (int y = 0; y < image.height(); ++y) {
      for (int x = 0; x < image.width(); ++x) {
        if (image.row(y)[x * Image::kChannels] / 100 == pass + 1) {
          left = std::min(left, x);
          right = std::max(right, x + 1);
          top = std::min(top, y);
          bottom = std::max(bottom, y + 1);
        }
      }
    }
    std::ranges::copy(std::vector{left, top, right, bottom}, inputs[0].f32.begin());
    return {.image_width = image.width(), .image_height = image.height(), .pass = pass};
  }

  std::vector<Candidate> decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                const CandidateOptions&) const override {
    const std::span<const float> edges = outputs[0].values;
    if (edges[2] <= edges[0]) {
      return {};
    }
    const Box box = {edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]};
    std::vector<std::uint8_t> bitmap(static_cast<std::size_t>(transform.image_width) *
                                     static_cast<std::size_t>(transform.image_height));
    for (int x = static_cast<int>(edges[0]); x < static_cast<int>(edges[2]); ++x) {
      for (int y = static_cast<int>(edges[1]); y < static_cast<int>(edges[3]); ++y) {
        bitmap[static_cast<std::size_t>(x * transform.image_height + y)] = 1;
      }
    }
    const Rle mask = rle_from_bitmap(bitmap, static_cast<std::uint32_t>(transform.image_height),
                                     static_cast<std::uint32_t>(transform.image_width));
    // The more of it is seen, the surer.
    return {{transform.pass, box, std::min(0.9, 0.1 + area(box) / 10'000), Mask{mask, true}, LabelKind::mask}};
  }

 private:
  ModelCard card_;
  std::vector<std::string> names_ = {"grey", "white"};
  GraphUse graph_ = {.inputs = {{{4}}}};
};

class Propose : public testing::Test {
 protected:
  static Image image_with(int width, int height, std::initializer_list<std::pair<Tile, int>> things) {
    Image image(width, height);
    std::ranges::fill(image.pixels(), std::uint8_t{0});
    for (const auto& [thing, value] : things) {
      for (int y = thing.y; y < thing.y + thing.h; ++y) {
        std::fill_n(image.row(y) + thing.x * Image::kChannels, thing.w * Image::kChannels, static_cast<std::uint8_t>(value));
      }
    }
    return image;
  }

  std::vector<Candidate> candidates_of(Image image) {
    ImageJob job;
    job.width = image.width();
    job.height = image.height();
    job.image = std::move(image);
    const ProposeStage stage(model_, options_);
    job.parts.resize(stage.begin(job));
    windows_ = job.tiles.size();
    parts_ = job.parts.size();
    // The last first: parts are written and read in any order.
    for (std::size_t part = parts_; part-- > 0;) {
      std::vector<float> tensor(4);
      const std::vector<InputView> inputs = {{tensor, {}}};
      const std::vector<std::int64_t> shape = {4};
      const std::vector<OutputView> outputs = {{tensor, shape}};
      Image scratch;
      stage.write(job, part, inputs, scratch);
      stage.read(job, part, outputs);
    }
    stage.finish(job);
    return std::move(job.candidates);
  }

  static Rle rectangle(const Tile& thing, int width, int height) {
    return placed(Rle{static_cast<std::uint32_t>(thing.h),
                      static_cast<std::uint32_t>(thing.w),
                      {0, static_cast<std::uint32_t>(thing.h * thing.w)}},
                  static_cast<std::uint32_t>(thing.x), static_cast<std::uint32_t>(thing.y), static_cast<std::uint32_t>(height),
                  static_cast<std::uint32_t>(width));
  }

  void expect_is(const Candidate& candidate, const Tile& thing, int width, int height) {
    EXPECT_EQ(candidate.box_xywh_px, (Box{static_cast<double>(thing.x), static_cast<double>(thing.y), static_cast<double>(thing.w),
                                          static_cast<double>(thing.h)}));
    EXPECT_EQ(candidate.kind, LabelKind::mask);
    ASSERT_TRUE(candidate.mask);
    EXPECT_EQ(std::get<Rle>(candidate.mask->shape), rectangle(thing, width, height));
  }

  FakeOutliner model_;
  LabelRunOptions options_;
  std::size_t windows_ = 0;
  std::size_t parts_ = 0;
};

TEST_F(Propose, WithoutTilesTheModelLooksOnceAtTheImage) {
  const Tile thing = {20, 15, 70, 30};
  const auto found = candidates_of(image_with(100, 60, {{thing, 100}}));
  ASSERT_THAT(found, SizeIs(1));
  expect_is(found[0], thing, 100, 60);
  EXPECT_EQ(windows_, 1U);
  EXPECT_EQ(model_.widest, 100);
}

TEST_F(Propose, BoxAndMaskOfAnObjectAcrossTilesAreUnited) {
  // Tiles begin at 0, 25 and 50, and at 0 and 10. No tile holds the object, which is 70 long; the outer four have its ends.
  options_.tiles = TilingOptions{.side = 50, .has_whole = false};
  const Tile thing = {20, 15, 70, 30};
  const auto found = candidates_of(image_with(100, 60, {{thing, 100}}));
  EXPECT_EQ(windows_, 6U);
  EXPECT_EQ(model_.widest, 50) << "no copy is larger than a tile";
  ASSERT_THAT(found, SizeIs(1));
  expect_is(found[0], thing, 100, 60);
  // The most that one tile sees of it: 50 by 30.
  EXPECT_DOUBLE_EQ(found[0].score, 0.1 + 0.15);
}

TEST_F(Propose, TheLookAtTheWholeImageFindsWhatIsLargerThanATile) {
  options_.tiles = TilingOptions{.side = 50};
  const Tile thing = {5, 5, 190, 140};
  const auto found = candidates_of(image_with(200, 150, {{thing, 100}}));
  EXPECT_GT(windows_, 10U);
  ASSERT_THAT(found, SizeIs(1));
  expect_is(found[0], thing, 200, 150);
  EXPECT_EQ(found[0].score, 0.9);
}

TEST_F(Propose, ATileIsSeenByEveryPassOfTheModel) {
  options_.tiles = TilingOptions{.side = 50};
  model_.pass_count = 2;
  const Tile grey = {20, 15, 70, 10};
  const Tile white = {30, 30, 20, 20};
  const auto found = candidates_of(image_with(100, 60, {{grey, 100}, {white, 200}}));
  EXPECT_EQ(windows_, 7U);
  EXPECT_EQ(parts_, 14U);
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].class_index, 0);
  expect_is(found[0], grey, 100, 60);
  EXPECT_EQ(found[1].class_index, 1);
  expect_is(found[1], white, 100, 60);
}

TEST_F(Propose, TilesBySizeFollowTheModelsInput) {
  options_.tiles = TilingOptions{};
  EXPECT_THAT(candidates_of(image_with(32, 32, {})), IsEmpty());
  EXPECT_EQ(windows_, 1U);
  candidates_of(image_with(33, 16, {}));
  // Tiles of 16 go on by 12: they begin at 0, 8 and 17. And the whole.
  EXPECT_EQ(windows_, 4U);
}

TEST_F(Propose, AnImageOfTooManyTilesIsRefused) {
  options_.tiles = TilingOptions{.side = 32, .overlap = 0.9};
  try {
    candidates_of(Image(400, 400));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::bad_data);
    EXPECT_THAT(error.message(), HasSubstr("400 × 400 pixels would be looked at in"));
  }
}

}  // namespace
}  // namespace verilabel
