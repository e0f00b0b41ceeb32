#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/xml_stream.h"

// Writing XML. Private to the module.
namespace verilabel {

/// Whether XML 1.0 can hold these bytes: UTF-8 without control characters other than tab and line ends, and without U+FFFE and
/// U+FFFF.
bool is_xml_text(std::string_view bytes);

/// Writes one UTF-8 document front to back into a string that the caller may empty in between. Elements stand on lines of their
/// own, indented. What XML cannot hold is written as `\xNN` for each byte, so that the file is good; `is_xml_text` tells before.
class XmlWriter {
 public:
  explicit XmlWriter(std::string& out) : out_(out) {}

  XmlWriter& open(std::string_view name);
  /// After `open`, before anything else.
  XmlWriter& attribute(std::string_view name, std::string_view value);
  XmlWriter& text(std::string_view content);
  XmlWriter& close();
  /// An element that holds this text only.
  XmlWriter& element(std::string_view name, std::string_view content) { return open(name).text(content).close(); }
  /// An element as it was read.
  XmlWriter& element(const XmlElement& tree);

 private:
  void finish_tag();

  struct Level {
    std::string name;
    bool has_text = false;
    bool has_children = false;
  };

  std::string& out_;
  std::vector<Level> open_;
  bool is_tag_open_ = false;
};

}  // namespace verilabel
