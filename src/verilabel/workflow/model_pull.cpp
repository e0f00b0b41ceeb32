#include "verilabel/workflow/model_pull.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/engine/external_weights.h"
#include "verilabel/hub/cache.h"
#include "verilabel/hub/choice.h"
#include "verilabel/hub/client.h"
#include "verilabel/hub/download.h"
#include "verilabel/hub/reference.h"
#include "verilabel/hub/repository.h"
#include "verilabel/models/catalogue.h"
#include "verilabel/models/model_files.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kProgressInterval{100};
/// Left free on the disk beside what is fetched.
constexpr std::uint64_t kSpareBytes = 16 << 20;

HubReference reference_of(const PullOptions& options) {
  const auto reference = parse_hub_reference(options.model);
  if (!reference) {
    throw Error(ErrorCode::wrong_use, "a model on the hub is called ORG/NAME, or ORG/NAME@REVISION",
                {{"model", printable(options.model)}});
  }
  return *reference;
}

GraphDtype dtype_of(const PullOptions& options) {
  std::string names;
  for (const GraphDtypeInfo& info : graph_dtypes()) {
    if (info.name == options.dtype || (options.dtype.empty() && info.dtype == GraphDtype::fp32)) {
      return info.dtype;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
  }
  throw Error(ErrorCode::wrong_use, fmt::format("there is no dtype '{}'", printable(options.dtype)), {{"dtypes", names}});
}

bool has_graph(const std::vector<HubFile>& files, std::string_view path) {
  return std::ranges::any_of(files, [&](const HubFile& file) { return file.path == path; });
}

/// The graphs among the files that have to be named to be used; of two that belong together the one that takes the image.
std::vector<std::string> graphs_to_name(const fs::path& folder, const std::vector<HubFile>& files) {
  const auto graph_of = [&](const fs::path& model) -> std::string {
    try {
      return find_model_files(model).graph.lexically_relative(folder).generic_string();
    } catch (const Error&) {
      return {};  // several graphs, or none where they are looked for
    }
  };
  if (has_graph(files, graph_of(folder))) {
    return {};
  }
  std::set<std::string> graphs;
  for (const HubFile& file : files) {
    if (file.path.ends_with(".onnx")) {
      const std::string graph = graph_of(folder / file.path);
      graphs.insert(has_graph(files, graph) ? graph : file.path);
    }
  }
  return {graphs.begin(), graphs.end()};
}

/// One pull: what is wanted of a listing, and how far it is.
class Pull {
 public:
  Pull(HubClient& client, const RepositoryListing& listing, const PullOptions& options)
      : client_(client),
        cache_(client.settings().cache_dir, client.settings().has_symlinks),
        listing_(listing),
        options_(options) {}

  /// The files of the listing that were asked for.
  std::vector<HubFile> chosen(const HubReference& reference, std::vector<std::string>& notes) const {
    FileChoice choice;
    choice.dtype = dtype_of(options_);
    choice.globs = options_.files;
    if (!reference.file.empty()) {
      choice.globs.push_back(reference.file);
    }
    const CatalogueEntry* entry = find_in_catalogue(listing_.repository.text);
    if (choice.globs.empty() && entry != nullptr) {
      if (std::ranges::all_of(entry->files, [&](const std::string& path) { return has_graph(listing_.files, path); })) {
        choice.graphs = entry->files;
      } else {
        notes.emplace_back("the repository has not the files that the catalogue names any more; taken is what its layout suggests");
      }
    }
    return choose_files(listing_.files, choice);
  }

  bool is_cached(const HubFile& file) const {
    return has_content(cache_, listing_.repository, listing_.commit, file, options_.is_checked, client_.progress(),
                       client_.cancel());
  }

  /// Throws `io` when the disk has no room for what is missing.
  void check_room(const std::vector<HubFile>& missing) const {
    std::uint64_t needed = 0;
    for (const HubFile& file : missing) {
      std::error_code error;
      const std::uint64_t part = fs::file_size(cache_.partial_blob(listing_.repository, file.hash), error);
      needed += file.size - (error ? 0 : std::min(part, file.size));
    }
    fs::path place = cache_.folder();
    std::error_code error;
    while (!fs::exists(place, error) && place.has_relative_path()) {
      place = place.parent_path();
    }
    const fs::space_info space = fs::space(place, error);
    if (!error && space.available < needed + kSpareBytes) {
      throw Error(
          ErrorCode::io,
          fmt::format("the disk has too little room for the model: {} bytes are to be fetched, and {} are to stay free; {} are "
                      "free; make room, or name another disk in HF_HUB_CACHE",
                      needed, kSpareBytes, space.available),
          {{"cache", cache_.folder().native()}, {"repository", listing_.repository.text}});
    }
  }

  /// Fetches what is missing, small files first. Returns the bytes that came over the network.
  std::uint64_t fetch(std::vector<HubFile> missing) {
    if (missing.empty()) {
      return 0;
    }
    check_room(missing);
    cache_.prepare(listing_.repository);
    std::ranges::stable_sort(missing, {}, &HubFile::size);
    for (const HubFile& file : missing) {
      bytes_wanted_ += file.size;
    }
    std::uint64_t fetched = 0;
    for (const HubFile& file : missing) {
      fetched += download(client_, cache_, listing_.repository, listing_.commit, file, options_.is_checked,
                          [&](std::uint64_t bytes) { show(bytes_before_ + bytes); });
      bytes_before_ += file.size;
    }
    show(bytes_before_, true);
    return fetched;
  }

  /// Weights that the graphs name and nobody chose: they may be called anything. Throws `bad_model`.
  std::vector<HubFile> weights_missing(const std::vector<HubFile>& chosen) const {
    std::vector<HubFile> missing;
    for (const HubFile& graph : chosen) {
      if (!graph.path.ends_with(".onnx")) {
        continue;
      }
      const auto content = cache_.find_content(listing_.repository, listing_.commit, graph);
      if (!content) {
        throw Error(ErrorCode::io, "a file vanished from the model cache while it was used", {{"file", graph.path}});
      }
      for (const std::string& name : external_weights_of(*content)) {
        const std::string path = (fs::path(graph.path).parent_path() / name).lexically_normal().generic_string();
        const auto is_it = [&](const HubFile& file) { return file.path == path; };
        const auto found = std::ranges::find_if(listing_.files, is_it);
        if (found == listing_.files.end()) {
          throw Error(ErrorCode::bad_model, "the repository lacks a file of weights that its graph names",
                      {{"repository", listing_.repository.text}, {"graph", graph.path}, {"file", printable(path)}});
        }
        if (std::ranges::none_of(chosen, is_it) && std::ranges::none_of(missing, is_it)) {
          missing.push_back(*found);
        }
      }
    }
    return missing;
  }

  /// Shows the files in the snapshot, graphs last, and then lets the revision mean it; whether it does. A cache that others look
  /// after may not be written to: where everything was there before, only what cannot be used otherwise has to be put.
  bool publish(std::vector<HubFile> files, const std::string& revision, bool has_fetched) const {
    const auto has_put = [&](const auto& put) {
      try {
        put();
        return true;
      } catch (const Error& error) {
        if (has_fetched || error.code() == ErrorCode::conflict) {
          throw;
        }
        return false;
      }
    };
    has_put([&] { cache_.prepare(listing_.repository); });
    std::ranges::stable_partition(files, [](const HubFile& file) { return !file.path.ends_with(".onnx"); });
    for (const HubFile& file : files) {
      cache_.link(listing_.repository, listing_.commit, file);
    }
    has_put([&] {
      for (const std::string& path : absent_companions(listing_.files)) {
        cache_.note_absent(listing_.repository, listing_.commit, path);
      }
    });
    return has_put([&] { cache_.set_revision(listing_.repository, revision, listing_.commit); });
  }

  const HubCache& cache() const { return cache_; }

 private:
  void show(std::uint64_t bytes, bool is_last = false) {
    const auto now = std::chrono::steady_clock::now();
    if (client_.progress() && (is_last || now - last_shown_ >= kProgressInterval)) {
      last_shown_ = now;
      client_.progress()({"downloading", static_cast<std::int64_t>(bytes), 0, static_cast<std::int64_t>(bytes_wanted_), "bytes"});
    }
  }

  HubClient& client_;
  HubCache cache_;
  const RepositoryListing& listing_;
  const PullOptions& options_;
  std::uint64_t bytes_wanted_ = 0;
  std::uint64_t bytes_before_ = 0;  ///< of files that are finished
  std::chrono::steady_clock::time_point last_shown_;
};

}  // namespace

void PullOptions::validate() const {
  const HubReference reference = reference_of(*this);
  dtype_of(*this);
  if (!files.empty() && !dtype.empty()) {
    throw Error(ErrorCode::wrong_use,
                "--file names the graphs itself, so that --dtype has nothing to choose; leave one of them out");
  }
  if (!reference.file.empty() && !dtype.empty()) {
    throw Error(ErrorCode::wrong_use,
                "the model's name says which graph is wanted, so that --dtype has nothing to choose; leave one of them out",
                {{"file", reference.file}, {"dtype", dtype}});
  }
  if (std::ranges::any_of(files, &std::string::empty)) {
    throw Error(ErrorCode::wrong_use, "--file is empty; give a path within the repository, with * and ? where wanted");
  }
}

std::string PullReport::name() const {
  return HubReference{RepositoryId{repository}, commit, graphs.size() == 1 ? graphs.front() : std::string()}.text();
}

std::vector<std::string> PullReport::short_names() const {
  if (graphs.empty()) {
    return {HubReference{RepositoryId{repository}, is_revision_known ? revision : commit, ""}.text()};
  }
  std::vector<std::string> names;
  for (const std::string& graph : graphs) {
    // A file stands behind a revision without slashes only.
    const bool is_short = is_revision_known && revision.find('/') == std::string::npos;
    names.push_back(HubReference{RepositoryId{repository}, is_short ? revision : commit, graph}.text());
  }
  return names;
}

PullReport pull_model(const PullOptions& options, const HubSettings& settings, const ProgressSink& progress,
                      const CancelToken& cancel) {
  options.validate();
  const HubReference reference = reference_of(options);
  HubClient client(settings, progress, cancel);
  const RepositoryListing listing = list_repository(client, reference.repository, reference.revision);
  Pull pull(client, listing, options);
  PullReport report;
  report.repository = listing.repository.text;
  report.revision = reference.revision;
  report.commit = listing.commit;
  report.licence = listing.licence;
  report.licence_link = listing.licence_link;
  report.is_gated = listing.is_gated;
  report.folder = pull.cache().snapshot_folder(listing.repository, listing.commit);

  std::vector<HubFile> files = pull.chosen(reference, report.notes);
  const auto take = [&](const std::vector<HubFile>& wanted) {
    std::vector<HubFile> missing;
    std::set<std::string_view> hashes;
    for (const HubFile& file : wanted) {
      const bool is_cached = pull.is_cached(file);
      report.files.push_back({file.path, file.size, is_cached});
      if (!is_cached && hashes.insert(file.hash).second) {
        missing.push_back(file);
      }
    }
    if (options.is_dry_run) {
      pull.check_room(missing);
    } else {
      report.bytes_fetched += pull.fetch(std::move(missing));
    }
  };
  take(files);
  if (!options.is_dry_run) {
    const std::vector<HubFile> weights = pull.weights_missing(files);
    take(weights);
    files.insert(files.end(), weights.begin(), weights.end());
    const bool has_fetched = !std::ranges::all_of(report.files, &PullReport::File::was_cached);
    report.is_revision_known = pull.publish(files, reference.revision, has_fetched);
    if (!report.is_revision_known) {
      report.notes.push_back(
          fmt::format("the cache cannot be written to, so that '{}' does not mean this commit there; name the commit to use it",
                      printable(reference.revision)));
    }
    report.graphs = graphs_to_name(report.folder, files);
  }
  std::ranges::sort(report.files, {}, &PullReport::File::path);
  return report;
}

}  // namespace verilabel
