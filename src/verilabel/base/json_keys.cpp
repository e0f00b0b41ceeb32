#include "verilabel/base/json_keys.h"

#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

using nlohmann::json;

/// Follows where in the document the parser is.
class KeyCheck : public nlohmann::json_sax<json> {
 public:
  bool null() override { return is_next(); }
  bool boolean(bool) override { return is_next(); }
  bool number_integer(number_integer_t) override { return is_next(); }
  bool number_unsigned(number_unsigned_t) override { return is_next(); }
  bool number_float(number_float_t, const string_t&) override { return is_next(); }
  bool string(string_t&) override { return is_next(); }
  bool binary(binary_t&) override { return is_next(); }
  bool start_object(std::size_t) override { return is_next() && open(false); }
  bool start_array(std::size_t) override { return is_next() && open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

  bool key(string_t& name) override {
    Level& level = levels_.back();
    level.key = name;
    if (!level.keys.insert(name).second) {
      throw Error(ErrorCode::bad_data, "this key stands twice; remove one of the two", {{"field", place()}});
    }
    return true;
  }

 private:
  struct Level {
    bool is_array = false;
    std::size_t elements = 0;  ///< begun
    std::string key;           ///< read last
    std::set<std::string> keys;
  };

  bool is_next() {
    if (!levels_.empty()) {
      ++levels_.back().elements;
    }
    return true;
  }
  bool open(bool is_array) {
    levels_.push_back({is_array, 0, {}, {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }

  /// As `classes[2].name`.
  std::string place() const {
    std::string text;
    for (const Level& level : levels_) {
      text += level.is_array ? fmt::format("[{}]", level.elements - 1) : fmt::format("{}{}", text.empty() ? "" : ".", level.key);
    }
    return text;
  }

  std::vector<Level> levels_;
};

}  // namespace

void require_single_json_keys(std::string_view text) {
  KeyCheck check;
  json::sax_parse(text, &check);
}

}  // namespace verilabel
