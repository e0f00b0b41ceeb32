#pragma once

#include <optional>
#include <string_view>

#include "verilabel/base/json_writer.h"
#include "verilabel/evaluate/bootstrap.h"

namespace verilabel {

/// A member that is the two ends, or null. Private to the module.
inline void write_interval(JsonWriter& json, std::string_view name, const std::optional<Interval>& interval) {
  json.key(name);
  if (interval) {
    json.begin_array().value(interval->low).value(interval->high).end_array();
  } else {
    json.null();
  }
}

}  // namespace verilabel
