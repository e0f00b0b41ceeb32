#include "verilabel/dataset/properties.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <nlohmann/json.hpp>

#include "verilabel/base/json_writer.h"

namespace verilabel {
namespace {

using nlohmann::json;

/// No file that a person or a program writes comes near; beyond it lies the end of the stack.
constexpr int kDeepestObject = 64;

/// Keeps what it saw last under each name.
class Flattening {
 public:
  bool add(const std::string& prefix, const json& object, int depth) {
    for (const auto& [key, value] : object.items()) {
      const std::string name = prefix + key;
      if (value.is_object()) {
        if (depth == kDeepestObject || !add(name + ".", value, depth + 1)) {
          return false;
        }
      } else {
        seen_[name] = &value;
      }
    }
    return true;
  }

  FlatObject result() const {
    FlatObject flat;
    for (const auto& [name, value] : seen_) {
      if (value->is_null()) {
        flat.nulls.push_back(name);
      } else if (value->is_array()) {
        flat.lists.push_back(name);
      } else {
        flat.properties.push_back({name, value->dump()});
      }
    }
    return flat;
  }

 private:
  std::map<std::string, const json*> seen_;
};

}  // namespace

std::optional<FlatObject> flat_object(std::string_view text) {
  if (text.empty()) {
    return FlatObject{};
  }
  const json document = json::parse(text, nullptr, false);
  Flattening flattening;
  if (!document.is_object() || !flattening.add("", document, 0)) {
    return std::nullopt;
  }
  return flattening.result();
}

std::string object_from(const std::vector<Property>& properties) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const Property& property : properties) {
    writer.key(property.name).raw(property.json);
  }
  writer.end_object();
  return out;
}

std::optional<PropertyValue> property_value(std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  if (value.is_string()) {
    return PropertyValue(value.get<std::string>());
  }
  if (value.is_boolean()) {
    return PropertyValue(std::string(value.get<bool>() ? "true" : "false"));
  }
  if (value.is_number()) {
    const auto number = value.get<double>();
    return std::isfinite(number) ? std::optional(PropertyValue(number)) : std::nullopt;
  }
  return std::nullopt;
}

std::int32_t PropertyBuilder::Dictionary::index_of(std::string_view text) {
  const auto [entry, is_new] = index_.try_emplace(std::string(text), static_cast<std::int32_t>(texts_.size()));
  if (is_new) {
    texts_.emplace_back(text);
  }
  return entry->second;
}

void PropertyBuilder::add(std::int32_t row, std::string_view name, const PropertyValue& value) {
  Entry entry{names_.index_of(name), row};
  if (const auto* text = std::get_if<std::string>(&value)) {
    entry.text = texts_.index_of(*text);
  } else {
    entry.number = std::get<double>(value);
  }
  entries_.push_back(entry);
}

void PropertyBuilder::add_all(const PropertyColumns& columns, const std::vector<std::uint8_t>& is_left_out) {
  std::vector<std::int32_t> new_name(columns.names.size(), -1);
  std::vector<std::int32_t> new_text(columns.texts.size(), -1);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto row = static_cast<std::size_t>(columns.row[i]);
    if (row < is_left_out.size() && is_left_out[row] != 0) {
      continue;
    }
    std::int32_t& name = new_name[static_cast<std::size_t>(columns.name[i])];
    if (name < 0) {
      name = names_.index_of(columns.names[static_cast<std::size_t>(columns.name[i])]);
    }
    Entry entry{name, columns.row[i], -1, columns.number[i]};
    if (columns.text[i] >= 0) {
      std::int32_t& text = new_text[static_cast<std::size_t>(columns.text[i])];
      if (text < 0) {
        text = texts_.index_of(columns.texts[static_cast<std::size_t>(columns.text[i])]);
      }
      entry.text = text;
    }
    entries_.push_back(entry);
  }
}

PropertyColumns PropertyBuilder::build() {
  PropertyColumns columns;
  std::vector<std::int32_t> order(names_.texts().size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {},
                    [&](std::int32_t name) -> const std::string& { return names_.texts()[static_cast<std::size_t>(name)]; });
  std::vector<std::int32_t> place(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[static_cast<std::size_t>(order[i])] = static_cast<std::int32_t>(i);
    columns.names.push_back(names_.texts()[static_cast<std::size_t>(order[i])]);
  }
  for (Entry& entry : entries_) {
    entry.name = place[static_cast<std::size_t>(entry.name)];
  }
  const auto key = [](const Entry& entry) { return std::pair(entry.name, entry.row); };
  std::ranges::stable_sort(entries_, {}, key);
  std::vector<std::int32_t> name;
  std::vector<std::int32_t> row;
  std::vector<std::int32_t> text;
  std::vector<double> number;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (i + 1 < entries_.size() && key(entries_[i]) == key(entries_[i + 1])) {
      continue;
    }
    name.push_back(entries_[i].name);
    row.push_back(entries_[i].row);
    text.push_back(entries_[i].text);
    number.push_back(entries_[i].number);
  }
  for (const std::string& known : texts_.texts()) {
    columns.texts.append(known);
  }
  columns.name = Column<std::int32_t>::owned(std::move(name));
  columns.row = Column<std::int32_t>::owned(std::move(row));
  columns.text = Column<std::int32_t>::owned(std::move(text));
  columns.number = Column<double>::owned(std::move(number));
  return columns;
}

}  // namespace verilabel
