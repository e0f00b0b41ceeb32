#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace verilabel {

/// What belongs to a model on disk.
struct ModelFiles {
  std::filesystem::path graph;      ///< the .onnx file; of two, the one that takes the image
  std::filesystem::path companion;  ///< the other of a model in two graphs: text tower, decoder; empty when there is none
  std::vector<std::filesystem::path> external;  ///< files beside them that hold their larger weights, by name
  std::filesystem::path config;                 ///< config.json beside the graph or one folder up; empty when there is none
  std::filesystem::path preprocessor;           ///< preprocessor_config.json, likewise
  std::filesystem::path tokenizer;              ///< tokenizer.json, likewise
  std::filesystem::path tokenizer_config;       ///< tokenizer_config.json, likewise
};

/// The files of a model that is named by a file of its graph, or by a folder in Hugging Face's layout.
///
/// A model may lie in two graphs, told by their names: vision_model and text_model, vision_encoder and prompt_encoder_mask_decoder,
/// visual and textual, encoder and decoder, each with whatever stands before ("mobile_sam.") and after it ("_fp16"), the same for
/// both; or model and text_model. Of a folder, and of onnx/ in it, the first of these that is there is taken, else model.onnx;
/// where there is none in full precision, the one precision that there is; else the only .onnx file. Throws `not_found`, `io`;
/// `wrong_use` for a folder with several graphs or none, listing them; `bad_model` when a file of weights is missing that a graph
/// names.
ModelFiles find_model_files(const std::filesystem::path& model);

/// SHA-256 of the graph; when the model has more files, of the lines "SHA-256  NAME" of all of them. Throws `not_found`, `io`.
std::string sha256_of_weights(const ModelFiles& files);

}  // namespace verilabel
