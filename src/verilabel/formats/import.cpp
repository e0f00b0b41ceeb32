#include "verilabel/formats/import.h"

#include <array>
#include <utility>

#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

// One row for each enumerator, in its order.
constexpr std::array<std::string_view, 13> kReasons = {
    "malformed",       "missing_field",      "not_finite",    "out_of_range",    "duplicate_id", "duplicate_name", "unknown_image",
    "ambiguous_image", "image_size_unknown", "unknown_class", "unreadable_file", "too_large",    "unsupported",
};
constexpr std::array<std::string_view, 5> kKinds = {"label", "image", "class", "field", "row"};
static_assert(static_cast<std::size_t>(RejectionReason::unsupported) + 1 == kReasons.size());
static_assert(static_cast<std::size_t>(RejectedKind::row) + 1 == kKinds.size());

}  // namespace

std::string_view name_of(RejectionReason reason) {
  return kReasons[static_cast<std::size_t>(reason)];
}

std::string_view name_of(RejectedKind kind) {
  return kKinds[static_cast<std::size_t>(kind)];
}

std::string source_id_of(std::string_view source_json) {
  std::string id;
  for (const SourceField& field : source_fields(source_json)) {
    if (field.key == "id") {
      id = field.json;
    }
  }
  return id;
}

}  // namespace verilabel
