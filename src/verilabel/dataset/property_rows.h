#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "verilabel/dataset/columns.h"

namespace verilabel {

/// Rows, in their order, that have the property `name` with a value for which `holds(text, number)`: `text` is nothing when the
/// value is a number, and `number` 0 when it is a text.
template <typename Holds>
std::vector<std::uint32_t> rows_where(const PropertyColumns& properties, std::string_view name, const Holds& holds) {
  std::vector<std::uint32_t> rows;
  if (const auto entries = properties.entries_of(name)) {
    for (std::size_t i = entries->begin; i < entries->end; ++i) {
      const std::int32_t text = properties.text[i];
      if (holds(text < 0 ? std::nullopt : std::optional(properties.texts[static_cast<std::size_t>(text)]), properties.number[i])) {
        rows.push_back(static_cast<std::uint32_t>(properties.row[i]));
      }
    }
  }
  return rows;
}

}  // namespace verilabel
