#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Reading XML one element at a time. Private to the module.
namespace verilabel {

/// An element with all that is in it. Names and texts are UTF-8.
struct XmlElement {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;  ///< in the order of the file
  std::string text;  ///< between the tags, joined around children; empty when there are children and nothing but white space
  std::vector<XmlElement> children;
  std::uint64_t line = 0;     ///< of the start tag, from 1; 0 for an element that no file holds
  bool is_too_large = false;  ///< its content was passed over because it is larger than `XmlStream::kMaxElementBytes`
};

/// The attribute's value; nothing when the element has none of this name.
std::optional<std::string_view> attribute_of(const XmlElement& element, std::string_view name);
/// The first child of this name, or null.
const XmlElement* child_of(const XmlElement& element, std::string_view name);
/// Without the white space of XML at both ends.
std::string_view trimmed_xml(std::string_view text);

/// The children of a document's root, one after the other, in memory that does not grow with the document. Entity declarations and
/// references to anything outside the file are refused, so that a small file cannot become a large one and nothing else is read.
/// Encodings are those of expat: UTF-8, UTF-16, ISO-8859-1, US-ASCII. Errors are `bad_data` with file, line and column; what stands
/// before the fault is given out first.
class XmlStream {
 public:
  /// What one child of the root may take in memory, tags and texts together.
  static constexpr std::size_t kMaxElementBytes = std::size_t{64} << 20;
  static constexpr int kMaxDepth = 64;

  /// Fills the buffer with the next bytes and says how many; 0 at the end. May throw.
  using Read = std::function<std::size_t(char* buffer, std::size_t size)>;

  /// Throws `not_found` or `io`.
  explicit XmlStream(const std::filesystem::path& file);
  /// `name` stands for the file in errors.
  XmlStream(Read read, std::string name);
  ~XmlStream();
  XmlStream(const XmlStream&) = delete;
  XmlStream& operator=(const XmlStream&) = delete;

  /// The root's name and attributes. Throws when the document has none.
  const XmlElement& root();
  /// Nothing after the last one, when the document is known to be whole.
  std::optional<XmlElement> next();

  std::uint64_t bytes_consumed() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace verilabel
