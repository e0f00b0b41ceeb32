#pragma once

#include <string>
#include <string_view>

#include "verilabel/geometry/mask.h"

namespace verilabel {

/// A mask as bytes for the store, without loss: every coordinate comes back as the same double. Two or three bytes for a coordinate
/// of at most three decimals, one or two for a run.
///
///     mask     = form:byte  body
///     form     = 1 polygons (is_compressed kept in bit 4) | 2 runs; bit 4 (16) set when is_compressed
///     polygons = count:varint  polygon…
///     polygon  = numbers:varint  scale:byte  coordinate…
///     scale    = 0, 1, 2, 3: each coordinate is n / 10^scale, stored as zigzag varint of n minus the n of the same axis one point
///                before (0 before the first); 8: each coordinate is a little-endian IEEE 754 double
///     runs     = height:varint  width:varint  count:varint  run:varint…
///     varint   = little-endian groups of 7 bits, the high bit set on all but the last byte; at most 10 bytes
std::string blob_from_mask(const Mask& mask);

/// The same into a string that the caller uses again and again; what it held is replaced.
void blob_from_mask(const Mask& mask, std::string& blob);

/// Throws `bad_data` for bytes that are not such a blob, whatever they are, or that describe a mask with a fault.
Mask mask_from_blob(std::string_view blob);

}  // namespace verilabel
