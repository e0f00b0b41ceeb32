#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/labelme.h"
#include "verilabel/formats/mask_crop.h"
#include "verilabel/formats/testing_comparison.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A PNG of 3 × 2 pixels, 0 255 0 / 255 255 0, made with zlib by hand.
constexpr const char* kMask =
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAAAAAC4HznGAAAAEElEQVR4nGNg+M/A8P8/AwAK/QL+zeQhYgAAAABJRU5ErkJggg==";

std::string file_of(std::string_view shapes, std::string_view more = R"("imageHeight":10,"imageWidth":20)") {
  return fmt::format(R"({{"version":"5.4.1","flags":{{}},"shapes":[{}],"imagePath":"a.jpg","imageData":null,{}}})", shapes, more);
}

RecordingSink read(const std::filesystem::path& path, const ReadOptions& options = {}) {
  return recorded(read_labelme, path, nullptr, options, sink_of_size({}));
}

TEST(MaskCrop, IsTheInverseOfItself) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t height = 1 + random() % 9;
    const std::uint32_t width = 1 + random() % 9;
    std::vector<std::uint8_t> bitmap(std::size_t{height} * width);
    for (std::uint8_t& pixel : bitmap) {
      pixel = random() % 4 == 0 ? 1 : 0;
    }
    const Rle rle = rle_from_bitmap(bitmap, height, width);
    const Rle again = rle_from_crop(crop_of(rle), height, width);
    EXPECT_EQ(bitmap_from_rle(again), bitmap);
    EXPECT_EQ(again, rle);
  }
}

TEST(Labelme, ReadsRectanglesPolygonsAndMasks) {
  const TemporaryFolder folder;
  folder.write(
      "set/a.json",
      file_of(fmt::format(
          R"({{"label":"cat","points":[[8,9],[2,3.5]],"group_id":null,"description":"","shape_type":"rectangle","flags":{{}},"mask":null}},)"
          R"({{"label":"dog","points":[[0,0],[4,0],[4,5]],"group_id":7,"description":"far","shape_type":"polygon","flags":{{"occluded":true}}}},)"
          R"({{"label":"cat","points":[[5,4],[7,5]],"shape_type":"mask","mask":"{}","score":0.25,"kept":[1, 2]}},)"
          R"({{"label":"dog","points":[[10,1],[12,1],[12,3]],"group_id":7,"description":"far","shape_type":"polygon","flags":{{"occluded":true}}}})",
          kMask)));
  const RecordingSink sink = read(folder.path() / "set");
  EXPECT_THAT(sink.rejections, IsEmpty());
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].name, "a.jpg");
  EXPECT_EQ(sink.images[0].width, 20);
  EXPECT_EQ(sink.images[0].source_json, R"({"version":"5.4.1"})");
  ASSERT_EQ(sink.classes.size(), 2U);
  EXPECT_EQ(sink.classes[0].name, "cat");
  ASSERT_EQ(sink.labels.size(), 3U);
  EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{2, 3.5, 6, 5.5}));
  EXPECT_EQ(sink.labels[0].label.source_json, "");
  EXPECT_EQ(sink.labels[0].label.attributes_json, "");
  // Two polygons of one group and one class are one object.
  const Label& dog = sink.labels[1].label;
  EXPECT_EQ(std::get<std::vector<Polygon>>(dog.mask->shape), (std::vector<Polygon>{{0, 0, 4, 0, 4, 5}, {10, 1, 12, 1, 12, 3}}));
  EXPECT_EQ(dog.box_xywh_px, (Box{0, 0, 12, 5}));
  EXPECT_EQ(dog.attributes_json, R"({"occluded":true})");
  EXPECT_EQ(dog.source_json, R"({"group_id":7,"description":"far"})");
  // The pixels (6, 4), (5, 5), (6, 5).
  const Label& mask = sink.labels[2].label;
  const std::vector<std::uint8_t> bitmap = bitmap_from_rle(std::get<Rle>(mask.mask->shape));
  EXPECT_EQ(std::count(bitmap.begin(), bitmap.end(), 1), 3);
  EXPECT_EQ(bitmap[6 * 10 + 4] + bitmap[5 * 10 + 5] + bitmap[6 * 10 + 5], 3);
  EXPECT_EQ(mask.box_xywh_px, (Box{5, 4, 2, 2}));
  EXPECT_EQ(mask.confidence, 0.25);
  EXPECT_EQ(mask.source_json, R"({"kept":[1, 2]})");
}

// As X-AnyLabeling writes them.
TEST(Labelme, ReadsRectanglesOfFourCorners) {
  const auto shape_of = [](const char* points) {
    const TemporaryFolder folder;
    folder.write("a.json",
                 fmt::format(R"({{"imagePath":"a.jpg","shapes":[{{"label":"c","shape_type":"rectangle","points":{}}}]}})", points));
    return read(folder.path());
  };
  for (const char* const points : {"[[1,2],[5,2],[5,9],[1,9]]", "[[5,9],[5,2],[1,2],[1,9]]"}) {
    const RecordingSink sink = shape_of(points);
    ASSERT_EQ(sink.labels.size(), 1U) << points;
    EXPECT_EQ(sink.labels[0].label.box_xywh_px, (Box{1, 2, 4, 7}));
  }
  for (const char* const points : {"[[1,2],[5,3],[5,9],[1,9]]", "[[1,2],[5,9],[5,2],[1,9]]", "[[1,2],[5,2],[5,9]]"}) {
    EXPECT_EQ(shape_of(points).labels.size(), 0U) << points;
  }
}

TEST(Labelme, NamesWhatItCannotTakeByFileAndField) {
  struct Case {
    const char* shape;
    RejectionReason reason;
    const char* field;
  };
  const std::string ok = R"({"label":"ok","points":[[1,1],[2,2]],"shape_type":"rectangle"})";
  const Case cases[] = {
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"circle"})", RejectionReason::unsupported, "shapes[0].shape_type"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"line"})", RejectionReason::unsupported, "shapes[0].shape_type"},
      {R"({"label":"a","points":[[1,1]],"shape_type":"point"})", RejectionReason::unsupported, "shapes[0].shape_type"},
      {R"({"label":"a","points":[[1,1],[2,2],[3,3]],"shape_type":"linestrip"})", RejectionReason::unsupported,
       "shapes[0].shape_type"},
      {R"({"label":"a","points":[[1,1],[2,2],[3,3]],"shape_type":"rectangle"})", RejectionReason::malformed, "shapes[0].points"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"polygon"})", RejectionReason::malformed, "shapes[0].points"},
      {R"({"label":"a","points":[[1,NaN],[2,2]],"shape_type":"rectangle"})", RejectionReason::not_finite, "shapes[0].points"},
      {R"({"label":"a","points":[[1,1e999],[2,2]],"shape_type":"rectangle"})", RejectionReason::out_of_range, "shapes[0].points"},
      {R"({"label":"a","points":"wide","shape_type":"rectangle"})", RejectionReason::malformed, "shapes[0].points"},
      {R"({"label":"a","points":[[1,1],[2,2,2]],"shape_type":"rectangle"})", RejectionReason::malformed, "shapes[0].points"},
      {R"({"label":"a","shape_type":"rectangle"})", RejectionReason::missing_field, "shapes[0].points"},
      {R"({"points":[[1,1],[2,2]],"shape_type":"rectangle"})", RejectionReason::missing_field, "shapes[0].label"},
      {R"({"label":7,"points":[[1,1],[2,2]],"shape_type":"rectangle"})", RejectionReason::malformed, "shapes[0].label"},
      {"{\"label\":\"\xFF\",\"points\":[[1,1],[2,2]],\"shape_type\":\"rectangle\"}", RejectionReason::malformed, "shapes[0].label"},
      {R"({"label":"a","label":"b","points":[[1,1],[2,2]],"shape_type":"rectangle"})", RejectionReason::malformed,
       "shapes[0].label"},
      {R"({"label":"a","points":[[1,1],[2,2]],"points":[[3,3],[4,4]],"shape_type":"rectangle"})", RejectionReason::malformed,
       "shapes[0].points"},
      {R"({"label":"a","points":[[1,1],[2,2]],"p\u006fints":[[3,3],[4,4]],"shape_type":"rectangle"})", RejectionReason::malformed,
       "shapes[0].p\\u006fints"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"rectangle","attributes":{"b":1,"b":2}})", RejectionReason::malformed,
       "shapes[0].attributes.b"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"rectangle","attributes":{"b":[{"c":1,"c":2}]}})",
       RejectionReason::malformed, "shapes[0].attributes.b[0].c"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"rectangle","attributes":{"b":1},"flags":{"b":true}})",
       RejectionReason::malformed, "shapes[0].attributes.b"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"rectangle","flags":{"b":true,"b":false}})", RejectionReason::malformed,
       "shapes[0].flags.b"},
      {R"({"label":"a","points":[[1,1],[3,2]],"shape_type":"mask"})", RejectionReason::missing_field, "shapes[0].mask"},
      {R"({"label":"a","points":[[1,1],[3,2]],"shape_type":"mask","mask":"!"})", RejectionReason::malformed, "shapes[0].mask"},
      {R"({"label":"a","points":[[1,1],[3,2]],"shape_type":"mask","mask":"aGVsbG8="})", RejectionReason::malformed,
       "shapes[0].mask"},
      {R"({"label":"a","points":[[1,1],[9,9]],"shape_type":"mask","mask":"%"})", RejectionReason::malformed, "shapes[0].mask"},
      {R"({"label":"a","points":[[18,1],[20,2]],"shape_type":"mask","mask":"%"})", RejectionReason::out_of_range, "shapes[0].mask"},
      {R"({"label":"a","points":[[-2,1],[0,2]],"shape_type":"mask","mask":"%"})", RejectionReason::out_of_range, "shapes[0].mask"},
      {R"({"label":"a","points":[[1,1],[2,2],[3,1]],"shape_type":"polygon","group_id":1.5})", RejectionReason::malformed,
       "shapes[0].group_id"},
      {R"({"label":"a","points":[[1,1],[2,2]],"shape_type":"rectangle","other":nope})", RejectionReason::malformed,
       "shapes[0].other"},
      {"3", RejectionReason::malformed, "shapes[0]"},
  };
  for (const Case& item : cases) {
    const TemporaryFolder folder;
    std::string shape = item.shape;
    if (const auto at = shape.find('%'); at != std::string::npos) {
      shape.replace(at, 1, kMask);
    }
    const std::string content = file_of(shape + "," + ok);
    const auto file = folder.write("a.json", content);
    RecordingSink sink;
    sink.size_wh.reset();
    const ReadCounts counts = read_labelme(folder.path(), {}, sink);
    EXPECT_EQ(counts.labels, 1) << shape;
    EXPECT_EQ(counts.labels_rejected, 1) << shape;
    ASSERT_EQ(sink.rejections.size(), 1U) << shape;
    EXPECT_EQ(sink.rejections[0].reason, item.reason) << shape << sink.rejections[0].message;
    EXPECT_EQ(sink.rejections[0].field, item.field) << shape;
    EXPECT_EQ(sink.rejections[0].file, file.native());
    EXPECT_EQ(sink.rejections[0].byte_offset, content.find(shape));
    EXPECT_EQ(sink.rejections[0].image, "a.jpg");
  }
}

TEST(Labelme, NamesTheByteAtWhichAFileIsBroken) {
  // The byte is that of the `%`, which is taken out.
  for (std::string marked : {
           "%",
           "\xEF\xBB\xBF %[]",
           "{%",
           "{\"shapes\": %[{\"label\": \"a\"",
           "{\"shapes\": [],\n \"imagePath\": %\"a.jpg",
           "{\"shapes\": [] %\"imagePath\": \"a.jpg\"}",
           "{\"shapes\": [],\n  %imagePath: \"a.jpg\"}",
           "{\"shapes\" %[]}",
           "{\"shapes\": [], %}",
           "{\"shapes\": []}% {}",
           "{\"shapes\": [%,], \"imagePath\": \"a.jpg\"}",
           "{\"shapes\": [], \"imagePath\": \"a.jpg\", \"other\": %nope}",
           "{\"shapes\": [], \"imagePath\": %7}",
           "{\"shapes\": [], %\"shapes\": [], \"imagePath\": \"a.jpg\"}",
       }) {
    const std::size_t byte = marked.find('%');
    marked.erase(byte, 1);
    const TemporaryFolder folder;
    const auto file = folder.write("a.json", marked);
    const RecordingSink sink = read(folder.path());
    ASSERT_EQ(sink.rejections.size(), 1U) << marked;
    EXPECT_EQ(sink.rejections[0].file, file.native());
    EXPECT_EQ(sink.rejections[0].byte_offset, byte) << marked << ": " << sink.rejections[0].message;
    try {
      read(file);
      ADD_FAILURE() << marked;
    } catch (const Error& error) {
      EXPECT_THAT(error.context(), testing::Contains(testing::Pair("byte", fmt::to_string(byte)))) << marked;
    }
  }
}

TEST(Labelme, RejectsFilesOneByOneInAFolderAndRefusesOneThatIsNamed) {
  const std::pair<const char*, const char*> bad[] = {
      {"", ""},
      {"{", ""},
      {"[]", ""},
      {R"({"images":[]})", "shapes"},
      {R"({"shapes":[],"imagePath":""})", "imagePath"},
      {R"({"shapes":[]})", "imagePath"},
      {R"({"shapes":{},"imagePath":"a.jpg"})", "shapes"},
      {R"({"shapes":[],"imagePath":"a.jpg","imageWidth":-4})", "imageWidth"},
      {R"({"shapes":[],"imagePath":"a.jpg","imageWidth":1e30})", "imageWidth"},
      {"{\"shapes\":[],\"imagePath\":\"\xFF.jpg\"}", "imagePath"},
      {R"({"shapes":[],"imagePath":"a\u0000.jpg"})", "imagePath"},
  };
  for (const auto& [content, field] : bad) {
    const TemporaryFolder folder;
    const auto file = folder.write("bad.json", content);
    folder.write("good.json", R"({"shapes":[],"imagePath":"b.jpg"})");
    const RecordingSink sink = read(folder.path());
    EXPECT_EQ(sink.images.size(), 1U) << content;
    ASSERT_EQ(sink.rejections.size(), 1U) << content;
    EXPECT_EQ(sink.rejections[0].kind, RejectedKind::image);
    EXPECT_EQ(sink.rejections[0].field, field) << content;
    EXPECT_EQ(sink.rejections[0].file, file.native());
    try {
      read(file);
      ADD_FAILURE() << content;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_data);
    }
  }
  const TemporaryFolder folder;
  EXPECT_THROW(read(folder.path()), Error);
  EXPECT_THROW(read(folder.path() / "none"), Error);
}

TEST(Labelme, NeedsASizeForMasksOnlyAndRejectsTheSameImageTwice) {
  const TemporaryFolder folder;
  folder.write("a.json", file_of(fmt::format(R"({{"label":"a","points":[[1,1],[3,2]],"shape_type":"mask","mask":"{}"}},)"
                                             R"({{"label":"a","points":[[1,1],[3,2]],"shape_type":"rectangle"}})",
                                             kMask),
                                 R"("imageHeight":null)"));
  folder.write("b.json", file_of(R"({"label":"a","points":[[1,1],[3,2]],"shape_type":"rectangle"})"));
  RecordingSink sink;
  sink.size_wh.reset();
  const ReadCounts counts = read_labelme(folder.path(), {}, sink);
  EXPECT_EQ(counts.labels, 1);
  EXPECT_EQ(counts.labels_rejected, 2);  // the mask, and the label of the second file
  EXPECT_EQ(counts.images, 1);
  EXPECT_EQ(counts.images_rejected, 1);
  ASSERT_EQ(sink.rejections.size(), 3U);
  EXPECT_EQ(sink.rejections[0].kind, RejectedKind::image);
  EXPECT_EQ(sink.rejections[0].reason, RejectionReason::duplicate_id);
  EXPECT_EQ(sink.rejections[1].kind, RejectedKind::label);
  EXPECT_EQ(sink.rejections[1].reason, RejectionReason::duplicate_id);
  EXPECT_EQ(sink.rejections[1].field, "shapes[0]");
  EXPECT_THAT(sink.rejections[1].file, testing::EndsWith("b.json"));
  EXPECT_EQ(sink.rejections[2].reason, RejectionReason::image_size_unknown);
}

TEST(Labelme, FindsImagesRelativeToTheFile) {
  const TemporaryFolder folder;
  folder.write("images/x.jpg", "");
  folder.write("set/sub/x.json", R"({"shapes":[],"imagePath":"..\\..\\images\\x.jpg"})");
  folder.write("set/sub/y.json", R"({"shapes":[],"imagePath":"y.png","flags":{"night":true},"fields":{"scene":"street"},)"
                                 R"("tags":["t"],"split":"val","labelled":false})");
  folder.write("set/z.json", R"({"shapes":[],"imagePath":"/somewhere/q.png"})");
  folder.write("labels.txt", "__ignore__\r\n_background_\r\nbird\r\n\r\n");
  const RecordingSink sink = read(folder.path() / "set");
  EXPECT_THAT(sink.rejections, IsEmpty());
  ASSERT_EQ(sink.images.size(), 3U);
  EXPECT_EQ(sink.images[1].name, "sub/x.jpg");
  EXPECT_EQ(sink.images[1].path, (folder.path() / "images/x.jpg").native());
  EXPECT_EQ(sink.images[2].name, "sub/y.png");
  EXPECT_EQ(sink.images[2].path, "");
  EXPECT_EQ(sink.images[2].fields_json, R"({"night":true,"scene":"street"})");
  EXPECT_THAT(sink.images[2].tags, ElementsAre("t"));
  EXPECT_FALSE(sink.images[2].is_labelled);
  EXPECT_EQ(sink.images[0].name, "q.png");
  ASSERT_EQ(sink.classes.size(), 1U);
  EXPECT_EQ(sink.classes[0].name, "bird");
  ReadOptions options;
  options.split = "train";
  EXPECT_EQ(read(folder.path() / "set", options).images.size(), 2U) << "those of no split may be of this one";
  const std::filesystem::path alone = folder.write("alone/x.json", R"({"shapes":[],"imagePath":"x.jpg","split":"val"})");
  EXPECT_THROW(read(alone, options), Error);
}

TEST(Labelme, CountsWhatAGroupDisagreesAbout) {
  const TemporaryFolder folder;
  folder.write("a.json",
               file_of(R"({"label":"a","points":[[1,1],[3,2],[3,3]],"shape_type":"polygon","group_id":1,"flags":{"x":true}},)"
                       R"({"label":"a","points":[[1,1],[3,2],[3,3]],"shape_type":"polygon","group_id":1},)"
                       R"({"label":"b","points":[[1,1],[3,2],[3,3]],"shape_type":"polygon","group_id":1},)"
                       R"({"label":"a","points":[[1,1],[3,2]],"shape_type":"rectangle","group_id":1})"));
  const RecordingSink sink = read(folder.path());
  EXPECT_EQ(sink.labels.size(), 3U);
  ASSERT_EQ(sink.rejections.size(), 1U);
  EXPECT_EQ(sink.rejections[0].kind, RejectedKind::field);
  EXPECT_EQ(sink.rejections[0].field, "shapes[1]");
}

/// Random labels within an image of 40 × 30 pixels, with everything that labelme can hold.
MemorySource random_source(std::mt19937& random) {
  MemorySource source;
  source.class_list = {{"cat", ""}, {"a \"b\" \xC3\xA9", ""}, {"unused", ""}};
  const auto real = [&](double limit) { return limit * static_cast<double>(random()) / 4294967296.0; };
  for (int i = 0; i < 6; ++i) {
    MemorySource::Sample sample;
    sample.image.name = fmt::format("d{}/{}.jpg", i % 2, i);
    sample.image.path = "/nowhere/" + sample.image.name;
    sample.image.width = 40;
    sample.image.height = 30;
    sample.image.state = i == 0 ? SampleState::not_labelled : i == 1 ? SampleState::labelled_empty : SampleState::labelled;
    sample.image.split = i % 3 == 0 ? "train" : "";
    sample.image.tags = i % 2 == 0 ? std::vector<std::string>{"t"} : std::vector<std::string>{};
    sample.image.fields_json = i % 2 == 0 ? R"({"night":true,"lux":1.5,"scene":"x"})" : "";
    sample.image.source_json = R"({"version":"5.5.0","more":{"a":[1]}})";
    for (int j = 0; i > 1 && j < 8; ++j) {
      ExportLabel exported;
      exported.class_index = static_cast<std::int32_t>(random() % 2);
      Label& label = exported.label;
      if (j % 3 == 0) {
        label.box_xywh_px = {real(20), real(20), real(20), real(10)};
      } else {
        label.kind = LabelKind::mask;
        std::vector<Polygon> parts;
        for (int part = 0; part <= j % 2; ++part) {
          parts.push_back({real(40), real(30), real(40), real(30), real(40), real(30)});
        }
        label.mask = j % 3 == 1 ? Mask{parts} : Mask{rle_from_polygons(parts, 30, 40)};
        label.box_xywh_px = mask_box(*label.mask);
        if (j % 3 == 1 && parts.size() > 1) {
          label.source_json = fmt::format(R"({{"group_id":{}}})", j);
        }
      }
      label.confidence = j % 2 == 0 ? std::optional(real(1)) : std::nullopt;
      label.attributes_json = j % 4 == 0 ? R"({"occluded":true,"truncated":0.5,"nested":{"a":[1]}})" : "";
      exported.tags = j % 5 == 0 ? std::vector<std::string>{"hard", "x\ny"} : std::vector<std::string>{};
      sample.labels.push_back(exported);
    }
    source.samples.push_back(sample);
  }
  return source;
}

TEST(Labelme, GivesBackRandomDatasets) {
  std::mt19937 random(11);
  for (int round = 0; round < 20; ++round) {
    const TemporaryFolder folder;
    MemorySource source = random_source(random);
    WriteOptions options;
    options.with_unlabelled = true;
    EXPECT_THAT(losses_of_labelme(source, options), IsEmpty());
    const WriteReport report = write_labelme(folder.path() / "out", source, options);
    EXPECT_THAT(report.losses, IsEmpty());
    EXPECT_THAT(report.failures, IsEmpty());
    const RecordingSink sink = read(folder.path() / "out");
    for (const Rejection& rejection : sink.rejections) {
      ADD_FAILURE() << rejection.field << ": " << rejection.message;
    }
    ASSERT_EQ(sink.images.size(), source.samples.size());
    ASSERT_EQ(sink.classes.size(), 3U);
    MemorySource again(sink);
    for (const MemorySource::Sample& before : source.samples) {
      const auto after = std::find_if(again.samples.begin(), again.samples.end(),
                                      [&](const MemorySource::Sample& sample) { return sample.image.name == before.image.name; });
      ASSERT_NE(after, again.samples.end()) << before.image.name;
      expect_same_image(before.image, after->image);
      EXPECT_EQ(after->image.source_json, before.image.source_json);
      ASSERT_EQ(after->labels.size(), before.labels.size());
      for (std::size_t i = 0; i < before.labels.size(); ++i) {
        const Label& a = before.labels[i].label;
        const Label& b = after->labels[i].label;
        expect_same_label(source, before.labels[i], again, after->labels[i]);
        EXPECT_EQ(b.mask, a.mask);
        EXPECT_EQ(b.source_json, a.source_json);
        // The far corner is a sum, so that the sides lose their last digits.
        EXPECT_EQ(b.box_xywh_px.x, a.box_xywh_px.x);
        EXPECT_EQ(b.box_xywh_px.y, a.box_xywh_px.y);
        EXPECT_NEAR(b.box_xywh_px.w, a.box_xywh_px.w, 1e-14 * 40);
        EXPECT_NEAR(b.box_xywh_px.h, a.box_xywh_px.h, 1e-14 * 40);
      }
    }
  }
}

TEST(Labelme, CountsItsLossesBeforeItWrites) {
  const TemporaryFolder folder;
  MemorySource source;
  source.dataset = R"({"info":{}})";
  source.class_list = {{"cat", R"({"id":1})"}, {"two\nlines", ""}};
  MemorySource::Sample sample;
  sample.image.name = "a.jpg";
  sample.image.path = "/nowhere/a.jpg";
  sample.image.width = 40;
  sample.image.height = 30;
  Label box;
  box.box_xywh_px = {1, 1, 2, 2};
  box.area_px = 3;
  Label crowd = box;
  crowd.is_crowd = true;
  Label classification;
  classification.kind = LabelKind::classification;
  Label outline;
  outline.kind = LabelKind::mask;
  outline.mask = Mask{std::vector<Polygon>{{1, 1, 2, 1, 2, 2}}};
  outline.box_xywh_px = {0, 0, 9, 9};
  outline.source_json = R"({"group_id":4})";
  Label other_size;
  other_size.kind = LabelKind::mask;
  other_size.mask = Mask{rle_from_bitmap(std::vector<std::uint8_t>{1, 0, 0, 1}, 2, 2)};
  sample.labels = {{0, box, {}}, {0, crowd, {}}, {0, classification, {}}, {0, outline, {}}, {0, outline, {}}, {0, other_size, {}}};
  source.samples.push_back(sample);
  const std::vector<Loss> losses = losses_of_labelme(source, {});
  const WriteReport report = write_labelme(folder.path() / "out", source, {});
  EXPECT_EQ(report.labels, 3);
  EXPECT_EQ(report.labels_left_out, 3);
  ASSERT_EQ(losses.size(), report.losses.size());
  std::vector<std::string> told;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(losses[i].what, report.losses[i].what);
    EXPECT_EQ(losses[i].count, report.losses[i].count);
    told.push_back(fmt::format("{} {}", losses[i].count, losses[i].what.substr(0, 28)));
  }
  EXPECT_THAT(told,
              ElementsAre("1 fields about the dataset as ", "1 classes lose the id and the ", "1 classes whose name a line of",
                          "1 labels lose the area that wa", "1 crowd labels, which the form", "1 labels that are classificati",
                          "2 masks lose the box that was ", "1 labels get a new group, beca", "1 labels whose mask is of anot"));
  const RecordingSink sink = read(folder.path() / "out");
  ASSERT_EQ(sink.labels.size(), 3U);
  EXPECT_EQ(sink.labels[2].label.source_json, R"({"group_id":5})");
}

TEST(Labelme, PutsImagesBesideTheirFilesAndRefusesAPlaceThatIsTaken) {
  const TemporaryFolder folder;
  MemorySource source;
  for (const char* const name : {"s/a.jpg", "b.jpg"}) {
    MemorySource::Sample sample;
    sample.image.name = name;
    sample.image.path = folder.write(std::filesystem::path("from") / name, "pixels");
    source.samples.push_back(sample);
  }
  source.samples[1].image.path = folder.path() / "gone.jpg";
  WriteOptions options;
  options.images = ImageTransfer::copy;
  const WriteReport report = write_labelme(folder.path() / "out", source, options);
  EXPECT_EQ(report.images, 1);
  ASSERT_EQ(report.failures.size(), 1U);
  EXPECT_EQ(read_file(folder.path() / "out/s/a.jpg"), "pixels");
  EXPECT_THAT(read_file(folder.path() / "out/s/a.json"), HasSubstr(R"("imagePath":"a.jpg")"));
  const RecordingSink sink = read(folder.path() / "out");
  ASSERT_EQ(sink.images.size(), 1U);
  EXPECT_EQ(sink.images[0].path, (folder.path() / "out/s/a.jpg").native());
  EXPECT_THROW(write_labelme(folder.path() / "out", source, options), Error);
  source.samples[1].image.name = "s/a.png";
  EXPECT_THROW(losses_of_labelme(source, options), Error);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "out2"));
}

}  // namespace
}  // namespace verilabel
