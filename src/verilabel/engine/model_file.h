#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/engine/engine.h"

// What every engine asks of a model file and of shapes, in the same words. Private to the module.

namespace verilabel {

Error model_error(const std::filesystem::path& model, std::string message);

/// Throws `not_found`, or `bad_model` for what is no file, or empty.
void require_model_file(const std::filesystem::path& model);

/// `GraphInfo::scales_over_batch`: whether the file names ONNX's operator DynamicQuantizeLinear. Throws `io`.
bool scales_over_batch(const std::filesystem::path& model);

/// "images f32 [?, 3, 416, 416]; sizes i64 [?, 2]"
std::string text_of(const std::vector<TensorInfo>& tensors);
/// "[1, 3, 416, 416]; [1, 2]"
std::string text_of(const std::vector<std::vector<std::int64_t>>& shapes);

/// Throws `wrong_use` unless there is one shape an input, none of a negative size, and each `fits(index)` what the graph declares.
void require_shapes(const std::filesystem::path& model, const std::vector<TensorInfo>& inputs,
                    const std::vector<std::vector<std::int64_t>>& shapes, const std::function<bool(std::size_t)>& fits);

/// Throws `wrong_use` for an output that a graph of `count` outputs lacks.
void require_outputs(const std::filesystem::path& model, const std::vector<std::size_t>& outputs, std::size_t count);

/// Throws `unsupported` for a tensor whose elements are no numbers that we know.
void require_numbers(const std::filesystem::path& model, const std::vector<TensorInfo>& tensors);

}  // namespace verilabel
