#include "verilabel/engine/external_weights.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;

/// An entry of `external_data` as ONNX has it, without the graph around it.
std::string entry(std::string_view name) {
  return std::string("\x0a\x08location\x12") + static_cast<char>(name.size()) + std::string(name);
}

/// As a cache of Hugging Face: contents under their hashes, and a folder of links that looks like the repository.
class LoadableGraphTest : public testing::Test {
 protected:
  LoadableGraphTest() : root_(fs::temp_directory_path() / ("external_weights_test-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "blobs");
    fs::create_directories(folder());
  }
  ~LoadableGraphTest() override { fs::remove_all(root_); }

  fs::path folder() const { return root_ / "snapshots" / "commit" / "onnx"; }
  fs::path blob(const std::string& name, std::string_view content) const {
    std::ofstream(root_ / "blobs" / name) << content;
    return root_ / "blobs" / name;
  }
  fs::path linked(const std::string& name, const fs::path& target) const {
    fs::create_directories((folder() / name).parent_path());
    fs::create_symlink(target.lexically_relative((folder() / name).parent_path()), folder() / name);
    return folder() / name;
  }
  std::size_t blobs() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(root_ / "blobs"), fs::directory_iterator()));
  }

  fs::path root_;
};

TEST_F(LoadableGraphTest, NamesAreReadFromTheGraph) {
  const fs::path graph = blob("graph", "x" + entry("model.onnx_data") + "yz" + entry("a.bin") + entry("model.onnx_data"));
  EXPECT_THAT(external_weights_of(graph), ElementsAre("a.bin", "model.onnx_data"));
  EXPECT_THAT(external_weights_of(blob("plain", "nothing")), ElementsAre());
  EXPECT_THAT(external_weights_of(blob("cut", entry("model.onnx_data").substr(0, 15))), ElementsAre());
  EXPECT_THROW(external_weights_of(root_ / "missing"), Error);
}

TEST_F(LoadableGraphTest, AGraphWithItsWeightsBesideItIsLeftWhereItIs) {
  const fs::path graph = folder() / "model.onnx";
  std::ofstream(graph) << entry("model.onnx_data");
  std::ofstream(folder() / "model.onnx_data") << "weights";
  EXPECT_EQ(LoadableGraph(graph).path(), graph);
  EXPECT_EQ(LoadableGraph(linked("alone.onnx", blob("alone", "no weights elsewhere"))).path(), folder() / "alone.onnx");
}

TEST_F(LoadableGraphTest, NamesThatLeadElsewhereAreNotShownAndOneIsShownOnce) {
  std::ofstream(root_ / "snapshots" / "commit" / "secret.txt") << "secret";
  const fs::path graph = linked("model.onnx", blob("graph", entry("w.bin") + entry("./w.bin") + entry("../secret.txt")));
  linked("w.bin", blob("weights", "weights"));
  {
    const LoadableGraph loadable(graph);
    EXPECT_EQ(read_file(loadable.path().parent_path() / "w.bin"), "weights");
    EXPECT_EQ(blobs(), 3U) << "the graph, its weights and the folder of both";
  }
  EXPECT_EQ(blobs(), 2U);
}

TEST_F(LoadableGraphTest, LinkedWeightsAreShownBesideTheGraphWhileItLoads) {
  const fs::path graph = linked("model.onnx", blob("graph", entry("model.onnx_data") + entry("more/b.bin")));
  linked("model.onnx_data", blob("weights", "weights"));
  linked("more/b.bin", blob("more", "more"));
  fs::path folder;
  {
    const LoadableGraph loadable(graph);
    folder = loadable.path().parent_path();
    EXPECT_NE(loadable.path(), graph);
    EXPECT_EQ(folder.parent_path(), fs::canonical(root_ / "blobs"));
    EXPECT_EQ(read_file(loadable.path()), read_file(graph));
    EXPECT_FALSE(fs::is_symlink(folder / "model.onnx_data"));
    EXPECT_EQ(read_file(folder / "model.onnx_data"), "weights");
    EXPECT_EQ(fs::hard_link_count(folder / "model.onnx_data"), 2U);
    EXPECT_EQ(read_file(folder / "more" / "b.bin"), "more");
  }
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_EQ(blobs(), 3U);
}

TEST_F(LoadableGraphTest, NamesThatLeadOutOfTheFolderAreLeftToTheEngine) {
  std::ofstream(root_ / "secret") << "secret";
  const fs::path graph = linked("model.onnx", blob("graph", entry("../../../secret") + entry((root_ / "secret").native())));
  EXPECT_EQ(LoadableGraph(graph).path(), graph);
}

TEST_F(LoadableGraphTest, WhatIsMissingIsLeftToTheEngine) {
  const fs::path graph = linked("model.onnx", blob("graph", entry("missing.bin")));
  EXPECT_EQ(LoadableGraph(graph).path(), graph);
}

}  // namespace
}  // namespace verilabel
