#include "verilabel/workflow/class_map.h"

#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = 64 << 20;

}  // namespace

ClassMap ClassMap::read(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxBytes);
  ClassMap map;
  std::unordered_set<std::string> seen;
  const auto refuse_second = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1 && !seen.insert(parsed.get<std::string>()).second) {
      throw Error(ErrorCode::bad_data, "the map of classes names this class twice",
                  {{"file", path.native()}, {"field", parsed.get<std::string>()}});
    }
    return true;
  };
  try {
    const json document = json::parse(text, refuse_second);
    if (!document.is_object()) {
      throw Error(ErrorCode::bad_data, R"(a map of classes is a JSON object: {"name": "other name"})", {{"file", path.native()}});
    }
    for (const auto& [name, value] : document.items()) {
      if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
        throw Error(ErrorCode::bad_data, "the other name of a class is a text that is not empty; to leave a class out, use --where",
                    {{"file", path.native()}, {"field", name}});
      }
      map.names_.emplace(name, value.get<std::string>());
    }
  } catch (const json::exception& error) {
    throw Error(ErrorCode::bad_data, fmt::format("the map of classes is not JSON: {}", error.what()), {{"file", path.native()}});
  }
  return map;
}

std::string_view ClassMap::operator()(std::string_view name) const {
  const auto found = names_.find(std::string(name));
  return found == names_.end() ? name : std::string_view(found->second);
}

}  // namespace verilabel
