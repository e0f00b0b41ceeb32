#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/models/prompts.h"
#include "verilabel/models/text_tower.h"

// How the texts that a detector is asked for are spread over its passes. Private to the module.
namespace verilabel {

/// Places of texts in `Phrasings`. A class has all of its phrasings in one pass, and every pass has all negatives, last: they
/// compete with every class.
using PromptPass = std::vector<std::size_t>;

/// As few passes as hold all classes, in their order, and among those the ones whose largest is smallest. `costs` has what each
/// text takes of a pass that holds `room`. One pass, of no texts, where there are no classes. Throws `wrong_use` for a class that
/// does not fit beside the negatives.
std::vector<PromptPass> passes_of(const Prompts& prompts, std::span<const std::size_t> costs, std::size_t room);

/// "1,203 classes are asked in 9 parts: each image takes 9 inferences"; nothing for one pass.
std::optional<std::string> note_of_passes(const Prompts& prompts, std::size_t passes);

/// Which classes the model cannot tell apart, since it reads the same tokens; nothing where there are none.
std::optional<std::string> note_of_twins(const Prompts& prompts, std::span<const std::vector<std::int64_t>> tokens);

/// That scores depend on the classes asked beside, of a graph that takes texts and image together and quantises as it runs.
std::optional<std::string> note_of_shared_scale(const GraphInfo& graph);

/// What the model is given for each phrasing: itself, or the one template with it. Throws `wrong_use` for several, for a model
/// whose texts go through it with the image cannot average them.
std::vector<std::string> sentences_of(const Prompts& prompts, const Phrasings& phrasings);

}  // namespace verilabel
