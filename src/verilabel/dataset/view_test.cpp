#include "verilabel/dataset/view.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/dataset/testing_columns.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Rows = std::vector<std::uint32_t>;

constexpr double kMay1 = 19'844 * 86'400.0;  // 2024
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

const SavedViews kSaved = {{"cars", "class:car", ""},
                           {"unsure_cars", "class:car confidence<0.5", ""},
                           {"night", "tag:night", ""},
                           {"night people", "tag:night (class:person | view:cars)", ""},
                           {"inactive", "status:replaced,undone", ""},
                           {"best", "set:auto -sort:confidence limit:2", ""},
                           {"ordered", "set:auto -sort:confidence", ""},
                           {"only_order", "-sort:confidence", ""},
                           {"through", "view:best", ""},
                           {"everything", "", ""},
                           {"loop", "tag:night view:pool", ""},
                           {"pool", "class:car | (view:loop)", ""},
                           {"broken", "tag:night colour:red", ""}};

/// Five samples and eleven labels; a row number is an id less ten, or less a hundred.
Columns street_and_park() {
  constexpr std::int32_t truth = 0;
  constexpr std::int32_t automatic = 1;
  constexpr std::int32_t car = 0;
  constexpr std::int32_t light = 1;
  constexpr std::int32_t person = 2;
  constexpr std::int32_t bus = 3;
  Columns c;
  c.sets = {{1, "ground_truth"}, {2, "auto"}, {3, "human"}};
  c.classes = {{1, "car"}, {2, "traffic light"}, {3, "person"}, {4, "bus"}};
  append(c.samples, {10, "/data/city/street/a.jpg", "street/a.jpg", 640, 480});
  append(c.samples, {11, "/data/city/street/b.png", "street/b.png", 1280, 720});
  append(c.samples, {12, "/data/city/park/my photo.jpg", "park/my photo.jpg", 640, 640, true});
  append(c.samples, {13, "/data/city/park/été (1).jpg", "park/été (1).jpg", 320, 240});
  append(c.samples, {14, "/data/city/x/\xff*.jpg", "x/\xff*.jpg", 100, 100});

  LabelColumns& labels = c.labels;
  append(labels, {.id = 100, .sample = 0, .set = truth, .class_index = car, .confidence = {}, .box_xywh_px = {0, 0, 50, 40}});
  append(labels, {.id = 101,
                  .sample = 0,
                  .set = automatic,
                  .class_index = car,
                  .confidence = 0.9,
                  .box_xywh_px = {0, 0, 50, 40},
                  .verdict = Verdict::accepted,
                  .run = 1});
  append(labels, {.id = 102,
                  .sample = 0,
                  .set = automatic,
                  .class_index = person,
                  .confidence = 0.2,
                  .box_xywh_px = {5, 5, 10, 30},
                  .run = 1});
  append(labels, {.id = 103,
                  .sample = 0,
                  .set = automatic,
                  .class_index = person,
                  .confidence = 0.6,
                  .box_xywh_px = {9, 5, 10, 30},
                  .run = 1});
  append(labels, {.id = 104,
                  .sample = 1,
                  .set = automatic,
                  .class_index = light,
                  .confidence = 0.3,
                  .box_xywh_px = {0, 0, 8, 8},
                  .verdict = Verdict::rejected,
                  .run = 1});
  append(
      labels,
      {.id = 105, .sample = 1, .set = automatic, .class_index = car, .confidence = 0.3, .box_xywh_px = {0, 0, 100, 100}, .run = 2});
  append(labels, {.id = 106,
                  .sample = 1,
                  .set = automatic,
                  .class_index = car,
                  .confidence = 0.8,
                  .box_xywh_px = {0, 0, 20, 20},
                  .status = LabelStatus::replaced,
                  .run = 1});
  append(labels, {.id = 107,
                  .sample = 2,
                  .set = truth,
                  .class_index = person,
                  .confidence = {},
                  .box_xywh_px = {0, 0, 30, 60},
                  .kind = LabelKind::mask});
  append(labels, {.id = 108,
                  .sample = 2,
                  .set = automatic,
                  .class_index = bus,
                  .confidence = 0.5,
                  .box_xywh_px = {0, 0, 64, 32},
                  .verdict = Verdict::unsure,
                  .run = 2});
  append(labels, {.id = 109,
                  .sample = 3,
                  .set = automatic,
                  .class_index = car,
                  .confidence = 0.95,
                  .status = LabelStatus::undone,
                  .kind = LabelKind::classification,
                  .run = 3});
  append(labels, {.id = 110, .sample = 3, .set = truth, .class_index = car, .confidence = {}, .box_xywh_px = {0, 0, 0, 7}});
  c.labelled_sample = Column<std::int32_t>::owned({0, 2, 3, 0, 1, 2, 4});
  c.labelled_set = Column<std::int32_t>::owned({0, 0, 0, 1, 1, 1, 1});
  c.sample_tag_names = {"night", "needs work"};
  c.sample_tags = {Column<std::int32_t>::owned({4, 0, 1, 1}), Column<std::int32_t>::owned({0, 0, 0, 1})};
  c.splits = {"", "train", "val"};
  constexpr std::int32_t splits[] = {1, 2, 0, 1, 0};
  constexpr double modified[] = {kMay1, kMay1 + 86'399, kNone, kMay1 + 86'400, kMay1 - 0.5};
  for (std::size_t i = 0; i < 5; ++i) {
    c.samples.split.set(i, splits[i]);
    c.samples.modified.set(i, modified[i]);
  }
  c.labels.decided.set(1, kMay1 + 3600);
  c.labels.decided.set(4, kMay1 + 2 * 86'400);
  c.labels.decided.set(8, kMay1);
  PropertyBuilder fields;
  fields.add(0, "scene", PropertyValue("night"));
  fields.add(1, "scene", PropertyValue("day, clear"));
  fields.add(3, "scene", PropertyValue("2"));
  fields.add(4, "scene", PropertyValue(2.0));
  fields.add(0, "taken at", PropertyValue("2024-05-01T10:00:00Z"));
  fields.add(1, "taken at", PropertyValue("2024-05-02T01:00:00+02:00"));  // 1 May, 23 hours in UTC
  fields.add(2, "taken at", PropertyValue("2024-05-03"));
  fields.add(3, "taken at", PropertyValue("yesterday"));
  fields.add(1, "iso", PropertyValue(100.0));
  fields.add(3, "iso", PropertyValue(1600.0));
  fields.add(4, "iso", PropertyValue("auto"));
  fields.add(0, "brightness", PropertyValue(30.0));
  fields.add(1, "brightness", PropertyValue(90.5));
  fields.add(4, "brightness", PropertyValue("dark"));
  c.sample_fields = fields.build();
  PropertyBuilder attributes;
  attributes.add(0, "occluded", PropertyValue("true"));
  attributes.add(2, "occluded", PropertyValue("false"));
  attributes.add(3, "occluded", PropertyValue("true"));
  attributes.add(5, "occluded", PropertyValue(3.0));
  attributes.add(6, "occluded", PropertyValue("true"));
  attributes.add(3, "a=b", PropertyValue(0.5));
  c.label_attributes = attributes.build();
  c.label_tag_names = {"ask"};
  c.label_tags = {Column<std::int32_t>::owned({8, 2}), Column<std::int32_t>::owned({0, 0})};
  return c;
}

struct Case {
  const char* text;
  Rows labels;
  Rows samples;
};

class ViewRows : public ::testing::TestWithParam<Case> {};

TEST_P(ViewRows, AreAsTheTableSays) {
  const Columns columns = street_and_park();
  const View view = View::parse(GetParam().text, kSaved);
  EXPECT_EQ(select_labels(view, columns), GetParam().labels) << GetParam().text;
  EXPECT_EQ(select_samples(view, columns), GetParam().samples) << GetParam().text;
}

// Labels 6 (replaced) and 9 (undone) are not active; sample 4 has no labels.
const std::vector<Case> kEverything = {
    {"", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
    {" \t\r\n ", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
};
const std::vector<Case> kLabelTerms = {
    {"set:auto", {1, 2, 3, 4, 5, 8}, {0, 1, 2}},
    {"set:ground_truth,auto", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3}},
    {"set:human", {}, {}},
    {"class:car", {0, 1, 5, 10}, {0, 1, 3}},
    {"class:car,\"traffic light\"", {0, 1, 4, 5, 10}, {0, 1, 3}},
    {R"(class:traffic\ light)", {4}, {1}},
    {R"(class:"traffic"\ "light")", {4}, {1}},
    {"confidence>=0.3", {1, 3, 4, 5, 8}, {0, 1, 2}},
    {"confidence>0.3", {1, 3, 8}, {0, 2}},
    {"confidence<0.3", {2}, {0}},
    {"confidence<=3e-1", {2, 4, 5}, {0, 1}},
    {"confidence=0.3", {4, 5}, {1}},
    {"confidence!=.3", {1, 2, 3, 8}, {0, 2}},   // labels without a confidence never compare …
    {"-confidence>=0", {0, 7, 10}, {0, 2, 3}},  // … so this finds them
    {"confidence>-1e300", {1, 2, 3, 4, 5, 8}, {0, 1, 2}},
    {"verdict:unreviewed", {0, 2, 3, 5, 7, 10}, {0, 1, 2, 3}},
    {"verdict:accepted,rejected", {1, 4}, {0, 1}},
    {"verdict:edited", {}, {}},
    {"status:replaced", {6}, {1}},
    {"status:active,undone class:car", {0, 1, 5, 9, 10}, {0, 1, 3}},
    {"kind:mask", {7}, {2}},
    {"kind:classification status:undone", {9}, {3}},
    {"area<100", {4, 10}, {1, 3}},
    {"area>=2000 area<=2048", {0, 1, 8}, {0, 2}},
    {"box_width>=64", {5, 8}, {1, 2}},
    {"box_height=30", {2, 3}, {0}},
    {"box_width=0", {10}, {3}},
    {"area>=0 kind:classification status:undone", {}, {}},  // what has no box has no area of 0
    {"box_width!=5 kind:classification status:undone", {}, {}},
    {"-area<100 kind:classification status:undone", {9}, {3}},
    {"label_tag:ask", {2, 8}, {0, 2}},
    {"run:1", {1, 2, 3, 4}, {0, 1}},
    {"run:2,1 class:car", {1, 5}, {0, 1}},
    {"run:0", {0, 7, 10}, {0, 2, 3}},
    {"id:104,100,999,106", {0, 4}, {0, 1}},
    {"attribute:occluded", {0, 2, 3, 5}, {0, 1}},
    {"attribute:occluded=true", {0, 3}, {0}},
    {"attribute:occluded=true,3", {0, 3, 5}, {0, 1}},
    {"attribute:occluded=3.0", {5}, {1}},
    {"attribute:occluded!=true", {2, 5}, {0, 1}},
    {"attribute:occluded!=true,3", {2}, {0}},
    {"-attribute:occluded=true", {1, 2, 4, 5, 7, 8, 10}, {0, 1, 2, 3}},  // those without it too
    {"attribute:occluded>2", {5}, {1}},
    {"attribute:occluded>=\"3\"", {5}, {1}},
    {"attribute:occluded<2024-05-01", {}, {}},
    {"attribute:\"a=b\"<1", {3}, {0}},
    {"attribute:a\\=b", {3}, {0}},
    {"attribute:occluded=true status:replaced", {6}, {1}},
    {"attribute:occluded=true confidence<0.5", {}, {}},  // of one and the same label
    {"attribute:occluded=true confidence>0.5", {3}, {0}},
    {"decided>=2024-05-01", {1, 4, 8}, {0, 1, 2}},
    {"decided>2024-05-01", {4}, {1}},  // after that day
    {"decided<=2024-05-01", {1, 8}, {0, 2}},
    {"decided=2024-05-01", {1, 8}, {0, 2}},
    {"decided!=2024-05-01", {4}, {1}},
    {"decided<2024-05-01", {}, {}},
    {"decided<2024-05-01T01:00", {8}, {2}},
    {"decided=2024-05-01T03:00:00+02:00", {1}, {0}},
    {"-decided>=1970-01-01", {0, 2, 3, 5, 7, 10}, {0, 1, 2, 3}},
};
const std::vector<Case> kSampleTerms = {
    {"tag:night", {0, 1, 2, 3, 4, 5}, {0, 1, 4}},
    {"tag:\"needs work\"", {4, 5}, {1}},
    {"-tag:night", {7, 8, 10}, {2, 3}},
    {"path:*/street/*", {0, 1, 2, 3, 4, 5}, {0, 1}},
    {"path:street/a.jpg", {0, 1, 2, 3}, {0}},                              // the name, whole
    {"path:/data/city/street/a.jpg,*/b.???", {0, 1, 2, 3, 4, 5}, {0, 1}},  // the path
    {"path:a.jpg", {}, {}},
    {"path:\"*/my photo*\"", {7, 8}, {2}},
    {"name:street/?.jpg", {0, 1, 2, 3}, {0}},
    {"name:/data/*", {}, {}},
    {"name:park/?t?\" (1).jpg\"", {10}, {3}},  // é is one character
    {R"(name:x/?\*.jpg)", {}, {4}},            // a byte that is no UTF-8 is one too
    {R"(name:*\**)", {}, {4}},
    {"name:**.jpg*", {0, 1, 2, 3, 7, 8, 10}, {0, 2, 3, 4}},
    {"width>=640 height<700", {0, 1, 2, 3, 7, 8}, {0, 2}},
    {"width!=640", {4, 5, 10}, {1, 3, 4}},
    {"count(auto)=3", {0, 1, 2, 3}, {0}},
    {"count(auto,person)>1", {0, 1, 2, 3}, {0}},
    {"count( auto , person, \"traffic light\" )>=1", {0, 1, 2, 3, 4, 5}, {0, 1}},
    {"count(auto,car)=0", {7, 8, 10}, {2, 3, 4}},  // the undone car of sample 3 does not count
    {"count(human)>=0", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
    {"labelled:auto", {0, 1, 2, 3, 4, 5, 7, 8}, {0, 1, 2, 4}},
    {"labelled:auto count(auto)=0", {}, {4}},  // labelled, empty
    {"-labelled:auto,ground_truth", {}, {}},
    {"-labelled:ground_truth", {4, 5}, {1, 4}},
    {"missing:yes", {7, 8}, {2}},
    {"missing:no", {0, 1, 2, 3, 4, 5, 10}, {0, 1, 3, 4}},
    {"missing:yes,no", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
    {"sample:13,11,99", {4, 5, 10}, {1, 3}},
    {"text:STREET", {0, 1, 2, 3, 4, 5}, {0, 1}},
    {"text:\"My Photo\",.PNG", {4, 5, 7, 8}, {1, 2}},
    {"text:data", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
    {"text:*", {}, {4}},  // no pattern
    {"text:\"ÉTÉ\"", {}, {}},
    {"split:train", {0, 1, 2, 3, 10}, {0, 3}},
    {"split:train,val", {0, 1, 2, 3, 4, 5, 10}, {0, 1, 3}},
    {"split:\"\"", {7, 8}, {2, 4}},
    {"-split:train,val", {7, 8}, {2, 4}},
    {"field:scene", {0, 1, 2, 3, 4, 5, 10}, {0, 1, 3, 4}},
    {"-field:scene", {7, 8}, {2}},
    {"field:scene=night", {0, 1, 2, 3}, {0}},
    {"field:scene=\"day, clear\",night", {0, 1, 2, 3, 4, 5}, {0, 1}},
    {"field:scene=2", {10}, {3, 4}},  // the number and the text
    {"field:scene=2.0", {}, {4}},     // the number
    {"field:scene!=night", {4, 5, 10}, {1, 3, 4}},
    {"field:scene!=night,2", {4, 5}, {1}},
    {"brightness<40", {0, 1, 2, 3}, {0}},
    {"brightness>=30", {0, 1, 2, 3, 4, 5}, {0, 1}},  // of others it is not known
    {"-brightness<40", {4, 5, 7, 8, 10}, {1, 2, 3, 4}},
    {"field:iso<=1600", {4, 5, 10}, {1, 3}},
    {"field:iso<1600", {4, 5}, {1}},
    {"field:iso>1e2", {10}, {3}},
    {"field:iso>=100 field:scene=2", {10}, {3}},
    {"field:\"taken at\"=2024-05-01", {0, 1, 2, 3, 4, 5}, {0, 1}},
    {"field:taken\\ at>2024-05-01", {7, 8}, {2}},
    {"field:\"taken at\"<2024-05-01T12:00", {0, 1, 2, 3}, {0}},
    {"field:\"taken at\"!=2024-05-01", {7, 8, 10}, {2, 3}},
    {"field:\"taken at\"=yesterday", {10}, {3}},
    {"modified<2024-05-01", {}, {4}},
    {"modified=2024-05-01", {0, 1, 2, 3, 4, 5}, {0, 1}},
    {"modified>=2024-05-02", {10}, {3}},
    {"-modified>=1970-01-01", {7, 8}, {2}},  // missing
};
const std::vector<Case> kCombinations = {
    {"class:car set:auto", {1, 5}, {0, 1}},
    {"class:person|class:bus", {2, 3, 7, 8}, {0, 2}},
    {"set:auto class:person | class:bus", {2, 3, 8}, {0, 2}},  // | binds weaker
    {"set:auto (class:person | class:car)", {1, 2, 3, 5}, {0, 1}},
    {"-class:car", {2, 3, 4, 7, 8}, {0, 1, 2}},  // other labels, not samples without cars
    {"-(class:car | class:person)", {4, 8}, {1, 2}},
    {"-(-class:car)", {0, 1, 5, 10}, {0, 1, 3}},
    {"((((class:bus))))", {8}, {2}},
    {"tag:night class:person", {2, 3}, {0}},
    {"tag:night | class:bus", {0, 1, 2, 3, 4, 5, 8}, {0, 1, 2, 4}},
    // Neighbouring label terms ask for one and the same label …
    {"class:person confidence<0.3 verdict:unreviewed", {2}, {0}},
    {"class:car verdict:rejected", {}, {}},
    // … a sample term between them ends the run: a car, and another label that was rejected.
    {"class:car tag:night verdict:rejected", {}, {1}},
    {"(class:car tag:night) verdict:rejected", {}, {1}},
    {"tag:night (class:car verdict:rejected)", {}, {}},
    // - before a label term asks for another label, before a parenthesis about samples as well for other samples.
    {"class:person -confidence<0.3", {3, 7}, {0, 2}},
    {"-(class:car confidence>0.5)", {0, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3}},
    {"-(class:car tag:night)", {2, 3, 4, 7, 8, 10}, {2, 3, 4}},
    {"-(tag:night | missing:yes)", {10}, {3}},
    // A status term lifts the restriction to active labels everywhere.
    {"class:car status:active | id:106", {0, 1, 5, 6, 10}, {0, 1, 3}},
    {"status:undone count(auto)=0", {9}, {3}},
};
const std::vector<Case> kSavedViews = {
    {"view:cars", {0, 1, 5, 10}, {0, 1, 3}},
    {"view:unsure_cars", {5}, {1}},
    {"view:cars set:auto", {1, 5}, {0, 1}},
    {"view:cars verdict:rejected", {}, {}},  // one and the same label
    {"-view:cars", {2, 3, 4, 7, 8}, {0, 1, 2}},
    {"-view:night", {7, 8, 10}, {2, 3}},
    {"view:cars,night", {0, 1, 2, 3, 4, 5, 10}, {0, 1, 3, 4}},
    {"view:\"night people\"", {0, 1, 2, 3, 5}, {0, 1}},
    {"class:bus | (view:night view:cars)", {0, 1, 5, 8}, {0, 1, 2}},
    {"view:inactive", {6, 9}, {1, 3}},
    {"view:everything", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
    {"view:best", {1, 3}, {0}},
    {"view:through", {1, 3}, {0}},
    {"view:ordered", {1, 3, 8, 4, 5, 2}, {0, 2, 1}},
    {"view:ordered limit:3", {1, 3, 8}, {0, 2}},
    {"view:ordered sort:confidence", {2, 4, 5, 8, 3, 1}, {0, 1, 2}},
    {"view:ordered class:car", {1, 5}, {0, 1}},
    // One that says nothing but an order does not part the terms beside it.
    {"class:car view:everything class:person", {}, {}},
    {"class:car view:only_order class:person", {}, {}},
    {"view:only_order class:car confidence>0.5 view:only_order", {1}, {0}},
    {"-view:only_order", {}, {}},
};
const std::vector<Case> kSortAndLimit = {
    {"sort:field:scene", {10, 4, 5, 0, 1, 2, 3, 7, 8}, {4, 3, 1, 0, 2}},   // numbers, texts, those without
    {"-sort:field:scene", {0, 1, 2, 3, 4, 5, 10, 7, 8}, {0, 1, 3, 4, 2}},  // those without last again
    {"sort:field:\"taken at\" limit:2", {0, 1}, {0, 1}},
    {"-sort:field:iso limit:1", {10}, {4}},
    {"sort:brightness limit:2", {0, 1}, {0, 1}},
    {"-sort:brightness limit:1", {4}, {1}},
    {"-sort:attribute:occluded set:auto", {3, 2, 5, 1, 4, 8}, {0, 1, 2}},
    {"-sort:decided limit:2", {4, 1}, {1, 0}},
    {"sort:decided", {8, 1, 4, 0, 2, 3, 5, 7, 10}, {2, 0, 1, 3, 4}},
    {"sort:split", {0, 1, 2, 3, 10, 4, 5, 7, 8}, {0, 3, 1, 2, 4}},
    {"-sort:modified", {10, 4, 5, 0, 1, 2, 3, 7, 8}, {3, 1, 0, 4, 2}},
    {"limit:2", {0, 1}, {0, 1}},
    {"limit:0", {}, {}},
    {"limit:0 sort:confidence", {}, {}},
    {"limit:18446744073709551615", {0, 1, 2, 3, 4, 5, 7, 8, 10}, {0, 1, 2, 3, 4}},
    {"set:auto limit:4", {1, 2, 3, 4}, {0, 1}},  // four labels lie on two samples
    {"limit:4 set:auto", {1, 2, 3, 4}, {0, 1}},
    {"tag:night limit:2", {0, 1}, {0, 1}},
    {"class:person | class:bus limit:3", {2, 3, 7}, {0, 2}},
    {"set:auto sort:confidence", {2, 4, 5, 8, 3, 1}, {0, 1, 2}},
    {"set:auto -sort:confidence", {1, 3, 8, 4, 5, 2}, {0, 2, 1}},
    {"set:auto -sort:confidence limit:3", {1, 3, 8}, {0, 2}},
    {"-sort:confidence", {1, 3, 8, 4, 5, 2, 0, 7, 10}, {0, 2, 1, 3, 4}},  // those without one last, and samples without labels
    {"sort:confidence", {2, 4, 5, 8, 3, 1, 0, 7, 10}, {0, 1, 2, 3, 4}},
    {"sort:confidence limit:2", {2, 4}, {0, 1}},
    {"-sort:area class:car", {5, 0, 1, 10}, {1, 0, 3}},
    {"sort:box_width set:ground_truth", {10, 7, 0}, {3, 2, 0}},
    {"sort:box_height set:ground_truth", {10, 0, 7}, {3, 0, 2}},
    {"-sort:width limit:3", {4, 5, 0}, {1, 0, 2}},
    {"sort:height missing:no", {10, 0, 1, 2, 3, 4, 5}, {4, 3, 0, 1}},
    {"sort:name limit:2", {7, 8}, {2, 3}},
    {"-sort:path", {4, 5, 0, 1, 2, 3, 10, 7, 8}, {4, 1, 0, 3, 2}},
    {"-sort:id set:auto", {8, 5, 4, 3, 2, 1}, {2, 1, 0}},
    {"-sort:id limit:1", {10}, {4}},
};
INSTANTIATE_TEST_SUITE_P(Everything, ViewRows, ::testing::ValuesIn(kEverything));
INSTANTIATE_TEST_SUITE_P(LabelTerms, ViewRows, ::testing::ValuesIn(kLabelTerms));
INSTANTIATE_TEST_SUITE_P(SampleTerms, ViewRows, ::testing::ValuesIn(kSampleTerms));
INSTANTIATE_TEST_SUITE_P(Combinations, ViewRows, ::testing::ValuesIn(kCombinations));
INSTANTIATE_TEST_SUITE_P(SavedViews, ViewRows, ::testing::ValuesIn(kSavedViews));
INSTANTIATE_TEST_SUITE_P(SortAndLimit, ViewRows, ::testing::ValuesIn(kSortAndLimit));

TEST(View, TellsWhatItIsAbout) {
  struct About {
    const char* text;
    bool has_label_terms;
  };
  for (const About& about :
       {About{"", false}, About{"tag:night limit:3", false}, About{"count(auto)>1 sort:name", false}, About{"sort:id", false},
        About{"tag:a | -(path:x class:car)", true}, About{"-sort:confidence", true}, About{"id:4", true},
        About{"field:a=1 split:train", false}, About{"attribute:a", true}, About{"view:night", false},
        About{"tag:a -(tag:b | view:\"night people\")", true}, About{"view:through", true}, About{"view:everything", false},
        About{"sort:field:a", false}, About{"sort:attribute:a", true}}) {
    const View view = View::parse(about.text, kSaved);
    EXPECT_EQ(view.has_label_terms(), about.has_label_terms) << about.text;
    EXPECT_EQ(view.has_only_sample_terms(), !about.has_label_terms) << about.text;
    EXPECT_EQ(view.text(), about.text);
  }
  EXPECT_EQ(View().text(), "");
}

TEST(View, FindsTheFirstOfManyInOrder) {
  Columns columns;
  append(columns.samples, {.id = 1});
  std::mt19937 random(11);
  constexpr int count = 30'000;
  std::vector<std::pair<double, std::uint32_t>> places;  // descending confidence, then row
  for (int i = 0; i < count; ++i) {
    const double confidence = static_cast<double>(random() % 5000) / 5000;
    append(columns.labels, {.id = i + 1, .confidence = confidence});
    places.emplace_back(-confidence, static_cast<std::uint32_t>(i));
  }
  std::ranges::sort(places);
  for (const std::size_t limit : {1, 7, 3000, 20'000, 30'000, 40'000}) {
    const Rows rows = select_labels(View::parse(fmt::format("-sort:confidence limit:{}", limit)), columns);
    ASSERT_EQ(rows.size(), std::min<std::size_t>(limit, count));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ASSERT_EQ(rows[i], places[i].second) << "limit " << limit << ", place " << i;
    }
  }
}

TEST(View, AnswersOnEmptyColumns) {
  const Columns columns;
  for (const char* text : {"", "confidence>0.5", "-sort:confidence limit:4", "sort:name", "path:*", "missing:yes | kind:box"}) {
    EXPECT_THAT(select_labels(View::parse(text), columns), IsEmpty()) << text;
    EXPECT_THAT(select_samples(View::parse(text), columns), IsEmpty()) << text;
  }
}

TEST(View, GivesSamplesAllTheirLabelsWhereItSaysNothingAboutLabels) {
  const Columns columns = street_and_park();
  struct Wanted {
    const char* text;
    Rows samples;
    Rows labels;
  };
  for (const Wanted& wanted : {Wanted{"limit:2", {0, 1}, {0, 1, 2, 3, 4, 5}},  // row 6 was replaced
                               Wanted{"-sort:width limit:1", {1}, {4, 5}}, Wanted{"set:auto limit:4", {0, 1}, {1, 2, 3, 4}},
                               Wanted{"count(auto)>0 status:replaced", {1}, {6}}, Wanted{"limit:0", {}, {}},
                               // The light of sample 1 is no car, but sample 1 has one.
                               Wanted{"-(class:car width>=1000)", {0, 2, 3, 4}, {0, 1, 2, 3, 7, 8, 10}}}) {
    const SelectedRows rows = select_rows(View::parse(wanted.text), columns);
    EXPECT_EQ(rows.samples, wanted.samples) << wanted.text;
    EXPECT_EQ(rows.labels, wanted.labels) << wanted.text;
  }
}

struct Mistake {
  std::string text;
  std::string position;
  const char* wanted;
};

void expect_mistake(const Mistake& mistake, const std::function<void()>& action) {
  try {
    action();
    ADD_FAILURE() << "no error for " << mistake.text.substr(0, 200);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use) << mistake.text.substr(0, 200);
    ASSERT_FALSE(error.context().empty());
    EXPECT_EQ(error.context().front().first, "position");
    EXPECT_EQ(error.context().front().second, mistake.position) << mistake.text.substr(0, 200) << ": " << error.message();
    EXPECT_THAT(error.message(), HasSubstr(mistake.wanted)) << mistake.text.substr(0, 200);
    EXPECT_LT(error.message().size(), 1000U);
  }
}

TEST(View, SamplesWithoutSplitsAreSortedByTheirIds) {
  Columns columns;
  append(columns.samples, {.id = 1, .path = "/b", .name = "b"});
  append(columns.samples, {.id = 2, .path = "/a", .name = "a"});
  EXPECT_EQ(select_samples(View::parse("sort:split"), columns), (Rows{0, 1}));
  EXPECT_EQ(select_samples(View::parse("-sort:split"), columns), (Rows{0, 1}));
}

TEST(View, TheSizeOfAnImageThatNobodyHasSeenIsNotKnown) {
  Columns columns;
  append(columns.samples, {.id = 1, .path = "/a", .name = "a", .width = 640, .height = 480});
  append(columns.samples, {.id = 2, .path = "/b", .name = "b", .width = 0, .height = 0, .is_missing = true});
  append(columns.samples, {.id = 3, .path = "/c", .name = "c", .width = 320, .height = 500});
  for (const auto& [text, rows] :
       {std::pair{"width<640", Rows{2}}, std::pair{"height!=480", Rows{2}}, std::pair{"-width<640", Rows{0, 1}},
        std::pair{"sort:width", Rows{2, 0, 1}}, std::pair{"-sort:height", Rows{2, 0, 1}}}) {
    EXPECT_EQ(select_samples(View::parse(text), columns), rows) << text;
  }
}

TEST(ViewMistakes, BrightnessThatWasNeverMeasuredIsAnErrorThatSaysHow) {
  Columns columns;
  const SavedViews saved = {{"dark", "name:a* -brightness>40", ""}};
  const std::vector<Mistake> mistakes = {
      {"brightness<40", "1", "verilabel import --brightness"},
      {"name:a sort:brightness", "13", "verilabel import --brightness"},
      {"name:a view:dark", "13", "in the saved view \"dark\", at 9: how bright the images are is not known yet"},
  };
  for (const Mistake& mistake : mistakes) {
    expect_mistake(mistake, [&] { select_samples(View::parse(mistake.text, saved), columns); });
  }
}

TEST(ViewMistakes, AnEvaluationThatIsNotThereIsNamedWhereItIsAskedFor) {
  const SavedViews saved = {{"old", "outcome:fp eval:befor", ""}};
  const auto ask = [&](const char* text, const std::vector<std::string_view>& existing) {
    throw View::parse(text, saved).unknown_evaluation(existing);
  };
  expect_mistake(
      {"outcome:fp eval:befor", "17", "unknown evaluation \"befor\"; did you mean \"before\"?; the evaluations: before, now"},
      [&] { ask("outcome:fp eval:befor", {"before", "now"}); });
  expect_mistake(
      {"fn>0 view:old", "11", "in the saved view \"old\", at 17: unknown evaluation \"befor\"; the evaluations: none exists yet"},
      [&] { ask("fn>0 view:old", {}); });
}

// Beside other terms an order is not looked at, and what it would need is not needed.
TEST(View, AsksAnEvaluationForASavedOrderOnlyWhereItIsUsed) {
  const SavedViews saved = {{"worst", "class:car -sort:fn", ""}, {"missed", "outcome:fn", ""}};
  for (const char* const text : {"view:worst", "view:worst limit:3", "-sort:fn", "class:car view:missed", "eval:now"}) {
    EXPECT_TRUE(View::parse(text, saved).asks_evaluation()) << text;
  }
  for (const char* const text : {"view:worst set:auto", "view:worst sort:id", "view:worst,worst", "class:car"}) {
    EXPECT_FALSE(View::parse(text, saved).asks_evaluation()) << text;
  }
}

TEST(View, ValuesAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(view_value("auto_2"), "auto_2");
  EXPECT_EQ(view_value("my set"), "\"my set\"");
  for (const char* const name : {"auto", "", "my set", "a\"b\\c", "(x),y|z", "é:ü", "a*b", "\ttab"}) {
    const SavedViews saved = {{name, "class:car", ""}};
    EXPECT_NO_THROW(View::parse("view:" + view_value(name) + " set:auto", saved)) << name;
  }
}

TEST(ViewMistakes, NameThePositionAndWhatWasExpected) {
  const std::vector<Mistake> mistakes = {
      {"colour:red", "1", "unknown term \"colour\"; the terms: set, class,"},
      {"clas:car", "1", "did you mean \"class\"?"},
      {"car", "1", "unknown term \"car\""},
      {"outcome:wrong", "9", "unknown outcome \"wrong\""},
      {"error:none", "7", "unknown error \"none\""},
      {"iou:0.5", "4", "expected one of = !="},
      {"-eval:a", "1", "eval cannot be negated"},
      {"(outcome:fp eval:a)", "13", "expected it outside the parentheses"},
      {"eval:a outcome:fp eval:b", "24", "a second evaluation, \"b\" beside \"a\""},
      {"field", "6", "expected \":\" directly after field"},
      {"field:", "7", "expected a name, found the end"},
      {"field:=3", "7", "expected a name, found \"=\""},
      {"field:a=", "9", "expected a value, found the end"},
      {"field:a<", "9", "expected a number or a date, found the end"},
      {"field:a<night", "9", "expected a number or a date such as 2024-05-01, found \"night\""},
      {"field:a<1,2", "10", "expected a space"},
      {"field:a!3", "8", "expected one of = != < <= > >= directly after field"},
      {"field:a,b", "8", "expected a space"},
      {"decided:2024-05-01", "8", "expected one of = !="},
      {"decided>2024", "9", "expected a date such as 2024-05-01 or 2024-05-01T10:30:00Z, found \"2024\""},
      {"modified<=2024-02-30", "11", "expected a date"},
      {"sort:field", "11", "expected \":\" and a name directly after field, as in sort:field:NAME"},
      {"sort:field:", "12", "expected a name, found the end"},
      {"sort:area:x", "10", "expected a space"},
      {"view:nothing", "6", "unknown saved view \"nothing\"; the saved views: cars, unsure_cars,"},
      {"tag:a view:cars,carz", "17", "did you mean \"cars\"?"},
      {"été:1", "1", "expected a term"},
      {"tag:a -(view:loop)", "14", "in the saved view \"pool\", at 19: a saved view cannot contain itself: loop → pool → loop"},
      {"view:broken", "6", "in the saved view \"broken\", at 11: unknown term \"colour\""},
      {"view:best class:car", "6", "this saved view has a limit"},
      {"class:car view:night,best", "22", "this saved view has a limit"},
      {"view:best limit:1", "6", "this saved view has a limit"},
      {"view:best sort:area", "6", "this saved view has a limit"},
      {"-view:best", "7", "this saved view has a limit"},
      {"class", "6", "expected \":\" directly after class, as in class:NAME,…, found the end"},
      {"class=car", "6", "found \"=\""},
      {"class :car", "6", "found a space"},
      {"class:", "7", "expected a name, found the end"},
      {"class: car", "7", "expected a name, found a space"},
      {"class:car,", "11", "expected a name, found the end"},
      {"class:car, bus", "11", "expected a name, found a space"},
      {"class:,car", "7", "expected a name, found \",\""},
      {"class:\"traffic light", "7", "quote is never closed"},
      {"class:a\\", "8", "expected a character after this backslash"},
      {"class:\"a\\", "9", "expected a character after this backslash"},
      {"class:(car)", "7", "expected a name, found \"(\""},
      {"class:car(1)", "10", "expected a space, | or ) after a term"},
      {"verdict:maybe", "9", "unknown verdict \"maybe\"; expected one of: unreviewed, accepted, rejected, unsure, edited"},
      {"verdict:accepted,acepted", "18", "did you mean \"accepted\"?"},
      {"kind:boxes", "6", "did you mean \"box\"?"},
      {"status:active,Replaced", "15", "did you mean \"replaced\"?"},
      {"missing:maybe", "9", "expected one of: no, yes"},
      {"confidence", "11", "expected one of = != < <= > >= directly after confidence, found the end"},
      {"confidence:0.3", "11", "found \":\""},
      {"confidence >0.3", "11", "found a space"},
      {"confidence>= 0.3", "13", "expected a number, found a space"},
      {"confidence==0.3", "12", "expected a number, found \"=0.3\""},
      {"confidence>0,3", "13", "expected a space"},
      {"confidence>high", "12", "expected a number, found \"high\""},
      {"confidence>0.3x", "12", "expected a number"},
      {"confidence>nan", "12", "expected a number, found \"nan\""},
      {"area<inf", "6", "expected a number, found \"inf\""},
      {"area<-infinity", "6", "expected a number"},
      {"area<1e999", "6", "\"1e999\" is out of range"},
      {fmt::format("area<{}", std::string(5000, '9')), "6", "out of range"},
      {"run:x", "5", "expected an id (a whole number), found \"x\""},
      {"run:1,-2", "7", "expected an id"},
      {"id:1.5", "4", "expected an id"},
      {"id:99999999999999999999", "4", "too large"},
      {"count", "6", "expected ( directly after count"},
      {"count(", "7", "expected the name of a set, found the end"},
      {"count()", "7", "expected the name of a set, found \")\""},
      {"count(auto", "11", "expected , or ) in count"},
      {"count(auto,)", "12", "expected the name of a class"},
      {"count(auto person)", "12", "expected , or ) in count"},
      {"count(auto)", "12", "expected one of = !="},
      {"count(auto)>many", "13", "expected a number"},
      {"limit:", "7", "expected a whole number, found the end"},
      {"limit:-1", "7", "expected a whole number"},
      {"limit:1.5", "7", "expected a whole number"},
      {"limit:18446744073709551616", "7", "too large"},
      {"-limit:3", "1", "limit cannot be negated"},
      {"limit:3 tag:a limit:4", "15", "a second limit; expected one at most"},
      {"sort:area -sort:name", "11", "a second sort"},
      {"(sort:area)", "2", "expected it outside the parentheses"},
      {"tag:a -(limit:3)", "9", "expected it outside the parentheses"},
      {"sort:colour", "6", "unknown sort column \"colour\"; expected one of: confidence, area,"},
      {"(class:car", "1", "this ( is never closed"},
      {"class:car)", "10", "this ) closes nothing"},
      {"()", "2", "expected a term, found \")\""},
      {"(", "2", "expected a term, found the end"},
      {"-()", "3", "expected a term"},
      {"-", "2", "expected a term or ( directly after -, found the end"},
      {"- class:car", "2", "expected a term or ( directly after -, found a space"},
      {"--class:car", "2", "expected a term or ( directly after -, found \"-\""},
      {"class:car |", "12", "expected a term on each side of |, found the end"},
      {"| class:car", "1", "expected a term on each side of |, found \"|\""},
      {"tag:a || tag:b", "8", "expected a term on each side of |"},
      {"tag:a | limit:3", "16", "expected a term on each side of |"},
      {"(tag:a)(tag:b)", "8", "expected a space"},
      {"\"car\"", "1", "expected a term such as class:car"},
      {":car", "1", "expected a term such as class:car"},
      {"tag:été tag:日本 é", "16", "expected a term such as class:car, or one of - (, found \"é\""},  // characters, not bytes
      {"tag:é)", "6", "closes nothing"},
      {std::string("tag:a\0b c", 9), "9", "unknown term \"c\""},
      {std::string("\0", 1), "1", "found \"\\x00\""},
  };
  for (const Mistake& mistake : mistakes) {
    expect_mistake(mistake, [&] { View::parse(mistake.text, kSaved); });
  }
}

TEST(ViewMistakes, OfBytesThatAreNotUtf8NameTheFirst) {
  for (const Mistake& mistake : {Mistake{"\xff", "1", "UTF-8"}, Mistake{"tag:é\xc3", "6", "UTF-8"},
                                 Mistake{"tag:日\xe6\x97 x", "6", "UTF-8"}, Mistake{"name:\xed\xa0\x80", "6", "UTF-8"}}) {
    expect_mistake(mistake, [&] { View::parse(mistake.text); });
  }
}

TEST(ViewMistakes, OfNamesAreFoundWhereTheNamesAreKnown) {
  const Columns columns = street_and_park();
  const std::vector<Mistake> mistakes = {
      {"set:Auto", "5", "unknown set \"Auto\"; did you mean \"auto\"?; the sets: ground_truth, auto, human"},
      {"set:auto class:car,truck", "20", "unknown class \"truck\"; the classes: car, traffic light, person, bus"},
      {"class:\"trafic light\"", "7", "did you mean \"traffic light\"?"},
      {"class:\"\"", "7", "unknown class \"\""},
      {"tag:été tag:night", "5", "unknown tag \"été\"; the tags: night, needs work"},
      {"class:car -(tag:night | tag:nigth)", "29", "did you mean \"night\"?"},
      {"label_tag:x", "11", "unknown label tag \"x\"; the label tags: ask"},
      {"count(automatic)>1", "7", "unknown set \"automatic\""},
      {"count(auto,persons)>1", "12", "did you mean \"person\"?"},
      {"labelled:truth", "10", "unknown set \"truth\""},
      {"tag:night split:tran", "17", "unknown split \"tran\"; did you mean \"train\"?; the splits: train, val"},
      {"field:scenes=night", "7",
       "unknown field \"scenes\"; did you mean \"scene\"?; the fields: brightness, iso, scene, taken at"},
      {"attribute:scene", "11", "unknown attribute \"scene\"; the attributes: a=b, occluded"},
      {"class:car sort:field:place", "22", "unknown field \"place\""},
      {"class:car view:gone", "16", "in the saved view \"gone\", at 5: unknown tag \"été\""},
      {fmt::format("tag:{}", std::string(200'000, 'x')), "5", "unknown tag \"xxx"},
  };
  for (const Mistake& mistake : mistakes) {
    const View view = View::parse(mistake.text, {{"gone", "tag:été", ""}});
    expect_mistake(mistake, [&] { select_labels(view, columns); });
    expect_mistake(mistake, [&] { select_samples(view, columns); });
  }
  expect_mistake({"tag:a", "5", "unknown tag \"a\"; the tags: none exists yet"},
                 [] { select_labels(View::parse("tag:a"), Columns()); });
}

TEST(ViewMistakes, ListOnlySomeOfManyNames) {
  Columns columns;
  for (int i = 0; i < 1203; ++i) {
    columns.classes.push_back({i + 1, fmt::format("class_{}", i)});
  }
  expect_mistake({"class:other", "7", "class_19 and 1183 more"}, [&] { select_labels(View::parse("class:other"), columns); });
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

TEST(ViewSize, DeepNestingIsAnErrorAtTheParenthesisThatIsTooMuch) {
  const auto nested = [](int depth) {
    return fmt::format("{}class:car | tag:night{}", repeated("-(", depth), repeated(")", depth));
  };
  const Columns columns = street_and_park();
  EXPECT_EQ(select_labels(View::parse(nested(100)), columns), select_labels(View::parse("class:car | tag:night"), columns));
  EXPECT_EQ(select_samples(View::parse(nested(100)), columns), select_samples(View::parse("class:car | tag:night"), columns));
  expect_mistake({nested(101), "202", "more than 100 parentheses inside each other"}, [&] { View::parse(nested(101)); });
  expect_mistake({nested(50'000), "202", "more than 100 parentheses"}, [&] { View::parse(nested(50'000)); });
  expect_mistake({repeated("(", 200'000), "101", "more than 100 parentheses"}, [&] { View::parse(repeated("(", 200'000)); });
}

TEST(ViewSize, SavedViewsAreBoundedAsOneTextIs) {
  SavedViews chain;
  SavedViews doubling;
  for (int i = 0; i < 200; ++i) {
    chain.push_back({fmt::format("v{}", i), i == 0 ? "tag:night" : fmt::format("view:v{}", i - 1), ""});
    doubling.push_back({fmt::format("v{}", i), i == 0 ? "tag:night" : fmt::format("view:v{0} view:v{0}", i - 1), ""});
  }
  const Columns columns = street_and_park();
  EXPECT_EQ(select_samples(View::parse("view:v99", chain), columns), select_samples(View::parse("tag:night"), columns));
  expect_mistake({"view:v100", "6", "more than 100 saved views and parentheses"}, [&] { View::parse("view:v100", chain); });
  expect_mistake({"view:v90", "6", "more than 10000 terms"}, [&] { View::parse("view:v90", doubling); });
  std::string many = "view:all";
  for (int i = 0; i < 150; ++i) {
    many += ",all";
  }
  const SavedViews listing = {{"all", "", ""}, {"list", many, ""}, {"lists", "view:" + repeated("list,", 100) + "list", ""}};
  expect_mistake({"view:lists", "6", "more than 10000 terms"}, [&] { View::parse("view:lists", listing); });
}

TEST(ViewSize, LongTextsAreAnswered) {
  const Columns columns = street_and_park();
  std::string ids = "id:100";
  for (int i = 0; i < 40'000; ++i) {
    ids += fmt::format(",{}", 200 + i);
  }
  EXPECT_GT(ids.size(), 200'000U);
  EXPECT_THAT(select_labels(View::parse(ids), columns), ElementsAre(0));
  std::string terms = "class:bus";
  for (int i = 1; i < 10'000; ++i) {
    terms += fmt::format(" | id:{}", 100 + i);
  }
  EXPECT_THAT(select_samples(View::parse(terms), columns), ElementsAre(0, 1, 2, 3));
  expect_mistake({terms + " | id:1", std::to_string(terms.size() + 4), "more than 10000 terms"},
                 [&] { View::parse(terms + " | id:1"); });
  const SavedViews saved = {{"all", "", ""}};
  std::string names = "view:all";
  for (int i = 1; i < 10'000; ++i) {
    names += i % 2 == 0 ? " view:all" : ",all";
  }
  EXPECT_EQ(select_samples(View::parse(names, saved), columns).size(), 5U);
  expect_mistake({names + ",all", std::to_string(names.size() + 2), "more than 10000 terms"},
                 [&] { View::parse(names + ",all", saved); });
  EXPECT_THAT(select_samples(View::parse(fmt::format("name:{}", repeated("*a", 50'000))), columns), IsEmpty());
  EXPECT_EQ(select_samples(View::parse(fmt::format("name:{}", repeated("*", 200'000))), columns).size(), 5U);
  EXPECT_EQ(select_labels(View::parse(repeated(" ", 200'000)), columns).size(), 9U);
}

// Whatever the text, the answer is a view or an error that names a position inside the text.
TEST(ViewSize, RandomTextsAreAnsweredToo) {
  const std::vector<std::string> pieces = {"class", ":",     "car",  ",",          "\"",    "\\",   "(",      ")",
                                           "|",     "-",     " ",    "confidence", ">=",    "<",    "0.3",    "é",
                                           "\xff",  "count", "auto", "limit",      "sort:", "name", "path:*", "tag:night"};
  std::mt19937 random(7);
  const Columns columns = street_and_park();
  int parsed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 12; n > 0; --n) {
      text += pieces[random() % pieces.size()];
    }
    try {
      const View view = View::parse(text);
      ++parsed;
      select_labels(view, columns);
      select_samples(view, columns);
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::wrong_use);
      const int position = std::stoi(error.context().front().second);
      ASSERT_GE(position, 1);
      ASSERT_LE(position, static_cast<int>(text.size()) + 1) << text;
    }
  }
  EXPECT_GT(parsed, 100);
}

TEST(ViewTerms, HaveExamplesThatParse) {
  for (const ViewTerm& term : view_terms()) {
    const View view = View::parse(term.example, kSaved);
    EXPECT_THAT(std::string(term.example), HasSubstr(std::string(term.name)));
    EXPECT_THAT(std::string(term.usage), HasSubstr(std::string(term.name)));
    if (term.subject == TermSubject::label || term.subject == TermSubject::sample) {
      EXPECT_EQ(view.has_label_terms(), term.subject == TermSubject::label) << term.name;
    }
  }
}

std::string page() {
  std::ifstream file(std::string(VERILABEL_SOURCE_DIR) + "/docs/views.md");
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

TEST(ViewsPage, EveryExampleParses) {
  std::istringstream lines(page());
  bool is_example = false;
  int examples = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      is_example = line == "```view";
    } else if (is_example) {
      EXPECT_NO_THROW(View::parse(line, kSaved)) << line;
      ++examples;
    }
  }
  EXPECT_GE(examples, 10);
}

TEST(ViewsPage, ListsEveryTermAsTheTableDoes) {
  const std::string text = page();
  for (const ViewTerm& term : view_terms()) {
    std::string usage;
    for (const char c : term.usage) {
      usage += c == '|' ? "\\" : "";  // as Markdown wants it inside a table
      usage += c;
    }
    const std::string row = fmt::format("| `{}` | {} |", usage, term.meaning);
    EXPECT_NE(text.find(row), std::string::npos) << "docs/views.md lacks the line " << row;
  }
}

}  // namespace
}  // namespace verilabel
