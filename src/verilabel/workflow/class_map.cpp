#include "verilabel/workflow/class_map.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_keys.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;

}  // namespace

ClassMap ClassMap::read(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxBytes);
  ClassMap map;
  try {
    require_single_json_keys(text);
    const json document = json::parse(text);
    if (!document.is_object()) {
      throw Error(ErrorCode::bad_data, R"(a map of classes is a JSON object: {"name": "other name"})");
    }
    for (const auto& [name, value] : document.items()) {
      if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
        throw Error(ErrorCode::bad_data, "the other name of a class is a text that is not empty; to leave a class out, use --where",
                    {{"field", name}});
      }
      map.names_.emplace(name, value.get<std::string>());
    }
  } catch (const json::exception& error) {
    throw Error(ErrorCode::bad_data, fmt::format("the map of classes is not JSON: {}", error.what()), {{"file", path.native()}});
  } catch (const Error& error) {
    throw error.with("file", path.native());
  }
  return map;
}

std::string_view ClassMap::operator()(std::string_view name) const {
  const auto found = names_.find(std::string(name));
  return found == names_.end() ? name : std::string_view(found->second);
}

}  // namespace verilabel
