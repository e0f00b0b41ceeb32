// Grounding DINO: one caption names all classes, "a cat. a remote control.", and the graph says of each of its queries how well
// each token of the caption fits it. In the form of Hugging Face's exports, which work out themselves which tokens are one phrase,
// and in that of IDEA's, which are told.
//
// Liu et al., Grounding DINO, 2023. The reference reads labels out of the tokens above a threshold, which may be parts of a class
// or of several. Here each class is the tokens that it became: its score is the greatest of them, and the class of a query is the
// best. The scores are those of the reference, for the best class of a query; a name that was not asked for cannot come out.

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/pillow_labeller.h"
#include "verilabel/models/pixel_mask.h"
#include "verilabel/models/prompt_passes.h"
#include "verilabel/text/letter_case.h"

namespace verilabel {
namespace {

/// Tokens of a caption, marks included, where the configuration does not say.
constexpr int kUsualTokens = 256;
/// [CLS] and [SEP] around a caption.
constexpr std::size_t kMarks = 2;
constexpr std::size_t kBoxNumbers = 4;
constexpr int kUsualDetections = 300;
/// Of the text encoder's vocabulary; the graphs know the marks by these numbers.
constexpr std::int64_t kClsId = 101;
constexpr std::int64_t kSepId = 102;
constexpr std::int64_t kFullStopId = 1012;
constexpr std::int64_t kQuestionMarkId = 1029;

bool ends_phrase(std::int64_t id) {
  return id == kClsId || id == kSepId || id == kFullStopId || id == kQuestionMarkId;
}

/// Tokens of one phrasing in the caption of a pass.
struct Span {
  std::size_t first = 0;
  std::size_t end = 0;
  std::int32_t class_index = 0;  ///< −1 for a negative
};

struct Caption {
  std::vector<std::int64_t> ids;
  std::vector<Span> spans;
};

/// For each token the first one of its phrase, and one past its last, which is the separator. Tokens that are in none, the marks
/// at both ends among them, are alone.
std::vector<std::pair<std::size_t, std::size_t>> phrases_of(std::span<const std::int64_t> ids) {
  std::vector<std::pair<std::size_t, std::size_t>> phrases;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    phrases.emplace_back(i, i + 1);
  }
  std::size_t previous = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!ends_phrase(ids[i])) {
      continue;
    }
    if (i != 0 && i + 1 != ids.size()) {
      for (std::size_t inside = previous + 1; inside <= i; ++inside) {
        phrases[inside] = {previous + 1, i + 1};
      }
    }
    previous = i;
  }
  return phrases;
}

class GroundingDino final : public PillowLabeller {
 public:
  struct Parts {
    ImageProcessor processor;
    InputSize canvas;
    const TensorInfo* image = nullptr;
    const TensorInfo* pixel_mask = nullptr;
    const TensorInfo* ids = nullptr;
    // Each is none where the graph does not have it.
    const TensorInfo* attention = nullptr;
    const TensorInfo* types = nullptr;
    const TensorInfo* positions = nullptr;
    const TensorInfo* phrases = nullptr;
    std::size_t logits = 0;
    std::size_t boxes = 0;
    std::optional<Tokenizer> tokenizer;
    int max_tokens = kUsualTokens;
    std::string layout;
  };

  GroundingDino(const ModelSource& source, Parts parts)
      : PillowLabeller(source, "grounding_dino", *parts.image, std::move(parts.processor), parts.canvas) {
    nms_iou_ = 1;
    max_detections_ = kUsualDetections;
    // OpenVINO 2026.4 makes something else of several images when their number is fixed; ONNX Runtime does not.
    take_one_at_a_time();
    read_only({parts.logits, parts.boxes});
    allow_masked(0);  // columns without a token
    ask(source, *parts.tokenizer, parts.max_tokens, parts.ids->shape[1]);
    const auto length = static_cast<std::int64_t>(length_);
    const auto input_of = [&](const TensorInfo* input, std::vector<std::int64_t> shape) -> std::optional<std::size_t> {
      if (input == nullptr) {
        return std::nullopt;
      }
      set_input(source, input->name, std::move(shape));
      return static_cast<std::size_t>(input - source.graph.inputs.data());
    };
    ids_input_ = *input_of(parts.ids, {length});
    attention_input_ = input_of(parts.attention, {length});
    types_input_ = input_of(parts.types, {length});
    positions_input_ = input_of(parts.positions, {length});
    phrases_input_ = input_of(parts.phrases, {length, length});
    if (parts.pixel_mask != nullptr) {
      mask_ = pixel_mask_of(source, *parts.pixel_mask, parts.canvas, 1);
      set_input(source, parts.pixel_mask->name, {mask_->size.height, mask_->size.width});
    }
    const std::vector<std::int64_t>& shape = source.graph.outputs[parts.logits].shape;
    columns_ = shape[2] > 0 ? shape[2] : -1;
    queries_ = shape[1] > 0 ? shape[1] : -1;
    card_.layout = std::move(parts.layout);
    if (const std::optional<std::string> note = note_of_shared_scale(source.graph)) {
      add_note(*note);
    }
    add_note("several boxes of one object are usual: --nms 0.5 leaves the best of each class");
  }

  int passes() const override { return static_cast<int>(captions_.size()); }

  std::vector<std::vector<std::int64_t>> output_shapes() const override { return {{queries_, columns_}, {queries_, kBoxNumbers}}; }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    const auto queries = static_cast<std::size_t>(outputs[0].shape[0]);
    const auto columns = static_cast<std::size_t>(outputs[0].shape[1]);
    const std::span<const float> boxes = outputs[1].values;
    if (boxes.size() != kBoxNumbers * queries || columns < length_) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the model gave {} boxes and scores of {} tokens for {} queries; the caption has {}",
                              boxes.size() / kBoxNumbers, columns, queries, length_));
    }
    const Caption& caption = captions_[static_cast<std::size_t>(transform.pass)];
    const float floor = float_floor(options.floor);
    std::vector<Candidate> candidates;
    for (std::size_t query = 0; query < queries; ++query) {
      const std::span<const float> row = outputs[0].values.subspan(query * columns, columns);
      float best = -std::numeric_limits<float>::infinity();
      std::int32_t class_index = -1;
      for (const Span& span : caption.spans) {
        const float logit = std::ranges::max(row.subspan(span.first, span.end - span.first));
        if (logit > best) {
          best = logit;
          class_index = span.class_index;
        }
      }
      const float score = sigmoid(best);
      if (!(score > floor) || class_index < 0 || !is_wanted(options, static_cast<std::size_t>(class_index))) {
        continue;
      }
      const Box box = box_of_shares(boxes.subspan(kBoxNumbers * query, kBoxNumbers), transform);
      if (has_area(box)) {
        candidates.push_back({class_index, box, score});
      }
    }
    // All of a class is in one pass, so that passes need no look at each other.
    return best_of(std::move(candidates), options);
  }

 protected:
  void write_other_inputs(std::span<const InputView> inputs, InputSize content, const Image& /*image*/, int pass) const override {
    const std::vector<std::int64_t>& tokens = captions_[static_cast<std::size_t>(pass)].ids;
    std::vector<std::int64_t> values(length_, 0);
    const auto write = [&](const std::optional<std::size_t>& input) {
      if (input) {
        write_numbers(values, inputs[*input]);
      }
    };
    write(types_input_);
    std::ranges::copy(tokens, values.begin());
    write(ids_input_);
    std::fill_n(values.begin(), tokens.size(), 1);
    write(attention_input_);
    if (positions_input_ || phrases_input_) {
      std::ranges::copy(tokens, values.begin());
      const auto phrases = phrases_of(values);
      std::vector<std::int64_t> is_one_phrase(length_ * length_, 0);
      for (std::size_t i = 0; i < length_; ++i) {
        const auto [first, end] = phrases[i];
        values[i] = static_cast<std::int64_t>(i - first);
        std::fill_n(is_one_phrase.begin() + static_cast<std::ptrdiff_t>(i * length_ + first), end - first, 1);
      }
      write(positions_input_);
      values = std::move(is_one_phrase);
      write(phrases_input_);
    }
    if (mask_) {
      write_pixel_mask(*mask_, content, inputs[mask_->input]);
    }
  }

 private:
  void ask(const ModelSource& source, const Tokenizer& tokenizer, int max_tokens, std::int64_t declared) {
    const Prompts& prompts = source.options.prompts;
    take_prompts(source);
    const Phrasings phrasings = phrasings_of(prompts);
    const std::size_t most = static_cast<std::size_t>(declared > 0 ? std::min<std::int64_t>(declared, max_tokens) : max_tokens);
    const std::vector<std::vector<std::int64_t>> tokens = tokens_of_phrases(tokenizer, sentences_of(prompts, phrasings), most);
    std::vector<std::size_t> costs;
    for (const std::vector<std::int64_t>& phrase : tokens) {
      costs.push_back(phrase.size() + 1);  // with its full stop
    }
    const std::size_t room = most - kMarks;
    if (const std::size_t few = source.options.texts_per_pass; few > 0) {
      for (std::size_t& cost : costs) {
        cost = std::max(cost, room / (few + 1) + 1);
      }
    }
    const std::vector<PromptPass> passes = passes_of(prompts, costs, room);
    for (const PromptPass& pass : passes) {
      Caption caption;
      caption.ids.push_back(kClsId);
      for (const std::size_t text : pass) {
        const std::size_t first = caption.ids.size();
        caption.ids.insert(caption.ids.end(), tokens[text].begin(), tokens[text].end());
        caption.spans.push_back({first, caption.ids.size(), phrasings.class_of_text[text]});
        caption.ids.push_back(kFullStopId);
      }
      caption.ids.push_back(kSepId);
      length_ = std::max(length_, caption.ids.size());
      captions_.push_back(std::move(caption));
    }
    length_ = declared > 0 ? static_cast<std::size_t>(declared) : length_;
    for (const std::optional<std::string>& note : {note_of_passes(prompts, passes.size()), note_of_twins(prompts, tokens)}) {
      if (note) {
        add_note(*note);
      }
    }
    if (passes.size() > 1) {
      add_note("classes that are asked together compete for what the model looks at, so that scores depend on how they are split");
    }
  }

  /// Full stops and question marks would end a phrase: blanks take their place.
  std::vector<std::vector<std::int64_t>> tokens_of_phrases(const Tokenizer& tokenizer, const std::vector<std::string>& sentences,
                                                           std::size_t most) {
    constexpr std::size_t kMostNamed = 10;
    std::vector<std::vector<std::int64_t>> tokens;
    std::vector<std::string> changed;
    std::vector<std::string> unknown;
    for (const std::string& asked : sentences) {
      std::string sentence = asked;
      std::ranges::replace_if(sentence, [](char c) { return c == '.' || c == '?'; }, ' ');
      if (sentence != asked) {
        changed.push_back(fmt::format("'{}'", asked));
      }
      sentence = lowercase(sentence);  // as the reference does, so that no name is taken for a mark such as [MASK]
      const Encoding encoding = tokenizer.encode(sentence, {.add_marks = false});
      // Full-width and other forms that the vocabulary has for the same.
      if (encoding.ids.empty() || std::ranges::any_of(encoding.ids, ends_phrase)) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("'{}' is no phrase to this model: {}; say it in words", asked,
                                encoding.ids.empty() ? "it reads nothing in it" : "it has a mark that ends one"));
      }
      if (encoding.ids.size() + 1 + kMarks > most) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("the text '{}' is {} tokens long, and the model reads {} with the marks around it; "
                                "say it shorter",
                                asked, encoding.ids.size(), most));
      }
      if (std::ranges::all_of(encoding.ids, [&](std::int64_t id) { return id == tokenizer.id_of("[UNK]"); })) {
        unknown.push_back(fmt::format("'{}'", asked));
      }
      tokens.push_back(encoding.ids);
    }
    const auto note = [&](std::vector<std::string>& names, std::string_view what) {
      if (!names.empty()) {
        const std::size_t left_out = names.size() - std::min(names.size(), kMostNamed);
        names.resize(std::min(names.size(), kMostNamed));
        add_note(
            fmt::format("{}: {}{}", what, fmt::join(names, ", "), left_out == 0 ? "" : fmt::format(", and {} more", left_out)));
      }
    };
    note(changed, "full stops and question marks end a phrase, so that the model is asked without them");
    note(unknown, "the model knows no part of these and cannot find them");
    return tokens;
  }

  std::optional<PixelMask> mask_;
  std::size_t ids_input_ = 0;
  std::optional<std::size_t> attention_input_;
  std::optional<std::size_t> types_input_;
  std::optional<std::size_t> positions_input_;
  std::optional<std::size_t> phrases_input_;
  std::int64_t queries_ = -1;
  std::int64_t columns_ = -1;
  std::size_t length_ = kMarks;  ///< tokens of an inference, the same for all
  std::vector<Caption> captions_;
};

/// BERT's, by the numbers that the graph knows.
Tokenizer bert_tokenizer_of(const ModelSource& source, const ModelConfig& config) {
  Tokenizer tokenizer = load_tokenizer(source, source.files.graph, config);
  for (const auto& [token, id] : {std::pair{"[CLS]", kClsId}, {"[SEP]", kSepId}, {".", kFullStopId}, {"?", kQuestionMarkId}}) {
    if (tokenizer.id_of(token) != id) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the tokenizer does not know '{}' by the number {} as the graph does: it belongs to another model",
                              token, id),
                  {{"file", source.files.tokenizer.native()}});
    }
  }
  return tokenizer;
}

/// What IDEA's exports are used with, where no preprocessor_config.json says otherwise.
ImageProcessor usual_processor() {
  ImageProcessor processor;
  processor.rule = ImageProcessor::SizeRule::bounded_edges;
  processor.shortest_edge = 800;
  processor.longest_edge = 1333;
  processor.filter = PillowFilter::bilinear;
  ValueScaling scaling;
  scaling.mean = {0.485, 0.456, 0.406};
  scaling.std = {0.229, 0.224, 0.225};
  processor.tables = tables_of(scaling);
  processor.scaling = text_of(scaling);
  return processor;
}

}  // namespace

std::unique_ptr<FamilyLabeller> make_grounding_dino(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  GroundingDino::Parts parts;
  std::size_t known = 0;
  const auto input_named = [&](std::initializer_list<std::string_view> names, std::size_t rank) -> const TensorInfo* {
    for (const std::string_view name : names) {
      if (const TensorInfo* input = tensor_named(graph.inputs, name); input != nullptr && input->shape.size() == rank) {
        ++known;
        return input;
      }
    }
    return nullptr;
  };
  parts.image = input_named({"pixel_values", "img"}, 4);
  parts.pixel_mask = input_named({"pixel_mask"}, 3);
  parts.ids = input_named({"input_ids"}, 2);
  parts.attention = input_named({"attention_mask"}, 2);
  parts.types = input_named({"token_type_ids"}, 2);
  parts.positions = input_named({"position_ids"}, 2);
  parts.phrases = input_named({"text_token_mask"}, 3);
  const TensorInfo* logits = tensor_named(graph.outputs, "logits");
  const TensorInfo* boxes = tensor_named(graph.outputs, "pred_boxes");
  boxes = boxes == nullptr ? tensor_named(graph.outputs, "boxes") : boxes;
  if (parts.image == nullptr || !takes_image(*parts.image) || parts.ids == nullptr || known != graph.inputs.size() ||
      logits == nullptr || logits->shape.size() != 3 || boxes == nullptr || boxes->shape.size() != 3 ||
      tensor_named(graph.outputs, "text_embeds") != nullptr) {
    return nullptr;
  }
  constexpr std::array<std::string_view, 5> kKeys = {"family", "nms_iou", "max_detections", "input_size", "fit"};
  require_keys(source.manifest, "grounding_dino", kKeys);
  const bool is_idea = parts.phrases != nullptr || parts.positions != nullptr;
  ModelConfig config;
  if (!source.files.config.empty()) {
    config = read_model_config(source.files.config);
  }
  if (!source.files.preprocessor.empty()) {
    parts.processor = read_image_processor(source.files.preprocessor);
  } else if (is_idea) {
    parts.processor = usual_processor();
  } else {
    throw Error(
        ErrorCode::bad_model,
        "the graph is a Grounding DINO, and its preprocessor_config.json is missing: put it beside the graph or one folder up");
  }
  if (is_idea && parts.pixel_mask == nullptr && parts.image->shape[2] > 0 && parts.image->shape[3] > 0) {
    // A graph of one size, which nothing tells where the image is, gets images that fill it.
    parts.processor.rule = ImageProcessor::SizeRule::exact;
    parts.processor.size = {static_cast<int>(parts.image->shape[2]), static_cast<int>(parts.image->shape[3])};
  }
  parts.canvas = padded_canvas_of(source, *parts.image, parts.pixel_mask, parts.processor, "grounding-dino", 1);
  parts.processor.tables.padding = {0, 0, 0};  // after normalising
  const auto place_of = [&](const TensorInfo* output) { return static_cast<std::size_t>(output - graph.outputs.data()); };
  parts.logits = place_of(logits);
  parts.boxes = place_of(boxes);
  parts.tokenizer = bert_tokenizer_of(source, config);
  parts.max_tokens = config.max_text_tokens > 0 ? config.max_text_tokens : kUsualTokens;
  parts.layout = is_idea ? "logits of tokens, boxes; told which tokens are one phrase" : "logits of tokens, pred_boxes";
  return std::make_unique<GroundingDino>(source, std::move(parts));
}

}  // namespace verilabel
