#pragma once

#include <cstddef>
#include <cstdint>

// ONNX Runtime's C interface, declared here because no package carries its header: the part that we use, under its own names.
// Private to the module.

namespace verilabel {

// NOLINTBEGIN(readability-identifier-naming, bugprone-macro-parentheses): these are the interface's names, and types
struct OrtAllocator;
struct OrtCUDAProviderOptionsV2;
struct OrtEnv;
struct OrtEpAssignedNode;
struct OrtEpAssignedSubgraph;
struct OrtMemoryInfo;
struct OrtModelMetadata;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorRTProviderOptionsV2;
struct OrtTensorTypeAndShapeInfo;
struct OrtTypeInfo;
struct OrtValue;

enum class OrtAllocatorType : std::int32_t { device = 0, arena = 1 };
enum class OrtMemoryType : std::int32_t { standard = 0 };
enum class OrtLoggingLevel : std::int32_t { fatal = 4 };
enum class OrtGraphOptimizationLevel : std::int32_t { none = 0 };
enum class OrtErrorCode : std::int32_t { no_such_file = 3, runtime_exception = 6, ep_fail = 11 };
enum class OrtElementType : std::int32_t {
  undefined = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  i32 = 6,
  i64 = 7,
  boolean = 9,
  f16 = 10,
  f64 = 11,
};

using OrtLoggingFunction = void (*)(void* parameter, OrtLoggingLevel severity, const char* category, const char* log_id,
                                    const char* code_location, const char* message);

/// Every function that returns a status returns null for success; whoever gets one releases it.
struct OrtApi {
#define ORT_FUNCTION(name, result, ...) result (*name)(__VA_ARGS__);
#define ORT_UNUSED(name) void (*name)();
#include "verilabel/engine/onnxruntime_functions.inc"
#undef ORT_FUNCTION
#undef ORT_UNUSED
};

struct OrtApiBase {
  const OrtApi* (*GetApi)(std::uint32_t version);  ///< null when the library is older than that
  const char* (*GetVersionString)();
};
// NOLINTEND(readability-identifier-naming, bugprone-macro-parentheses)

/// The version of the interface that has all that we use: that of ONNX Runtime 1.24.
constexpr std::uint32_t kOrtApiVersion = 24;

}  // namespace verilabel
