#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// Private to the module.
namespace verilabel {

/// What a config.json of Hugging Face says of a model, as far as its labels depend on it.
struct ModelConfig {
  std::filesystem::path path;
  std::string model_type;    ///< empty when it does not say
  std::string problem_type;  ///< likewise
  /// In the order of the model's outputs; empty for a number that has no name ("N/A", or left out). Nothing when the file names
  /// none.
  std::optional<std::vector<std::string>> class_names;
  bool is_timm = false;     ///< written by timm: `pretrained_cfg` states the preprocessing
  int max_text_tokens = 0;  ///< `max_text_len`: tokens of a caption that a detector reads; 0 when the file does not say
  int text_vocabulary = 0;  ///< tokens that a text tower knows; likewise
  int text_positions = 0;   ///< tokens that a text tower knows places for; 0 when the file does not say
  int register_tokens = 0;  ///< behind the class token
  int patch_px = 0;         ///< side of the part of a picture that a token stands for; 0 when the file does not say
  bool is_dilated = false;  ///< DETR's last stage keeps its resolution
};

/// Throws `bad_data` naming file and key.
ModelConfig read_model_config(const std::filesystem::path& file);

}  // namespace verilabel
