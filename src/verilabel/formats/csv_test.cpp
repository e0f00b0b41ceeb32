#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include <sys/resource.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/source_fields.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_view_literals;

RecordingSink read(std::string_view text, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  const TemporaryFolder folder;
  ReadCounts read_counts;
  RecordingSink sink = recorded(read_csv, folder.write("a.csv", text), &read_counts, options);
  if (counts != nullptr) {
    *counts = read_counts;
  }
  EXPECT_EQ(read_counts.labels, static_cast<std::int64_t>(sink.labels.size()));
  EXPECT_EQ(read_counts.labels_rejected + read_counts.others_rejected, static_cast<std::int64_t>(sink.rejections.size()));
  return sink;
}

TEST(CsvReader, RecognisesColumnsByNameInEachForm) {
  const std::pair<std::string_view, Box> cases[] = {
      {"image,label,xmin,ymin,xmax,ymax\na.jpg,cat,1,2,4,8\n", {1, 2, 3, 6}},
      {"FileName;Class;X1;Y1;X2;Y2\r\na.jpg;cat;1;2;4;8\r\n", {1, 2, 3, 6}},
      {"path,category,x,y,w,h\na.jpg,cat,1,2,3,6\n", {1, 2, 3, 6}},
      {"file_name,name,x,y,width,height\na.jpg,cat,1,2,3,6\n", {1, 2, 3, 6}},
      {"image_path\tname\tbbox_x\tbbox_y\tbbox_width\tbbox_height\na.jpg\tcat\t1\t2\t3\t6\n", {1, 2, 3, 6}},
      {"filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,640,480,cat,1,2,4,8\n", {1, 2, 3, 6}},
      {"image,label,x,y,w,h,width,height\na.jpg,cat, 1,2 ,+3,6.0,640,480\n", {1, 2, 3, 6}},
  };
  for (const auto& [text, box] : cases) {
    const RecordingSink sink = read(text);
    ASSERT_EQ(sink.labels.size(), 1U) << text;
    EXPECT_EQ(sink.labels[0].label.kind, LabelKind::box) << text;
    EXPECT_EQ(sink.labels[0].label.box_xywh_px, box) << text;
    EXPECT_EQ(sink.images.at(0).name, "a.jpg") << text;
    EXPECT_EQ(sink.images.at(0).width.value_or(640), 640) << text;
    EXPECT_EQ(sink.classes.at(0).name, "cat") << text;
    EXPECT_EQ(sink.rejections.size(), 0U) << text;
  }
  EXPECT_EQ(read(cases[5].first).images.at(0).height, 480);
  EXPECT_EQ(read(cases[6].first).images.at(0).width, 640);
  EXPECT_EQ(read(cases[3].first).images.at(0).width, std::nullopt);
}

TEST(CsvReader, ReadsAllThatALabelAndAnImageHave) {
  const RecordingSink sink = read(
      "image,label,x,y,w,h,confidence,crowd,area,segmentation,split,tags,label_tags,attribute.occluded,attribute.note,attribute.n,"
      "field.scene,field.iso,Reviewer,image_width,image_height\n"
      "/photos/a.jpg,cat,1,2,3,6,0.25,true,17.5,,val,night; rain,odd,true,on the left,007,street,100,Ann,8,4\n"
      "/photos/a.jpg,dog,,,,,,,,0 0 4 0 4 2;5 1 6 1 6 2,val,night; rain,,,\"{\"\"a\"\":[1]}\",12,street,100,,8,4\n"
      "b,dog,0,0,8,4,,,,\"[0,4,28]\",,,,,,,,,,8,4\n"
      "c.png,,,,,,,,,,,,,,,,,,old,,\n"
      "d.png,sky,,,,,,,,,,,,,,,,,,,\n");
  ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
  ASSERT_EQ(sink.labels.size(), 4U);
  const Label& cat = sink.labels[0].label;
  EXPECT_EQ(cat.confidence, 0.25);
  EXPECT_TRUE(cat.is_crowd);
  EXPECT_EQ(cat.area_px, 17.5);
  EXPECT_EQ(cat.attributes_json, R"({"occluded":true,"note":"on the left","n":"007"})");
  EXPECT_EQ(cat.source_json, R"({"Reviewer":"Ann"})");
  EXPECT_THAT(sink.labels[0].tags, ElementsAre("odd"));
  const Label& dog = sink.labels[1].label;
  EXPECT_EQ(dog.kind, LabelKind::mask);
  EXPECT_THAT(std::get<0>(dog.mask->shape), ElementsAre(Polygon{0, 0, 4, 0, 4, 2}, Polygon{5, 1, 6, 1, 6, 2}));
  EXPECT_EQ(dog.box_xywh_px, (Box{0, 0, 6, 2}));
  EXPECT_EQ(dog.attributes_json, R"({"note":{"a":[1]},"n":12})");
  const Label& runs = sink.labels[2].label;
  EXPECT_EQ(std::get<Rle>(runs.mask->shape), rle_from_counts({0, 4, 28}, 4, 8));
  EXPECT_FALSE(runs.mask->is_compressed);
  EXPECT_EQ(runs.box_xywh_px, (Box{0, 0, 8, 4}));
  EXPECT_EQ(sink.labels[3].label.kind, LabelKind::classification);

  ASSERT_EQ(sink.images.size(), 4U);
  EXPECT_EQ(sink.images[0].path, "/photos/a.jpg");
  EXPECT_EQ(sink.images[0].split, "val");
  EXPECT_THAT(sink.images[0].tags, ElementsAre("night", "rain"));
  EXPECT_EQ(sink.images[0].fields_json, R"({"scene":"street","iso":100})");
  EXPECT_EQ(sink.images[0].width, 8);
  EXPECT_EQ(sink.images[1].form, NameForm::whole_or_stem);
  EXPECT_EQ(sink.images[2].form, NameForm::whole);
  EXPECT_TRUE(sink.images[2].is_labelled);  // an image and nothing else: labelled, empty
  EXPECT_EQ(sink.images[2].source_json, R"({"Reviewer":"old"})");
}

TEST(CsvReader, PassesOverWhatSpreadsheetsLeaveBehind) {
  const RecordingSink sink = read(",image,label,,\n0,a.jpg,cat,,\n,,,,\n1,a.jpg,dog,,x\n2,b.jpg,dog,,\n,,,,\n");
  ASSERT_EQ(sink.labels.size(), 2U);
  EXPECT_EQ(sink.labels[1].label.source_json, R"({"":"2"})");
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].line, 4U);
  EXPECT_EQ(sink.rejections[0].field, "column 5");
}

TEST(CsvReader, TakesATableWithoutBoxesForClassifications) {
  const RecordingSink sink = read("image,label,score\na.jpg,cat,0.5\na.jpg,dog,\nb.jpg,cat,1\n");
  ASSERT_EQ(sink.labels.size(), 3U);
  EXPECT_EQ(sink.labels[0].label.kind, LabelKind::classification);
  EXPECT_EQ(sink.labels[0].label.confidence, 0.5);
  EXPECT_EQ(sink.labels[1].image, 0);
  EXPECT_EQ(sink.labels[1].class_index, 1);
  EXPECT_EQ(sink.labels[2].image, 1);
}

TEST(CsvReader, RefusesAHeaderThatCanBeReadInTwoWays) {
  const std::pair<std::string_view, std::vector<const char*>> cases[] = {
      {"image,label,x1,y1,x2,w,h\n"sv, {"`x2`", "`h`"}},
      {"image,label,x,y,xmax,ymax\n"sv, {"`ymax`", "`y`"}},
      {"image,filename,label\n"sv, {"`image`", "`filename`"}},
      {"image,class,Category\n"sv, {"`class`", "`Category`"}},
      {"image,label,xmin,ymin,width,height\n"sv, {"`xmin`, `ymin`", "xmax"}},
      {"image,label,x,y,w,height\n"sv, {"`w`"}},
      {"image,label,width,image_width\n"sv, {"`image_width`", "`width`"}},
      {"image,x,y,w,h\n"sv, {"class", "`w`"}},
      {"label,x,y,w,h\n"sv, {"image"}},
      {"image,label,xmin_norm,ymin_norm\n"sv, {"`xmin_norm`", "pixels"}},
      {"image,label,left,top,right,bottom\n"sv, {"`left`"}},
      {"image,label,bbox\n"sv, {"`bbox`"}},
      {"image,label,note,note\n"sv, {"`note`"}},
      {"image,label,attribute.a,ATTRIBUTE.a\n"sv, {"`ATTRIBUTE.a`"}},
      {"image,label,field.\n"sv, {"column 3", "`field.`", "name"}},
  };
  for (const auto& [text, words] : cases) {
    try {
      read(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
      for (const char* const word : words) {
        EXPECT_THAT(error.message(), HasSubstr(word)) << text;
      }
      EXPECT_THAT(error.context().at(0).second, testing::EndsWith("a.csv"));
    }
  }
}

TEST(CsvReader, RejectsRowsOneByOne) {
  const std::tuple<std::string_view, RejectionReason, const char*> cases[] = {
      {"a.jpg,cat,1,2,3", RejectionReason::malformed, ""},
      {"a.jpg,cat,1,2,3,six,,", RejectionReason::malformed, "column 6 (ymax)"},
      {"a.jpg,cat,1,2,3,,,", RejectionReason::missing_field, "column 6 (ymax)"},
      {"a.jpg,cat,5,2,3,4,,", RejectionReason::out_of_range, "column 5 (xmax)"},
      {"a.jpg,cat,1,5,3,4,,", RejectionReason::out_of_range, "column 6 (ymax)"},
      {"a.jpg,cat,nan,2,3,4,,", RejectionReason::not_finite, "column 3 (xmin)"},
      {"a.jpg,cat,1,-inf,3,4,,", RejectionReason::not_finite, "column 4 (ymin)"},
      {"a.jpg,cat,1,2,1e999,4,,", RejectionReason::out_of_range, "column 5 (xmax)"},
      {"a.jpg,cat,-1e308,2,1e308,4,,", RejectionReason::out_of_range, "column 5 (xmax)"},
      {"a.jpg,cat,\"1,5\",2,3,4,,", RejectionReason::malformed, "column 3 (xmin)"},
      {"a.jpg,,1,2,3,4,,", RejectionReason::missing_field, "column 2 (label)"},
      {",cat,1,2,3,4,,", RejectionReason::missing_field, "column 1 (image)"},
      {"a.jpg,cat,1,2,3,4,high,", RejectionReason::malformed, "column 7 (confidence)"},
      {"a.jpg,cat,1,2,3,4,,1 2 3 4", RejectionReason::malformed, "column 8 (segmentation)"},
      {"a.jpg,cat,1,2,3,4,,1 2 3 4 5 6;", RejectionReason::malformed, "column 8 (segmentation)"},
      {"a.jpg,cat,1,2,3,4,,1 2 3 4 5 x", RejectionReason::malformed, "column 8 (segmentation)"},
      {"a.jpg,cat,1,2,3,4,,~~", RejectionReason::malformed, "column 8 (segmentation)"},
      {"a.jpg,cat,1,2,3,4,,\"[1,2]\"", RejectionReason::malformed, "column 8 (segmentation)"},
      {"a.jpg,c\xE9t,1,2,3,4,,", RejectionReason::malformed, "column 2 (label)"},
  };
  for (const auto& [row, reason, field] : cases) {
    const RecordingSink sink = read("image,label,xmin,ymin,xmax,ymax,confidence,segmentation\na.jpg,cat,1,2,3,4,,\n" +
                                    std::string(row) + "\na.jpg,cat,-100,-1,1e9,4,-5,\n");
    EXPECT_EQ(sink.labels.size(), 2U) << row;
    ASSERT_EQ(sink.rejections.size(), 1U) << row;
    EXPECT_EQ(name_of(sink.rejections[0].reason), name_of(reason)) << row;
    EXPECT_EQ(sink.rejections[0].field, field) << row;
    EXPECT_EQ(sink.rejections[0].line, 3U) << row;
    EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("a.csv"));
    EXPECT_FALSE(sink.rejections[0].message.empty());
  }
  // Boxes outside the image are taken as they are.
  EXPECT_EQ(read("image,label,x,y,w,h\na.jpg,cat,-100,-1,1e9,0\n").labels.at(0).label.box_xywh_px, (Box{-100, -1, 1e9, 0}));
  EXPECT_EQ(read("image,label,x,y,w,h\na.jpg,cat,1,1,-1,0\n").rejections.at(0).field, "column 5 (w)");
  EXPECT_EQ(read("image,label,crowd,area\na.jpg,cat,maybe,\na.jpg,cat,,-1\n").rejections.size(), 2U);
}

TEST(CsvReader, RejectsValuesThatNoDoubleHoldsAndKeysThatStandTwice) {
  const std::string many = "1" + std::string(400, '0');
  for (const std::string& value : {std::string("1e999"), "-" + many, std::string("\"{\"\"a\"\":1e999}\""), std::string("[1e999]"),
                                   "\"[1,{\"\"b\"\":[" + many + "]}]\""}) {
    const RecordingSink sink = read("image,label,attribute.v,field.f\na.jpg,cat,1,\nb.jpg,cat," + value + ",\n");
    EXPECT_EQ(sink.labels.size(), 1U) << value;
    ASSERT_EQ(sink.rejections.size(), 1U) << value;
    EXPECT_EQ(sink.rejections[0].kind, RejectedKind::label);
    EXPECT_EQ(sink.rejections[0].reason, RejectionReason::out_of_range);
    EXPECT_EQ(sink.rejections[0].field, "column 3 (attribute.v)");
    EXPECT_EQ(sink.rejections[0].line, 3U);
  }
  const RecordingSink twice = read("image,label,attribute.v\na.jpg,cat,\"{\"\"a\"\":1,\"\"a\"\":2}\"\n");
  ASSERT_EQ(twice.rejections.size(), 1U);
  EXPECT_EQ(twice.rejections[0].field, "column 3 (attribute.v).a");
  // A field is not what the label hangs on.
  const RecordingSink sink = read("image,label,field.f,field.g\na.jpg,cat,1e999,2\n");
  EXPECT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.images.at(0).fields_json, R"({"g":2})");
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].kind, RejectedKind::field);
  EXPECT_EQ(sink.rejections[0].field, "column 3 (field.f)");
  // One that is null goes, which the project sees to; nothing is not null.
  EXPECT_EQ(read("image,label,field.f,field.g\na.jpg,cat,null,\n").images.at(0).fields_json, R"({"f":null})");
  // What only looks like JSON is a text, and what is too small is 0.
  for (const auto& [value, json] :
       {std::pair("{hello}", R"({"v":"{hello}"})"), std::pair("[draft] x", R"({"v":"[draft] x"})"),
        std::pair("[1e999 x]", R"({"v":"[1e999 x]"})"), std::pair("{1e999}", R"({"v":"{1e999}"})"),
        std::pair("\"\"\"1e999\"\"\"", R"({"v":"1e999"})"), std::pair("\"[\"\"1e999\"\"]\"", R"({"v":["1e999"]})"),
        std::pair("[1e-999]", R"({"v":[1e-999]})"), std::pair("x1e999", R"({"v":"x1e999"})")}) {
    const RecordingSink taken = read("image,label,attribute.v\na.jpg,cat," + std::string(value) + "\n");
    ASSERT_EQ(taken.labels.size(), 1U) << value;
    EXPECT_EQ(taken.labels[0].label.attributes_json, json);
  }
  // A text that would be taken for such a value stands in quotes.
  for (const char* const quoted : {R"("[1e999]")", R"("1e999")", R"("{\"a\":1e999}")"}) {
    EXPECT_EQ(csv_from_json(quoted, true), quoted);
    EXPECT_EQ(json_from_csv(quoted, true), quoted);
  }
  // As many as a cell may hold, in no more than linear time.
  std::string long_list = "[1e999";
  while (long_list.size() < 1'000'000) {
    long_list += " ,1e999";
  }
  EXPECT_EQ(read("image;label;attribute.v\na.jpg;cat;" + long_list + "]\n").rejections.size(), 1U);
}

TEST(CsvReader, KeepsWhatTheFirstRowOfAnImageSays) {
  ReadCounts counts;
  const RecordingSink sink = read(
      "image,label,split,width,height,labelled\n"
      "a.jpg,cat,train,640,480,\na.jpg,dog,val,640,480,\na.jpg,cat,,,,\n"
      "b.jpg,,train,-5,480,\nc.jpg,cat,train,640,,\nd.jpg,,,,,false\nd.jpg,cat,,,,false\ne.jpg,,,,,perhaps\n",
      &counts);
  EXPECT_EQ(sink.images.size(), 5U);
  EXPECT_EQ(sink.images[0].split, "train");
  EXPECT_EQ(counts.labels, 4);  // the label of the second row is taken: it is what the row says of its image that is not
  EXPECT_EQ(counts.labels_rejected, 1);
  EXPECT_EQ(counts.others_rejected, 4);
  EXPECT_EQ(counts.images_labelled, 4);
  ASSERT_EQ(sink.rejections.size(), 5U);
  EXPECT_EQ(sink.rejections[0].line, 3U);
  EXPECT_EQ(sink.rejections[1].field, "column 4 (width)");
  EXPECT_EQ(sink.rejections[2].field, "column 5 (height)");
  EXPECT_THAT(sink.rejections[3].message, HasSubstr("line 7 says that the image is not labelled"));
  EXPECT_EQ(sink.images[1].width, std::nullopt);
  EXPECT_FALSE(sink.images[3].is_labelled);
}

TEST(CsvReader, ReadsOneSplit) {
  ReadOptions options;
  options.split = "val";
  constexpr std::string_view text = "image,label,split\na.jpg,cat,train\nb.jpg,dog,val\n";
  const RecordingSink sink = read(text, nullptr, options);
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].name, "b.jpg");
  EXPECT_EQ(sink.classes.at(0).name, "dog");
  options.split = "test";
  EXPECT_THROW(read(text, nullptr, options), Error);
  EXPECT_THROW(read("image,label\na.jpg,cat\n", nullptr, options), Error);
}

TEST(CsvReader, RejectsLabelsOfImagesThatCannotBeTold) {
  const TemporaryFolder folder;
  RecordingSink sink;
  sink.size_wh.reset();
  sink.answers = {{"a", Resolution::unknown}, {"b", Resolution::ambiguous}};
  const ReadCounts counts =
      read_csv(folder.write("a.csv", "image,label,segmentation\na,cat,\nb,cat,\nc.jpg,cat,04\nc.jpg,cat,\n"), {}, sink);
  EXPECT_EQ(counts.labels, 1);
  ASSERT_EQ(sink.rejections.size(), 3U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::unknown_image);
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::ambiguous_image);
  EXPECT_EQ(sink.rejections[2].reason, RejectionReason::image_size_unknown);
  EXPECT_EQ(sink.rejections[2].image, "c.jpg");
  EXPECT_EQ(sink.rejections[2].line, 4U);
}

TEST(CsvReader, TakesRunsAsProgramsWriteLists) {
  const RecordingSink sink =
      read("image,label,image_width,image_height,segmentation\na.jpg,cat,3,3,\"[0, 4, 5]\"\nb.jpg,cat,3,3,\"[0,4,5]\"\n");
  ASSERT_EQ(sink.labels.size(), 2U);
  EXPECT_EQ(sink.labels[0].label.mask, sink.labels[1].label.mask);
  EXPECT_EQ(std::get<Rle>(sink.labels[0].label.mask->shape).counts, (std::vector<std::uint32_t>{0, 4, 5}));
}

TEST(CsvReader, HandsRowsOverInBatches) {
  std::string text = "image,label,xmin,ymin,xmax,ymax\n";
  for (int i = 0; i < 10'000; ++i) {
    text += fmt::format("{}.jpg,class {},1,2,3,4\n", i / 4, i % 100);
  }
  const RecordingSink sink = read(text);
  EXPECT_EQ(sink.labels.size(), 10'000U);
  EXPECT_EQ(sink.images.size(), 2'500U);
  EXPECT_LE(sink.largest_batch, 1024U);
  EXPECT_EQ(sink.classes.at(static_cast<std::size_t>(sink.labels.at(9'876).class_index)).name, "class 76");
}

TEST(CsvReader, StopsWhenItIsAskedTo) {
  CancelToken cancel;
  cancel.request();
  ReadOptions options;
  options.cancel = &cancel;
  try {
    read("image,label\na.jpg,cat\n", nullptr, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
}

/// Takes labels and forgets them.
class CountingSink : public ImportSink {
 public:
  std::vector<Resolution> on_classes(std::vector<SourceClass> classes) override {
    return std::vector<Resolution>(classes.size(), Resolution::found);
  }
  std::vector<ResolvedImage> on_images(std::vector<SourceImage> images) override {
    return std::vector<ResolvedImage>(images.size());
  }
  void on_labels(std::vector<ImportedLabel>) override {}
  void on_rejected(Rejection) override {}
  void on_dataset_json(std::string) override {}
};

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(CsvReader, ReadsAMillionClassesAndForgetsTheirLabels) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "classes.csv";
  {
    std::ofstream out(file, std::ios::binary);
    out << "image,label,x,y,w,h\n";
    for (int i = 0; i < 1'000'000; ++i) {
      out << "image.jpg,class " << i << ",1,2,3,4\n";
    }
  }
  CountingSink sink;
  const long before = peak_kib();
  const ReadCounts counts = read_csv(file, {}, sink);
  EXPECT_EQ(counts.classes, 1'000'000);
  EXPECT_EQ(counts.labels, 1'000'000);
  EXPECT_EQ(counts.images, 1);
  EXPECT_LT(peak_kib() - before, 200 * 1024);  // some 100 bytes a class
}

Mask runs(std::vector<std::uint32_t> counts, bool is_compressed) {
  return {rle_from_counts(std::move(counts), 4, 8), is_compressed};
}

MemorySource random_source(std::mt19937& random) {
  MemorySource source;
  for (const char* const name : {"cat", "a \"dog\"", "comma, semicolon;", " ", "1", "línea\nrota"}) {
    source.class_list.push_back({name, ""});
  }
  const auto chance = [&](unsigned one_in) { return random() % one_in == 0; };
  std::uniform_real_distribution<double> number(-1e3, 1e3);
  const char* const attributes[] = {"", R"({"occluded":true})", R"({"text":"true","number":1.50,"bare":"a, b"})",
                                    R"({"nested":{"a":[1,"x\"y"]},"nothing":null,"empty":""})",
                                    R"({"quoted\"key":"\"quoted\"","list":"[1]"})"};
  for (int i = 0; i < 40; ++i) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("folder {}/im\"age;{}.jpg", i % 3, i);
    sample.image.width = 8;
    sample.image.height = 4;
    sample.image.split = chance(2) ? "" : "val";
    sample.image.state = chance(4) ? SampleState::not_labelled : SampleState::labelled_empty;
    if (chance(2)) {
      sample.image.tags = {"night", "two words"};
      sample.image.fields_json = R"({"scene":"a, b","iso":100,"text":"100","flash":false})";
    }
    for (std::size_t count = random() % 4; count > 0; --count) {
      Label label;
      label.kind = static_cast<LabelKind>(random() % 3);
      if (label.kind != LabelKind::classification) {
        label.box_xywh_px = {number(random), number(random), std::abs(number(random)), std::abs(number(random))};
      }
      if (label.kind == LabelKind::mask) {
        const Mask masks[] = {runs({0, 1, 14, 17}, true), runs({32}, false), runs({5, 0, 27}, false),
                              Mask{std::vector<Polygon>{{number(random), 1.0 / 3, 2, 3, 4, 5e-7}, {0, 0, 1, 0, 1, 1, 0, 1}}}};
        label.mask = masks[random() % std::size(masks)];
      }
      label.confidence = chance(2) ? std::optional(number(random)) : std::nullopt;
      label.area_px = chance(3) ? std::optional(std::abs(number(random))) : std::nullopt;
      label.is_crowd = chance(5);
      label.attributes_json = attributes[random() % std::size(attributes)];
      label.source_json = chance(2) ? "" : R"({"Reviewer":"Ann, \"B\"","id":"007"})";
      ExportLabel exported{static_cast<std::int32_t>(random() % source.class_list.size()), label, {}};
      if (chance(3)) {
        exported.tags = {"odd"};
      }
      sample.labels.push_back(std::move(exported));
      sample.image.state = SampleState::labelled;
    }
    source.samples.push_back(std::move(sample));
  }
  return source;
}

TEST(CsvRoundTrip, KeepsEverythingOnRandomData) {
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    const TemporaryFolder folder;
    MemorySource source = random_source(random);
    WriteOptions options;
    options.with_unlabelled = true;
    const std::filesystem::path file = folder.path() / "out.csv";
    const WriteReport report = write_csv(file, source, options);
    EXPECT_EQ(report.images, 40);
    for (const Loss& loss : report.losses) {
      EXPECT_THAT(loss.what, HasSubstr("classes without a label")) << loss.count;
    }
    const std::vector<Loss> losses = losses_of_csv(source, options);
    ASSERT_EQ(losses.size(), report.losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      EXPECT_EQ(losses[i].count, report.losses[i].count);
    }
    RecordingSink sink;
    sink.size_wh = {8, 4};
    read_csv(file, {}, sink);
    ASSERT_EQ(sink.rejections.size(), 0U) << sink.rejections[0].message;
    MemorySource back(sink);
    ASSERT_EQ(back.samples.size(), source.samples.size());
    for (std::size_t i = 0; i < source.samples.size(); ++i) {
      const MemorySource::Sample& want = source.samples[i];
      const MemorySource::Sample& got = back.samples[i];
      EXPECT_EQ(got.image.name, want.image.name);
      EXPECT_EQ(got.image.split, want.image.split);
      EXPECT_EQ(got.image.state, want.image.state);
      EXPECT_EQ(got.image.tags, want.image.tags);
      const auto sorted = [](std::string_view json) {
        std::map<std::string, std::string> fields;
        for (const SourceField& field : source_fields(json)) {
          fields.emplace(field.key, field.json);
        }
        return fields;
      };
      EXPECT_EQ(sorted(got.image.fields_json), sorted(want.image.fields_json));
      ASSERT_EQ(got.labels.size(), want.labels.size()) << want.image.name;
      for (std::size_t k = 0; k < want.labels.size(); ++k) {
        Label a = got.labels[k].label;
        Label b = want.labels[k].label;
        EXPECT_EQ(sorted(a.attributes_json), sorted(b.attributes_json));
        EXPECT_EQ(sorted(a.source_json), sorted(b.source_json));
        a.attributes_json = b.attributes_json;
        a.source_json = b.source_json;
        EXPECT_EQ(a, b) << read_file(file);
        EXPECT_EQ(got.labels[k].tags, want.labels[k].tags);
        EXPECT_EQ(back.class_list.at(static_cast<std::size_t>(got.labels[k].class_index)).name,
                  source.class_list.at(static_cast<std::size_t>(want.labels[k].class_index)).name);
      }
    }
  }
}

TEST(CsvWriter, WritesOneHeaderAndCountsWhatItCannotHold) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}, {"unused", ""}};
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  sample.image.width = 10;
  sample.image.height = 20;
  sample.image.tags = {"good", "bad;tag"};
  sample.image.source_json = R"({"id":17})";
  Label box;
  box.box_xywh_px = {1, 2, 3, 4.5};
  source.samples = {sample, sample, sample};
  source.samples[0].labels = {{0, box, {}}};
  const std::filesystem::path file = folder.path() / "out.csv";
  source.samples[1].image.name = "b.jpg";
  source.samples[1].image.tags.clear();
  source.samples[1].image.source_json.clear();
  source.samples[1].image.state = SampleState::labelled_empty;
  source.samples[2].image.name = "caf\xE9.jpg";
  source.samples[2].image.source_json.clear();
  source.samples[2].image.tags.clear();
  Label foreign;
  foreign.kind = LabelKind::mask;
  foreign.mask = runs({32}, true);
  foreign.source_json = R"({"id":900,"Reviewer":"Ann"})";
  source.samples[2].labels = {{0, foreign, {}}};

  const std::vector<Loss> losses = losses_of_csv(source, {});
  const WriteReport report = write_csv(file, source, {});
  EXPECT_EQ(read_file(file),
            "image,image_width,image_height,split,tags,label,x,y,w,h,confidence,Reviewer\n"
            "a.jpg,10,20,,good,cat,1,2,3,4.5,,\n"
            "b.jpg,10,20,,,,,,,,,\n"
            "caf\\xe9.jpg,10,20,,,cat,0,0,0,0,,Ann\n");
  std::vector<std::string> told;
  for (const Loss& loss : losses) {
    told.push_back(fmt::format("{} {}", loss.count, loss.what.substr(0, 30)));
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre("1 tags that hold a semicolon, or", "1 images lose the id and the fie",
                                                  "1 labels lose the id or a field ", "1 masks whose run lengths have a",
                                                  "1 classes without a label are lo", "1 image names that are not UTF-8"));
  ASSERT_EQ(report.losses.size(), losses.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(report.losses[i].what, losses[i].what);
    EXPECT_EQ(report.losses[i].count, losses[i].count);
  }
}

TEST(CsvWriter, RefusesWhatATableCannotBe) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  WriteOptions options;
  options.images = ImageTransfer::copy;
  EXPECT_THROW(write_csv(folder.path() / "out.csv", source, options), Error);
  EXPECT_THROW(write_csv(folder.path(), source, {}), Error);
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  Label label;
  label.attributes_json = "{";
  for (int i = 0; i <= 1000; ++i) {
    label.attributes_json += fmt::format("{}\"a{}\":1", i == 0 ? "" : ",", i);
  }
  label.attributes_json += "}";
  sample.labels = {{0, label, {}}};
  source.samples = {sample};
  try {
    write_csv(folder.path() / "out.csv", source, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_THAT(error.message(), HasSubstr("1001"));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out.csv"));
  RecordingSink sink;
  EXPECT_THROW(read_csv(folder.path(), {}, sink), Error);
  EXPECT_THROW(read_csv(folder.path() / "nothing.csv", {}, sink), Error);
}

}  // namespace
}  // namespace verilabel
