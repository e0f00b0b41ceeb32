#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

// What keeps parts of a mask from being one, to be completed by where. Private to the module.
namespace verilabel {

/// Of a grid of 2^32 pixels or more.
std::optional<std::string> fault_of_size(std::uint32_t height, std::uint32_t width);

/// Of polygon number `index` of a mask.
std::optional<std::string> fault_of_polygon(std::span<const double> xy_px, std::size_t index);

/// Throws `bad_data` when there is a fault.
void refuse(std::optional<std::string> fault);

}  // namespace verilabel
