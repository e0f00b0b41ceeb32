#include "verilabel/dataset/label.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace verilabel {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(LabelNames, ComeBackAsTheyWent) {
  for (const LabelKind kind : {LabelKind::classification, LabelKind::box, LabelKind::mask}) {
    EXPECT_EQ(label_kind_from(name_of(kind)), kind);
  }
  for (const Verdict verdict : {Verdict::unreviewed, Verdict::accepted, Verdict::rejected, Verdict::unsure, Verdict::edited}) {
    EXPECT_EQ(verdict_from(name_of(verdict)), verdict);
  }
  for (const LabelStatus status : {LabelStatus::active, LabelStatus::replaced, LabelStatus::superseded, LabelStatus::undone}) {
    EXPECT_EQ(label_status_from(name_of(status)), status);
  }
  EXPECT_EQ(name_of(SampleState::not_labelled), "not_labelled");
  EXPECT_EQ(name_of(SampleState::labelled_empty), "labelled_empty");
  EXPECT_EQ(name_of(SampleState::labelled), "labelled");
}

TEST(LabelNames, AreExact) {
  EXPECT_EQ(label_kind_from("Box"), std::nullopt);
  EXPECT_EQ(verdict_from(""), std::nullopt);
  EXPECT_EQ(label_status_from("active "), std::nullopt);
}

Label a_box() {
  Label label;
  label.box_xywh_px = {1, 2, 3, 4};
  return label;
}

Label a_mask(Mask mask) {
  Label label = a_box();
  label.kind = LabelKind::mask;
  label.mask = std::move(mask);
  return label;
}

TEST(LabelFault, IsNothingForLegalLabels) {
  EXPECT_EQ(fault_of(a_box()), std::nullopt);
  Label label = a_box();
  label.box_xywh_px = {-5, -5, 0, 0};  // partly outside the image, and without extent: both occur in real truth
  label.area_px = 0;
  label.confidence = 17.5;  // a logit
  EXPECT_EQ(fault_of(label), std::nullopt);
  label = {};
  label.kind = LabelKind::classification;
  EXPECT_EQ(fault_of(label), std::nullopt);
  EXPECT_EQ(fault_of(a_mask({.shape = std::vector<Polygon>{{0, 0, 1, 0, 1, 1}}})), std::nullopt);
  EXPECT_EQ(fault_of(a_mask({.shape = Rle{2, 3, {1, 2, 3}}})), std::nullopt);
}

TEST(LabelFault, NamesWhatIsWrong) {
  struct Case {
    const char* name;
    Label label;
    const char* wanted;
  };
  std::vector<Case> cases;
  const auto add = [&](const char* name, Label label, const char* wanted, auto change) {
    change(label);
    cases.push_back({name, std::move(label), wanted});
  };
  add("x", a_box(), "x of the box is nan", [](Label& l) { l.box_xywh_px.x = kNan; });
  add("y", a_box(), "y of the box is inf", [](Label& l) { l.box_xywh_px.y = kInfinity; });
  add("w", a_box(), "negative side: -1 × 4", [](Label& l) { l.box_xywh_px.w = -1; });
  add("h", a_box(), "negative side: 3 × -0.5", [](Label& l) { l.box_xywh_px.h = -0.5; });
  add("corner", a_box(), "far corner", [](Label& l) { l.box_xywh_px = {1e308, 0, 1e308, 1}; });
  add("box area", a_box(), "far corner", [](Label& l) { l.box_xywh_px = {0, 0, 1e200, 1e200}; });
  add("classification", a_box(), "classification has a box", [](Label& l) { l.kind = LabelKind::classification; });
  add("confidence", a_box(), "confidence is nan", [](Label& l) { l.confidence = kNan; });
  add("area", a_box(), "area is -1", [](Label& l) { l.area_px = -1; });
  add("infinite area", a_box(), "area is inf", [](Label& l) { l.area_px = kInfinity; });
  add("no mask", a_box(), "has no mask", [](Label& l) { l.kind = LabelKind::mask; });
  add("a mask too many", a_mask({}), "not of kind mask", [](Label& l) { l.kind = LabelKind::box; });
  const auto as_it_is = [](Label&) {};
  add("no polygon", a_mask({}), "has no polygon", as_it_is);
  add("two points", a_mask({.shape = std::vector<Polygon>{{0, 0, 1, 0, 1, 1}, {0, 0, 1, 1}}}), "polygon 1 of the mask has 4",
      as_it_is);
  add("odd count", a_mask({.shape = std::vector<Polygon>{{0, 0, 1, 0, 1, 1, 5}}}), "has 7 numbers", as_it_is);
  add("NaN corner", a_mask({.shape = std::vector<Polygon>{{0, 0, 1, 0, 1, kNan}}}), "polygon 0 of the mask holds nan", as_it_is);
  add("short Rle", a_mask({.shape = Rle{2, 3, {1, 2}}}), "add up to 3 pixels; 2 × 3 are 6", as_it_is);
  constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  add("Rle sums beyond 32 bits", a_mask({.shape = Rle{1, 6, {most, 7}}}), "add up to 4294967302", as_it_is);
  for (const Case& c : cases) {
    const auto fault = fault_of(c.label);
    ASSERT_TRUE(fault) << c.name;
    EXPECT_THAT(*fault, HasSubstr(c.wanted)) << c.name;
  }
}

}  // namespace
}  // namespace verilabel
