#include "verilabel/hub/reference.h"

#include <algorithm>

#include <fmt/format.h>

#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

constexpr std::size_t kMaxRepositoryLength = 96;
constexpr std::size_t kMaxRevisionLength = 250;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_repository_part(std::string_view part) {
  const auto is_edge = [](char c) { return c == '-' || c == '.'; };
  return !part.empty() && !is_edge(part.front()) && !is_edge(part.back()) &&
         std::ranges::all_of(part, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_repository(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && text.size() <= kMaxRepositoryLength && is_repository_part(text.substr(0, slash)) &&
         is_repository_part(text.substr(slash + 1)) && text.find("--") == std::string_view::npos &&
         text.find("..") == std::string_view::npos && !text.ends_with(".git");
}

/// As `git check-ref-format` has it, by and large.
bool is_revision(std::string_view text) {
  constexpr std::string_view kRefused = " ~^:?*[\\";
  return text.size() <= kMaxRevisionLength && is_safe_repository_path(text) && text.find("..") == std::string_view::npos &&
         text.find("@{") == std::string_view::npos &&
         std::ranges::none_of(text, [&](char c) { return kRefused.find(c) != std::string_view::npos; });
}

}  // namespace

std::string HubReference::text() const {
  return fmt::format("{}{}{}{}{}", repository.text, revision == kDefaultRevision ? "" : "@",
                     revision == kDefaultRevision ? "" : revision, file.empty() ? "" : "/", file);
}

std::optional<HubReference> parse_hub_reference(std::string_view text) {
  HubReference reference;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return std::nullopt;
  }
  const bool names_file = text.ends_with(".onnx");
  const std::size_t end = std::min(text.find_first_of("/@", slash + 1), text.size());
  reference.repository.text = text.substr(0, end);
  std::string_view rest = text.substr(end);
  if (names_file && rest.empty()) {
    return std::nullopt;
  }
  if (rest.starts_with('@')) {
    rest.remove_prefix(1);
    const std::size_t revision_end = names_file ? std::min(rest.find('/'), rest.size()) : rest.size();
    reference.revision = rest.substr(0, revision_end);
    rest.remove_prefix(revision_end);
  }
  if (rest.starts_with('/')) {
    reference.file = rest.substr(1);
  }
  const bool is_file_right = names_file ? is_safe_repository_path(reference.file) : rest.empty();
  const bool is_right = is_repository(reference.repository.text) && is_revision(reference.revision) && is_file_right;
  return is_right ? std::optional(reference) : std::nullopt;
}

bool is_commit(std::string_view revision) {
  return revision.size() == 40 &&
         std::ranges::all_of(revision, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_safe_repository_path(std::string_view path) {
  if (!is_utf8(path) || std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; })) {
    return false;
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find_first_of("/\\", begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return false;
    }
    begin = end + 1;
  }
  return true;
}

std::string percent_encoded(std::string_view text, bool keeps_slashes) {
  std::string encoded;
  for (const char c : text) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keeps_slashes)) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace verilabel
