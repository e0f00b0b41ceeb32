#include "verilabel/models/prompt_passes.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

/// The texts of one class, or the negatives.
struct Group {
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t cost = 0;
};

/// How many passes it takes to fill each up to `room`; with `begins`, the first group of each.
std::size_t filled(std::span<const Group> groups, std::size_t room, std::vector<std::size_t>* begins = nullptr) {
  std::size_t passes = 0;
  std::size_t left = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (passes == 0 || groups[i].cost > left) {
      ++passes;
      left = room;
      if (begins != nullptr) {
        begins->push_back(i);
      }
    }
    left -= groups[i].cost;
  }
  return passes;
}

std::string with_thousands(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) {
    digits.insert(at - 3, ",");
  }
  return digits;
}

}  // namespace

std::vector<PromptPass> passes_of(const Prompts& prompts, std::span<const std::size_t> costs, std::size_t room) {
  if (prompts.classes.empty()) {
    return {PromptPass()};
  }
  const auto group_from = [&](std::size_t first, std::size_t count) {
    const std::span<const std::size_t> own = costs.subspan(first, count);
    return Group{first, count, std::accumulate(own.begin(), own.end(), std::size_t{0})};
  };
  std::vector<Group> groups;
  std::size_t next = 0;
  for (const PromptClass& one : prompts.classes) {
    groups.push_back(group_from(next, one.phrasings.size()));
    next += one.phrasings.size();
  }
  const Group negatives = group_from(next, prompts.negatives.size());
  std::size_t largest = 0;
  std::size_t sum = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    if (negatives.cost + groups[i].cost > room) {
      throw Error(
          ErrorCode::wrong_use,
          negatives.count == 0
              ? fmt::format("the {} phrasings of the class '{}' are together more than the model reads at a time; leave some out",
                            groups[i].count, prompts.classes[i].name)
              : fmt::format("the class '{}' and the {} negatives are together more than the model reads at a time; leave "
                            "negatives out",
                            prompts.classes[i].name, negatives.count));
    }
    largest = std::max(largest, groups[i].cost);
    sum += groups[i].cost;
  }
  // The smallest room with which as many passes are enough.
  const std::size_t passes = filled(groups, room - negatives.cost);
  std::size_t enough = std::min(sum, room - negatives.cost);
  for (std::size_t low = largest; low < enough;) {
    const std::size_t middle = low + (enough - low) / 2;
    if (filled(groups, middle) <= passes) {
      enough = middle;
    } else {
      low = middle + 1;
    }
  }
  std::vector<std::size_t> begins;
  filled(groups, enough, &begins);
  begins.push_back(groups.size());
  std::vector<PromptPass> split;
  for (std::size_t pass = 0; pass + 1 < begins.size(); ++pass) {
    PromptPass texts;
    const auto add = [&](const Group& group) {
      for (std::size_t i = 0; i < group.count; ++i) {
        texts.push_back(group.first + i);
      }
    };
    for (std::size_t i = begins[pass]; i < begins[pass + 1]; ++i) {
      add(groups[i]);
    }
    add(negatives);
    split.push_back(std::move(texts));
  }
  return split;
}

std::optional<std::string> note_of_passes(const Prompts& prompts, std::size_t passes) {
  if (passes < 2) {
    return std::nullopt;
  }
  return fmt::format("{} classes are asked in {} parts: each image takes {} inferences", with_thousands(prompts.classes.size()),
                     with_thousands(passes), with_thousands(passes));
}

std::optional<std::string> note_of_shared_scale(const GraphInfo& graph) {
  return graph.scales_over_batch ? std::optional<std::string>(
                                       "the graph quantises as it runs, texts and image by one scale: scores "
                                       "depend a little on the classes asked beside")
                                 : std::nullopt;
}

std::optional<std::string> note_of_twins(const Prompts& prompts, std::span<const std::vector<std::int64_t>> tokens) {
  constexpr std::size_t kMostNamed = 10;
  std::map<std::vector<std::int64_t>, std::size_t> owners;
  std::vector<std::string> twins;
  std::size_t text = 0;
  for (std::size_t i = 0; i < prompts.classes.size(); ++i) {
    for (std::size_t phrasing = 0; phrasing < prompts.classes[i].phrasings.size(); ++phrasing, ++text) {
      const std::size_t owner = owners.emplace(tokens[text], i).first->second;
      if (owner != i) {
        twins.push_back(fmt::format("'{}' and '{}'", prompts.classes[owner].name, prompts.classes[i].name));
      }
    }
  }
  if (twins.empty()) {
    return std::nullopt;
  }
  const std::size_t left_out = twins.size() - std::min(twins.size(), kMostNamed);
  twins.resize(std::min(twins.size(), kMostNamed));
  return fmt::format("to this model some classes read the same, so that it cannot tell them apart: {}{}", fmt::join(twins, ", "),
                     left_out == 0 ? "" : fmt::format(", and {} more", left_out));
}

std::vector<std::string> sentences_of(const Prompts& prompts, const Phrasings& phrasings) {
  if (prompts.templates.size() > 1) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("this model reads texts together with each image and cannot average over {} templates; give one",
                            prompts.templates.size()));
  }
  std::vector<std::string> sentences;
  for (const std::string& phrasing : phrasings.texts) {
    sentences.push_back(prompts.templates.empty() ? phrasing : filled_in(prompts.templates.front(), phrasing));
  }
  return sentences;
}

}  // namespace verilabel
