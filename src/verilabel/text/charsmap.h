#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/text/unicode.h"

// Private to the module.

namespace verilabel {

/// The table of replacements that SentencePiece compiles into a model: the size of a double-array trie in bytes, the trie (32-bit
/// units, little endian, as of the Darts-clone library), and the replacements as UTF-8, each ended by a zero byte.
class Charsmap {
 public:
  /// Throws `bad_data` when the sizes do not fit or the replacements are not UTF-8.
  static Charsmap from_bytes(std::span<const std::uint8_t> bytes);

  /// What becomes of a text, grapheme by grapheme where those are short, else character by character; nothing when it stays. As in
  /// `tokenizers`, and unlike in SentencePiece, a grapheme is replaced by what its shortest beginning in the table is replaced by.
  /// Throws `bad_data` when the table leads outside itself.
  std::optional<std::vector<unicode::Change>> changes_of(std::string_view text) const;

 private:
  std::optional<std::string_view> replacement_of(std::string_view chunk) const;
  std::string_view replacement_at(std::size_t begin) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace verilabel
