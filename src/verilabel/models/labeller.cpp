#include "verilabel/models/labeller.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/models/family.h"
#include "verilabel/models/segmenter.h"

namespace verilabel {
namespace {

struct Family {
  ModelFamily description;
  std::unique_ptr<FamilyLabeller> (*make)(const ModelSource& source);
};

/// In the order in which they are tried: the surest signature first.
constexpr std::array kFamilies = {
    Family{{"two_towers",
            "preprocessor_config.json and tokenizer.json; pixel_values [B, 3, H, W] -> image_embeds or pooler_output, and "
            "input_ids -> "
            "text_embeds or pooler_output in a second graph or the same"},
           &make_two_towers},
    Family{{"owl",
            "config.json, preprocessor_config.json and tokenizer.json; input_ids (+ attention_mask), pixel_values [B, 3, H, W] -> "
            "logits "
            "[B, patches, texts], pred_boxes [B, patches, 4], text_embeds"},
           &make_owl},
    Family{{"grounding_dino",
            "tokenizer.json; pixel_values or img [B, 3, H, W], input_ids (+ attention_mask, token_type_ids, position_ids, "
            "text_token_mask, pixel_mask) -> logits [B, queries, tokens], pred_boxes or boxes [B, queries, 4]"},
           &make_grounding_dino},
    Family{{"yolo_world",
            "text_model.onnx and tokenizer.json beside it; images [B, 3, H, W], text_features [B, texts, features] -> scores [B, "
            "anchors, "
            "texts], boxes [B, anchors, 4]"},
           &make_yolo_world},
    Family{{"mmyolo",
            "a manifest with class_names; images [B, 3, H, W] -> num_dets, boxes, scores, labels, or scores [B, anchors, classes], "
            "boxes "
            "[B, anchors, 4]"},
           &make_mmyolo},
    Family{{"ultralytics_classifier", "metadata with task classify; images [B, 3, H, W] -> output0 [B, classes]"},
           &make_ultralytics_classifier},
    Family{{"transformers_classifier",
            "config.json and preprocessor_config.json, or timm's config.json; pixel_values [B, 3, H, W] -> logits [B, classes]"},
           &make_transformers_classifier},
    Family{{"transformers_detr",
            "config.json and preprocessor_config.json; pixel_values (+ pixel_mask) -> logits [B, queries, classes], pred_boxes "
            "[B, queries, 4]"},
           &make_transformers_detr},
    Family{{"detr_export", "images [B, 3, H, W], orig_target_sizes [B, 2] -> labels, boxes, scores"}, &make_detr_export},
    Family{{"rf_detr", "input [B, 3, H, W] -> dets [B, queries, 4], labels [B, queries, classes] (+ masks)"}, &make_rf_detr},
    Family{{"classifier", "a manifest with task classification; [B, 3, H, W] -> [B, classes]"}, &make_classifier},
    Family{{"ultralytics", "metadata with names; images [B, 3, H, W] -> output0 (+ output1 for masks)"}, &make_ultralytics},
    Family{{"nanodet", "data [B, 3, H, W] -> [B, anchors, classes + 32], or scores and distances of three strides as six outputs"},
           &make_nanodet},
    Family{{"yolox", "images [B, 3, H, W] -> [B, anchors, 5 + classes], one anchor a cell of strides 8, 16, 32"}, &make_yolox},
};

std::string list_of(const std::vector<TensorInfo>& tensors) {
  std::string list;
  for (const TensorInfo& tensor : tensors) {
    list += fmt::format("{}{}", list.empty() ? "" : "; ", text_of(tensor));
  }
  return list.empty() ? "none" : list;
}

[[noreturn]] void refuse(const ModelSource& source, const std::string& message) {
  ErrorContext context{{"inputs", list_of(source.graph.inputs)}, {"outputs", list_of(source.graph.outputs)}};
  for (const ModelFamily& family : model_families()) {
    context.emplace_back(fmt::format("family {}", family.name), family.signature);
  }
  throw Error(ErrorCode::bad_model, message, std::move(context));
}

/// What keeps the graph from being of any family, when that is in the images it takes: the one input that has four dimensions.
std::string fault_of_images(const GraphInfo& graph) {
  const auto has_four = [](const TensorInfo& input) { return input.shape.size() == 4; };
  if (std::ranges::count_if(graph.inputs, has_four) == 1) {
    const TensorInfo& input = *std::ranges::find_if(graph.inputs, has_four);
    if (input.shape[3] == 3 && input.shape[1] != 3) {
      return fmt::format("the graph takes {}, channels last; export it with channels first, [B, 3, H, W]", text_of(input));
    }
    if (input.shape[1] == 1 || input.shape[1] == 4) {
      return fmt::format("the graph takes {}, images of {}; they have three here: red, green and blue", text_of(input),
                         input.shape[1] == 1 ? "one channel" : "four channels");
    }
  }
  return "the graph fits none of the families that are known";
}

std::unique_ptr<FamilyLabeller> labeller_from(const ModelSource& source) {
  require_whole_images(source.graph, source.files.graph);
  for (const Family& family : kFamilies) {
    if (source.manifest.family && *source.manifest.family != family.description.name) {
      continue;
    }
    if (auto labeller = family.make(source)) {
      return labeller;
    }
  }
  if (source.manifest.family) {
    refuse(source, fmt::format("the graph is no model of the family '{}' that the manifest names", *source.manifest.family));
  }
  if (is_segmenter(source.engine, source.files.graph)) {
    refuse(source, "this model outlines what another finds, or everything: name it with --segment-with");
  }
  refuse(source, fault_of_images(source.graph));
}

}  // namespace

std::span<const ModelFamily> model_families() {
  static const std::array<ModelFamily, kFamilies.size()> kDescriptions = [] {
    std::array<ModelFamily, kFamilies.size()> descriptions;
    for (std::size_t i = 0; i < kFamilies.size(); ++i) {
      descriptions[i] = kFamilies[i].description;
    }
    return descriptions;
  }();
  return kDescriptions;
}

std::unique_ptr<Labeller> load_labeller(Engine& engine, const std::filesystem::path& model, const LoadOptions& options) {
  if (!options.prompts.empty()) {
    options.prompts.validate();
  }
  try {
    ModelFiles files = find_model_files(model);
    const ModelSource source{
        .engine = engine,
        .options = options,
        .graph = engine.inspect(files.graph),
        .companion = files.companion.empty() ? GraphInfo() : engine.inspect(files.companion),
        .manifest = manifest_of(files.graph, options.manifest),
        .files = files,
        .weights_sha256 = sha256_of_weights(files),
    };
    auto labeller = labeller_from(source);
    ModelCard& card = labeller->card_to_complete();
    card.weights_sha256 = source.weights_sha256;
    if (card.takes_prompts && !files.tokenizer.empty()) {
      card.tokenizer_sha256 = sha256_of_file(files.tokenizer);
    }
    return labeller;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_model) {
      throw;
    }
    throw error.with("model", model.native());
  }
}

std::vector<Candidate> best_first(std::vector<Candidate> candidates) {
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return candidates[i].score; });
  std::vector<Candidate> sorted;
  sorted.reserve(candidates.size());
  for (const std::size_t i : order) {
    sorted.push_back(std::move(candidates[i]));
  }
  return sorted;
}

std::vector<Candidate> Labeller::merge(std::vector<std::vector<Candidate>> passes, const CandidateOptions& options) const {
  std::vector<Candidate> all;
  for (std::vector<Candidate>& pass : passes) {
    std::ranges::move(pass, std::back_inserter(all));
  }
  all = best_first(std::move(all));
  all.resize(std::min(all.size(), static_cast<std::size_t>(options.max_detections)));
  return all;
}

std::vector<std::vector<std::int64_t>> input_shapes_of(const GraphUse& graph, int batch) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const InputPart& part : graph.inputs) {
    shapes.emplace_back();
    if (part.has_batch) {
      shapes.back().push_back(batch);
    }
    shapes.back().insert(shapes.back().end(), part.shape.begin(), part.shape.end());
  }
  return shapes;
}

}  // namespace verilabel
