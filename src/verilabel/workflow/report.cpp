#include "verilabel/workflow/report.h"

#include <cassert>
#include <charconv>
#include <cstddef>

#include "verilabel/base/base64.h"
#include "verilabel/base/file.h"

namespace verilabel {

namespace embedded {
// From the files in report/; see verilabel_embed.
std::string_view page_html();
std::string_view page_css();
std::string_view page_js();
}  // namespace embedded

namespace {

/// JSON that may stand in a script element: the characters that mean something to HTML, or end a line for JavaScript, occur in JSON
/// only within strings, where an escape says the same.
std::string escaped_for_script(std::string_view json) {
  std::string text;
  text.reserve(json.size() + json.size() / 64);
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string_view separator = json.substr(i, 3);
    if (json[i] == '<') {
      text += "\\u003c";
    } else if (json[i] == '>') {
      text += "\\u003e";
    } else if (json[i] == '&') {
      text += "\\u0026";
    } else if (separator == "\xe2\x80\xa8" || separator == "\xe2\x80\xa9") {
      text += separator.back() == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      text += json[i];
    }
  }
  return text;
}

/// As a content security policy names the one script or style that it allows.
std::string policy_hash_of(std::string_view content) {
  const std::string digest = sha256_of(content);
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < digest.size(); i += 2) {
    std::uint8_t byte = 0;
    std::from_chars(digest.data() + i, digest.data() + i + 2, byte, 16);
    bytes.push_back(byte);
  }
  return "sha256-" + base64_from_bytes(bytes);
}

/// What stands in the template for `{{name}}`.
std::string content_for(std::string_view name, std::string_view document_json) {
  if (name == "style_hash") {
    return policy_hash_of(embedded::page_css());
  }
  if (name == "script_hash") {
    return policy_hash_of(embedded::page_js());
  }
  if (name == "style") {
    return std::string(embedded::page_css());
  }
  if (name == "script") {
    return std::string(embedded::page_js());
  }
  assert(name == "document");
  return escaped_for_script(document_json);
}

}  // namespace

std::string report_page(std::string_view document_json) {
  constexpr std::string_view kOpen = "{{";
  constexpr std::string_view kClose = "}}";
  std::string page;
  std::string_view rest = embedded::page_html();
  for (std::size_t open = rest.find(kOpen); open != std::string_view::npos; open = rest.find(kOpen)) {
    page += rest.substr(0, open);
    const std::size_t close = rest.find(kClose, open);
    assert(close != std::string_view::npos);
    page += content_for(rest.substr(open + kOpen.size(), close - open - kOpen.size()), document_json);
    rest.remove_prefix(close + kClose.size());
  }
  page += rest;
  return page;
}

}  // namespace verilabel
