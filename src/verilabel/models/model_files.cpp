#include "verilabel/models/model_files.h"

#include <algorithm>
#include <set>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

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

fs::path graph_of_folder(const fs::path& folder) {
  for (const fs::path& usual : {folder / "onnx" / "model.onnx", folder / "model.onnx"}) {
    if (fs::is_regular_file(usual)) {
      return usual;
    }
  }
  std::vector<fs::path> graphs = graphs_in(folder / "onnx");
  const std::vector<fs::path> beside = graphs_in(folder);
  graphs.insert(graphs.end(), beside.begin(), beside.end());
  if (graphs.size() == 1) {
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

/// The names that the graph gives under `location` to files of weights. In the protocol buffer such an entry is the string
/// "location" as field 1 and the name as field 2; its bytes are looked for, which needs no parser of the whole format and takes
/// nothing else for one: the name must be that of a file (or the graph is damaged).
std::set<std::string> names_of_external(std::span<const std::byte> bytes) {
  constexpr std::string_view kKey = "\x0a\x08location\x12";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::set<std::string> names;
  for (std::size_t at = text.find(kKey); at != std::string_view::npos; at = text.find(kKey, at + 1)) {
    std::size_t begin = at + kKey.size();
    std::size_t length = 0;
    for (int shift = 0; begin < text.size() && shift < 21; shift += 7) {
      const auto byte = static_cast<unsigned char>(text[begin++]);
      length |= static_cast<std::size_t>(byte & 0x7F) << shift;
      if (byte < 0x80) {
        break;
      }
    }
    if (length > 0 && length <= text.size() - begin) {
      names.emplace(text.substr(begin, length));
    }
  }
  return names;
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
  if (fs::is_regular_file(files.graph)) {
    const MappedFile mapped = MappedFile::open(files.graph);
    for (const std::string& name : names_of_external(mapped.bytes())) {
      files.external.push_back(files.graph.parent_path() / name);
      if (!fs::is_regular_file(files.external.back())) {
        throw Error(ErrorCode::bad_model, fmt::format("weights of the graph are in the file {}, which is not beside it", name),
                    {{"file", files.graph.native()}});
      }
    }
  }
  files.config = beside_or_above(files.graph, "config.json");
  files.preprocessor = beside_or_above(files.graph, "preprocessor_config.json");
  return files;
}

std::string sha256_of_weights(const ModelFiles& files) {
  const std::string of_graph = sha256_of_file(files.graph);
  if (files.external.empty()) {
    return of_graph;
  }
  std::string lines = fmt::format("{}  {}\n", of_graph, files.graph.filename().native());
  for (const fs::path& file : files.external) {
    lines += fmt::format("{}  {}\n", sha256_of_file(file), file.filename().native());
  }
  return sha256_of(lines);
}

}  // namespace verilabel
