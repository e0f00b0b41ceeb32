#pragma once

#include <string>
#include <vector>

#include "verilabel/hub/cache.h"
#include "verilabel/models/catalogue.h"
#include "verilabel/models/labeller.h"

namespace verilabel {

/// A model that is recommended, or lies in the cache with a graph, or both.
struct ListedModel {
  std::string repository;
  const CatalogueEntry* entry = nullptr;  ///< nothing for one that is not in the catalogue
  bool is_usable = true;                  ///< of a family that is known
  std::vector<CachedSnapshot> snapshots;  ///< that the cache has
};

/// How models are recognised that propose labels, and those that outline objects.
std::vector<ModelFamily> all_families();

/// The catalogue in its order, then what else the cache has.
std::vector<ListedModel> list_models(const HubCache& cache);

}  // namespace verilabel
