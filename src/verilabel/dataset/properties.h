#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "verilabel/dataset/columns.h"

namespace verilabel {

/// The field of samples that the view term `brightness` looks at: a number from 0 to 255.
inline constexpr std::string_view kBrightnessField = "brightness";

/// One field of a sample or one attribute of a label, by itself.
struct Property {
  std::string name;  ///< `gps.lat` for what stands in an object of its own
  std::string json;  ///< a text, a number, true or false

  friend bool operator==(const Property&, const Property&) = default;
};

/// What a JSON object says about properties. Of a name that occurs twice the last counts.
struct FlatObject {
  std::vector<Property> properties;  ///< in the order of their names
  std::vector<std::string> nulls;    ///< names whose value is null
  std::vector<std::string> lists;    ///< names whose value is a list, which no property can be
};

/// Nothing when `json` is no JSON object, or holds a number that float64 does not reach. An empty text is an empty object.
std::optional<FlatObject> flat_object(std::string_view json);

/// A JSON object of these properties, `{}` of none. Names stay as they are, with their dots.
std::string object_from(const std::vector<Property>& properties);

/// What views compare: a number, or a text, which true and false are too.
using PropertyValue = std::variant<double, std::string>;

/// The value that a property's `json` stands for; nothing when it is not one.
std::optional<PropertyValue> property_value(std::string_view json);

/// Collects entries in any order and makes columns of them. Of several for one row and name the last one added stays.
class PropertyBuilder {
 public:
  void add(std::int32_t row, std::string_view name, const PropertyValue& value);
  /// The entries of `columns` for rows without a flag in `is_left_out`; rows beyond its end have none.
  void add_all(const PropertyColumns& columns, const std::vector<std::uint8_t>& is_left_out);
  bool empty() const { return entries_.empty(); }
  PropertyColumns build();

 private:
  struct Entry {
    std::int32_t name = 0;
    std::int32_t row = 0;
    std::int32_t text = -1;
    double number = 0;
  };
  class Dictionary {
   public:
    std::int32_t index_of(std::string_view text);
    const std::vector<std::string>& texts() const { return texts_; }

   private:
    std::vector<std::string> texts_;
    std::unordered_map<std::string, std::int32_t> index_;
  };

  std::vector<Entry> entries_;
  Dictionary names_;
  Dictionary texts_;
};

}  // namespace verilabel
