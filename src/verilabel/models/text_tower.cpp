#include "verilabel/models/text_tower.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <future>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/models/text_cache.h"
#include "verilabel/text/letter_case.h"
#include "verilabel/text/plain_words.h"

namespace verilabel {
namespace {

/// Texts that go through the tower together.
constexpr std::size_t kTextsPerInference = 16;
constexpr std::size_t kTextsBetweenLooks = 256;  ///< at the cancel token
constexpr int kTokensOfClip = 77;
constexpr int kTokensOfSiglip = 64;

void normalise(std::span<float> row, const std::string& text) {
  double square = 0;
  for (const float value : row) {
    square += static_cast<double>(value) * value;
  }
  if (!(square > 0) || !std::isfinite(square)) {
    throw Error(ErrorCode::bad_model, fmt::format("the model made nothing that can be compared of the text '{}'", text));
  }
  const double length = std::sqrt(square);
  for (float& value : row) {
    value = static_cast<float>(value / length);
  }
}

std::string prepared(const TextTower& tower, const std::string& text) {
  if (tower.is_cleaned) {
    return plain_words(text);
  }
  return tower.is_lowered ? lowercase(text) : text;
}

/// A request with the texts that it is encoding.
struct Running {
  std::unique_ptr<InferRequest> request;
  std::vector<std::size_t> texts;
  std::future<void> done;
};

class Encoder {
 public:
  Encoder(const ModelSource& source, const TextTower& tower, std::size_t texts, std::size_t longest)
      : tower_(tower),
        ids_(input_named("input_ids")),
        batch_(text_batch_of(tower, tower.info, std::min(texts, kTextsPerInference), longest)) {
    for (std::size_t i = 0; i < tower.info.inputs.size(); ++i) {
      if (tower.info.inputs[i].name == "attention_mask") {
        mask_ = i;
      }
    }
    CompileOptions options;
    options.device = source.options.device;
    options.outputs = {tower.output};
    for (const TensorInfo& input : tower.info.inputs) {
      options.input_shapes.push_back(shape_of(input));
    }
    compiled_ = source.engine.compile(tower.graph, options);
    for (int i = 0; i < std::max(1, compiled_->optimal_requests()); ++i) {
      running_.push_back({compiled_->create_request(), {}, {}});
    }
  }

  /// The features of the texts, in the order of their tokens.
  TextFeatures encode(std::span<const std::vector<std::int64_t>> tokens) {
    TextFeatures features;
    std::size_t turn = 0;
    for (std::size_t begin = 0; begin < tokens.size(); begin += batch_.texts) {
      Running& running = running_[turn++ % running_.size()];
      collect(running, tokens.size(), features);
      write(running, tokens, begin);
      auto promise = std::make_shared<std::promise<void>>();
      running.done = promise->get_future();
      running.request->start([promise](const std::exception_ptr& failure) {
        if (failure) {
          promise->set_exception(failure);
        } else {
          promise->set_value();
        }
      });
    }
    for (Running& running : running_) {
      collect(running, tokens.size(), features);
    }
    return features;
  }

 private:
  std::size_t input_named(std::string_view name) const {
    // A tower of one input calls it what it likes.
    for (std::size_t i = 0; i < tower_.info.inputs.size(); ++i) {
      if (tower_.info.inputs[i].name == name || tower_.info.inputs.size() == 1) {
        return i;
      }
    }
    throw Error(ErrorCode::bad_model, fmt::format("the graph that reads texts has no input {}", name),
                {{"file", tower_.graph.native()}});
  }

  std::vector<std::int64_t> shape_of(const TensorInfo& input) const {
    if (is_of_texts(input)) {
      return {static_cast<std::int64_t>(batch_.texts), static_cast<std::int64_t>(batch_.tokens)};
    }
    // An image that a graph of both towers takes too, and that the texts do not depend on.
    if (!takes_image(input)) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the graph that reads texts has an input {}, and what it is to get is not known", text_of(input)),
                  {{"file", tower_.graph.native()}});
    }
    std::vector<std::int64_t> shape = input.shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] < 0) {
        const std::array<std::int64_t, 4> usual = {1, Image::kChannels, tower_.image.height, tower_.image.width};
        shape[axis] = usual[axis];
      }
    }
    return shape;
  }

  void write(Running& running, std::span<const std::vector<std::int64_t>> tokens, std::size_t begin) {
    const std::span<std::int64_t> ids = running.request->input_i64(ids_);
    const std::span<std::int64_t> mask = mask_ ? running.request->input_i64(*mask_) : std::span<std::int64_t>();
    for (std::size_t i = 0; i < batch_.texts; ++i) {
      const std::size_t text = std::min(begin + i, tokens.size() - 1);  // the last one again where there are no more
      if (begin + i < tokens.size()) {
        running.texts.push_back(text);
      }
      const std::size_t at = i * batch_.tokens;
      write_tokens(tower_, tokens[text], ids.subspan(at, batch_.tokens), mask.empty() ? mask : mask.subspan(at, batch_.tokens));
    }
  }

  void collect(Running& running, std::size_t texts, TextFeatures& features) const {
    if (running.texts.empty()) {
      return;
    }
    running.done.get();
    const std::span<const float> output = running.request->output(0);
    const std::size_t dimensions = output.size() / batch_.texts;
    if (dimensions == 0 || output.size() != dimensions * batch_.texts) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the graph that reads texts gave {} numbers for {} texts", output.size(), batch_.texts),
                  {{"file", tower_.graph.native()}});
    }
    const bool is_first = features.rows.empty();
    require_same_dimensions(tower_, is_first ? dimensions : features.dimensions, dimensions);
    if (is_first) {
      features.dimensions = dimensions;
      features.rows.resize(texts * dimensions);
    }
    for (std::size_t i = 0; i < running.texts.size(); ++i) {
      std::ranges::copy(output.subspan(i * dimensions, dimensions),
                        features.rows.begin() + static_cast<std::ptrdiff_t>(running.texts[i] * dimensions));
    }
    running.texts.clear();
  }

  const TextTower& tower_;
  std::size_t ids_;
  std::optional<std::size_t> mask_;
  TextBatch batch_;
  std::unique_ptr<CompiledModel> compiled_;
  std::vector<Running> running_;
};

}  // namespace

bool is_of_texts(const TensorInfo& input) {
  return input.shape.size() == 2 && takes_i64(input.type);
}

const TensorInfo& text_input_of(const GraphInfo& graph, const std::filesystem::path& file) {
  const auto found = std::ranges::find_if(graph.inputs, is_of_texts);
  if (found == graph.inputs.end()) {
    throw Error(ErrorCode::bad_model, "the graph takes no texts: it has no input of whole numbers of the shape [texts, tokens]",
                {{"file", file.native()}});
  }
  return *found;
}

Tokenizer load_tokenizer(const ModelSource& source, const std::filesystem::path& graph, const ModelConfig& config) {
  if (source.files.tokenizer.empty()) {
    throw Error(ErrorCode::bad_model, "there is no tokenizer.json beside the graph, which says how texts are read",
                {{"file", graph.native()}});
  }
  Tokenizer tokenizer = Tokenizer::load(source.files.tokenizer);
  if (config.text_vocabulary > 0 && tokenizer.vocabulary_size() > static_cast<std::size_t>(config.text_vocabulary)) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the tokenizer has {} tokens, and the model knows {}: it belongs to another model",
                            tokenizer.vocabulary_size(), config.text_vocabulary),
                {{"file", source.files.tokenizer.native()}, {"known by", config.path.native()}});
  }
  return tokenizer;
}

TextTower text_tower_of(const ModelSource& source, const std::filesystem::path& graph, const GraphInfo& info, std::size_t output,
                        const ModelConfig& config) {
  const TokenizerConfig stated =
      source.files.tokenizer_config.empty() ? TokenizerConfig() : TokenizerConfig::load(source.files.tokenizer_config);
  const bool is_siglip = config.model_type.starts_with("siglip");
  TextTower tower{.graph = graph, .info = info, .output = output, .tokenizer = load_tokenizer(source, graph, config)};
  const TensorInfo& ids = text_input_of(info, graph);
  // A graph that takes so many takes no more, whatever a file says.
  tower.max_tokens = config.text_positions;
  if (tower.max_tokens == 0) {
    tower.max_tokens = is_siglip ? kTokensOfSiglip : kTokensOfClip;
  }
  if (stated.model_max_length) {
    tower.max_tokens =
        static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(tower.max_tokens), *stated.model_max_length));
  }
  if (ids.shape[1] > 0) {
    tower.max_tokens = static_cast<int>(ids.shape[1]);
  }
  if (stated.pad_token) {
    tower.pad_id = tower.tokenizer.id_of(*stated.pad_token).value_or(0);
  }
  if (is_siglip) {
    tower.pads_to_max = true;
    tower.pads_left = stated.padding_side == TextSide::left;
    // The first SigLIP reads SentencePiece's unigrams, SigLIP 2 the pieces of Gemma.
    tower.is_cleaned = tower.tokenizer.model() == "Unigram";
    tower.is_lowered = true;
    const std::string_view end = tower.is_cleaned ? "</s>" : "<eos>";
    tower.end_id = tower.tokenizer.id_of(end);
    if (!tower.end_id) {
      throw Error(
          ErrorCode::bad_data,
          fmt::format("the tokenizer is a {} without the token {}, which ends a text; SigLIP's is a Unigram with </s>, SigLIP "
                      "2's a BPE with <eos>: it belongs to another model",
                      tower.tokenizer.model(), end),
          {{"file", source.files.tokenizer.native()}});
    }
    if (stated.pad_token && !tower.tokenizer.id_of(*stated.pad_token)) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("texts are filled up with '{}', which the tokenizer does not know: it belongs to another model",
                              *stated.pad_token),
                  {{"file", source.files.tokenizer.native()}, {"pad_token of", source.files.tokenizer_config.native()}});
    }
    if (!stated.pad_token && tower.is_cleaned) {
      tower.pad_id = tower.end_id.value_or(0);
    }
  }
  return tower;
}

std::vector<std::int64_t> tokens_of(const TextTower& tower, const std::string& text) {
  const Encoding encoding = tower.tokenizer.encode(prepared(tower, text), {.add_marks = !tower.end_id});
  std::vector<std::int64_t> tokens(encoding.ids.begin(), encoding.ids.end());
  if (tower.end_id) {
    tokens.push_back(*tower.end_id);
  }
  if (tokens.size() > static_cast<std::size_t>(tower.max_tokens)) {
    throw Error(ErrorCode::wrong_use, fmt::format("the text '{}' is {} tokens long, and the model reads {}; say it shorter", text,
                                                  tokens.size(), tower.max_tokens));
  }
  return tokens;
}

TextBatch text_batch_of(const TextTower& tower, const GraphInfo& graph, std::size_t texts, std::size_t longest) {
  const TensorInfo& ids = text_input_of(graph, tower.graph);
  // What a text becomes shall not depend on those beside it, nor on how long they are.
  const bool is_alone = graph.scales_over_batch;
  const std::size_t usual = tower.pads_to_max || is_alone ? static_cast<std::size_t>(tower.max_tokens) : longest;
  return {ids.shape[0] > 0 ? static_cast<std::size_t>(ids.shape[0]) : (is_alone ? 1 : texts),
          ids.shape[1] > 0 ? static_cast<std::size_t>(ids.shape[1]) : usual};
}

void write_tokens(const TextTower& tower, std::span<const std::int64_t> tokens, std::span<std::int64_t> ids,
                  std::span<std::int64_t> mask) {
  const auto first = static_cast<std::ptrdiff_t>(tower.pads_left ? ids.size() - tokens.size() : 0);
  std::ranges::fill(ids, tower.pad_id);
  std::ranges::copy(tokens, ids.begin() + first);
  if (!mask.empty()) {
    std::ranges::fill(mask, 0);
    std::fill_n(mask.begin() + first, tokens.size(), 1);
  }
}

void require_clip_tokens(const ModelSource& source, const TextTower& tower) {
  const std::vector<std::int64_t> tokens = tokens_of(tower, "cat");
  if (tower.tokenizer.model() != "BPE" || tokens.size() < 3 || tokens.front() != tower.tokenizer.id_of("<|startoftext|>") ||
      tokens.back() != tower.tokenizer.id_of("<|endoftext|>")) {
    throw Error(
        ErrorCode::bad_data,
        "the tokenizer does not put texts between <|startoftext|> and <|endoftext|> as this model's does: it belongs to another "
        "model",
        {{"file", source.files.tokenizer.native()}});
  }
}

void require_same_dimensions(const TextTower& tower, std::size_t some, std::size_t others) {
  if (some != others) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph that reads texts makes {} numbers of some and {} of others; all need as many", some, others),
                {{"file", tower.graph.native()}});
  }
}

TextFeatures encode_texts(const ModelSource& source, const TextTower& tower, std::span<const std::string> texts) {
  std::vector<std::vector<std::int64_t>> tokens;
  std::size_t longest = 0;
  for (const std::string& text : texts) {
    tokens.push_back(tokens_of(tower, text));
    longest = std::max(longest, tokens.back().size());
  }
  std::string key = fmt::format("{} {} {} {}", source.weights_sha256, tower.output, source.engine.name(), source.options.device);
  if (tower.pads_to_max) {
    key += fmt::format(" {} {} {}", tower.max_tokens, tower.pad_id, tower.pads_left ? "left" : "right");
  }
  TextCache cache(source.options.text_cache, key);
  std::vector<std::size_t> unknown;
  std::vector<std::vector<std::int64_t>> unknown_tokens;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!cache.find(tokens[i])) {
      unknown.push_back(i);
      unknown_tokens.push_back(tokens[i]);
    }
  }
  if (!unknown.empty()) {
    const LoadOptions& options = source.options;
    Encoder encoder(source, tower, unknown.size(), longest);
    for (std::size_t begin = 0; begin < unknown.size(); begin += kTextsBetweenLooks) {
      if (options.cancel != nullptr && options.cancel->is_requested()) {
        cache.store();
        throw Error(ErrorCode::interrupted, "the command was interrupted while texts were encoded; those that are done are kept");
      }
      if (options.progress) {
        options.progress({.stage = "encoding texts",
                          .done = static_cast<std::int64_t>(begin),
                          .failed = 0,
                          .total = static_cast<std::int64_t>(unknown.size()),
                          .unit = "texts"});
      }
      const std::size_t count = std::min(kTextsBetweenLooks, unknown.size() - begin);
      TextFeatures fresh = encoder.encode(std::span(unknown_tokens).subspan(begin, count));
      for (std::size_t i = 0; i < count; ++i) {
        const std::span<float> row = std::span(fresh.rows).subspan(i * fresh.dimensions, fresh.dimensions);
        normalise(row, texts[unknown[begin + i]]);
        cache.add(unknown_tokens[begin + i], row);
      }
    }
    cache.store();
  }
  TextFeatures features;
  for (const std::vector<std::int64_t>& ids : tokens) {
    const std::span<const float> row = *cache.find(ids);
    require_same_dimensions(tower, features.rows.empty() ? row.size() : features.dimensions, row.size());
    features.dimensions = row.size();
    features.rows.insert(features.rows.end(), row.begin(), row.end());
  }
  return features;
}

Phrasings phrasings_of(const Prompts& prompts) {
  Phrasings phrasings;
  for (std::size_t i = 0; i < prompts.classes.size(); ++i) {
    for (const std::string& phrasing : prompts.classes[i].phrasings) {
      phrasings.texts.push_back(phrasing);
      phrasings.class_of_text.push_back(static_cast<std::int32_t>(i));
    }
  }
  for (const std::string& negative : prompts.negatives) {
    phrasings.texts.push_back(negative);
    phrasings.class_of_text.push_back(-1);
  }
  return phrasings;
}

std::string filled_in(const std::string& sentence, const std::string& phrasing) {
  std::string filled = sentence;
  for (std::size_t at = filled.find("{}"); at != std::string::npos; at = filled.find("{}", at + phrasing.size())) {
    filled.replace(at, 2, phrasing);
  }
  return filled;
}

TextFeatures encode_phrasings(const ModelSource& source, const TextTower& tower, const Phrasings& phrasings,
                              std::span<const std::string> templates) {
  std::vector<std::string> sentences;
  for (const std::string& phrasing : phrasings.texts) {
    for (const std::string& sentence : templates) {
      sentences.push_back(filled_in(sentence, phrasing));
    }
  }
  const TextFeatures every = encode_texts(source, tower, sentences);
  TextFeatures features{every.dimensions, std::vector<float>(phrasings.texts.size() * every.dimensions)};
  for (std::size_t phrasing = 0; phrasing < phrasings.texts.size(); ++phrasing) {
    const std::span<float> mean = std::span(features.rows).subspan(phrasing * every.dimensions, every.dimensions);
    for (std::size_t i = 0; i < templates.size(); ++i) {
      const std::span<const float> row = every.row(phrasing * templates.size() + i);
      std::ranges::transform(mean, row, mean.begin(), std::plus{});
    }
    if (templates.size() > 1) {
      normalise(mean, phrasings.texts[phrasing]);
    }
  }
  return features;
}

}  // namespace verilabel
