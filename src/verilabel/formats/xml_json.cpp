#include "verilabel/formats/xml_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "verilabel/base/json_writer.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

// Key order is the order of the file.
using Json = nlohmann::ordered_json;

/// A name that XML allows without colons: what a source field holds may come from anywhere, and must not break the file.
bool is_xml_name(std::string_view name) {
  const auto is_start = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || static_cast<unsigned char>(c) >= 0x80;
  };
  return !name.empty() && is_start(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

std::vector<std::pair<std::string, std::string>> attributes_from(const Json& json) {
  std::vector<std::pair<std::string, std::string>> attributes;
  if (json.is_object()) {
    for (const auto& [name, value] : json.items()) {
      if (is_xml_name(name) && value.is_string()) {
        attributes.emplace_back(name, value.get<std::string>());
      }
    }
  }
  return attributes;
}

std::vector<XmlElement> elements_from(const Json& list) {
  std::vector<XmlElement> elements;
  if (!list.is_array()) {
    return elements;
  }
  for (const Json& json : list) {
    const auto name = json.is_object() ? json.find("name") : json.end();
    if (name == json.end() || !name->is_string() || !is_xml_name(name->get_ref<const std::string&>())) {
      continue;
    }
    XmlElement element;
    element.name = name->get<std::string>();
    element.attributes = attributes_from(json.value("attributes", Json()));
    if (const auto text = json.find("text"); text != json.end() && text->is_string()) {
      element.text = text->get<std::string>();
    }
    element.children = elements_from(json.value("children", Json()));
    elements.push_back(std::move(element));
  }
  return elements;
}

Json field_of(std::string_view source_json, std::string_view key) {
  for (const SourceField& field : source_fields(source_json)) {
    if (field.key == key) {
      Json json = Json::parse(field.json, nullptr, false);
      return json.is_discarded() ? Json() : json;
    }
  }
  return {};
}

}  // namespace

void append_xml_json(JsonWriter& json, const XmlElement& element) {
  json.begin_object().field("name", element.name);
  if (!element.attributes.empty()) {
    json.key("attributes").begin_object();
    for (const auto& [name, value] : element.attributes) {
      json.field(name, value);
    }
    json.end_object();
  }
  if (!element.text.empty()) {
    json.field("text", element.text);
  }
  if (!element.children.empty()) {
    json.key("children").begin_array();
    for (const XmlElement& child : element.children) {
      append_xml_json(json, child);
    }
    json.end_array();
  }
  json.end_object();
}

std::vector<XmlElement> xml_elements_of(std::string_view source_json, std::string_view key) {
  return elements_from(field_of(source_json, key));
}

std::vector<std::pair<std::string, std::string>> xml_attributes_of(std::string_view source_json, std::string_view key) {
  return attributes_from(field_of(source_json, key));
}

bool has_fields_beside(std::string_view source_json, std::span<const std::string_view> own) {
  const std::vector<SourceField> fields = source_fields(source_json);
  return std::any_of(fields.begin(), fields.end(),
                     [&](const SourceField& field) { return std::find(own.begin(), own.end(), field.key) == own.end(); });
}

}  // namespace verilabel
