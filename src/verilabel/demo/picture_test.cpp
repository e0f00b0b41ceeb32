#include "verilabel/demo/picture.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "verilabel/base/file.h"

namespace verilabel::demo {
namespace {

constexpr std::uint64_t kSeed = 11;

struct Arranged {
  int width = 0;
  int height = 0;
  std::vector<PlacedObject> objects;
  std::vector<Sprite> sprites;
  std::vector<SeenObject> seen;
};

/// Things on a shelf or in a park as `draw_picture` would place them.
Arranged arrange(Scene scene, std::uint64_t seed) {
  Arranged arranged{.width = 320, .height = 240, .objects = {}, .sprites = {}, .seen = {}};
  Random random(seed);
  Canvas canvas(arranged.width, arranged.height);
  const Backdrop backdrop = draw_backdrop(canvas, {.scene = scene}, random);
  arranged.objects = place_objects(backdrop, arranged.width, arranged.height, Selection(), random);
  for (const PlacedObject& object : arranged.objects) {
    arranged.sprites.push_back(paint_sprite(object));
  }
  arranged.seen = find_seen(arranged.objects, arranged.sprites, arranged.width, arranged.height);
  return arranged;
}

bool has(const Rle& mask, const std::vector<std::uint8_t>& bitmap, int x, int y) {
  return bitmap[static_cast<std::size_t>(x) * mask.height + static_cast<std::size_t>(y)] != 0;
}

TEST(Picture, TruthIsWhatEachObjectShowsWhenItIsDrawnByItself) {
  for (const Scene scene : {Scene::street, Scene::park, Scene::harbour, Scene::kitchen, Scene::shelf}) {
    const Arranged arranged = arrange(scene, kSeed);
    ASSERT_EQ(arranged.seen.size(), arranged.objects.size());
    ASSERT_GE(arranged.seen.size(), 3);
    for (std::size_t i = 0; i < arranged.seen.size(); ++i) {
      const SeenObject& object = arranged.seen[i];
      const Sprite alone = paint_sprite(arranged.objects[i]);
      const auto bitmap = bitmap_from_rle(object.mask);
      std::uint64_t own = 0;
      std::uint64_t seen = 0;
      int left = arranged.width, top = arranged.height, right = 0, bottom = 0;
      for (int y = 0; y < arranged.height; ++y) {
        for (int x = 0; x < arranged.width; ++x) {
          const bool is_own = alone.covers(x, y);
          bool is_seen = is_own;
          for (std::size_t later = i + 1; later < arranged.seen.size(); ++later) {
            is_seen = is_seen && !arranged.sprites[later].covers(x, y);
          }
          ASSERT_EQ(has(object.mask, bitmap, x, y), is_seen) << i << " at " << x << ", " << y;
          own += is_own ? 1 : 0;
          seen += is_seen ? 1 : 0;
          if (is_seen) {
            left = std::min(left, x);
            top = std::min(top, y);
            right = std::max(right, x + 1);
            bottom = std::max(bottom, y + 1);
          }
        }
      }
      EXPECT_EQ(object.own_px, own);
      EXPECT_EQ(object.seen_px, seen);
      EXPECT_EQ(area(object.mask), seen);
      EXPECT_EQ(area(object.own), own);
      EXPECT_EQ(object.box_xywh_px, (Box{static_cast<double>(left), static_cast<double>(top), static_cast<double>(right - left),
                                         static_cast<double>(bottom - top)}));
      EXPECT_LE(object.hidden(), kMostHidden);
      EXPECT_GE(object.seen_px, kLeastSeenPx);
      EXPECT_GE(std::max(object.box_xywh_px.w, object.box_xywh_px.h), kLeastSidePx);
    }
  }
}

TEST(Picture, MasksAreDisjoint) {
  for (std::uint64_t index = 0; index < 12; ++index) {
    const Picture picture = draw_picture(kSeed, index, {.long_side_px = 320, .selection = {}});
    std::uint64_t sum = 0;
    std::vector<Rle> masks;
    for (const SeenObject& object : picture.objects) {
      sum += object.seen_px;
      masks.push_back(object.mask);
    }
    ASSERT_FALSE(masks.empty());
    EXPECT_EQ(area(union_of(masks)), sum);
  }
}

TEST(Picture, EachKindCanBeDrawnInEveryVariantAndPoseAndFillsItsFrame) {
  for (std::size_t kind = 0; kind < kinds().size(); ++kind) {
    const Kind& drawn = kinds()[kind];
    std::set<std::string> looks;
    int poses = std::max<int>(1, static_cast<int>(drawn.poses.size()));
    for (int variant = 0; variant < drawn.variants; ++variant) {
      for (int pose = 0; pose < poses; ++pose) {
        PlacedObject object{.kind = kind,
                            .look = {.paint = {.color = {200, 40, 40}, .second = {250, 250, 250}}, .accent = {40, 80, 200}},
                            .base_px = {100, 150},
                            .unit_px = 100};
        object.look.variant = variant;
        object.look.pose = pose;
        const Sprite sprite = paint_sprite(object);
        int covered = 0;
        int highest = sprite.height;
        for (int y = 0; y < sprite.height; ++y) {
          for (int x = 0; x < sprite.width; ++x) {
            if (sprite.covers(x + sprite.left, y + sprite.top)) {
              ++covered;
              highest = std::min(highest, y);
              // Nothing is cut off by the sprite's border.
              EXPECT_TRUE(x > 0 && y > 0 && x + 1 < sprite.width && y + 1 < sprite.height) << drawn.name;
            }
          }
        }
        EXPECT_GE(covered, 600) << drawn.name << " variant " << variant << " pose " << pose;
        const auto* const bytes = reinterpret_cast<const char*>(sprite.pixels.data());
        looks.insert(sha256_of({bytes, sprite.pixels.size() * sizeof(std::uint32_t)}));
      }
    }
    EXPECT_GE(looks.size(), static_cast<std::size_t>(std::max(drawn.variants, poses))) << drawn.name;
  }
}

TEST(Picture, IsTheSameWheneverItIsDrawn) {
  const Picture first = draw_picture(5, 3, {.long_side_px = 320, .selection = {}});
  const Picture other = draw_picture(5, 4, {.long_side_px = 320, .selection = {}});
  const Picture again = draw_picture(5, 3, {.long_side_px = 320, .selection = {}});
  EXPECT_TRUE(std::ranges::equal(first.image.pixels(), again.image.pixels()));
  EXPECT_FALSE(std::ranges::equal(first.image.pixels(), other.image.pixels()));
  ASSERT_EQ(first.objects.size(), again.objects.size());
  for (std::size_t i = 0; i < first.objects.size(); ++i) {
    EXPECT_EQ(first.objects[i].mask, again.objects[i].mask);
  }
}

}  // namespace
}  // namespace verilabel::demo
