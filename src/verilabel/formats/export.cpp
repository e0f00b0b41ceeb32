#include "verilabel/formats/export.h"

#include <array>

namespace verilabel {
namespace {

// One row for each enumerator, in its order.
constexpr std::array<std::string_view, 5> kTransfers = {"reference", "copy", "hard_link", "symbolic_link", "relative_link"};
static_assert(static_cast<std::size_t>(ImageTransfer::relative_link) + 1 == kTransfers.size());

}  // namespace

std::string_view name_of(ImageTransfer transfer) {
  return kTransfers[static_cast<std::size_t>(transfer)];
}

}  // namespace verilabel
