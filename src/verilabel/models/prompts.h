#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

/// A class that a model is asked for in words.
struct PromptClass {
  std::string name;                    ///< what its labels are called
  std::vector<std::string> phrasings;  ///< texts that stand for it, at least one; the best of them counts

  friend bool operator==(const PromptClass&, const PromptClass&) = default;
};

/// What a model that reads is asked for.
struct Prompts {
  std::vector<PromptClass> classes;
  std::vector<std::string> negatives;  ///< phrasings that compete with the classes; what they win is dropped
  std::vector<std::string> templates;  ///< sentences with "{}" for the phrasing, averaged; empty for what the family is used with

  bool empty() const { return classes.empty() && negatives.empty() && templates.empty(); }
  /// Whether there is more than names: what only a model that reads can use.
  bool has_phrasings() const;
  std::vector<std::string> names() const;
  /// Throws `wrong_use` for no class at all, an empty or repeated name, a phrasing that is empty, stands for two classes or for a
  /// class and a negative, a template without "{}", and text that is not UTF-8 or has control characters.
  void validate() const;

  friend bool operator==(const Prompts&, const Prompts&) = default;
};

/// Classes by their names alone.
Prompts prompts_of_names(const std::vector<std::string>& names);

/// Reads a file of classes. Text has one class a line, "name" or "name: phrasing | phrasing"; a line that begins with "-" is a
/// negative; blank lines and those that begin with "#" are for people. A name that ends in ":" is refused there, since
/// phrasings were meant. A file that ends in .json holds {"classes": ["name",
/// {"name": …, "phrasings": […]}], "negatives": […], "templates": […]}, of which only classes is needed, or a list of classes.
/// Both are UTF-8, with or without a byte order mark. Throws `bad_data` naming file and line or key, `not_found`, `io`.
Prompts read_prompts(const std::filesystem::path& file);

/// As JSON of the form above, and back; the text comes from here.
std::string json_from(const Prompts& prompts);
Prompts prompts_from_json(std::string_view text);

}  // namespace verilabel
