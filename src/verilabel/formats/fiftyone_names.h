#pragma once

#include <algorithm>
#include <array>
#include <string_view>

// Names that reader and writer of FiftyOne datasets share. Private to the module.
namespace verilabel {

inline constexpr std::string_view kFiftyOneLabels = "fiftyone.core.labels.";
/// In what an import keeps of `metadata.json`: the field that the labels were read from.
inline constexpr std::string_view kFiftyOneFieldKey = "verilabel_field";

/// Tags that say the split of a sample, as FiftyOne's importers and exporters have them.
inline bool is_fiftyone_split(std::string_view tag) {
  constexpr std::array<std::string_view, 4> kSplits = {"train", "val", "validation", "test"};
  return std::find(kSplits.begin(), kSplits.end(), tag) != kSplits.end();
}

/// Names of samples that are no fields of a user's.
inline bool is_fiftyone_sample_name(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames = {"id",         "filepath",         "tags",     "metadata",
                                                      "created_at", "last_modified_at", "file_name"};
  return name.starts_with('_') || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

/// Names of labels that are no attributes of a user's.
inline bool is_fiftyone_label_name(std::string_view name) {
  constexpr std::array<std::string_view, 15> kNames = {"id",        "tags",       "label",  "bounding_box", "mask",
                                                       "mask_path", "confidence", "index",  "attributes",   "points",
                                                       "instance",  "closed",     "filled", "iscrowd",      "logits"};
  return name.starts_with('_') || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace verilabel
