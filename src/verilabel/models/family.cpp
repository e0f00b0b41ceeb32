#include "verilabel/models/family.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"

namespace verilabel {

std::size_t InputPart::size() const {
  std::size_t size = 1;
  for (const std::int64_t side : shape) {
    size *= static_cast<std::size_t>(side);
  }
  return size;
}

namespace {

/// Python's round: half to even.
int rounded(double value) {
  return static_cast<int>(std::nearbyint(value));
}

std::string_view name_of(OpencvInterpolation interpolation) {
  switch (interpolation) {
    case OpencvInterpolation::nearest:
      return "nearest";
    case OpencvInterpolation::linear:
      return "linear";
    case OpencvInterpolation::cubic:
      return "cubic";
    case OpencvInterpolation::area:
      return "area";
  }
  return "";
}

std::string text_of(const FitStyle& style) {
  switch (style.fit) {
    case Fit::letterbox_corner:
      return fmt::format("letterbox (top left, padded with {})", style.padding);
    case Fit::letterbox_centre:
      return fmt::format("letterbox (centred, padded with {})", style.padding);
    case Fit::stretch:
      return "stretched";
  }
  return "";
}

std::string text_of(std::span<const std::int64_t> shape) {
  std::string text;
  for (const std::int64_t size : shape) {
    text += text.empty() ? "" : ", ";
    text += size < 0 ? "?" : std::to_string(size);
  }
  return fmt::format("[{}]", text);
}

/// How far a score may lie outside of 0 to 1 by rounding, half precision included.
constexpr float kScoreSlack = 2e-3F;
constexpr float kGreatestFloat = std::numeric_limits<float>::max();

/// A loop without branches, so that it costs one pass of memory.
bool are_between(std::span<const float> values, float least, float greatest) {
  unsigned outside = 0;
  for (const float value : values) {
    outside |= static_cast<unsigned>(!(value >= least)) | static_cast<unsigned>(!(value <= greatest));
  }
  return outside == 0;
}

void require_above(std::span<const float> values, float least) {
  if (!are_between(values, least, kGreatestFloat)) {
    const bool has_nan = std::ranges::any_of(values, [](float value) { return std::isnan(value); });
    throw Error(ErrorCode::bad_model,
                fmt::format("the model gave {} instead of numbers for this image, as models in half precision do that overflow; "
                            "nothing was stored",
                            has_nan ? "NaN" : "infinity"));
  }
}

bool is_of_shape(const OutputView& output, std::span<const std::int64_t> wanted) {
  std::size_t values = 1;
  for (const std::int64_t size : output.shape) {
    values *= static_cast<std::size_t>(size);
  }
  return values == output.values.size() && std::ranges::equal(output.shape, wanted, [](std::int64_t size, std::int64_t expected) {
           return expected < 0 || size == expected;
         });
}

}  // namespace

bool takes_image(const TensorInfo& input) {
  return input.shape.size() == 4 && (input.shape[1] == 3 || input.shape[1] < 0) && !takes_i64(input.type);
}

bool takes_one_image(const GraphInfo& graph) {
  return graph.inputs.size() == 1 && takes_image(graph.inputs[0]) && graph.inputs[0].shape[1] == 3;
}

const TensorInfo* tensor_named(std::span<const TensorInfo> tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorInfo::name);
  return found == tensors.end() ? nullptr : &*found;
}

void require_whole_images(const GraphInfo& graph, const std::filesystem::path& model) {
  const TensorInfo* pixels = tensor_named(graph.inputs, "pixel_values");
  constexpr std::size_t kRankOfPatches = 3;
  if (pixels != nullptr && pixels->shape.size() == kRankOfPatches && tensor_named(graph.inputs, "spatial_shapes") != nullptr) {
    throw Error(ErrorCode::unsupported,
                "this is a NaFlex model of SigLIP 2, which takes pictures as patches in a shape of their own; those of one size of "
                "pictures are read, as siglip2-base-patch16-224 is",
                {{"model", model.native()}, {"input", text_of(*pixels)}});
  }
}

InputSize input_size_of(const ModelSource& source, InputSize usual) {
  return input_size_of(source, source.graph.inputs.front(), usual);
}

InputSize input_size_of(const ModelSource& source, const TensorInfo& input, InputSize usual) {
  const InputSize wanted = source.manifest.input_size.value_or(usual);
  const auto side = [&](std::int64_t of_graph, int otherwise) {
    if (of_graph > 0 && source.manifest.input_size && of_graph != otherwise) {
      throw Error(
          ErrorCode::bad_data,
          fmt::format("the manifest says input_size [{}, {}], but the graph takes {}", wanted.height, wanted.width, text_of(input)),
          {{"file", source.manifest.path.native()}, {"key", "input_size"}});
    }
    return of_graph > 0 ? static_cast<int>(of_graph) : otherwise;
  };
  return {side(input.shape[2], wanted.height), side(input.shape[3], wanted.width)};
}

void require_keys(const Manifest& manifest, std::string_view family, std::span<const std::string_view> known) {
  for (const std::string& key : manifest.keys) {
    if (std::ranges::find(known, key) == known.end()) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("'{}' in the manifest means nothing for a model of the family {}; it may have: {}", key, family,
                              fmt::join(known, ", ")),
                  {{"file", manifest.path.native()}, {"key", key}});
    }
  }
}

void require_values_of(const TensorInfo& input, const PixelTables& tables) {
  const bool is_signed = input.type == ElementType::i8;
  if (!is_signed && input.type != ElementType::u8) {
    return;
  }
  const auto fits = [&](float value) {
    return value == std::floor(value) && value >= (is_signed ? -128 : 0) && value <= (is_signed ? 127 : 255);
  };
  for (const auto& of_channel : tables.values) {
    if (!std::ranges::all_of(of_channel, fits)) {
      throw Error(
          ErrorCode::bad_model,
          fmt::format("the graph takes whole numbers ({}), and what is stated about its preprocessing makes other values of "
                      "the pixels; correct that (a graph that scales by itself wants the pixels as they are: mean 0 and std "
                      "1, do_rescale and do_normalize false), or export it with a float input",
                      text_of(input)));
    }
  }
}

FamilyLabeller::FamilyLabeller(const ModelSource& source, std::string family, const TensorInfo& input, InputSize size)
    : image_input_(static_cast<std::size_t>(&input - source.graph.inputs.data())), size_(size) {
  card_.family = std::move(family);
  graph_.file = source.files.graph;
  graph_.fixed_batch = input.shape[0] > 0 ? static_cast<int>(input.shape[0]) : 0;
  graph_.scales_over_batch = source.graph.scales_over_batch;
  graph_.inputs.resize(source.graph.inputs.size());
  set_input(source, input.name, {Image::kChannels, size.height, size.width});
}

void FamilyLabeller::set_input(const ModelSource& source, std::string_view name, std::vector<std::int64_t> shape) {
  set_whole_input(source, name, std::move(shape));
  const TensorInfo* input = tensor_named(source.graph.inputs, name);
  graph_.inputs[static_cast<std::size_t>(input - source.graph.inputs.data())].has_batch = true;
  // A graph may take any number of images, and a mask of one.
  if (graph_.fixed_batch == 0 && !input->shape.empty() && input->shape[0] > 0) {
    graph_.fixed_batch = static_cast<int>(input->shape[0]);
  }
}

void FamilyLabeller::set_whole_input(const ModelSource& source, std::string_view name, std::vector<std::int64_t> shape) {
  const TensorInfo* input = tensor_named(source.graph.inputs, name);
  graph_.inputs[static_cast<std::size_t>(input - source.graph.inputs.data())] = {std::move(shape), takes_i64(input->type), false};
}

void FamilyLabeller::take_one_at_a_time() {
  if (graph_.fixed_batch > 1) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph was exported for {} images at a time, and this family takes one; export it "
                            "for one image",
                            graph_.fixed_batch));
  }
  graph_.fixed_batch = 1;
}

void FamilyLabeller::take_prompts(const ModelSource& source) {
  class_names_ = source.options.prompts.names();
  card_.class_source = "what was asked for";
  card_.takes_prompts = true;
  take_limits(source.manifest);
}

void FamilyLabeller::take_limits(const Manifest& manifest) {
  nms_iou_ = manifest.nms_iou.value_or(nms_iou_);
  max_detections_ = manifest.max_detections.value_or(max_detections_);
}

void FamilyLabeller::take_class_names(const ModelSource& source, std::optional<std::vector<std::string>> graph_names,
                                      std::size_t count) {
  if (source.manifest.class_names) {
    class_names_ = *source.manifest.class_names;
    card_.class_source = fmt::format("manifest {}", source.manifest.path.native());
    const std::set<std::string> distinct(class_names_.begin(), class_names_.end());
    if (distinct.size() != class_names_.size()) {
      throw Error(ErrorCode::bad_data, "a name of a class occurs twice",
                  {{"file", source.manifest.path.native()}, {"key", std::string(source.manifest.names_key())}});
    }
  } else if (graph_names) {
    class_names_ = std::move(*graph_names);
    card_.class_source = "the graph's metadata";
  } else if (count == coco_class_names().size()) {
    class_names_ = coco_class_names();
    card_.class_source = "COCO, by its number of classes";
    notes_.push_back(
        fmt::format("the {} graph names no classes; its {} are taken to be COCO's. If they are others, list them under class_names "
                    "in a manifest",
                    card_.family, count));
  } else {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph has {} classes and does not name them; list them as {{\"class_names\": […]}} in "
                            "NAME.verilabel.json beside the model",
                            count));
  }
  if (class_names_.size() != count) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph has {} classes, but {} names are given for them", count, class_names_.size()),
                {{"names from", card_.class_source}});
  }
  class_of_output_.resize(count);
  std::iota(class_of_output_.begin(), class_of_output_.end(), 0);
  take_limits(source.manifest);
}

void FamilyLabeller::take_output_names(const ModelSource& source, std::optional<std::vector<std::string>> names,
                                       std::string_view origin, std::size_t count) {
  card_.class_source = origin;
  if (source.manifest.class_names) {
    names = source.manifest.class_names;
    std::ranges::replace(*names, "N/A", "");
    card_.class_source = fmt::format("manifest {}", source.manifest.path.native());
  }
  if (!names) {
    throw Error(
        ErrorCode::bad_model,
        fmt::format("the model has {} classes and nothing names them; name them in NAME.verilabel.json beside the graph, as "
                    "{{\"class_names\": […]}} or, one a line of a file, {{\"class_names_file\": \"names.txt\"}}",
                    count));
  }
  if (names->size() != count) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the graph has {} classes, but {} names are given for them", count, names->size()),
                {{"names from", card_.class_source}});
  }
  std::map<std::string, int> uses;
  for (const std::string& name : *names) {
    ++uses[name];
  }
  std::string unused;
  std::string repeated;
  for (std::size_t output = 0; output < count; ++output) {
    const std::string& name = (*names)[output];
    if (name.find_first_not_of(' ') == std::string::npos) {
      unused += fmt::format("{}{}", unused.empty() ? "" : ", ", output);
      class_of_output_.push_back(-1);
      continue;
    }
    class_of_output_.push_back(static_cast<std::int32_t>(class_names_.size()));
    std::string unique = name;
    if (uses[name] > 1) {
      do {
        unique += fmt::format(" ({})", output);
      } while (uses.contains(unique));  // as another class may be called
      uses.emplace(unique, 1);
    }
    class_names_.push_back(std::move(unique));
    if (uses[name] > 1) {
      repeated += fmt::format("{}{}", repeated.empty() ? "" : ", ", class_names_.back());
    }
  }
  if (!unused.empty()) {
    add_note(fmt::format("the numbers {} stand for no class: what the model gives them is no label", unused));
  }
  if (!repeated.empty()) {
    add_note(fmt::format("several classes have one name and are told apart by their numbers: {}", repeated));
  }
  take_limits(source.manifest);
}

CandidateOptions FamilyLabeller::default_options() const {
  CandidateOptions options;
  options.nms_iou = nms_iou_;
  options.max_detections = max_detections_;
  return options;
}

LetterboxDetector::LetterboxDetector(const ModelSource& source, std::string family, const TensorInfo& input, FitStyle style,
                                     PixelScaling scaling, InputSize size)
    : FamilyLabeller(source, std::move(family), input, size), style_(style) {
  constexpr std::array<std::string_view, 12> kKeys = {"family",  "class_names",   "class_names_file", "channel_order",
                                                      "mean",    "std",           "input_size",       "fit",
                                                      "padding", "interpolation", "nms_iou",          "max_detections"};
  require_keys(source.manifest, card_.family, kKeys);
  if ((input.shape[2] <= 0 || input.shape[3] <= 0) && !source.manifest.input_size) {
    add_note(fmt::format("the graph takes images of any size; {} x {} is used. Another can be given as input_size in a manifest",
                         size.width, size.height));
  }
  const Manifest& manifest = source.manifest;
  scaling.order = manifest.channel_order.value_or(scaling.order);
  for (std::size_t channel = 0; channel < 3; ++channel) {
    scaling.mean[channel] = manifest.mean ? static_cast<float>((*manifest.mean)[channel]) : scaling.mean[channel];
    scaling.std[channel] = manifest.std ? static_cast<float>((*manifest.std)[channel]) : scaling.std[channel];
  }
  style_.when_shrinking = manifest.interpolation.value_or(style_.when_shrinking);
  style_.when_growing = manifest.interpolation.value_or(style_.when_growing);
  style_.fit = manifest.fit.value_or(style_.fit);
  style_.padding = manifest.padding.value_or(style_.padding);
  tables_ = tables_of(scaling, style_.padding);
  require_values_of(input, tables_);
  card_.preprocessing =
      fmt::format("{} x {} {}, {} when shrinking, {} when growing, {}, mean {:.6g} {:.6g} {:.6g}, std {:.6g} {:.6g} {:.6g}",
                  size.width, size.height, text_of(style_), name_of(style_.when_shrinking), name_of(style_.when_growing),
                  scaling.order == ChannelOrder::rgb ? "RGB" : "BGR", scaling.mean[0], scaling.mean[1], scaling.mean[2],
                  scaling.std[0], scaling.std[1], scaling.std[2]);
}

InputTransform LetterboxDetector::preprocess(const Image& image, std::span<const InputView> inputs, Image& scratch,
                                             int pass) const {
  const double ratio =
      std::min(static_cast<double>(input_width()) / image.width(), static_cast<double>(input_height()) / image.height());
  const auto side = [&](int pixels, int limit) {
    if (style_.fit == Fit::stretch) {
      return limit;
    }
    const double exact = pixels * ratio;
    return std::clamp(style_.is_rounded ? rounded(exact) : static_cast<int>(exact), 1, limit);
  };
  const int width = side(image.width(), input_width());
  const int height = side(image.height(), input_height());
  // Of an odd padding the smaller half goes left and above.
  const int left = style_.fit == Fit::letterbox_centre ? (input_width() - width) / 2 : 0;
  const int top = style_.fit == Fit::letterbox_centre ? (input_height() - height) / 2 : 0;
  const Image* resized = &image;
  if (width != image.width() || height != image.height()) {
    const bool is_shrinking = width < image.width() || height < image.height();
    resize_opencv(image, width, height, is_shrinking ? style_.when_shrinking : style_.when_growing, scratch);
    resized = &scratch;
  }
  write_planar(*resized, tables_, input_width(), input_height(), left, top, inputs[image_input()].f32);
  write_other_inputs(inputs, pass);
  const bool has_one_ratio = style_.fit == Fit::letterbox_corner || (style_.fit == Fit::letterbox_centre && style_.has_one_ratio);
  return {has_one_ratio ? ratio : static_cast<double>(width) / image.width(),
          has_one_ratio ? ratio : static_cast<double>(height) / image.height(),
          static_cast<double>(left),
          static_cast<double>(top),
          image.width(),
          image.height(),
          pass};
}

void check_outputs(std::span<const OutputView> outputs, std::span<const std::vector<std::int64_t>> wanted,
                   std::optional<std::size_t> masked) {
  bool is_fitting = outputs.size() >= wanted.size();
  for (std::size_t i = 0; is_fitting && i < wanted.size(); ++i) {
    is_fitting = is_of_shape(outputs[i], wanted[i]);
  }
  if (!is_fitting) {
    std::string found;
    std::string expected;
    for (const OutputView& output : outputs) {
      found += (found.empty() ? "" : "; ") + text_of(output.shape);
    }
    for (const auto& shape : wanted) {
      expected += (expected.empty() ? "" : "; ") + text_of(shape);
    }
    throw Error(ErrorCode::bad_model,
                fmt::format("the model gave outputs of the shapes {} for an image; {} was expected", found, expected));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    require_above(outputs[i].values, masked == i ? -std::numeric_limits<float>::infinity() : -kGreatestFloat);
  }
}

void require_scores(std::span<const float> scores) {
  if (!are_between(scores, -kScoreSlack, 1 + kScoreSlack)) {
    const auto [least, greatest] = std::ranges::minmax(scores);
    throw Error(
        ErrorCode::bad_model,
        fmt::format("the model gave scores from {} to {}, and they must be numbers from 0 to 1: was the graph exported "
                    "without its sigmoid or softmax (of a classifier a manifest can say so with \"activation\"), or are its "
                    "outputs mixed up?",
                    least, greatest));
  }
}

std::size_t class_number_of(float label, std::size_t classes) {
  if (!(label >= 0 && label < static_cast<float>(classes)) || label != std::floor(label)) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the model gave class {}, but its classes are the whole numbers from 0 to {}", label, classes - 1));
  }
  return static_cast<std::size_t>(label);
}

std::vector<Candidate> FamilyLabeller::decode(std::span<const OutputView> outputs, const InputTransform& transform,
                                              const CandidateOptions& options) const {
  check_outputs(outputs, output_shapes(), masked_output_);
  return decode_checked(outputs, transform, options);
}

void RawCandidates::add(float x1, float y1, float x2, float y2, float score, std::int32_t class_index, std::uint32_t anchor) {
  boxes_xyxy.insert(boxes_xyxy.end(), {x1, y1, x2, y2});
  scores.push_back(score);
  classes.push_back(class_index);
  anchors.push_back(anchor);
}

bool is_wanted(const CandidateOptions& options, std::size_t class_index) {
  return options.is_class_wanted.empty() || options.is_class_wanted[class_index] != 0;
}

float sigmoid(float logit) {
  return 1 / (1 + std::exp(-logit));
}

Box box_of_shares(std::span<const float> box, InputSize unit, const InputTransform& transform) {
  const auto edge = [](float share, int side, int limit) {
    return std::clamp(static_cast<double>(share * static_cast<float>(side)), 0.0, static_cast<double>(limit));
  };
  const double x1 = edge(box[0] - 0.5F * box[2], unit.width, transform.image_width);
  const double y1 = edge(box[1] - 0.5F * box[3], unit.height, transform.image_height);
  return {x1, y1, std::max(0.0, edge(box[0] + 0.5F * box[2], unit.width, transform.image_width) - x1),
          std::max(0.0, edge(box[1] + 0.5F * box[3], unit.height, transform.image_height) - y1)};
}

Box box_of_shares(std::span<const float> box, const InputTransform& transform) {
  return box_of_shares(box, {transform.image_height, transform.image_width}, transform);
}

std::vector<Candidate> best_of(std::vector<Candidate> candidates, const CandidateOptions& options) {
  candidates = best_first(std::move(candidates));
  const auto most = static_cast<std::size_t>(options.max_detections);
  if (!(options.nms_iou < 1)) {
    candidates.resize(std::min(candidates.size(), most));
    return candidates;
  }
  RawCandidates raw;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Box& box = candidates[i].box_xywh_px;
    raw.add(static_cast<float>(box.x), static_cast<float>(box.y), static_cast<float>(box.x + box.w),
            static_cast<float>(box.y + box.h), static_cast<float>(candidates[i].score), candidates[i].class_index,
            static_cast<std::uint32_t>(i));
  }
  std::vector<Candidate> kept;
  for (const std::uint32_t i : suppress(raw, options)) {
    kept.push_back(std::move(candidates[i]));
  }
  return kept;
}

void write_numbers(std::span<const std::int64_t> numbers, const InputView& view) {
  if (!view.i64.empty()) {
    std::ranges::copy(numbers, view.i64.begin());
  } else {
    std::ranges::transform(numbers, view.f32.begin(), [](std::int64_t number) { return static_cast<float>(number); });
  }
}

float float_floor(double floor) {
  const auto nearest = static_cast<float>(floor);
  return nearest > floor ? std::nextafter(nearest, -std::numeric_limits<float>::infinity()) : nearest;
}

void clip_to_image(RawCandidates& raw, const InputTransform& transform) {
  const auto left = static_cast<float>(transform.offset_x);
  const auto top = static_cast<float>(transform.offset_y);
  const auto right = static_cast<float>(transform.offset_x + transform.image_width * transform.scale_x);
  const auto bottom = static_cast<float>(transform.offset_y + transform.image_height * transform.scale_y);
  for (std::size_t i = 0; i < raw.boxes_xyxy.size(); i += 2) {
    raw.boxes_xyxy[i] = std::clamp(raw.boxes_xyxy[i], left, right);
    raw.boxes_xyxy[i + 1] = std::clamp(raw.boxes_xyxy[i + 1], top, bottom);
  }
}

std::vector<std::uint32_t> suppress(const RawCandidates& raw, const CandidateOptions& options) {
  return nms({raw.boxes_xyxy, raw.scores, raw.classes}, {options.nms_iou, true, static_cast<std::size_t>(options.max_detections)});
}

Box box_in_image(const RawCandidates& raw, std::size_t index, const InputTransform& transform) {
  const float* box = raw.boxes_xyxy.data() + 4 * index;
  const auto x = [&](float value) {
    return std::clamp((value - transform.offset_x) / transform.scale_x, 0.0, static_cast<double>(transform.image_width));
  };
  const auto y = [&](float value) {
    return std::clamp((value - transform.offset_y) / transform.scale_y, 0.0, static_cast<double>(transform.image_height));
  };
  const double x1 = x(box[0]);
  const double y1 = y(box[1]);
  return {x1, y1, std::max(0.0, x(box[2]) - x1), std::max(0.0, y(box[3]) - y1)};
}

bool has_area(const Box& box) {
  return box.w > 0 && box.h > 0;
}

std::vector<Candidate> suppressed(const RawCandidates& raw, const InputTransform& transform, const CandidateOptions& options) {
  std::vector<Candidate> candidates;
  for (const std::uint32_t i : suppress(raw, options)) {
    const Box box = box_in_image(raw, i, transform);
    if (has_area(box)) {
      candidates.push_back({raw.classes[i], box, raw.scores[i]});
    }
  }
  return candidates;
}

std::vector<Candidate> suppressed_in_image(RawCandidates raw, const InputTransform& transform, const CandidateOptions& options) {
  clip_to_image(raw, transform);
  return suppressed(raw, transform, options);
}

}  // namespace verilabel
