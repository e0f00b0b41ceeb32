#include "verilabel/models/testing_parity.h"

#include <fstream>

#include <unistd.h>
#include <nlohmann/json.hpp>

namespace verilabel {

FaultyModel::FaultyModel(const std::filesystem::path& folder, const std::string& key, const std::string& value_json)
    : path_(std::filesystem::temp_directory_path() / ("verilabel-faulty-" + std::to_string(::getpid()))) {
  std::filesystem::remove_all(path_);
  std::filesystem::copy(folder, path_, std::filesystem::copy_options::recursive);
  const std::filesystem::path file = path_ / "preprocessor_config.json";
  nlohmann::json document = nlohmann::json::parse(std::ifstream(file));
  document[key] = nlohmann::json::parse(value_json);
  std::ofstream(file) << document;
}

}  // namespace verilabel
