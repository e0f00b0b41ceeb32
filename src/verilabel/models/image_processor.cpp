#include "verilabel/models/image_processor.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;
constexpr int kMaxSide = 16384;
/// Pixels of a resized image. Narrow images under a rule for their shorter side grow without bound.
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 29;

/// Where processors differ in more than their defaults.
enum class SizeStyle : std::uint8_t { plain, convnext, levit, poolformer, bounded, longest, floats, antialiased_floats, square };

struct ProcessorType {
  std::string_view name;      ///< without "ImageProcessor"
  std::string_view defaults;  ///< of transformers 5, which configurations of all versions spell out where they matter
  SizeStyle style = SizeStyle::plain;
  bool is_number_square = true;  ///< what `size` means when it is one number and `default_to_square` does not say
};

// ImageNet's statistics, their stand-in of one half, and CLIP's.
#define VERILABEL_HALVES R"("image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], )"
#define VERILABEL_IMAGENET R"("image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], )"
#define VERILABEL_CLIP R"("image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711], )"

constexpr std::array kTypes = {
    ProcessorType{"ViT", "{" VERILABEL_HALVES R"("resample": 2, "size": 224})"},
    ProcessorType{"DeiT", "{" VERILABEL_HALVES R"("resample": 3, "size": 256, "crop_size": 224, "do_center_crop": true})"},
    ProcessorType{"Beit", "{" VERILABEL_HALVES R"("resample": 3, "size": 224, "crop_size": 224})"},
    ProcessorType{"Pvt", "{" VERILABEL_IMAGENET R"("resample": 3, "size": 224})"},
    ProcessorType{"Segformer", "{" VERILABEL_IMAGENET R"("resample": 2, "size": 512})"},
    ProcessorType{"Siglip", "{" VERILABEL_HALVES R"("resample": 3, "size": {"height": 224, "width": 224}})", SizeStyle::plain,
                  false},
    ProcessorType{"Bit",
                  "{" VERILABEL_CLIP R"("resample": 3, "size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": true})",
                  SizeStyle::plain, false},
    ProcessorType{"CLIP",
                  "{" VERILABEL_CLIP R"("resample": 3, "size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": true})",
                  SizeStyle::plain, false},
    ProcessorType{"MobileNetV1",
                  "{" VERILABEL_HALVES
                  R"("resample": 2, "size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": true})",
                  SizeStyle::plain, false},
    ProcessorType{"MobileNetV2",
                  "{" VERILABEL_HALVES
                  R"("resample": 2, "size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": true})",
                  SizeStyle::plain, false},
    ProcessorType{"MobileViT",
                  "{" VERILABEL_HALVES R"("resample": 3, "size": {"shortest_edge": 224}, "crop_size": 256, "do_center_crop": true,)"
                  R"("do_normalize": false, "do_flip_channel_order": true})",
                  SizeStyle::plain, false},
    ProcessorType{"EfficientNet", "{" VERILABEL_HALVES
                                  R"("resample": 3, "size": 346, "crop_size": 289, "rescale_offset": false, "include_top": true})"},
    ProcessorType{"ConvNext", "{" VERILABEL_HALVES R"("resample": 3, "size": {"shortest_edge": 384}, "crop_pct": 0.875})",
                  SizeStyle::convnext, false},
    ProcessorType{"Levit",
                  "{" VERILABEL_IMAGENET
                  R"("resample": 3, "size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": true})",
                  SizeStyle::levit, false},
    ProcessorType{"PoolFormer",
                  "{" VERILABEL_IMAGENET
                  R"("resample": 3, "size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": true, "crop_pct": 0.9})",
                  SizeStyle::poolformer, false},
    ProcessorType{"Detr",
                  "{" VERILABEL_IMAGENET R"("resample": 2, "size": {"shortest_edge": 800, "longest_edge": 1333}, "do_pad": true})",
                  SizeStyle::bounded, false},
    ProcessorType{"ConditionalDetr",
                  "{" VERILABEL_IMAGENET R"("resample": 2, "size": {"shortest_edge": 800, "longest_edge": 1333}, "do_pad": true})",
                  SizeStyle::bounded, false},
    ProcessorType{"DeformableDetr",
                  "{" VERILABEL_IMAGENET R"("resample": 2, "size": {"shortest_edge": 800, "longest_edge": 1333}, "do_pad": true})",
                  SizeStyle::bounded, false},
    ProcessorType{"RTDetr",
                  "{" VERILABEL_IMAGENET
                  R"("resample": 2, "size": {"height": 640, "width": 640}, "do_normalize": false, "do_pad": false})",
                  SizeStyle::bounded, false},
    ProcessorType{"RfDetr",
                  "{" VERILABEL_IMAGENET R"("resample": 2, "size": {"shortest_edge": 800, "longest_edge": 1333}, "do_pad": true})",
                  SizeStyle::floats, false},
    ProcessorType{"DINOv3ViT", "{" VERILABEL_IMAGENET R"("resample": 2, "size": 224})", SizeStyle::antialiased_floats},
    ProcessorType{"Sam",
                  "{" VERILABEL_IMAGENET R"("resample": 2, "size": {"longest_edge": 1024}, "do_pad": true, "pad_size": 1024})",
                  SizeStyle::longest, false},
    ProcessorType{"Sam2", "{" VERILABEL_IMAGENET R"("resample": 2, "size": 1024})"},
    ProcessorType{"Sam3", "{" VERILABEL_HALVES R"("resample": 2, "size": 1008})"},
    ProcessorType{"GroundingDino",
                  "{" VERILABEL_IMAGENET R"("resample": 2, "size": {"shortest_edge": 800, "longest_edge": 1333}, "do_pad": true})",
                  SizeStyle::bounded, false},
    ProcessorType{"OwlViT", "{" VERILABEL_CLIP R"("resample": 3, "size": 768, "crop_size": 768})"},
    ProcessorType{"Owlv2", "{" VERILABEL_CLIP R"("resample": 2, "size": 960, "do_pad": true})", SizeStyle::square},
};

#undef VERILABEL_HALVES
#undef VERILABEL_IMAGENET
#undef VERILABEL_CLIP

/// Keys that leave the pixels of a single RGB image as they are.
constexpr std::array<std::string_view, 19> kHarmlessKeys = {"image_processor_type",
                                                            "feature_extractor_type",
                                                            "processor_class",
                                                            "_valid_processor_keys",
                                                            "return_tensors",
                                                            "data_format",
                                                            "input_data_format",
                                                            "device",
                                                            "disable_grouping",
                                                            "do_reduce_labels",
                                                            "reduce_labels",
                                                            "do_convert_annotations",
                                                            "format",
                                                            "do_convert_rgb",
                                                            "default_to_square",
                                                            "backend",
                                                            "annotations",
                                                            "mask_size",
                                                            "mask_pad_size"};

[[noreturn]] void refuse(std::string_view key, const std::string& message) {
  throw Error(ErrorCode::bad_data, message, {{"key", std::string(key)}});
}

bool is_side(const json& value) {
  return value.is_number_integer() && value.get<double>() >= 1 && value.get<double>() <= kMaxSide;
}

/// Finite in float32, as the tensor is computed: 1e300 would be infinite there, and 1e-300 zero.
bool is_of_floats(const json& value) {
  return value.is_number() && std::abs(value.get<double>()) <= std::numeric_limits<float>::max();
}

json document_of(const std::filesystem::path& file) {
  try {
    json document = json::parse(read_file(file, kMaxBytes));
    if (!document.is_object()) {
      throw Error(ErrorCode::bad_data, "the configuration is not a JSON object", {{"file", file.native()}});
    }
    return document;
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::bad_data, "the configuration is not JSON",
                {{"file", file.native()}, {"byte", std::to_string(error.byte)}});
  } catch (const json::out_of_range& error) {
    throw Error(ErrorCode::bad_data, "the configuration holds a number beyond ±1.8e308, which no double can be",
                {{"file", file.native()}, {"reason", error.what()}});
  }
}

/// Takes keys out of a configuration one by one, so that what is left at the end is what nobody knew.
class Keys {
 public:
  explicit Keys(json values) : values_(std::move(values)) {}

  bool has(std::string_view key) const {
    const auto found = values_.find(key);
    return found != values_.end() && !found->is_null();
  }
  json take(std::string_view key) {
    taken_.insert(std::string(key));
    return has(key) ? values_[std::string(key)] : json();
  }
  bool flag(std::string_view key, bool otherwise) {
    const json value = take(key);
    if (value.is_null()) {
      return otherwise && !values_.contains(key);  // null is off, as transformers has it
    }
    if (!value.is_boolean()) {
      refuse(key, fmt::format("{} must be true or false", key));
    }
    return value.get<bool>();
  }
  double number(std::string_view key) {
    const json value = take(key);
    if (!is_of_floats(value) || value.get<float>() <= 0) {
      refuse(key, fmt::format("{} must be a positive number", key));
    }
    return value.get<double>();
  }
  std::array<double, 3> three_numbers(std::string_view key, bool is_positive) {
    const json value = take(key);
    const auto is_good = [&](const json& number) { return is_of_floats(number) && (!is_positive || number.get<float>() > 0); };
    if (is_good(value)) {
      return {value.get<double>(), value.get<double>(), value.get<double>()};
    }
    if (!value.is_array() || value.size() != 3 || !std::ranges::all_of(value, is_good)) {
      refuse(key, fmt::format("{} must be three {}numbers", key, is_positive ? "positive " : ""));
    }
    return value.get<std::array<double, 3>>();
  }
  /// Throws for the first key that was neither taken nor is harmless.
  void refuse_others(std::string_view type) const {
    for (const auto& [key, value] : values_.items()) {
      if (!value.is_null() && !taken_.contains(key) && std::ranges::find(kHarmlessKeys, key) == kHarmlessKeys.end()) {
        refuse(key, fmt::format("what '{}' = {} does to the pixels of a {} is not known; with it the labels might be wrong", key,
                                value.dump(-1, ' ', false, json::error_handler_t::replace), type));
      }
    }
  }

 private:
  json values_;
  std::set<std::string, std::less<>> taken_;
};

InputSize exact_size_from(std::string_view key, const json& value) {
  if (is_side(value)) {
    return {value.get<int>(), value.get<int>()};
  }
  if (value.is_object() && value.size() == 2 && value.contains("height") && value.contains("width") && is_side(value["height"]) &&
      is_side(value["width"])) {
    return {value["height"].get<int>(), value["width"].get<int>()};
  }
  refuse(key, fmt::format("{} must be one number or height and width, whole numbers from 1 to {}", key, kMaxSide));
}

PillowFilter filter_from(std::string_view key, const json& value) {
  constexpr std::array kCodes = {PillowFilter::nearest, PillowFilter::lanczos, PillowFilter::bilinear,
                                 PillowFilter::bicubic, PillowFilter::box,     PillowFilter::hamming};
  if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() >= static_cast<double>(kCodes.size())) {
    refuse(key, fmt::format("{} must be one of Pillow's filters, 0 to {}", key, kCodes.size() - 1));
  }
  return kCodes[value.get<std::size_t>()];
}

/// Python's int(side / crop_pct) and the like.
int enlarged(std::string_view key, double side) {
  if (!(side >= 1 && side <= kMaxSide)) {
    refuse(key, fmt::format("{} makes the image {} pixels", key, side));
  }
  return static_cast<int>(side);
}

void take_size(ImageProcessor& processor, Keys& keys, const ProcessorType& type) {
  const bool resizes = keys.flag("do_resize", true);
  if (!resizes && type.style == SizeStyle::square) {
    refuse("do_resize", fmt::format("a {}ImageProcessor that does not resize is not known", type.name));
  }
  if (!resizes) {
    processor.rule = ImageProcessor::SizeRule::keep;
    keys.take("size");
    keys.take("resample");
    keys.take("crop_pct");
    keys.take("max_size");
    return;
  }
  processor.filter = filter_from("resample", keys.take("resample"));
  json size = keys.take("size");
  const json max_size = type.style == SizeStyle::bounded ? keys.take("max_size") : json();
  const bool is_number_square =
      type.style == SizeStyle::bounded ? type.is_number_square : keys.flag("default_to_square", type.is_number_square);
  if (is_side(size) && !is_number_square && type.style != SizeStyle::longest) {
    size = type.style == SizeStyle::bounded
               ? json{{"shortest_edge", size}, {"longest_edge", max_size.is_null() ? json(1333) : max_size}}
               : json{{"shortest_edge", size}};
  }
  if (type.style == SizeStyle::longest) {
    const json edge = size.is_object() && size.size() == 1 ? size.value("longest_edge", json()) : size;
    if (!is_side(edge)) {
      refuse("size", fmt::format("the size of a {}ImageProcessor must be its longest_edge", type.name));
    }
    processor.rule = ImageProcessor::SizeRule::longest_edge;
    processor.longest_edge = edge.get<int>();
    return;
  }
  if (size.is_object() && size.contains("shortest_edge") && size.contains("longest_edge") && size["longest_edge"].is_null()) {
    size.erase("longest_edge");
  }
  const bool is_shortest = size.is_object() && size.size() == 1 && size.contains("shortest_edge") && is_side(size["shortest_edge"]);
  const bool is_bounded = size.is_object() && size.size() == 2 && size.contains("shortest_edge") && size.contains("longest_edge") &&
                          is_side(size["shortest_edge"]) && is_side(size["longest_edge"]);
  if (is_bounded && type.style == SizeStyle::bounded) {
    processor.rule = ImageProcessor::SizeRule::bounded_edges;
    processor.shortest_edge = size["shortest_edge"].get<int>();
    processor.longest_edge = size["longest_edge"].get<int>();
    return;
  }
  if (!is_shortest && size.is_object() && !size.contains("height")) {
    refuse("size", fmt::format("a {}ImageProcessor with size {} is not known", type.name,
                               size.dump(-1, ' ', false, json::error_handler_t::replace)));
  }
  if (!is_shortest) {
    if (type.style == SizeStyle::convnext) {
      refuse("size", "the size of a ConvNextImageProcessor must be its shortest_edge");
    }
    processor.rule = ImageProcessor::SizeRule::exact;
    processor.size = exact_size_from("size", size);
  } else {
    processor.rule = ImageProcessor::SizeRule::shortest_edge;
    processor.shortest_edge = size["shortest_edge"].get<int>();
  }

  switch (type.style) {
    case SizeStyle::plain:
    case SizeStyle::longest:  // done with above
      break;
    case SizeStyle::floats:
    case SizeStyle::antialiased_floats:
      processor.resizes_tensor = true;
      processor.is_antialiased = type.style == SizeStyle::antialiased_floats;
      if (is_shortest || (processor.filter != PillowFilter::bilinear &&
                          !(processor.is_antialiased && processor.filter == PillowFilter::bicubic))) {
        refuse("size", fmt::format("a {}ImageProcessor needs height and width as its size, and {} as resample", type.name,
                                   processor.is_antialiased ? "2 or 3" : "2"));
      }
      break;
    case SizeStyle::square:
      if (is_shortest || processor.size.height != processor.size.width || processor.filter == PillowFilter::nearest) {
        refuse("size", fmt::format("a {}ImageProcessor needs the size of a square, and resample other than 0", type.name));
      }
      processor.rule = ImageProcessor::SizeRule::square;
      break;
    case SizeStyle::bounded:
      if (is_shortest) {
        refuse("size", "a DETR's size must have height and width, or shortest_edge and longest_edge");
      }
      break;
    case SizeStyle::convnext: {
      const int side = processor.shortest_edge;
      const double share = keys.number("crop_pct");
      if (side < 384) {
        processor.shortest_edge = enlarged("crop_pct", side / share);
        processor.crop = InputSize{side, side};
      } else {
        processor.rule = ImageProcessor::SizeRule::exact;
        processor.size = {side, side};
      }
      break;
    }
    case SizeStyle::levit:
      if (is_shortest) {
        processor.shortest_edge = enlarged("size", (256.0 / 224.0) * processor.shortest_edge);
      }
      break;
    case SizeStyle::poolformer:
      if (keys.has("crop_pct")) {
        if (!is_shortest && processor.size.height != processor.size.width) {
          refuse("size", "a PoolFormerImageProcessor with crop_pct needs a square size or shortest_edge");
        }
        const int side = is_shortest ? processor.shortest_edge : processor.size.height;
        processor.rule = ImageProcessor::SizeRule::shortest_edge;
        processor.shortest_edge = enlarged("crop_pct", side / keys.number("crop_pct"));
      }
      break;
  }
}

void take_crop(ImageProcessor& processor, Keys& keys, const ProcessorType& type) {
  const json size = keys.take("crop_size");
  if (!keys.flag("do_center_crop", false)) {
    return;
  }
  if (type.style == SizeStyle::bounded || type.style == SizeStyle::longest || type.style == SizeStyle::floats ||
      type.style == SizeStyle::antialiased_floats) {
    refuse("do_center_crop", fmt::format("how a {}ImageProcessor crops is not known", type.name));
  }
  if (type.style == SizeStyle::convnext) {
    refuse("do_center_crop", "a ConvNextImageProcessor crops by its crop_pct; a second crop is not known");
  }
  processor.crop = exact_size_from("crop_size", size);
}

void take_padding(ImageProcessor& processor, Keys& keys, const ProcessorType& type) {
  const json size = keys.take("pad_size");
  const json old_flag = type.style == SizeStyle::bounded ? keys.take("pad_and_return_pixel_mask") : json();
  bool pads = keys.flag("do_pad", false);
  if (old_flag.is_boolean()) {
    pads = old_flag.get<bool>();
  }
  if (!pads && type.style == SizeStyle::longest) {
    refuse("do_pad",
           fmt::format("a {}ImageProcessor that does not pad makes images of sizes that the model does not take", type.name));
  }
  if (type.style == SizeStyle::square) {
    if (!pads || !size.is_null()) {
      refuse("do_pad",
             fmt::format("a {}ImageProcessor pads to a square; how it prepares images otherwise is not known", type.name));
    }
    return;
  }
  // Images that all get one size have nothing to pad.
  if (!pads || (type.style == SizeStyle::floats && size.is_null())) {
    return;
  }
  if (type.style != SizeStyle::bounded && type.style != SizeStyle::longest) {
    refuse("do_pad", fmt::format("how a {}ImageProcessor pads is not known", type.name));
  }
  if (!size.is_null()) {
    processor.pad_size = exact_size_from("pad_size", size);
  }
}

ValueScaling take_scaling(Keys& keys, const ProcessorType& type) {
  ValueScaling scaling;
  // The first configurations of OWL-ViT call it `rescale`.
  const bool is_called_rescale = type.name.starts_with("Owl") && keys.has("rescale");
  const bool rescales = keys.flag("do_rescale", true);
  const bool is_rescaled = is_called_rescale ? keys.flag("rescale", true) : rescales;
  scaling.rescale = is_rescaled ? ValueScaling::Rescale::factor : ValueScaling::Rescale::none;
  if (keys.has("rescale_factor")) {
    scaling.factor = keys.number("rescale_factor");
  }
  scaling.is_normalised = keys.flag("do_normalize", true);
  scaling.mean = keys.three_numbers("image_mean", false);
  scaling.std = keys.three_numbers("image_std", true);
  if (type.name == "EfficientNet") {
    scaling.has_offset = keys.flag("rescale_offset", false) && scaling.rescale == ValueScaling::Rescale::factor;
    scaling.is_divided_again = keys.flag("include_top", true);
  }
  if (type.name == "MobileViT") {
    if (scaling.is_normalised) {
      refuse("do_normalize", "a MobileViTImageProcessor does not normalise");
    }
    scaling.order = keys.flag("do_flip_channel_order", true) ? ChannelOrder::bgr : ChannelOrder::rgb;
  }
  return scaling;
}

/// "ViTFeatureExtractor", "ViTImageProcessorFast" and the like are one.
std::string type_name_of(const json& document) {
  json value = document.value("image_processor_type", json());
  if (!value.is_string()) {
    value = document.value("feature_extractor_type", json());
  }
  if (!value.is_string()) {
    refuse("image_processor_type", "the configuration does not say which image processor it is for");
  }
  const auto whole = value.get<std::string>();
  std::string_view name = whole;
  for (const std::string_view suffix : {"Fast", "Pil", "ImageProcessor", "FeatureExtractor"}) {
    if (name.ends_with(suffix)) {
      name.remove_suffix(suffix.size());
    }
  }
  return std::string(name);
}

const ProcessorType& type_of(const json& document) {
  const std::string name = type_name_of(document);
  std::string known;
  for (const ProcessorType& type : kTypes) {
    if (type.name == name) {
      return type;
    }
    known += fmt::format("{}{}ImageProcessor", known.empty() ? "" : ", ", type.name);
  }
  refuse("image_processor_type", fmt::format("the image processor '{}' is not known; known are {}", name, known));
}

float scaled(const ValueScaling& scaling, std::size_t channel, int pixel) {
  auto value = static_cast<float>(pixel);
  switch (scaling.rescale) {
    case ValueScaling::Rescale::none:
      break;
    case ValueScaling::Rescale::factor:
      value = static_cast<float>(pixel * scaling.factor);
      break;
    case ValueScaling::Rescale::divided:
      value /= 255.0F;
      break;
  }
  if (scaling.has_offset) {
    value -= 1;
  }
  const auto mean = static_cast<float>(scaling.mean[channel]);
  const auto std = static_cast<float>(scaling.std[channel]);
  if (scaling.is_normalised) {
    value = (value - mean) / std;
  }
  return scaling.is_divided_again ? value / std : value;
}

/// Where the centre crop of one axis begins in the image; negative when the image is smaller and is padded.
int crop_begin(int side, int crop, ImageProcessor::CropRounding rounding) {
  if (rounding == ImageProcessor::CropRounding::half_even) {
    return side < crop ? -((crop - side) / 2) : static_cast<int>(std::nearbyint((side - crop) / 2.0));
  }
  return side < crop ? -((crop - side + 1) / 2) : (side - crop) / 2;
}

}  // namespace

std::string_view name_of(PillowFilter filter) {
  switch (filter) {
    case PillowFilter::nearest:
      return "nearest";
    case PillowFilter::box:
      return "box";
    case PillowFilter::bilinear:
      return "bilinear";
    case PillowFilter::hamming:
      return "hamming";
    case PillowFilter::bicubic:
      return "bicubic";
    case PillowFilter::lanczos:
      return "lanczos";
  }
  return "";
}

PixelTables tables_of(const ValueScaling& scaling) {
  PixelTables tables;
  tables.order = scaling.order;
  for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
    for (int pixel = 0; pixel < 256; ++pixel) {
      tables.values[channel][static_cast<std::size_t>(pixel)] = scaled(scaling, channel, pixel);
    }
    tables.padding[channel] = tables.values[channel][0];
  }
  return tables;
}

std::string text_of(const ValueScaling& scaling) {
  std::string text = scaling.order == ChannelOrder::rgb ? "RGB" : "BGR";
  switch (scaling.rescale) {
    case ValueScaling::Rescale::none:
      break;
    case ValueScaling::Rescale::factor:
      text += fmt::format(" x {:.6g}", scaling.factor);
      break;
    case ValueScaling::Rescale::divided:
      text += " / 255";
      break;
  }
  text += scaling.has_offset ? " - 1" : "";
  if (scaling.is_normalised) {
    text += fmt::format(", mean {:.6g} {:.6g} {:.6g}, std {:.6g} {:.6g} {:.6g}", scaling.mean[0], scaling.mean[1], scaling.mean[2],
                        scaling.std[0], scaling.std[1], scaling.std[2]);
  }
  return text + (scaling.is_divided_again ? ", std twice" : "");
}

std::optional<InputSize> ImageProcessor::fixed_size() const {
  if (crop) {
    return crop;
  }
  return rule == SizeRule::exact || rule == SizeRule::square ? std::optional(size) : std::nullopt;
}

InputSize ImageProcessor::resized(int width, int height) const {
  const int shorter = std::min(width, height);
  const int longer = std::max(width, height);
  double new_shorter = shorter;
  double new_longer = longer;
  switch (rule) {
    case SizeRule::keep:
      break;
    case SizeRule::exact:
      return size;
    case SizeRule::square: {
      const auto share = [&](int side) { return std::max(1, static_cast<int>(std::lround(1.0 * size.width * side / longer))); };
      return {share(height), share(width)};
    }
    case SizeRule::shortest_edge:
      new_shorter = shortest_edge;
      // The whole product comes first, as in the reference: rounded once, by the division.
      new_longer = std::trunc(static_cast<double>(static_cast<std::int64_t>(shortest_edge) * longer) / shorter);
      break;
    case SizeRule::longest_edge: {
      const double scale = static_cast<double>(longest_edge) / longer;
      new_shorter = std::trunc(shorter * scale + 0.5);
      new_longer = std::trunc(longer * scale + 0.5);
      break;
    }
    case SizeRule::bounded_edges: {
      std::optional<double> exact;
      new_shorter = shortest_edge;
      if (static_cast<double>(longer) / shorter * shortest_edge > longest_edge) {
        exact = static_cast<double>(static_cast<std::int64_t>(longest_edge) * shorter) / longer;
        new_shorter = std::nearbyint(*exact);
      }
      if (new_shorter != shorter) {
        new_longer = std::trunc((exact ? *exact : new_shorter) * longer / shorter);
      }
      break;
    }
  }
  if (new_shorter < 1 || new_shorter * new_longer > static_cast<double>(kMaxPixels)) {
    throw Error(ErrorCode::bad_data,
                fmt::format("an image of {} x {} pixels is too narrow for this model: it would become {} x {}", width, height,
                            width <= height ? new_shorter : new_longer, width <= height ? new_longer : new_shorter));
  }
  const InputSize upright{static_cast<int>(new_longer), static_cast<int>(new_shorter)};
  return width <= height ? upright : InputSize{upright.width, upright.height};
}

std::string ImageProcessor::text() const {
  std::string words;
  switch (rule) {
    case SizeRule::keep:
      words = "size kept";
      break;
    case SizeRule::exact:
      words = fmt::format("stretched to {} x {}", size.width, size.height);
      break;
    case SizeRule::square:
      return fmt::format("padded with black to a square, that to {} x {} (scikit-image's resize, antialiased), {}", size.width,
                         size.height, scaling);
    case SizeRule::shortest_edge:
      words = fmt::format("shorter side to {}", shortest_edge);
      break;
    case SizeRule::longest_edge:
      words = fmt::format("longer side to {}", longest_edge);
      break;
    case SizeRule::bounded_edges:
      words = fmt::format("shorter side to {}, longer to at most {}", shortest_edge, longest_edge);
      break;
  }
  if (rule != SizeRule::keep) {
    if (resizes_tensor) {
      words += is_antialiased ? fmt::format(" ({} between floats, antialiased)", name_of(filter))
                              : std::string(" (linear between floats, without antialiasing)");
    } else {
      words += fmt::format(" (Pillow's {})", name_of(filter));
    }
  }
  if (crop) {
    words += fmt::format(", centre of {} x {}", crop->width, crop->height);
  }
  return words + ", " + scaling;
}

ImageProcessor read_image_processor(const std::filesystem::path& file) {
  json document = document_of(file);
  try {
    const ProcessorType& type = type_of(document);
    json values = json::parse(type.defaults);
    for (const auto& [key, value] : document.items()) {
      if (!value.is_null() || !values.contains(key) || values[key].is_boolean()) {
        values[key] = value;
      }
    }
    Keys keys(std::move(values));
    ImageProcessor processor;
    take_size(processor, keys, type);
    take_crop(processor, keys, type);
    take_padding(processor, keys, type);
    const ValueScaling scaling = take_scaling(keys, type);
    keys.refuse_others(fmt::format("{}ImageProcessor", type.name));
    processor.tables = tables_of(scaling);
    processor.scaling = text_of(scaling);
    return processor;
  } catch (const Error& error) {
    throw error.with("file", file.native());
  }
}

ImageProcessor read_timm_processor(const std::filesystem::path& file) {
  const json document = document_of(file);
  try {
    const json given = document.value("pretrained_cfg", json());
    if (!given.is_object()) {
      refuse("pretrained_cfg", "a configuration of timm has the object pretrained_cfg");
    }
    Keys keys(given);
    std::array<int, 3> input = {3, 224, 224};
    if (keys.has("input_size")) {
      const json size = keys.take("input_size");
      if (!size.is_array() || size.size() != 3 || size[0] != 3 || !is_side(size[1]) || !is_side(size[2])) {
        refuse("input_size", "input_size must be [3, height, width]");
      }
      input = size.get<std::array<int, 3>>();
    }
    ValueScaling scaling;
    scaling.rescale = ValueScaling::Rescale::divided;
    scaling.mean = keys.has("mean") ? keys.three_numbers("mean", false) : std::array<double, 3>{0.485, 0.456, 0.406};
    scaling.std = keys.has("std") ? keys.three_numbers("std", true) : std::array<double, 3>{0.229, 0.224, 0.225};
    const double share = keys.has("crop_pct") ? keys.number("crop_pct") : 0.875;
    const json mode = keys.has("crop_mode") ? keys.take("crop_mode") : json("center");
    const json interpolation = keys.has("interpolation") ? keys.take("interpolation") : json("bicubic");
    ImageProcessor processor;
    constexpr std::array kFilters = {PillowFilter::nearest, PillowFilter::box,     PillowFilter::bilinear,
                                     PillowFilter::hamming, PillowFilter::bicubic, PillowFilter::lanczos};
    const auto filter = std::ranges::find_if(kFilters, [&](PillowFilter one) { return interpolation == name_of(one); });
    if (filter == kFilters.end()) {
      refuse("interpolation",
             fmt::format("interpolation {} is not known", interpolation.dump(-1, ' ', false, json::error_handler_t::replace)));
    }
    processor.filter = *filter;
    processor.crop = InputSize{input[1], input[2]};
    processor.crop_rounding = ImageProcessor::CropRounding::half_even;
    const InputSize whole{enlarged("crop_pct", std::floor(input[1] / share)), enlarged("crop_pct", std::floor(input[2] / share))};
    if (mode == "squash") {
      processor.rule = ImageProcessor::SizeRule::exact;
      processor.size = whole;
    } else if (mode == "center" && whole.height == whole.width) {
      processor.rule = ImageProcessor::SizeRule::shortest_edge;
      processor.shortest_edge = whole.height;
    } else {
      refuse("crop_mode", fmt::format("crop_mode {} with an input of {} x {} is not supported; center (for squares) and squash are",
                                      mode.dump(-1, ' ', false, json::error_handler_t::replace), input[2], input[1]));
    }
    processor.tables = tables_of(scaling);
    processor.scaling = text_of(scaling);
    return processor;
  } catch (const Error& error) {
    throw error.with("file", file.native());
  }
}

ImageProcessor centre_of_shortest_edge(int shortest_edge, InputSize crop, PillowFilter filter) {
  ImageProcessor processor;
  processor.rule = ImageProcessor::SizeRule::shortest_edge;
  processor.shortest_edge = shortest_edge;
  processor.filter = filter;
  processor.crop = crop;
  processor.crop_rounding = ImageProcessor::CropRounding::half_even;
  return processor;
}

namespace {

/// The scaling that the tables hold, which is the same for all pixel values.
PixelScaling linear_scaling_of(const PixelTables& tables) {
  PixelScaling scaling;
  scaling.order = tables.order;
  for (std::size_t channel = 0; channel < Image::kChannels; ++channel) {
    const std::array<float, 256>& values = tables.values[channel];
    scaling.std[channel] = 255 / (values[255] - values[0]);
    scaling.mean[channel] = -values[0] * scaling.std[channel];
  }
  return scaling;
}

}  // namespace

InputSize write_image(const ImageProcessor& processor, const Image& image, InputSize canvas, std::span<float> chw, Image& scratch) {
  const InputSize wanted = processor.resized(image.width(), image.height());
  if (processor.resizes_tensor) {
    assert(wanted == canvas && !processor.crop);
    if (processor.is_antialiased) {
      write_planar_antialiased(image, processor.tables, processor.filter, canvas.width, canvas.height, chw);
    } else {
      write_planar_linear(image, processor.tables, canvas.width, canvas.height, chw);
    }
    return canvas;
  }
  if (processor.rule == ImageProcessor::SizeRule::square) {
    write_square_scikit(image, linear_scaling_of(processor.tables), 0, canvas.width, chw);
    return wanted;
  }
  const Image* resized = &image;
  if (wanted.width != image.width() || wanted.height != image.height()) {
    resize_pillow(image, wanted.width, wanted.height, processor.filter, scratch);
    resized = &scratch;
  }
  const InputSize content = processor.crop.value_or(wanted);
  if (content.width > canvas.width || content.height > canvas.height) {
    throw Error(ErrorCode::bad_data, fmt::format("the image becomes {} x {} pixels, more than the model's input of {} x {} takes",
                                                 content.width, content.height, canvas.width, canvas.height));
  }
  const int left = processor.crop ? -crop_begin(wanted.width, content.width, processor.crop_rounding) : 0;
  const int top = processor.crop ? -crop_begin(wanted.height, content.height, processor.crop_rounding) : 0;
  write_planar(*resized, processor.tables, canvas.width, canvas.height, left, top, chw);
  return content;
}

}  // namespace verilabel
