#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

namespace verilabel::cli {

// Options that several commands share. Private to the module.

/// An option that takes one of some words, each of which stands for a value. What `target` holds is the default. CLI11's own way
/// prints the values, which are numbers.
template <typename Value>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Value& target, std::vector<std::pair<std::string, Value>> choices,
                        const std::string& help) {
  std::vector<std::string> words;
  std::string default_word;
  for (const auto& [word, value] : choices) {
    words.push_back(word);
    if (value == target) {
      default_word = word;
    }
  }
  return app
      .add_option_function<std::string>(
          name,
          [&target, choices = std::move(choices)](const std::string& word) {
            target = std::find_if(choices.begin(), choices.end(), [&](const auto& choice) { return choice.first == word; })->second;
          },
          help)
      ->check(CLI::IsMember(words))
      ->type_name("")
      ->default_str(default_word);
}

}  // namespace verilabel::cli
