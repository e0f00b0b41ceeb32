#include "verilabel/models/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

TEST(Manifest, ReadsEveryKey) {
  const ModelFolder folder;
  folder.write("model.verilabel.json", R"({
    "family": "nanodet", "class_names": ["cat", "Häher"], "channel_order": "rgb", "mean": [1, 2.5, 3], "std": [4, 5, 6],
    "input_size": [320, 640], "fit": "stretch", "padding": 255, "interpolation": "cubic", "nms_iou": 0.5, "max_detections": 7})");
  const Manifest manifest = manifest_of(folder.model(), std::nullopt);
  EXPECT_EQ(manifest.path.filename(), "model.verilabel.json");
  EXPECT_THAT(manifest.family, Optional(std::string("nanodet")));
  EXPECT_THAT(manifest.class_names, Optional(ElementsAre("cat", "Häher")));
  EXPECT_THAT(manifest.channel_order, Optional(ChannelOrder::rgb));
  EXPECT_THAT(manifest.mean, Optional(ElementsAre(1.0F, 2.5F, 3.0F)));
  EXPECT_THAT(manifest.std, Optional(ElementsAre(4.0F, 5.0F, 6.0F)));
  EXPECT_THAT(manifest.input_size, Optional(InputSize{320, 640}));
  EXPECT_THAT(manifest.fit, Optional(Fit::stretch));
  EXPECT_THAT(manifest.padding, Optional(std::uint8_t{255}));
  EXPECT_THAT(manifest.interpolation, Optional(OpencvInterpolation::cubic));
  EXPECT_THAT(manifest.nms_iou, Optional(0.5));
  EXPECT_THAT(manifest.max_detections, Optional(7));
}

TEST(Manifest, ReadsWhatClassifiersNeed) {
  const ModelFolder folder;
  folder.write("names.txt", "ant\nbee\n");
  folder.write("model.verilabel.json", R"({
    "task": "classification", "class_names_file": "names.txt", "resize": {"shortest_edge": 256}, "filter": "hamming",
    "crop": [224, 192], "scale": 0.5, "activation": "sigmoid"})");
  const Manifest manifest = manifest_of(folder.model(), std::nullopt);
  EXPECT_TRUE(manifest.is_classification);
  EXPECT_THAT(manifest.class_names, Optional(ElementsAre("ant", "bee")));
  EXPECT_EQ(manifest.names_key(), "class_names_file");
  EXPECT_EQ(manifest.resize->shortest_edge, 256);
  EXPECT_THAT(manifest.filter, Optional(PillowFilter::hamming));
  EXPECT_THAT(manifest.crop, Optional(InputSize{224, 192}));
  EXPECT_THAT(manifest.scale, Optional(0.5));
  EXPECT_THAT(manifest.activation, Optional(Activation::sigmoid));
  folder.write("model.verilabel.json", R"({"class_names": "coco", "resize": {"height": 7, "width": 9}})");
  EXPECT_EQ(manifest_of(folder.model(), std::nullopt).class_names->at(79), "toothbrush");
  EXPECT_EQ(manifest_of(folder.model(), std::nullopt).resize->exact, (InputSize{7, 9}));
  folder.write("model.verilabel.json", R"({"class_names_file": "missing.txt"})");
  EXPECT_EQ(error_of([&] { manifest_of(folder.model(), std::nullopt); }).code(), ErrorCode::not_found);
}

TEST(Manifest, TheOneGivenComesFirstAndNoneIsEmpty) {
  const ModelFolder folder;
  EXPECT_TRUE(manifest_of(folder.model(), std::nullopt).path.empty());
  folder.write("model.verilabel.json", R"({"nms_iou": 0.1})");
  const auto given = folder.write("other.json", R"({"nms_iou": 0.2})");
  EXPECT_THAT(manifest_of(folder.model(), given).nms_iou, Optional(0.2));
  EXPECT_THAT(manifest_of(folder.model(), std::nullopt).nms_iou, Optional(0.1));
  EXPECT_EQ(error_of([&] { manifest_of(folder.model(), folder.model().parent_path() / "missing.json"); }).code(),
            ErrorCode::not_found);
}

struct Faulty {
  const char* content;
  const char* key;
};

TEST(Manifest, NamesTheKeyThatIsWrong) {
  const ModelFolder folder;
  for (const auto& [content, key] : {
           Faulty{R"({"famly": "yolox"})", "famly"},
           Faulty{R"({"family": "yolo"})", "family"},
           Faulty{R"({"family": 7})", "family"},
           Faulty{R"({"mean": [0, 0, 0], "std": [1, 1, 1], "mean": [1, 1, 1]})", "mean"},
           Faulty{R"({"class_names": []})", "class_names"},
           Faulty{R"({"class_names": "cat"})", "class_names"},
           Faulty{R"({"class_names": ["cat", 3]})", "class_names"},
           Faulty{R"({"class_names": ["cat", ""]})", "class_names[1]"},
           Faulty{R"({"class_names": ["cat", "cat"]})", "class_names"},
           Faulty{R"({"channel_order": "grb"})", "channel_order"},
           Faulty{R"({"mean": [1, 2]})", "mean"},
           Faulty{R"({"mean": [1, 2, "3"]})", "mean"},
           Faulty{R"({"std": [1, 0, 1]})", "std"},
           Faulty{R"({"std": [1, -1, 1]})", "std"},
           Faulty{R"({"std": [1, 1e-300, 1]})", "std"},   // zero as a float
           Faulty{R"({"mean": [1, 1e300, 1]})", "mean"},  // infinite as a float
           Faulty{R"({"input_size": 640})", "input_size"},
           Faulty{R"({"input_size": [640, 0]})", "input_size"},
           Faulty{R"({"input_size": [640, 1e9]})", "input_size"},
           Faulty{R"({"fit": "crop"})", "fit"},
           Faulty{R"({"padding": 256})", "padding"},
           Faulty{R"({"padding": -1})", "padding"},
           Faulty{R"({"padding": 1.5})", "padding"},
           Faulty{R"({"interpolation": "lanczos"})", "interpolation"},
           Faulty{R"({"nms_iou": 1.5})", "nms_iou"},
           Faulty{R"({"nms_iou": "high"})", "nms_iou"},
           Faulty{R"({"max_detections": 0})", "max_detections"},
           Faulty{R"({"max_detections": 1.5})", "max_detections"},
           Faulty{R"({"max_detections": 18446744073709551615})", "max_detections"},
           Faulty{R"({"task": "pose"})", "task"},
           Faulty{R"({"resize": 256})", "resize"},
           Faulty{R"({"resize": {"shortest_edge": 0}})", "resize"},
           Faulty{R"({"resize": {"height": 5}})", "resize"},
           Faulty{R"({"filter": "linear"})", "filter"},
           Faulty{R"({"crop": 224})", "crop"},
           Faulty{R"({"scale": 0})", "scale"},
           Faulty{R"({"scale": 1e300})", "scale"},
           Faulty{R"({"scale": 1e-300})", "scale"},
           Faulty{R"({"activation": "relu"})", "activation"},
           Faulty{R"({"class_names_file": 3})", "class_names_file"},
           Faulty{R"({"class_names": ["a"], "class_names_file": "names.txt"})", "class_names_file"},
       }) {
    folder.write("model.verilabel.json", content);
    const Error error = error_of([&] { manifest_of(folder.model(), std::nullopt); });
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << content;
    EXPECT_THAT(error.what(), HasSubstr(key)) << content;
    EXPECT_THAT(error.what(), HasSubstr("model.verilabel.json"));
  }
  // The misspelt key is answered with those that exist.
  folder.write("model.verilabel.json", R"({"famly": "yolox"})");
  EXPECT_THAT(error_of([&] { manifest_of(folder.model(), std::nullopt); }).message(), HasSubstr("class_names"));
}

TEST(Manifest, RefusesWhatIsNoJsonObject) {
  const ModelFolder folder;
  for (const char* content : {"", "{", "[]", "7", "null", "{\"family\": \"yolox\"", "{\"family\": \"yo\xfflox\"}", "\xff\xfe",
                              "{} {}", R"({"nms_iou": 1e999})"}) {
    folder.write("model.verilabel.json", content);
    EXPECT_EQ(error_of([&] { manifest_of(folder.model(), std::nullopt); }).code(), ErrorCode::bad_data) << content;
  }
}

}  // namespace
}  // namespace verilabel
