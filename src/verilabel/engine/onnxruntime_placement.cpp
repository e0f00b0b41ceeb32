#include "verilabel/engine/onnxruntime_placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "verilabel/base/error.h"

namespace verilabel {

namespace {

// Conv, ConvTranspose, QLinearConv, ConvInteger; MatMul, MatMulInteger, QLinearMatMul, MatMulNBits; Gemm, QGemm; …
constexpr std::string_view kCostly[] = {"Conv", "MatMul", "Gemm", "Einsum", "Attention", "LSTM", "GRU", "RNN"};

bool is_costly(std::string_view operation) {
  return std::ranges::any_of(kCostly, [&](std::string_view part) { return operation.find(part) != std::string_view::npos; });
}

}  // namespace

void require_placement(const std::string& provider, std::span<const PlacedNode> nodes) {
  std::map<std::string, int> costly_elsewhere;
  std::size_t placed = 0;
  for (const PlacedNode& node : nodes) {
    placed += static_cast<std::size_t>(node.provider == provider);
    if (node.provider == kCpuProvider && provider != kCpuProvider && is_costly(node.operation)) {
      ++costly_elsewhere[node.operation];
    }
  }
  if (!costly_elsewhere.empty()) {
    std::string list;
    for (const auto& [operation, count] : costly_elsewhere) {
      list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, operation);
    }
    throw Error(
        ErrorCode::engine,
        fmt::format("ONNX Runtime would run the costly part of this model on the processor instead of {} ({}); take a graph "
                    "that it supports there, or --device cpu",
                    provider, list));
  }
  if (placed == 0 && !nodes.empty()) {
    throw Error(ErrorCode::engine, fmt::format("ONNX Runtime gave none of the {} nodes of this model to {}; take --device cpu",
                                               nodes.size(), provider));
  }
}

}  // namespace verilabel
