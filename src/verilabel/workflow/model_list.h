#pragma once

#include <string>
#include <vector>

#include "verilabel/hub/cache.h"
#include "verilabel/models/catalogue.h"

namespace verilabel {

/// A model that is recommended, or lies in the cache with a graph, or both.
struct ListedModel {
  std::string repository;
  const CatalogueEntry* entry = nullptr;  ///< nothing for one that is not in the catalogue
  bool is_usable = true;                  ///< the catalogue's family is among `model_families()`
  std::vector<CachedSnapshot> snapshots;  ///< that the cache has
};

/// The catalogue in its order, then what else the cache has.
std::vector<ListedModel> list_models(const HubCache& cache);

}  // namespace verilabel
