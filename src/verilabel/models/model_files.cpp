#include "verilabel/models/model_files.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/engine/external_weights.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> graphs_in(const fs::path& folder) {
  std::vector<fs::path> graphs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".onnx" && entry.is_regular_file(error)) {
      graphs.push_back(entry.path());
    }
  }
  std::ranges::sort(graphs);
  return graphs;
}

/// How the graphs of a model in two of them are called: the one that takes the image first.
struct Pair {
  std::string_view graph;
  std::string_view companion;
};
constexpr std::array kPairs = {
    Pair{"vision_model", "text_model"}, Pair{"vision_encoder", "prompt_encoder_mask_decoder"},
    Pair{"visual", "textual"},          Pair{"encoder", "decoder"},
    Pair{"model", "text_model"},
};

/// What names of graphs end with to say their precision.
constexpr std::array<std::string_view, 13> kPrecisions = {"_fp16", "_int8", "_uint8", "_quantized", "_q8",    "_q4",  "_q4f16",
                                                          "_bnb4", "_q1",   "_q1f16", "_q2",        "_q2f16", "_fp32"};

/// A file name without .onnx, cut in front of its precision.
struct GraphName {
  std::string stem;
  std::string precision;
};

GraphName name_of(const fs::path& graph) {
  GraphName name{graph.stem().native(), ""};
  for (const std::string_view precision : kPrecisions) {
    if (name.stem.ends_with(precision) && precision.size() > name.precision.size()) {
      name.precision = precision;
    }
  }
  name.stem.resize(name.stem.size() - name.precision.size());
  return name;
}

/// Whether the stem is the word, or the word after something that stands apart ("mobile_sam.encoder").
bool ends_with_word(std::string_view stem, std::string_view word) {
  constexpr std::string_view kApart = "._-";
  return stem.ends_with(word) &&
         (stem.size() == word.size() || kApart.find(stem[stem.size() - word.size() - 1]) != std::string_view::npos);
}

/// The two graphs that one of them belongs to; nothing for a model in one.
std::optional<std::pair<fs::path, fs::path>> pair_of(const fs::path& graph) {
  const GraphName name = name_of(graph);
  for (const Pair& pair : kPairs) {
    for (const std::string_view word : {pair.graph, pair.companion}) {
      if (!ends_with_word(name.stem, word)) {
        continue;
      }
      const std::string before = name.stem.substr(0, name.stem.size() - word.size());
      const auto file = [&](std::string_view other) {
        return graph.parent_path() / fmt::format("{}{}{}.onnx", before, other, name.precision);
      };
      if (fs::is_regular_file(file(pair.graph)) && fs::is_regular_file(file(pair.companion))) {
        return std::pair(file(pair.graph), file(pair.companion));
      }
    }
  }
  return std::nullopt;
}

/// The graph of that precision that a folder's model has by one of the usual names.
std::optional<fs::path> usual_graph(const std::vector<fs::path>& graphs, std::string_view precision) {
  for (const Pair& pair : kPairs) {
    for (const fs::path& graph : graphs) {
      const GraphName name = name_of(graph);
      if (name.precision == precision && name.stem == pair.graph && pair_of(graph)) {
        return graph;
      }
    }
  }
  const auto single = std::ranges::find_if(graphs, [&](const fs::path& graph) {
    const GraphName name = name_of(graph);
    return name.precision == precision && name.stem == "model";
  });
  return single == graphs.end() ? std::nullopt : std::optional(*single);
}

fs::path graph_of_folder(const fs::path& folder) {
  std::vector<fs::path> graphs = graphs_in(folder / "onnx");
  const std::vector<fs::path> beside = graphs_in(folder);
  graphs.insert(graphs.end(), beside.begin(), beside.end());
  if (const auto graph = usual_graph(graphs, "")) {
    return *graph;
  }
  std::set<std::string> precisions;
  for (const fs::path& graph : graphs) {
    precisions.insert(name_of(graph).precision);
  }
  if (precisions.size() == 1) {
    if (const auto graph = usual_graph(graphs, *precisions.begin())) {
      return *graph;
    }
  }
  if (graphs.size() == 1) {
    return graphs.front();
  }
  if (graphs.size() == 2 && pair_of(graphs.front())) {
    return graphs.front();
  }
  if (graphs.empty()) {
    throw Error(ErrorCode::wrong_use, "the folder holds no .onnx file, and none under onnx/", {{"folder", folder.native()}});
  }
  std::string list;
  for (const fs::path& graph : graphs) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", graph.lexically_relative(folder).native());
  }
  throw Error(ErrorCode::wrong_use, "the folder holds several graphs and no model.onnx; name the one that is meant",
              {{"folder", folder.native()}, {"graphs", list}});
}

fs::path beside_or_above(const fs::path& graph, const char* name) {
  const fs::path folder = graph.has_parent_path() ? graph.parent_path() : fs::path(".");
  for (const fs::path& candidate : {folder / name, folder / ".." / name}) {
    if (fs::is_regular_file(candidate)) {
      return candidate.lexically_normal();
    }
  }
  return {};
}

}  // namespace

ModelFiles find_model_files(const fs::path& model) {
  ModelFiles files;
  files.graph = fs::is_directory(model) ? graph_of_folder(model) : model;
  if (const auto pair = pair_of(files.graph)) {
    std::tie(files.graph, files.companion) = *pair;
  }
  for (const fs::path& graph : {files.graph, files.companion}) {
    if (!fs::is_regular_file(graph)) {
      continue;
    }
    for (const std::string& name : external_weights_of(graph)) {
      const fs::path file = graph.parent_path() / name;
      if (!fs::is_regular_file(file)) {
        throw Error(ErrorCode::bad_model, fmt::format("weights of the graph are in the file {}, which is not beside it", name),
                    {{"file", graph.native()}});
      }
      if (std::ranges::find(files.external, file) == files.external.end()) {
        files.external.push_back(file);
      }
    }
  }
  files.config = beside_or_above(files.graph, "config.json");
  files.preprocessor = beside_or_above(files.graph, "preprocessor_config.json");
  files.tokenizer = beside_or_above(files.graph, "tokenizer.json");
  files.tokenizer_config = beside_or_above(files.graph, "tokenizer_config.json");
  return files;
}

std::string sha256_of_weights(const ModelFiles& files) {
  const std::string of_graph = sha256_of_file(files.graph);
  if (files.external.empty() && files.companion.empty()) {
    return of_graph;
  }
  std::string lines = fmt::format("{}  {}\n", of_graph, files.graph.filename().native());
  std::vector<fs::path> others = files.external;
  if (!files.companion.empty()) {
    others.insert(others.begin(), files.companion);
  }
  for (const fs::path& file : others) {
    lines += fmt::format("{}  {}\n", sha256_of_file(file), file.filename().native());
  }
  return sha256_of(lines);
}

}  // namespace verilabel
