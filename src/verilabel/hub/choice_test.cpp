#include "verilabel/hub/choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;

std::vector<HubFile> listing(std::initializer_list<const char*> paths) {
  std::vector<HubFile> files;
  for (const char* path : paths) {
    files.push_back({path, 1, std::string(40, 'a'), true});
  }
  return files;
}

std::vector<std::string> chosen(const std::vector<HubFile>& files, const FileChoice& choice = {}) {
  std::vector<std::string> paths;
  for (const HubFile& file : choose_files(files, choice)) {
    paths.push_back(file.path);
  }
  return paths;
}

Error error_of(const std::vector<HubFile>& files, const FileChoice& choice = {}) {
  try {
    chosen(files, choice);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {ErrorCode::internal, ""};
}

const std::vector<HubFile> kClip =
    listing({".gitattributes", "README.md", "config.json", "merges.txt", "onnx/model.onnx", "onnx/model_fp16.onnx",
             "onnx/model_q4f16.onnx", "onnx/model_quantized.onnx", "onnx/text_model.onnx", "onnx/text_model_fp16.onnx",
             "onnx/text_model_quantized.onnx", "onnx/vision_model.onnx", "onnx/vision_model_fp16.onnx",
             "onnx/vision_model_quantized.onnx", "preprocessor_config.json", "pytorch_model.bin", "tokenizer.json", "vocab.json"});

TEST(GraphName, SplitsFolderPartAndDtype) {
  const auto expect = [](std::string_view path, std::string_view folder, std::string_view part, GraphDtype dtype) {
    const auto name = parse_graph_name(path);
    ASSERT_TRUE(name) << path;
    EXPECT_EQ(name->folder, folder) << path;
    EXPECT_EQ(name->part, part) << path;
    EXPECT_EQ(name->dtype, dtype) << path;
  };
  expect("model.onnx", "", "model", GraphDtype::fp32);
  expect("onnx/model_fp16.onnx", "onnx", "model", GraphDtype::fp16);
  expect("a/b/text_model_quantized.onnx", "a/b", "text_model", GraphDtype::q8);
  expect("model_q4f16.onnx", "", "model", GraphDtype::q4f16);
  expect("model_q4.onnx", "", "model", GraphDtype::q4);
  expect("model_uint8.onnx", "", "model", GraphDtype::uint8);
  expect("model_int8.onnx", "", "model", GraphDtype::int8);
  expect("model_bnb4.onnx", "", "model", GraphDtype::bnb4);
  expect("_fp16.onnx", "", "_fp16", GraphDtype::fp32);
  EXPECT_FALSE(parse_graph_name("model.onnx_data"));
}

TEST(ChooseFiles, TakesEveryPartInTheDtypeAndItsCompany) {
  EXPECT_THAT(chosen(kClip), ElementsAre("README.md", "config.json", "merges.txt", "onnx/model.onnx", "onnx/text_model.onnx",
                                         "onnx/vision_model.onnx", "preprocessor_config.json", "tokenizer.json", "vocab.json"));
  EXPECT_THAT(chosen(kClip, {.dtype = GraphDtype::q8}),
              IsSupersetOf({"onnx/model_quantized.onnx", "onnx/text_model_quantized.onnx", "onnx/vision_model_quantized.onnx"}));
  EXPECT_THAT(chosen(kClip, {.dtype = GraphDtype::q8}), Not(Contains("onnx/model.onnx")));
}

TEST(ChooseFiles, APartWithoutTheDtypeIsNamedWithThoseItHas) {
  const Error error = error_of(kClip, {.dtype = GraphDtype::q4f16});
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_EQ(error.context().at(0).second, "onnx/text_model_q4f16.onnx");
  EXPECT_EQ(error.context().at(1).second, "fp32, fp16, q8");
  EXPECT_EQ(error_of(listing({"model_quantized.onnx"})).context().at(1).second, "q8");
}

TEST(ChooseFiles, WeightsComeWithTheirGraph) {
  const auto files = listing({"config.json", "onnx/prompt_encoder_mask_decoder.onnx", "onnx/prompt_encoder_mask_decoder.onnx_data",
                              "onnx/vision_encoder.onnx", "onnx/vision_encoder.onnx_data", "onnx/vision_encoder.onnx_data_1",
                              "onnx/vision_encoder_fp16.onnx", "onnx/vision_encoder_fp16.onnx_data",
                              "onnx/prompt_encoder_mask_decoder_fp16.onnx"});
  EXPECT_THAT(chosen(files),
              ElementsAre("config.json", "onnx/prompt_encoder_mask_decoder.onnx", "onnx/prompt_encoder_mask_decoder.onnx_data",
                          "onnx/vision_encoder.onnx", "onnx/vision_encoder.onnx_data", "onnx/vision_encoder.onnx_data_1"));
  EXPECT_THAT(chosen(files, {.dtype = GraphDtype::fp16}),
              ElementsAre("config.json", "onnx/prompt_encoder_mask_decoder_fp16.onnx", "onnx/vision_encoder_fp16.onnx",
                          "onnx/vision_encoder_fp16.onnx_data"));
  EXPECT_TRUE(is_external_data_of("model.onnx.data", "model.onnx"));
  EXPECT_FALSE(is_external_data_of("model.onnx", "model.onnx"));
  EXPECT_FALSE(is_external_data_of("model.onnx_data/x", "model.onnx"));
}

TEST(ChooseFiles, TheFolderOnnxComesBeforeTheTop) {
  EXPECT_THAT(chosen(listing({"model.onnx", "onnx/model.onnx"})), ElementsAre("onnx/model.onnx"));
  EXPECT_THAT(chosen(listing({"model.onnx", "other/model.onnx"})), ElementsAre("model.onnx"));
  EXPECT_THAT(chosen(listing({"config.json", "deep/folder/config.json", "deep/folder/net.onnx", "other/config.json"})),
              ElementsAre("config.json", "deep/folder/config.json", "deep/folder/net.onnx"));
  EXPECT_THAT(
      chosen(listing({"config.json", "sub/config.json", "sub/onnx/config.json", "sub/onnx/model.onnx", "sub/x/config.json"})),
      ElementsAre("config.json", "sub/config.json", "sub/onnx/config.json", "sub/onnx/model.onnx"));
  EXPECT_EQ(error_of(listing({"a/model.onnx", "b/model.onnx"})).code(), ErrorCode::wrong_use);
}

TEST(ChooseFiles, GraphsWhoseNamesSayNothingAreNotGuessedAt) {
  EXPECT_THAT(chosen(listing({"yolox_s.onnx"})), ElementsAre("yolox_s.onnx"));
  const Error error = error_of(listing({"yolo11n.onnx", "yolo11s.onnx"}));
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_EQ(error.context().at(0).second, "yolo11n.onnx, yolo11s.onnx");
  EXPECT_THAT(chosen(listing({"onnx/model.onnx", "onnx/decoder_with_past_model.onnx", "onnx/extra.onnx"})),
              ElementsAre("onnx/model.onnx"));
  EXPECT_EQ(error_of(listing({"model.safetensors", "config.json"})).code(), ErrorCode::not_found);
}

TEST(ChooseFiles, GlobsReplaceTheLayout) {
  const auto files = listing({"config.json", "yolo11n.onnx", "yolo11n.onnx_data", "yolo11s.onnx", "notes.txt"});
  EXPECT_THAT(chosen(files, {.globs = {"yolo11n.onnx"}}), ElementsAre("config.json", "yolo11n.onnx", "yolo11n.onnx_data"));
  EXPECT_THAT(chosen(files, {.globs = {"*.onnx", "notes.*"}}),
              ElementsAre("config.json", "notes.txt", "yolo11n.onnx", "yolo11n.onnx_data", "yolo11s.onnx"));
  const Error error = error_of(files, {.globs = {"*.onnx", "missing*"}});
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_EQ(error.context().at(0).second, "missing*");
}

TEST(ChooseFiles, ACatalogueNamesItsGraphs) {
  EXPECT_THAT(chosen(kClip, {.dtype = GraphDtype::fp16, .graphs = {"onnx/vision_model.onnx"}}),
              Contains("onnx/vision_model_fp16.onnx"));
  EXPECT_THAT(chosen(kClip, {.graphs = {"onnx/vision_model.onnx"}}), Not(Contains("onnx/model.onnx")));
  EXPECT_EQ(error_of(kClip, {.graphs = {"onnx/other.onnx"}}).code(), ErrorCode::not_found);
}

TEST(ChooseFiles, AbsentCompanionsAreThoseThatProgramsLookFor) {
  EXPECT_THAT(absent_companions(kClip), ElementsAre("tokenizer_config.json", "processor_config.json"));
}

}  // namespace
}  // namespace verilabel
