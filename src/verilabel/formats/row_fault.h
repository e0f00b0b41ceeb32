#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "verilabel/formats/import.h"

// What readers of lines and tables share. Private to the module.
namespace verilabel {

/// Why one line, row or file is not taken in; thrown and caught within a reader.
struct RowFault {
  RejectionReason reason = RejectionReason::malformed;
  std::string field;
  std::string message;
};

/// A place in a line or row, put into words only when something is wrong with it.
struct RowField {
  std::size_t column = 0;  ///< from 1
  std::string_view name;   ///< as the format or the header calls it
};
std::string name_of(const RowField& field);

struct RowPlace {
  std::string file;
  std::optional<std::uint64_t> line;
  std::string image;
};

/// Counts a rejection by its kind and hands it to the sink.
void reject(ImportSink& sink, ReadCounts& counts, RejectedKind kind, RowPlace place, RowFault fault);

/// Throws `RowFault` when the image is one that labels cannot belong to.
void check_resolved(const ResolvedImage& image);

/// A text of the file, short enough for a message.
std::string shown(std::string_view text);

/// The finite number that the text is, to its last character. Throws `RowFault`.
double finite_number(std::string_view text, const RowField& field);

/// The box between two corners. Throws `RowFault` when they are swapped; a side of zero is legal.
Box box_from_corners(double left, double top, double right, double bottom, const RowField& right_field,
                     const RowField& bottom_field);

}  // namespace verilabel
