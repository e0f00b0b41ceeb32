// Metadata: the first byte says the format, the rest is the file.

#include <set>

#include "fuzz/fuzzing.h"
#include "verilabel/base/utf8.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/formats/metadata.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const ScratchFolder scratch;
  InputBytes input({data, size});
  const auto formats = metadata_formats();
  const MetadataFormat& format = formats[input.take<std::uint8_t>() % formats.size()];
  const std::filesystem::path path = scratch.write("metadata", input.text());
  std::uint64_t last_line = 0;
  const auto is_in_order = [&](std::uint64_t line) { return line >= last_line && (last_line = line) > 0; };
  const MetadataSink sink{
      [&](MetadataRow&& row) {
        require(is_in_order(row.line), "rows come in the order of the file");
        require(!row.image.name.empty(), "a row names an image");
        require(is_utf8(row.image.name) && is_utf8(row.image.split), "texts are UTF-8");
        const auto flat = flat_object(row.image.fields_json);
        require(flat && flat->lists.empty(), "fields are what the store takes");
        const auto count = static_cast<std::int64_t>(flat->properties.size() + flat->nulls.size());
        require(count == row.field_values, "no field stands twice");
        for (const Property& property : flat->properties) {
          require(!property.name.empty() && property_value(property.json).has_value(), "every field has a name and a value");
        }
      },
      [&](Rejection&& rejection) {
        require(rejection.line && is_in_order(*rejection.line), "rejections say their line, in order");
        require(!rejection.message.empty(), "a rejection says why");
        require(rejection.kind == RejectedKind::row || rejection.kind == RejectedKind::field, "a row or a field is rejected");
      }};
  unless_refused([&] {
    format.read(path, {.key = {}, .progress = {}}, sink);
    return 0;
  });
  return 0;
}
