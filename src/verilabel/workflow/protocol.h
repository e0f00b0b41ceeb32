#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "verilabel/evaluate/evaluate.h"
#include "verilabel/evaluate/lvis.h"
#include "verilabel/evaluate/open_images.h"

// The rules of a comparison.
namespace verilabel {

enum class Protocol : std::uint8_t { coco, lvis, voc_2007, voc_2010, open_images, classification, multi_label };

/// As on the command line and in JSON: "coco", "lvis", "voc2007", "voc2010", "open_images", "classification", "multi_label".
std::vector<std::string_view> protocol_names();
/// Throws `wrong_use`, and lists those that there are.
Protocol protocol_from(std::string_view name);

/// Best predictions of a class on an image that count in precision, recall, F1 and outcomes, of lvis those of all classes together;
/// nothing for all.
std::optional<std::uint32_t> max_detections_of(Protocol protocol);

/// What COCO's average precision at that one IoU is called, of one class and as their mean alike: `AP_50`, `AP_75`; by the matching
/// of outcomes. `coco_AP_50` beside a protocol that has an average precision of its own there: voc, open_images.
std::string ap_name_at(Protocol protocol, double iou);

/// What a data set knows beside its boxes and masks; of which a protocol takes its own part.
struct ProtocolContext {
  Federation federation;                   ///< lvis
  std::vector<std::uint8_t> is_difficult;  ///< voc: one flag a truth
  OpenImagesContext open_images;
};

/// An image or a class as its source had it: a JSON object of its id and unknown fields, or empty.
using SourceJson = std::vector<std::string_view>;

/// From `neg_category_ids` and `not_exhaustive_category_ids` of images and `frequency` of classes; ids are those of `classes`.
/// Throws `bad_data`, naming the image or class, where one of them is missing or makes no sense; an image without a name by its
/// id. `image_names` may be empty, and so may each of them.
Federation federation_from(const SourceJson& images, const std::vector<std::string>& image_names, const SourceJson& classes,
                           const std::vector<std::string>& class_names);

/// From a tree of Open Images (`LabelName`, `Subcategory`; what is a `Part` is no such thing), in which classes stand by the id of
/// their source or by name: the classes directly above each. Throws `bad_data`, naming the file, for what is no such tree.
std::vector<std::vector<std::uint32_t>> hierarchy_from(const std::filesystem::path& file, const SourceJson& classes,
                                                       const std::vector<std::string>& class_names);

/// The numbers of a protocol.
struct ProtocolNumbers {
  std::vector<std::pair<std::string_view, std::optional<double>>> metrics;  ///< the one that says most first
  std::vector<std::optional<double>> ap_per_class;
  std::vector<std::optional<double>> ap_50_per_class;               ///< of coco only
  std::vector<std::pair<std::string_view, std::int64_t>> left_out;  ///< labels that the protocol does not look at
};

/// The protocol's own numbers, and with them the evaluation from which precision, recall, F1, outcomes and everything else follow:
/// by COCO's matching at the IoU, where what the protocol does not look at does not count.
struct ProtocolEvaluation {
  ProtocolNumbers numbers;
  EvaluationInput input;  ///< of the evaluation: areas of what does not count lie beyond all ranges
  Evaluation evaluation;
};
ProtocolEvaluation evaluate_by(Protocol protocol, EvaluationInput input, const ProtocolContext& context,
                               const EvaluateOptions& options);

}  // namespace verilabel
