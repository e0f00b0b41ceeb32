#pragma once

#include <string_view>

namespace verilabel {

/// For files that people write. Throws `bad_data`, naming the field, for a key that stands twice in one object, of which a JSON
/// parser takes the last without a word. A text that is no JSON is left to the parser.
void require_single_json_keys(std::string_view text);

}  // namespace verilabel
