#include "verilabel/cli/engine_options.h"

#include <string_view>
#include <vector>

#include "verilabel/engine/engine.h"

namespace verilabel::cli {

void add_engine_options(CLI::App& app, std::string& engine, std::string& device) {
  const std::vector<std::string_view> engines = engine_names();
  app.add_option("--engine", engine, "What runs the model; onnxruntime needs `pip install onnxruntime`")
      ->check(CLI::IsMember(std::vector<std::string>(engines.begin(), engines.end())))
      ->type_name("")
      ->capture_default_str();
  app.add_option("--device", device, "What it runs on: cpu; of openvino gpu, gpu.1, npu; of onnxruntime cuda, cuda:1, tensorrt")
      ->capture_default_str();
}

}  // namespace verilabel::cli
