#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

namespace verilabel {

/// Other names for classes, for labels on their way in or out. Two classes that get one name become one class. On the way in, a
/// class without a name, as results lists have them, is called by its id.
class ClassMap {
 public:
  ClassMap() = default;
  /// A JSON object `{"name": "other name", …}`. Throws `not_found`, `io`, and `bad_data` with `file` and `field`.
  static ClassMap read(const std::filesystem::path& path);

  /// What the map calls this class; its own name when the map does not say. Applied once: a name that the map gives is not looked
  /// up.
  std::string_view operator()(std::string_view name) const;
  /// The names that the map knows.
  const std::unordered_map<std::string, std::string>& entries() const { return names_; }

 private:
  std::unordered_map<std::string, std::string> names_;
};

}  // namespace verilabel
