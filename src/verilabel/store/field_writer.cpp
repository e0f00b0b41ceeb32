#include "verilabel/store/field_writer.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/dataset/properties.h"

namespace verilabel::store {

FieldWriter::FieldWriter(const Database& database)
    : database_(database),
      set_(database.prepare("INSERT INTO sample_fields (name, sample_id, value) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = "
                            "excluded.value WHERE value IS NOT excluded.value")),
      remove_(database.prepare("DELETE FROM sample_fields WHERE name = ? AND sample_id = ?")) {}

bool FieldWriter::write(SampleId sample, std::string_view json) {
  const auto flat = flat_object(json);
  if (!flat) {
    throw Error(ErrorCode::wrong_use, "fields need a JSON object with numbers that a float64 can hold",
                {{"sample", std::to_string(sample.value)}});
  }
  if (!flat->lists.empty()) {
    throw Error(ErrorCode::wrong_use, "a field holds a text, a number, true or false, and this is a list; give each part a field",
                {{"field", flat->lists.front()}, {"sample", std::to_string(sample.value)}});
  }
  bool has_changed = false;
  for (const Property& property : flat->properties) {
    if (property.name.empty()) {
      throw Error(ErrorCode::wrong_use, "a field needs a name of at least one character",
                  {{"sample", std::to_string(sample.value)}});
    }
    set_.run_with(property.name, sample.value, property.json);
    has_changed |= database_.changed_rows() > 0;
  }
  for (const std::string& name : flat->nulls) {
    remove_.run_with(name, sample.value);
    has_changed |= database_.changed_rows() > 0;
  }
  return has_changed;
}

}  // namespace verilabel::store
