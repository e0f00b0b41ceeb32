#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace verilabel {

/// What belongs to a model on disk.
struct ModelFiles {
  std::filesystem::path graph;                  ///< the .onnx file
  std::vector<std::filesystem::path> external;  ///< files beside it that hold its larger weights, by name
  std::filesystem::path config;                 ///< config.json beside the graph or one folder up; empty when there is none
  std::filesystem::path preprocessor;           ///< preprocessor_config.json, likewise
};

/// The files of a model that is named by its .onnx file, or by a folder in Hugging Face's layout: of that onnx/model.onnx, else
/// model.onnx, else the only .onnx file in the two places. Throws `not_found`, `io`; `wrong_use` for a folder with several graphs
/// or none, listing them; `bad_model` when a file of weights is missing that the graph names.
ModelFiles find_model_files(const std::filesystem::path& model);

/// SHA-256 of the graph; when it has weights in other files, of the lines "SHA-256  NAME" of all of them. Throws `not_found`, `io`.
std::string sha256_of_weights(const ModelFiles& files);

}  // namespace verilabel
