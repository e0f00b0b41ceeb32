#include "verilabel/engine/engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <exception>
#include <future>

#include <array>

#include "verilabel/base/error.h"
#include "verilabel/engine/onnxruntime_engine.h"
#include "verilabel/engine/openvino_engine.h"

namespace verilabel {

namespace {

struct EngineRow {
  std::string_view name;
  std::unique_ptr<Engine> (*open)();
};

constexpr std::array kEngines = {
    EngineRow{"openvino", open_openvino_engine},
    EngineRow{"onnxruntime", open_onnxruntime_engine},
};

}  // namespace

std::string_view name_of(ElementType type) {
  switch (type) {
    case ElementType::f32:
      return "f32";
    case ElementType::f16:
      return "f16";
    case ElementType::f64:
      return "f64";
    case ElementType::i64:
      return "i64";
    case ElementType::i32:
      return "i32";
    case ElementType::u8:
      return "u8";
    case ElementType::i8:
      return "i8";
    case ElementType::boolean:
      return "boolean";
    case ElementType::other:
      break;
  }
  return "other";
}

std::string text_of(const TensorInfo& tensor) {
  std::string shape;
  for (const std::int64_t size : tensor.shape) {
    shape += shape.empty() ? "" : ", ";
    shape += size < 0 ? "?" : std::to_string(size);
  }
  return fmt::format("{} {} [{}]", tensor.name, name_of(tensor.type), shape);
}

std::vector<std::string_view> engine_names() {
  std::vector<std::string_view> names;
  for (const EngineRow& row : kEngines) {
    names.push_back(row.name);
  }
  return names;
}

std::unique_ptr<Engine> open_engine(std::string_view name) {
  for (const EngineRow& row : kEngines) {
    if (row.name == name) {
      return row.open();
    }
  }
  throw Error(ErrorCode::wrong_use, fmt::format("there is no engine \"{}\"; known are {}", name, fmt::join(engine_names(), ", ")));
}

void InferRequest::run() {
  std::promise<void> promise;
  start([&](const std::exception_ptr& failure) {
    if (failure) {
      promise.set_exception(failure);
    } else {
      promise.set_value();
    }
  });
  promise.get_future().get();
}

}  // namespace verilabel
