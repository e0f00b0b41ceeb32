#pragma once

#include <memory>

#include "verilabel/engine/engine.h"

namespace verilabel {

/// Intel's OpenVINO, reading ONNX. Arithmetic is f32 whatever the processor would rather use, except on NPUs, which have none.
std::unique_ptr<Engine> open_openvino_engine();

}  // namespace verilabel
