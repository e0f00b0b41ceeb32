#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

// Private to the module.

namespace verilabel {

/// The tokens of a model and their ids. Ids may have gaps.
class Vocabulary {
 public:
  using Entries = std::vector<std::pair<std::string, std::uint32_t>>;

  /// Throws `bad_data` for a token or an id that occurs twice.
  explicit Vocabulary(const Entries& entries);
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  ~Vocabulary() = default;

  std::size_t size() const { return by_id_.size(); }
  std::optional<std::uint32_t> id_of(std::string_view token) const;
  std::optional<std::string_view> token_of(std::uint32_t id) const;
  /// (id, token) in ascending order of ids.
  const std::vector<std::pair<std::uint32_t, std::string_view>>& by_id() const { return by_id_; }

 private:
  std::vector<char> bytes_;  // of all tokens
  std::unordered_map<std::string_view, std::uint32_t> ids_;
  std::vector<std::pair<std::uint32_t, std::string_view>> by_id_;
};

/// The ids of the tokens <0x00> to <0xFF>, as far as there are any.
class ByteTokens {
 public:
  explicit ByteTokens(const Vocabulary& vocabulary);
  /// One id a byte, or nothing when one of them has none.
  std::optional<std::vector<std::uint32_t>> ids_of(std::string_view bytes) const;

 private:
  std::array<std::optional<std::uint32_t>, 256> ids_;
};

/// A map from numbers to numbers that is filled once: a table with room for twice as many, entries in the first free place from
/// their hash on.
class NumberMap {
 public:
  static constexpr std::uint64_t kNone = UINT64_MAX;  // neither a key nor a value

  void reserve(std::size_t count);
  /// The value that the key now has: the new one, unless it had one already and `replaces` is false.
  std::uint64_t insert(std::uint64_t key, std::uint64_t value, bool replaces);
  /// `kNone` when the key is not there.
  std::uint64_t find(std::uint64_t key) const;

 private:
  std::size_t place_of(std::uint64_t key) const;

  std::vector<std::pair<std::uint64_t, std::uint64_t>> table_;
  std::size_t count_ = 0;
};

/// Texts by their bytes, each with a number, for finding those with which another text begins.
class ByteTrie {
 public:
  using Node = std::uint32_t;
  static constexpr Node kRoot = 0;
  static constexpr std::uint32_t kNoValue = UINT32_MAX;

  /// A text that was there takes the new value.
  void insert(std::string_view text, std::uint32_t value);
  /// The node that the byte leads to; nothing when no text goes on like that.
  std::optional<Node> next(Node node, char byte) const;
  std::optional<Node> walk(Node node, std::string_view bytes) const;
  /// Of the text that ends at the node; `kNoValue` when none does.
  std::uint32_t value(Node node) const { return values_[node]; }
  bool empty() const { return values_.size() == 1 && values_[0] == kNoValue; }

 private:
  std::vector<std::uint32_t> values_ = {kNoValue};
  NumberMap children_;
};

}  // namespace verilabel
