#include "verilabel/workflow/model_list.h"

#include <algorithm>
#include <utility>

#include "verilabel/models/segmenter.h"

namespace verilabel {
namespace {

bool has_graph(const CachedSnapshot& snapshot) {
  return std::ranges::any_of(snapshot.files, [](const std::string& path) { return path.ends_with(".onnx"); });
}

}  // namespace

std::vector<ModelFamily> all_families() {
  std::vector<ModelFamily> families(model_families().begin(), model_families().end());
  families.insert(families.end(), segmenter_families().begin(), segmenter_families().end());
  return families;
}

std::vector<ListedModel> list_models(const HubCache& cache) {
  const std::vector<ModelFamily> families = all_families();
  std::vector<ListedModel> models;
  for (const CatalogueEntry& entry : catalogue()) {
    const bool is_usable =
        entry.family == "embedder" || std::ranges::find(families, entry.family, &ModelFamily::name) != families.end();
    models.push_back({entry.repository, &entry, is_usable, {}});
  }
  for (CachedSnapshot& snapshot : cache.snapshots()) {
    if (!has_graph(snapshot)) {
      continue;
    }
    auto found = std::ranges::find(models, snapshot.repository.text, &ListedModel::repository);
    if (found == models.end()) {
      models.push_back({snapshot.repository.text, nullptr, true, {}});
      found = std::prev(models.end());
    }
    found->snapshots.push_back(std::move(snapshot));
  }
  return models;
}

}  // namespace verilabel
