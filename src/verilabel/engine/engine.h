#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel {

enum class ElementType : std::uint8_t { f32, f16, f64, i64, i32, u8, i8, boolean, other };
std::string_view name_of(ElementType type);

/// Whether a request gives an input of this type as i64, not as f32.
constexpr bool takes_i64(ElementType type) {
  return type == ElementType::i64 || type == ElementType::i32;
}

/// A named input or output of a graph.
struct TensorInfo {
  std::string name;
  ElementType type = ElementType::other;
  std::vector<std::int64_t> shape;  ///< −1 where it is dynamic
};

/// "images f32 [1, 3, 416, 416]"
std::string text_of(const TensorInfo& tensor);

/// What a model file says about itself.
struct GraphInfo {
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;
  std::map<std::string, std::string> metadata;  ///< ONNX `metadata_props`
  /// It quantises as it runs, by one scale for all that goes through it together: what an image yields depends on its company.
  bool scales_over_batch = false;
};

struct CompileOptions {
  std::string device = "cpu";  ///< in the engine's words, in capitals or not
  /// One an input: what dynamic sizes are fixed to. A size may be 0 where the graph leaves it open: a tensor without numbers.
  std::vector<std::vector<std::int64_t>> input_shapes;
  /// Outputs of the graph, by their places in its list, that requests give, in this order; empty for all. What only others need is
  /// not computed where the engine can help it.
  std::vector<std::size_t> outputs = {};
  int threads = 0;  ///< 0: all processors
};

/// One inference in flight: its own input and output memory. Not to be touched between `start` and the callback.
class InferRequest {
 public:
  virtual ~InferRequest() = default;
  /// The request's own memory of input `index`, to be filled in place, as f32: whatever the graph takes, it converts. For inputs
  /// that are not `takes_i64`.
  virtual std::span<float> input(std::size_t index) = 0;
  /// Likewise, for inputs that the graph declares as i64 or i32: sizes, masks, indices.
  virtual std::span<std::int64_t> input_i64(std::size_t index) = 0;
  /// Valid after the callback, until the next `start`. As f32, whatever the graph gives.
  virtual std::span<const float> output(std::size_t index) = 0;
  /// The real shape of output `index`, valid likewise.
  virtual std::vector<std::int64_t> output_shape(std::size_t index) = 0;
  /// Begins the inference; `done` is called once from a thread of the engine, with the failure if there was one. `done` must not
  /// throw, and must not call `start` itself.
  virtual void start(std::function<void(std::exception_ptr)> done) = 0;
  /// Runs the inference and returns once it is done; see `CompiledModel::computes_in_caller`. Throws what it failed with.
  virtual void run();
};

/// A graph made ready for one device. Safe to use from any thread.
class CompiledModel {
 public:
  virtual ~CompiledModel() = default;
  virtual std::unique_ptr<InferRequest> create_request() = 0;
  /// How many requests in flight keep the device busy.
  virtual int optimal_requests() const = 0;
  /// Whether `InferRequest::run` computes on the thread that calls it and on no other. As many threads as `optimal_requests` that
  /// call it keep the device as busy as `start` does, and each finds in its processor's caches what it wrote there.
  virtual bool computes_in_caller() const { return false; }
  /// What `InferRequest::output` counts: the outputs asked for, else those of the graph, in its order.
  virtual std::size_t output_count() const = 0;
  /// The device that really runs, as the engine says: "CPU".
  virtual std::string device() const = 0;
};

/// An inference engine. Reading a graph and compiling it throw `not_found`; `bad_model` for what is no model, is truncated, or has
/// operations that the engine does not know. Compiling throws `engine` for a device that is not there, listing those that are, or
/// that cannot run the graph; `wrong_use` for shapes that do not fit what the graph declares; `unsupported` for inputs or outputs
/// that are not numbers.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;
  /// Of the library that runs: "2026.4.1".
  virtual std::string version() const = 0;
  virtual GraphInfo inspect(const std::filesystem::path& model) = 0;
  virtual std::unique_ptr<CompiledModel> compile(const std::filesystem::path& model, const CompileOptions& options) = 0;
};

/// The engine of that name. Throws `wrong_use` with the names that exist; `engine` when its library is not installed or cannot
/// start.
std::unique_ptr<Engine> open_engine(std::string_view name);
std::vector<std::string_view> engine_names();

}  // namespace verilabel
