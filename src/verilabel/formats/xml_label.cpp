#include "verilabel/formats/xml_label.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/source_fields.h"
#include "verilabel/formats/xml_stream.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

__extension__ using Integer = __int128;

constexpr int kMaxDigits = 37;  // 2 · 10^37 < 2^127
constexpr int kMaxExponent = 400;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// digits · 10^exponent.
struct Decimal {
  Integer digits = 0;
  int exponent = 0;
};

constexpr Integer power_of_ten(int exponent) {
  Integer power = 1;
  for (int i = 0; i < exponent; ++i) {
    power *= 10;
  }
  return power;
}

/// Digits · 10^places, when that has no more than `kMaxDigits` digits.
std::optional<Integer> scaled(Integer digits, int places) {
  constexpr Integer kBound = power_of_ten(kMaxDigits);
  for (int i = 0; i < places && digits != 0; ++i) {
    digits *= 10;
    if (digits >= kBound || digits <= -kBound) {
      return std::nullopt;
    }
  }
  return digits;
}

/// Nothing for what has more digits than fit, or is no plain number.
std::optional<Decimal> decimal_from(std::string_view text) {
  text = trimmed_xml(text);
  const bool is_negative = text.starts_with('-');
  text.remove_prefix(is_negative || text.starts_with('+') ? 1 : 0);
  Decimal result;
  int digit_count = 0;
  bool is_after_point = false;
  std::size_t at = 0;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !is_after_point)); ++at) {
    if (text[at] == '.') {
      is_after_point = true;
      continue;
    }
    digit_count += digit_count > 0 || text[at] != '0' ? 1 : 0;
    if (digit_count > kMaxDigits) {
      return std::nullopt;
    }
    result.digits = 10 * result.digits + (text[at] - '0');
    result.exponent -= is_after_point ? 1 : 0;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const std::size_t begin = at + 1 + (at + 1 < text.size() && text[at + 1] == '+' ? 1 : 0);
    int exponent = 0;
    const auto [end, error] = std::from_chars(text.data() + std::min(begin, text.size()), text.data() + text.size(), exponent);
    if (error != std::errc() || std::abs(exponent) > kMaxExponent) {
      return std::nullopt;
    }
    result.exponent += exponent;
    at = static_cast<std::size_t>(end - text.data());
  }
  if (at != text.size()) {
    return std::nullopt;
  }
  result.digits = is_negative ? -result.digits : result.digits;
  return result;
}

/// a + b or a − b; nothing when that has more digits than fit.
std::optional<Decimal> combined(Decimal a, Decimal b, int sign) {
  // A zero has no place of its own.
  const int exponent = a.digits == 0 ? b.exponent : b.digits == 0 ? a.exponent : std::min(a.exponent, b.exponent);
  const std::optional<Integer> left = scaled(a.digits, a.exponent - exponent);
  const std::optional<Integer> right = scaled(b.digits, b.exponent - exponent);
  if (!left || !right) {
    return std::nullopt;
  }
  return Decimal{*left + sign * *right, exponent};
}

std::string text_of(Integer digits) {
  std::string text;
  for (Integer rest = digits < 0 ? -digits : digits; rest != 0; rest /= 10) {
    text += static_cast<char>('0' + static_cast<int>(rest % 10));
  }
  std::reverse(text.begin(), text.end());
  return text.empty() ? "0" : text;
}

double nearest_double(const Decimal& decimal) {
  const std::string text = fmt::format("{}{}e{}", decimal.digits < 0 ? "-" : "", text_of(decimal.digits), decimal.exponent);
  return read_number(text).value;
}

/// Without zeros that say nothing, and without an exponent unless the digits would not be read exactly again.
std::string plain_text(const Decimal& decimal) {
  std::string text = text_of(decimal.digits);
  if (decimal.exponent > 0 && text.size() + static_cast<std::size_t>(decimal.exponent) > kMaxDigits) {
    text += fmt::format("e{}", decimal.exponent);
  } else if (decimal.exponent >= 0) {
    text.append(decimal.digits == 0 ? 0 : static_cast<std::size_t>(decimal.exponent), '0');
  } else {
    const auto places = static_cast<std::size_t>(-decimal.exponent);
    if (text.size() <= places) {
      text.insert(0, places + 1 - text.size(), '0');
    }
    text.insert(text.size() - places, ".");
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) {
      text.pop_back();
    }
  }
  return decimal.digits < 0 ? "-" + text : text;
}

}  // namespace

const XmlElement* single_child(const XmlElement& element, std::string_view name, std::string_view path) {
  const XmlElement* found = nullptr;
  for (const XmlElement& child : element.children) {
    if (child.name == name) {
      if (found != nullptr) {
        throw XmlFault{RejectionReason::malformed, fmt::format("{}{}", path, name), "the element stands twice"};
      }
      found = &child;
    }
  }
  return found;
}

std::string shown_xml(std::string_view text) {
  constexpr std::size_t kShown = 40;
  text = trimmed_xml(text);
  return text.size() <= kShown ? printable(text) : printable(text.substr(0, kShown)) + "…";
}

double xml_number(std::string_view text, std::string_view field) {
  const std::string_view token = trimmed_xml(text);
  const auto fail = [&](RejectionReason reason, std::string_view what) -> double {
    throw XmlFault{reason, std::string(field), fmt::format("`{}` is not {}", shown_xml(token), what)};
  };
  const std::string_view unsigned_token = token.substr(token.starts_with('+') ? 1 : 0);
  const NumberText number = read_number(unsigned_token);
  if (number.size == 0 || number.size != unsigned_token.size()) {
    return fail(RejectionReason::malformed, "a number");
  }
  if (number.is_too_large) {
    return fail(RejectionReason::out_of_range, "a number that can be represented");
  }
  if (!std::isfinite(number.value)) {
    return fail(RejectionReason::not_finite, "a finite number");
  }
  return number.value;
}

std::optional<std::int32_t> xml_pixels(std::string_view text) {
  try {
    const double value = xml_number(text, "");
    if (value >= 1 && value <= std::numeric_limits<std::int32_t>::max() && value == std::floor(value)) {
      return static_cast<std::int32_t>(value);
    }
  } catch (const XmlFault&) {
    return std::nullopt;
  }
  return std::nullopt;
}

double decimal_difference(std::string_view low, std::string_view high) {
  const std::optional<Decimal> from = decimal_from(low);
  const std::optional<Decimal> to = decimal_from(high);
  if (from && to) {
    if (const std::optional<Decimal> difference = combined(*to, *from, -1)) {
      return nearest_double(*difference);
    }
  }
  return xml_number(high, "") - xml_number(low, "");
}

std::string shortest_decimal(double number) {
  return fmt::format("{}", number);
}

std::string decimal_sum(double low, double length) {
  const std::optional<Decimal> from = decimal_from(shortest_decimal(low));
  const std::optional<Decimal> side = decimal_from(shortest_decimal(length));
  if (from && side) {
    if (const std::optional<Decimal> sum = combined(*from, *side, 1)) {
      return plain_text(*sum);
    }
  }
  return shortest_decimal(low + length);
}

Box box_between(std::string_view left, std::string_view top, std::string_view right, std::string_view bottom,
                std::string_view field) {
  const Box box{xml_number(left, field), xml_number(top, field), decimal_difference(left, right), decimal_difference(top, bottom)};
  const auto fail = [&](std::string message) {
    throw XmlFault{RejectionReason::out_of_range, std::string(field), std::move(message)};
  };
  const auto corners = [&] {
    return fmt::format("from ({}, {}) to ({}, {})", shown_xml(left), shown_xml(top), shown_xml(right), shown_xml(bottom));
  };
  if (box.w < 0 || box.h < 0) {
    fail(fmt::format("the corners are swapped: the box goes {}", corners()));
  }
  if (box.w == 0 || box.h == 0) {
    fail(fmt::format("the box has no {}: it goes {}",
                     box.w > 0   ? "height"
                     : box.h > 0 ? "width"
                                 : "width and no height",
                     corners()));
  }
  if (!is_valid(box)) {
    fail(fmt::format("the box is too large to be represented: it goes {}", corners()));
  }
  return box;
}

bool has_corners(const Box& box_xywh_px) {
  const Box& box = box_xywh_px;
  try {
    return box_between(shortest_decimal(box.x), shortest_decimal(box.y), decimal_sum(box.x, box.w), decimal_sum(box.y, box.h),
                       "") == box;
  } catch (const XmlFault&) {
    return false;
  }
}

std::vector<LabelAttribute> label_attributes(std::string_view attributes_json) {
  std::vector<LabelAttribute> attributes;
  for (const SourceField& field : source_fields(attributes_json)) {
    LabelAttribute attribute;
    const auto text_of_json = [](const std::string& quoted) {
      const nlohmann::json json = nlohmann::json::parse(quoted, nullptr, false);
      return json.is_string() ? json.get<std::string>() : quoted;
    };
    attribute.name = text_of_json('"' + std::string(field.key) + '"');
    const std::string json(field.json);
    if (json.starts_with('"')) {
      attribute.kind = LabelAttribute::Kind::text;
      attribute.value = text_of_json(json);
    } else {
      attribute.kind = json == "true" || json == "false" ? LabelAttribute::Kind::boolean
                       : is_json_number(json)            ? LabelAttribute::Kind::number
                                                         : LabelAttribute::Kind::other;
      attribute.value = json;
    }
    attributes.push_back(std::move(attribute));
  }
  return attributes;
}

bool AttributeObject::add_json(std::string_view name, std::string_view json) {
  if (!names_.emplace(name).second) {
    return false;
  }
  out_ += out_.empty() ? '{' : ',';
  JsonWriter(out_).value(name);
  out_.append(":").append(json);
  return true;
}

bool AttributeObject::add_text(std::string_view name, std::string_view text) {
  std::string json;
  JsonWriter(json).value(text);
  return add_json(name, json);
}

std::string AttributeObject::take() {
  return out_.empty() ? std::string() : std::move(out_) + '}';
}

}  // namespace verilabel
