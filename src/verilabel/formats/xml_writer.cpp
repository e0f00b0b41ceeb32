#include "verilabel/formats/xml_writer.h"

#include <cassert>
#include <iterator>

#include <fmt/format.h>

#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

/// Length of the UTF-8 sequence that begins with this byte, in well-formed text.
std::size_t sequence_length(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/// Whether XML has this character, given as a whole well-formed sequence.
bool is_xml_character(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence.front());
  return first < 0x20 ? first == '\t' || first == '\n' || first == '\r' : sequence != "\xEF\xBF\xBE" && sequence != "\xEF\xBF\xBF";
}

/// The sequence at the front of `text`: of one byte when it is not well-formed.
std::string_view front_sequence(std::string_view text) {
  const std::string_view sequence = text.substr(0, sequence_length(static_cast<unsigned char>(text.front())));
  return is_utf8(sequence) ? sequence : text.substr(0, 1);
}

void append_escaped(std::string& out, std::string_view text, bool is_attribute) {
  while (!text.empty()) {
    const std::string_view sequence = front_sequence(text);
    text.remove_prefix(sequence.size());
    const char c = sequence.front();
    if (!is_utf8(sequence) || !is_xml_character(sequence)) {
      for (const char byte : sequence) {
        fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<unsigned char>(byte));
      }
    } else if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";  // needed after ]] only
    } else if (c == '"' && is_attribute) {
      out += "&quot;";
    } else if (c == '\r' || (is_attribute && (c == '\n' || c == '\t'))) {
      // A parser turns these into other white space when they stand for themselves.
      fmt::format_to(std::back_inserter(out), "&#{};", static_cast<int>(c));
    } else {
      out += sequence;
    }
  }
}

}  // namespace

bool is_xml_text(std::string_view bytes) {
  if (!is_utf8(bytes)) {
    return false;
  }
  for (; !bytes.empty(); bytes.remove_prefix(sequence_length(static_cast<unsigned char>(bytes.front())))) {
    if (!is_xml_character(front_sequence(bytes))) {
      return false;
    }
  }
  return true;
}

void XmlWriter::finish_tag() {
  if (is_tag_open_) {
    out_ += '>';
    is_tag_open_ = false;
  }
}

XmlWriter& XmlWriter::open(std::string_view name) {
  finish_tag();
  if (!open_.empty()) {
    // White space inside an element with text would become part of it.
    if (!open_.back().has_text) {
      out_ += '\n';
      out_.append(2 * open_.size(), ' ');
    }
    open_.back().has_children = true;
  }
  out_.append("<").append(name);
  open_.push_back({std::string(name)});
  is_tag_open_ = true;
  return *this;
}

XmlWriter& XmlWriter::attribute(std::string_view name, std::string_view value) {
  assert(is_tag_open_);
  out_.append(" ").append(name).append("=\"");
  append_escaped(out_, value, true);
  out_ += '"';
  return *this;
}

XmlWriter& XmlWriter::text(std::string_view content) {
  assert(!open_.empty());
  if (!content.empty()) {
    finish_tag();
    append_escaped(out_, content, false);
    open_.back().has_text = true;
  }
  return *this;
}

XmlWriter& XmlWriter::close() {
  assert(!open_.empty());
  const Level level = std::move(open_.back());
  open_.pop_back();
  if (is_tag_open_) {
    out_ += "/>";
    is_tag_open_ = false;
  } else {
    if (level.has_children && !level.has_text) {
      out_ += '\n';
      out_.append(2 * open_.size(), ' ');
    }
    out_.append("</").append(level.name).append(">");
  }
  if (open_.empty()) {
    out_ += '\n';
  }
  return *this;
}

XmlWriter& XmlWriter::element(const XmlElement& tree) {
  open(tree.name);
  for (const auto& [name, value] : tree.attributes) {
    attribute(name, value);
  }
  text(tree.text);
  for (const XmlElement& child : tree.children) {
    element(child);
  }
  return close();
}

}  // namespace verilabel
