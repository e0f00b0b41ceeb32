#include "verilabel/models/model_files.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TwoGraphs : public testing::Test {
 protected:
  TwoGraphs() : root_(folder_.model().parent_path()) {
    fs::remove(folder_.model());
    fs::create_directories(root_ / "onnx");
  }
  void add(const std::string& name) const { folder_.write(name, "weights of " + name); }
  void expect(const fs::path& model, const std::string& graph, const std::string& companion) const {
    const ModelFiles files = find_model_files(model);
    EXPECT_EQ(files.graph, root_ / graph);
    EXPECT_EQ(files.companion, companion.empty() ? fs::path() : root_ / companion);
  }

  ModelFolder folder_;
  fs::path root_;
};

TEST_F(TwoGraphs, TowersAreTakenBeforeTheGraphOfBoth) {
  add("onnx/model.onnx");
  add("onnx/text_model.onnx");
  expect(root_, "onnx/model.onnx", "onnx/text_model.onnx");
  add("onnx/vision_model.onnx");
  expect(root_, "onnx/vision_model.onnx", "onnx/text_model.onnx");
  add("onnx/vision_model_fp16.onnx");
  add("onnx/text_model_fp16.onnx");
  expect(root_, "onnx/vision_model.onnx", "onnx/text_model.onnx");
  expect(root_ / "onnx/vision_model_fp16.onnx", "onnx/vision_model_fp16.onnx", "onnx/text_model_fp16.onnx");
  expect(root_ / "onnx/text_model_fp16.onnx", "onnx/vision_model_fp16.onnx", "onnx/text_model_fp16.onnx");
}

TEST_F(TwoGraphs, OnePrecisionIsTakenAndOfSeveralOneIsToBeNamed) {
  add("onnx/vision_encoder_q4f16.onnx");
  add("onnx/prompt_encoder_mask_decoder_q4f16.onnx");
  expect(root_, "onnx/vision_encoder_q4f16.onnx", "onnx/prompt_encoder_mask_decoder_q4f16.onnx");
  add("onnx/vision_encoder_fp16.onnx");
  add("onnx/prompt_encoder_mask_decoder_fp16.onnx");
  const Error error = error_of([&] { find_model_files(root_); });
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.what(), HasSubstr("name the one that is meant"));
  add("onnx/vision_encoder.onnx");
  add("onnx/prompt_encoder_mask_decoder.onnx");
  expect(root_, "onnx/vision_encoder.onnx", "onnx/prompt_encoder_mask_decoder.onnx");
}

TEST_F(TwoGraphs, WordsBeforeTheNameAreTheSameForBoth) {
  add("mobile_sam.encoder.onnx");
  add("mobile_sam.decoder.onnx");
  expect(root_, "mobile_sam.encoder.onnx", "mobile_sam.decoder.onnx");
  add("sam2.decoder.onnx");
  expect(root_ / "sam2.decoder.onnx", "sam2.decoder.onnx", "");
  add("autoencoder.onnx");
  add("autodecoder.onnx");
  expect(root_ / "autoencoder.onnx", "autoencoder.onnx", "");
}

TEST_F(TwoGraphs, TheHashIsOfBoth) {
  add("visual.onnx");
  const std::string alone = sha256_of_weights(find_model_files(root_));
  add("textual.onnx");
  const std::string both = sha256_of_weights(find_model_files(root_));
  EXPECT_NE(alone, both);
  folder_.write("textual.onnx", "other weights");
  EXPECT_NE(sha256_of_weights(find_model_files(root_)), both);
}

}  // namespace
}  // namespace verilabel
