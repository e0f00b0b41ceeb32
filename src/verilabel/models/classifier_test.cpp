#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include <fmt/format.h>

#include "verilabel/base/file.h"
#include "verilabel/image/decode.h"
#include "verilabel/models/image_processor.h"
#include "verilabel/models/model_files.h"
#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ElementType kF32 = ElementType::f32;

GraphInfo plain_graph(std::int64_t classes = 4) {
  return {{{"input", kF32, {-1, 3, 8, 8}}}, {{"output", kF32, {-1, classes}}}, {}};
}
GraphInfo transformers_graph(std::int64_t classes = 3) {
  return {{{"pixel_values", kF32, {-1, -1, -1, -1}}}, {{"logits", kF32, {-1, classes}}}, {}};
}

constexpr const char* kManifest =
    R"({"task": "classification", "class_names": ["a", "b", "c", "d"], "resize": {"shortest_edge": 10}, "crop": [8, 8]})";

std::vector<Candidate> decoded(const Labeller& labeller, const std::vector<float>& logits, const CandidateOptions& options) {
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(logits.size())};
  return labeller.decode(std::array{OutputView{logits, shape}}, {}, options);
}

std::vector<std::int32_t> classes_of(const std::vector<Candidate>& candidates) {
  std::vector<std::int32_t> classes;
  for (const Candidate& candidate : candidates) {
    classes.push_back(candidate.class_index);
  }
  return classes;
}

/// A model folder with the two files of Hugging Face.
class ConfiguredModel {
 public:
  ConfiguredModel(GraphInfo graph, const std::string& config, const std::string& preprocessor, const std::string& manifest = "")
      : engine_(std::move(graph)) {
    if (!config.empty()) {
      folder_.write("config.json", config);
    }
    if (!preprocessor.empty()) {
      folder_.write("preprocessor_config.json", preprocessor);
    }
    if (!manifest.empty()) {
      folder_.write("model.verilabel.json", manifest);
    }
  }
  std::unique_ptr<Labeller> load() { return load_labeller(engine_, folder_.model()); }
  Error error() {
    return error_of([&] { load(); });
  }

 private:
  ModelFolder folder_;
  StatedGraphEngine engine_;
};

constexpr const char* kConfig = R"({"model_type": "vit", "id2label": {"2": "two", "0": "zero", "10": "ten", "1": "N/A"}})";
constexpr const char* kVit = R"({"image_processor_type": "ViTImageProcessorFast", "size": {"height": 8, "width": 8}})";

TEST(Classifier, KeepsTheBestClassesAboveTheFloor) {
  const auto classifier = labeller_of(plain_graph(), kManifest);
  EXPECT_EQ(classifier->card().family, "classifier");
  EXPECT_EQ(classifier->default_options().max_detections, 5);
  EXPECT_EQ(classifier->graph().fixed_batch, 0);
  EXPECT_THAT(input_shapes_of(classifier->graph(), 3), ElementsAre(ElementsAre(3, 3, 8, 8)));
  // Softmax of log 4, log 2, log 1, log 1: 4 / 8, 2 / 8, 1 / 8, 1 / 8.
  const std::vector<float> logits = {std::log(2.0F), 0, std::log(4.0F), 0};
  const auto found = decoded(*classifier, logits, {.floor = 0.1, .max_detections = 5});
  EXPECT_THAT(classes_of(found), ElementsAre(2, 0, 1, 3));
  EXPECT_NEAR(found[0].score, 0.5, 1e-7);
  EXPECT_NEAR(found[3].score, 0.125, 1e-7);
  EXPECT_EQ(found[0].kind, LabelKind::classification);
  EXPECT_EQ(found[0].box_xywh_px, Box{});
  EXPECT_THAT(classes_of(decoded(*classifier, logits, {.floor = 0.2})), ElementsAre(2, 0));
  EXPECT_THAT(classes_of(decoded(*classifier, logits, {.floor = 0, .max_detections = 1})), ElementsAre(2));
  EXPECT_THAT(classes_of(decoded(*classifier, logits, {.floor = 0, .is_class_wanted = {1, 0, 0, 1}})), ElementsAre(0, 3));
}

TEST(Classifier, SigmoidAndScoresAsTheyAre) {
  const std::string start = R"({"task": "classification", "class_names": ["a", "b"], "resize": {"height": 8, "width": 8}, )";
  const auto sigmoid = labeller_of(plain_graph(2), start + R"("activation": "sigmoid"})");
  const auto found = decoded(*sigmoid, {0, std::log(3.0F)}, {.floor = 0.1});
  EXPECT_THAT(classes_of(found), ElementsAre(1, 0));
  EXPECT_NEAR(found[0].score, 0.75, 1e-7);  // 3 / (3 + 1)
  EXPECT_NEAR(found[1].score, 0.5, 1e-7);
  const auto plain = labeller_of(plain_graph(2), start + R"("activation": "none"})");
  EXPECT_EQ(decoded(*plain, {0.25F, 0.75F}, {})[0].score, 0.75);
  const Error error = error_of([&] { decoded(*plain, {0.25F, 7}, {}); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("scores from 0.25 to 7"), HasSubstr("activation")));
  EXPECT_EQ(error_of([&] { decoded(*sigmoid, {INFINITY, 0}, {}); }).code(), ErrorCode::bad_model);
  EXPECT_EQ(error_of([&] { decoded(*sigmoid, {std::nanf(""), 0}, {}); }).code(), ErrorCode::bad_model);
  EXPECT_EQ(error_of([&] { decoded(*sigmoid, {0, 0, 0}, {}); }).code(), ErrorCode::bad_model);
}

TEST(Classifier, AManifestMustSayWhatAGraphDoesNot) {
  const auto message = [](const std::string& manifest, GraphInfo graph = plain_graph()) {
    const Error error = error_of([&] { labeller_of(std::move(graph), manifest); });
    return fmt::format("{} {}", info(error.code()).name, error.what());
  };
  EXPECT_THAT(message(R"({"task": "classification", "class_names": ["a", "b", "c", "d"]})"),
              AllOf(HasSubstr("bad_data"), HasSubstr("resize")));
  EXPECT_THAT(message(R"({"task": "classification", "resize": {"shortest_edge": 10}})"),
              AllOf(HasSubstr("bad_model"), HasSubstr("4 classes"), HasSubstr("class_names_file")));
  EXPECT_THAT(message(R"({"task": "classification", "class_names": ["a"], "resize": {"shortest_edge": 10}})"),
              HasSubstr("the graph has 4 classes, but 1 names"));
  EXPECT_THAT(message(R"({"task": "classification", "class_names": ["a", "b", "c", "d"], "resize": {"height": 9, "width": 8}})"),
              HasSubstr("prepared as 8 x 9 pixels, but the graph takes input f32 [?, 3, 8, 8]"));
  EXPECT_THAT(message(R"({"task": "classification", "nms_iou": 0.5, "resize": {"shortest_edge": 10}})"),
              AllOf(HasSubstr("bad_data"), HasSubstr("'nms_iou'"), HasSubstr("means nothing")));
  EXPECT_THAT(message(R"({"class_names": ["a", "b", "c", "d"]})"), HasSubstr("fits none of the families"));
  const auto of_images = [&](std::vector<std::int64_t> shape) {
    return message("{}", {{{"input", kF32, std::move(shape)}}, {{"output", kF32, {1, 4}}}, {}});
  };
  EXPECT_THAT(of_images({1, 8, 8, 3}), AllOf(HasSubstr("bad_model"), HasSubstr("channels last"), HasSubstr("[1, 8, 8, 3]")));
  EXPECT_THAT(of_images({-1, -1, -1, 3}), HasSubstr("channels last"));
  EXPECT_THAT(of_images({-1, 1, 8, 8}), HasSubstr("one channel"));
  EXPECT_THAT(of_images({1, 4, 8, 8}), HasSubstr("four channels"));
  GraphInfo dynamic = plain_graph();
  dynamic.inputs[0].shape = {-1, 3, -1, -1};
  EXPECT_THAT(
      message(R"({"task": "classification", "class_names": ["a", "b", "c", "d"], "resize": {"shortest_edge": 10}})", dynamic),
      HasSubstr("as crop"));
}

TEST(Classifier, TheMetadataNamesWhatTheManifestDoesNot) {
  const std::string start = R"({"task": "classification", "resize": {"height": 8, "width": 8})";
  GraphInfo graph = plain_graph(-1);
  graph.metadata = {{"names", "{0: 'ant', 1: 'bee'}"}};
  EXPECT_THAT(ConfiguredModel(graph, "", "", start + "}").load()->class_names(), ElementsAre("ant", "bee"));
  graph.metadata["names"] = "not Python's";
  ConfiguredModel named(graph, "", "", start + R"(, "class_names": ["a", "b", "c"]})");
  EXPECT_THAT(named.load()->class_names(), ElementsAre("a", "b", "c"));
}

TEST(Classifier, NamesFromAFileMayRepeat) {
  const ModelFolder folder;
  folder.write("names.txt", "crane\nbee\r\ncrane\nN/A\n");
  folder.write("model.verilabel.json",
               R"({"task": "classification", "class_names_file": "names.txt", "resize": {"height": 8, "width": 8}})");
  StatedGraphEngine engine(plain_graph());
  const auto classifier = load_labeller(engine, folder.model());
  EXPECT_THAT(classifier->class_names(), ElementsAre("crane (0)", "bee", "crane (2)"));
  EXPECT_THAT(classifier->notes(), ElementsAre(HasSubstr("the numbers 3 stand for no class"), HasSubstr("crane (0), crane (2)")));
  // What is no class is no candidate, and the others keep their names.
  EXPECT_THAT(classes_of(decoded(*classifier, {0, 1, 2, 9}, {.floor = 0})), ElementsAre(2, 1, 0));

  folder.write("names.txt", "crane\nbee\ncrane\ncrane (2)\n");
  StatedGraphEngine other(plain_graph());
  EXPECT_THAT(load_labeller(other, folder.model())->class_names(), ElementsAre("crane (0)", "bee", "crane (2) (2)", "crane (2)"));

  const auto message = [&](const std::string& names) {
    folder.write("names.txt", names);
    const Error error = error_of([&] { load_labeller(engine, folder.model()); });
    return fmt::format("{} {}", info(error.code()).name, error.what());
  };
  EXPECT_THAT(message("a\n\nb\n"), AllOf(HasSubstr("bad_data"), HasSubstr("empty line"), HasSubstr("line: 2")));
  EXPECT_THAT(message("a\n\xff\n"), AllOf(HasSubstr("not UTF-8"), HasSubstr("line: 2")));
  EXPECT_THAT(message(""), HasSubstr("is empty"));
}

TEST(TransformersClassifier, NamesComeInNumericOrder) {
  ConfiguredModel model(transformers_graph(11), kConfig, kVit);
  const auto classifier = model.load();
  EXPECT_EQ(classifier->card().family, "transformers_classifier");
  EXPECT_THAT(classifier->class_names(), ElementsAre("zero", "two", "ten"));
  EXPECT_THAT(classifier->notes(), ElementsAre(HasSubstr("1, 3, 4, 5, 6, 7, 8, 9 stand for no class")));
  EXPECT_EQ(classifier->input_width(), 8);
  EXPECT_THAT(classifier->card().class_source, HasSubstr("config.json"));
}

TEST(TransformersClassifier, TheProblemDecidesHowScoresAreMade) {
  const std::string start = R"({"id2label": {"0": "a", "1": "b"}, "problem_type": )";
  ConfiguredModel several(transformers_graph(2), start + R"("multi_label_classification"})", kVit);
  EXPECT_NEAR(decoded(*several.load(), {0, -9}, {})[0].score, 0.5, 1e-7);
  ConfiguredModel one(transformers_graph(2), start + R"("single_label_classification"})", kVit);
  EXPECT_NEAR(decoded(*one.load(), {0, -9}, {})[0].score, 1 / (1 + std::exp(-9.0)), 1e-7);
  ConfiguredModel lone(transformers_graph(1), R"({"id2label": {"0": "a"}})", kVit);
  EXPECT_NEAR(decoded(*lone.load(), {0}, {})[0].score, 0.5, 1e-7);
  ConfiguredModel said(transformers_graph(1), R"({"id2label": {"0": "a"}, "problem_type": "single_label_classification"})", kVit);
  EXPECT_NEAR(decoded(*said.load(), {0}, {})[0].score, 0.5, 1e-7) << "a softmax over one would be 1 whatever the image";
  ConfiguredModel regression(transformers_graph(2), start + R"("regression"})", kVit);
  EXPECT_THAT(regression.error().what(), AllOf(HasSubstr("regression"), HasSubstr("config.json")));
}

TEST(TransformersClassifier, AFlagThatIsNullIsOff) {
  const auto preprocessing = [](const std::string& more) {
    return ConfiguredModel(transformers_graph(11), kConfig,
                           R"({"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8})" + more + "}")
        .load()
        ->card()
        .preprocessing;
  };
  EXPECT_EQ(preprocessing(R"(, "do_normalize": null)"), preprocessing(R"(, "do_normalize": false)"));
  EXPECT_EQ(preprocessing(R"(, "do_rescale": null)"), preprocessing(R"(, "do_rescale": false)"));
  EXPECT_NE(preprocessing(R"(, "do_normalize": null)"), preprocessing(""));
}

// The sizes that transformers 5.24 makes of an image of 90 x 60 when `size` is 48.
TEST(TransformersClassifier, ASizeOfOneNumberIsASquareOrTheShorterSide) {
  const ModelFolder folder;
  const auto resized = [&](const std::string& type, const std::string& more = "") {
    folder.write("p.json",
                 R"({"image_processor_type": ")" + type + R"(ImageProcessor", "size": 48, "do_center_crop": false)" + more + "}");
    return read_image_processor(folder.model().parent_path() / "p.json").resized(90, 60);
  };
  constexpr InputSize kSquare{48, 48};
  constexpr InputSize kShorterSide{48, 72};
  for (const char* type : {"ViT", "DeiT", "Beit", "Pvt", "Segformer", "EfficientNet", "OwlViT"}) {
    EXPECT_EQ(resized(type), kSquare) << type;
    EXPECT_EQ(resized(type, R"(, "default_to_square": false)"), kShorterSide) << type;
  }
  for (const char* type : {"Siglip", "Bit", "CLIP", "MobileNetV1", "MobileNetV2", "MobileViT"}) {
    EXPECT_EQ(resized(type), kShorterSide) << type;
    EXPECT_EQ(resized(type, R"(, "default_to_square": true)"), kSquare) << type;
  }
  EXPECT_EQ(resized("Levit"), (InputSize{54, 81}));
  EXPECT_EQ(resized("Levit", R"(, "default_to_square": true)"), kSquare);
  EXPECT_EQ(resized("Detr", R"(, "default_to_square": true)"), kShorterSide);
}

TEST(TransformersClassifier, WhatIsNotKnownIsRefusedByName) {
  const auto message = [](const std::string& preprocessor, const std::string& config = kConfig) {
    const Error error = ConfiguredModel(transformers_graph(11), config, preprocessor).error();
    return fmt::format("{} {}", info(error.code()).name, error.what());
  };
  const auto vit_with = [](const std::string& more) {
    return R"({"image_processor_type": "ViTImageProcessor", "size": 8, )" + more + "}";
  };
  EXPECT_THAT(message(R"({"image_processor_type": "DonutImageProcessor"})"),
              AllOf(HasSubstr("bad_data"), HasSubstr("'Donut' is not known"), HasSubstr("ViTImageProcessor"),
                    HasSubstr("preprocessor_config.json")));
  EXPECT_THAT(message("{}"), HasSubstr("image_processor_type"));
  EXPECT_THAT(message(vit_with(R"("do_thumbnail": true)")), HasSubstr("'do_thumbnail' = true"));
  EXPECT_THAT(message(vit_with(R"("do_pad": true)")), HasSubstr("do_pad"));
  EXPECT_THAT(message(vit_with(R"("resample": 9)")), HasSubstr("resample"));
  EXPECT_THAT(message(vit_with(R"("image_std": [1, 0, 1])")), HasSubstr("image_std"));
  EXPECT_THAT(message(vit_with(R"("do_center_crop": true)")), HasSubstr("crop_size"));
  EXPECT_THAT(message(R"({"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 8}})"), HasSubstr("longest_edge"));
  EXPECT_THAT(message(R"({"image_processor_type": "BitImageProcessor", "do_center_crop": false})"),
              HasSubstr("depends on the image"));
  EXPECT_THAT(message("{"), HasSubstr("not JSON"));
  EXPECT_THAT(message(""), HasSubstr("preprocessor_config.json"));
  EXPECT_THAT(message(kVit, ""), HasSubstr("config.json"));
  EXPECT_THAT(message(kVit, R"({"model_type": "vit"})"), HasSubstr("nothing names them"));
  EXPECT_THAT(message(kVit, R"({"id2label": {"one": "a"}})"), AllOf(HasSubstr("'one'"), HasSubstr("id2label")));
  EXPECT_THAT(message(kVit, R"({"id2label": {"0": 1}})"), HasSubstr("id2label"));
  EXPECT_THAT(message(kVit, R"({"id2label": {"0": "a"}})"), HasSubstr("11 classes, but 1 names"));
}

TEST(TransformersClassifier, AManifestMayNameClassesAndNothingMore) {
  ConfiguredModel named(transformers_graph(2), R"({"model_type": "vit"})", kVit, R"({"class_names": ["ant", "bee"]})");
  EXPECT_THAT(named.load()->class_names(), ElementsAre("ant", "bee"));
  ConfiguredModel faulty(transformers_graph(2), R"({"model_type": "vit"})", kVit, R"({"mean": [1, 2, 3]})");
  EXPECT_THAT(faulty.error().what(), AllOf(HasSubstr("'mean'"), HasSubstr("means nothing")));
}

TEST(TransformersClassifier, TimmStatesItsPreprocessingInConfigJson) {
  const std::string start = R"({"label_names": ["n0", "n1"], "label_descriptions": {"n1": "bee"}, "pretrained_cfg": )";
  ConfiguredModel model(transformers_graph(2), start + R"({"input_size": [3, 8, 8], "crop_pct": 0.9}})", "");
  const auto classifier = model.load();
  EXPECT_THAT(classifier->class_names(), ElementsAre("n0", "bee"));
  EXPECT_THAT(classifier->card().preprocessing, HasSubstr("shorter side to 8 (Pillow's bicubic), centre of 8 x 8, RGB / 255"));
  ConfiguredModel border(transformers_graph(2), start + R"({"input_size": [3, 8, 8], "crop_mode": "border"}})", "");
  EXPECT_THAT(border.error().what(), HasSubstr("crop_mode"));
}

TEST(UltralyticsClassifier, IsRecognisedByItsTask) {
  GraphInfo graph{{{"images", kF32, {1, 3, 8, 8}}},
                  {{"output0", kF32, {1, 2}}},
                  {{"task", "classify"}, {"names", "{0: 'ant', 1: 'bee'}"}, {"imgsz", "[8, 8]"}}};
  const auto classifier = labeller_of(graph);
  EXPECT_EQ(classifier->card().family, "ultralytics_classifier");
  EXPECT_THAT(classifier->class_names(), ElementsAre("ant", "bee"));
  EXPECT_EQ(decoded(*classifier, {0.25F, 0.75F}, {})[0].score, 0.75);
}

TEST(ModelFiles, AFolderIsSearchedForItsGraph) {
  const ModelFolder folder;
  const fs::path root = folder.model().parent_path();
  EXPECT_EQ(find_model_files(root).graph, root / "model.onnx");
  fs::create_directories(root / "onnx");
  folder.write("onnx/model.onnx", "other");
  folder.write("config.json", "{}");
  const ModelFiles files = find_model_files(root);
  EXPECT_EQ(files.graph, root / "onnx/model.onnx");
  EXPECT_EQ(files.config, root / "config.json");
  EXPECT_TRUE(files.preprocessor.empty());
  fs::remove(root / "onnx/model.onnx");
  fs::remove(root / "model.onnx");
  EXPECT_THAT(error_of([&] { find_model_files(root); }).what(), HasSubstr("holds no .onnx file"));
  folder.write("onnx/model_int8.onnx", "x");
  EXPECT_EQ(find_model_files(root).graph, root / "onnx/model_int8.onnx");
  folder.write("onnx/model_fp16.onnx", "x");
  const Error error = error_of([&] { find_model_files(root); });
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.what(), HasSubstr("onnx/model_fp16.onnx, onnx/model_int8.onnx"));
}

// An entry of the protocol buffer that names a file of weights: the string "location", then the name.
TEST(ModelFiles, TheHashCoversWeightsInOtherFiles) {
  const ModelFolder folder;
  const std::string alone = sha256_of_weights(find_model_files(folder.model()));
  EXPECT_EQ(alone, sha256_of_file(folder.model()));
  folder.write("model.onnx", std::string("..\x0a\x08location\x12\x0fmodel.onnx_data..", 30));
  EXPECT_THAT(error_of([&] { find_model_files(folder.model()); }).what(),
              AllOf(HasSubstr("model.onnx_data"), HasSubstr("not beside")));
  folder.write("model.onnx_data", "abc");
  const ModelFiles files = find_model_files(folder.model());
  ASSERT_EQ(files.external.size(), 1U);
  EXPECT_EQ(sha256_of_weights(files),
            sha256_of(fmt::format("{}  model.onnx\n{}  model.onnx_data\n", sha256_of_file(folder.model()), sha256_of("abc"))));
  const std::string before = sha256_of_weights(files);
  folder.write("model.onnx_data", "abd");
  EXPECT_NE(sha256_of_weights(files), before);
}

/// The shared MobileNetV2 with a manifest of its own.
class MobileNet {
 public:
  MobileNet(const fs::path& models, const std::string& scaling, const std::string& engine = "openvino")
      : graph_(models / "mobilenet_v2_int8.onnx"), engine_(open_engine(engine)) {
    folder_.write("mobilenet.json",
                  fmt::format(R"({{"task": "classification", "class_names_file": "{}", "resize": {{"shortest_edge": 256}},)"
                              R"("crop": [224, 224]{}}})",
                              (models / "imagenet_names.txt").native(), scaling));
    labeller_ = load_labeller(*engine_, graph_, {.manifest = folder_.model().parent_path() / "mobilenet.json"});
    CompileOptions options;
    options.input_shapes = input_shapes_of(labeller_->graph(), 1);
    compiled_ = engine_->compile(graph_, options);
    request_ = compiled_->create_request();
  }

  const Labeller& labeller() const { return *labeller_; }
  std::span<const float> prepare(const Image& image) {
    transform_ = labeller_->preprocess(image, std::array{InputView{request_->input(0), {}}}, scratch_, 0);
    return request_->input(0);
  }
  std::span<const float> logits() {
    std::promise<void> promise;
    request_->start([&](std::exception_ptr failure) { failure ? promise.set_exception(failure) : promise.set_value(); });
    promise.get_future().get();
    return request_->output(0);
  }
  Candidate best() {
    const std::vector<std::int64_t> shape = {1000};
    const auto found = labeller_->decode(std::array{OutputView{logits(), shape}}, transform_, {.floor = 0, .max_detections = 1});
    return found.at(0);
  }

 private:
  ModelFolder folder_;
  fs::path graph_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Labeller> labeller_;
  std::unique_ptr<CompiledModel> compiled_;
  std::unique_ptr<InferRequest> request_;
  InputTransform transform_;
  Image scratch_;
};

TEST(MobileNetV2, PixelsEqualPillowsAndClassesThoseOfTheSameEngineOnEveryPhotograph) {
  const char* given = std::getenv("VERILABEL_TEST_DATA");
  const fs::path data = given != nullptr && *given != '\0' ? fs::path(given) : fs::path(VERILABEL_SOURCE_DIR) / "../shared/data";
  if (!fs::exists(data / "models/mobilenet_v2_int8.onnx")) {
    GTEST_SKIP() << "no mobilenet_v2_int8.onnx under " << data;
  }
  std::vector<fs::path> photographs;
  for (const char* folder : {"coco128-val/images", "hymenoptera-val"}) {
    for (const auto& entry : fs::recursive_directory_iterator(data / folder)) {
      if (entry.path().extension() == ".jpg") {
        photographs.push_back(entry.path());
      }
    }
  }
  const ModelFolder folder;
  const fs::path root = folder.model().parent_path();
  {
    std::ofstream list(root / "list.txt");
    for (const fs::path& photograph : photographs) {
      list << photograph.native() << '\n';
    }
  }
  const std::string script = std::string(VERILABEL_SOURCE_DIR) + "/src/verilabel/models/reference_classifier.py";
  const int status = std::system(fmt::format("'{0}/bin/python' '{1}' '{2}' '{3}/list.txt' '{3}/answers.txt'", VERILABEL_VENV,
                                             script, (data / "models/mobilenet_v2_int8.onnx").native(), root.native())
                                     .c_str());
  if (!fs::exists(fs::path(VERILABEL_VENV) / "bin/python") || (WIFEXITED(status) && WEXITSTATUS(status) == 3)) {
    GTEST_SKIP() << "Pillow, OpenVINO or ONNX Runtime is not installed in " << VERILABEL_VENV;
  }
  ASSERT_EQ(status, 0) << "the reference script failed";

  MobileNet pixels(data / "models", R"(, "activation": "softmax")");
  const std::string scaling = R"(, "scale": 0.00392156862745098, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225])";
  MobileNet scaled(data / "models", scaling);
  MobileNet scaled_elsewhere(data / "models", scaling, "onnxruntime");
  std::ifstream answers(root / "answers.txt");
  int same = 0;
  for (const fs::path& photograph : photographs) {
    SCOPED_TRACE(photograph.native());
    std::string sha256;
    std::int32_t best = -1;
    std::int32_t best_elsewhere = -1;
    std::string tensor_sha256;
    ASSERT_TRUE(answers >> sha256 >> tensor_sha256 >> best >> best_elsewhere);
    Image image;
    decode(photograph, image);
    const std::span<const float> chw = pixels.prepare(image);
    std::string bytes(chw.size(), '\0');
    for (std::size_t i = 0; i < chw.size() / 3; ++i) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        bytes[3 * i + channel] = static_cast<char>(static_cast<std::uint8_t>(chw[channel * chw.size() / 3 + i]));
      }
    }
    EXPECT_EQ(sha256_of(bytes), sha256);
    const std::span<const float> tensor = scaled.prepare(image);
    EXPECT_EQ(sha256_of({reinterpret_cast<const char*>(tensor.data()), tensor.size_bytes()}), tensor_sha256);
    EXPECT_EQ(scaled.best().class_index, best);
    scaled_elsewhere.prepare(image);
    EXPECT_EQ(scaled_elsewhere.best().class_index, best_elsewhere);
    ++same;
  }
  EXPECT_GE(same, 280);
}

}  // namespace
}  // namespace verilabel
