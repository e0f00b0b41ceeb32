#include "verilabel/formats/xml_stream.h"

#include <algorithm>
#include <deque>
#include <exception>
#include <utility>

#include <expat.h>
#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/input_file.h"

namespace verilabel {
namespace {

constexpr std::size_t kFirstChunkBytes = std::size_t{64} << 10;
constexpr std::size_t kLastChunkBytes = std::size_t{16} << 20;
constexpr std::string_view kSpace = " \t\r\n";

}  // namespace

std::optional<std::string_view> attribute_of(const XmlElement& element, std::string_view name) {
  const auto at = std::find_if(element.attributes.begin(), element.attributes.end(),
                               [&](const auto& attribute) { return attribute.first == name; });
  return at == element.attributes.end() ? std::nullopt : std::optional<std::string_view>(at->second);
}

const XmlElement* child_of(const XmlElement& element, std::string_view name) {
  const auto at =
      std::find_if(element.children.begin(), element.children.end(), [&](const XmlElement& child) { return child.name == name; });
  return at == element.children.end() ? nullptr : &*at;
}

std::string_view trimmed_xml(std::string_view text) {
  const auto first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? std::string_view() : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

struct XmlStream::Implementation {
  Implementation(Read take, std::string file) : read(std::move(take)), name(std::move(file)), parser(XML_ParserCreate(nullptr)) {
    if (parser == nullptr) {
      throw std::bad_alloc();
    }
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &on_start, &on_end);
    XML_SetCharacterDataHandler(parser, &on_text);
    XML_SetCommentHandler(parser, &on_comment);
    XML_SetProcessingInstructionHandler(parser, &on_instruction);
    XML_SetEntityDeclHandler(parser, &on_entity);
    XML_SetStartDoctypeDeclHandler(parser, &on_doctype);
    XML_SetExternalEntityRefHandler(parser, &on_external);
    XML_SetSkippedEntityHandler(parser, &on_skipped_entity);
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() { XML_ParserFree(parser); }

  // Exceptions must not pass through the frames of a C library: they wait until it has returned.
  template <typename Action>
  void guarded(Action&& action) noexcept {
    if (failure) {
      return;
    }
    note_progress();
    try {
      action();
    } catch (...) {
      failure = std::current_exception();
      XML_StopParser(parser, XML_FALSE);
    }
  }

  void note_progress() { reached_bytes = static_cast<std::uint64_t>(std::max<XML_Index>(0, XML_GetCurrentByteIndex(parser))); }

  static Implementation& of(void* user) { return *static_cast<Implementation*>(user); }

  static void XMLCALL on_start(void* user, const XML_Char* element, const XML_Char** attributes) {
    Implementation& self = of(user);
    self.guarded([&] { self.start(element, attributes); });
  }
  static void XMLCALL on_end(void* user, const XML_Char*) {
    Implementation& self = of(user);
    self.guarded([&] { self.end(); });
  }
  static void XMLCALL on_text(void* user, const XML_Char* text, int size) {
    Implementation& self = of(user);
    self.guarded([&] { self.text({text, static_cast<std::size_t>(size)}); });
  }
  static void XMLCALL on_comment(void* user, const XML_Char*) { of(user).note_progress(); }
  static void XMLCALL on_instruction(void* user, const XML_Char*, const XML_Char*) { of(user).note_progress(); }
  static void XMLCALL on_entity(void* user, const XML_Char* entity, int, const XML_Char*, int, const XML_Char*, const XML_Char*,
                                const XML_Char*, const XML_Char*) {
    Implementation& self = of(user);
    self.guarded([&] {
      throw self.fault(
          fmt::format("the file declares the entity `{}`, and entities are not expanded: they can make a small file "
                      "fill the memory; write its text where it is used and remove the declaration",
                      entity));
    });
  }
  static void XMLCALL on_doctype(void* user, const XML_Char*, const XML_Char* system_id, const XML_Char* public_id, int) {
    Implementation& self = of(user);
    if (system_id != nullptr || public_id != nullptr) {
      self.guarded([&] {
        throw self.fault("the DOCTYPE refers to something outside the file, which is never read; remove the DOCTYPE line");
      });
    }
  }
  static int XMLCALL on_external(XML_Parser parser, const XML_Char*, const XML_Char*, const XML_Char*, const XML_Char*) {
    Implementation& self = of(XML_GetUserData(parser));
    self.guarded([&] { throw self.fault("the file refers to an external entity, which is never read; remove the reference"); });
    return XML_STATUS_ERROR;
  }
  static void XMLCALL on_skipped_entity(void* user, const XML_Char* entity, int) {
    Implementation& self = of(user);
    self.guarded([&] { throw self.fault(fmt::format("the entity `{}` is not declared in the file; write its text", entity)); });
  }

  void start(const XML_Char* element, const XML_Char** attributes) {
    if (static_cast<int>(depth) >= kMaxDepth) {
      throw fault(fmt::format("elements stand in each other more than {} deep, which no labels file needs", kMaxDepth));
    }
    ++depth;
    if (is_passing_over()) {
      return;
    }
    XmlElement opened;
    opened.name = element;
    opened.line = XML_GetCurrentLineNumber(parser);
    std::size_t bytes = sizeof(XmlElement) + opened.name.size();
    for (const XML_Char** at = attributes; *at != nullptr; at += 2) {
      opened.attributes.emplace_back(at[0], at[1]);
      bytes += sizeof(opened.attributes.front()) + opened.attributes.back().first.size() + opened.attributes.back().second.size();
    }
    if (depth == 1) {
      root_element = std::move(opened);
      return;
    }
    if (depth == 2) {
      element_bytes = 0;
    }
    open.push_back(std::move(opened));
    take(bytes);
  }

  void end() {
    if (depth == 1 || (is_passing_over() && depth > 2)) {
      --depth;
      return;
    }
    XmlElement closed = std::move(open.back());
    open.pop_back();
    if (!closed.children.empty() && trimmed_xml(closed.text).empty()) {
      closed.text.clear();
    }
    if (depth == 2) {
      done.push_back(std::move(closed));
    } else {
      open.back().children.push_back(std::move(closed));
    }
    --depth;
  }

  void text(std::string_view more) {
    if (!open.empty() && !is_passing_over()) {
      open.back().text += more;
      take(more.size());
    }
  }

  /// One that outgrows its bound loses its content, and what else it holds is passed over.
  void take(std::size_t bytes) {
    element_bytes += bytes;
    if (element_bytes > kMaxElementBytes) {
      open.resize(1);
      open.front().children.clear();
      open.front().text.clear();
      open.front().is_too_large = true;
    }
  }

  bool is_passing_over() const { return !open.empty() && open.front().is_too_large; }

  Error fault(std::string message) const {
    return {ErrorCode::bad_data,
            std::move(message),
            {{"file", name},
             {"line", std::to_string(XML_GetCurrentLineNumber(parser))},
             {"column", std::to_string(XML_GetCurrentColumnNumber(parser) + 1)}}};
  }

  Error syntax_fault() const {
    switch (const XML_Error code = XML_GetErrorCode(parser)) {
      case XML_ERROR_NO_ELEMENTS:
        return fault("the file is cut off, or empty: it ends before its first element does");
      case XML_ERROR_UNCLOSED_TOKEN:
      case XML_ERROR_PARTIAL_CHAR:
      case XML_ERROR_UNCLOSED_CDATA_SECTION:
        return fault("the file is cut off: it ends inside a tag or a text");
      case XML_ERROR_UNKNOWN_ENCODING:
      case XML_ERROR_INCORRECT_ENCODING:
        return fault(
            "the encoding that the file names is not known, or is not the one it has; save it as UTF-8 (UTF-16, ISO-8859-1 "
            "and US-ASCII are read too)");
      default:
        return fault(fmt::format("this is not well-formed XML: {}", XML_ErrorString(code)));
    }
  }

  /// Parses the next bytes. Does nothing at the end.
  void parse_more() {
    if (is_at_end || failure) {
      return;
    }
    void* const buffer = XML_GetBuffer(parser, static_cast<int>(chunk_bytes));
    if (buffer == nullptr) {
      throw std::bad_alloc();
    }
    const std::size_t got = read(static_cast<char*>(buffer), chunk_bytes);
    fed_bytes += got;
    is_at_end = got == 0;
    const bool is_good = XML_ParseBuffer(parser, static_cast<int>(got), is_at_end ? XML_TRUE : XML_FALSE) == XML_STATUS_OK;
    if (failure) {
      return;
    }
    if (!is_good) {
      failure = std::make_exception_ptr(syntax_fault());
      return;
    }
    // A tag or a text that is not whole is looked at again with the next bytes: more of them at a time keep that from becoming
    // quadratic. How far the parser has come is noted in its calls, because in between its own answer differs by version.
    const std::uint64_t unfinished = fed_bytes - std::min(fed_bytes, reached_bytes);
    chunk_bytes = unfinished >= chunk_bytes ? std::min(2 * chunk_bytes, kLastChunkBytes) : kFirstChunkBytes;
    if (unfinished > kMaxElementBytes + kLastChunkBytes) {
      failure = std::make_exception_ptr(fault("a single tag is larger than 64 MB, which no labels file needs"));
    }
  }

  Read read;
  std::string name;
  XML_Parser parser;
  std::exception_ptr failure;
  std::optional<XmlElement> root_element;
  std::vector<XmlElement> open;  // below the root, outermost first
  std::deque<XmlElement> done;   // at most those of one chunk
  std::size_t depth = 0;
  std::size_t element_bytes = 0;
  std::size_t chunk_bytes = kFirstChunkBytes;
  std::uint64_t fed_bytes = 0;
  std::uint64_t reached_bytes = 0;  // where the last thing began that the parser has told of
  bool is_at_end = false;
};

XmlStream::XmlStream(const std::filesystem::path& file)
    : XmlStream([opened = std::make_shared<InputFile>(file)](char* buffer, std::size_t size) { return opened->read(buffer, size); },
                printable(file.native())) {}

XmlStream::XmlStream(Read read, std::string name)
    : implementation_(std::make_unique<Implementation>(std::move(read), std::move(name))) {}

XmlStream::~XmlStream() = default;

const XmlElement& XmlStream::root() {
  Implementation& self = *implementation_;
  while (!self.root_element) {
    if (self.failure) {
      std::rethrow_exception(self.failure);
    }
    self.parse_more();
  }
  return *self.root_element;
}

std::optional<XmlElement> XmlStream::next() {
  Implementation& self = *implementation_;
  while (self.done.empty()) {
    if (self.failure) {
      std::rethrow_exception(self.failure);
    }
    if (self.is_at_end) {
      return std::nullopt;
    }
    self.parse_more();
  }
  XmlElement element = std::move(self.done.front());
  self.done.pop_front();
  return element;
}

std::uint64_t XmlStream::bytes_consumed() const {
  return implementation_->fed_bytes;
}

}  // namespace verilabel
