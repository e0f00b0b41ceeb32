#pragma once

#include <span>
#include <string>

// Private to the module.

namespace verilabel {

constexpr const char* kCpuProvider = "CPUExecutionProvider";

/// A node of a graph, and the execution provider that it was given to.
struct PlacedNode {
  std::string provider;
  std::string operation;
};

/// Throws `engine` unless the provider asked for really does the work: when it got no node at all, and when the processor got one
/// of those that cost (convolutions, matrix products, attention, recurrences), naming them. Sizes and indices may be computed on
/// the processor; that is where ONNX Runtime puts them on purpose.
void require_placement(const std::string& provider, std::span<const PlacedNode> nodes);

}  // namespace verilabel
