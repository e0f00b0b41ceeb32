#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// A pattern for whole texts: `*` stands for any characters, `/` included, or none; `?` for one character (a UTF-8 sequence, or a
/// single byte that belongs to none). Everything else stands for itself; upper and lower case differ.
class Glob {
 public:
  /// `is_literal` has a byte for each of `pattern`, not 0 where `*` or `?` stands for itself; shorter means 0 for the rest.
  explicit Glob(std::string_view pattern, std::string_view is_literal = {});

  /// Takes at most the product of both lengths, usually their sum.
  bool matches(std::string_view text) const { return has_any_character_ ? matches_elements(text) : matches_pieces(text); }
  /// Whether it holds neither `*` nor `?`: it then matches exactly the pattern.
  bool has_no_wildcard() const { return pieces_.size() == 1 && !has_any_character_; }

 private:
  bool matches_pieces(std::string_view text) const;
  bool matches_elements(std::string_view text) const;

  std::vector<std::string> pieces_;      // what stands between the `*`; only without `?`
  std::vector<std::uint16_t> elements_;  // a byte, or one of two values beyond bytes
  std::size_t shortest_match_ = 0;       // in bytes
  bool has_any_character_ = false;
};

}  // namespace verilabel
