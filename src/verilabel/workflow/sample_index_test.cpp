#include "verilabel/workflow/sample_index.h"

#include <gtest/gtest.h>

namespace verilabel {
namespace {

using Match = SampleIndex::Match;

TEST(SampleIndex, FindsByTheWholeNameOrByTheBasename) {
  SampleIndex index;
  const auto in_a = index.add("a/1.jpg", "/data/a/1.jpg", {});
  const auto in_b = index.add("b/1.jpg", "/data/b/1.jpg", {});
  const auto alone = index.add("b/2.jpg", "/data/b/2.jpg", {});
  EXPECT_EQ(index.find_name("a/1.jpg").entry, in_a);
  EXPECT_EQ(index.find_name("b/1.jpg").entry, in_b);
  EXPECT_EQ(index.find_name("1.jpg").match, Match::none);
  EXPECT_EQ(index.find_basename_of("1.jpg").match, Match::ambiguous);
  EXPECT_EQ(index.find_basename_of("other/folder/2.jpg").entry, alone) << "a basename that occurs once is enough";
  EXPECT_EQ(index.find_name("3.jpg").match, Match::none);
  EXPECT_EQ(index.find_path("/data/b/2.jpg").entry, alone);
}

TEST(SampleIndex, OfSeveralNamesakesTheOneWithTheLongestCommonEndIsMeant) {
  SampleIndex index;
  index.add("day/1.jpg", "/data/train/day/1.jpg", {});
  const auto night = index.add("night/1.jpg", "/data/train/night/1.jpg", {});
  EXPECT_EQ(index.find_basename_of("set/night/1.jpg").entry, night);
  EXPECT_EQ(index.find_base_stem_of("set/night/1").entry, night);
  EXPECT_EQ(index.find_basename_of("dusk/1.jpg").match, Match::ambiguous) << "no end in common but the basename";
  EXPECT_EQ(index.find_basename_of("ight/1.jpg").match, Match::ambiguous) << "an end is of whole parts";
  const auto other = index.add("night/1.jpg", "/data/val/night/1.jpg", {});
  EXPECT_EQ(index.find_basename_of("night/1.jpg").match, Match::ambiguous);
  EXPECT_EQ(index.find_basename_of("val/night/1.jpg").entry, other);
}

TEST(SampleIndex, StemsLackTheExtensionOnly) {
  SampleIndex index;
  const auto dotted = index.add("a/x.y.jpg", "/x.y.jpg", {});
  index.add("a/twin.jpg", "/twin.jpg", {});
  index.add("a/twin.png", "/twin.png", {});
  EXPECT_EQ(index.find_stem("a/x.y").entry, dotted);
  EXPECT_EQ(index.find_base_stem_of("x.y").entry, dotted);
  EXPECT_EQ(index.find_stem("a/twin").match, Match::ambiguous);
  EXPECT_EQ(index.find_stem("x").match, Match::none);
}

}  // namespace
}  // namespace verilabel
