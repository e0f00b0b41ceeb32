#include "verilabel/models/python_literal.h"

#include <charconv>
#include <cstdint>
#include <map>
#include <set>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

void append_utf8(std::string& out, std::uint32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | (code_point >> 6));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | (code_point >> 12));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code_point >> 18));
    out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<std::string> parse() {
    const char open = next();
    if (open != '{' && open != '[') {
      fail("{ or [");
    }
    const char close = open == '{' ? '}' : ']';
    std::map<std::int64_t, std::string> names;
    for (std::int64_t place = 0; peek() != close; ++place) {
      std::int64_t key = place;
      if (open == '{') {
        key = integer();
        expect(':');
      }
      if (!names.emplace(key, string()).second) {
        fail("a number that occurs once");
      }
      if (peek() == ',') {
        next();
      } else if (peek() != close) {
        fail("a comma");
      }
    }
    next();
    if (peek() != '\0') {
      fail("the end");
    }
    if (names.empty()) {
      throw Error(ErrorCode::bad_model, "the graph's metadata has an empty list of class names");
    }
    std::vector<std::string> ordered;
    for (auto& [key, name] : names) {
      if (key != static_cast<std::int64_t>(ordered.size())) {
        throw Error(ErrorCode::bad_model, fmt::format("the graph's metadata names no class {}", ordered.size()));
      }
      ordered.push_back(std::move(name));
    }
    return ordered;
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    throw Error(
        ErrorCode::bad_model,
        fmt::format("the class names in the graph's metadata cannot be read: {} was expected at character {}", expected, at_ + 1),
        {{"names", std::string(text_.substr(0, 200))}});
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  char peek() {
    skip_blanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  char next() {
    const char c = peek();
    if (c == '\0') {
      fail("more text");
    }
    ++at_;
    return c;
  }

  void expect(char wanted) {
    if (peek() != wanted) {
      fail(std::string(1, wanted));
    }
    ++at_;
  }

  std::int64_t integer() {
    skip_blanks();
    std::int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, failure] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (failure != std::errc{}) {
      fail("a number");
    }
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  std::uint32_t code_point(std::size_t digits) {
    const std::uint32_t value = hexadecimal(digits);
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
      fail("a character's number");
    }
    return value;
  }

  std::uint32_t hexadecimal(std::size_t digits) {
    std::uint32_t value = 0;
    const char* begin = text_.data() + at_;
    if (text_.size() - at_ < digits) {
      fail("a hexadecimal number");
    }
    const auto [end, failure] = std::from_chars(begin, begin + digits, value, 16);
    if (failure != std::errc{} || end != begin + digits) {
      fail("a hexadecimal number");
    }
    at_ += digits;
    return value;
  }

  std::string string() {
    const char quote = next();
    if (quote != '\'' && quote != '"') {
      fail("a quoted name");
    }
    std::string out;
    for (;;) {
      if (at_ >= text_.size()) {
        fail("the closing quote");
      }
      const char c = text_[at_++];
      if (c == quote) {
        return out;
      }
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ >= text_.size()) {
        fail("an escape");
      }
      const char escape = text_[at_++];
      switch (escape) {
        case '\\':
        case '\'':
        case '"':
          out += escape;
          break;
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case 'x':
          append_utf8(out, code_point(2));
          break;
        case 'u':
          append_utf8(out, code_point(4));
          break;
        case 'U':
          append_utf8(out, code_point(8));
          break;
        default:
          fail("an escape that Python writes");
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::string> class_names_from_python(std::string_view text) {
  if (!is_utf8(text)) {
    throw Error(ErrorCode::bad_model, "the class names in the graph's metadata are not UTF-8",
                {{"names", printable(text.substr(0, 200))}});
  }
  std::vector<std::string> names = Parser(text).parse();
  std::set<std::string_view> known;
  for (const std::string& name : names) {
    if (!known.insert(name).second || (name.empty() && names.size() == 1)) {
      throw Error(ErrorCode::bad_model, fmt::format("the graph's metadata has {}; give class_names in a manifest",
                                                    names.size() == 1 ? "a class without a name"
                                                                      : fmt::format("two classes that are called '{}'", name)));
    }
  }
  return names;
}

}  // namespace verilabel
