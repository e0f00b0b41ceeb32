#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "verilabel/engine/engine.h"

// Between what a request carries (f32, i64) and what a graph takes and gives, for engines that do not convert themselves. Private
// to the module.

namespace verilabel {

/// Bytes of one element; 0 for `other`.
std::size_t element_size(ElementType type);

/// Writes `values` as elements of `type`, which is any but i64, i32 and other: f16 rounded to the nearest, ties to even, beyond its
/// range infinite; u8 and i8 cut towards zero; boolean true for all but 0. Gives the index of a value that u8 or i8 cannot hold;
/// the rest is then undefined.
std::optional<std::size_t> convert_from_f32(std::span<const float> values, ElementType type, std::byte* elements);

/// Likewise of i64 to i32.
std::optional<std::size_t> convert_to_i32(std::span<const std::int64_t> values, std::int32_t* elements);

/// Reads as many elements of `type`, which is any but other, as `values` has room for. Numbers of more bits are rounded.
void convert_to_f32(ElementType type, const std::byte* elements, std::span<float> values);

}  // namespace verilabel
