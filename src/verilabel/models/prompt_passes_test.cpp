#include "verilabel/models/prompt_passes.h"

#include <numeric>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "verilabel/models/testing_engine.h"

namespace verilabel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Prompts classes(std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    names.push_back(fmt::format("class {}", i));
  }
  return prompts_of_names(names);
}

std::vector<PromptPass> passes_of(const Prompts& prompts, const std::vector<std::size_t>& costs, std::size_t room) {
  return verilabel::passes_of(prompts, std::span(costs), room);
}

// 2 + 2 + 2 fill the room of 6; the two that are left would make passes of 6 and 4. Of all ways in two passes none is smaller
// than 6.
TEST(PromptPasses, FewAndEven) {
  EXPECT_THAT(passes_of(classes(5), {2, 2, 2, 2, 2}, 6), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4)));
  EXPECT_THAT(passes_of(classes(5), {2, 2, 2, 2, 2}, 10), ElementsAre(ElementsAre(0, 1, 2, 3, 4)));
  // Two passes: 9 + 1 fills greedily, 4 + 6 is the most even.
  EXPECT_THAT(passes_of(classes(4), {3, 1, 5, 1}, 9), ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3)));
}

TEST(PromptPasses, PhrasingsStayTogetherAndNegativesAreEverywhere) {
  Prompts prompts;
  prompts.classes = {{"a", {"a1", "a2"}}, {"b", {"b1"}}, {"c", {"c1", "c2", "c3"}}};
  prompts.negatives = {"n1", "n2"};
  const std::vector<std::size_t> ones(8, 1);
  EXPECT_THAT(passes_of(prompts, ones, 5), ElementsAre(ElementsAre(0, 1, 2, 6, 7), ElementsAre(3, 4, 5, 6, 7)));
  EXPECT_THAT(passes_of(prompts, ones, 100), ElementsAre(ElementsAre(0, 1, 2, 3, 4, 5, 6, 7)));
  const Error negatives = error_of([&] { passes_of(prompts, ones, 4); });
  EXPECT_EQ(negatives.code(), ErrorCode::wrong_use);
  EXPECT_THAT(negatives.what(), HasSubstr("the class 'c' and the 2 negatives"));
  prompts.negatives.clear();
  const Error phrasings = error_of([&] { passes_of(prompts, std::vector<std::size_t>(6, 1), 2); });
  EXPECT_THAT(phrasings.what(), HasSubstr("the 3 phrasings of the class 'c'"));
}

TEST(PromptPasses, NoClassesAreOneEmptyPass) {
  EXPECT_THAT(passes_of({}, {}, 5), ElementsAre(IsEmpty()));
}

TEST(PromptPasses, EveryTextOnceInOrderWithinTheRoom) {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    const std::size_t count = 1 + random() % 300;
    std::vector<std::size_t> costs(count);
    for (std::size_t& cost : costs) {
      cost = 1 + random() % 9;
    }
    const std::size_t room = 9 + random() % 60;
    const std::vector<PromptPass> passes = passes_of(classes(count), costs, room);
    const std::size_t sum = std::accumulate(costs.begin(), costs.end(), std::size_t{0});
    EXPECT_GE(passes.size() * room, sum);
    EXPECT_LE(passes.size(), 2 * sum / room + 1);
    std::size_t next = 0;
    for (const PromptPass& pass : passes) {
      std::size_t cost = 0;
      EXPECT_FALSE(pass.empty());
      for (const std::size_t text : pass) {
        EXPECT_EQ(text, next++);
        cost += costs[text];
      }
      EXPECT_LE(cost, room);
    }
    EXPECT_EQ(next, count);
  }
}

TEST(PromptPasses, TheCostIsSaidBeforehand) {
  EXPECT_EQ(note_of_passes(classes(1203), 9), "1,203 classes are asked in 9 parts: each image takes 9 inferences");
  EXPECT_EQ(note_of_passes(classes(1234567), 1000),
            "1,234,567 classes are asked in 1,000 parts: each image takes 1,000 inferences");
  EXPECT_EQ(note_of_passes(classes(5), 1), std::nullopt);
}

TEST(PromptPasses, ClassesThatReadTheSameAreNamed) {
  EXPECT_EQ(note_of_twins(classes(3), std::vector<std::vector<std::int64_t>>{{1}, {2}, {3}}), std::nullopt);
  EXPECT_EQ(note_of_twins(classes(3), std::vector<std::vector<std::int64_t>>{{1}, {2, 1}, {1}}),
            "to this model some classes read the same, so that it cannot tell them apart: 'class 0' and 'class 2'");
  EXPECT_THAT(*note_of_twins(classes(20), std::vector<std::vector<std::int64_t>>(20, {7})), HasSubstr("'class 10', and 9 more"));
  Prompts folded;
  folded.classes = {{"a", {"Cat", "cat"}}};
  EXPECT_EQ(note_of_twins(folded, std::vector<std::vector<std::int64_t>>{{1}, {1}}), std::nullopt) << "phrasings of one class may";
}

TEST(PromptPasses, OneTemplateAtMost) {
  Prompts prompts = classes(2);
  EXPECT_THAT(sentences_of(prompts, phrasings_of(prompts)), ElementsAre("class 0", "class 1"));
  prompts.templates = {"a {} or {}"};
  EXPECT_THAT(sentences_of(prompts, phrasings_of(prompts)), ElementsAre("a class 0 or class 0", "a class 1 or class 1"));
  prompts.templates = {"a {}", "the {}"};
  EXPECT_EQ(error_of([&] { sentences_of(prompts, phrasings_of(prompts)); }).code(), ErrorCode::wrong_use);
}

}  // namespace
}  // namespace verilabel
