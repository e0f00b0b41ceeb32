// OWL-ViT and OWLv2 in the form of Hugging Face's exporters: texts and image go through one graph, which says of each patch of the
// image how well each text fits it. The best text of a patch is its class.
//
// Minderer et al., Simple Open-Vocabulary Object Detection with Vision Transformers, 2022; Scaling Open-Vocabulary Object
// Detection, 2023. Scores and boxes are those of transformers' post_process_grounded_object_detection. OWLv2 pads images to a
// square, with black as transformers does since 5.0 (grey before), and its boxes are shares of that square.

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/model_config.h"
#include "verilabel/models/pillow_labeller.h"
#include "verilabel/models/prompt_passes.h"

namespace verilabel {
namespace {

/// More than these and the texts need more memory than the image.
constexpr std::size_t kTextsPerPass = 512;
/// Tokens of a text where the configuration does not say.
constexpr int kUsualTokens = 16;
/// Numbers of a box. A graph whose outputs are swapped shows by its shapes unless it has as many texts.
constexpr std::size_t kBoxNumbers = 4;
constexpr int kUsualDetections = 300;

class OwlDetector final : public PillowLabeller {
 public:
  struct Parts {
    std::string family;
    ImageProcessor processor;
    InputSize canvas;
    const TensorInfo* image = nullptr;
    const TensorInfo* ids = nullptr;
    const TensorInfo* mask = nullptr;  ///< of the tokens; none where the graph dropped it
    std::size_t logits = 0;
    std::size_t boxes = 0;
    std::optional<TextTower> tower;
  };

  OwlDetector(const ModelSource& source, Parts parts)
      : PillowLabeller(source, std::move(parts.family), *parts.image, parts.processor, parts.canvas),
        is_square_(parts.processor.rule == ImageProcessor::SizeRule::square) {
    nms_iou_ = 1;
    max_detections_ = kUsualDetections;
    take_one_at_a_time();
    read_only({parts.logits, parts.boxes});
    allow_masked(0);  // rows without a text
    const auto place_of = [&](const TensorInfo* input) { return static_cast<std::size_t>(input - source.graph.inputs.data()); };
    ids_input_ = place_of(parts.ids);
    length_ = static_cast<std::size_t>(parts.tower->max_tokens);
    pad_id_ = parts.tower->pad_id;
    ask(source, *parts.tower, parts.ids->shape[0]);
    const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(rows_), static_cast<std::int64_t>(length_)};
    set_whole_input(source, parts.ids->name, shape);
    if (parts.mask != nullptr) {
      mask_input_ = place_of(parts.mask);
      set_whole_input(source, parts.mask->name, shape);
    }
    card_.layout = "logits, pred_boxes: the best text of each patch";
    if (const std::optional<std::string> note = note_of_shared_scale(source.graph)) {
      add_note(*note);
    }
    add_note("every patch of the image may see the same object: --nms 0.5 leaves the best box of each");
  }

  int passes() const override { return static_cast<int>(passes_.size()); }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    return {{-1, static_cast<std::int64_t>(rows_)}, {-1, kBoxNumbers}};
  }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    const std::span<const float> logits = outputs[0].values;
    const std::span<const float> boxes = outputs[1].values;
    const std::size_t patches = logits.size() / rows_;
    if (boxes.size() != kBoxNumbers * patches) {
      throw Error(ErrorCode::bad_model, fmt::format("the model gave {} boxes for {} patches", boxes.size() / kBoxNumbers, patches));
    }
    const PromptPass& texts = passes_[static_cast<std::size_t>(transform.pass)];
    const int side = std::max(transform.image_width, transform.image_height);
    const InputSize unit = is_square_ ? InputSize{side, side} : InputSize{transform.image_height, transform.image_width};
    std::vector<Candidate> candidates;
    for (std::size_t patch = 0; patch < patches && !texts.empty(); ++patch) {
      const std::span<const float> row = logits.subspan(patch * rows_, texts.size());
      const auto best = std::ranges::max_element(row);
      // In double precision, so that scores tell apart what logits do, whichever pass a text is in.
      const double score = 1 / (1 + std::exp(-static_cast<double>(*best)));
      const std::int32_t class_index = class_of_text_[texts[static_cast<std::size_t>(best - row.begin())]];
      if (!(score > options.floor) || class_index < 0 || !is_wanted(options, static_cast<std::size_t>(class_index))) {
        continue;
      }
      const Box box = box_of_shares(boxes.subspan(kBoxNumbers * patch, kBoxNumbers), unit, transform);
      if (has_area(box)) {
        candidates.push_back({class_index, box, score, std::nullopt, LabelKind::box, static_cast<std::int32_t>(patch)});
      }
    }
    return passes() == 1 ? best_of(std::move(candidates), options) : best_first(std::move(candidates));
  }

  /// The best of a patch over all passes, as one pass with all texts would have it. Every pass has the negatives, so that what they
  /// outdo is gone already.
  std::vector<Candidate> merge(std::vector<std::vector<Candidate>> passes, const CandidateOptions& options) const override {
    std::vector<Candidate> best;
    std::vector<std::size_t> of_patch;  // into `best`, one more; 0 for none
    for (std::vector<Candidate>& pass : passes) {
      for (Candidate& candidate : pass) {
        const auto patch = static_cast<std::size_t>(candidate.place);
        of_patch.resize(std::max(of_patch.size(), patch + 1));
        if (of_patch[patch] == 0) {
          best.push_back(std::move(candidate));
          of_patch[patch] = best.size();
        } else if (Candidate& other = best[of_patch[patch] - 1]; candidate.score > other.score) {
          other = std::move(candidate);
        }
      }
    }
    std::ranges::sort(best, {}, &Candidate::place);
    return best_of(std::move(best), options);
  }

 protected:
  void write_other_inputs(std::span<const InputView> inputs, InputSize /*content*/, const Image& /*image*/,
                          int pass) const override {
    const PromptPass& texts = passes_[static_cast<std::size_t>(pass)];
    std::vector<std::int64_t> ids(rows_ * length_, pad_id_);
    std::vector<std::int64_t> mask(rows_ * length_, 0);
    for (std::size_t row = 0; row < rows_; ++row) {
      const auto begin = static_cast<std::ptrdiff_t>(row * length_);
      if (row < texts.size()) {
        const std::vector<std::int64_t>& tokens = tokens_[texts[row]];
        std::ranges::copy(tokens, ids.begin() + begin);
        std::fill_n(mask.begin() + begin, tokens.size(), 1);
      } else {
        // The graph takes a text that begins with 0 for none.
        ids[row * length_] = 0;
        mask[row * length_] = 1;
      }
    }
    write_numbers(ids, inputs[ids_input_]);
    if (mask_input_) {
      write_numbers(mask, inputs[*mask_input_]);
    }
  }

 private:
  void ask(const ModelSource& source, const TextTower& tower, std::int64_t declared) {
    const Prompts& prompts = source.options.prompts;
    take_prompts(source);
    Phrasings phrasings = phrasings_of(prompts);
    for (const std::string& sentence : sentences_of(prompts, phrasings)) {
      tokens_.push_back(tokens_of(tower, sentence));
    }
    const std::vector<std::size_t> costs(tokens_.size(), 1);
    const std::size_t usual = source.options.texts_per_pass == 0 ? kTextsPerPass : source.options.texts_per_pass;
    passes_ = passes_of(prompts, costs, declared > 0 ? static_cast<std::size_t>(declared) : usual);
    class_of_text_ = std::move(phrasings.class_of_text);
    for (const PromptPass& pass : passes_) {
      rows_ = std::max(rows_, pass.size());
    }
    rows_ = declared > 0 ? static_cast<std::size_t>(declared) : rows_ + (rows_ == kBoxNumbers ? 1 : 0);
    for (const std::optional<std::string>& note : {note_of_passes(prompts, passes_.size()), note_of_twins(prompts, tokens_)}) {
      if (note) {
        add_note(*note);
      }
    }
  }

  bool is_square_;
  std::size_t ids_input_ = 0;
  std::optional<std::size_t> mask_input_;
  std::size_t length_ = 0;
  std::int64_t pad_id_ = 0;
  std::size_t rows_ = 1;  ///< texts of an inference, the same for all
  std::vector<std::vector<std::int64_t>> tokens_;
  std::vector<std::int32_t> class_of_text_;
  std::vector<PromptPass> passes_;
};

}  // namespace

std::unique_ptr<FamilyLabeller> make_owl(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  OwlDetector::Parts parts;
  parts.image = tensor_named(graph.inputs, "pixel_values");
  parts.ids = tensor_named(graph.inputs, "input_ids");
  parts.mask = tensor_named(graph.inputs, "attention_mask");
  const TensorInfo* logits = tensor_named(graph.outputs, "logits");
  const TensorInfo* boxes = tensor_named(graph.outputs, "pred_boxes");
  if (parts.image == nullptr || !takes_image(*parts.image) || parts.ids == nullptr || !is_of_texts(*parts.ids) ||
      graph.inputs.size() != (parts.mask == nullptr ? 2U : 3U) || (parts.mask != nullptr && !is_of_texts(*parts.mask)) ||
      logits == nullptr || logits->shape.size() != 3 || boxes == nullptr || boxes->shape.size() != 3 ||
      tensor_named(graph.outputs, "text_embeds") == nullptr) {
    return nullptr;
  }
  if (source.files.config.empty() || source.files.preprocessor.empty()) {
    throw Error(
        ErrorCode::bad_model,
        "the graph is an OWL-ViT or OWLv2, and its config.json or preprocessor_config.json is missing: put both beside it or one "
        "folder up");
  }
  ModelConfig config = read_model_config(source.files.config);
  if (config.model_type != "owlvit" && config.model_type != "owlv2") {
    throw Error(
        ErrorCode::bad_model,
        fmt::format("the graph has the inputs and outputs of OWL-ViT and OWLv2, and its model_type is '{}'", config.model_type),
        {{"file", config.path.native()}, {"key", "model_type"}});
  }
  constexpr std::array<std::string_view, 3> kKeys = {"family", "nms_iou", "max_detections"};
  require_keys(source.manifest, config.model_type, kKeys);
  parts.family = config.model_type;
  parts.processor = read_image_processor(source.files.preprocessor);
  const bool is_square = parts.processor.rule == ImageProcessor::SizeRule::square;
  if (is_square != (config.model_type == "owlv2")) {
    throw Error(
        ErrorCode::bad_data,
        fmt::format("images of a model of the type {} cannot be prepared so: {}", config.model_type, parts.processor.text()),
        {{"file", source.files.preprocessor.native()}, {"key", "image_processor_type"}});
  }
  parts.canvas = canvas_of(parts.processor, *parts.image, source.files.preprocessor);
  const auto place_of = [&](const TensorInfo* output) { return static_cast<std::size_t>(output - graph.outputs.data()); };
  parts.logits = place_of(logits);
  parts.boxes = place_of(boxes);
  config.text_positions = config.text_positions > 0 ? config.text_positions : kUsualTokens;
  parts.tower = text_tower_of(source, source.files.graph, graph, parts.logits, config);
  require_clip_tokens(source, *parts.tower);
  return std::make_unique<OwlDetector>(source, std::move(parts));
}

}  // namespace verilabel
