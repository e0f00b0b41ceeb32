#pragma once

#include <memory>

#include "verilabel/engine/engine.h"

namespace verilabel {

/// ONNX Runtime, its shared library loaded when this is called: that which VERILABEL_ONNXRUNTIME names, else that of the package
/// `onnxruntime` of the active Python environment, of one beside the program, or of the user's or system's Python, else what the
/// system's linker knows. Throws `engine` when there is none, or none new enough.
///
/// Its devices: `cpu`; `cuda` and `tensorrt` (`cuda:1` is the second) with a library that has them. Arithmetic is f32 except in
/// TensorRT, which uses TF32 unless NVIDIA_TF32_OVERRIDE=0 is set. A graph whose convolutions or matrix products would run on
/// another processor than the one asked for is refused.
std::unique_ptr<Engine> open_onnxruntime_engine();

}  // namespace verilabel
