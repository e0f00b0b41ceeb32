#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Private to the module.
namespace verilabel {

/// What a text tower made of texts, kept in a file from one run to the next, by the texts' tokens.
class TextCache {
 public:
  /// Of the tower that `key` tells from every other, in `folder`; an empty folder keeps nothing. A file that is damaged counts as
  /// empty: everything in it can be computed again.
  TextCache(const std::filesystem::path& folder, const std::string& key);

  /// The features, valid until the next `add`.
  std::optional<std::span<const float>> find(const std::vector<std::int64_t>& tokens) const;
  void add(const std::vector<std::int64_t>& tokens, std::span<const float> features);
  /// Writes the file anew when something was added. A folder that cannot be written keeps nothing and is no error.
  void store() const;

 private:
  void load();

  std::filesystem::path file_;
  std::map<std::vector<std::int64_t>, std::vector<float>> rows_;
  bool has_new_ = false;
};

}  // namespace verilabel
