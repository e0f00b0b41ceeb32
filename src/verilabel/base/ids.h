#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace verilabel {

/// A row number of one kind of thing; ids of different kinds do not mix. 0 is "none".
template <typename Kind>
struct Id {
  std::int64_t value = 0;

  constexpr explicit operator bool() const { return value != 0; }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

using SampleId = Id<struct SampleKind>;
using SetId = Id<struct SetKind>;
using ClassId = Id<struct ClassKind>;
using LabelId = Id<struct LabelKindTag>;
using RunId = Id<struct RunKind>;
using ImportId = Id<struct ImportKind>;
using DecisionGroupId = Id<struct DecisionGroupKind>;
using EvaluationId = Id<struct EvaluationKind>;

}  // namespace verilabel

template <typename Kind>
struct std::hash<verilabel::Id<Kind>> {
  std::size_t operator()(const verilabel::Id<Kind>& id) const noexcept { return std::hash<std::int64_t>{}(id.value); }
};
