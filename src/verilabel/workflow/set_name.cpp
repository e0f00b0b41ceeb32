#include "verilabel/workflow/set_name.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"

namespace verilabel {

bool means_file(std::string_view set) {
  return set.find('/') != std::string_view::npos || set.ends_with(".json");
}

void check_set_name(std::string_view set) {
  if (set.empty()) {
    throw Error(ErrorCode::wrong_use, "the label set needs a name");
  }
  require_utf8("a label set", set);
  if (means_file(set)) {
    throw Error(ErrorCode::wrong_use,
                fmt::format("a label set cannot be called `{}`: a name with / or .json at its end means a file", printable(set)));
  }
}

}  // namespace verilabel
