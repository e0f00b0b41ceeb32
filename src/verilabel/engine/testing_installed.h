#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "verilabel/engine/onnxruntime_library.h"

namespace verilabel {

/// The engines that tests with one parameter run on.
constexpr const char* kTestedEngines[] = {"openvino", "onnxruntime"};

/// The name of a test's instance.
inline std::string engine_of(const ::testing::TestParamInfo<const char*>& instance) {
  return instance.param;
}

/// Why tests of an engine are skipped: its library is not installed. Empty when it is, whether it works or not.
inline std::string reason_to_skip(std::string_view engine) {
  if (engine == "onnxruntime" && !find_onnxruntime(OnnxruntimePlaces::of_this_process())) {
    return "no Python environment here has the package onnxruntime (scripts/bootstrap installs it)";
  }
  return "";
}

}  // namespace verilabel
