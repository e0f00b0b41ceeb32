#include "verilabel/hub/locate.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {

namespace fs = std::filesystem;

LocatedModel locate_model(std::string_view model, const Environment& environment) {
  if (std::error_code ignored; !model.empty() && fs::exists(model, ignored)) {
    const fs::path path = fs::absolute(model).lexically_normal();
    return {path.native(), path, std::nullopt};
  }
  const auto reference = parse_hub_reference(model);
  if (!reference) {
    throw Error(ErrorCode::not_found,
                "there is no such model: neither a file or folder nor a name on the hub (ORG/NAME[@REVISION])",
                {{"model", printable(model)}});
  }
  const HubCache cache(hub_cache_dir_from(environment));
  const HubReference repository{reference->repository, reference->revision, ""};
  const auto commit = cache.commit_of(reference->repository, reference->revision);
  auto snapshot = commit ? cache.find_snapshot(reference->repository, *commit) : std::nullopt;
  if (!snapshot) {
    throw Error(
        ErrorCode::not_found,
        fmt::format("there is no file or folder of this name, and no model in the cache; if it is one of the hub's, fetch it "
                    "with: verilabel models pull {}",
                    repository.text()),
        {{"model", std::string(model)}, {"cache", cache.folder().native()}});
  }
  LocatedModel found{HubReference{reference->repository, *commit, reference->file}.text(), snapshot->folder / reference->file,
                     std::move(snapshot)};
  if (reference->file.empty()) {
    found.path = found.snapshot->folder;
  } else if (std::error_code ignored; !fs::is_regular_file(found.path, ignored)) {
    throw Error(ErrorCode::not_found,
                fmt::format("the cache has the model, but not this file of it; fetch it with: verilabel models pull {} --file {}",
                            repository.text(), reference->file),
                {{"model", std::string(model)}, {"folder", found.snapshot->folder.native()}});
  }
  return found;
}

}  // namespace verilabel
