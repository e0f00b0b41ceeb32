#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
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

/// What a user says of a graph that does not say it itself; what is absent is left to the graph and its family. docs/models.md
/// lists the keys.
struct Manifest {
  std::filesystem::path path;  ///< empty when there is none
  std::optional<std::string> family;
  std::optional<std::vector<std::string>> class_names;
  std::optional<ChannelOrder> channel_order;
  std::optional<std::array<float, 3>> mean;  ///< in pixel values, in the channel order
  std::optional<std::array<float, 3>> std;
  std::optional<OpencvInterpolation> interpolation;
  std::optional<InputSize> input_size;  ///< for a graph that takes images of any size
  std::optional<Fit> fit;
  std::optional<std::uint8_t> padding;  ///< pixel value around a letterboxed image
  std::optional<double> nms_iou;
  std::optional<int> max_detections;
};

/// The manifest that was given, else `NAME.verilabel.json` beside the model, else an empty one. Throws `bad_data` naming the file
/// and the key for anything that it does not know, `not_found`, `io`.
Manifest manifest_of(const std::filesystem::path& model, const std::optional<std::filesystem::path>& given);

}  // namespace verilabel
