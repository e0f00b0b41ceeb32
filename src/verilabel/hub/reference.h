#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace verilabel {

inline constexpr std::string_view kDefaultRevision = "main";

/// A repository of the hub: "org/name".
struct RepositoryId {
  std::string text;

  friend bool operator==(const RepositoryId&, const RepositoryId&) = default;
};

/// What names a model on the hub: ORG/NAME[@REVISION][/FILE.onnx].
struct HubReference {
  RepositoryId repository;
  std::string revision{kDefaultRevision};  ///< branch, tag, refs/pr/N or commit
  std::string file;                        ///< a graph within the repository; empty for the one that the repository suggests

  /// "org/name@revision/file.onnx", the revision left out when it is the default.
  std::string text() const;
};

/// Nothing for text that names no repository: other than one slash in front of the revision, characters that the hub does not take
/// in names, a revision that git does not take. A FILE needs a revision without slashes. Text with one slash that ends in .onnx is
/// the path of a file.
std::optional<HubReference> parse_hub_reference(std::string_view text);

/// Whether it is a whole commit: 40 hexadecimal digits in lower case.
bool is_commit(std::string_view revision);

/// Whether a path of a repository stays within the folder that it is put into, and is safe to print: relative, no empty part, no
/// "." and "..", also when backslashes count as slashes, UTF-8 without control characters.
bool is_safe_repository_path(std::string_view path);

/// Text as part of a URL's path: all but unreserved characters (RFC 3986) as %XX, slashes too unless they are kept.
std::string percent_encoded(std::string_view text, bool keeps_slashes);

}  // namespace verilabel
