#pragma once

#include <span>

#include "verilabel/formats/export.h"
#include "verilabel/geometry/mask.h"

// Private to the module.
namespace verilabel {

/// One outline for several, of which there is at least one: each is joined to what is there by a line to and fro between the
/// nearest points, which has no area. Time grows with the number of points where they are spread as those of masks are; where they
/// are not, the search ends at some time, and what is left is joined by longer lines. Throws `interrupted` as `report_image` does.
Polygon joined_outline(std::span<const Polygon> parts, const WriteOptions& options);

}  // namespace verilabel
