#include "verilabel/text/vocabulary.h"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

std::uint64_t child_key(ByteTrie::Node node, char byte) {
  return std::uint64_t{node} << 8 | static_cast<unsigned char>(byte);
}

}  // namespace

Vocabulary::Vocabulary(const Entries& entries) {
  std::size_t bytes = 0;
  for (const auto& [token, id] : entries) {
    bytes += token.size();
  }
  bytes_.reserve(bytes);
  ids_.reserve(entries.size());
  by_id_.reserve(entries.size());
  for (const auto& [token, id] : entries) {
    const char* const begin = bytes_.data() + bytes_.size();
    bytes_.insert(bytes_.end(), token.begin(), token.end());
    const std::string_view kept(begin, token.size());
    if (!ids_.emplace(kept, id).second) {
      throw Error(ErrorCode::bad_data, fmt::format("the vocabulary holds the token '{}' twice", printable(token)));
    }
    by_id_.emplace_back(id, kept);
  }
  std::ranges::sort(by_id_);
  const auto same_id = std::ranges::adjacent_find(by_id_, {}, &std::pair<std::uint32_t, std::string_view>::first);
  if (same_id != by_id_.end()) {
    throw Error(ErrorCode::bad_data, fmt::format("the vocabulary gives the id {} to '{}' and to '{}'", same_id->first,
                                                 printable(same_id->second), printable(std::next(same_id)->second)));
  }
}

std::optional<std::uint32_t> Vocabulary::id_of(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string_view> Vocabulary::token_of(std::uint32_t id) const {
  if (id < by_id_.size() && by_id_[id].first == id) {  // the usual case of no gaps
    return by_id_[id].second;
  }
  const auto found = std::ranges::lower_bound(by_id_, id, {}, &std::pair<std::uint32_t, std::string_view>::first);
  return found == by_id_.end() || found->first != id ? std::nullopt : std::optional(found->second);
}

ByteTokens::ByteTokens(const Vocabulary& vocabulary) {
  for (std::size_t byte = 0; byte < ids_.size(); ++byte) {
    ids_[byte] = vocabulary.id_of(fmt::format("<0x{:02X}>", byte));
  }
}

std::optional<std::vector<std::uint32_t>> ByteTokens::ids_of(std::string_view bytes) const {
  std::vector<std::uint32_t> ids;
  for (const char byte : bytes) {
    const auto id = ids_[static_cast<unsigned char>(byte)];
    if (!id) {
      return {};
    }
    ids.push_back(*id);
  }
  return ids;
}

void NumberMap::reserve(std::size_t count) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * count, 16));
  if (size <= table_.size()) {
    return;
  }
  const auto old = std::exchange(table_, std::vector(size, std::pair(kNone, kNone)));
  for (const auto& entry : old) {
    if (entry.first != kNone) {
      table_[place_of(entry.first)] = entry;
    }
  }
}

std::size_t NumberMap::place_of(std::uint64_t key) const {
  const std::size_t mask = table_.size() - 1;
  // Fibonacci hashing: the high bits of the product depend on all bits of the key.
  std::size_t place = (key * 0x9E3779B97F4A7C15) >> 20 & mask;
  while (table_[place].first != key && table_[place].first != kNone) {
    place = (place + 1) & mask;
  }
  return place;
}

std::uint64_t NumberMap::insert(std::uint64_t key, std::uint64_t value, bool replaces) {
  if (2 * (count_ + 1) > table_.size()) {
    reserve(2 * count_ + 8);
  }
  auto& entry = table_[place_of(key)];
  if (entry.first == kNone) {
    entry = {key, value};
    ++count_;
  } else if (replaces) {
    entry.second = value;
  }
  return entry.second;
}

std::uint64_t NumberMap::find(std::uint64_t key) const {
  return table_.empty() ? kNone : table_[place_of(key)].second;
}

void ByteTrie::insert(std::string_view text, std::uint32_t value) {
  Node node = kRoot;
  for (const char byte : text) {
    const auto fresh = static_cast<Node>(values_.size());
    node = static_cast<Node>(children_.insert(child_key(node, byte), fresh, false));
    if (node == fresh) {
      values_.push_back(kNoValue);
    }
  }
  values_[node] = value;
}

std::optional<ByteTrie::Node> ByteTrie::next(Node node, char byte) const {
  const std::uint64_t child = children_.find(child_key(node, byte));
  return child == NumberMap::kNone ? std::nullopt : std::optional(static_cast<Node>(child));
}

std::optional<ByteTrie::Node> ByteTrie::walk(Node node, std::string_view bytes) const {
  for (const char byte : bytes) {
    const auto child = next(node, byte);
    if (!child) {
      return {};
    }
    node = *child;
  }
  return node;
}

}  // namespace verilabel
