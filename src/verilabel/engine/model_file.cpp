#include "verilabel/engine/model_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <utility>

namespace verilabel {

Error model_error(const std::filesystem::path& model, std::string message) {
  return Error(ErrorCode::bad_model, std::move(message), {{"file", model.string()}});
}

void require_model_file(const std::filesystem::path& model) {
  struct stat status{};
  if (::stat(model.c_str(), &status) != 0) {
    throw io_error("cannot read the model", model.string(), errno);
  }
  if (!S_ISREG(status.st_mode)) {
    throw model_error(model, "an ONNX model is one file, and this is none");
  }
  if (status.st_size == 0) {
    throw model_error(model, "the model file is empty");
  }
}

bool scales_over_batch(const std::filesystem::path& model) {
  constexpr std::string_view kOperator = "DynamicQuantizeLinear";
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  std::ifstream file(model, std::ios::binary);
  std::string window;  // the end of the chunk before, and a chunk
  while (file) {
    window.erase(0, window.size() - std::min(window.size(), kOperator.size() - 1));
    const std::size_t kept = window.size();
    window.resize(kept + kChunk);
    file.read(window.data() + kept, kChunk);
    window.resize(kept + static_cast<std::size_t>(file.gcount()));
    if (window.find(kOperator) != std::string::npos) {
      return true;
    }
  }
  if (!file.eof()) {
    throw io_error("cannot read the model", model.string(), errno);
  }
  return false;
}

std::string text_of(const std::vector<TensorInfo>& tensors) {
  std::string text;
  for (const TensorInfo& tensor : tensors) {
    text += (text.empty() ? "" : "; ") + text_of(tensor);
  }
  return text;
}

std::string text_of(const std::vector<std::vector<std::int64_t>>& shapes) {
  std::string text;
  for (const std::vector<std::int64_t>& shape : shapes) {
    text += fmt::format("{}[{}]", text.empty() ? "" : "; ", fmt::join(shape, ", "));
  }
  return text;
}

void require_shapes(const std::filesystem::path& model, const std::vector<TensorInfo>& inputs,
                    const std::vector<std::vector<std::int64_t>>& shapes, const std::function<bool(std::size_t)>& fits) {
  const auto require = [&](bool holds, std::string message) {
    if (!holds) {
      throw Error(ErrorCode::wrong_use, std::move(message), {{"file", model.string()}});
    }
  };
  require(shapes.size() == inputs.size(), fmt::format("{} input shapes are given for the {} inputs of the graph: {}", shapes.size(),
                                                      inputs.size(), text_of(inputs)));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::string shape = fmt::format("[{}]", fmt::join(shapes[i], ", "));
    require(std::ranges::all_of(shapes[i], [](std::int64_t size) { return size >= 0; }),
            fmt::format("a size in the shape {} for the input {} is negative", shape, text_of(inputs[i])));
    require(fits(i), fmt::format("the shape {} does not fit the input {}", shape, text_of(inputs[i])));
  }
}

void require_outputs(const std::filesystem::path& model, const std::vector<std::size_t>& outputs, std::size_t count) {
  for (const std::size_t output : outputs) {
    if (output >= count) {
      throw Error(ErrorCode::wrong_use, fmt::format("output {} is asked for, but the graph has {}", output, count),
                  {{"file", model.string()}});
    }
  }
}

void require_numbers(const std::filesystem::path& model, const std::vector<TensorInfo>& tensors) {
  for (const TensorInfo& tensor : tensors) {
    if (tensor.type == ElementType::other) {
      throw Error(ErrorCode::unsupported, fmt::format("tensors of the element type of \"{}\" are not supported", text_of(tensor)),
                  {{"file", model.string()}});
    }
  }
}

}  // namespace verilabel
