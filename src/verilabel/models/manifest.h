#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/image/resize.h"

namespace verilabel {

/// How an image is brought to the size of the input.
enum class Fit : std::uint8_t {
  letterbox_corner,  ///< keeps its shape, padded right and below; one ratio for both axes leads back
  letterbox_centre,  ///< keeps its shape, padded on all sides; the ratio of the whole pixels leads back, axis by axis
  stretch,           ///< fills the input
};

/// Pixels of the model's input.
struct InputSize {
  int height = 0;
  int width = 0;
  friend bool operator==(const InputSize&, const InputSize&) = default;
};

/// How a classifier's outputs become scores.
enum class Activation : std::uint8_t {
  softmax,
  sigmoid,
  none,  ///< they are scores
};

/// The size that an image gets before its centre is cut out.
struct ResizeRule {
  int shortest_edge = 0;  ///< of the shorter side, the shape kept; 0 when `exact` is given
  InputSize exact;        ///< stretched to that
};

/// What a user says of a graph that does not say it itself; what is absent is left to the graph and its family. docs/models.md
/// lists the keys.
struct Manifest {
  std::filesystem::path path;     ///< empty when there is none
  std::vector<std::string> keys;  ///< that it has
  std::optional<std::string> family;
  std::optional<std::vector<std::string>> class_names;  ///< from either key; "N/A" stands for no class
  std::optional<ChannelOrder> channel_order;
  std::optional<std::array<double, 3>> mean;  ///< in pixel values, times `scale` if that is given; in the channel order
  std::optional<std::array<double, 3>> std;
  std::optional<OpencvInterpolation> interpolation;
  std::optional<InputSize> input_size;  ///< for a graph that takes images of any size
  std::optional<Fit> fit;
  std::optional<std::uint8_t> padding;  ///< pixel value around a letterboxed image
  std::optional<double> nms_iou;
  std::optional<int> max_detections;
  // Of models of two towers: logit = scale · cosine + bias.
  std::optional<double> logit_scale;
  std::optional<double> logit_bias;
  // Of classifiers.
  bool is_classification = false;
  std::optional<ResizeRule> resize;
  std::optional<PillowFilter> filter;
  std::optional<InputSize> crop;
  std::optional<double> scale;  ///< that pixel values are multiplied by
  std::optional<Activation> activation;

  bool has(std::string_view key) const;
  /// The key that the names of classes came from.
  std::string_view names_key() const { return has("class_names_file") ? "class_names_file" : "class_names"; }
};

/// The manifest that was given, else `NAME.verilabel.json` beside the model, else an empty one. Throws `bad_data` naming the file
/// and the key for anything that it does not know, `not_found`, `io`.
Manifest manifest_of(const std::filesystem::path& model, const std::optional<std::filesystem::path>& given);

}  // namespace verilabel
