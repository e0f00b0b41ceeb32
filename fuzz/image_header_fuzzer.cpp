// Headers and EXIF of image files of every kind: the same from memory and from a file.

#include "fuzz/fuzzing.h"
#include "verilabel/base/utf8.h"
#include "verilabel/image/exif.h"
#include "verilabel/image/header.h"

namespace {

using namespace verilabel;

void check(const Exif& exif) {
  for (const auto& text : {exif.make, exif.model, exif.lens, exif.software, exif.captured_at}) {
    require(!text || (!text->empty() && is_utf8(*text)), "a text of EXIF is one");
  }
  for (const auto& number : {exif.exposure_s, exif.f_number, exif.iso, exif.focal_length_mm}) {
    require(!number || (*number >= 0 && *number <= UINT32_MAX * 1.0 * UINT32_MAX), "a number of EXIF is not negative, and finite");
  }
  require(!exif.orientation || (*exif.orientation >= 1 && *exif.orientation <= 8), "an orientation is 1 to 8");
  require(!exif.latitude_deg || (*exif.latitude_deg >= -90 && *exif.latitude_deg <= 90), "a latitude is on earth");
  require(!exif.longitude_deg || (*exif.longitude_deg >= -180 && *exif.longitude_deg <= 180), "a longitude is on earth");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFolder scratch;
  const auto content = std::as_bytes(std::span(data, size));
  const std::filesystem::path path = scratch.write("image", {reinterpret_cast<const char*>(data), size});
  const auto header = unless_refused([&] { return read_header(content); });
  const auto from_file = unless_refused([&] { return read_header(path); });
  require(header.has_value() == from_file.has_value(), "a file reads as its bytes do");
  const auto exif = unless_refused([&] { return read_exif(content); });
  const auto exif_from_file = unless_refused([&] { return read_exif(path); });
  require(exif.has_value() == header.has_value() && exif_from_file.has_value() == header.has_value(),
          "EXIF never fails what has a header");
  if (header) {
    require(header->width > 0 && header->height > 0 && header->orientation >= 1 && header->orientation <= 8, "a size has sides");
    require(header->format == from_file->format && header->width == from_file->width && header->height == from_file->height &&
                header->orientation == from_file->orientation && header->file_bytes == from_file->file_bytes,
            "a file reads as its bytes do");
    check(*exif);
    require(exif->model == exif_from_file->model && exif->captured_at == exif_from_file->captured_at &&
                exif->latitude_deg == exif_from_file->latitude_deg && exif->notes == exif_from_file->notes,
            "EXIF of a file reads as that of its bytes does");
    require(is_image_candidate("image", content.first(std::min(size, kSniffBytes))), "what has a header is seen as an image");
  }
  return 0;
}
