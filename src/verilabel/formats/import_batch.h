#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "verilabel/formats/import.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/split_filter.h"

// What readers share whose images come with their labels and whose classes are names. Private to the module.
namespace verilabel {

/// Where something stands, for a rejection.
struct SourcePlace {
  std::string file;
  std::optional<std::uint64_t> byte_offset = {};
};

struct PendingLabel {
  std::int32_t class_index = 0;
  Label label;
  std::vector<std::string> tags = {};
  std::string field = {};                         ///< what a rejection names
  std::optional<std::uint64_t> byte_offset = {};  ///< likewise, where it is not that of its image
  /// Completes the label once the size of the upright image is known, for formats of relative coordinates. Throws `ElementFault`.
  std::function<void(Label& label, std::int32_t width, std::int32_t height)> place = {};
};

struct PendingImage {
  SourceImage image;
  SourcePlace place;
  std::string key;  ///< what no other image of the import may have; empty when it does not matter
  std::vector<PendingLabel> labels = {};
};

/// Collects images with their labels, announces classes in the order of their first appearance, and hands everything on in batches.
class ImportBatch {
 public:
  ImportBatch(ImportSink& sink, const ReadOptions& options) : sink_(sink), splits_(options.split) {}

  /// The class of this name, which is announced before the labels of the next batch.
  std::int32_t class_index(const std::string& name, std::string source_json = {});
  /// Images of another split than the one asked for are passed over, those without a split are not.
  void add(PendingImage image);
  void reject(RejectedKind kind, const SourcePlace& place, std::string_view image, ElementFault fault);
  /// Hands over what is left. Throws `wrong_use`, naming `file`, when no image is of the split that is asked for.
  ReadCounts finish(const std::string& file);
  const ReadCounts& counts() const { return counts_; }

 private:
  void hand_over();
  void complete(PendingImage& pending, const ResolvedImage& resolved, std::int64_t index, std::vector<ImportedLabel>& labels);

  ImportSink& sink_;
  SplitFilter splits_;
  ReadCounts counts_;
  std::unordered_map<std::string, std::int32_t> classes_;
  std::vector<SourceClass> new_classes_;
  std::vector<Resolution> class_resolutions_;
  std::unordered_set<std::string> keys_;
  std::vector<PendingImage> images_;
  std::size_t pending_labels_ = 0;
};

}  // namespace verilabel
