#include "verilabel/workflow/protocol.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/evaluate/subset.h"
#include "verilabel/evaluate/voc.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHierarchyBytes = 64 << 20;

struct ProtocolRow {
  std::string_view name;
  Protocol protocol;
  std::optional<std::uint32_t> max_detections;
};
constexpr std::array kProtocols = {
    ProtocolRow{"coco", Protocol::coco, kCocoMaxDetections},
    ProtocolRow{"lvis", Protocol::lvis, LvisOptions{}.max_detections},
    ProtocolRow{"voc2007", Protocol::voc_2007, std::nullopt},
    ProtocolRow{"voc2010", Protocol::voc_2010, std::nullopt},
    ProtocolRow{"open_images", Protocol::open_images, OpenImagesOptions{}.max_detections},
    ProtocolRow{"classification", Protocol::classification, std::nullopt},
    ProtocolRow{"multi_label", Protocol::multi_label, std::nullopt},
};

json object_from(std::string_view source) {
  return source.empty() ? json::object() : json::parse(source);
}

/// Ids as JSON text, whatever their type: 17, "a".
std::unordered_map<std::string, std::uint32_t> classes_by_id(const SourceJson& classes) {
  std::unordered_map<std::string, std::uint32_t> by_id;
  for (std::uint32_t k = 0; k < classes.size(); ++k) {
    const json source = object_from(classes[k]);
    if (source.contains("id")) {
      by_id.emplace(source["id"].dump(), k);
    }
  }
  return by_id;
}

/// The classes that a list of an image names; ids of classes that are not there say nothing.
std::vector<std::uint32_t> classes_in(const json& source, const char* key, std::string_view image,
                                      const std::unordered_map<std::string, std::uint32_t>& by_id) {
  const auto list = source.find(key);
  if (list == source.end() || !list->is_array()) {
    throw Error(ErrorCode::bad_data,
                fmt::format("the protocol lvis needs the list `{}` on every image; import the truth with --format lvis", key),
                {{"image", std::string(image)}});
  }
  std::vector<std::uint32_t> classes;
  for (const json& id : *list) {
    if (const auto found = by_id.find(id.dump()); found != by_id.end()) {
      classes.push_back(found->second);
    }
  }
  return classes;
}

void add_parents(const json& node, const std::unordered_map<std::string, std::uint32_t>& classes,
                 const std::optional<std::uint32_t>& parent, std::vector<std::vector<std::uint32_t>>& parents, int depth) {
  constexpr int most_levels = 100;
  const auto name = node.is_object() ? node.find("LabelName") : node.end();
  if (!node.is_object() || name == node.end() || !name->is_string() || depth > most_levels) {
    throw Error(ErrorCode::bad_data, "a hierarchy is a tree of objects with `LabelName` and the list `Subcategory`");
  }
  const auto found = classes.find(name->get<std::string>());
  const std::optional<std::uint32_t> here = found == classes.end() ? std::nullopt : std::optional(found->second);
  if (here && parent && std::ranges::find(parents[*here], *parent) == parents[*here].end()) {
    parents[*here].push_back(*parent);
  }
  // A class that the data does not have is passed over: those below it hang under the one above.
  if (const auto children = node.find("Subcategory"); children != node.end()) {
    for (const json& child : *children) {
      add_parents(child, classes, here ? here : parent, parents, depth + 1);
    }
  }
}

/// COCO's evaluation, in which only these truths and predictions count.
ProtocolEvaluation evaluate_part(EvaluationInput input, const std::vector<std::uint8_t>& truths,
                                 const std::vector<std::uint8_t>& predictions, const EvaluateOptions& options) {
  ProtocolEvaluation result;
  result.input = labels_of(std::move(input), truths, predictions);
  result.evaluation = evaluate(result.input, options);
  return result;
}

std::vector<std::uint8_t> all_of(std::size_t size) {
  return std::vector<std::uint8_t>(size, 1);
}

/// Flags by image and class.
class PairSet {
 public:
  PairSet(std::size_t images, std::size_t classes) : classes_(classes), has_(images * classes, 0) {}

  void add(std::size_t image, std::size_t category) { has_[image * classes_ + category] = 1; }
  void add(const std::vector<std::vector<std::uint32_t>>& lists) {
    for (std::size_t image = 0; image < lists.size(); ++image) {
      for (const std::uint32_t category : lists[image]) {
        add(image, category);
      }
    }
  }
  bool has(std::size_t image, std::size_t category) const { return has_[image * classes_ + category] != 0; }

 private:
  std::size_t classes_;
  std::vector<std::uint8_t> has_;
};

/// Classes by image.
using ClassLists = std::vector<std::vector<std::uint32_t>>;

/// COCO's evaluation of these truths and predictions, in which of the latter one counts where its image was looked through for its
/// class (there is such a truth of it, or one of the lists has it) and that class is not among the excepted ones.
ProtocolEvaluation evaluate_looked_for(EvaluationInput input, const std::vector<std::uint8_t>& truths,
                                       std::vector<std::uint8_t> predictions, std::initializer_list<const ClassLists*> lists,
                                       const ClassLists& excepted, const EvaluateOptions& options) {
  PairSet looked_for(input.images.size(), input.classes.size());
  for (std::size_t i = 0; i < input.truths.size(); ++i) {
    if (truths[i] != 0) {
      looked_for.add(input.truths.image[i], input.truths.category[i]);
    }
  }
  for (const ClassLists* list : lists) {
    looked_for.add(*list);
  }
  PairSet is_excepted(input.images.size(), input.classes.size());
  is_excepted.add(excepted);
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    const std::uint32_t image = input.predictions.image[i];
    const std::uint32_t category = input.predictions.category[i];
    if (!looked_for.has(image, category) || is_excepted.has(image, category)) {
      predictions[i] = 0;
    }
  }
  return evaluate_part(std::move(input), truths, predictions, options);
}

ProtocolEvaluation evaluate_lvis(EvaluationInput input, const Federation& federation, const EvaluateOptions& options) {
  const LvisResult lvis = lvis_metrics(input, federation, {.iou_type = options.iou_type, .threads = options.threads});
  // LVIS knows no crowds.
  std::ranges::fill(input.truths.is_crowd, std::uint8_t{0});
  // What it does not look at neither counts nor is matched, so that it excuses nothing.
  std::vector<std::uint8_t> truths;
  for (const double area_px : input.truths.area_px) {
    truths.push_back(lvis_looks_at(area_px) ? 1 : 0);
    input.truths.is_unseen.push_back(lvis_looks_at(area_px) ? 0 : 1);
  }
  std::vector<std::uint8_t> predictions;
  for (std::size_t i = 0; i < input.predictions.size(); ++i) {
    predictions.push_back(lvis_looks_at(input.predictions.area_px_of(i)) ? 1 : 0);
    input.predictions.is_unseen.push_back(predictions.back() != 0 ? 0 : 1);
  }
  ProtocolEvaluation result = evaluate_looked_for(std::move(input), truths, std::move(predictions), {&federation.absent},
                                                  federation.not_exhaustive, options);
  const auto named = lvis.metrics.named();
  result.numbers.metrics.assign(named.begin(), named.end());
  result.numbers.ap_per_class = lvis.ap_per_class;
  result.numbers.left_out = {{"truths_without_area", lvis.truths_without_area},
                             {"predictions_beyond_limit", lvis.predictions_beyond_limit},
                             {"predictions_without_area", lvis.predictions_without_area},
                             {"predictions_not_looked_for", lvis.predictions_not_looked_for}};
  return result;
}

ProtocolEvaluation evaluate_voc(VocYear year, EvaluationInput input, const std::vector<std::uint8_t>& is_difficult,
                                const EvaluateOptions& options) {
  const VocResult voc = voc_average_precision(input, is_difficult, {.year = year, .iou = options.iou, .threads = options.threads});
  std::vector<std::uint8_t> counts;
  for (const std::uint8_t difficult : is_difficult) {
    counts.push_back(difficult == 0 ? 1 : 0);
  }
  const std::size_t predictions = input.predictions.size();
  ProtocolEvaluation result = evaluate_part(std::move(input), counts, all_of(predictions), options);
  result.numbers.metrics = {{"mAP", voc.map}};
  for (const VocClass& of_class : voc.per_class) {
    result.numbers.ap_per_class.push_back(of_class.ap);
  }
  return result;
}

ProtocolEvaluation evaluate_open_images(EvaluationInput input, const OpenImagesContext& context, const EvaluateOptions& options) {
  const OpenImagesResult open_images = open_images_metrics(input, context, {.iou = options.iou, .threads = options.threads});
  const std::vector<std::uint8_t> truths = all_of(input.truths.size());
  std::vector<std::uint8_t> predictions = all_of(input.predictions.size());
  ProtocolEvaluation result =
      evaluate_looked_for(std::move(input), truths, std::move(predictions), {&context.present, &context.absent}, {}, options);
  result.numbers.metrics = {{"mAP", open_images.map}};
  for (const OpenImagesClass& of_class : open_images.per_class) {
    result.numbers.ap_per_class.push_back(of_class.ap);
  }
  result.numbers.left_out = {{"predictions_not_verified", open_images.predictions_not_verified},
                             {"predictions_without_area", open_images.predictions_without_area},
                             {"predictions_beyond_limit", open_images.predictions_beyond_limit},
                             {"predictions_in_group", open_images.predictions_in_group}};
  return result;
}

}  // namespace

std::vector<std::string_view> protocol_names() {
  std::vector<std::string_view> names;
  for (const ProtocolRow& row : kProtocols) {
    names.push_back(row.name);
  }
  return names;
}

Protocol protocol_from(std::string_view name) {
  const auto* const found = std::ranges::find(kProtocols, name, &ProtocolRow::name);
  if (found == kProtocols.end()) {
    throw Error(ErrorCode::wrong_use, fmt::format("there is no protocol '{}'", name),
                {{"protocols", fmt::format("{}", fmt::join(protocol_names(), ", "))}});
  }
  return found->protocol;
}

std::optional<std::uint32_t> max_detections_of(Protocol protocol) {
  return std::ranges::find(kProtocols, protocol, &ProtocolRow::protocol)->max_detections;
}

std::string ap_name_at(Protocol protocol, double iou) {
  const bool has_own = protocol != Protocol::coco && protocol != Protocol::lvis;
  return fmt::format("{}AP_{:g}", has_own ? "coco_" : "", 100 * iou);
}

Federation federation_from(const SourceJson& images, const std::vector<std::string>& image_names, const SourceJson& classes,
                           const std::vector<std::string>& class_names) {
  const auto by_id = classes_by_id(classes);
  Federation federation;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const json source = object_from(images[i]);
    const bool has_name = i < image_names.size() && !image_names[i].empty();
    const std::string name = has_name ? image_names[i] : source.value("id", json()).dump();
    federation.absent.push_back(classes_in(source, "neg_category_ids", name, by_id));
    federation.not_exhaustive.push_back(classes_in(source, "not_exhaustive_category_ids", name, by_id));
  }
  for (std::size_t k = 0; k < classes.size(); ++k) {
    const json source = object_from(classes[k]);
    const auto letter = source.find("frequency");
    const auto frequency =
        letter != source.end() && letter->is_string() ? class_frequency_from(letter->get<std::string>()) : std::nullopt;
    if (!frequency) {
      throw Error(ErrorCode::bad_data,
                  "the protocol lvis needs the `frequency` r, c or f on every class; import the truth with --format lvis",
                  {{"class", class_names[k]}});
    }
    federation.frequency.push_back(*frequency);
  }
  return federation;
}

std::vector<std::vector<std::uint32_t>> hierarchy_from(const std::filesystem::path& file, const SourceJson& classes,
                                                       const std::vector<std::string>& class_names) {
  std::unordered_map<std::string, std::uint32_t> by_name;
  for (std::uint32_t k = 0; k < classes.size(); ++k) {
    by_name.emplace(class_names[k], k);
    const json source = object_from(classes[k]);
    if (source.contains("id") && source["id"].is_string()) {
      by_name.emplace(source["id"].get<std::string>(), k);
    }
  }
  std::vector<std::vector<std::uint32_t>> parents(classes.size());
  const std::string text = read_file(file, kMaxHierarchyBytes);
  try {
    add_parents(json::parse(text), by_name, std::nullopt, parents, 0);
  } catch (const json::parse_error& error) {
    throw Error(ErrorCode::bad_data, "the hierarchy is not JSON", {{"file", file.native()}, {"byte", std::to_string(error.byte)}});
  } catch (const json::out_of_range& error) {
    throw Error(ErrorCode::bad_data, "the hierarchy holds a number beyond ±1.8e308, which no double can be",
                {{"file", file.native()}, {"reason", error.what()}});
  } catch (const Error& error) {
    throw error.with("file", file.native());
  }
  return parents;
}

ProtocolEvaluation evaluate_by(Protocol protocol, EvaluationInput input, const ProtocolContext& context,
                               const EvaluateOptions& options) {
  switch (protocol) {
    case Protocol::lvis:
      return evaluate_lvis(std::move(input), context.federation, options);
    case Protocol::voc_2007:
      return evaluate_voc(VocYear::voc_2007, std::move(input), context.is_difficult, options);
    case Protocol::voc_2010:
      return evaluate_voc(VocYear::voc_2010, std::move(input), context.is_difficult, options);
    case Protocol::open_images:
      return evaluate_open_images(std::move(input), context.open_images, options);
    case Protocol::coco:
    case Protocol::classification:
    case Protocol::multi_label:
      break;
  }
  ProtocolEvaluation result;
  result.input = std::move(input);
  result.evaluation = evaluate(result.input, options);
  const auto named = result.evaluation.coco.named();
  result.numbers.metrics.assign(named.begin(), named.end());
  for (const ClassEvaluation& of_class : result.evaluation.per_class) {
    result.numbers.ap_per_class.push_back(of_class.coco.ap);
    result.numbers.ap_50_per_class.push_back(of_class.coco.ap_50);
  }
  return result;
}

}  // namespace verilabel
