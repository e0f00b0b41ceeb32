// Class names from the metadata of a graph.

#include <set>

#include "fuzz/fuzzing.h"
#include "verilabel/models/python_literal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  const auto names = unless_refused([&] { return class_names_from_python({reinterpret_cast<const char*>(data), size}); });
  if (names) {
    require(std::set<std::string>(names->begin(), names->end()).size() == names->size(), "no name occurs twice");
    require(std::ranges::find(*names, "") == names->end(), "no name is empty");
  }
  return 0;
}
