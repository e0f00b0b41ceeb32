#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/hub/settings.h"

namespace verilabel {

struct PullOptions {
  std::string model;               ///< ORG/NAME[@REVISION][/FILE.onnx] on the hub
  std::string dtype;               ///< of the graphs: fp32, fp16, …; empty for fp32
  std::vector<std::string> files;  ///< patterns of the files wanted, instead of what dtype and layout say
  bool is_checked = false;         ///< what the cache has is hashed again, and fetched anew when it is damaged
  bool is_dry_run = false;         ///< nothing is fetched

  /// Throws `wrong_use`.
  void validate() const;
};

struct PullReport {
  struct File {
    std::string path;  ///< within the repository
    std::uint64_t size = 0;
    bool was_cached = false;  ///< it was there before
  };
  std::string repository;
  std::string revision;
  std::string commit;
  std::string licence;              ///< as the hub has it; empty when the authors name none
  std::string licence_link;         ///< of one that is none of the usual
  bool is_gated = false;            ///< its authors wanted terms accepted
  std::filesystem::path folder;     ///< what looks like the repository
  bool is_revision_known = true;    ///< the cache says that the revision is this commit
  std::vector<std::string> graphs;  ///< of those wanted, to be named where the folder alone means another one or none
  std::vector<File> files;          ///< by path
  std::uint64_t bytes_fetched = 0;  ///< that came over the network
  std::vector<std::string> notes;   ///< what was not as expected

  /// What `label --model` takes and a run remembers; of several graphs to be named none.
  std::string name() const;
  /// What `label --model` takes now, shorter; one for each of the graphs to be named.
  std::vector<std::string> short_names() const;
};

/// Fetches a model from the hub into Hugging Face's cache, as far as it is not there: graphs in the dtype with their external
/// weights, configuration, processors, tokenizers. A repository of the catalogue gives the graphs that the catalogue names, any
/// other those of its layout (`choose_files`). The revision points at the new commit once all files are there. A cache that holds
/// all of it need not be writable.
///
/// Throws what `HubClient`, `list_repository`, `choose_files` and `download` throw; `io`, before anything is fetched, when the disk
/// has too little room; `bad_model` when a graph wants weights that the repository lacks; `interrupted`. What has come by then is
/// kept and gone on with the next time.
PullReport pull_model(const PullOptions& options, const HubSettings& settings, const ProgressSink& progress,
                      const CancelToken& cancel);

}  // namespace verilabel
