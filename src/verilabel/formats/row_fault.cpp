#include "verilabel/formats/row_fault.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/utf8.h"
#include "verilabel/formats/number_text.h"

namespace verilabel {

std::string name_of(const RowField& field) {
  return field.name.empty() ? fmt::format("column {}", field.column)
                            : fmt::format("column {} ({})", field.column, printable(field.name));
}

void reject(ImportSink& sink, ReadCounts& counts, RejectedKind kind, RowPlace place, RowFault fault) {
  (kind == RejectedKind::label   ? counts.labels_rejected
   : kind == RejectedKind::image ? counts.images_rejected
                                 : counts.others_rejected) += 1;
  sink.on_rejected({.kind = kind,
                    .reason = fault.reason,
                    .file = std::move(place.file),
                    .line = place.line,
                    .byte_offset = {},
                    .field = std::move(fault.field),
                    .image = std::move(place.image),
                    .message = std::move(fault.message)});
}

void check_resolved(const ResolvedImage& image) {
  if (image.resolution == Resolution::ambiguous) {
    throw RowFault{RejectionReason::ambiguous_image, "", "the name of the image fits several images of the project"};
  }
  if (image.resolution == Resolution::unknown) {
    throw RowFault{RejectionReason::unknown_image, "", "the project has no such image; import the images first"};
  }
  if (image.resolution == Resolution::duplicate) {
    throw RowFault{RejectionReason::duplicate_id, "", std::string(kLabelledElsewhere)};
  }
}

std::string shown(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  return text.size() <= kLongest ? printable(text) : printable(text.substr(0, kLongest - 3)) + "…";
}

double finite_number(std::string_view text, const RowField& field) {
  const std::string_view unsigned_text = text.substr(text.starts_with('+') ? 1 : 0);
  const NumberText number = read_number(unsigned_text);
  if (number.size == 0 || number.size != unsigned_text.size()) {
    const bool has_comma = text.find(',') != std::string_view::npos;
    throw RowFault{RejectionReason::malformed, name_of(field),
                   text.empty() ? "a number is missing here"
                                : fmt::format("`{}` is not a number{}", shown(text),
                                              has_comma ? "; numbers need a point before their decimals" : "")};
  }
  if (number.is_too_large) {
    throw RowFault{RejectionReason::out_of_range, name_of(field),
                   fmt::format("`{}` is not a number that can be represented", shown(text))};
  }
  if (!std::isfinite(number.value)) {
    throw RowFault{RejectionReason::not_finite, name_of(field), fmt::format("`{}` is not a finite number", shown(text))};
  }
  return number.value;
}

Box box_from_corners(double left, double top, double right, double bottom, const RowField& right_field,
                     const RowField& bottom_field) {
  if (right < left) {
    throw RowFault{RejectionReason::out_of_range, name_of(right_field),
                   fmt::format("the right edge {} lies left of the left edge {}: the corners are swapped", right, left)};
  }
  if (bottom < top) {
    throw RowFault{RejectionReason::out_of_range, name_of(bottom_field),
                   fmt::format("the lower edge {} lies above the upper edge {}: the corners are swapped", bottom, top)};
  }
  const Box box = {left, top, right - left, bottom - top};
  if (!std::isfinite(box.w) || !std::isfinite(box.h)) {
    const bool is_width = !std::isfinite(box.w);
    throw RowFault{RejectionReason::out_of_range, name_of(is_width ? right_field : bottom_field),
                   fmt::format("the {} of the box is not a number that can be represented", is_width ? "width" : "height")};
  }
  return box;
}

}  // namespace verilabel
