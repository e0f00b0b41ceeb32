#include "verilabel/formats/number_text.h"

#include <cmath>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/row_fault.h"
#include "verilabel/formats/xml_label.h"

namespace verilabel {
namespace {

/// Nothing for a number that is refused because it is too large; any other fault fails the test.
using Read = std::function<std::optional<double>(const std::string& text)>;

template <typename Fault>
std::optional<double> unless_too_large(const std::string& text, const std::function<double()>& read) {
  try {
    return read();
  } catch (const Fault& fault) {
    EXPECT_EQ(fault.reason, RejectionReason::out_of_range) << text << ": " << fault.message;
    return std::nullopt;
  }
}

/// What each reader makes of a number in JSON's spelling.
const std::pair<const char*, Read> kReaders[] = {
    {"read_number",
     [](const std::string& text) {
       const NumberText number = read_number(text);
       EXPECT_EQ(number.size, text.size()) << text;
       EXPECT_EQ(number.is_too_large, std::isinf(number.value)) << text;
       return number.is_too_large ? std::nullopt : std::optional(number.value);
     }},
    {"lines and tables",
     [](const std::string& text) { return unless_too_large<RowFault>(text, [&] { return finite_number(text, {1, "x"}); }); }},
    {"XML", [](const std::string& text) { return unless_too_large<XmlFault>(text, [&] { return xml_number(text, "x"); }); }},
    {"JSON",
     [](const std::string& text) { return unless_too_large<ElementFault>(text, [&] { return JsonValue(text, "").number(); }); }},
    {"COCO",
     [](const std::string& text) {
       return unless_too_large<CocoFault>(text, [&] {
         const std::string element = fmt::format(R"({{"image_id":1,"category_id":1,"bbox":[{},0,1,1]}})", text);
         const std::string padded = element + std::string(JsonStream::kPaddingBytes, ' ');
         CocoAnnotation annotation;
         CocoElementParser(CocoElementParser::Keep::boxes_and_masks)
             .parse_annotation(std::string_view(padded).substr(0, element.size()), annotation);
         return annotation.label.box_xywh_px.x;
       });
     }},
};

void expect_as_strtod(const std::string& text) {
  const double expected = std::strtod(text.c_str(), nullptr);
  ASSERT_TRUE(is_json_number(text)) << text;
  for (const auto& [name, read] : kReaders) {
    const std::optional<double> number = read(text);
    ASSERT_EQ(number.has_value(), std::isfinite(expected)) << name << " " << text;
    if (number) {
      ASSERT_EQ(*number, expected) << name << " " << text;
      ASSERT_EQ(std::signbit(*number), std::signbit(expected)) << name << " " << text;
    }
  }
}

std::string zeros(std::size_t count) {
  return std::string(count, '0');
}

TEST(NumberText, IsTheNearestDoubleInEverySpelling) {
  for (const std::string& text : {std::string("1e-400"),
                                  "0." + zeros(350) + "1",
                                  "-0." + zeros(350) + "1",
                                  std::string("-1e-400"),
                                  std::string("2e-324"),
                                  std::string("3e-324"),
                                  "0." + zeros(323) + "3",
                                  std::string("4.9e-324"),
                                  std::string("2.2250738585072011e-308"),
                                  std::string("1e400"),
                                  "1" + zeros(400),
                                  "-1" + zeros(400) + ".5",
                                  "0." + zeros(350) + "1e360",
                                  "1" + zeros(400) + "e-400",
                                  "1" + zeros(400) + "e-900",
                                  "0." + zeros(500) + "1e1000",
                                  std::string("1.7976931348623157e308"),
                                  std::string("1.7976931348623159e308"),
                                  "17976931348623157" + zeros(292),
                                  std::string("0e999999999999999999999"),
                                  std::string("1e-999999999999999999999"),
                                  std::string("1e+999999999999999999999"),
                                  zeros(1) + "." + zeros(400),
                                  "-0." + zeros(30) + "e400"}) {
    expect_as_strtod(text);
  }
}

TEST(NumberText, AgreesWithStrtodOnRandomDecimals) {
  std::mt19937_64 random(20);
  const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  const auto digits = [&](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      text += static_cast<char>('0' + below(10));
    }
    return text;
  };
  for (int round = 0; round < 20'000; ++round) {
    const std::string sign = below(4) == 0 ? "-" : "";
    const std::string significant = std::to_string(1 + below(9)) + digits(below(below(8) == 0 ? 60 : 18));
    // The same number, or one nearby, without an exponent and with one.
    const std::size_t places = below(4) == 0 ? 300 + below(60) : below(40);
    const bool is_small = below(2) == 0;
    const std::string plain = is_small ? "0." + zeros(places) + significant : significant + zeros(places);
    expect_as_strtod(sign + plain);
    const std::string shifted = significant.size() > 1 ? significant.substr(0, 1) + "." + significant.substr(1) : significant;
    expect_as_strtod(fmt::format("{}{}{}{}{}", sign, shifted, below(2) == 0 ? "e" : "E",
                                 is_small ? "-" : (below(2) == 0 ? "+" : ""), places + below(3)));
    expect_as_strtod(fmt::format("{}{}e{}{}", sign, plain, is_small ? "" : "-", below(800)));
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST(NumberText, TellsTheFormOfJsonFromAllElse) {
  for (const char* const text : {"0", "-0", "12", "1.5", "-1.50", "1e5", "1E-5", "0.0", "1e999", "1e-999"}) {
    EXPECT_TRUE(is_json_number(text)) << text;
  }
  for (const char* const text : {"", "-", "+1", "01", ".5", "1.", "1e", "0x1", "nan", "inf", "1 ", "1,5", "1e+", "--1"}) {
    EXPECT_FALSE(is_json_number(text)) << text;
  }
  EXPECT_EQ(read_number("12 apples").size, 2U);
  EXPECT_EQ(read_number("1e999x").size, 5U);
  EXPECT_EQ(read_number("apples").size, 0U);
  EXPECT_EQ(read_number("").size, 0U);
  EXPECT_FALSE(read_number("inf").is_too_large);
}

TEST(NumberText, FindsWhatIsTooLargeOutsideTexts) {
  EXPECT_EQ(first_too_large(R"({"a":[1,{"1e999":"1e999 \" 1e999"}],"b":-1e998})"), "-1e998");
  EXPECT_EQ(first_too_large("[1," + std::string("1") + zeros(400) + "]"), "1" + zeros(400));
  for (const char* const json : {"", "[]", "1e-999", R"("1e999)", R"("\)", "[1e99999x", "[1e999.5]", "01e999", "-", "1e308"}) {
    EXPECT_EQ(first_too_large(json), json == std::string_view("[1e99999x") ? "1e99999" : "") << json;
  }
}

}  // namespace
}  // namespace verilabel
