#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace verilabel {

/// Names of the files of weights that the ONNX graph wants beside it, sorted. Throws `not_found`, `io`.
std::vector<std::string> external_weights_of(const std::filesystem::path& graph);

/// A graph with its files of weights really beside it. Engines refuse weights that a symbolic link shows from another folder, which
/// is how Hugging Face's cache shows them. For such a graph this makes a folder of hard links where the weights lie (of copies
/// among the temporary files, where links cannot be made), and removes it in the end: engines need it only while they load.
class LoadableGraph {
 public:
  /// Throws `not_found`, `io`.
  explicit LoadableGraph(const std::filesystem::path& graph);
  LoadableGraph(const LoadableGraph&) = delete;
  LoadableGraph& operator=(const LoadableGraph&) = delete;
  ~LoadableGraph();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::filesystem::path folder_;  // that was made; empty when none was needed
};

}  // namespace verilabel
