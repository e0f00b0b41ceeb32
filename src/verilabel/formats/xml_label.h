#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "verilabel/dataset/label.h"
#include "verilabel/formats/import.h"
#include "verilabel/formats/number_text.h"
#include "verilabel/formats/xml_stream.h"

// What the XML formats share between elements and labels. Private to the module.
namespace verilabel {

/// Why a part of an XML file cannot be taken in. Caught by the readers, one element each.
struct XmlFault {
  RejectionReason reason = RejectionReason::malformed;
  std::string field;
  std::string message;
};

/// A child that may stand once; null when there is none. Throws `XmlFault`, with the field `path` + `name`, when it stands twice.
const XmlElement* single_child(const XmlElement& element, std::string_view name, std::string_view path = "");

/// The text for a message: short, whatever the file holds.
std::string shown_xml(std::string_view text);

/// A finite number with white space around it or none. Throws `XmlFault` with the field.
double xml_number(std::string_view text, std::string_view field);
/// A whole number of pixels above 0, also when it is written as 640.0; nothing for anything else.
std::optional<std::int32_t> xml_pixels(std::string_view text);

/// `high` − `low`, both as a file states them, rounded once: the difference of the decimals and not of the doubles nearest to them,
/// so that 0.3 − 0.1 is the double 0.2. Numbers too far apart for exact decimals are subtracted as doubles. Both must be
/// numbers, see `xml_number`.
double decimal_difference(std::string_view low, std::string_view high);
/// The decimal text of `low` + `length` for which `decimal_difference(shortest_decimal(low), …)` is `length`; where there is none
/// within 37 digits, of the nearest double.
std::string decimal_sum(double low, double length);
/// The shortest text that reads back as the same double, without a point for whole numbers.
std::string shortest_decimal(double number);

/// The box between two corners as a file states them, which are numbers (see `xml_number`). Throws `XmlFault` with `field` for
/// corners that are swapped and, since nobody can train on it or see it, for a box without width or height.
Box box_between(std::string_view left, std::string_view top, std::string_view right, std::string_view bottom,
                std::string_view field);

/// Whether corners as `decimal_sum` writes them, read by `box_between`, give the box back: all but boxes without width or height,
/// or with a side so small beside the coordinate that no double holds both. There is nothing between exact and nothing: what does
/// not fit into 37 digits differs by 20 orders of magnitude, and adding then leaves the larger number as it is.
bool has_corners(const Box& box_xywh_px);

/// One attribute of an `attributes_json`.
struct LabelAttribute {
  enum class Kind : std::uint8_t { boolean, number, text, other };
  std::string name;
  Kind kind = Kind::other;
  std::string value;  ///< the characters of a text, else the JSON as it stands
};
std::vector<LabelAttribute> label_attributes(std::string_view attributes_json);

/// Collects attributes into a JSON object. A name that was there before is not added: those functions then give back false.
class AttributeObject {
 public:
  bool add_json(std::string_view name, std::string_view json);
  bool add_text(std::string_view name, std::string_view text);
  /// The object, or nothing when there are no attributes.
  std::string take();

 private:
  std::string out_;
  std::unordered_set<std::string> names_;
};

}  // namespace verilabel
