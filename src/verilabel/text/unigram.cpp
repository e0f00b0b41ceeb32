#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/text/subword_model.h"
#include "verilabel/text/unicode.h"

namespace verilabel {
namespace {

constexpr double kUnknownPenalty = 10;

class Unigram final : public SubwordModel {
 public:
  Unigram(Vocabulary vocabulary, std::vector<double> scores, std::optional<std::uint32_t> unknown_id, bool byte_fallback)
      : vocabulary_(std::move(vocabulary)),
        scores_(std::move(scores)),
        unknown_id_(unknown_id),
        byte_fallback_(byte_fallback),
        byte_tokens_(vocabulary_) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const auto& [id, piece] : vocabulary_.by_id()) {
      trie_.insert(piece, id);
      lowest = std::min(lowest, scores_[id]);
    }
    unknown_score_ = lowest - kUnknownPenalty;
  }

  std::string_view name() const override { return "Unigram"; }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

  std::vector<WordToken> tokens_of(std::string_view word) const override {
    std::vector<WordToken> tokens;
    for (const auto& [begin, end] : segments_of(word)) {
      const std::string_view segment = word.substr(begin, end - begin);
      if (const auto id = vocabulary_.id_of(segment)) {
        tokens.push_back({*id, begin, end});
        continue;
      }
      if (byte_fallback_) {
        if (const auto ids = byte_tokens_.ids_of(segment)) {
          for (const std::uint32_t id : *ids) {
            tokens.push_back({id, begin, end});
          }
          continue;
        }
      }
      tokens.push_back({*unknown_id_, begin, end});
    }
    return tokens;
  }

 private:
  struct Step {  // the best way to an end
    double score = 0;
    std::uint32_t begin = UINT32_MAX;  // of its last piece; none yet
    std::uint32_t id = 0;
  };

  std::uint32_t unknown_for(std::string_view character) const {
    if (!unknown_id_) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the vocabulary holds no piece '{}', and no unk_id is given", printable(character)));
    }
    return *unknown_id_;
  }

  std::vector<Step> best_steps(std::string_view word) const {
    std::vector<Step> steps(word.size() + 1);
    unicode::for_each_character(word, [&](char32_t, std::size_t begin, std::size_t size) {
      const double score_here = steps[begin].score;
      const auto offer = [&](std::size_t end, double piece_score, std::uint32_t id) {
        const double score = piece_score + score_here;
        if (steps[end].begin == UINT32_MAX || score > steps[end].score) {
          steps[end] = {score, static_cast<std::uint32_t>(begin), id};
        }
      };
      bool has_single = false;
      std::optional<ByteTrie::Node> node = ByteTrie::kRoot;
      for (std::size_t end = begin; end < word.size();) {
        node = trie_.next(*node, word[end++]);
        if (!node) {
          break;
        }
        if (const std::uint32_t id = trie_.value(*node); id != ByteTrie::kNoValue) {
          offer(end, scores_[id], id);
          has_single = has_single || end == begin + size;
        }
      }
      if (!has_single) {
        offer(begin + size, unknown_score_, unknown_for(word.substr(begin, size)));
      }
    });
    return steps;
  }

  /// From left to right; neighbouring unknown ones are one.
  std::vector<std::pair<std::size_t, std::size_t>> segments_of(std::string_view word) const {
    const std::vector<Step> steps = best_steps(word);
    std::vector<std::pair<std::size_t, std::size_t>> segments;
    bool was_unknown = false;
    for (std::size_t end = word.size(); end > 0;) {
      const Step& step = steps[end];
      const bool is_unknown = step.id == unknown_id_;
      if (is_unknown && was_unknown) {
        segments.back().first = step.begin;
      } else {
        segments.emplace_back(step.begin, end);
      }
      was_unknown = is_unknown;
      end = step.begin;
    }
    std::ranges::reverse(segments);
    return segments;
  }

  Vocabulary vocabulary_;
  std::vector<double> scores_;
  std::optional<std::uint32_t> unknown_id_;
  bool byte_fallback_;
  ByteTokens byte_tokens_;
  ByteTrie trie_;
  double unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<SubwordModel> make_unigram(Vocabulary vocabulary, std::vector<double> scores,
                                           std::optional<std::uint32_t> unknown_id, bool byte_fallback) {
  return std::make_unique<Unigram>(std::move(vocabulary), std::move(scores), unknown_id, byte_fallback);
}

}  // namespace verilabel
