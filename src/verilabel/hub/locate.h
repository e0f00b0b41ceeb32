#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "verilabel/hub/cache.h"
#include "verilabel/hub/settings.h"

namespace verilabel {

/// A model that is on this machine.
struct LocatedModel {
  std::string name;                        ///< what a run remembers: the absolute path, or ORG/NAME@COMMIT[/FILE.onnx]
  std::filesystem::path path;              ///< its folder or graph
  std::optional<CachedSnapshot> snapshot;  ///< of a model from the hub
};

/// The model that the text names: a file or folder that exists, else a repository of the hub (`parse_hub_reference`) in the cache.
/// Asks nothing of the hub. The name of what was found names the same thing, from any folder and after the repository has moved on.
/// Throws `not_found`, saying how the model can be had; `bad_data` for a damaged cache.
LocatedModel locate_model(std::string_view model, const Environment& environment = &process_environment);

}  // namespace verilabel
