#include <queue>
#include <tuple>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/subword_model.h"
#include "verilabel/text/unicode.h"

namespace verilabel {
namespace {

constexpr std::uint32_t kNobody = UINT32_MAX;

std::uint64_t pair_key(std::uint32_t left, std::uint32_t right) {
  return std::uint64_t{left} << 32 | right;
}

struct Merge {
  std::uint32_t rank;
  std::uint32_t id;  // of the joined token
};

struct Symbol {
  std::uint32_t id;
  std::uint32_t size;  // bytes of the word; 0 once it was joined to its left neighbour
  std::uint32_t previous;
  std::uint32_t next;
};

struct Candidate {
  std::uint32_t rank;
  std::uint32_t place;  // of the left symbol
  std::uint32_t id;

  bool operator>(const Candidate& other) const { return std::tie(rank, place) > std::tie(other.rank, other.place); }
};

class Bpe final : public SubwordModel {
 public:
  Bpe(Vocabulary vocabulary, const std::vector<std::pair<std::string, std::string>>& merges, BpeOptions options)
      : vocabulary_(std::move(vocabulary)), options_(std::move(options)), byte_tokens_(vocabulary_) {
    merges_.reserve(merges.size());
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      add_merge(merges[rank].first, merges[rank].second, rank);
    }
  }

  std::string_view name() const override { return "BPE"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

  std::vector<WordToken> tokens_of(std::string_view word) const override {
    if (options_.ignores_merges) {
      if (const auto id = vocabulary_.id_of(word)) {
        return {{*id, 0, word.size()}};
      }
    }
    std::vector<Symbol> symbols = symbols_of(word);
    join(symbols);
    std::vector<WordToken> tokens;
    std::size_t begin = 0;
    for (const Symbol& symbol : symbols) {
      if (symbol.size != 0) {
        tokens.push_back({symbol.id, begin, begin + symbol.size});
        begin += symbol.size;
      }
    }
    return tokens;
  }

 private:
  void add_merge(const std::string& left, const std::string& right, std::size_t rank) {
    const auto refuse = [&](std::string_view why) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("merge {} joins '{}' and '{}', {}", rank, printable(left), printable(right), why));
    };
    const auto left_id = vocabulary_.id_of(left);
    const auto right_id = vocabulary_.id_of(right);
    if (!left_id || !right_id) {
      refuse("which are not both in the vocabulary");
    }
    if (right.size() < options_.continuing_prefix.size()) {
      refuse("whose second is shorter than the prefix of what continues a word");
    }
    const auto joined = vocabulary_.id_of(left + right.substr(options_.continuing_prefix.size()));
    if (!joined) {
      refuse("whose join is not in the vocabulary");
    }
    merges_.insert(pair_key(*left_id, *right_id), std::uint64_t{rank} << 32 | *joined, true);
  }

  std::optional<Merge> merge_of(std::uint32_t left, std::uint32_t right) const {
    const std::uint64_t found = merges_.find(pair_key(left, right));
    if (found == NumberMap::kNone) {
      return {};
    }
    return Merge{static_cast<std::uint32_t>(found >> 32), static_cast<std::uint32_t>(found)};
  }

  std::uint32_t unknown_id(std::string_view character) const {
    const auto id = vocabulary_.id_of(*options_.unknown_token);
    if (!id) {
      throw Error(ErrorCode::bad_data, fmt::format("the vocabulary holds neither '{}' nor the tokenizer's unknown token '{}'",
                                                   printable(character), printable(*options_.unknown_token)));
    }
    return *id;
  }

  /// One symbol a character, with the order of the reference where unknown characters wait to be fused: bytes overtake them. A
  /// character without a token, where there is no unknown token either, is left out, as there.
  std::vector<Symbol> symbols_of(std::string_view word) const {
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    const auto add = [&](std::uint32_t id, std::size_t size) {
      const auto place = static_cast<std::uint32_t>(symbols.size());
      if (!symbols.empty()) {
        symbols.back().next = place;
      }
      symbols.push_back({id, static_cast<std::uint32_t>(size), symbols.empty() ? kNobody : place - 1, kNobody});
    };
    std::size_t unknown_size = 0;  // of those that wait
    const auto flush_unknown = [&] {
      if (unknown_size != 0) {
        add(*vocabulary_.id_of(*options_.unknown_token), unknown_size);
        unknown_size = 0;
      }
    };
    std::string key;
    unicode::for_each_character(word, [&](char32_t, std::size_t begin, std::size_t size) {
      key.clear();
      if (begin != 0) {
        key += options_.continuing_prefix;
      }
      key += word.substr(begin, size);
      if (begin + size == word.size()) {
        key += options_.end_of_word_suffix;
      }
      if (const auto id = vocabulary_.id_of(key)) {
        flush_unknown();
        add(*id, size);
        return;
      }
      if (options_.byte_fallback) {
        if (const auto ids = byte_tokens_.ids_of(key)) {
          for (const std::uint32_t id : *ids) {
            add(id, 1);
          }
          return;
        }
      }
      if (options_.unknown_token) {
        unknown_id(key);
        if (!options_.fuses_unknown) {
          flush_unknown();
        }
        unknown_size += size;
      }
    });
    flush_unknown();
    return symbols;
  }

  void join(std::vector<Symbol>& symbols) const {
    std::vector<Candidate> first;
    const auto candidate_at = [&](std::uint32_t place) -> std::optional<Candidate> {
      if (symbols[place].next == kNobody) {
        return {};
      }
      const auto merge = merge_of(symbols[place].id, symbols[symbols[place].next].id);
      return merge ? std::optional(Candidate{merge->rank, place, merge->id}) : std::nullopt;
    };
    for (std::uint32_t place = 0; place + 1 < symbols.size(); ++place) {
      if (const auto candidate = candidate_at(place)) {
        first.push_back(*candidate);
      }
    }
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue(std::greater<>(), std::move(first));
    while (!queue.empty()) {
      const Candidate top = queue.top();
      queue.pop();
      Symbol& left = symbols[top.place];
      if (left.size == 0) {
        continue;
      }
      // Neighbours may have changed since; what they are now must still make the same token.
      const auto now = candidate_at(top.place);
      if (!now || now->id != top.id) {
        continue;
      }
      Symbol& right = symbols[left.next];
      left.id = top.id;
      left.size += right.size;
      left.next = right.next;
      right.size = 0;
      if (left.next != kNobody) {
        symbols[left.next].previous = top.place;
      }
      for (const std::uint32_t place : {left.previous, top.place}) {
        if (place != kNobody) {
          if (const auto candidate = candidate_at(place)) {
            queue.push(*candidate);
          }
        }
      }
    }
  }

  Vocabulary vocabulary_;
  BpeOptions options_;
  ByteTokens byte_tokens_;
  NumberMap merges_;
};

}  // namespace

std::unique_ptr<SubwordModel> make_bpe(Vocabulary vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
                                       BpeOptions options) {
  return std::make_unique<Bpe>(std::move(vocabulary), merges, std::move(options));
}

}  // namespace verilabel
