#include "verilabel/engine/external_weights.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <set>
#include <span>
#include <string_view>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

/// The names that the graph gives under `location` to files of weights. In the protocol buffer such an entry is the string
/// "location" as field 1 and the name as field 2; its bytes are looked for, which needs no parser of the whole format and takes
/// nothing else for one: the name must be that of a file (or the graph is damaged).
std::set<std::string> names_of_external(std::span<const std::byte> bytes) {
  constexpr std::string_view kKey = "\x0a\x08location\x12";
  const std::boyer_moore_horspool_searcher searcher(kKey.begin(), kKey.end());  // graphs are mostly weights
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::set<std::string> names;
  for (auto found = searcher(text.begin(), text.end()); found.first != text.end(); found = searcher(found.second, text.end())) {
    auto begin = static_cast<std::size_t>(found.second - text.begin());
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

bool is_within(const fs::path& file, const fs::path& folder) {
  return std::ranges::mismatch(folder, file).in1 == folder.end();
}

/// Whether the name, in its normal form, stays below the folder of the graph.
bool is_beside(const fs::path& normal) {
  return !normal.empty() && normal.is_relative() && *normal.begin() != "..";
}

/// The weights whose names stay below the graph and that a link shows from elsewhere; nothing more is taken for the cache's work.
std::vector<std::string> linked_weights(const fs::path& graph, const std::vector<std::string>& names) {
  std::vector<std::string> linked;
  std::error_code error;
  const fs::path folder = fs::canonical(graph.parent_path(), error);
  for (const std::string& name : names) {
    const fs::path normal = fs::path(name).lexically_normal();
    const fs::path file = fs::canonical(graph.parent_path() / normal, error);
    if (!error && is_beside(normal) && !is_within(file, folder)) {
      linked.push_back(name);
    }
  }
  return linked;
}

/// Whether anything beside the graph can be a link that shows weights: saves looking through the graph for their names.
bool has_links_beside(const fs::path& graph) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(graph.parent_path().empty() ? fs::path(".") : graph.parent_path(), error)) {
    std::error_code ignored;
    if (entry.path().extension() != ".onnx" && (entry.is_symlink(ignored) || entry.is_directory(ignored))) {
      return true;
    }
  }
  return false;
}

/// A new folder beside the weights, where hard links to them can be made, or among temporary files.
fs::path make_folder(const fs::path& beside) {
  for (const fs::path& parent : {beside, fs::temp_directory_path()}) {
    std::string name = (parent / ".verilabel-XXXXXX").native();
    if (::mkdtemp(name.data()) != nullptr) {
      return name;
    }
  }
  throw io_error("cannot make a folder to load the model from", fs::temp_directory_path().native(), errno);
}

void put(const fs::path& source, const fs::path& place) {
  std::error_code error;
  fs::create_directories(place.parent_path(), error);
  fs::create_hard_link(fs::canonical(source, error), place, error);
  if (error) {
    error.clear();
    fs::copy_file(source, place, error);
  }
  if (error) {
    throw io_error("cannot put a file beside the graph to load it from", source.native(), error.value());
  }
}

}  // namespace

std::vector<std::string> external_weights_of(const fs::path& graph) {
  const std::set<std::string> names = names_of_external(MappedFile::open(graph).bytes());
  return {names.begin(), names.end()};
}

LoadableGraph::LoadableGraph(const fs::path& graph) : path_(graph) {
  if (!has_links_beside(graph)) {
    return;
  }
  const std::vector<std::string> names = external_weights_of(graph);
  const std::vector<std::string> linked = linked_weights(graph, names);
  if (linked.empty()) {
    return;
  }
  folder_ = make_folder(fs::canonical(graph.parent_path() / linked.front()).parent_path());
  try {
    path_ = folder_ / graph.filename();
    put(graph, path_);
    std::set<fs::path> places;
    for (const std::string& name : names) {
      const fs::path place = fs::path(name).lexically_normal();
      std::error_code error;
      if (is_beside(place) && fs::is_regular_file(graph.parent_path() / place, error) && places.insert(place).second) {
        put(graph.parent_path() / place, folder_ / place);
      }
    }
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    throw;
  }
}

LoadableGraph::~LoadableGraph() {
  if (!folder_.empty()) {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
}

}  // namespace verilabel
