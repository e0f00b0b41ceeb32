// Masks as the store holds them, from any bytes: refused, or a sound mask that is written the same way again.

#include "fuzz/fuzzing.h"
#include "verilabel/dataset/label.h"
#include "verilabel/geometry/mask_blob.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  const std::string_view blob(reinterpret_cast<const char*>(data), size);
  const auto mask = unless_refused([&] { return mask_from_blob(blob); });
  if (!mask) {
    return 0;
  }
  Label label;
  label.kind = LabelKind::mask;
  label.mask = *mask;
  require(!fault_of(label), "a stored mask makes a label");
  const std::string again = blob_from_mask(*mask);
  require(again.size() <= 8 * size + 16, "no coordinate takes more than a double");
  require(mask_from_blob(again) == *mask, "the stored form goes round");
  require(blob_from_mask(mask_from_blob(again)) == again, "a mask has one stored form");
  return 0;
}
