#include "verilabel/formats/xml_stream.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/formats/testing_dataset.h"
#include "verilabel/formats/xml_json.h"
#include "verilabel/formats/xml_label.h"
#include "verilabel/formats/xml_writer.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// A reader of bytes in memory, `step` at a time.
XmlStream::Read bytes_of(std::string text, std::size_t step = SIZE_MAX) {
  return [text = std::move(text), at = std::size_t{0}, step](char* buffer, std::size_t size) mutable {
    const std::size_t got = std::min({size, step, text.size() - at});
    text.copy(buffer, got, at);
    at += got;
    return got;
  };
}

std::vector<XmlElement> children_of(XmlStream& stream) {
  std::vector<XmlElement> children;
  stream.root();
  while (std::optional<XmlElement> child = stream.next()) {
    children.push_back(std::move(*child));
  }
  return children;
}

std::vector<XmlElement> parse(const std::string& text, std::size_t step = SIZE_MAX) {
  XmlStream stream(bytes_of(text, step), "test.xml");
  return children_of(stream);
}

Error error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error for " << text.substr(0, 200);
  return {ErrorCode::internal, ""};
}

TEST(XmlStream, GivesOutTheChildrenOfTheRootAsTrees) {
  const std::string text =
      "<?xml version=\"1.0\"?>\n<!DOCTYPE a>\n<!-- c -->\n<a k='v'>\n  <b x=\"1\" y=\"&lt;&#10;\">t&amp;<c/>u</b>\n"
      "  <d>\n    <e><![CDATA[<raw>]]></e>\n  </d>\n</a>\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
    XmlStream stream(bytes_of(text, step), "test.xml");
    EXPECT_EQ(stream.root().name, "a");
    EXPECT_EQ(attribute_of(stream.root(), "k"), "v");
    EXPECT_EQ(attribute_of(stream.root(), "none"), std::nullopt);
    const std::vector<XmlElement> children = children_of(stream);
    ASSERT_EQ(children.size(), 2U);
    EXPECT_THAT(children[0].attributes, ElementsAre(Pair("x", "1"), Pair("y", "<\n")));
    EXPECT_EQ(children[0].text, "t&u");
    EXPECT_EQ(children[0].line, 5U);
    EXPECT_EQ(children[1].text, "");
    ASSERT_NE(child_of(children[1], "e"), nullptr);
    EXPECT_EQ(child_of(children[1], "e")->text, "<raw>");
    EXPECT_EQ(child_of(children[1], "e")->line, 7U);
    EXPECT_EQ(child_of(children[1], "f"), nullptr);
    EXPECT_EQ(stream.bytes_consumed(), text.size());
  }
}

TEST(XmlStream, ReadsTheEncodingsThatItNames) {
  const std::string latin = "<?xml version='1.0' encoding='ISO-8859-1'?><a><b>caf\xE9</b></a>";
  EXPECT_EQ(parse(latin).at(0).text, "café");
  EXPECT_EQ(parse("\xEF\xBB\xBF<a><b>caf\xC3\xA9</b></a>").at(0).text, "café");
  std::string wide = "\xFF\xFE";
  for (const char c : std::string("<a><b>x</b></a>")) {
    wide += c;
    wide += '\0';
  }
  EXPECT_EQ(parse(wide).at(0).text, "x");
  EXPECT_THAT(error_of("<?xml version='1.0' encoding='KOI8-R'?><a/>").message(), HasSubstr("encoding"));
  EXPECT_THAT(error_of("<a><b>caf\xE9</b></a>").message(), HasSubstr("not well-formed"));
}

TEST(XmlStream, NamesFileAndLineOfWhatIsBroken) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "1"},
      {"<a>\n<b>", "2"},
      {"<a>\n<b x='", "2"},
      {"<a>\n\n</b>", "3"},
      {"<a></a>\n<c/>", "2"},
      {"{\"images\": []}", "1"},
      {"<a>\n<b x='1' x='2'/></a>", "2"},
      {"<a>\n&nbsp;</a>", "2"},
      {std::string("<a>\n\0</a>", 9), "2"},
  };
  for (const auto& [text, line] : cases) {
    const Error error = error_of(text);
    EXPECT_EQ(error.code(), ErrorCode::bad_data) << text;
    EXPECT_THAT(error.context(), testing::Contains(Pair("file", "test.xml")));
    EXPECT_THAT(error.context(), testing::Contains(Pair("line", line))) << text << error.what();
  }
  EXPECT_THROW(XmlStream("/nowhere/at/all.xml"), Error);
}

TEST(XmlStream, GivesOutWhatStandsBeforeTheFault) {
  XmlStream stream(bytes_of("<a><b/><c/><d", 3), "test.xml");
  EXPECT_EQ(stream.next()->name, "b");
  EXPECT_EQ(stream.next()->name, "c");
  EXPECT_THROW(stream.next(), Error);
  EXPECT_THROW(stream.next(), Error);
}

TEST(XmlStream, RefusesEntitiesAndTheWorldOutside) {
  std::string bomb = "<!DOCTYPE a [<!ENTITY l0 'ha'>";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("<!ENTITY l{0} '&l{1};&l{1};&l{1};&l{1};&l{1};&l{1};&l{1};&l{1};&l{1};&l{1};'>", i, i - 1);
  }
  bomb += "]><a><b>&l9;</b></a>";
  EXPECT_THAT(error_of(bomb).message(), HasSubstr("entity `l0`"));
  EXPECT_THAT(error_of("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a><b>&x;</b></a>").message(),
              HasSubstr("entity `x`"));
  EXPECT_THAT(error_of("<!DOCTYPE a [<!ENTITY % p SYSTEM 'http://x/y'> %p;]><a/>").message(), HasSubstr("entity `p`"));
  EXPECT_THAT(error_of("<!DOCTYPE a SYSTEM 'http://x/y.dtd'><a/>").message(), HasSubstr("outside the file"));
  EXPECT_THAT(error_of("<!DOCTYPE a PUBLIC 'p' 'http://x/y.dtd'><a>&x;</a>").message(), HasSubstr("outside the file"));
  EXPECT_EQ(error_of("<!DOCTYPE a [<!ENTITY x 'y'>]><a/>").code(), ErrorCode::bad_data);
}

TEST(XmlStream, BoundsDepthAndSize) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) {
    deep += "<a>";
  }
  EXPECT_THAT(error_of(deep).message(), HasSubstr("64 deep"));
  // A million empty elements take far more than their four bytes each.
  std::string wide = "<a><b>";
  for (int i = 0; i < 1'000'000; ++i) {
    wide += "<c/>";
  }
  const std::vector<XmlElement> children = parse(wide + "</b><d>x</d></a>");
  ASSERT_EQ(children.size(), 2U);
  EXPECT_TRUE(children[0].is_too_large);
  EXPECT_EQ(children[0].children.size(), 0U);
  EXPECT_FALSE(children[1].is_too_large);
  EXPECT_EQ(children[1].text, "x");
}

TEST(XmlStream, TakesATagOfManyMegabytes) {
  const std::string points(std::size_t{20} << 20, '1');
  const std::vector<XmlElement> children = parse("<a><b points='" + points + "'/></a>");
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(children[0].attributes.at(0).second.size(), points.size());
  std::string comments;
  for (int i = 0; i < 100; ++i) {
    comments.append("<!--").append(std::size_t{1} << 20, 'c').append("-->");
  }
  EXPECT_EQ(parse("<a>" + comments + "<b/></a>").size(), 1U);
  EXPECT_THAT(error_of("<a><b points='" + std::string(std::size_t{120} << 20, '1')).message(), HasSubstr("64 MB"));
}

TEST(XmlWriter, WritesWhatReadsBackTheSame) {
  std::mt19937 random(7);
  const std::string pieces[] = {"a", "&", "<", ">", "\"", "'", "\n", "\r", "\t", " ", "]]>", "é", "東", "😀", "&#10;"};
  for (int i = 0; i < 500; ++i) {
    std::string text = "x";
    std::string attribute;
    for (unsigned n = random() % 12; n > 0; --n) {
      text += pieces[random() % std::size(pieces)];
      attribute += pieces[random() % std::size(pieces)];
    }
    ASSERT_TRUE(is_xml_text(text));
    std::string out;
    XmlWriter xml(out);
    xml.open("root").open("b").attribute("k", attribute).text(text).open("c").close().close().open("d").open("e").close().close();
    xml.close();
    const std::vector<XmlElement> children = parse(out);
    ASSERT_EQ(children.size(), 2U) << out;
    EXPECT_EQ(children[0].text, text) << out;
    EXPECT_EQ(attribute_of(children[0], "k"), attribute) << out;
    EXPECT_EQ(children[1].children.size(), 1U);
    EXPECT_EQ(children[1].text, "");
  }
}

TEST(XmlWriter, NeverBreaksTheFile) {
  for (const std::string& text : {std::string("a\0b", 3), std::string("\x01"), std::string("\xFF\xFE"), std::string("\xEF\xBF\xBF"),
                                  std::string("\xED\xA0\x80"), std::string("\xC3")}) {
    EXPECT_FALSE(is_xml_text(text));
    std::string out;
    XmlWriter(out).open("a").open("b").attribute("k", text).text(text).close().close();
    const std::vector<XmlElement> children = parse(out);
    ASSERT_EQ(children.size(), 1U);
    EXPECT_THAT(children[0].text, HasSubstr("\\x"));
    EXPECT_EQ(attribute_of(children[0], "k"), children[0].text);
  }
  std::string out;
  XmlWriter(out).open("a").element("b", std::string("a\0b\x7F", 4)).close();
  EXPECT_EQ(parse(out).at(0).text, "a\\x00b\x7F");
  EXPECT_EQ(out, "<a>\n  <b>a\\x00b\x7F</b>\n</a>\n");
}

TEST(XmlJson, KeepsElementsAsTheyWere) {
  const std::string text = "<r><part k='1'>\n <name>head</name><bndbox><xmin>1</xmin></bndbox></part><x>a&lt;\"b</x></r>";
  const std::vector<XmlElement> elements = parse(text);
  std::string json;
  JsonWriter writer(json);
  writer.begin_object().field("id", 3).key("voc").begin_array();
  for (const XmlElement& element : elements) {
    append_xml_json(writer, element);
  }
  writer.end_array().end_object();
  EXPECT_THAT(json, HasSubstr(R"({"name":"x","text":"a<\"b"})"));
  const std::vector<XmlElement> back = xml_elements_of(json, "voc");
  ASSERT_EQ(back.size(), 2U);
  std::string written;
  XmlWriter xml(written);
  xml.open("r");
  for (const XmlElement& element : back) {
    xml.element(element);
  }
  xml.close();
  EXPECT_EQ(written,
            "<r>\n  <part k=\"1\">\n    <name>head</name>\n    <bndbox>\n      <xmin>1</xmin>\n    </bndbox>\n  </part>\n"
            "  <x>a&lt;\"b</x>\n</r>\n");
  static constexpr std::string_view kOwn[] = {"voc"};
  static constexpr std::string_view kBoth[] = {"voc", "id"};
  EXPECT_TRUE(has_fields_beside(json, kOwn));
  EXPECT_FALSE(has_fields_beside(json, kBoth));
  EXPECT_FALSE(has_fields_beside("", kOwn));
  // What other files put under the name of the field must not become XML that is none.
  EXPECT_EQ(xml_elements_of(R"({"voc":[{"name":"a b"},{"name":"<"},{"name":3},7,{"name":""}]})", "voc").size(), 0U);
  EXPECT_EQ(xml_elements_of(R"({"voc":{"name":"a"}})", "voc").size(), 0U);
  EXPECT_EQ(xml_attributes_of(R"({"voc":{"a b":"1","c":2,"d":"3"}})", "voc").size(), 1U);
}

TEST(XmlLabel, SubtractsDecimalsAsTheyStand) {
  EXPECT_EQ(decimal_difference("0.1", "0.3"), 0.2);
  EXPECT_NE(0.3 - 0.1, 0.2);
  EXPECT_EQ(decimal_difference("100.1", "100.4333333333333333"), 0.3333333333333333);
  EXPECT_EQ(decimal_difference(" -5 ", "+1e2"), 105);
  EXPECT_EQ(decimal_difference("260", "491"), 231);
  EXPECT_EQ(decimal_difference("0.000", "-0"), 0);
  EXPECT_EQ(decimal_difference("1e300", "1e-300"), -1e300);
  EXPECT_EQ(decimal_difference("-1.7e308", "1.7e308"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(decimal_sum(12.34, 56.78), "69.12");
  EXPECT_EQ(decimal_sum(100.1, 1.0 / 3), "100.4333333333333333");
  EXPECT_EQ(decimal_sum(-3, 3), "0");
  EXPECT_EQ(decimal_sum(260, 231), "491");
  EXPECT_EQ(decimal_sum(1e5, 1e-5), "100000.00001");
  EXPECT_EQ(decimal_sum(-0.5, 0.25), "-0.25");
  EXPECT_EQ(decimal_sum(1e300, 1), "1e+300");
}

TEST(XmlLabel, CornersGiveBackEveryBoxOfAnImage) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> place(-100, 10000);
  std::uniform_real_distribution<double> exponent(-8, 4);
  for (int i = 0; i < 20'000; ++i) {
    const Box box{place(random), place(random), std::pow(10, exponent(random)), std::pow(10, exponent(random))};
    EXPECT_TRUE(has_corners(box)) << fmt::format("{} {} {} {}", box.x, box.y, box.w, box.h);
  }
  for (int i = 0; i < 20'000; ++i) {
    std::uniform_real_distribution<double> wide(-40, 40);
    const Box box{std::pow(10, wide(random)) / 3, 0, std::pow(10, wide(random)) / 3, 1};
    EXPECT_TRUE(has_corners(box) || box.x + box.w == box.x) << fmt::format("{} {}", box.x, box.w);
  }
  EXPECT_FALSE(has_corners({1, 1, 0, 5}));
  EXPECT_FALSE(has_corners({1, 1, 5, 0}));
  EXPECT_FALSE(has_corners({1e300, 1, 1, 5}));
  EXPECT_TRUE(has_corners({1e30, 1, 1e15 + 1.0 / 16, 5}));
}

TEST(XmlLabel, ReadsAttributesAndCollectsThem) {
  AttributeObject object;
  EXPECT_TRUE(object.add_json("a", "true"));
  EXPECT_TRUE(object.add_text("b\"\n", "x\\"));
  EXPECT_FALSE(object.add_json("a", "1"));
  const std::string json = object.take();
  EXPECT_EQ(json, "{\"a\":true,\"b\\\"\\n\":\"x\\\\\"}");
  const std::vector<LabelAttribute> attributes = label_attributes(json);
  ASSERT_EQ(attributes.size(), 2U);
  EXPECT_EQ(attributes[0].kind, LabelAttribute::Kind::boolean);
  EXPECT_EQ(attributes[1].name, "b\"\n");
  EXPECT_EQ(attributes[1].value, "x\\");
  EXPECT_EQ(AttributeObject().take(), "");
}

}  // namespace
}  // namespace verilabel
