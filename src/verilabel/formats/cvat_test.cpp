#include "verilabel/formats/cvat.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/testing_dataset.h"
#include "verilabel/formats/zip_archive.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;

RecordingSink read(const fs::path& path, ReadCounts* counts = nullptr, const ReadOptions& options = {}) {
  return recorded(read_cvat, path, counts, options);
}

constexpr std::string_view kMeta =
    "<meta><task><name>t &amp; u</name><labels>"
    "<label><name>cat</name><color>#ff0000</color><attributes>"
    "<attribute><name>wild</name><input_type>checkbox</input_type></attribute>"
    "<attribute><name>age</name><input_type>number</input_type></attribute>"
    "<attribute><name>fur</name><input_type>select</input_type><values>short\nlong</values></attribute>"
    "</attributes></label><label><name>traffic light</name></label></labels></task></meta>\n";

std::string document(const std::string& images, std::string_view meta = kMeta) {
  return fmt::format("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<annotations><version>1.1</version>{}{}</annotations>\n", meta,
                     images);
}

std::string image(const std::string& shapes, const std::string& name = "a.jpg", const std::string& more = "") {
  return fmt::format("<image id=\"0\" name=\"{}\" width=\"8\" height=\"6\" {}>\n{}</image>\n", name, more, shapes);
}

RecordingSink read_shapes(const std::string& shapes) {
  const TemporaryFolder folder;
  return read(folder.write("a.xml", document(image(shapes))));
}

constexpr std::string_view kBox = R"(<box label="cat" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"/>)";

Error error_of(const fs::path& path, const ReadOptions& options = {}) {
  try {
    read(path, nullptr, options);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::internal, ""};
}

// 4 × 3 pixels at (2, 1) of 8 × 6, row by row: .##. / #### / .#.. with # inside; by rows: 1 2 1 4 1 1 2.
TEST(CvatMask, TurnsRowsIntoColumns) {
  const CvatMask mask{2, 1, 4, 3, {1, 2, 1, 4, 1, 1, 2}};
  const Rle rle = rle_from_cvat(mask, 6, 8);
  // Columns 2 to 5: row 2; rows 1 to 3; rows 1 and 2; row 2. Two columns of 6 and two rows come first: 14 pixels outside.
  EXPECT_THAT(rle.counts, ElementsAre(14, 1, 4, 3, 3, 2, 5, 1, 15));
  const CvatMask back = cvat_mask_from(rle);
  EXPECT_EQ(back.left, 2U);
  EXPECT_EQ(back.top, 1U);
  EXPECT_EQ(back.width, 4U);
  EXPECT_EQ(back.height, 3U);
  EXPECT_EQ(back.counts, mask.counts);
}

TEST(CvatMask, ComesBackFromRandomPixels) {
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    const std::uint32_t height = 1 + random() % 20;
    const std::uint32_t width = 1 + random() % 20;
    std::vector<std::uint8_t> bitmap(std::size_t{height} * width);
    for (std::uint8_t& pixel : bitmap) {
      pixel = random() % 3 == 0 ? 1 : 0;
    }
    bitmap[random() % bitmap.size()] = 1;
    const Rle rle = rle_from_bitmap(bitmap, height, width);
    EXPECT_EQ(bitmap_from_rle(rle_from_cvat(cvat_mask_from(rle), height, width)), bitmap);
  }
}

TEST(CvatMask, RefusesRunsThatDoNotFillTheirBox) {
  EXPECT_THROW(rle_from_cvat({0, 0, 2, 2, {1, 2}}, 6, 8), Error);
  EXPECT_THROW(rle_from_cvat({0, 0, 2, 2, {1, 4}}, 6, 8), Error);
  EXPECT_THROW(rle_from_cvat({7, 0, 2, 2, {4}}, 6, 8), Error);
  EXPECT_THROW(rle_from_cvat({0, 5, 2, 2, {4}}, 6, 8), Error);
  EXPECT_THROW(rle_from_cvat({4294967295U, 0, 2, 2, {4}}, 6, 8), Error);
  EXPECT_THROW(rle_from_cvat({0, 0, 0, 2, {}}, 6, 8), Error);
  EXPECT_THROW(rle_from_cvat({0, 0, 60000, 60000, {3'600'000'000U}}, 60000, 60000), Error);
}

TEST(CvatReader, ReadsAFileByHand) {
  const TemporaryFolder folder;
  const std::string shapes =
      "<box label=\"cat\" source=\"manual\" occluded=\"1\" xtl=\"1.25\" ytl=\"2\" xbr=\"3.5\" ybr=\"4\" rotation=\"0.0\" "
      "z_order=\"2\" "
      "group_id=\"7\">\n<attribute name=\"wild\">true</attribute><attribute name=\"age\">3.50</attribute>"
      "<attribute name=\"fur\">long</attribute><attribute name=\"new\">1</attribute></box>\n"
      "<polygon label=\"traffic light\" occluded=\"0\" points=\"1,2;5.5,2;5.5,4\"></polygon>\n"
      "<mask label=\"cat\" occluded=\"0\" rle=\"1, 2, 1, 4, 1, 1, 2\" left=\"2\" top=\"1\" width=\"4\" height=\"3\"/>\n"
      "<tag label=\"dog\" source=\"manual\"><attribute name=\"age\">old</attribute></tag>\n";
  const std::string images =
      image(shapes, "sub/a.jpg", "subset=\"train\" task_id=\"4\"") + "<image id=\"5\" name=\"b.jpg\" width=\"9\" height=\"9\"/>";
  ReadCounts counts;
  const RecordingSink sink = read(folder.write("a.xml", document(images)), &counts);
  ASSERT_EQ(sink.rejections.size(), 0U);
  ASSERT_EQ(sink.classes.size(), 3U);
  EXPECT_EQ(sink.classes[0].name, "cat");
  EXPECT_THAT(sink.classes[0].source_json, HasSubstr(R"({"name":"color","text":"#ff0000"})"));
  EXPECT_EQ(sink.classes[1].name, "traffic light");
  EXPECT_EQ(sink.classes[1].source_json, "{}") << "it is listed, be it without a label";
  EXPECT_EQ(sink.classes[2].name, "dog");
  ASSERT_EQ(sink.images.size(), 2U);
  EXPECT_EQ(sink.images[0].name, "sub/a.jpg");
  EXPECT_EQ(sink.images[0].width, 8);
  EXPECT_EQ(sink.images[0].split, "train");
  EXPECT_EQ(sink.images[0].source_json, R"({"id":0,"cvat":{"task_id":"4"}})");
  EXPECT_EQ(sink.images[1].source_id, "5");
  ASSERT_EQ(sink.labels.size(), 4U);
  EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{1.25, 2, 2.25, 2}));
  EXPECT_EQ(sink.labels[0].label.attributes_json, R"({"occluded":true,"wild":true,"age":3.50,"fur":"long","new":"1"})");
  EXPECT_EQ(sink.labels[0].label.source_json, R"({"cvat":{"source":"manual","z_order":"2","group_id":"7"}})");
  EXPECT_EQ(sink.labels[1].label.mask, (Mask{std::vector<Polygon>{{1, 2, 5.5, 2, 5.5, 4}}}));
  EXPECT_EQ(sink.labels[1].label.box_xywh_px, (Box{1, 2, 4.5, 2}));
  EXPECT_EQ(sink.labels[1].label.source_json, "");
  EXPECT_THAT(std::get<Rle>(sink.labels[2].label.mask->shape).counts, ElementsAre(14, 1, 4, 3, 3, 2, 5, 1, 15));
  EXPECT_EQ(sink.labels[2].label.box_xywh_px, (Box{2, 1, 4, 3}));
  EXPECT_EQ(sink.labels[3].label.kind, LabelKind::classification);
  EXPECT_EQ(sink.labels[3].class_index, 2);
  EXPECT_EQ(sink.labels[3].label.attributes_json, R"({"age":"old"})");
  EXPECT_EQ(sink.dataset_json, R"({"cvat":[{"name":"task","children":[{"name":"name","text":"t & u"}]}]})");
  EXPECT_EQ(counts.images_labelled, 2);
  EXPECT_EQ(counts.labels, 4);
}

TEST(CvatReader, RejectsSingleShapes) {
  struct Case {
    std::string shape;
    RejectionReason reason;
    std::string field;
    std::string message;
  };
  const Case cases[] = {
      {R"(<box label="cat" xtl="5" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::out_of_range, "image[0].box[1]", "swapped"},
      {R"(<box label="cat" xtl="3" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::out_of_range, "image[0].box[1]", "no width"},
      {R"(<box label="cat" xtl="nan" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::not_finite, "image[0].box[1].xtl", "finite"},
      {R"(<box label="cat" xtl="1e999" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::out_of_range, "image[0].box[1].xtl",
       "represented"},
      {R"(<box label="cat" xtl="x" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::malformed, "image[0].box[1].xtl", "number"},
      {R"(<box label="cat" xtl="1" ytl="2" xbr="3"/>)", RejectionReason::missing_field, "image[0].box[1].ybr", "missing"},
      {R"(<box xtl="1" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::missing_field, "image[0].box[1].label", "missing"},
      {R"(<box label=" " xtl="1" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::missing_field, "image[0].box[1].label", "name"},
      {R"(<box label="cat" rotation="15.5" xtl="1" ytl="2" xbr="3" ybr="4"/>)", RejectionReason::malformed,
       "image[0].box[1].rotation", "15.5°"},
      {R"(<polygon label="cat" points="1,2;3,4"/>)", RejectionReason::malformed, "image[0].polygon[0].points", "three points"},
      {R"(<polygon label="cat" points="1,2;3;4,5"/>)", RejectionReason::malformed, "image[0].polygon[0].points", "x,y"},
      {R"(<polygon label="cat" points="1,2;3,4,5;5,6"/>)", RejectionReason::malformed, "image[0].polygon[0].points", "number"},
      {R"(<polygon label="cat"/>)", RejectionReason::missing_field, "image[0].polygon[0].points", "missing"},
      {R"(<mask label="cat" rle="1,2" left="0" top="0" width="2" height="2"/>)", RejectionReason::malformed, "image[0].mask[0].rle",
       "add up to 3"},
      {R"(<mask label="cat" rle="4" left="7" top="0" width="2" height="2"/>)", RejectionReason::malformed, "image[0].mask[0].rle",
       "leaves the image"},
      {R"(<mask label="cat" rle="-1,5" left="0" top="0" width="2" height="2"/>)", RejectionReason::out_of_range,
       "image[0].mask[0].rle", "length of a run"},
      {R"(<mask label="cat" rle="4" left="0.5" top="0" width="2" height="2"/>)", RejectionReason::out_of_range,
       "image[0].mask[0].left", "pixels"},
      {R"(<mask label="cat" rle="4" left="1e99" top="0" width="2" height="2"/>)", RejectionReason::out_of_range,
       "image[0].mask[0].left", "pixels"},
      {R"(<polyline label="cat" points="1,2;3,4"/>)", RejectionReason::malformed, "image[0].polyline[0]", "line"},
      {R"(<points label="cat" points="1,2"/>)", RejectionReason::malformed, "image[0].points[0]", "points"},
      {R"(<cuboid label="cat"/>)", RejectionReason::malformed, "image[0].cuboid[0]", "cuboid"},
      {R"(<ellipse label="cat" cx="1" cy="1" rx="1" ry="1"/>)", RejectionReason::malformed, "image[0].ellipse[0]", "ellipse"},
      {R"(<skeleton label="cat"><points label="1" points="1,2"/></skeleton>)", RejectionReason::malformed, "image[0].skeleton[0]",
       "skeleton"},
  };
  for (const Case& each : cases) {
    const RecordingSink sink = read_shapes(fmt::format("{}\n{}\n{}\n", kBox, each.shape, kBox));
    EXPECT_EQ(sink.labels.size(), 2U) << each.shape;
    ASSERT_EQ(sink.rejections.size(), 1U) << each.shape;
    const Rejection& rejection = sink.rejections[0];
    EXPECT_EQ(rejection.kind, RejectedKind::label);
    EXPECT_EQ(name_of(rejection.reason), name_of(each.reason)) << each.shape;
    EXPECT_EQ(rejection.field, each.field);
    EXPECT_THAT(rejection.message, HasSubstr(each.message));
    EXPECT_EQ(rejection.image, "a.jpg");
    // Two lines of head, one of <image>, one of the first box; the values of `fur` have a line break.
    EXPECT_EQ(rejection.line, 6U);
  }
}

TEST(CvatReader, CountsWhatItDoesNotKnow) {
  const std::string shapes =
      "<box label=\"cat\" occluded=\"maybe\" xtl=\"1\" ytl=\"2\" xbr=\"3\" ybr=\"4\"><attribute name=\"a\">1</attribute>"
      "<attribute name=\"a\">2</attribute><attribute>3</attribute><odd/></box><drawing/>";
  const TemporaryFolder folder;
  ReadCounts counts;
  const RecordingSink sink =
      read(folder.write("a.xml", document(image(shapes) + "<surprise/><image id=\"1\" width=\"8\"><tag label=\"cat\"/></image>" +
                                          image("", "b.jpg", "subset=\"s\"").replace(0, 30, "<image id=\"x\" name=\"b.jpg\" ") +
                                          image(std::string(kBox)))),
           &counts);
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.labels[0].label.attributes_json, R"({"a":"1"})");
  EXPECT_EQ(sink.labels[0].label.source_json, R"({"cvat":{"occluded":"maybe"}})");
  std::vector<std::string> told;
  for (const Rejection& rejection : sink.rejections) {
    told.push_back(fmt::format("{} {} {}", name_of(rejection.kind), name_of(rejection.reason), rejection.field));
  }
  EXPECT_THAT(told, testing::UnorderedElementsAre(
                        "field duplicate_name image[0].box[0].attribute", "field malformed image[0].box[0].attribute",
                        "field malformed image[0].box[0].odd", "field malformed image[0].drawing[0]", "field malformed surprise",
                        "image missing_field image[1].name", "label unknown_image image[1].tag",
                        "image duplicate_name image[3].name", "label duplicate_name image[3].box[0]"));
  EXPECT_EQ(counts.images, 2);
  EXPECT_EQ(counts.labels_rejected, 2);
  EXPECT_EQ(counts.images_rejected, 2);
}

TEST(CvatReader, NamesWhatStandsTwice) {
  const TemporaryFolder folder;
  const std::string meta =
      "<meta><task><labels><label><name>cat</name><name>dog</name></label><label><name>car</name><attributes>"
      "<attribute><name>a</name><input_type>number</input_type></attribute>"
      "<attribute><name>a</name><input_type>text</input_type></attribute>"
      "<attribute><name>b</name><input_type>number</input_type><input_type>text</input_type></attribute>"
      "</attributes></label></labels></task></meta>\n<meta><task><labels><label><name>bus</name></label></labels></task></meta>";
  const std::string box =
      R"(<box label="car" xtl="1" ytl="2" xbr="3" ybr="4"><attribute name="a">7</attribute><attribute name="b">7</attribute></box>)";
  const RecordingSink sink = read(folder.write("a.xml", document(image(box), meta)));
  ASSERT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(sink.labels[0].label.attributes_json, R"({"a":7,"b":"7"})");
  ASSERT_EQ(sink.classes.size(), 1U);
  std::vector<std::string> told;
  for (const Rejection& rejection : sink.rejections) {
    told.push_back(fmt::format("{} {} {}", name_of(rejection.kind), name_of(rejection.reason), rejection.field));
  }
  EXPECT_THAT(told, ElementsAre("class malformed meta.labels.label.name",
                                "field duplicate_name meta.labels.label.attributes.attribute.name",
                                "field malformed meta.labels.label.attributes.attribute.input_type", "field malformed meta"));

  // XML itself forbids an attribute twice.
  const Error error =
      error_of(folder.write("b.xml", document(image(R"(<box label="car" xtl="1" xtl="2" ytl="2" xbr="3" ybr="4"/>)"))));
  EXPECT_EQ(error.code(), ErrorCode::bad_data);
  EXPECT_THAT(error.message(), HasSubstr("duplicate attribute"));
  EXPECT_THAT(error.context(), testing::Contains(testing::Key("line")));
}

TEST(CvatReader, RefusesWhatIsNoSetOfLabelledImages) {
  const TemporaryFolder folder;
  const auto code_of = [&](const std::string& text) { return error_of(folder.write("a.xml", text)).code(); };
  EXPECT_EQ(code_of(""), ErrorCode::bad_data);
  const std::string whole = document(image(std::string(kBox)));
  for (const std::size_t size : {whole.size() - 5, whole.size() - 20, whole.size() / 2, std::size_t{40}}) {
    EXPECT_EQ(code_of(whole.substr(0, size)), ErrorCode::bad_data);
  }
  EXPECT_EQ(code_of("<annotation/>"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("<!DOCTYPE a [<!ENTITY x 'y'>]><annotations/>"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("<annotations><version>2.0</version></annotations>"), ErrorCode::unsupported);
  EXPECT_EQ(code_of(document("<track id='0' label='cat'/>")), ErrorCode::unsupported);
  EXPECT_THAT(error_of(folder.path() / "a.xml").message(), HasSubstr("CVAT for images"));
  EXPECT_EQ(error_of(folder.path() / "none.xml").code(), ErrorCode::not_found);
  EXPECT_EQ(error_of(folder.path()).code(), ErrorCode::not_found);
  EXPECT_EQ(error_of(folder.write("a.json", "{}")).code(), ErrorCode::wrong_use);
  EXPECT_EQ(error_of(folder.write("a.zip", "PK but no archive")).code(), ErrorCode::bad_data);
}

TEST(CvatReader, ReadsOneSubsetWhenAsked) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("annotations.xml", document(image(std::string(kBox), "a.jpg", "subset=\"train\"") +
                                                                 image(std::string(kBox), "b.jpg", "subset=\"val\"")));
  folder.write("images/val/b.jpg", "");
  folder.write("images/a.jpg", "");
  ReadOptions options;
  options.split = "val";
  const RecordingSink sink = read(folder.path(), nullptr, options);
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].path, (folder.path() / "images/val/b.jpg").native());
  EXPECT_EQ(sink.labels.size(), 1U);
  options.split = "test";
  const Error error = error_of(file, options);
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.message(), HasSubstr("train, val"));
  EXPECT_EQ(read(file).images.at(0).path, (folder.path() / "images/a.jpg").native());
}

TEST(CvatReader, ReadsArchivesAndUnpacksNothing) {
  const TemporaryFolder folder;
  const fs::path xml = folder.write("source.xml", document(image(std::string(kBox))));
  const auto archive = [&](const std::string& name, const std::vector<std::string>& entries) {
    std::vector<NewZipEntry> list;
    for (const std::string& entry : entries) {
      list.push_back({entry, xml, true});
    }
    write_zip(folder.path() / name, list, nullptr);
    return folder.path() / name;
  };
  EXPECT_EQ(read(archive("a.zip", {"images/x.jpg", "annotations.xml"})).labels.size(), 1U);
  EXPECT_EQ(read(archive("b.ZIP", {"task/annotations.xml"})).labels.size(), 1U);
  EXPECT_EQ(error_of(archive("c.zip", {"other.xml"})).code(), ErrorCode::bad_data);
  EXPECT_EQ(error_of(archive("d.zip", {"a/annotations.xml", "b/annotations.xml"})).code(), ErrorCode::bad_data);
  ReadCounts counts;
  const RecordingSink sink = read(
      archive("e.zip", {"../annotations.xml", "/etc/annotations.xml", "C:\\annotations.xml", "x/../../y.jpg", "annotations.xml"}),
      &counts);
  EXPECT_EQ(sink.labels.size(), 1U);
  EXPECT_EQ(counts.others_rejected, 4);
  EXPECT_THAT(sink.rejections.at(0).message, HasSubstr("outside the archive"));
  // Wherever in the archive they stand.
  const RecordingSink behind = read(archive("h.zip", {"annotations.xml", "../../up.sh", "x\\..\\..\\y.jpg", "images/b.jpg"}));
  EXPECT_EQ(behind.labels.size(), 1U);
  ASSERT_EQ(behind.rejections.size(), 2U);
  EXPECT_EQ(behind.rejections[0].field, "../../up.sh");
  EXPECT_EQ(error_of(archive("f.zip", {"../annotations.xml"})).code(), ErrorCode::bad_data);
  EXPECT_FALSE(fs::exists(folder.path().parent_path() / "annotations.xml"));

  // A broken entry: the bytes in the middle of the packed data are turned over.
  std::string bytes = read_file(folder.path() / "a.zip");
  for (std::size_t i = 100; i < 140; ++i) {
    bytes[i] = static_cast<char>(~bytes[i]);
  }
  const fs::path broken = folder.write("broken.zip", bytes);
  EXPECT_NO_THROW(read(broken));  // the damage is in the image
  bytes = read_file(archive("g.zip", {"annotations.xml"}));
  for (std::size_t i = 100; i < 140; ++i) {
    bytes[i] = static_cast<char>(~bytes[i]);
  }
  EXPECT_EQ(error_of(folder.write("broken.zip", bytes)).code(), ErrorCode::bad_data);
}

TEST(CvatReader, NeedsASizeForMasksOnly) {
  const TemporaryFolder folder;
  const fs::path file =
      folder.write("a.xml", document("<image id=\"0\" name=\"a.jpg\" width=\"0\">" + std::string(kBox) +
                                     R"(<mask label="cat" rle="0,4" left="0" top="0" width="2" height="2"/></image>)"));
  RecordingSink sink;
  sink.size_wh.reset();
  const ReadCounts counts = read_cvat(file, {}, sink);
  EXPECT_EQ(counts.labels, 1);
  EXPECT_EQ(counts.labels_rejected, 1);
  EXPECT_EQ(sink.rejections.at(1).reason, RejectionReason::image_size_unknown);
  EXPECT_EQ(read(file).labels.size(), 2U);
}

TEST(CvatReader, RejectsLabelsOfImagesThatAreNotOne) {
  const TemporaryFolder folder;
  const fs::path file = folder.write("a.xml", document(image(std::string(kBox))));
  for (const auto& [resolution, reason] : {std::pair(Resolution::ambiguous, RejectionReason::ambiguous_image),
                                           std::pair(Resolution::unknown, RejectionReason::unknown_image)}) {
    RecordingSink sink;
    sink.answers["a.jpg"] = resolution;
    EXPECT_EQ(read_cvat(file, {}, sink).labels, 0);
    EXPECT_EQ(sink.rejections.at(0).reason, reason);
  }
}

TEST(CvatReader, TakesAHundredThousandClassesInBatches) {
  std::string labels;
  std::string images;
  constexpr int kClasses = 100'000;
  for (int i = 0; i < kClasses; ++i) {
    labels += fmt::format("<label><name>class {}</name></label>", i);
    images += image(fmt::format(R"(<box label="class {}" xtl="1" ytl="2" xbr="3" ybr="4"/>)", i), fmt::format("{}.jpg", i));
  }
  const TemporaryFolder folder;
  ReadCounts counts;
  const RecordingSink sink =
      read(folder.write("a.xml", document(images, "<meta><task><labels>" + labels + "</labels></task></meta>")), &counts);
  EXPECT_EQ(counts.classes, kClasses);
  EXPECT_EQ(counts.labels, kClasses);
  EXPECT_EQ(sink.labels.back().class_index, kClasses - 1);
  EXPECT_EQ(sink.labels.back().image, kClasses - 1);
  EXPECT_LE(sink.largest_batch, 2048U);
}

TEST(CvatReader, StopsWhenAsked) {
  const TemporaryFolder folder;
  CancelToken cancel;
  cancel.request();
  ReadOptions options;
  options.cancel = &cancel;
  EXPECT_EQ(error_of(folder.write("a.xml", document(image(""))), options).code(), ErrorCode::interrupted);
}

/// Random labels of every kind that the format can be given, with decimals of all lengths.
MemorySource random_source(const TemporaryFolder& folder, unsigned seed, bool with_losses) {
  std::mt19937 random(seed);
  const auto below = [&](unsigned bound) { return random() % bound; };
  const auto coordinate = [&](double bound) {
    const double value = std::uniform_real_distribution<double>(0, bound)(random);
    return below(3) == 0 ? std::floor(value) : below(2) == 0 ? std::round(value * 100) / 100 : value;
  };
  const std::string attribute_lists[] = {
      "",
      R"({"occluded":true})",
      R"({"wild":false,"age":12,"fur":"12"})",
      R"({"wild":true,"age":1e-7,"fur":" é&\"\r\n<>\t "})",
      R"({"quoted \"name\"":123456789012345678,"fur":""})",
  };
  MemorySource source;
  source.class_list = {
      {"cat", R"({"cvat":[{"name":"color","text":"#f00"},{"name":"attributes","children":[{"name":"attribute","children":)"
              R"([{"name":"name","text":"fur"},{"name":"input_type","text":"radio"}]}]}]})"},
      {"traffic light & <more>", ""},
      {"never used", ""},
      {" 東京\n", ""}};
  source.dataset = R"({"cvat":[{"name":"task","children":[{"name":"name","text":"a & b"}]},{"name":"dumped","text":"today"}]})";
  for (int i = 0; i < 12; ++i) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("{}image \"{}\" <&>.jpg", i % 3 == 0 ? "" : fmt::format("folder{}/é/", i % 3), i);
    sample.image.path = folder.write(fs::path("photos") / fmt::format("{}.jpg", i), "pixels");
    sample.image.width = 40 + i;
    sample.image.height = 30;
    sample.image.split = i % 2 == 0 ? "train" : "";
    sample.image.state = i == 1 ? SampleState::labelled_empty : SampleState::labelled;
    sample.image.source_json = fmt::format(R"({{"id":{}{}}})", 100 + i, i == 3 ? R"(,"cvat":{"task_id":"4"})" : "");
    for (unsigned n = sample.image.state == SampleState::labelled ? 1 + below(8) : 0; n > 0; --n) {
      ExportLabel exported;
      exported.class_index = below(3) == 0 ? 3 : static_cast<std::int32_t>(below(2));
      Label& label = exported.label;
      label.box_xywh_px = {coordinate(60) - 20, coordinate(40), coordinate(10) + 1e-3, coordinate(5) + 1e-3};
      label.attributes_json = attribute_lists[below(std::size(attribute_lists))];
      switch (below(4)) {
        case 0: {
          label.kind = LabelKind::mask;
          Polygon polygon;
          for (unsigned points = 3 + below(12); points > 0; --points) {
            polygon.insert(polygon.end(), {coordinate(40), coordinate(30)});
          }
          label.mask = Mask{std::vector<Polygon>{std::move(polygon)}};
          label.box_xywh_px = mask_box(*label.mask);
          break;
        }
        case 1: {
          label.kind = LabelKind::mask;
          std::vector<std::uint8_t> bitmap(static_cast<std::size_t>(sample.image.width) * 30);
          std::generate(bitmap.begin(), bitmap.end(), [&] { return below(20) == 0 ? 1 : 0; });
          bitmap[7] = 1;
          label.mask = Mask{rle_from_bitmap(bitmap, 30, static_cast<std::uint32_t>(sample.image.width))};
          label.box_xywh_px = mask_box(*label.mask);
          break;
        }
        case 2:
          label.kind = LabelKind::classification;
          label.box_xywh_px = {};
          break;
        default:
          break;
      }
      if (below(5) == 0) {
        label.source_json = R"({"cvat":{"source":"auto","z_order":"-1"}})";
      }
      if (with_losses) {
        switch (below(10)) {
          case 0:
            label.is_crowd = true;
            break;
          case 1:
            label = Label{};
            label.box_xywh_px = {1, 2, 0, 3};
            break;
          case 2:
            label.kind = LabelKind::mask;
            label.mask = Mask{std::vector<Polygon>{{1, 1, 9, 1, 9, 9}, {20, 20, 30, 20, 30, 29}}};
            label.source_json = R"({"id":7})";
            break;
          case 3:
            label.kind = LabelKind::mask;
            label.mask = Mask{rle_from_counts({900}, 30, 30)};
            break;
          case 4:
            label.confidence = 0.5;
            label.area_px = 17;
            exported.tags = {"checked"};
            break;
          case 5:
            label.attributes_json = R"({"fur":3,"wild":"perhaps","x":[1,null],"":1,"c":"\u0001"})";
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
    source.class_list[1].source_json = R"({"id":3})";
    source.samples[4].image.source_json = R"({"id":103,"license":3})";
    source.samples[5].image.tags = {"night"};
    source.samples[6].image.name = "line\nbreak \x01.jpg";
    source.samples[7].image.name = "latin-\xE9.jpg";
    source.samples[8].image.state = SampleState::not_labelled;
    source.samples[8].labels.clear();
  }
  return source;
}

class CvatRoundTrip : public testing::TestWithParam<unsigned> {};

TEST_P(CvatRoundTrip, KeepsLabelsOfAllKindsBitForBit) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, GetParam(), false);
  const bool is_zip = GetParam() % 2 == 0;
  WriteOptions options;
  options.images = is_zip ? ImageTransfer::copy : ImageTransfer::reference;
  const fs::path out = folder.path() / (is_zip ? "out.zip" : "out.xml");
  EXPECT_THAT(losses_of_cvat(source, options), testing::IsEmpty());
  const WriteReport report = write_cvat(out, source, options);
  EXPECT_THAT(report.losses, testing::IsEmpty());
  EXPECT_EQ(report.images, 12);
  if (is_zip) {
    const ZipArchive archive(out);
    EXPECT_EQ(archive.names().size(), 13U);
    EXPECT_EQ(archive.names()[1], "images/image \"0\" <&>.jpg");
    EXPECT_EQ(archive.size(1), 6U);
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2);  // photos and the export: nothing else was left

  const RecordingSink sink = read(out);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(sink.dataset_json, source.dataset);
  ASSERT_EQ(sink.classes.size(), source.class_list.size());
  for (std::size_t i = 0; i < sink.classes.size(); ++i) {
    EXPECT_EQ(sink.classes[i].name, source.class_list[i].name);
  }
  EXPECT_THAT(sink.classes[0].source_json, HasSubstr("radio"));
  ASSERT_EQ(sink.images.size(), 12U);
  std::size_t next = 0;
  for (std::size_t i = 0; i < sink.images.size(); ++i) {
    const MemorySource::Sample& sample = source.samples[i];
    EXPECT_EQ(sink.images[i].name, sample.image.name);
    EXPECT_EQ(sink.images[i].split, sample.image.split);
    EXPECT_EQ(sink.images[i].width, sample.image.width);
    EXPECT_EQ(sink.images[i].source_json, sample.image.source_json);
    for (const ExportLabel& want : sample.labels) {
      ASSERT_LT(next, sink.labels.size());
      const ImportedLabel& got = sink.labels[next++];
      EXPECT_EQ(got.image, static_cast<std::int64_t>(i));
      EXPECT_EQ(got.class_index, want.class_index);
      EXPECT_EQ(got.label.kind, want.label.kind);
      EXPECT_EQ(got.label.box_xywh_px, want.label.box_xywh_px);
      EXPECT_EQ(got.label.mask, want.label.mask);
      EXPECT_EQ(got.label.source_json, want.label.source_json);
      EXPECT_EQ(nlohmann::json::parse(got.label.attributes_json.empty() ? "{}" : got.label.attributes_json),
                nlohmann::json::parse(want.label.attributes_json.empty() ? "{}" : want.label.attributes_json));
    }
  }
  EXPECT_EQ(next, sink.labels.size());
}

TEST_P(CvatRoundTrip, TellsBeforehandExactlyWhatItLoses) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, GetParam(), true);
  WriteOptions options;
  options.with_unlabelled = GetParam() % 2 == 0;
  const auto told = [](const std::vector<Loss>& list) {
    std::map<std::string, std::int64_t> result;
    for (const Loss& loss : list) {
      result[loss.what] = loss.count;
    }
    return result;
  };
  const auto losses = told(losses_of_cvat(source, options));
  const WriteReport report = write_cvat(folder.path() / "out.xml", source, options);
  EXPECT_EQ(losses, told(report.losses));
  EXPECT_GE(losses.size(), 8U);
  ReadCounts counts;
  const RecordingSink sink = read(folder.path() / "out.xml", &counts);
  EXPECT_EQ(sink.rejections.size(), 0U);
  EXPECT_EQ(counts.labels, report.labels);
  EXPECT_EQ(counts.images, report.images);
  EXPECT_EQ(report.images + report.images_left_out, 12);
  std::int64_t all = 0;
  for (std::int64_t i = 0; i < source.image_count(); ++i) {
    all += static_cast<std::int64_t>(source.labels(i).size());
  }
  EXPECT_EQ(report.labels + report.labels_left_out, all);
}

INSTANTIATE_TEST_SUITE_P(, CvatRoundTrip, testing::Range(0U, 12U));

TEST(CvatWriter, WritesAFileByHand) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  sample.image.width = 8;
  sample.image.height = 6;
  sample.image.split = "train";
  Label box;
  box.box_xywh_px = {1, 2.5, 3, 1};
  box.attributes_json = R"({"occluded":true,"wild":true})";
  Label mask;
  mask.kind = LabelKind::mask;
  mask.mask = Mask{rle_from_counts({14, 1, 4, 3, 3, 2, 5, 1, 15}, 6, 8)};
  mask.box_xywh_px = {2, 1, 4, 3};
  sample.labels = {{0, box}, {0, mask}};
  source.samples = {sample};
  write_cvat(folder.path() / "out.xml", source, {});
  EXPECT_EQ(read_file(folder.path() / "out.xml"), R"(<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <labels>
        <label>
          <name>cat</name>
          <attributes>
            <attribute>
              <name>wild</name>
              <mutable>False</mutable>
              <input_type>checkbox</input_type>
              <default_value>false</default_value>
              <values>false</values>
            </attribute>
          </attributes>
        </label>
      </labels>
    </task>
  </meta>
  <image id="0" name="a.jpg" subset="train" width="8" height="6">
    <box label="cat" occluded="1" xtl="1" ytl="2.5" xbr="4" ybr="3.5">
      <attribute name="wild">true</attribute>
    </box>
    <mask label="cat" occluded="0" rle="1, 2, 1, 4, 1, 1, 2" left="2" top="1" width="4" height="3"/>
  </image>
</annotations>
)");
}

TEST(CvatWriter, LeavesOutNamesThatXmlCannotHold) {
  MemorySource source;
  for (const char* const name : {"a\x01.jpg", "b.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.state = SampleState::labelled_empty;
    source.samples.push_back(std::move(sample));
  }
  const std::vector<Loss> losses = losses_of_cvat(source, {});
  ASSERT_EQ(losses.size(), 1U);
  EXPECT_EQ(losses[0].count, 1);
  const TemporaryFolder folder;
  const WriteReport report = write_cvat(folder.path() / "out.xml", source, {});
  EXPECT_EQ(report.images, 1);
  EXPECT_EQ(report.images_left_out, 1);
}

TEST(CvatWriter, RefusesAndLeavesNothingBehind) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, 1, false);
  WriteOptions options;
  const auto code_of = [&](const fs::path& path) {
    try {
      write_cvat(path, source, options);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of(folder.path() / "out"), ErrorCode::wrong_use);
  EXPECT_EQ(code_of(folder.path()), ErrorCode::wrong_use);
  options.images = ImageTransfer::copy;
  EXPECT_EQ(code_of(folder.path() / "out.xml"), ErrorCode::wrong_use);
  options.images = ImageTransfer::symbolic_link;
  EXPECT_EQ(code_of(folder.path() / "out.zip"), ErrorCode::wrong_use);
  options.images = ImageTransfer::copy;
  CancelToken cancel;
  cancel.request();
  options.cancel = &cancel;
  EXPECT_EQ(code_of(folder.path() / "out.zip"), ErrorCode::interrupted);
  options.cancel = nullptr;
  source.samples[0].image.name = "x.jpg";
  source.samples[1].image.name = "../x.jpg";
  EXPECT_EQ(code_of(folder.path() / "out.zip"), ErrorCode::wrong_use);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(CvatWriter, AnArchiveReplacesWhatALinkLeadsTo) {
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  fs::create_directory(folder.path() / "real");
  folder.write("real/old.zip", "PK");
  fs::create_symlink("real/old.zip", folder.path() / "link.zip");
  write_cvat(folder.path() / "link.zip", source, {});
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link.zip"));
  EXPECT_GT(fs::file_size(folder.path() / "real/old.zip"), 2U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path() / "real"), {}), 1);
}

TEST(CvatWriter, ReportsImagesThatCannotBeBrought) {
  const TemporaryFolder folder;
  MemorySource source = random_source(folder, 2, false);
  fs::remove(source.samples[0].image.path);
  folder.write("out.zip", "an older export");
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const WriteReport report = write_cvat(folder.path() / "out.zip", source, options);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(report.images, 11);
  EXPECT_EQ(ZipArchive(folder.path() / "out.zip").names().size(), 12U);
  EXPECT_EQ(read(folder.path() / "out.zip").images.size(), 11U);
}

}  // namespace
}  // namespace verilabel
