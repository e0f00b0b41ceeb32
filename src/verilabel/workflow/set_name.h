#pragma once

#include <string_view>

namespace verilabel {

/// Whether a SET on the command line means a file: it contains `/` or ends in `.json`.
bool means_file(std::string_view set);

/// Throws `wrong_use` for a name that no label set can have, because a file would be meant by it, or it is empty or not UTF-8.
void check_set_name(std::string_view set);

}  // namespace verilabel
