#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/engine/engine.h"
#include "verilabel/models/family.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/prompts.h"
#include "verilabel/text/tokenizer.h"

// Private to the module.
namespace verilabel {

/// Whether an input takes texts: [texts, tokens].
bool is_of_texts(const TensorInfo& input);
/// The first such input. Throws `bad_model` without one.
const TensorInfo& text_input_of(const GraphInfo& graph, const std::filesystem::path& file);

/// The graph that reads texts, and how they are put before it.
struct TextTower {
  std::filesystem::path graph;
  GraphInfo info;
  std::size_t output = 0;  ///< of the graph: [texts, features], or [texts, 1, features]
  Tokenizer tokenizer;
  int max_tokens = 0;        ///< that it reads, marks of beginning and end included
  std::int64_t pad_id = 0;   ///< where no text is
  bool pads_to_max = false;  ///< every text, as the model was trained; otherwise the texts of an inference to the longest of them
  bool pads_left = false;    ///< otherwise behind the text
  std::optional<std::int64_t> end_id =
      std::nullopt;              ///< the only mark, whatever the tokenizer itself would add; nothing where that knows
  InputSize image = {224, 224};  ///< that a graph of both towers takes beside the texts
  bool is_cleaned = false;       ///< `plain_words`: the first SigLIP
  bool is_lowered = false;       ///< lower case: SigLIP 2
};

/// Throws `bad_model` unless two texts became as many numbers.
void require_same_dimensions(const TextTower& tower, std::size_t some, std::size_t others);

/// tokenizer.json beside the graph. Throws `bad_model` when there is none, `bad_data` for one that is faulty or, by the number of
/// its tokens, another model's.
Tokenizer load_tokenizer(const ModelSource& source, const std::filesystem::path& graph, const ModelConfig& config);

/// The tower of a graph: tokenizer.json beside it, the number of tokens and the padding from tokenizer_config.json and config.json.
/// Throws `bad_model` for what is missing, `bad_data` for a tokenizer that is none.
TextTower text_tower_of(const ModelSource& source, const std::filesystem::path& graph, const GraphInfo& info, std::size_t output,
                        const ModelConfig& config);

/// The tokens of a text. Throws `wrong_use` for one that is longer than the model reads.
std::vector<std::int64_t> tokens_of(const TextTower& tower, const std::string& text);

/// What one inference takes.
struct TextBatch {
  std::size_t texts = 1;
  std::size_t tokens = 0;  ///< of each, padding included
};
/// As many as `graph` insists on, which reads texts as the tower does, else `texts` texts, of which the longest has `longest`
/// tokens.
TextBatch text_batch_of(const TextTower& tower, const GraphInfo& graph, std::size_t texts, std::size_t longest);

/// Puts the tokens of one text before the model, padding around them. `mask` is empty where the model takes none.
void write_tokens(const TextTower& tower, std::span<const std::int64_t> tokens, std::span<std::int64_t> ids,
                  std::span<std::int64_t> mask);

/// What the model makes of some texts: one row of length 1 a text.
struct TextFeatures {
  std::size_t dimensions = 0;
  std::vector<float> rows;

  std::span<const float> row(std::size_t text) const { return std::span(rows).subspan(text * dimensions, dimensions); }
};

/// Throws `bad_data` unless texts begin and end as CLIP's do: graphs look for the end by its number.
void require_clip_tokens(const ModelSource& source, const TextTower& tower);

/// Encodes the texts, those that `source.options.text_cache` does not know yet. Throws `wrong_use` naming a text that is longer
/// than the model reads; what the engine throws.
TextFeatures encode_texts(const ModelSource& source, const TextTower& tower, std::span<const std::string> texts);

/// The phrasings of prompts, classes first, in one list.
struct Phrasings {
  std::vector<std::string> texts;
  std::vector<std::int32_t> class_of_text;  ///< −1 for a negative
};
Phrasings phrasings_of(const Prompts& prompts);

/// The template with the phrasing for each "{}".
std::string filled_in(const std::string& sentence, const std::string& phrasing);

/// A row for each phrasing: the sentences that the templates make of it, averaged and brought to length 1.
TextFeatures encode_phrasings(const ModelSource& source, const TextTower& tower, const Phrasings& phrasings,
                              std::span<const std::string> templates);

}  // namespace verilabel
