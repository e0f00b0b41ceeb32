#include "verilabel/hub/choice.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/dataset/glob.h"

namespace verilabel {
namespace {

constexpr std::array kDtypes = {
    GraphDtypeInfo{GraphDtype::fp32, "fp32", ""},         GraphDtypeInfo{GraphDtype::fp16, "fp16", "_fp16"},
    GraphDtypeInfo{GraphDtype::int8, "int8", "_int8"},    GraphDtypeInfo{GraphDtype::uint8, "uint8", "_uint8"},
    GraphDtypeInfo{GraphDtype::q8, "q8", "_quantized"},   GraphDtypeInfo{GraphDtype::q4, "q4", "_q4"},
    GraphDtypeInfo{GraphDtype::q4f16, "q4f16", "_q4f16"}, GraphDtypeInfo{GraphDtype::bnb4, "bnb4", "_bnb4"},
};

/// What transformers.js and CLIP-as-service call the graphs of one model.
constexpr std::array<std::string_view, 12> kParts = {
    "model",
    "text_model",
    "vision_model",
    "vision_encoder",
    "prompt_encoder_mask_decoder",
    "encoder_model",
    "decoder_model_merged",
    "embed_tokens",
    "visual",
    "textual",
    "encoder",
    "decoder",
};

constexpr std::array<std::string_view, 5> kCompanions = {"config.json", "preprocessor_config.json", "tokenizer.json",
                                                         "tokenizer_config.json", "processor_config.json"};
constexpr std::array<std::string_view, 10> kOtherCompanions = {
    "generation_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt",
    "spiece.model",           "tokenizer.model",         "README.md",         "NOTICE",
};

constexpr std::string_view kGraphEnding = ".onnx";

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

bool is_companion(std::string_view path, const std::set<std::string_view>& folders) {
  const std::string_view name = name_of(path);
  return (folder_of(path).empty() || folders.contains(folder_of(path))) &&
         (std::ranges::find(kCompanions, name) != kCompanions.end() ||
          std::ranges::find(kOtherCompanions, name) != kOtherCompanions.end() || name.starts_with("LICENSE") ||
          name.starts_with("LICENCE") || name.ends_with(".verilabel.json"));
}

std::string path_of(const GraphName& graph) {
  return fmt::format("{}{}{}{}{}", graph.folder, graph.folder.empty() ? "" : "/", graph.part,
                     kDtypes[static_cast<std::size_t>(graph.dtype)].ending, kGraphEnding);
}

std::string list_of(const std::set<std::string_view>& names) {
  std::string list;
  for (const std::string_view name : names) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", name);
  }
  return list;
}

/// Paths of graphs as the choice's globs, its list or the layout say.
class GraphChoice {
 public:
  GraphChoice(std::span<const HubFile> files, const FileChoice& choice) : files_(files), choice_(choice) {
    for (const HubFile& file : files) {
      if (const auto graph = parse_graph_name(file.path)) {
        dtypes_[{graph->folder, graph->part}].insert(graph->dtype);
        all_.insert(file.path);
      }
    }
  }

  std::set<std::string_view> paths() const {
    if (all_.empty()) {
      throw Error(ErrorCode::not_found,
                  "the repository has no ONNX graph (no .onnx file); look for one of the same model that has, "
                  "under onnx-community or Xenova perhaps");
    }
    std::vector<GraphName> wanted;
    if (choice_.graphs.empty()) {
      wanted = of_layout();
    } else {
      for (const std::string& path : choice_.graphs) {
        if (auto graph = parse_graph_name(path)) {
          wanted.push_back(*std::move(graph));
        }
      }
    }
    std::set<std::string_view> chosen;
    for (GraphName& graph : wanted) {
      graph.dtype = choice_.dtype;
      const auto found = all_.find(path_of(graph));
      if (found == all_.end()) {
        throw lacking(graph);
      }
      chosen.insert(*found);
    }
    return chosen;
  }

 private:
  std::vector<GraphName> of_layout() const {
    const std::string folder = folder_of_graphs();
    std::vector<GraphName> parts;
    std::vector<GraphName> others;
    for (const auto& [place, dtypes] : dtypes_) {
      if (place.first == folder) {
        const bool is_usual = std::ranges::find(kParts, place.second) != kParts.end();
        (is_usual ? parts : others).push_back({place.first, place.second, GraphDtype::fp32});
      }
    }
    if (parts.empty() && others.size() > 1) {
      throw Error(ErrorCode::wrong_use,
                  "the repository has several graphs, and their names do not say which belong to one model; name those "
                  "that are wanted with --file",
                  {{"graphs", list_of(all_)}});
    }
    return parts.empty() ? others : parts;
  }

  std::string folder_of_graphs() const {
    std::set<std::string_view> folders;
    for (const auto& [place, dtypes] : dtypes_) {
      folders.insert(place.first);
    }
    for (const std::string_view usual : {"onnx", ""}) {
      if (folders.contains(usual)) {
        return std::string(usual);
      }
    }
    if (folders.size() > 1) {
      throw Error(ErrorCode::wrong_use, "the repository has graphs in several folders; name those that are wanted with --file",
                  {{"graphs", list_of(all_)}});
    }
    return std::string(*folders.begin());
  }

  Error lacking(const GraphName& graph) const {
    const auto found = dtypes_.find({graph.folder, graph.part});
    if (found == dtypes_.end()) {
      return {ErrorCode::not_found,
              "the repository has no such graph; name those that are wanted with --file",
              {{"file", path_of(graph)}, {"graphs", list_of(all_)}}};
    }
    std::string names;
    for (const GraphDtype dtype : found->second) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", kDtypes[static_cast<std::size_t>(dtype)].name);
    }
    return {ErrorCode::not_found,
            fmt::format("the repository does not have {} as {}; choose with --dtype what it has, or name files with --file",
                        graph.part, kDtypes[static_cast<std::size_t>(graph.dtype)].name),
            {{"file", path_of(graph)}, {"dtypes", names}}};
  }

  std::span<const HubFile> files_;
  const FileChoice& choice_;
  std::map<std::pair<std::string, std::string>, std::set<GraphDtype>> dtypes_;  // by folder and part
  std::set<std::string_view> all_;
};

std::set<std::string_view> matches(std::span<const HubFile> files, std::span<const std::string> globs) {
  std::set<std::string_view> found;
  for (const std::string& text : globs) {
    const Glob glob(text);
    const std::size_t before = found.size();
    bool is_known = false;
    for (const HubFile& file : files) {
      if (glob.matches(file.path)) {
        found.insert(file.path);
        is_known = true;
      }
    }
    if (!is_known && found.size() == before) {
      throw Error(ErrorCode::not_found, "the repository has no file like this", {{"file", text}});
    }
  }
  return found;
}

}  // namespace

std::span<const GraphDtypeInfo> graph_dtypes() {
  return kDtypes;
}

std::optional<GraphName> parse_graph_name(std::string_view path) {
  if (!path.ends_with(kGraphEnding)) {
    return std::nullopt;
  }
  GraphName graph;
  graph.folder = folder_of(path);
  std::string_view stem = name_of(path);
  stem.remove_suffix(kGraphEnding.size());
  for (const GraphDtypeInfo& info : kDtypes) {
    if (!info.ending.empty() && stem.ends_with(info.ending) && stem.size() > info.ending.size()) {
      graph.dtype = info.dtype;
      stem.remove_suffix(info.ending.size());
      break;
    }
  }
  graph.part = stem;
  return graph;
}

bool is_external_data_of(std::string_view path, std::string_view graph) {
  if (!path.starts_with(graph)) {
    return false;
  }
  const std::string_view rest = path.substr(graph.size());
  return (rest.starts_with("_data") || rest.starts_with(".data")) && rest.find('/') == std::string_view::npos;
}

std::vector<HubFile> choose_files(std::span<const HubFile> files, const FileChoice& choice) {
  const std::set<std::string_view> named = choice.globs.empty() ? GraphChoice(files, choice).paths() : matches(files, choice.globs);
  std::set<std::string_view> folders;
  for (const std::string_view path : named) {
    folders.insert({folder_of(path), folder_of(folder_of(path))});  // a graph's configuration lies beside it or one folder up
  }
  std::vector<HubFile> chosen;
  for (const HubFile& file : files) {
    const bool is_weights = std::ranges::any_of(named, [&](std::string_view path) { return is_external_data_of(file.path, path); });
    if (named.contains(file.path) || is_weights || is_companion(file.path, folders)) {
      chosen.push_back(file);
    }
  }
  std::ranges::sort(chosen, {}, &HubFile::path);
  return chosen;
}

std::vector<std::string> absent_companions(std::span<const HubFile> files) {
  std::vector<std::string> absent;
  for (const std::string_view name : kCompanions) {
    if (std::ranges::none_of(files, [&](const HubFile& file) { return file.path == name; })) {
      absent.emplace_back(name);
    }
  }
  return absent;
}

}  // namespace verilabel
