#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// A model that is recommended: a row of `catalogue.json`, which is data for people to keep, compiled in.
struct CatalogueEntry {
  std::string repository;               ///< on the hub, "org/name"
  std::string task;                     ///< detection, open_vocabulary_detection, segmentation, classification,
                                        ///< zero_shot_classification or embedding
  std::string family;                   ///< as in `model_families()` or `segmenter_families()`, or "embedder"
  std::vector<std::string> files;       ///< the graphs, as fp32
  std::int64_t size_mb = 0;             ///< megabytes of those and their weights
  std::string speed_class;              ///< on two cores, an image: fast below 0.1 s, medium below 1 s, slow
  std::string licence;                  ///< of the weights, as the hub writes it
  std::optional<double> default_floor;  ///< what --floor is well set to; nothing where there are no scores
  std::string about;
  std::vector<std::string> unverified;  ///< fields above that nobody has compared with the repository itself
};

/// In the order to be shown.
const std::vector<CatalogueEntry>& catalogue();

/// Nothing for a repository that is not in the catalogue.
const CatalogueEntry* find_in_catalogue(std::string_view repository);

/// Throws `bad_data` for a document that is no catalogue, naming entry and field.
std::vector<CatalogueEntry> catalogue_from_json(std::string_view text);

}  // namespace verilabel
