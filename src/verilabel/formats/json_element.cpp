#include "verilabel/formats/json_element.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <system_error>
#include <unordered_set>

#include <fmt/format.h>
#include <simdjson.h>

#include "verilabel/base/utf8.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/formats/json_scan.h"
#include "verilabel/formats/number_text.h"

namespace verilabel {
namespace {

constexpr double kMaxExactInteger = 9007199254740992.0;  // 2^53

bool is_valid_json(std::string_view json) {
  static thread_local simdjson::dom::parser parser;
  return parser.parse(json.data(), json.size()).error() == simdjson::SUCCESS;
}

/// Steps over the brackets, commas and, in objects, keys of a value, by quotes and brackets alone.
class Walk {
 public:
  Walk(const JsonValue& value, std::string_view json)
      : value_(value), at_(json.data() + 1), end_(json.data() + json.size()), closing_(json.front() == '{' ? '}' : ']') {}

  /// Whether another element follows.
  bool next() {
    at_ = skip_json_space(at_, end_);
    if (at_ != end_ && *at_ == closing_) {
      ++at_;
      if (skip_json_space(at_, end_) != end_) {
        fail("something follows the closing bracket");
      }
      return false;
    }
    if (!is_first_) {
      step(',');
    }
    is_first_ = false;
    return true;
  }
  std::string_view key() {
    at_ = skip_json_space(at_, end_);
    const char* const begin = at_;
    const std::string_view key = element();
    if (key.size() < 2 || key.front() != '"') {
      at_ = begin;
      fail("a key in quotes is needed");
    }
    step(':');
    return key.substr(1, key.size() - 2);
  }
  std::string_view element() {
    at_ = skip_json_space(at_, end_);
    const char* const begin = at_;
    const char* const element_end = JsonValueScan().run(begin, end_);
    if (element_end == begin || begin == end_) {
      fail("a value is needed");
    }
    if (element_end == nullptr) {
      fail("the value that begins here has no end: a bracket or quote is missing, or the rest of it");
    }
    at_ = element_end;
    return {begin, static_cast<std::size_t>(element_end - begin)};
  }

 private:
  void step(char wanted) {
    at_ = skip_json_space(at_, end_);
    if (at_ == end_ || *at_ != wanted) {
      fail(fmt::format("`{}` is needed", wanted));
    }
    ++at_;
  }
  [[noreturn]] void fail(std::string_view what) const {
    value_.fail_at({at_, static_cast<std::size_t>(end_ - at_)}, RejectionReason::malformed,
                   fmt::format("this is not valid JSON: {}", what));
  }

  const JsonValue& value_;
  const char* at_;
  const char* end_;
  char closing_;
  bool is_first_ = true;
};

/// Deeper than attributes go elsewhere.
constexpr int kDeepestObject = 64;

void require_single_keys_from(const JsonValue& value, int depth) {
  if (depth == kDeepestObject || value.raw().find('{') == std::string_view::npos) {
    return;
  }
  if (value.kind() == JsonKind::object) {
    JsonObject object(value);
    for (const JsonObject::Field& field : object.fields()) {
      require_single_keys_from(field.value, depth + 1);
    }
  } else if (value.kind() == JsonKind::array) {
    for (const JsonValue& element : value.elements()) {
      require_single_keys_from(element, depth + 1);
    }
  }
}

}  // namespace

JsonKind JsonValue::kind() const {
  switch (json_.empty() ? '\0' : json_.front()) {
    case '{':
      return JsonKind::object;
    case '[':
      return JsonKind::array;
    case '"':
      return JsonKind::text;
    case 't':
    case 'f':
      return JsonKind::flag;
    case 'n':
      return JsonKind::null;
    default:
      return JsonKind::number;
  }
}

void JsonValue::fail_at(std::string_view at, RejectionReason reason, std::string message) const {
  throw ElementFault{reason, field_, std::move(message), at};
}

std::string JsonValue::shown() const {
  constexpr std::size_t kMaxShown = 40;
  return json_.size() <= kMaxShown ? printable(json_) : printable(json_.substr(0, kMaxShown - 3)) + "…";
}

double JsonValue::number() const {
  const std::string_view digits = json_.substr(json_.starts_with('-') ? 1 : 0);
  if (digits.starts_with("NaN") || digits.starts_with("nan") || digits.starts_with("Inf") || digits.starts_with("inf")) {
    fail(RejectionReason::not_finite, fmt::format("{} is not a finite number", shown()));
  }
  if (!is_json_number(json_)) {
    fail(RejectionReason::malformed, fmt::format("{} is not a number", shown()));
  }
  const NumberText number = read_number(json_);
  if (number.is_too_large) {
    fail(RejectionReason::out_of_range, fmt::format("{} is not a number that can be represented", shown()));
  }
  return number.value;
}

std::int64_t JsonValue::integer(std::int64_t lowest, std::int64_t highest) const {
  std::int64_t result = 0;
  const auto [end, error] = std::from_chars(json_.data(), json_.data() + json_.size(), result);
  if (error != std::errc() || end != json_.data() + json_.size() || !is_json_number(json_)) {
    const double real = number();
    if (real != std::floor(real)) {
      fail(RejectionReason::malformed, fmt::format("{} is not an integer", shown()));
    }
    if (std::abs(real) > kMaxExactInteger) {
      fail(RejectionReason::out_of_range, fmt::format("{} is too large", shown()));
    }
    result = static_cast<std::int64_t>(real);
  }
  if (result < lowest || result > highest) {
    fail(RejectionReason::out_of_range, fmt::format("{} is not between {} and {}", shown(), lowest, highest));
  }
  return result;
}

std::string JsonValue::text() const {
  if (kind() != JsonKind::text || json_.size() < 2 || json_.back() != '"') {
    fail(RejectionReason::malformed, fmt::format("{} is not a string", shown()));
  }
  const std::string_view inside = json_.substr(1, json_.size() - 2);
  const bool is_plain =
      std::all_of(inside.begin(), inside.end(), [](char c) { return c >= ' ' && c < 127 && c != '\\' && c != '"'; });
  if (is_plain) {
    return std::string(inside);
  }
  static thread_local simdjson::dom::parser parser;
  std::string_view unescaped;
  if (parser.parse(json_.data(), json_.size()).get_string().get(unescaped) != simdjson::SUCCESS) {
    fail(RejectionReason::malformed, fmt::format("{} is not a string of UTF-8", shown()));
  }
  return std::string(unescaped);
}

bool JsonValue::flag() const {
  if (json_ == "true" || json_ == "1") {
    return true;
  }
  if (json_ == "false" || json_ == "0") {
    return false;
  }
  fail(RejectionReason::malformed, fmt::format("{} is neither true nor false", shown()));
}

std::vector<JsonValue> JsonValue::elements() const {
  if (kind() != JsonKind::array) {
    fail(RejectionReason::malformed, fmt::format("a list is needed, not {}", shown()));
  }
  std::vector<JsonValue> result;
  for (Walk walk(*this, json_); walk.next();) {
    result.emplace_back(walk.element(), fmt::format("{}[{}]", field_, result.size()));
  }
  return result;
}

std::vector<std::string> JsonValue::texts() const {
  std::vector<std::string> result;
  for (const JsonValue& element : elements()) {
    result.push_back(element.text());
  }
  return result;
}

std::vector<double> JsonValue::numbers() const {
  if (kind() != JsonKind::array) {
    fail(RejectionReason::malformed, fmt::format("a list of numbers is needed, not {}", shown()));
  }
  std::vector<double> result;
  for (Walk walk(*this, json_); walk.next();) {
    result.push_back(JsonValue(walk.element(), field_).number());
  }
  return result;
}

std::vector<double> JsonValue::points() const {
  if (kind() != JsonKind::array) {
    fail(RejectionReason::malformed, fmt::format("a list of points is needed, not {}", shown()));
  }
  std::vector<double> result;
  for (Walk walk(*this, json_); walk.next();) {
    const std::vector<double> point = JsonValue(walk.element(), field_).numbers();
    if (point.size() != 2) {
      fail(RejectionReason::malformed, fmt::format("point {} has {} numbers; x and y are needed", result.size() / 2, point.size()));
    }
    result.insert(result.end(), point.begin(), point.end());
  }
  return result;
}

std::vector<std::uint8_t> JsonValue::bytes() const {
  if (kind() != JsonKind::array) {
    fail(RejectionReason::malformed, fmt::format("a list of bytes is needed, not {}", shown()));
  }
  std::vector<std::uint8_t> result;
  for (Walk walk(*this, json_); walk.next();) {
    const std::string_view token = walk.element();
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), byte);
    if (error != std::errc() || end != token.data() + token.size()) {
      fail(RejectionReason::malformed, fmt::format("element {} is not an integer from 0 to 255", result.size()));
    }
    result.push_back(byte);
  }
  return result;
}

std::string_view JsonValue::verbatim() const {
  if (!is_valid_json(json_)) {
    if (const std::string_view too_large = first_too_large(json_); !too_large.empty()) {
      fail_at(too_large, RejectionReason::out_of_range,
              fmt::format("{} is not a number that can be represented", JsonValue(too_large, {}).shown()));
    }
    fail(RejectionReason::malformed, fmt::format("{} is not valid JSON", shown()));
  }
  return json_;
}

JsonObject::JsonObject(const JsonValue& value) {
  if (value.kind() != JsonKind::object) {
    value.fail(RejectionReason::malformed, fmt::format("an object in braces is needed, not {}", value.shown()));
  }
  std::unordered_set<std::string_view> keys;
  std::deque<std::string> unescaped;
  const std::string prefix = value.field().empty() ? "" : value.field() + ".";
  for (Walk walk(value, value.raw()); walk.next();) {
    const std::string_view key = walk.key();
    const std::string_view in_quotes(key.data() - 1, key.size() + 2);
    const bool is_plain = is_utf8(key) && std::ranges::none_of(key, [](char c) { return c == '\\' || (c >= 0 && c < ' '); });
    const std::string_view name =
        is_plain ? key : unescaped.emplace_back(JsonValue(in_quotes, prefix + printable(key)).text());  // or what is wrong with it
    if (!keys.insert(name).second) {
      JsonValue(in_quotes, prefix + printable(key)).fail(RejectionReason::malformed, "the field stands twice in this element");
    }
    fields_.push_back({key, JsonValue(walk.element(), prefix + printable(key))});
  }
}

JsonObject::Field* JsonObject::find(std::string_view key) {
  const auto at = std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) { return field.key == key; });
  return at == fields_.end() ? nullptr : &*at;
}

const JsonValue* JsonObject::peek(std::string_view key) const {
  const auto at = std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) { return field.key == key; });
  return at == fields_.end() ? nullptr : &at->value;
}

std::optional<JsonValue> JsonObject::take(std::string_view key) {
  Field* const field = find(key);
  if (field == nullptr) {
    return std::nullopt;
  }
  field->is_taken = true;
  return field->value.is_null() ? std::nullopt : std::optional(field->value);
}

std::optional<JsonValue> JsonObject::take(std::string_view key, JsonKind kind) {
  const Field* const field = find(key);
  return field != nullptr && field->value.kind() == kind ? take(key) : std::nullopt;
}

std::vector<std::string> JsonObject::take_tags(std::string_view key) {
  Field* const field = find(key);
  std::optional<std::vector<std::string>> texts = field == nullptr ? std::nullopt : list_of_texts(field->value.raw());
  if (!texts) {
    return {};
  }
  field->is_taken = true;
  return std::move(*texts);
}

std::string JsonObject::take_fields(std::string_view key) {
  Field* const field = find(key);
  if (field == nullptr || !holds_sample_fields(field->value.raw())) {
    return {};
  }
  field->is_taken = true;
  return std::string(field->value.raw());
}

std::string JsonObject::rest() const {
  std::string out;
  VerbatimFields unknown(out);
  for (const Field& field : fields_) {
    if (!field.is_taken) {
      const std::string quoted = fmt::format("\"{}\"", field.key);
      JsonValue(quoted, field.value.field()).verbatim();
      unknown.add(field.key, field.value.verbatim());
    }
  }
  unknown.close();
  return out;
}

void require_single_keys(const JsonValue& value) {
  require_single_keys_from(value, 0);
}

std::optional<std::vector<std::string>> list_of_texts(std::string_view json) {
  const JsonValue value(json, {});
  if (value.kind() != JsonKind::array) {
    return std::nullopt;
  }
  try {
    std::vector<std::string> texts = value.texts();
    return texts.empty() ? std::nullopt : std::optional(std::move(texts));
  } catch (const ElementFault&) {
    return std::nullopt;
  }
}

bool holds_sample_fields(std::string_view json) {
  if (!json.starts_with('{')) {
    return false;
  }
  const std::optional<FlatObject> flat = flat_object(json);
  return flat && flat->nulls.empty() && flat->lists.empty() && !flat->properties.empty() &&
         std::ranges::none_of(flat->properties, [](const Property& property) { return property.name.empty(); });
}

}  // namespace verilabel
