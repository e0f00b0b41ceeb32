#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "verilabel/formats/xml_stream.h"

// Parts of XML files inside a `source_json`, so that they can be written back. Each format keeps its own under one field named like
// the format, where other formats carry it along as they do any field that they do not know. Private to the module.
namespace verilabel {

class JsonWriter;

/// An element as `{"name": …, "attributes": {…}, "text": …, "children": […]}`, without what it has not.
void append_xml_json(JsonWriter& json, const XmlElement& element);

/// The elements of a list under the field `key` of the object, as `append_xml_json` wrote them; none for anything else.
std::vector<XmlElement> xml_elements_of(std::string_view source_json, std::string_view key);

/// The texts of an object under the field `key` of the object; none for anything else.
std::vector<std::pair<std::string, std::string>> xml_attributes_of(std::string_view source_json, std::string_view key);

/// Whether the object has fields other than these: what it came with from another format.
bool has_fields_beside(std::string_view source_json, std::span<const std::string_view> own);

}  // namespace verilabel
