#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/engine/onnxruntime_api.h"

// Private to the module.

namespace verilabel {

/// The places of a file system and an environment in which ONNX Runtime is looked for.
struct OnnxruntimePlaces {
  std::string variable;                         ///< VERILABEL_ONNXRUNTIME: the library itself; empty when not set
  std::vector<std::filesystem::path> prefixes;  ///< Python environments, the likeliest first

  static OnnxruntimePlaces of_this_process();
};

/// The library to load, if a file is found: what the variable names, whether it exists or not; else that of the package
/// `onnxruntime` (or `onnxruntime-gpu`) in the first environment that has it, the newest version of several.
std::optional<std::filesystem::path> find_onnxruntime(const OnnxruntimePlaces& places);

/// Loads the libraries of NVIDIA's Python packages (CUDA, cuDNN, TensorRT) that lie in the same environment as the one of ONNX
/// Runtime, as its own Python package does: its providers are linked to them, and no linker looks there. Those that are missing are
/// left for the system's linker to find, or for ONNX Runtime to complain of.
void load_nvidia_packages(const std::filesystem::path& onnxruntime_library);

/// ONNX Runtime's shared library in this process, and its one environment. Never unloaded.
class OnnxruntimeLibrary {
 public:
  /// Loads what `find_onnxruntime` finds, else what the system's linker knows. Throws `engine`: for what is no such library or one
  /// too old, and when there is none, saying how to get it.
  static std::shared_ptr<const OnnxruntimeLibrary> load(const OnnxruntimePlaces& places);
  ~OnnxruntimeLibrary();
  OnnxruntimeLibrary(const OnnxruntimeLibrary&) = delete;
  OnnxruntimeLibrary& operator=(const OnnxruntimeLibrary&) = delete;

  const OrtApi& api() const { return *api_; }
  const OrtEnv* environment() const { return environment_; }
  const std::string& version() const { return version_; }
  const std::string& file() const { return file_; }

 private:
  OnnxruntimeLibrary(const OrtApi* api, std::string version, std::string file);

  const OrtApi* api_;
  std::string version_;
  std::string file_;
  OrtEnv* environment_ = nullptr;
};

}  // namespace verilabel
