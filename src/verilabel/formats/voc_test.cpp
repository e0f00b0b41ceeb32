#include "verilabel/formats/voc.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;

RecordingSink read(const fs::path& path, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  return recorded(read_voc, path, counts, options);
}

std::string object(const std::string& inside, const std::string& name = "cat") {
  return "<object><name>" + name + "</name>" + inside + "</object>";
}

std::string box(const std::string& xmin, const std::string& ymin, const std::string& xmax, const std::string& ymax) {
  return fmt::format("<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>", xmin, ymin, xmax, ymax);
}

std::string annotation(const std::string& inside, const std::string& name = "a.jpg") {
  return "<annotation><filename>" + name + "</filename><size><width>640</width><height>480</height><depth>3</depth></size>\n" +
         inside + "</annotation>";
}

RecordingSink read_objects(const std::string& objects) {
  const TemporaryFolder folder;
  return read(folder.write("a.xml", annotation(objects)));
}

TEST(VocReader, ReadsAFileByHand) {
  const TemporaryFolder folder;
  folder.write("a.xml",
               "<?xml version=\"1.0\"?>\n<annotation verified=\"yes\">\n<folder>photos</folder>\n<filename> a.jpg </filename>\n"
               "<path>C:\\photos\\a.jpg</path><source><database>Unknown</database></source>\n"
               "<size><width>640</width><height>480</height><depth>3</depth></size><segmented>0</segmented>\n"
               "<object>\n<name> traffic light </name><pose>Left</pose><truncated>1</truncated><difficult>1</difficult>"
               "<occluded>0</occluded><bndbox><ymax>40.25</ymax><xmin>10</xmin><ymin>-20.5</ymin><xmax>110</xmax></bndbox>"
               "<part><name>head</name></part></object>\n"
               "<object id=\"7\"><name>cat</name><pose>Unspecified</pose><truncated>2</truncated><difficult>0</difficult>"
               "<polygon><x1>1</x1><y1>2</y1><x2>11</x2><y2>2</y2><x3>11</x3><y3>22.5</y3></polygon>"
               "<attributes><attribute><name>night</name><value>True</value></attribute>"
               "<attribute><name>count</name><value>3</value></attribute>"
               "<attribute><name>colour</name><value>dark red</value></attribute>"
               "<attribute><name>plate</name><value type=\"text\">007</value></attribute></attributes></object>\n"
               "</annotation>\n");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  ASSERT_EQ(sink.rejections.size(), 0U);
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].name, "a.jpg");
  EXPECT_EQ(sink.images[0].form, NameForm::whole);
  EXPECT_EQ(sink.images[0].width, 640);
  EXPECT_EQ(sink.images[0].height, 480);
  EXPECT_EQ(sink.images[0].source_json,
            R"({"voc":[{"name":"folder","text":"photos"},{"name":"source","children":[{"name":"database","text":"Unknown"}]},)"
            R"({"name":"size","children":[{"name":"depth","text":"3"}]},{"name":"segmented","text":"0"}],)"
            R"("voc_attributes":{"verified":"yes"}})");
  ASSERT_EQ(sink.labels.size(), 2U);
  EXPECT_EQ(sink.classes[0].name, "traffic light");
  EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{10, -20.5, 100, 60.75}));
  EXPECT_EQ(sink.labels[0].label.attributes_json, R"({"pose":"Left","truncated":true,"difficult":true})");
  EXPECT_EQ(sink.labels[0].label.source_json, R"({"voc":[{"name":"part","children":[{"name":"name","text":"head"}]}]})");
  EXPECT_EQ(sink.classes[1].name, "cat");
  EXPECT_EQ(sink.labels[1].class_index, 1);
  EXPECT_EQ(sink.labels[1].label.kind, LabelKind::mask);
  EXPECT_EQ(sink.labels[1].label.mask, (Mask{std::vector<Polygon>{{1, 2, 11, 2, 11, 22.5}}}));
  EXPECT_EQ(sink.labels[1].label.box_xywh_px, (Box{1, 2, 10, 20.5}));
  EXPECT_EQ(sink.labels[1].label.attributes_json, R"({"night":true,"count":3,"colour":"dark red","plate":"007"})");
  EXPECT_EQ(sink.labels[1].label.source_json, R"({"voc":[{"name":"truncated","text":"2"}],"voc_attributes":{"id":"7"}})");
  EXPECT_EQ(counts.images, 1);
  EXPECT_EQ(counts.images_labelled, 1);
  EXPECT_EQ(counts.labels, 2);
  EXPECT_EQ(counts.classes, 2);
}

TEST(VocReader, RejectsSingleObjects) {
  struct Case {
    std::string object;
    RejectionReason reason;
    std::string field;  ///< behind the object's
    std::string message;
  };
  const std::string good = box("1", "2", "3", "4");
  const Case cases[] = {
      {object(box("5", "2", "3", "4")), RejectionReason::out_of_range, ".bndbox", "swapped"},
      {object(box("1", "2", "3", "1")), RejectionReason::out_of_range, ".bndbox", "swapped"},
      {object(box("504", "337", "504", "337")), RejectionReason::out_of_range, ".bndbox", "no width and no height"},
      {object(box("1", "2", "3", "2.0")), RejectionReason::out_of_range, ".bndbox", "no height"},
      {object(box("nan", "2", "3", "4")), RejectionReason::not_finite, ".bndbox.xmin", "finite"},
      {object(box("1", "2", "inf", "4")), RejectionReason::not_finite, ".bndbox.xmax", "finite"},
      {object(box("1", "2", "1e999", "4")), RejectionReason::out_of_range, ".bndbox.xmax", "represented"},
      {object(box("-1.7e308", "2", "1.7e308", "4")), RejectionReason::out_of_range, ".bndbox", "too large"},
      {object(box("1", "two", "3", "4")), RejectionReason::malformed, ".bndbox.ymin", "`two` is not a number"},
      {object(box("1", "2,5", "3", "4")), RejectionReason::malformed, ".bndbox.ymin", "number"},
      {object(box("1", "", "3", "4")), RejectionReason::malformed, ".bndbox.ymin", "number"},
      {object("<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax></bndbox>"), RejectionReason::missing_field, ".bndbox.ymax",
       "corner"},
      {object("<bndbox><xmin>1</xmin><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax></bndbox>"), RejectionReason::malformed,
       ".bndbox.xmin", "twice"},
      {object(good + good), RejectionReason::malformed, ".bndbox", "twice"},
      {object(""), RejectionReason::missing_field, ".bndbox", "neither"},
      {"<object>" + good + "</object>", RejectionReason::missing_field, ".name", "name"},
      {object(good, " "), RejectionReason::missing_field, ".name", "name"},
      {object(good + "<name>dog</name>"), RejectionReason::malformed, ".name", "twice"},
      {object("<robndbox><cx>1</cx></robndbox>"), RejectionReason::malformed, ".robndbox", "rotated"},
      {object("<polygon><x1>1</x1><y1>1</y1><x2>1</x2><y2>1</y2></polygon>"), RejectionReason::malformed, ".polygon", "three"},
      {object("<polygon><x1>1</x1><y1>1</y1><x2>1</x2><y2>1</y2><x4>1</x4><y3>1</y3></polygon>"), RejectionReason::malformed,
       ".polygon.x4", "x3, y3"},
      {object("<polygon><x1>1</x1><y1>1</y1><x2>1</x2><y2>1</y2><x2>1</x2><y3>1</y3></polygon>"), RejectionReason::malformed,
       ".polygon.x2", "twice"},
      {object("<polygon><x1>1</x1><y1>1</y1><x2>1</x2><y2>1</y2><x3>z</x3><y3>1</y3></polygon>"), RejectionReason::malformed,
       ".polygon.x3", "number"},
      {object("<polygon><pt/><pt/><pt/><pt/><pt/><pt/></polygon>"), RejectionReason::malformed, ".polygon.pt", "x1, y1"},
  };
  for (const Case& each : cases) {
    const RecordingSink sink = read_objects(object(good) + "\n" + each.object + "\n" + object(good));
    EXPECT_EQ(sink.labels.size(), 2U) << each.object;
    ASSERT_EQ(sink.rejections.size(), 1U) << each.object;
    const Rejection& rejection = sink.rejections[0];
    EXPECT_EQ(rejection.kind, RejectedKind::label);
    EXPECT_EQ(name_of(rejection.reason), name_of(each.reason)) << each.object;
    EXPECT_EQ(rejection.field, "object[1]" + each.field);
    EXPECT_EQ(rejection.line, 3U);
    EXPECT_EQ(rejection.image, "a.jpg");
    EXPECT_THAT(rejection.file, testing::EndsWith("/a.xml"));
    EXPECT_THAT(rejection.message, HasSubstr(each.message)) << each.object;
  }
}

TEST(VocReader, TakesBoxesThatReachBeyondTheirImageAsTheyAre) {
  const RecordingSink sink = read_objects(object(box("-10", "-0.5", "700", "1e4")) + object(box("900", "900", "901", "901")));
  ASSERT_EQ(sink.labels.size(), 2U);
  EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{-10, -0.5, 710, 10000.5}));
  EXPECT_EQ(sink.rejections.size(), 0U);
}

TEST(VocReader, CountsAttributesThatCannotBeKept) {
  const std::string attributes =
      "<attributes><attribute><name>a</name><value>1</value></attribute><attribute><name>a</name><value>2</value></attribute>"
      "<attribute><name> </name><value>2</value></attribute><attribute><value>2</value></attribute><other/>"
      "<attribute><name>b</name><value type=\"json\">[1,</value></attribute></attributes><difficult>1</difficult>"
      "<difficult>1</difficult><truncated>0</truncated><truncated>1</truncated><pose>Unspecified</pose><pose>Left</pose>"
      "<attributes><attribute><name>c</name><name>d</name><value>1</value></attribute>"
      "<attribute><name>c</name><value>1</value><value>2</value></attribute>"
      "<attribute><name>e</name><value>1e999</value></attribute><attribute><name>f</name><value>1e-999</value></attribute>"
      "<attribute><name>g</name><value type=\"json\">[1,-1e999]</value></attribute>"
      "<attribute><name>h</name><value type=\"json\">{\"i\":1,\"i\":2}</value></attribute></attributes>";
  const RecordingSink sink = read_objects(object(box("1", "2", "3", "4") + attributes));
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.labels[0].label.attributes_json, R"({"a":1,"difficult":true,"f":1e-999})");
  std::vector<std::string> told;
  for (const Rejection& rejection : sink.rejections) {
    EXPECT_EQ(rejection.kind, RejectedKind::field);
    EXPECT_EQ(rejection.line, 2U);
    told.push_back(fmt::format("{} {}", name_of(rejection.reason), rejection.field));
  }
  EXPECT_THAT(told,
              ElementsAre("duplicate_name object[0].attributes.attribute", "missing_field object[0].attributes.attribute",
                          "missing_field object[0].attributes.attribute", "malformed object[0].attributes",
                          "malformed object[0].attributes.attribute.value", "duplicate_name object[0].difficult",
                          "duplicate_name object[0].truncated", "duplicate_name object[0].pose",
                          "malformed object[0].attributes.attribute.name", "malformed object[0].attributes.attribute.value",
                          "out_of_range object[0].attributes.attribute.value", "out_of_range object[0].attributes.attribute.value",
                          "malformed object[0].attributes.attribute.value.i"));
}

TEST(VocReader, OneBrokenFileIsOneAmongMany) {
  const TemporaryFolder folder;
  const std::string good = annotation(object(box("1", "2", "3", "4")));
  folder.write("Annotations/a.xml", good);
  folder.write("Annotations/cut.xml", good.substr(0, 150));
  folder.write("Annotations/bomb.xml", "<!DOCTYPE a [<!ENTITY x 'y'>]>\n<annotation/>");
  folder.write("Annotations/other.xml", "<annotations/>");
  folder.write("Annotations/same.xml", good);
  folder.write("JPEGImages/cut.jpg", "");
  ReadCounts counts;
  const RecordingSink sink = read(folder.path(), &counts);
  EXPECT_EQ(counts.images, 1);
  EXPECT_EQ(counts.labels, 1);
  EXPECT_EQ(counts.images_rejected, 4);
  EXPECT_EQ(counts.labels_rejected, 1);
  ASSERT_EQ(sink.rejections.size(), 5U);
  EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("bomb.xml"));
  EXPECT_THAT(sink.rejections[0].message, HasSubstr("entity"));
  EXPECT_THAT(sink.rejections[1].file, testing::EndsWith("cut.xml"));
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::unreadable_file);
  EXPECT_EQ(sink.rejections[1].line, 2U);
  EXPECT_THAT(sink.rejections[2].message, HasSubstr("CVAT"));
  EXPECT_EQ(sink.rejections[3].reason, RejectionReason::duplicate_id);
  EXPECT_EQ(sink.rejections[4].kind, RejectedKind::label);
  EXPECT_THROW(read(folder.path() / "Annotations/cut.xml"), Error);
}

TEST(VocReader, RefusesWhatIsNoVocAtAll) {
  const TemporaryFolder folder;
  const auto code_of = [&](const fs::path& path, const ReadOptions& options = {}) {
    try {
      read(path, nullptr, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of(folder.path() / "none"), ErrorCode::not_found);
  EXPECT_EQ(code_of(folder.path()), ErrorCode::bad_data);
  EXPECT_EQ(code_of(folder.write("a.json", "{}")), ErrorCode::wrong_use);
  EXPECT_EQ(code_of(folder.write("b.xml", "<annotations/>")), ErrorCode::bad_data);
  EXPECT_EQ(code_of(folder.write("b.xml", "")), ErrorCode::bad_data);
  folder.write("b.xml", annotation(""));
  ReadOptions options;
  options.split = "train";
  EXPECT_EQ(code_of(folder.path(), options), ErrorCode::wrong_use);
}

TEST(VocReader, ReadsTheDevkitsFolders) {
  const TemporaryFolder folder;
  const fs::path root = "VOCdevkit/VOC2007";
  const std::string objects = object(box("1", "2", "3", "4"));
  folder.write(root / "Annotations/1.xml", annotation(objects, "1.jpg"));
  folder.write(root / "Annotations/2.xml", annotation("", "2.jpg"));
  folder.write(root / "Annotations/sub/3.xml", annotation(objects, "3.jpg"));
  folder.write(root / "Annotations/5.xml", annotation(objects, "5"));
  for (const char* const name : {"1.jpg", "1.png", "2.jpg", "sub/3.jpg", "4.JPG", "5.jpeg"}) {
    folder.write(root / "JPEGImages" / name, "");
  }
  folder.write(root / "ImageSets/Main/train.txt", "1\r\n4\n");
  folder.write(root / "ImageSets/Main/val.txt", "2\n1\nsub/3\n");
  folder.write(root / "ImageSets/Main/trainval.txt", "1\n2\n4\n5\nghost\n");
  folder.write(root / "ImageSets/Main/cat_train.txt", "1  1\n4 -1\n");
  folder.write(root / "ImageSets/Main/late_night.txt", "");
  ReadCounts counts;
  RecordingSink sink;
  sink.answers["ghost"] = Resolution::unknown;
  counts = read_voc(folder.path(), {}, sink);
  std::vector<std::string> told;
  for (const SourceImage& image : sink.images) {
    told.push_back(fmt::format("{} {} {} {}", image.name, image.split, image.is_labelled ? "labelled" : "not labelled",
                               image.path.empty() ? "nowhere" : "there"));
  }
  EXPECT_THAT(told, ElementsAre("1.jpg train labelled there", "2.jpg val labelled there", "5.jpeg trainval labelled there",
                                "sub/3.jpg val labelled there", "1.png train not labelled there", "4.JPG train not labelled there",
                                "ghost trainval not labelled nowhere"));
  EXPECT_EQ(counts.images_labelled, 4);
  ASSERT_EQ(sink.rejections.size(), 2U);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::duplicate_id);
  EXPECT_THAT(sink.rejections[0].file, testing::EndsWith("val.txt"));
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::unknown_image);
  EXPECT_EQ(sink.labels.back().image, 3);

  ReadOptions options;
  options.split = "val";
  EXPECT_EQ(read(folder.path(), nullptr, options).images.size(), 2U);
  options.split = "test";
  try {
    read(folder.path(), nullptr, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("train, trainval, val"));
  }
  EXPECT_EQ(read(folder.path() / root / "Annotations").images.size(), 7U);
  const RecordingSink single = read(folder.path() / root / "Annotations/sub/3.xml");
  EXPECT_EQ(single.images.at(0).split, "val");
  EXPECT_EQ(single.images.at(0).path, (folder.path() / root / "JPEGImages/sub/3.jpg").native());
}

TEST(VocReader, ReadsADatasetOfUnlabelledImages) {
  const TemporaryFolder folder;
  for (const char* const root : {"devkit/VOC2007", "devkit/VOC2012"}) {
    fs::create_directories(folder.path() / root / "Annotations");
  }
  folder.write("devkit/VOC2007/JPEGImages/s/1.jpg", "");
  folder.write("devkit/VOC2007/ImageSets/Main/train.txt", "s/1\n");
  folder.write("devkit/VOC2007/labelmap.txt", "cat:::\n");
  folder.write("devkit/VOC2012/ImageSets/Main/val.txt", "2\n");
  const auto told = [&](const fs::path& path) {
    const RecordingSink sink = read(folder.path() / path);
    EXPECT_EQ(sink.rejections.size(), 0U);
    std::vector<std::string> lines;
    for (const SourceImage& image : sink.images) {
      EXPECT_FALSE(image.is_labelled);
      lines.push_back(fmt::format("{} {}", image.name, image.split));
    }
    return lines;
  };
  EXPECT_THAT(told("devkit"), ElementsAre("s/1.jpg train", "2 val"));
  EXPECT_THAT(told("devkit/VOC2007/Annotations"), ElementsAre("s/1.jpg train"));
  EXPECT_EQ(read(folder.path() / "devkit").classes.at(0).name, "cat");
  // Beside annotated ones.
  folder.write("devkit/VOC2007/Annotations/s/1.xml", annotation("", "1.jpg"));
  const RecordingSink both = read(folder.path() / "devkit");
  ASSERT_EQ(both.images.size(), 2U);
  EXPECT_TRUE(both.images[0].is_labelled);
  EXPECT_EQ(both.images[1].name, "2");
  // Lists alone may be those of anything.
  fs::remove(folder.path() / "devkit/VOC2012/Annotations");
  EXPECT_THROW(told("devkit/VOC2012"), Error);
}

TEST(VocReader, PassesOverWhatProgramsKeepBesideADataset) {
  const TemporaryFolder folder;
  folder.write("in/Annotations/a.xml", annotation(object(box("1", "2", "3", "4"))));
  folder.write("in/Annotations/.b.xml", annotation("", ".b.jpg"));  // images can have such names
  folder.write("in/Annotations/.c/d.xml", annotation("", "d.jpg"));
  folder.write("in/.idea/misc.xml", "<project version=\"4\"/>");
  folder.write("in/Annotations/._a.xml", std::string_view("\0\5\x16\7\0\2", 6));
  for (const char* const path : {"in", "in/Annotations"}) {
    const RecordingSink sink = read(folder.path() / path);
    EXPECT_EQ(sink.rejections.size(), 0U);
    std::vector<std::string> names;
    for (const SourceImage& image : sink.images) {
      names.push_back(image.name);
    }
    EXPECT_THAT(names, ElementsAre(".b.jpg", "a.jpg", ".c/d.jpg")) << path;
  }
}

TEST(VocReader, AnImageMayLieInAFolderCalledAnnotations) {
  const TemporaryFolder folder;
  const std::string text = annotation("", "a.jpg");
  folder.write("in/Annotations/s/Annotations/a.xml", text);
  folder.write("in/ImageSets/Main/train.txt", "s/Annotations/a\n");
  const RecordingSink sink = read(folder.path() / "in");
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].name, "s/Annotations/a.jpg");
  EXPECT_EQ(sink.images[0].split, "train");
  // A dataset may, too.
  folder.write("Annotations/VOC2012/Annotations/b.xml", text);
  EXPECT_EQ(read(folder.path() / "Annotations").images.at(0).name, "a.jpg");
}

TEST(VocWriter, UnlabelledImagesAloneComeBack) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample sample;
  sample.image.name = "d/1.jpg";
  sample.image.path = folder.write("1.jpg", "x");
  sample.image.state = SampleState::not_labelled;
  source.samples = {sample};
  for (const ImageTransfer images : {ImageTransfer::reference, ImageTransfer::copy}) {
    WriteOptions options;
    options.with_unlabelled = true;
    options.images = images;
    const fs::path out = folder.path() / name_of(images);
    EXPECT_EQ(write_voc(out, source, options).images_unlabelled, 1);
    const RecordingSink sink = read(out);
    ASSERT_EQ(sink.images.size(), 1U);
    EXPECT_EQ(sink.images[0].name, images == ImageTransfer::copy ? "d/1.jpg" : "d/1");
    EXPECT_FALSE(sink.images[0].is_labelled);
    EXPECT_EQ(sink.images[0].split, "train");
    EXPECT_EQ(sink.classes.at(0).name, "cat");
  }
}

TEST(VocReader, NamesTheListAndTheLineOfWhatItDoesNotTake) {
  const TemporaryFolder folder;
  folder.write("Annotations/1.xml", annotation("", "1.jpg"));
  folder.write("JPEGImages/1.jpg", "");
  folder.write("JPEGImages/2.jpg", "");
  folder.write("ImageSets/Main/train.txt",
               "\xEF\xBB\xBF"
               "1\r\n\r\nghost\n1\n2 -1\n");
  folder.write("ImageSets/Main/val.txt", "2\n\n1\ntwin\n");
  RecordingSink sink;
  sink.answers["ghost"] = Resolution::unknown;
  sink.answers["twin"] = Resolution::ambiguous;
  sink.answers["2.jpg"] = Resolution::ambiguous;
  const ReadCounts counts = read_voc(folder.path(), {}, sink);
  std::vector<std::string> told;
  for (const Rejection& rejection : sink.rejections) {
    told.push_back(fmt::format("{} {} {} {} {}", name_of(rejection.kind), name_of(rejection.reason),
                               fs::path(rejection.file).lexically_relative(folder.path()).native(), rejection.line.value_or(0),
                               rejection.image));
    EXPECT_FALSE(rejection.message.empty());
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre(
                        "field duplicate_id ImageSets/Main/train.txt 4 ", "field duplicate_id ImageSets/Main/val.txt 3 ",
                        "field malformed ImageSets/Main/train.txt 5 2", "image unknown_image ImageSets/Main/train.txt 3 ghost",
                        "image ambiguous_image ImageSets/Main/val.txt 4 twin", "image ambiguous_image JPEGImages/2.jpg 0 2.jpg"));
  EXPECT_EQ(counts.others_rejected, 3);
  EXPECT_EQ(counts.images_rejected, 3);
  EXPECT_EQ(sink.images.at(0).split, "train");
}

TEST(VocReader, NamesWhatStandsTwiceAboutAnImage) {
  const TemporaryFolder folder;
  folder.write(
      "a.xml",
      "<annotation><filename>a.jpg</filename>\n<filename>b.jpg</filename>\n<path>/x</path>\n<path>/y</path>\n"
      "<size><width>640</width>\n<width>10</width><height>480</height></size>\n<size><width>7</width></size></annotation>");
  const RecordingSink sink = read(folder.path());
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].name, "a.jpg");
  EXPECT_EQ(sink.images[0].width, 640);
  EXPECT_EQ(sink.images[0].source_json, "");
  std::vector<std::string> told;
  for (const Rejection& rejection : sink.rejections) {
    told.push_back(fmt::format("{} {} {}", name_of(rejection.reason), rejection.field, rejection.line.value_or(0)));
  }
  EXPECT_THAT(told, ElementsAre("malformed filename 2", "malformed path 4", "malformed size.width 6", "malformed size 7"));
}

TEST(VocReader, FindsNoImageOutsideItsFolder) {
  const TemporaryFolder folder;
  folder.write("secret.jpg", "");
  folder.write("set/JPEGImages/x.jpg", "");
  folder.write("set/Annotations/a.xml", annotation("", "../../secret.jpg"));
  EXPECT_EQ(read(folder.path() / "set").images.at(0).path, "");
}

TEST(VocReader, AnImageBesideItsFileMayBeCalledAlikeOnly) {
  const TemporaryFolder folder;
  folder.write("x/b.JPG", "");
  folder.write("x/b.xml", annotation("", "stale name.png"));
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.images.at(0).name, "x/b.JPG");
  EXPECT_EQ(sink.images.at(0).path, (folder.path() / "x/b.JPG").native());
}

TEST(VocReader, RejectsLabelsOfImagesThatAreNotOne) {
  const TemporaryFolder folder;
  folder.write("a.xml", annotation(object(box("1", "2", "3", "4")) + object(box("5", "2", "3", "4"))));
  for (const auto& [resolution, reason] : {std::pair(Resolution::ambiguous, RejectionReason::ambiguous_image),
                                           std::pair(Resolution::unknown, RejectionReason::unknown_image)}) {
    RecordingSink sink;
    sink.answers["a.jpg"] = resolution;
    const ReadCounts counts = read_voc(folder.path(), {}, sink);
    EXPECT_EQ(counts.labels, 0);
    EXPECT_EQ(counts.labels_rejected, 2);
    EXPECT_EQ(sink.rejections.at(0).reason, reason);
    EXPECT_EQ(sink.rejections.at(1).reason, RejectionReason::out_of_range);
  }
}

TEST(VocReader, TakesSizesThatAreMissingOrWrong) {
  const TemporaryFolder folder;
  folder.write("a.xml", "<annotation><filename>a.jpg</filename>" + object(box("1", "2", "3", "4")) + "</annotation>");
  folder.write("b.xml", "<annotation><filename>b.jpg</filename><size><width>0</width><height>-5</height></size></annotation>");
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.images.at(0).width, std::nullopt);
  EXPECT_EQ(sink.images.at(1).height, std::nullopt);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].field, "size.height");
}

TEST(VocReader, TakesAHundredThousandClasses) {
  std::string objects;
  constexpr int kClasses = 100'000;
  for (int i = 0; i < kClasses; ++i) {
    objects += object(box("1", "2", "3", "4"), fmt::format("class {}", i));
  }
  const TemporaryFolder folder;
  ReadCounts counts;
  const RecordingSink sink = read(folder.write("a.xml", annotation(objects)), &counts);
  EXPECT_EQ(counts.classes, kClasses);
  EXPECT_EQ(counts.labels, kClasses);
  EXPECT_EQ(sink.labels.back().class_index, kClasses - 1);
}

TEST(VocReader, StopsWhenAsked) {
  const TemporaryFolder folder;
  folder.write("a.xml", annotation(""));
  CancelToken cancel;
  cancel.request();
  ReadOptions options;
  options.cancel = &cancel;
  try {
    read(folder.path(), nullptr, options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::interrupted);
  }
}

// BloodImage_00338.xml and BloodImage_00343.xml each hold one RBC whose four corners are one point, (504, 337) and (181, 329).
TEST(VocReader, ReadsTheSharedBloodCellsLessTheirTwoPoints) {
  const char* const data = std::getenv("VERILABEL_TEST_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set";
  }
  ReadCounts counts;
  const RecordingSink sink = read(fs::path(data) / "bccd", &counts);
  EXPECT_EQ(counts.images, 364);
  EXPECT_EQ(counts.images_labelled, 364);
  std::map<std::string, int> labels;
  for (const ImportedLabel& label : sink.labels) {
    ++labels[sink.classes.at(static_cast<std::size_t>(label.class_index)).name];
  }
  EXPECT_THAT(labels, ElementsAre(testing::Pair("Platelets", 361), testing::Pair("RBC", 4153), testing::Pair("WBC", 372)));
  ASSERT_EQ(sink.rejections.size(), 2U);
  for (const auto& [rejection, file, corner] : {std::tuple(sink.rejections[0], "BloodImage_00338.xml", "(504, 337)"),
                                                std::tuple(sink.rejections[1], "BloodImage_00343.xml", "(181, 329)")}) {
    EXPECT_EQ(rejection.reason, RejectionReason::out_of_range);
    EXPECT_THAT(rejection.file, testing::EndsWith(file));
    EXPECT_THAT(rejection.message, HasSubstr(fmt::format("from {} to {}", corner, corner)));
    EXPECT_TRUE(rejection.line.has_value());
  }
}

/// Random labels of every kind that the format can be given, with decimals of all lengths.
MemorySource random_source(const TemporaryFolder& folder, unsigned seed, bool with_losses) {
  std::mt19937 random(seed);
  const auto below = [&](unsigned bound) { return random() % bound; };
  const auto coordinate = [&](double bound) {
    const double value = std::uniform_real_distribution<double>(0, bound)(random);
    switch (below(4)) {
      case 0:
        return std::floor(value);
      case 1:
        return std::round(value * 100) / 100;
      default:
        return value;
    }
  };
  const std::string attribute_lists[] = {
      "",
      R"({"occluded":true})",
      R"({"occluded":false,"truncated":true,"difficult":true})",
      R"({"truncated":0.5,"occluded":2,"pose":"Rear"})",
      R"({"a":"12","b":12,"c":"","d":" x ","e":"true","f":true,"g":null,"h":[1,{"x":"</value>"}],"i":"é&\"\n"})",
      R"({"pose":"Unspecified","quoted \"name\"":1e-7,"long":123456789012345678})",
  };
  MemorySource source;
  source.class_list = {{"cat", ""}, {"traffic light & <more>", ""}, {"never used", ""}, {"東京", ""}};
  for (int i = 0; i < 12; ++i) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("{}image {}.jpg", i % 3 == 0 ? "" : fmt::format("folder{}/é/", i % 3), i);
    sample.image.path = folder.write(fs::path("photos") / sample.image.name, "pixels");
    sample.image.width = 640 + i;
    sample.image.height = 480;
    sample.image.split = i % 2 == 0 ? "train" : "val";
    sample.image.state = i == 1 ? SampleState::labelled_empty : i == 2 ? SampleState::not_labelled : SampleState::labelled;
    if (i == 3) {
      sample.image.source_json =
          R"({"voc":[{"name":"source","children":[{"name":"database","text":"d & e"}]}],"voc_attributes":{"verified":"yes"}})";
    }
    for (unsigned n = sample.image.state == SampleState::labelled ? 1 + below(8) : 0; n > 0; --n) {
      ExportLabel exported;
      exported.class_index = std::array{0, 1, 3}[below(3)];
      Label& label = exported.label;
      label.box_xywh_px = {coordinate(600) - 20, coordinate(400), coordinate(100) + 1e-3, coordinate(50) + 1e-3};
      label.attributes_json = attribute_lists[below(std::size(attribute_lists))];
      if (below(3) == 0) {
        label.kind = LabelKind::mask;
        std::vector<Polygon> polygons;
        for (unsigned parts = 1 + below(2); parts > 0; --parts) {
          Polygon polygon;
          for (unsigned points = 3 + below(12); points > 0; --points) {
            polygon.insert(polygon.end(), {coordinate(640), coordinate(480)});
          }
          polygons.push_back(std::move(polygon));
        }
        label.mask = Mask{std::move(polygons)};
      }
      if (below(5) == 0) {
        label.source_json = R"({"voc":[{"name":"part","children":[{"name":"name","text":"head"}]}]})";
      }
      if (with_losses) {
        switch (below(10)) {
          case 0:
            label = Label{};
            label.kind = LabelKind::classification;
            break;
          case 1:
            label.is_crowd = true;
            break;
          case 2:
            label.kind = LabelKind::mask;
            label.mask = Mask{rle_from_counts({0, 3, 1, 4}, 2, 4)};
            label.source_json = R"({"id":7})";
            break;
          case 3:
            label.box_xywh_px.w = 0;
            break;
          case 4:
            label.confidence = 0.5;
            label.area_px = 17;
            exported.tags = {"checked"};
            break;
          case 5:
            label.attributes_json = R"({" spaced ":"control \u0001","":3})";
            break;
          case 6:
            label.box_xywh_px = {1e30, 1, 0.0625, 1};
            break;
          default:
            break;
        }
      }
      sample.labels.push_back(std::move(exported));
    }
    source.samples.push_back(std::move(sample));
  }
  if (with_losses) {
    source.dataset = R"({"info":{"year":2017}})";
    source.class_list[0].source_json = R"({"id":3})";
    source.class_list[2].name = "a:b ";
    source.samples[4].image.source_json = R"({"id":17})";
    source.samples[5].image.tags = {"night"};
    source.samples[6].image.name = "line\nbreak.jpg";
    source.samples[7].image.name = "latin-\xE9.jpg";
  }
  return source;
}

void expect_same(const Label& got, const Label& want) {
  EXPECT_EQ(got.kind, want.kind);
  EXPECT_EQ(got.box_xywh_px, want.box_xywh_px);
  EXPECT_EQ(got.mask, want.mask);
  EXPECT_EQ(got.source_json, want.source_json);
}

class VocRoundTrip : public testing::TestWithParam<unsigned> {};

TEST_P(VocRoundTrip, KeepsBoxesOutlinesAttributesAndStatesBitForBit) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, GetParam(), false);
  WriteOptions options;
  options.images = GetParam() % 2 == 0 ? ImageTransfer::reference : ImageTransfer::copy;
  options.with_unlabelled = true;
  const fs::path out = folder.path() / "out";
  EXPECT_THAT(losses_of_voc(source, options), testing::IsEmpty());
  const WriteReport report = write_voc(out, source, options);
  EXPECT_THAT(report.losses, testing::IsEmpty());
  EXPECT_EQ(report.images, 12);
  EXPECT_EQ(report.images_unlabelled, 1);

  RecordingSink sink;
  sink.size_wh.reset();
  const ReadCounts counts = read_voc(out, {}, sink);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(counts.images, 12);
  EXPECT_EQ(counts.images_labelled, 11);
  EXPECT_EQ(counts.labels, report.labels);
  ASSERT_EQ(sink.classes.size(), source.class_list.size());
  for (std::size_t i = 0; i < sink.classes.size(); ++i) {
    EXPECT_EQ(sink.classes[i].name, source.class_list[i].name);
  }
  std::map<std::string, std::vector<ImportedLabel>> labels;
  for (const ImportedLabel& label : sink.labels) {
    labels[sink.images.at(static_cast<std::size_t>(label.image)).name].push_back(label);
  }
  for (const MemorySource::Sample& sample : source.samples) {
    const auto image = std::find_if(sink.images.begin(), sink.images.end(), [&](const SourceImage& candidate) {
      return (candidate.form != NameForm::whole ? candidate.name + ".jpg" : candidate.name) == sample.image.name;
    });
    ASSERT_NE(image, sink.images.end()) << sample.image.name;
    EXPECT_EQ(image->split, sample.image.split);
    EXPECT_EQ(image->is_labelled, sample.image.state != SampleState::not_labelled);
    if (image->is_labelled) {
      EXPECT_EQ(image->width, sample.image.width);
      EXPECT_EQ(image->path, options.images == ImageTransfer::copy ? (out / "JPEGImages" / sample.image.name).native()
                                                                   : sample.image.path.native());
    }
    const std::vector<ImportedLabel>& got = labels[sample.image.name];
    ASSERT_EQ(got.size(), sample.labels.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      expect_same(got[i].label, sample.labels[i].label);
      EXPECT_EQ(got[i].class_index, sample.labels[i].class_index);
      EXPECT_EQ(
          nlohmann::json::parse(got[i].label.attributes_json.empty() ? "{}" : got[i].label.attributes_json),
          nlohmann::json::parse(sample.labels[i].label.attributes_json.empty() ? "{}" : sample.labels[i].label.attributes_json));
    }
  }
}

TEST_P(VocRoundTrip, TellsBeforehandExactlyWhatItLoses) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, GetParam(), true);
  WriteOptions options;
  options.with_unlabelled = GetParam() % 2 == 0;
  const std::vector<Loss> losses = losses_of_voc(source, options);
  const WriteReport report = write_voc(folder.path() / "out", source, options);
  const auto told = [](const std::vector<Loss>& list) {
    std::map<std::string, std::int64_t> result;
    for (const Loss& loss : list) {
      result[loss.what] = loss.count;
    }
    return result;
  };
  EXPECT_EQ(told(losses), told(report.losses));
  EXPECT_GE(losses.size(), 8U);
  RecordingSink sink;
  const ReadCounts counts = read_voc(folder.path() / "out", {}, sink);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(counts.labels, report.labels);
  std::int64_t all = 0;
  for (std::int64_t i = 0; i < source.image_count(); ++i) {
    all += static_cast<std::int64_t>(source.labels(i).size());
  }
  EXPECT_EQ(report.labels + report.labels_left_out, all);
  EXPECT_EQ(report.images + report.images_left_out, 12);
}

INSTANTIATE_TEST_SUITE_P(, VocRoundTrip, testing::Range(0U, 12U));

TEST(VocWriter, WritesAFileByHand) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample sample;
  sample.image.name = "sub/a.jpg";
  sample.image.path = folder.write("photos/a.jpg", "pixels");
  sample.image.width = 640;
  sample.image.height = 480;
  Label label;
  label.box_xywh_px = {10, 20.5, 30, 40};
  label.attributes_json = R"({"difficult":true,"night":true})";
  sample.labels = {{0, label}};
  source.samples = {sample};
  WriteOptions options;
  options.images = ImageTransfer::copy;
  write_voc(folder.path() / "out", source, options);
  EXPECT_EQ(read_file(folder.path() / "out/Annotations/sub/a.xml"), R"(<annotation>
  <folder>JPEGImages</folder>
  <filename>sub/a.jpg</filename>
  <size>
    <width>640</width>
    <height>480</height>
  </size>
  <segmented>0</segmented>
  <object>
    <name>cat</name>
    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>1</difficult>
    <bndbox>
      <xmin>10</xmin>
      <ymin>20.5</ymin>
      <xmax>40</xmax>
      <ymax>60.5</ymax>
    </bndbox>
    <attributes>
      <attribute>
        <name>night</name>
        <value>true</value>
      </attribute>
    </attributes>
  </object>
</annotation>
)");
  EXPECT_EQ(read_file(folder.path() / "out/ImageSets/Main/train.txt"), "sub/a\n");
  EXPECT_EQ(read_file(folder.path() / "out/labelmap.txt"), "# label:color_rgb:parts:actions\ncat:::\n");
  EXPECT_EQ(read_file(folder.path() / "out/JPEGImages/sub/a.jpg"), "pixels");
}

TEST(VocWriter, LeavesOutMasksOfAnotherSizeThanTheirImage) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample sample;
  Label label;
  label.kind = LabelKind::mask;
  label.mask = Mask{rle_from_counts({0, 3, 1, 4}, 2, 4)};
  label.box_xywh_px = mask_box(*label.mask);
  sample.labels = {{0, label}};
  for (const char* const name : {"known.jpg", "unknown.jpg"}) {
    sample.image.name = name;
    source.samples.push_back(sample);
  }
  source.samples[0].image.width = 40;
  source.samples[0].image.height = 20;
  const WriteReport report = write_voc(folder.path() / "out", source, {});
  EXPECT_EQ(report.labels, 1);
  EXPECT_EQ(report.labels_left_out, 1);
  EXPECT_THAT(report.losses, testing::Contains(testing::Field(&Loss::what, HasSubstr("of another size than their image"))));
  EXPECT_THAT(read_file(folder.path() / "out/Annotations/known.xml"), testing::Not(HasSubstr("<object>")));
  EXPECT_THAT(read_file(folder.path() / "out/Annotations/unknown.xml"), HasSubstr("<polygon>"));
}

TEST(VocWriter, RefusesRatherThanMix) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, 1, false);
  folder.write("full/file", "mine");
  const auto code_of = [&](const fs::path& path) {
    try {
      write_voc(path, source, {});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of(folder.path() / "full"), ErrorCode::conflict);
  EXPECT_EQ(code_of(folder.path() / "out.xml"), ErrorCode::wrong_use);
  source.samples[0].image.name = "image 3.png";
  source.samples[3].image.name = "image 3.jpg";
  EXPECT_EQ(code_of(folder.path() / "out"), ErrorCode::wrong_use);
  source.samples[0].image.name = "image 0.png";
  source.samples[0].image.split = "../up";
  EXPECT_EQ(code_of(folder.path() / "out"), ErrorCode::wrong_use);
  source.samples[0].image.split.clear();
  for (const char* const split : {"../../../up", "a/b", "", ".", ".."}) {
    EXPECT_THROW(write_voc(folder.path() / "out", source, {.default_split = split, .progress = {}}), Error) << split;
  }
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

TEST(VocWriter, LeavesOutNamesThatNoListCanHold) {
  const TemporaryFolder folder;
  MemorySource source;
  for (const char* const name : {"a .jpg", " b.jpg", "c.jpg ", "d. jpg", "e f.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.state = SampleState::labelled_empty;
    source.samples.push_back(sample);
  }
  const WriteReport report = write_voc(folder.path() / "out", source, {});
  EXPECT_EQ(report.images, 2);
  EXPECT_EQ(report.images_left_out, 3);
  ASSERT_EQ(report.losses.size(), 1U);
  EXPECT_EQ(report.losses[0].count, 3);
  EXPECT_THAT(report.losses[0].what, HasSubstr("white space at an end"));
  EXPECT_EQ(read(folder.path() / "out").images.size(), 2U);
}

TEST(VocWriter, ReportsImagesThatCannotBeBrought) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, 2, false);
  fs::remove(source.samples[0].image.path);
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const WriteReport report = write_voc(folder.path() / "out", source, options);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.images + report.images_left_out + 1, 12);
  EXPECT_FALSE(fs::exists(folder.path() / "out/Annotations/image 0.xml"));
}

}  // namespace
}  // namespace verilabel
