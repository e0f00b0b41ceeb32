// YOLO-World in the forms of its exports outside of Ultralytics:
//   images, text_features -> scores, boxes     features of any texts, one row a class; a text tower of CLIP beside it
//   (wkentaro/osam) images -> num_dets, boxes, scores, labels  classes of the export, with NMS in the graph (MMYOLO; other
//   detectors look the same) images -> scores, boxes                    likewise, without NMS
// Boxes are corners in pixels of the input, scores are past their sigmoid. Ultralytics' own exports are the family `ultralytics`.
//
// Cheng et al., YOLO-World, 2024.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/prompt_passes.h"

namespace verilabel {
namespace {

constexpr InputSize kUsualSize{640, 640};
constexpr std::size_t kBoxNumbers = 4;
/// More than LVIS has, which the authors ask at once.
constexpr std::size_t kTextsPerPass = 1500;
/// Of CLIP's ViT-B/32.
constexpr std::size_t kUsualFeatures = 512;
constexpr int kUsualDetections = 300;
constexpr double kUsualNms = 0.7;
/// The text that stands for everything else. The model is trained with it among the classes.
constexpr const char* kBackground = " ";

constexpr FitStyle kFit{Fit::letterbox_centre, false, 114, OpencvInterpolation::linear, OpencvInterpolation::linear, true};
constexpr PixelScaling kScaling{ChannelOrder::rgb, {0, 0, 0}, {255, 255, 255}};

const TensorInfo* output_of_rank(const GraphInfo& graph, std::string_view name, std::size_t rank) {
  const TensorInfo* output = tensor_named(graph.outputs, name);
  return output != nullptr && output->shape.size() == rank ? output : nullptr;
}

std::size_t place_of(const GraphInfo& graph, const TensorInfo* output) {
  return static_cast<std::size_t>(output - graph.outputs.data());
}

/// Every class of every anchor with a score above the floor, before suppression. `class_of_column` has −1 for what is no class, and
/// −2 for a negative, which takes the anchor from all classes that it outdoes.
RawCandidates candidates_above(const OutputView& scores, const OutputView& boxes, std::span<const std::int32_t> class_of_column,
                               const CandidateOptions& options) {
  const auto columns = static_cast<std::size_t>(scores.shape[1]);
  const auto anchors = static_cast<std::size_t>(scores.shape[0]);
  if (static_cast<std::size_t>(boxes.shape[0]) != anchors) {
    throw Error(ErrorCode::bad_model, fmt::format("the model gave scores of {} anchors and {} boxes", anchors, boxes.shape[0]));
  }
  const float floor = float_floor(options.floor);
  const std::size_t used = std::min(columns, class_of_column.size());
  RawCandidates raw;
  for (std::size_t anchor = 0; anchor < anchors; ++anchor) {
    const float* row = scores.values.data() + anchor * columns;
    const float* box = boxes.values.data() + anchor * kBoxNumbers;
    float rival = floor;
    for (std::size_t column = used; column > 0 && class_of_column[column - 1] < 0; --column) {
      rival = class_of_column[column - 1] == -2 ? std::max(rival, row[column - 1]) : rival;
    }
    for_each_above(
        used, floor, [&](std::size_t column) { return row[column]; },
        [&](std::size_t column, float score) {
          const std::int32_t class_index = class_of_column[column];
          if (class_index >= 0 && score >= rival && is_wanted(options, static_cast<std::size_t>(class_index))) {
            raw.add(box[0], box[1], box[2], box[3], score, class_index, static_cast<std::uint32_t>(anchor));
          }
        });
  }
  return raw;
}

/// Of several columns of one class on an anchor the best.
void fold_phrasings(RawCandidates& raw) {
  RawCandidates folded;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    std::size_t same = folded.size();
    while (same > 0 && folded.anchors[same - 1] == raw.anchors[i] && folded.classes[same - 1] != raw.classes[i]) {
      --same;
    }
    if (same > 0 && folded.anchors[same - 1] == raw.anchors[i]) {
      folded.scores[same - 1] = std::max(folded.scores[same - 1], raw.scores[i]);
    } else {
      const float* box = raw.boxes_xyxy.data() + kBoxNumbers * i;
      folded.add(box[0], box[1], box[2], box[3], raw.scores[i], raw.classes[i], raw.anchors[i]);
    }
  }
  raw = std::move(folded);
}

class YoloWorld final : public LetterboxDetector {
 public:
  YoloWorld(const ModelSource& source, const TensorInfo& image, const TensorInfo& features, const TextTower& tower)
      : LetterboxDetector(source, "yolo_world", image, kFit, kScaling, input_size_of(source, image, kUsualSize)),
        features_input_(static_cast<std::size_t>(&features - source.graph.inputs.data())) {
    nms_iou_ = kUsualNms;
    max_detections_ = kUsualDetections;
    read_only({place_of(source.graph, tensor_named(source.graph.outputs, "scores")),
               place_of(source.graph, tensor_named(source.graph.outputs, "boxes"))});
    ask(source, tower, features);
    set_input(source, features.name, {static_cast<std::int64_t>(rows_), static_cast<std::int64_t>(dimensions_)});
    card_.layout = "scores, boxes of features of texts";
  }

  int passes() const override { return static_cast<int>(passes_.size()); }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    return {{-1, static_cast<std::int64_t>(rows_)}, {-1, kBoxNumbers}};
  }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    require_scores(outputs[0].values);
    const PromptPass& texts = passes_[static_cast<std::size_t>(transform.pass)];
    std::vector<std::int32_t> class_of_column;
    for (const std::size_t text : texts) {
      class_of_column.push_back(class_of_text_[text] < 0 ? -2 : class_of_text_[text]);
    }
    RawCandidates raw = candidates_above(outputs[0], outputs[1], class_of_column, options);
    if (has_phrasings_) {
      fold_phrasings(raw);
    }
    // All of a class is in one pass, so that passes need no look at each other.
    return suppressed(raw, transform, options);
  }

 protected:
  void write_other_inputs(std::span<const InputView> inputs, int pass) const override {
    const PromptPass& texts = passes_[static_cast<std::size_t>(pass)];
    const std::span<float> rows = inputs[features_input_].f32;
    for (std::size_t row = 0; row < rows_; ++row) {
      std::ranges::copy(row < texts.size() ? texts_.row(texts[row]) : std::span<const float>(background_),
                        rows.begin() + static_cast<std::ptrdiff_t>(row * dimensions_));
    }
  }

 private:
  void ask(const ModelSource& source, const TextTower& tower, const TensorInfo& features) {
    const Prompts& prompts = source.options.prompts;
    take_prompts(source);
    const std::int64_t declared = features.shape[1];
    if (declared == 1) {
      throw Error(ErrorCode::bad_model,
                  "the graph takes the features of one text only, and the background takes that place; export it with "
                  "more, or any number of them");
    }
    dimensions_ = features.shape[2] > 0 ? static_cast<std::size_t>(features.shape[2]) : kUsualFeatures;
    background_.resize(dimensions_);
    Phrasings phrasings = phrasings_of(prompts);
    std::vector<std::vector<std::int64_t>> tokens;
    if (!prompts.classes.empty()) {
      texts_ = encode_phrasings(source, tower, phrasings,
                                prompts.templates.empty() ? std::vector<std::string>{"{}"} : prompts.templates);
      if (features.shape[2] > 0 && texts_.dimensions != dimensions_) {
        throw Error(
            ErrorCode::bad_model,
            fmt::format("the text tower makes {} numbers of a text, and the graph takes {}", texts_.dimensions, dimensions_),
            {{"text tower", tower.graph.native()}});
      }
      dimensions_ = texts_.dimensions;
      background_ = encode_texts(source, tower, std::array{std::string(kBackground)}).rows;
      require_same_dimensions(tower, dimensions_, background_.size());
      for (const std::string& phrasing : phrasings.texts) {
        tokens.push_back(tokens_of(tower, phrasing));
      }
    }
    const std::size_t usual = source.options.texts_per_pass == 0 ? kTextsPerPass : source.options.texts_per_pass;
    const std::vector<std::size_t> costs(phrasings.texts.size(), 1);
    passes_ = passes_of(prompts, costs, declared > 0 ? static_cast<std::size_t>(declared) - 1 : usual);
    class_of_text_ = std::move(phrasings.class_of_text);
    for (const PromptPass& pass : passes_) {
      rows_ = std::max(rows_, pass.size() + 1);
    }
    // A graph whose outputs are swapped shows by its shapes unless a text has as many scores as a box has numbers.
    rows_ = declared > 0 ? static_cast<std::size_t>(declared) : rows_ + (rows_ == kBoxNumbers ? 1 : 0);
    has_phrasings_ = std::ranges::any_of(prompts.classes, [](const PromptClass& one) { return one.phrasings.size() > 1; });
    for (const std::optional<std::string>& note : {note_of_passes(prompts, passes_.size()), note_of_twins(prompts, tokens)}) {
      if (note) {
        add_note(*note);
      }
    }
    if (passes_.size() > 1) {
      add_note("classes that are asked together compete for what the model looks at, so that scores depend on how they are split");
    }
  }

  std::size_t features_input_;
  std::size_t dimensions_ = 0;
  std::size_t rows_ = 1;  ///< texts of an inference, at least one background among them; the same for all
  TextFeatures texts_;
  std::vector<float> background_;
  std::vector<std::int32_t> class_of_text_;
  bool has_phrasings_ = false;
  std::vector<PromptPass> passes_;
};

/// Classes of the export, which only a manifest can name.
class Mmyolo final : public LetterboxDetector {
 public:
  /// `ends` are the outputs: scores and boxes, then num_dets and labels where the graph suppresses.
  Mmyolo(const ModelSource& source, std::vector<const TensorInfo*> ends)
      : LetterboxDetector(source, "mmyolo", kFit, kScaling, input_size_of(source, kUsualSize)), is_final_(ends.size() == 4) {
    nms_iou_ = kUsualNms;
    max_detections_ = kUsualDetections;
    std::vector<std::size_t> outputs;
    for (const TensorInfo* end : ends) {
      outputs.push_back(place_of(source.graph, end));
    }
    read_only(std::move(outputs));
    if (!source.manifest.class_names) {
      throw Error(ErrorCode::bad_model,
                  "the graph does not say how its classes are called; name them in NAME.verilabel.json beside it as "
                  "{\"class_names\": […]}, "
                  "with \"N/A\" for a background class (--add-padding)");
    }
    const std::size_t named = source.manifest.class_names->size();
    const std::int64_t columns = is_final_ ? -1 : ends[0]->shape[2];
    take_output_names(source, std::nullopt, "", columns > 0 ? static_cast<std::size_t>(columns) : named);
    for (std::size_t i = 0; i < output_count(); ++i) {
      class_of_column_.push_back(class_of_output(i));
    }
    card_.layout = is_final_ ? "num_dets, boxes, scores, labels" : "scores, boxes";
    if (is_final_) {
      add_note("the graph chooses the final boxes itself: no other NMS threshold and no lower floor than its own has an effect");
    }
  }

  std::vector<std::vector<std::int64_t>> output_shapes() const override {
    if (is_final_) {
      return {{-1}, {-1, kBoxNumbers}, {1}, {-1}};
    }
    return {{-1, static_cast<std::int64_t>(class_of_column_.size())}, {-1, kBoxNumbers}};
  }

  std::vector<Candidate> decode_checked(std::span<const OutputView> outputs, const InputTransform& transform,
                                        const CandidateOptions& options) const override {
    if (!is_final_) {
      require_scores(outputs[0].values);
      return suppressed(candidates_above(outputs[0], outputs[1], class_of_column_, options), transform, options);
    }
    const std::span<const float> scores = outputs[0].values;
    const std::span<const float> labels = outputs[3].values;
    const float count = outputs[2].values[0];
    if (!(count >= 0 && count <= static_cast<float>(scores.size())) || labels.size() != scores.size() ||
        outputs[1].values.size() != kBoxNumbers * scores.size()) {
      throw Error(ErrorCode::bad_model,
                  fmt::format("the model says that it found {} objects, and gave {} boxes, {} scores, {} labels", count,
                              outputs[1].values.size() / kBoxNumbers, scores.size(), labels.size()));
    }
    require_scores(scores.first(static_cast<std::size_t>(count)));
    RawCandidates raw;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const std::int32_t class_index = class_of_column_[class_number_of(labels[i], class_of_column_.size())];
      if (scores[i] > options.floor && class_index >= 0 && is_wanted(options, static_cast<std::size_t>(class_index))) {
        const float* box = outputs[1].values.data() + kBoxNumbers * i;
        raw.add(box[0], box[1], box[2], box[3], scores[i], class_index, static_cast<std::uint32_t>(i));
      }
    }
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const Box box = box_in_image(raw, i, transform);
      if (has_area(box)) {
        candidates.push_back({raw.classes[i], box, raw.scores[i]});
      }
    }
    CandidateOptions unsuppressed = options;
    unsuppressed.nms_iou = 1;
    return best_of(std::move(candidates), unsuppressed);
  }

 private:
  bool is_final_;
  std::vector<std::int32_t> class_of_column_;
};

}  // namespace

std::unique_ptr<FamilyLabeller> make_yolo_world(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  const TensorInfo* image = tensor_named(graph.inputs, "images");
  const TensorInfo* features = tensor_named(graph.inputs, "text_features");
  if (graph.inputs.size() != 2 || image == nullptr || !takes_image(*image) || features == nullptr || features->shape.size() != 3 ||
      takes_i64(features->type) || output_of_rank(graph, "scores", 3) == nullptr || output_of_rank(graph, "boxes", 3) == nullptr) {
    return nullptr;
  }
  if (source.companion.inputs.empty()) {
    throw Error(
        ErrorCode::bad_model,
        "the graph compares images with features of texts, and the graph that makes them is not beside it: put the text tower of "
        "the "
        "CLIP that it was trained with (ViT-B/32) there as text_model.onnx, with its tokenizer.json, and call this one model.onnx");
  }
  const auto output = std::ranges::find_if(source.companion.outputs, [&](const TensorInfo& one) {
    return one.name == "text_embeds" || (source.companion.outputs.size() == 1 && one.shape.size() == 2);
  });
  const bool reads = std::ranges::any_of(source.companion.inputs, is_of_texts);
  if (!reads || output == source.companion.outputs.end()) {
    throw Error(ErrorCode::bad_model, "the graph beside it makes no features of texts: input_ids -> text_embeds was expected",
                {{"file", source.files.companion.native()}});
  }
  ModelConfig config;
  if (!source.files.config.empty()) {
    config = read_model_config(source.files.config);
  }
  const TextTower tower = text_tower_of(source, source.files.companion, source.companion,
                                        static_cast<std::size_t>(output - source.companion.outputs.begin()), config);
  require_clip_tokens(source, tower);
  return std::make_unique<YoloWorld>(source, *image, *features, tower);
}

std::unique_ptr<FamilyLabeller> make_mmyolo(const ModelSource& source) {
  const GraphInfo& graph = source.graph;
  if (!takes_one_image(graph) || (graph.inputs[0].name != "images" && source.manifest.family != "mmyolo")) {
    return nullptr;
  }
  std::vector<const TensorInfo*> ends;
  if (graph.outputs.size() == 4) {
    ends = {output_of_rank(graph, "scores", 2), output_of_rank(graph, "boxes", 3), output_of_rank(graph, "num_dets", 2),
            output_of_rank(graph, "labels", 2)};
  } else if (graph.outputs.size() == 2) {
    ends = {output_of_rank(graph, "scores", 3), output_of_rank(graph, "boxes", 3)};
  }
  if (ends.empty() || std::ranges::find(ends, nullptr) != ends.end()) {
    return nullptr;
  }
  return std::make_unique<Mmyolo>(source, std::move(ends));
}

}  // namespace verilabel
