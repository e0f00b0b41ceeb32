#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

namespace verilabel::cli {

// Options that several commands share. Private to the module.

/// The words that an option takes, and what each stands for.
template <typename Value, std::size_t Count>
using Choices = std::array<std::pair<std::string_view, Value>, Count>;

/// An option that takes one of some words. What `target` holds is the default. `choices` has to outlive the option. CLI11's own way
/// prints the values, which are numbers. A target that may hold nothing has no default to show.
template <typename Target, typename Value, std::size_t Count>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Target& target, const Choices<Value, Count>& choices,
                        const std::string& help) {
  std::vector<std::string> words;
  std::string default_word;
  for (const auto& [word, value] : choices) {
    words.emplace_back(word);
    if (value == target) {
      default_word = word;
    }
  }
  return app
      .add_option_function<std::string>(
          name,
          [&target, &choices](const std::string& word) {
            target = std::ranges::find(choices, word, [](const auto& choice) { return choice.first; })->second;
          },
          help)
      ->check(CLI::IsMember(words))
      ->type_name("")
      ->default_str(default_word);
}

}  // namespace verilabel::cli
