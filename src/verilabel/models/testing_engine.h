#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/engine/engine.h"
#include "verilabel/models/labeller.h"

namespace verilabel {

/// An engine for which every file is the graph it was given.
class StatedGraphEngine final : public Engine {
 public:
  explicit StatedGraphEngine(GraphInfo graph) : graph_(std::move(graph)) {}
  std::string_view name() const override { return "stated"; }
  std::string version() const override { return "1"; }
  GraphInfo inspect(const std::filesystem::path&) override { return graph_; }
  std::unique_ptr<CompiledModel> compile(const std::filesystem::path&, const CompileOptions&) override {
    throw Error(ErrorCode::internal, "nothing runs here");
  }

 private:
  GraphInfo graph_;
};

/// An engine for which files named as stated (encoder or vision_encoder, say) are the first graph, and all others the second.
class TwoGraphEngine final : public Engine {
 public:
  TwoGraphEngine(GraphInfo encoder, GraphInfo decoder, std::string first_name = "encoder")
      : encoder_(std::move(encoder)), decoder_(std::move(decoder)), first_name_(std::move(first_name)) {}
  std::string_view name() const override { return "stated"; }
  std::string version() const override { return "0"; }
  GraphInfo inspect(const std::filesystem::path& model) override {
    return model.stem().native().ends_with(first_name_) ? encoder_ : decoder_;
  }
  std::unique_ptr<CompiledModel> compile(const std::filesystem::path&, const CompileOptions&) override {
    throw Error(ErrorCode::internal, "nothing runs here");
  }

 private:
  GraphInfo encoder_;
  GraphInfo decoder_;
  std::string first_name_;
};

/// A folder with a model file in it, removed at the end.
class ModelFolder {
 public:
  ModelFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "verilabel-models-XXXXXX").native();
    path_ = ::mkdtemp(name.data());
    write("model.onnx", "weights");
  }
  ModelFolder(const ModelFolder&) = delete;
  ModelFolder& operator=(const ModelFolder&) = delete;
  ~ModelFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::filesystem::path model() const { return path_ / "model.onnx"; }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// The detector of a graph, with the manifest beside the model when there is one.
inline std::unique_ptr<Labeller> labeller_of(GraphInfo graph, const std::string& manifest = "") {
  const ModelFolder folder;
  if (!manifest.empty()) {
    folder.write("model.verilabel.json", manifest);
  }
  StatedGraphEngine engine(std::move(graph));
  return load_labeller(engine, folder.model());
}

/// The error that an action ends with; one of code `internal` when it ends with none.
template <typename Action>
Error error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::internal, "nothing was thrown");
}

}  // namespace verilabel
