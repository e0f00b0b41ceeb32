#pragma once

#include <cstdint>
#include <vector>

// Private to the module.

namespace verilabel {

/// A part of what a model is given for a text: the tokens of the text, or marks around them.
struct TemplatePart {
  bool is_text = false;
  std::int64_t type_id = 0;
  std::vector<std::int64_t> mark_ids = {};
};

/// All of post-processing that concerns single texts.
struct PostProcessor {
  std::vector<TemplatePart> parts = {{true}};
  /// One a time that spaces are to be taken off the spans; whether a single space in front of the first token was added.
  std::vector<bool> trims_spaces = {};
};

}  // namespace verilabel
