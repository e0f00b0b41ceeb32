#include "verilabel/text/added_tokens.h"

#include <algorithm>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

struct Match {
  std::size_t begin;
  std::size_t end;
  std::uint32_t id;
};

/// The longest text of the trie that begins here.
std::optional<Match> longest_at(const ByteTrie& trie, std::string_view text, std::size_t begin) {
  std::optional<Match> longest;
  std::optional<ByteTrie::Node> node = ByteTrie::kRoot;
  for (std::size_t end = begin; end < text.size();) {
    node = trie.next(*node, text[end++]);
    if (!node) {
      break;
    }
    if (trie.value(*node) != ByteTrie::kNoValue) {
      longest = Match{begin, end, trie.value(*node)};
    }
  }
  return longest;
}

bool stands_alone(std::string_view text, const Match& match) {
  const auto is_word = [](unicode::Character character) { return unicode::has(character.code, unicode::kWord); };
  return !(match.begin > 0 && is_word(unicode::character_before(text, match.begin))) &&
         !(match.end < text.size() && is_word(unicode::character_at(text, match.end)));
}

std::size_t before_spaces(std::string_view text, std::size_t end, std::size_t limit) {
  while (end > limit) {
    const unicode::Character last = unicode::character_before(text, end);
    if (!unicode::is_white_space(last.code)) {
      break;
    }
    end -= last.size;
  }
  return end;
}

std::size_t behind_spaces(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const unicode::Character first = unicode::character_at(text, begin);
    if (!unicode::is_white_space(first.code)) {
      break;
    }
    begin += first.size;
  }
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Vocabulary& vocabulary, const std::vector<Normalizer>& normalizers) {
  std::map<std::string, std::string> content_of_form;
  for (AddedToken& token : tokens) {
    const auto refuse = [&](const std::string& why) {
      throw Error(ErrorCode::bad_data, fmt::format("the added token '{}' of id {} {}", printable(token.content), token.id, why));
    };
    if (token.content.empty()) {
      refuse("is empty");
    }
    const auto vocabulary_id = vocabulary.id_of(token.content);
    if (vocabulary_id && *vocabulary_id != token.id) {
      refuse(fmt::format("has the id {} in the vocabulary", *vocabulary_id));
    }
    const auto other = vocabulary.token_of(token.id);
    if (other && *other != token.content) {
      refuse(fmt::format("has the id of '{}' in the vocabulary", printable(*other)));
    }
    if (by_id_.contains(token.id)) {
      refuse(fmt::format("has the id of the added token '{}'", printable(by_id_.at(token.id).content)));
    }
    if (ids_.contains(token.content)) {
      refuse(fmt::format("is there a second time, with the id {}", ids_.at(token.content)));
    }
    if (!vocabulary_id) {
      // The reference counts on instead of believing the file.
      const std::size_t next = std::max<std::size_t>(vocabulary.size(), by_id_.empty() ? 0 : by_id_.rbegin()->first + 1);
      if (token.id != next) {
        refuse(fmt::format("is not in the vocabulary, where it would be the one of id {}", next));
      }
      ++beyond_vocabulary_;
    }
    const std::string form = token.is_normalized ? normalized(AlignedText(token.content), normalizers).text() : token.content;
    if (form.empty()) {
      refuse("is nothing once it is normalised");
    }
    if (token.is_normalized) {
      const auto [same, is_new] = content_of_form.emplace(form, token.content);
      if (!is_new) {
        refuse(fmt::format("is the same as '{}' once both are normalised", printable(same->second)));
      }
    }
    (token.is_normalized ? normalized_ : as_given_).insert(form, token.id);
    ids_.emplace(token.content, token.id);
    by_id_.emplace(token.id, std::move(token));
  }
}

std::vector<Piece> AddedTokens::extract(std::string_view text, const std::vector<Normalizer>& normalizers) const {
  std::vector<Piece> parts;
  split(AlignedText(text), as_given_, parts);
  std::vector<Piece> pieces;
  for (Piece& part : parts) {
    if (part.token_id) {
      pieces.push_back(std::move(part));
    } else {
      split(normalized(std::move(part.text), normalizers), normalized_, pieces);
    }
  }
  return pieces;
}

void AddedTokens::split(AlignedText aligned, const ByteTrie& trie, std::vector<Piece>& pieces) const {
  const std::string& text = aligned.text();
  std::size_t covered = 0;
  const auto add = [&](std::size_t begin, std::size_t end, std::optional<std::uint32_t> id) {
    if (begin < end) {
      pieces.push_back({aligned.slice(begin, end), id});
    }
  };
  for (std::size_t place = 0; !trie.empty() && place < text.size();) {
    std::optional<Match> match = longest_at(trie, text, place);
    if (!match) {
      place += unicode::character_at(text, place).size;
      continue;
    }
    place = match->end;  // whatever becomes of it, the next one begins behind it
    const AddedToken& token = by_id_.at(match->id);
    if (token.is_single_word && !stands_alone(text, *match)) {
      continue;
    }
    if (token.strips_left) {
      match->begin = std::max(before_spaces(text, match->begin, covered), covered);
    }
    if (token.strips_right) {
      match->end = behind_spaces(text, match->end);
    }
    add(covered, match->begin, {});
    add(match->begin, match->end, match->id);
    covered = match->end;
  }
  if (covered == 0) {
    if (!text.empty()) {
      pieces.push_back({std::move(aligned)});
    }
    return;
  }
  add(covered, text.size(), {});
}

std::optional<std::uint32_t> AddedTokens::id_of(std::string_view content) const {
  const auto found = ids_.find(std::string(content));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const AddedToken* AddedTokens::with_id(std::uint32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

}  // namespace verilabel
