#include "verilabel/models/segmenter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/models/family.h"
#include "verilabel/models/mask_upsampling.h"

namespace verilabel {
namespace {

/// How the two graphs of a family speak.
struct Family {
  ModelFamily description;
  std::string_view image;       ///< the encoder's input
  std::string_view embeddings;  ///< an output of the encoder that none of another family has
  std::string_view points;      ///< inputs of the decoder
  std::string_view labels;
  std::string_view boxes;  ///< empty where a box is given as two points
  std::string_view scores;
  std::string_view masks;
  bool is_padded = false;         ///< images keep their shape and are padded on the right and below, otherwise stretched
  bool is_transformers = false;   ///< prepared by preprocessor_config.json; prompts and answers have the image before them
  std::size_t first_of_many = 0;  ///< of several masks, those before it are not meant for choosing among
  bool pads_points = true;        ///< the decoder adds a point that is none to points without a box
};

constexpr std::array kFamilies = {
    Family{
        {"sam_transformers",
         "two graphs and preprocessor_config.json; pixel_values -> image_embeddings (+ image_positional_embeddings); input_points, "
         "input_labels, input_boxes -> iou_scores, pred_masks"},
        "pixel_values",
        "image_embeddings",
        "input_points",
        "input_labels",
        "input_boxes",
        "iou_scores",
        "pred_masks",
        true,
        true},
    Family{{"sam2_transformers",
            "two graphs and preprocessor_config.json; pixel_values -> image_embeddings.0, image_embeddings.1, …; input_points, "
            "input_labels, input_boxes -> iou_scores, pred_masks"},
           "pixel_values",
           "image_embeddings.0",
           "input_points",
           "input_labels",
           "input_boxes",
           "iou_scores",
           "pred_masks",
           false,
           true},
    Family{{"sam",
            "two graphs; input_image [1, 3, H, W] or [H, W, 3] -> image_embeddings; point_coords, point_labels, mask_input, "
            "has_mask_input (+ orig_im_size) -> iou_predictions, low_res_masks"},
           "input_image",
           "image_embeddings",
           "point_coords",
           "point_labels",
           "",
           "iou_predictions",
           "low_res_masks",
           true,
           false,
           1,
           false},
    Family{{"sam2",
            "two graphs; image [1, 3, H, W] -> high_res_feats_0, high_res_feats_1, image_embed; point_coords, point_labels, "
            "mask_input, has_mask_input -> iou_predictions, masks"},
           "image",
           "image_embed",
           "point_coords",
           "point_labels",
           "",
           "iou_predictions",
           "masks",
           false,
           false},
};

/// Prompts that one inference takes where the graph leaves it open. The embeddings are copied into every inference, and every
/// inference computes all of its places, filled or not.
constexpr std::int64_t kPrompts = 4;

/// What Meta calls points: the corners of a box, a point of an object, and none at all.
constexpr int kFirstCorner = 2;
constexpr int kSecondCorner = 3;
constexpr int kInside = 1;
constexpr int kNoPoint = -1;

/// Of a grid: beyond that an image takes hours.
constexpr int kMaxPointsPerSide = 256;
/// A pixel of SAM's masks covers so many of its input, across and down.
constexpr int kMaskStride = 4;

/// ImageNet's statistics in pixel values, as SAM's own code has them, and as shares, as SAM 2's has them.
constexpr std::array kMeanOfPixels = {123.675, 116.28, 103.53};
constexpr std::array kStdOfPixels = {58.395, 57.12, 57.375};
constexpr std::array kMeanOfShares = {0.485, 0.456, 0.406};
constexpr std::array kStdOfShares = {0.229, 0.224, 0.225};

std::string list_of(const std::vector<TensorInfo>& tensors) {
  std::string list;
  for (const TensorInfo& tensor : tensors) {
    list += fmt::format("{}{}", list.empty() ? "" : "; ", text_of(tensor));
  }
  return list.empty() ? "none" : list;
}

[[noreturn]] void refuse(const ModelSource& source, const std::string& message) {
  ErrorContext context{{"encoder's inputs", list_of(source.graph.inputs)},
                       {"encoder's outputs", list_of(source.graph.outputs)},
                       {"decoder's inputs", list_of(source.companion.inputs)},
                       {"decoder's outputs", list_of(source.companion.outputs)}};
  for (const ModelFamily& family : segmenter_families()) {
    context.emplace_back(fmt::format("family {}", family.name), family.signature);
  }
  throw Error(ErrorCode::bad_model, message, std::move(context));
}

std::size_t index_of(const std::vector<TensorInfo>& tensors, std::string_view name) {
  return static_cast<std::size_t>(tensor_named(tensors, name) - tensors.data());
}

/// Rows of numbers for red, green, blue: [height, width, 3].
bool takes_rows_of_pixels(const TensorInfo& input) {
  return input.shape.size() == 3 && input.shape[2] == 3 && !takes_i64(input.type);
}

bool has_rank(const TensorInfo* tensor, std::size_t rank) {
  return tensor != nullptr && tensor->shape.size() == rank;
}

bool is_of(const Family& family, const GraphInfo& encoder, const GraphInfo& decoder) {
  const std::size_t before = family.is_transformers ? 1 : 0;
  const bool is_image =
      encoder.inputs.size() == 1 && encoder.inputs[0].name == family.image &&
      (takes_image(encoder.inputs[0]) || (family.is_padded && !family.is_transformers && takes_rows_of_pixels(encoder.inputs[0])));
  return is_image && has_rank(tensor_named(encoder.outputs, family.embeddings), 4) &&
         has_rank(tensor_named(decoder.inputs, family.points), 3 + before) &&
         has_rank(tensor_named(decoder.inputs, family.labels), 2 + before) &&
         has_rank(tensor_named(decoder.outputs, family.scores), 2 + before) &&
         has_rank(tensor_named(decoder.outputs, family.masks), 4 + before);
}

const Family& family_of(const ModelSource& source) {
  for (const Family& family : kFamilies) {
    if (is_of(family, source.graph, source.companion)) {
      return family;
    }
  }
  refuse(source, "the two graphs fit none of the families of segmenters that are known");
}

/// What an input of the decoder gets.
struct DecoderInput {
  enum class Content : std::uint8_t {
    embedding,  ///< of the encoder's outputs, number `embedding`
    prompts,    ///< of each box two corners, of each point itself and perhaps one that is none
    labels,     ///< what the points are
    size,       ///< that the graph would enlarge masks to, height and width
    nothing,    ///< zeros, or no numbers at all
  };
  Content content = Content::nothing;
  std::size_t embedding = 0;
};

/// The second graph as it is used for prompts of one kind.
struct Decoder {
  DecoderUse use;
  std::vector<DecoderInput> inputs;
  std::vector<int> labels;                         ///< of the points of one prompt
  std::vector<std::vector<std::int64_t>> answers;  ///< shapes of scores and masks
};

/// Scores and logits of the masks for some prompts.
struct Answers {
  std::span<const float> scores;  ///< prompt by prompt
  std::span<const float> logits;  ///< likewise, rows of each mask
  std::size_t count = 0;          ///< masks of a prompt
  std::size_t first = 0;          ///< of those, the first that is to be chosen among
  int height = 0;
  int width = 0;

  std::span<const float> scores_of(std::size_t prompt) const { return scores.subspan(prompt * count, count); }
  std::span<const float> map_of(std::size_t prompt, std::size_t mask) const {
    const std::size_t cells = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
    return logits.subspan((prompt * count + mask) * cells, cells);
  }
};

class SamSegmenter final : public Segmenter {
 public:
  SamSegmenter(const ModelSource& source, const Family& family) : family_(family) {
    card_.family = family.description.name;
    take_encoder(source);
    decoders_[0] = decoder_from(source, PromptKind::box);
    decoders_[1] = decoder_from(source, PromptKind::point);
    card_.layout = fmt::format("encoder and decoder, takes {}", takes(PromptKind::box) && takes(PromptKind::point)
                                                                    ? "boxes and points"
                                                                    : (takes(PromptKind::box) ? "boxes" : "points"));
    notes_.push_back(
        fmt::format("of the masks that the model gives for a box, the one with the greatest {} is taken", family.scores));
  }

  ModelCard& card_to_complete() { return card_; }

  const ModelCard& card() const override { return card_; }
  const std::vector<std::string>& notes() const override { return notes_; }
  const GraphUse& encoder() const override { return encoder_; }
  bool takes(PromptKind kind) const override { return refusals_[static_cast<std::size_t>(kind)].empty(); }
  const DecoderUse& decoder(PromptKind kind) const override {
    if (const std::string& refusal = refusals_[static_cast<std::size_t>(kind)]; !refusal.empty()) {
      throw Error(ErrorCode::bad_model, refusal, {{"decoder's inputs", decoder_inputs_}});
    }
    return decoder_of(kind).use;
  }

  InputTransform preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch) const override {
    const InputSize content = has_rows_of_pixels_ ? write_rows(image, inputs[0].f32, scratch)
                                                  : write_image(processor_, image, canvas_, inputs[0].f32, scratch);
    return {.scale_x = static_cast<double>(content.width) / image.width(),
            .scale_y = static_cast<double>(content.height) / image.height(),
            .image_width = image.width(),
            .image_height = image.height()};
  }

  void write_boxes(const EncodedImage& image, std::span<const Box> boxes_xywh_px,
                   std::span<const InputView> inputs) const override {
    const InputTransform& transform = image.transform;
    write_prompts(PromptKind::box, image, boxes_xywh_px.size(), inputs, [&](std::size_t i, std::span<float> numbers) {
      const Box& box = boxes_xywh_px[i];
      numbers[0] = static_cast<float>(box.x * transform.scale_x);
      numbers[1] = static_cast<float>(box.y * transform.scale_y);
      numbers[2] = static_cast<float>((box.x + box.w) * transform.scale_x);
      numbers[3] = static_cast<float>((box.y + box.h) * transform.scale_y);
    });
  }

  void write_points(const EncodedImage& image, std::span<const Point> points_px, std::span<const InputView> inputs) const override {
    write_prompts(PromptKind::point, image, points_px.size(), inputs, [&](std::size_t i, std::span<float> numbers) {
      std::ranges::fill(numbers, 0.F);
      numbers[0] = static_cast<float>(points_px[i].x * image.transform.scale_x);
      numbers[1] = static_cast<float>(points_px[i].y * image.transform.scale_y);
    });
  }

  std::vector<std::optional<Mask>> masks_of_boxes(std::span<const OutputView> outputs, const EncodedImage& image,
                                                  std::size_t boxes) const override {
    const Answers answers = answers_from(PromptKind::box, outputs);
    const MaskUpsampling upsampling = upsampling_of(image.transform, answers.height, answers.width);
    std::vector<std::optional<Mask>> masks;
    for (std::size_t box = 0; box < boxes; ++box) {
      const std::span<const float> scores = answers.scores_of(box);
      const auto best = static_cast<std::size_t>(
          std::max_element(scores.begin() + static_cast<std::ptrdiff_t>(answers.first), scores.end()) - scores.begin());
      Rle mask = upsampling.mask(answers.map_of(box, best));
      masks.push_back(area(mask) == 0 ? std::nullopt : std::optional(Mask{std::move(mask), true}));
    }
    return masks;
  }

  std::vector<MaskProposal> masks_of_points(std::span<const OutputView> outputs, const EncodedImage& image, std::size_t points,
                                            const EverythingOptions& options) const override {
    const Answers answers = answers_from(PromptKind::point, outputs);
    const MaskUpsampling upsampling = upsampling_of(image.transform, answers.height, answers.width);
    std::vector<MaskProposal> proposals;
    for (std::size_t point = 0; point < points; ++point) {
      for (std::size_t i = answers.first; i < answers.count; ++i) {
        const double iou = answers.scores_of(point)[i];
        if (!(iou > options.min_iou)) {
          continue;
        }
        MaskUpsampling::Graded graded = upsampling.graded(answers.map_of(point, i), static_cast<float>(options.stability_offset));
        // The one lies in the other, so that the IoU is a ratio of areas.
        const double stability = static_cast<double>(graded.above_offset) / static_cast<double>(graded.above_minus_offset);
        if (stability > options.min_stability && area(graded.mask) > 0) {
          proposals.push_back({std::move(graded.mask), iou});
        }
      }
    }
    return proposals;
  }

 private:
  void take_encoder(const ModelSource& source) {
    const TensorInfo& input = source.graph.inputs[0];
    encoder_.file = source.files.graph;
    has_rows_of_pixels_ = input.shape.size() == 3;
    if (family_.is_transformers) {
      take_processor(source, input);
    } else {
      take_size(source, input);
    }
    processor_.tables.padding = {0, 0, 0};  // after normalising
    encoder_.scales_over_batch = source.graph.scales_over_batch;
    require_values_of(input, processor_.tables);
    card_.preprocessing = processor_.text();
    if (has_rows_of_pixels_) {
      encoder_.inputs = {{{canvas_.height, canvas_.width, Image::kChannels}, false, false}};
    } else {
      encoder_.inputs = {{{Image::kChannels, canvas_.height, canvas_.width}, false, true}};
      encoder_.fixed_batch = input.shape[0] > 0 ? static_cast<int>(input.shape[0]) : 0;
    }
  }

  void take_processor(const ModelSource& source, const TensorInfo& input) {
    if (source.files.preprocessor.empty()) {
      throw Error(
          ErrorCode::bad_model,
          "the graphs are a segmenter of Hugging Face's form, and its preprocessor_config.json is missing: put it beside them or "
          "one folder up");
    }
    processor_ = read_image_processor(source.files.preprocessor);
    const auto refuse_processor = [&](const std::string& message) {
      throw Error(ErrorCode::bad_data, message, {{"file", source.files.preprocessor.native()}, {"input", text_of(input)}});
    };
    if (family_.is_padded ? processor_.rule != ImageProcessor::SizeRule::longest_edge : !processor_.fixed_size()) {
      refuse_processor(
          fmt::format("a segmenter of the family {} cannot take images that are prepared so: {}", card_.family, processor_.text()));
    }
    canvas_ = family_.is_padded ? processor_.pad_size.value_or(InputSize{processor_.longest_edge, processor_.longest_edge})
                                : *processor_.fixed_size();
    for (const auto& [of_graph, of_file] : {std::pair(input.shape[2], canvas_.height), std::pair(input.shape[3], canvas_.width)}) {
      if (of_graph > 0 && of_graph != of_file) {
        refuse_processor(fmt::format("preprocessor_config.json makes images of {} x {} pixels, but the graph takes {}",
                                     canvas_.width, canvas_.height, text_of(input)));
      }
    }
    if (processor_.longest_edge > std::min(canvas_.width, canvas_.height) && family_.is_padded) {
      refuse_processor(fmt::format("preprocessor_config.json makes images of up to {} pixels a side and pads them to {} x {}",
                                   processor_.longest_edge, canvas_.width, canvas_.height));
    }
  }

  // Of a graph that comes without any file that says it: what the graph takes, else what its decoder's masks are made for.
  void take_size(const ModelSource& source, const TensorInfo& input) {
    const TensorInfo* masks = tensor_named(source.companion.inputs, "mask_input");
    const auto side = [&](std::size_t axis_of_input, std::size_t axis_of_masks) {
      if (const std::int64_t of_graph = input.shape[axis_of_input]; of_graph > 0) {
        return static_cast<int>(of_graph);
      }
      if (!has_rank(masks, 4) || masks->shape[axis_of_masks] <= 0) {
        refuse(source, "neither the encoder nor the decoder's mask_input says how large images are");
      }
      return static_cast<int>(masks->shape[axis_of_masks]) * kMaskStride;
    };
    const std::size_t first = has_rows_of_pixels_ ? 0 : 2;
    canvas_ = {side(first, 2), side(first + 1, 3)};
    if (canvas_.width != canvas_.height) {
      refuse(source, fmt::format("the encoder takes images of {} x {} pixels; those of this family are square", canvas_.width,
                                 canvas_.height));
    }
    processor_.rule = family_.is_padded ? ImageProcessor::SizeRule::longest_edge : ImageProcessor::SizeRule::exact;
    processor_.size = canvas_;
    processor_.longest_edge = canvas_.width;
    ValueScaling scaling;
    scaling.rescale = family_.is_padded ? ValueScaling::Rescale::none : ValueScaling::Rescale::divided;
    scaling.mean = family_.is_padded ? kMeanOfPixels : kMeanOfShares;
    scaling.std = family_.is_padded ? kStdOfPixels : kStdOfShares;
    processor_.tables = tables_of(scaling);
    processor_.scaling = text_of(scaling) + (has_rows_of_pixels_ ? " in the graph" : "");
  }

  const Decoder& decoder_of(PromptKind kind) const { return decoders_[static_cast<std::size_t>(kind)]; }

  /// How the decoder is used for these prompts. When it does not take them, an entry of `refusals_` says why.
  Decoder decoder_from(const ModelSource& source, PromptKind kind) {
    const GraphInfo& graph = source.companion;
    decoder_inputs_ = list_of(graph.inputs);
    Decoder decoder;
    GraphUse& use = decoder.use.graph;
    use.file = source.files.companion;
    use.outputs = {index_of(graph.outputs, family_.scores), index_of(graph.outputs, family_.masks)};
    use.outputs_have_batch = false;
    decoder.labels = labels_for(source, kind);
    std::string& refusal = refusals_[static_cast<std::size_t>(kind)];
    refusal = refusal_of(source, kind, decoder.labels.size());
    const std::int64_t prompts = prompts_of(source, kind);
    decoder.use.prompts_per_inference = static_cast<std::size_t>(prompts);
    for (const TensorInfo& input : graph.inputs) {
      DecoderInput what;
      std::vector<std::int64_t> shape;
      if (tensor_named(source.graph.outputs, input.name) != nullptr) {
        what.content = DecoderInput::Content::embedding;
        what.embedding = embedding_of(source, input);
        shape = embedding_shape(source, input);
      } else if (!input_of_prompts(input, kind, prompts, decoder.labels, what, shape)) {
        refuse(source, fmt::format("what the decoder's input {} is to get is not known", text_of(input)));
      }
      if (what.content != DecoderInput::Content::labels && what.content != DecoderInput::Content::nothing &&
          takes_i64(input.type)) {
        refuse(source, fmt::format("the decoder takes whole numbers as {}", text_of(input)));
      }
      use.inputs.push_back({std::move(shape), takes_i64(input.type), false});
      decoder.inputs.push_back(what);
    }
    if (encoder_.outputs.empty()) {
      refuse(source, "the decoder takes nothing of what the encoder gives");
    }
    decoder.answers = {{prompts, -1}, {prompts, -1, -1, -1}};
    if (family_.is_transformers) {
      for (std::vector<std::int64_t>& shape : decoder.answers) {
        shape.insert(shape.begin(), 1);
      }
    }
    return decoder;
  }

  const TensorInfo* boxes_input(const ModelSource& source) const {
    return family_.boxes.empty() ? nullptr : tensor_named(source.companion.inputs, family_.boxes);
  }

  /// What the points of one prompt are.
  std::vector<int> labels_for(const ModelSource& source, PromptKind kind) const {
    if (kind == PromptKind::box) {
      return family_.boxes.empty() ? std::vector{kFirstCorner, kSecondCorner} : std::vector<int>{};
    }
    // A graph of transformers that takes boxes was traced with them, and then adds no point.
    const bool is_padded_by_graph = family_.pads_points && boxes_input(source) == nullptr;
    return is_padded_by_graph ? std::vector{kInside} : std::vector{kInside, kNoPoint};
  }

  std::string refusal_of(const ModelSource& source, PromptKind kind, std::size_t points_of_prompt) const {
    const TensorInfo& points = *tensor_named(source.companion.inputs, family_.points);
    const TensorInfo* boxes = boxes_input(source);
    if (kind == PromptKind::box && !family_.boxes.empty() && !has_rank(boxes, 3)) {
      return fmt::format(
          "the decoder takes points and no boxes: it has no input {0}, and corners given as points mean nothing to it. "
          "Export it with {0}, or take an export of Meta's form (point_coords, point_labels)",
          family_.boxes);
    }
    const std::int64_t count = points.shape[family_.is_transformers ? 2 : 1];
    if (count > 0 && count != static_cast<std::int64_t>(points_of_prompt)) {
      return fmt::format("a {} takes {} points, and the decoder was exported for another number: {}",
                         kind == PromptKind::box ? "box" : "point", points_of_prompt, text_of(points));
    }
    if (kind == PromptKind::point && boxes != nullptr && boxes->shape.size() == 3 && boxes->shape[1] > 0) {
      return fmt::format(
          "the decoder cannot do without boxes, for it was exported with {}; export it with a number of them that may "
          "be 0",
          text_of(*boxes));
    }
    return "";
  }

  std::int64_t prompts_of(const ModelSource& source, PromptKind kind) const {
    const TensorInfo& points = *tensor_named(source.companion.inputs, family_.points);
    std::int64_t declared = points.shape[family_.is_transformers ? 1 : 0];
    if (const TensorInfo* boxes = boxes_input(source); kind == PromptKind::box && has_rank(boxes, 3)) {
      declared = boxes->shape[1];
    }
    // Where one scale is taken for all that go through it together, a mask would depend on the other objects of the image.
    const std::int64_t usual = source.companion.scales_over_batch ? 1 : kPrompts;
    return declared > 0 ? declared : usual;
  }

  /// Where the output of that name lies among those of the encoder that are read.
  std::size_t embedding_of(const ModelSource& source, const TensorInfo& input) {
    const std::size_t output = index_of(source.graph.outputs, input.name);
    const auto known = std::ranges::find(encoder_.outputs, output);
    if (known != encoder_.outputs.end()) {
      return static_cast<std::size_t>(known - encoder_.outputs.begin());
    }
    encoder_.outputs.push_back(output);
    return encoder_.outputs.size() - 1;
  }

  static std::vector<std::int64_t> embedding_shape(const ModelSource& source, const TensorInfo& input) {
    const TensorInfo& output = *tensor_named(source.graph.outputs, input.name);
    std::vector<std::int64_t> shape = {1};
    bool is_fitting = !input.shape.empty() && input.shape.size() == output.shape.size() && input.shape[0] <= 1;
    for (std::size_t i = 1; is_fitting && i < input.shape.size(); ++i) {
      is_fitting = input.shape[i] <= 0 || output.shape[i] <= 0 || input.shape[i] == output.shape[i];
      shape.push_back(input.shape[i] > 0 ? input.shape[i] : output.shape[i]);
    }
    if (!is_fitting) {
      refuse(source, fmt::format("the graphs do not belong together: the encoder gives {}, the decoder takes {}", text_of(output),
                                 text_of(input)));
    }
    if (std::ranges::any_of(shape, [](std::int64_t size) { return size <= 0; })) {
      refuse(source, fmt::format("neither graph says how large {} is", text_of(input)));
    }
    return shape;
  }

  bool input_of_prompts(const TensorInfo& input, PromptKind kind, std::int64_t prompts, const std::vector<int>& labels,
                        DecoderInput& what, std::vector<std::int64_t>& shape) const {
    using Content = DecoderInput::Content;
    const auto points = static_cast<std::int64_t>(labels.size());
    if (input.name == family_.points) {
      what.content = points > 0 ? Content::prompts : Content::nothing;
      shape = {prompts, points, 2};
    } else if (input.name == family_.labels) {
      what.content = points > 0 ? Content::labels : Content::nothing;
      shape = {prompts, points};
    } else if (!family_.boxes.empty() && input.name == family_.boxes) {
      what.content = kind == PromptKind::box ? Content::prompts : Content::nothing;
      shape = {kind == PromptKind::box ? prompts : 0, 4};
    } else if (!family_.is_transformers && input.name == "mask_input" && input.shape.size() == 4) {
      const auto size = [](std::int64_t of_graph, std::int64_t otherwise) { return of_graph > 0 ? of_graph : otherwise; };
      shape = {size(input.shape[0], prompts), size(input.shape[1], 1), size(input.shape[2], canvas_.height / kMaskStride),
               size(input.shape[3], canvas_.width / kMaskStride)};
      return true;
    } else if (!family_.is_transformers && input.name == "has_mask_input" && input.shape.size() == 1) {
      // One for all prompts, also where their number may be given: the graph multiplies maps by it.
      shape = {1};
      return true;
    } else if (!family_.is_transformers && input.name == "orig_im_size" && input.shape.size() == 1) {
      // Masks of that size are not asked for; should an engine compute them all the same, they have one size for all images.
      what.content = Content::size;
      shape = {2};
      return true;
    } else {
      return false;
    }
    if (family_.is_transformers) {
      shape.insert(shape.begin(), 1);
    }
    return true;
  }

  /// `write(i, numbers)` writes prompt i. Places without a prompt get the last one again.
  template <typename Write>
  void write_prompts(PromptKind kind, const EncodedImage& image, std::size_t prompts, std::span<const InputView> inputs,
                     const Write& write) const {
    const Decoder& decoder = decoder_of(kind);
    const std::size_t places = decoder.use.prompts_per_inference;
    for (std::size_t i = 0; i < decoder.inputs.size(); ++i) {
      switch (decoder.inputs[i].content) {
        case DecoderInput::Content::embedding:
          write_embedding(image.outputs.at(decoder.inputs[i].embedding), inputs[i].f32);
          break;
        case DecoderInput::Content::prompts:
          for (std::size_t place = 0; place < places; ++place) {
            const std::size_t numbers = inputs[i].f32.size() / places;
            write(std::min(place, prompts - 1), inputs[i].f32.subspan(place * numbers, numbers));
          }
          break;
        case DecoderInput::Content::labels:
          write_labels(decoder.labels, inputs[i].f32);
          write_labels(decoder.labels, inputs[i].i64);
          break;
        case DecoderInput::Content::size:
          inputs[i].f32[0] = static_cast<float>(canvas_.height);
          inputs[i].f32[1] = static_cast<float>(canvas_.width);
          break;
        case DecoderInput::Content::nothing:
          break;
      }
    }
  }

  Answers answers_from(PromptKind kind, std::span<const OutputView> outputs) const {
    check_outputs(outputs, decoder_of(kind).answers);
    const std::span<const std::int64_t> shape = outputs[1].shape;
    Answers answers;
    answers.scores = outputs[0].values;
    answers.logits = outputs[1].values;
    answers.count = static_cast<std::size_t>(outputs[0].shape.back());
    answers.first = answers.count > family_.first_of_many ? family_.first_of_many : 0;
    answers.height = static_cast<int>(shape[shape.size() - 2]);
    answers.width = static_cast<int>(shape.back());
    if (answers.count == 0 || static_cast<std::size_t>(shape[shape.size() - 3]) != answers.count || answers.height < 1 ||
        answers.width < 1 || answers.height > canvas_.height || answers.width > canvas_.width) {
      throw Error(
          ErrorCode::bad_model,
          fmt::format("the model gave {} scores and {} masks of {} x {} pixels for a prompt; as many masks "
                      "as scores, of at most {} x {} pixels, were expected",
                      answers.count, shape[shape.size() - 3], answers.width, answers.height, canvas_.width, canvas_.height));
    }
    return answers;
  }

  InputSize write_rows(const Image& image, std::span<float> rows, Image& scratch) const {
    const InputSize content = processor_.resized(image.width(), image.height());
    const Image* resized = &image;
    if (content.width != image.width() || content.height != image.height()) {
      resize_pillow(image, content.width, content.height, processor_.filter, scratch);
      resized = &scratch;
    }
    constexpr std::size_t kChannels = Image::kChannels;
    for (int y = 0; y < canvas_.height; ++y) {
      float* row = rows.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(canvas_.width) * kChannels;
      const int width = y < content.height ? content.width : 0;
      for (int x = 0; x < width; ++x, row += kChannels) {
        const std::uint8_t* const blue_green_red = resized->row(y) + static_cast<std::size_t>(x) * kChannels;
        for (std::size_t channel = 0; channel < kChannels; ++channel) {
          row[channel] = static_cast<float>(blue_green_red[kChannels - 1 - channel]);
        }
      }
      // What the graph makes 0 of, as it would pad.
      for (int x = width; x < canvas_.width; ++x, row += kChannels) {
        for (std::size_t channel = 0; channel < kChannels; ++channel) {
          row[channel] = static_cast<float>(kMeanOfPixels[channel]);
        }
      }
    }
    return content;
  }

  static void write_embedding(const std::vector<float>& embedding, std::span<float> input) {
    if (embedding.size() != input.size()) {
      throw Error(ErrorCode::bad_model, fmt::format("the encoder gave {} numbers where the decoder takes {}: the two graphs do not "
                                                    "belong together",
                                                    embedding.size(), input.size()));
    }
    std::ranges::copy(embedding, input.begin());
  }

  template <typename Number>
  static void write_labels(const std::vector<int>& of_prompt, std::span<Number> labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      labels[i] = static_cast<Number>(of_prompt[i % of_prompt.size()]);
    }
  }

  MaskUpsampling upsampling_of(const InputTransform& transform, int height, int width) const {
    if (!family_.is_padded) {
      return MaskUpsampling::stretched(height, width, transform.image_height, transform.image_width);
    }
    const auto axis = [](int map, int canvas, double scale, int image) {
      return UpsamplingAxis{map, canvas, 0, static_cast<int>(std::nearbyint(image * scale)), image};
    };
    return {axis(height, canvas_.height, transform.scale_y, transform.image_height),
            axis(width, canvas_.width, transform.scale_x, transform.image_width)};
  }

  const Family& family_;
  ModelCard card_;
  std::vector<std::string> notes_;
  ImageProcessor processor_;
  InputSize canvas_;
  bool has_rows_of_pixels_ = false;
  GraphUse encoder_;
  std::array<Decoder, 2> decoders_;      ///< by kind of prompt
  std::array<std::string, 2> refusals_;  ///< why it does not take them; empty when it does
  std::string decoder_inputs_;
};

}  // namespace

void EverythingOptions::validate() const {
  const auto require = [](bool holds, std::string message) {
    if (!holds) {
      throw Error(ErrorCode::wrong_use, std::move(message));
    }
  };
  require(points_per_side >= 1 && points_per_side <= kMaxPointsPerSide,
          fmt::format("{} points a side; 1 to {} are possible", points_per_side, kMaxPointsPerSide));
  require(std::isfinite(min_iou), fmt::format("the least estimated IoU is {}, not a number", min_iou));
  require(min_stability >= 0 && min_stability < 1,
          fmt::format("the least stability is {}; a number from 0 to below 1 is needed", min_stability));
  require(stability_offset > 0 && std::isfinite(stability_offset),
          fmt::format("the offset of logits is {}; a positive number is needed", stability_offset));
  require(nms_iou >= 0 && nms_iou <= 1, fmt::format("the NMS threshold is {}; an IoU from 0 to 1 is needed", nms_iou));
  require(!max_masks || *max_masks > 0, fmt::format("at most {} masks an image; at least 1 is needed", max_masks.value_or(0)));
}

std::span<const ModelFamily> segmenter_families() {
  static const std::array<ModelFamily, kFamilies.size()> kDescriptions = [] {
    std::array<ModelFamily, kFamilies.size()> descriptions;
    std::ranges::transform(kFamilies, descriptions.begin(), &Family::description);
    return descriptions;
  }();
  return kDescriptions;
}

bool is_segmenter(Engine& engine, const std::filesystem::path& model) {
  const ModelFiles files = find_model_files(model);
  if (files.companion.empty()) {
    return false;
  }
  const GraphInfo encoder = engine.inspect(files.graph);
  const GraphInfo decoder = engine.inspect(files.companion);
  return std::ranges::any_of(kFamilies, [&](const Family& family) { return is_of(family, encoder, decoder); });
}

std::unique_ptr<Segmenter> load_segmenter(Engine& engine, const std::filesystem::path& model, const LoadOptions& options) {
  try {
    ModelFiles files = find_model_files(model);
    if (files.companion.empty()) {
      throw Error(ErrorCode::wrong_use,
                  "a segmenter lies in two graphs, and this is one: vision_encoder.onnx and prompt_encoder_mask_decoder.onnx, or "
                  "NAME.encoder.onnx and NAME.decoder.onnx, belong into one folder",
                  {{"graph", files.graph.native()}});
    }
    const ModelSource source{
        .engine = engine,
        .options = options,
        .graph = engine.inspect(files.graph),
        .companion = engine.inspect(files.companion),
        .manifest = manifest_of(files.graph, options.manifest),
        .files = files,
        .weights_sha256 = sha256_of_weights(files),
    };
    if (!source.manifest.path.empty()) {
      throw Error(ErrorCode::bad_data, "a segmenter leaves nothing open that a manifest could say; remove it",
                  {{"file", source.manifest.path.native()}});
    }
    auto segmenter = std::make_unique<SamSegmenter>(source, family_of(source));
    segmenter->card_to_complete().weights_sha256 = source.weights_sha256;
    return segmenter;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_model) {
      throw;
    }
    throw error.with("model", model.native());
  }
}

}  // namespace verilabel
