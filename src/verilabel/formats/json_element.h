#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "verilabel/formats/import.h"

// What readers of JSON formats share: faults of one element, unknown fields byte for byte, and values as views of their text, for
// elements that are small beside their file. Private to the module.
namespace verilabel {

/// Why one element of a file cannot be taken in. Thrown by parsers and caught by their callers, one element each.
struct ElementFault {
  RejectionReason reason = RejectionReason::malformed;
  std::string field;  ///< inside the element, or empty for the element itself
  std::string message;
  /// What is at fault, where it is known, from its first byte on. Its place is what counts: the text may be gone.
  std::string_view at = {};
};

/// Collects unknown fields as one JSON object, byte for byte.
class VerbatimFields {
 public:
  explicit VerbatimFields(std::string& out) : out_(out) {}
  void add(std::string_view raw_key, std::string_view raw_value) {
    out_ += out_.empty() ? "{\"" : ",\"";
    out_ += raw_key;
    out_ += "\":";
    out_ += raw_value;
  }
  void close() {
    if (!out_.empty()) {
      out_ += '}';
    }
  }

 private:
  std::string& out_;
};

enum class JsonKind : std::uint8_t { object, array, text, number, flag, null };

/// One value of a JSON text, which must outlive it. Nothing is known of the text but where the value ends; every function checks
/// the part that it reads and throws `ElementFault` with `field`. A value that no function has read is checked by `verbatim`.
class JsonValue {
 public:
  JsonValue(std::string_view json, std::string field) : json_(json), field_(std::move(field)) {}

  const std::string& field() const { return field_; }
  /// The text, unchecked.
  std::string_view raw() const { return json_; }
  /// By the first byte.
  JsonKind kind() const;
  bool is_null() const { return json_ == "null"; }
  bool is_scalar() const { return kind() >= JsonKind::text && kind() <= JsonKind::flag; }

  /// Finite.
  double number() const;
  /// Also when it is written as 17.0. Throws unless it lies within the bounds.
  std::int64_t integer(std::int64_t lowest, std::int64_t highest) const;
  std::string text() const;
  bool flag() const;
  std::vector<JsonValue> elements() const;
  /// All of a list of texts.
  std::vector<std::string> texts() const;
  /// All of a list of numbers.
  std::vector<double> numbers() const;
  /// A list of pairs of numbers, one after the other.
  std::vector<double> points() const;
  /// A list of integers from 0 to 255.
  std::vector<std::uint8_t> bytes() const;
  /// The text of the value once all of it is known to be valid.
  std::string_view verbatim() const;

  /// A fault of this value; `shown()` is its text, cut short.
  [[noreturn]] void fail(RejectionReason reason, std::string message) const { fail_at(json_, reason, std::move(message)); }
  /// A fault of a part of it.
  [[noreturn]] void fail_at(std::string_view at, RejectionReason reason, std::string message) const;
  std::string shown() const;

 private:
  std::string_view json_;
  std::string field_;
};

/// The fields of an object. Those that are not taken are its unknown fields.
class JsonObject {
 public:
  /// Throws `ElementFault` for what is no object, and for a key that stands twice.
  explicit JsonObject(const JsonValue& value);

  /// The field, which is known from now on; nothing when it is not there or null. A null is no unknown field either.
  std::optional<JsonValue> take(std::string_view key);
  /// The same, where a field of another kind is an unknown field.
  std::optional<JsonValue> take(std::string_view key, JsonKind kind);
  /// The same, where lists that are not of texts, or empty, are unknown fields.
  std::vector<std::string> take_tags(std::string_view key);
  /// The same, where what does not hold sample fields is an unknown field.
  std::string take_fields(std::string_view key);
  /// Looks without taking; null when there is no such field.
  const JsonValue* peek(std::string_view key) const;

  struct Field {
    std::string_view key;  ///< as it stands between its quotes
    JsonValue value;
    bool is_taken = false;
  };
  std::vector<Field>& fields() { return fields_; }

  /// The unknown fields as a JSON object, checked; empty without any.
  std::string rest() const;

 private:
  Field* find(std::string_view key);

  std::vector<Field> fields_;
};

/// Throws `ElementFault`, naming it, for a key that stands twice in one of the value's objects. Attributes are values by name, of
/// which a later one would hide an earlier one.
void require_single_keys(const JsonValue& value);

/// The texts when the value is a list of texts with at least one.
std::optional<std::vector<std::string>> list_of_texts(std::string_view json);
/// Whether the value is an object, perhaps of objects, with at least one value, all of them texts, numbers, true and false, and all
/// with a name.
bool holds_sample_fields(std::string_view json);

}  // namespace verilabel
