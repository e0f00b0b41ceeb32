#include "verilabel/workflow/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/base64.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kDataOpens = R"(<script id="document" type="application/json">)";

/// What stands between `open` and the next `close`, which ends an element as HTML parsers see it.
std::string between(const std::string& page, std::string_view open, std::string_view close) {
  const std::size_t from = page.find(open);
  if (from == std::string::npos) {
    return "nothing opens";
  }
  const std::size_t start = from + open.size();
  return page.substr(start, page.find(close, start) - start);
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

std::vector<std::uint8_t> from_hex(std::string_view digits) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TEST(ReportPage, HoldsTheDocumentWhateverItsNames) {
  const nlohmann::json document = {
      {"</script><script>alert(1)</script>", 1},
      {"<!--<script>", "--> ]]> &lt; &amp;"},
      {"line\u2028paragraph\u2029end", "\"quoted\" \\ back\\u003cslash"},
      {"{{script}} {{document}}", "😀 Zürich \u2027 \u202a"},
  };
  const std::string page = report_page(document.dump());
  const std::string embedded = between(page, kDataOpens, "</script");
  EXPECT_EQ(nlohmann::json::parse(embedded), document);
  for (const char* loose : {"<", ">", "&", "\u2028", "\u2029"}) {
    EXPECT_THAT(embedded, Not(HasSubstr(loose)));
  }
}

TEST(ReportPage, HasTheSameElementsWhateverTheDocument) {
  const std::string plain = report_page("{}");
  const std::string hostile = report_page(R"({"</SCRIPT ><script>": "</style><!-- <script>"})");
  for (const char* part : {"<script", "</script", "<style", "</style", "<!--"}) {
    EXPECT_EQ(count_of(hostile, part), count_of(plain, part)) << part;
  }
  EXPECT_EQ(count_of(plain, "<script"), 2U);
  EXPECT_EQ(count_of(plain, "</script"), 2U);
  EXPECT_EQ(count_of(plain, "<style"), 1U);
  EXPECT_EQ(count_of(plain, "</style"), 1U);
  EXPECT_EQ(count_of(plain, "{{"), 0U) << "a place of the template that nothing fills";
}

TEST(ReportPage, AllowsItsOwnScriptAndStyleOnly) {
  const std::string page = report_page("{}");
  const std::string policy = between(page, R"(http-equiv="Content-Security-Policy" content=")", "\"");
  EXPECT_THAT(policy, HasSubstr("default-src 'none';"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  const auto hash_of = [](const std::string& content) {
    return "'sha256-" + base64_from_bytes(from_hex(sha256_of(content))) + "'";
  };
  EXPECT_THAT(policy, HasSubstr("script-src " + hash_of(between(page, "<script>", "</script>")) + ";"));
  EXPECT_THAT(policy, HasSubstr("style-src " + hash_of(between(page, "<style>", "</style>")) + ";"));
}

TEST(ReportPage, NamesNoPlaceInANetwork) {
  std::string page = report_page("{}");
  // The name of SVG's namespace is a name, not a place.
  constexpr std::string_view kNamespace = "http://www.w3.org/2000/svg";
  ASSERT_EQ(count_of(page, kNamespace), 1U);
  page.erase(page.find(kNamespace), kNamespace.size());
  for (const char* part : {"http:", "https:", "//cdn", "@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "src=\""}) {
    EXPECT_THAT(page, Not(HasSubstr(part)));
  }
}

}  // namespace
}  // namespace verilabel
