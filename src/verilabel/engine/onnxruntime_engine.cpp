#include "verilabel/engine/onnxruntime_engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/engine/element_conversion.h"
#include "verilabel/engine/external_weights.h"
#include "verilabel/engine/model_file.h"
#include "verilabel/engine/onnxruntime_library.h"
#include "verilabel/engine/onnxruntime_placement.h"

namespace verilabel {

namespace {

// What a status says, without the file's name, which the context has, without ONNX Runtime's source lines, and without the status
// that it is put into when it passes a library.
std::string reason_of(std::string_view message) {
  constexpr std::string_view kStatus = "[ONNXRuntimeError] : ";
  if (const std::size_t status = message.find(kStatus); status != std::string_view::npos) {
    message.remove_prefix(status + kStatus.size());
    for (int part = 0; part < 2; ++part) {  // its number and its name
      const std::size_t end = message.find(" : ");
      message.remove_prefix(end == std::string_view::npos ? 0 : end + 3);
    }
  }
  constexpr std::string_view kBegin = "Load model from ";
  constexpr std::string_view kEnd = " failed:";
  if (const std::size_t end = message.find(kEnd); message.starts_with(kBegin) && end != std::string_view::npos) {
    message.remove_prefix(end + kEnd.size());
  }
  std::string reason;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find_first_of(" \n"), message.size());
    const std::string_view word = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    if (!word.empty() && word.find(".cc:") == std::string_view::npos && word.find(".h:") == std::string_view::npos) {
      reason += reason.empty() ? "" : " ";
      reason += word;
    }
  }
  return reason;
}

class Failure : public std::runtime_error {
 public:
  Failure(OrtErrorCode code, const std::string& reason) : std::runtime_error(reason), code_(code) {}
  OrtErrorCode code() const { return code_; }

 private:
  OrtErrorCode code_;
};

template <typename T>
struct Release {
  void (*function)(T*) = nullptr;
  void operator()(T* object) const { function(object); }
};
template <typename T>
using Owned = std::unique_ptr<T, Release<T>>;

// The library, with statuses as exceptions and results as values.
class Ort {
 public:
  explicit Ort(std::shared_ptr<const OnnxruntimeLibrary> library) : library_(std::move(library)) {}

  const OnnxruntimeLibrary& library() const { return *library_; }
  const OrtApi* operator->() const { return &library_->api(); }

  void check(OrtStatus* status) const {
    if (status != nullptr) {
      const Owned<OrtStatus> owned(status, {library_->api().ReleaseStatus});
      throw Failure(library_->api().GetErrorCode(status), reason_of(library_->api().GetErrorMessage(status)));
    }
  }

  // The last argument of most functions is where the result goes.
  template <typename Result, typename... Taken, typename... Given>
  Result get(OrtStatus* (*function)(Taken...), Given... given) const {
    Result result{};
    check(function(given..., &result));
    return result;
  }

  template <typename T, typename... Taken, typename... Given>
  Owned<T> own(void (*release)(T*), OrtStatus* (*function)(Taken...), Given... given) const {
    return Owned<T>(get<T*>(function, given...), {release});
  }

  OrtAllocator* allocator() const { return get<OrtAllocator*>(library_->api().GetAllocatorWithDefaultOptions); }

  // Takes over a string that the library allocated.
  std::string taken(char* text) const {
    const std::string copy = text == nullptr ? "" : text;
    check(library_->api().AllocatorFree(allocator(), text));
    return copy;
  }

 private:
  std::shared_ptr<const OnnxruntimeLibrary> library_;
};

ElementType element_type_of(OrtElementType type) {
  switch (type) {
    case OrtElementType::f32:
      return ElementType::f32;
    case OrtElementType::f16:
      return ElementType::f16;
    case OrtElementType::f64:
      return ElementType::f64;
    case OrtElementType::i64:
      return ElementType::i64;
    case OrtElementType::i32:
      return ElementType::i32;
    case OrtElementType::u8:
      return ElementType::u8;
    case OrtElementType::i8:
      return ElementType::i8;
    case OrtElementType::boolean:
      return ElementType::boolean;
    case OrtElementType::undefined:
      break;
  }
  return ElementType::other;
}

OrtElementType ort_type_of(ElementType type) {
  switch (type) {
    case ElementType::f32:
      return OrtElementType::f32;
    case ElementType::f16:
      return OrtElementType::f16;
    case ElementType::f64:
      return OrtElementType::f64;
    case ElementType::i64:
      return OrtElementType::i64;
    case ElementType::i32:
      return OrtElementType::i32;
    case ElementType::u8:
      return OrtElementType::u8;
    case ElementType::i8:
      return OrtElementType::i8;
    case ElementType::boolean:
      return OrtElementType::boolean;
    case ElementType::other:
      break;
  }
  return OrtElementType::undefined;
}

// An input or output as the graph declares it.
struct Port {
  TensorInfo info;
  std::vector<std::string> size_names;  // one a dimension, empty where it has none
  bool has_rank = false;
};

struct Graph {
  std::vector<Port> inputs;
  std::vector<Port> outputs;
};

std::vector<TensorInfo> infos_of(const std::vector<Port>& ports) {
  std::vector<TensorInfo> infos;
  infos.reserve(ports.size());
  for (const Port& port : ports) {
    infos.push_back(port.info);
  }
  return infos;
}

Port port_of(const Ort& ort, std::string name, const OrtTypeInfo* type) {
  Port port;
  port.info.name = std::move(name);
  const auto* tensor = ort.get<const OrtTensorTypeAndShapeInfo*>(ort->CastTypeInfoToTensorInfo, type);
  if (tensor == nullptr) {  // a sequence, a map, or what may be absent
    return port;
  }
  port.info.type = element_type_of(ort.get<OrtElementType>(ort->GetTensorElementType, tensor));
  port.has_rank = ort->TensorTypeAndShape_HasShape(tensor);
  port.info.shape.resize(ort.get<std::size_t>(ort->GetDimensionsCount, tensor));
  ort.check(ort->GetDimensions(tensor, port.info.shape.data(), port.info.shape.size()));
  std::vector<const char*> names(port.info.shape.size());
  ort.check(ort->GetSymbolicDimensions(tensor, names.data(), names.size()));
  port.size_names.assign(names.begin(), names.end());
  return port;
}

Graph graph_of(const Ort& ort, const OrtSession* session) {
  Graph graph;
  OrtAllocator* allocator = ort.allocator();
  for (std::size_t i = 0; i < ort.get<std::size_t>(ort->SessionGetInputCount, session); ++i) {
    const auto type = ort.own(ort->ReleaseTypeInfo, ort->SessionGetInputTypeInfo, session, i);
    graph.inputs.push_back(port_of(ort, ort.taken(ort.get<char*>(ort->SessionGetInputName, session, i, allocator)), type.get()));
  }
  for (std::size_t i = 0; i < ort.get<std::size_t>(ort->SessionGetOutputCount, session); ++i) {
    const auto type = ort.own(ort->ReleaseTypeInfo, ort->SessionGetOutputTypeInfo, session, i);
    graph.outputs.push_back(port_of(ort, ort.taken(ort.get<char*>(ort->SessionGetOutputName, session, i, allocator)), type.get()));
  }
  return graph;
}

std::map<std::string, std::string> metadata_of(const Ort& ort, const OrtSession* session) {
  std::map<std::string, std::string> metadata;
  OrtAllocator* allocator = ort.allocator();
  const auto properties = ort.own(ort->ReleaseModelMetadata, ort->SessionGetModelMetadata, session);
  char** keys = nullptr;
  std::int64_t count = 0;
  ort.check(ort->ModelMetadataGetCustomMetadataMapKeys(properties.get(), allocator, &keys, &count));
  for (char** key = keys; key != keys + count; ++key) {
    const std::string name = ort.taken(*key);
    metadata.emplace(
        name, ort.taken(ort.get<char*>(ort->ModelMetadataLookupCustomMetadataMap, properties.get(), allocator, name.c_str())));
  }
  ort.check(ort->AllocatorFree(allocator, static_cast<void*>(keys)));
  return metadata;
}

// What ONNX Runtime calls the providers of our devices.
struct DeviceRow {
  std::string_view name;
  const char* provider;
};
constexpr std::array kDevices = {
    DeviceRow{"cpu", kCpuProvider},
    DeviceRow{"cuda", "CUDAExecutionProvider"},
    DeviceRow{"tensorrt", "TensorrtExecutionProvider"},
};

constexpr std::string_view kNvidiaAdvice =
    "; NVIDIA's driver is needed, and `pip install onnxruntime-gpu[cuda,cudnn]`, with `pip install tensorrt` for TensorRT";

struct Device {
  const DeviceRow* row = nullptr;
  int index = 0;  // of several NVIDIA devices

  bool is_cpu() const { return row->provider == std::string_view(kCpuProvider); }
  std::string text() const {
    std::string upper(row->name);
    std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return is_cpu() ? upper : fmt::format("{}:{}", upper, index);
  }
};

std::vector<std::string> available_providers(const Ort& ort) {
  char** names = nullptr;
  int count = 0;
  ort.check(ort->GetAvailableProviders(&names, &count));
  std::vector<std::string> providers(names, names + count);
  ort.check(ort->ReleaseAvailableProviders(names, count));
  return providers;
}

// The device asked for, which the library has; whether the machine has it shows when it is used.
Device available_device(const Ort& ort, const std::string& asked) {
  std::string name = asked;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  int index = 0;
  bool is_known = true;
  if (const std::size_t colon = name.find(':'); colon != std::string::npos) {
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + colon + 1, end, index);
    is_known = parsed.ec == std::errc() && parsed.ptr == end && index >= 0 && !name.starts_with("cpu");
    name.resize(colon);
  }
  const auto* row = std::ranges::find(kDevices, name, &DeviceRow::name);
  is_known = is_known && row != kDevices.end();

  const std::vector<std::string> providers = available_providers(ort);
  std::vector<std::string_view> present;
  for (const DeviceRow& device : kDevices) {
    if (std::ranges::find(providers, device.provider) != providers.end()) {
      present.push_back(device.name);
    }
  }
  if (is_known && std::ranges::find(present, row->name) != present.end()) {
    return {row, index};
  }
  const std::string advice =
      is_known ? "; `pip install onnxruntime-gpu[cuda,cudnn]`, in place of onnxruntime, brings what NVIDIA devices need" : "";
  throw Error(ErrorCode::engine,
              fmt::format("there is no device \"{}\" here; this ONNX Runtime ({}) has {}{}", asked, ort.library().version(),
                          fmt::join(present, ", "), advice),
              {{"device", asked}, {"library", ort.library().file()}});
}

Owned<OrtSessionOptions> new_options(const Ort& ort) {
  auto options = ort.own(ort->ReleaseSessionOptions, ort->CreateSessionOptions);
  // Threads that wait for work would take time from those that decode images.
  ort.check(ort->AddSessionConfigEntry(options.get(), "session.intra_op.allow_spinning", "0"));
  ort.check(ort->SetIntraOpNumThreads(options.get(), 1));
  return options;
}

Owned<OrtSession> new_session(const Ort& ort, const std::filesystem::path& model, const OrtSessionOptions* options) {
  const LoadableGraph loadable(model);
  return ort.own(ort->ReleaseSession, ort->CreateSession, ort.library().environment(), loadable.path().c_str(), options);
}

template <typename Action>
auto reading(const std::filesystem::path& model, const Action& action) {
  try {
    return action();
  } catch (const Failure& failure) {
    throw model_error(model,
                      fmt::format("ONNX Runtime cannot read this as an ONNX model; the file may be of another kind or cut off: {}",
                                  failure.what()));
  }
}

// A session for looking only: nothing is optimised or laid out anew.
Owned<OrtSession> open_to_inspect(const Ort& ort, const std::filesystem::path& model) {
  require_model_file(model);
  return reading(model, [&] {
    const auto options = new_options(ort);
    ort.check(ort->SetSessionGraphOptimizationLevel(options.get(), OrtGraphOptimizationLevel::none));
    ort.check(ort->AddSessionConfigEntry(options.get(), "session.disable_prepacking", "1"));
    return new_session(ort, model, options.get());
  });
}

// Sizes that have a name are fixed beforehand, so that a graph that cannot take them is refused, and what follows from them is
// computed once. A name that stands for two sizes is left open: exporters use names more loosely than the format means them.
void fix_sizes(const Ort& ort, OrtSessionOptions* options, const std::vector<Port>& inputs,
               const std::vector<std::vector<std::int64_t>>& shapes) {
  std::map<std::string, std::optional<std::int64_t>> sizes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::size_t axis = 0; axis < inputs[i].size_names.size(); ++axis) {
      if (const std::string& name = inputs[i].size_names[axis]; !name.empty()) {
        const auto [entry, is_new] = sizes.emplace(name, shapes[i][axis]);
        if (!is_new && entry->second != shapes[i][axis]) {
          entry->second.reset();
        }
      }
    }
  }
  for (const auto& [name, size] : sizes) {
    if (size) {
      ort.check(ort->AddFreeDimensionOverrideByName(options, name.c_str(), *size));
    }
  }
}

// Memory as large as what is asked for, not the next power of two; convolutions by the algorithm that cuDNN expects to be quickest,
// because trying all takes minutes and workspace; f32 as it is.
void add_cuda(const Ort& ort, OrtSessionOptions* options, int index) {
  const auto cuda = ort.own(ort->ReleaseCUDAProviderOptions, ort->CreateCUDAProviderOptions);
  const std::string device = std::to_string(index);
  const std::array keys = {"device_id", "arena_extend_strategy", "cudnn_conv_algo_search", "use_tf32"};
  const std::array values = {device.c_str(), "kSameAsRequested", "HEURISTIC", "0"};
  ort.check(ort->UpdateCUDAProviderOptions(cuda.get(), keys.data(), values.data(), keys.size()));
  ort.check(ort->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda.get()));
}

void add_tensorrt(const Ort& ort, OrtSessionOptions* options, int index) {
  const auto tensorrt = ort.own(ort->ReleaseTensorRTProviderOptions, ort->CreateTensorRTProviderOptions);
  const std::string device = std::to_string(index);
  const std::array keys = {"device_id"};
  const std::array values = {device.c_str()};
  ort.check(ort->UpdateTensorRTProviderOptions(tensorrt.get(), keys.data(), values.data(), keys.size()));
  ort.check(ort->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, tensorrt.get()));
}

// Where each node of the graph went.
std::vector<PlacedNode> placement_of(const Ort& ort, const OrtSession* session) {
  const OrtEpAssignedSubgraph* const* parts = nullptr;
  std::size_t part_count = 0;
  ort.check(ort->Session_GetEpGraphAssignmentInfo(session, &parts, &part_count));
  std::vector<PlacedNode> placed;
  for (const OrtEpAssignedSubgraph* part : std::span(parts, part_count)) {
    const std::string provider = ort.get<const char*>(ort->EpAssignedSubgraph_GetEpName, part);
    const OrtEpAssignedNode* const* nodes = nullptr;
    std::size_t node_count = 0;
    ort.check(ort->EpAssignedSubgraph_GetNodes(part, &nodes, &node_count));
    for (const OrtEpAssignedNode* node : std::span(nodes, node_count)) {
      placed.push_back({provider, ort.get<const char*>(ort->EpAssignedNode_GetOperatorType, node)});
    }
  }
  return placed;
}

Error run_error(const std::string& reason) {
  return Error(ErrorCode::engine, fmt::format("ONNX Runtime failed: {}", reason));
}

std::size_t count_of(std::span<const std::int64_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1},
                         [](std::size_t count, std::int64_t size) { return count * static_cast<std::size_t>(size); });
}

class OnnxruntimeRequest;

// What the model and its requests share: the session, and the threads that run it.
class Runner {
 public:
  Runner(Ort ort, Owned<OrtSession> session, Graph graph, std::vector<std::vector<std::int64_t>> input_shapes)
      : ort_(std::move(ort)),
        session_(std::move(session)),
        memory_(ort_.own(ort_->ReleaseMemoryInfo, ort_->CreateCpuMemoryInfo, OrtAllocatorType::device, OrtMemoryType::standard)),
        graph_(std::move(graph)),
        input_shapes_(std::move(input_shapes)) {
    for (const Port& input : graph_.inputs) {
      input_names_.push_back(input.info.name.c_str());
    }
    for (const Port& output : graph_.outputs) {
      output_names_.push_back(output.info.name.c_str());
    }
  }
  ~Runner() {
    queue_.close();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Threads that take the inferences that are started; others run in their callers when `computes_in_caller`.
  void start_threads(unsigned count, bool computes_in_caller);
  bool computes_in_caller() const { return computes_in_caller_; }
  void push(OnnxruntimeRequest* request) { queue_.push(request); }

  const Ort& ort() const { return ort_; }
  OrtSession* session() const { return session_.get(); }
  const OrtMemoryInfo* memory() const { return memory_.get(); }
  const Graph& graph() const { return graph_; }
  const std::vector<std::vector<std::int64_t>>& input_shapes() const { return input_shapes_; }
  const std::vector<const char*>& input_names() const { return input_names_; }
  const std::vector<const char*>& output_names() const { return output_names_; }

 private:
  Ort ort_;
  Owned<OrtSession> session_;
  Owned<OrtMemoryInfo> memory_;
  Graph graph_;
  std::vector<std::vector<std::int64_t>> input_shapes_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  BoundedQueue<OnnxruntimeRequest*> queue_{std::numeric_limits<std::size_t>::max()};
  std::vector<std::thread> threads_;
  bool computes_in_caller_ = false;
};

class OnnxruntimeRequest final : public InferRequest {
 public:
  explicit OnnxruntimeRequest(std::shared_ptr<Runner> runner)
      : runner_(std::move(runner)), outputs_(runner_->graph().outputs.size()) {
    const Ort& ort = runner_->ort();
    for (std::size_t i = 0; i < runner_->graph().inputs.size(); ++i) {
      const std::vector<std::int64_t>& shape = runner_->input_shapes()[i];
      Input input;
      input.type = runner_->graph().inputs[i].info.type;
      const std::size_t count = count_of(shape);
      if (takes_i64(input.type)) {
        input.i64.resize(count);
      } else {
        input.f32.resize(count);
      }
      void* memory = input.f32.data();
      if (input.type == ElementType::i64) {
        memory = input.i64.data();
      } else if (input.type != ElementType::f32) {
        input.converted.resize(count * element_size(input.type));
        memory = input.converted.data();
      }
      if (count == 0) {  // the library wants an address all the same
        input.converted.reserve(1);
        memory = input.converted.data();
      }
      input.value = ort.own(ort->ReleaseValue, ort->CreateTensorWithDataAsOrtValue, runner_->memory(), memory,
                            count * element_size(input.type), shape.data(), shape.size(), ort_type_of(input.type));
      inputs_.push_back(std::move(input));
    }
  }
  OnnxruntimeRequest(const OnnxruntimeRequest&) = delete;
  OnnxruntimeRequest& operator=(const OnnxruntimeRequest&) = delete;
  ~OnnxruntimeRequest() override {
    std::unique_lock lock(mutex_);
    is_idle_.wait(lock, [&] { return pending_ == 0; });
  }

  std::span<float> input(std::size_t index) override {
    require_kind(index, false);
    return inputs_[index].f32;
  }

  std::span<std::int64_t> input_i64(std::size_t index) override {
    require_kind(index, true);
    return inputs_[index].i64;
  }

  std::span<const float> output(std::size_t index) override { return outputs_.at(index).values; }

  std::vector<std::int64_t> output_shape(std::size_t index) override { return outputs_.at(index).shape; }

  void start(std::function<void(std::exception_ptr)> done) override {
    {
      const std::lock_guard lock(mutex_);
      ++pending_;
    }
    done_ = std::move(done);
    runner_->push(this);
  }

  void run() override { runner_->computes_in_caller() ? compute() : InferRequest::run(); }

  // On a thread of the runner.
  void work() {
    // Once `done` is called, the next start may come at any time.
    const std::function<void(std::exception_ptr)> done = std::move(done_);
    std::exception_ptr failure;
    try {
      compute();
    } catch (...) {
      failure = std::current_exception();
    }
    done(failure);
    // Notified under the lock: the destructor may go on once it is free.
    const std::lock_guard lock(mutex_);
    --pending_;
    is_idle_.notify_all();
  }

 private:
  struct Input {
    ElementType type = ElementType::other;
    std::vector<float> f32;  // what callers write, one of these two
    std::vector<std::int64_t> i64;
    std::vector<std::byte> converted;  // what the graph takes, when it is something else
    Owned<OrtValue> value;             // borrows the memory that the graph reads
  };

  struct Output {
    Owned<OrtValue> value;
    std::vector<std::int64_t> shape;
    std::vector<float> converted;
    std::span<const float> values;
  };

  void require_kind(std::size_t index, bool is_i64) const {
    const TensorInfo& info = runner_->graph().inputs.at(index).info;
    if (takes_i64(info.type) != is_i64) {
      throw Error(ErrorCode::engine, fmt::format("the input {} is not filled as {}", text_of(info), is_i64 ? "i64" : "f32"));
    }
  }

  void compute() {
    try {
      convert_inputs();
      infer();
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw run_error(error.what());
    }
  }

  void convert_inputs() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      Input& input = inputs_[i];
      std::optional<std::size_t> misfit;
      if (input.type == ElementType::i32) {
        misfit = convert_to_i32(input.i64, reinterpret_cast<std::int32_t*>(input.converted.data()));
      } else if (!input.converted.empty()) {
        misfit = convert_from_f32(input.f32, input.type, input.converted.data());
      }
      if (misfit) {
        const std::string value =
            takes_i64(input.type) ? std::to_string(input.i64[*misfit]) : fmt::format("{}", input.f32[*misfit]);
        throw Error(ErrorCode::engine,
                    fmt::format("the value {} does not fit into the input {}", value, text_of(runner_->graph().inputs[i].info)));
      }
    }
  }

  void infer() {
    const Ort& ort = runner_->ort();
    std::vector<const OrtValue*> given;
    for (const Input& input : inputs_) {
      given.push_back(input.value.get());
    }
    std::vector<OrtValue*> made(outputs_.size(), nullptr);
    for (Output& output : outputs_) {
      output.value.reset();
    }
    ort.check(ort->Run(runner_->session(), nullptr, runner_->input_names().data(), given.data(), given.size(),
                       runner_->output_names().data(), made.size(), made.data()));
    for (std::size_t i = 0; i < made.size(); ++i) {
      outputs_[i].value = Owned<OrtValue>(made[i], {ort->ReleaseValue});
    }
    for (Output& output : outputs_) {
      read_output(output);
    }
  }

  void read_output(Output& output) const {
    const Ort& ort = runner_->ort();
    const auto info = ort.own(ort->ReleaseTensorTypeAndShapeInfo, ort->GetTensorTypeAndShape, output.value.get());
    output.shape.resize(ort.get<std::size_t>(ort->GetDimensionsCount, info.get()));
    ort.check(ort->GetDimensions(info.get(), output.shape.data(), output.shape.size()));
    const std::size_t count = count_of(output.shape);
    const ElementType type = element_type_of(ort.get<OrtElementType>(ort->GetTensorElementType, info.get()));
    const void* elements = ort.get<void*>(ort->GetTensorMutableData, output.value.get());
    if (type == ElementType::f32) {
      output.values = {static_cast<const float*>(elements), count};
      return;
    }
    output.converted.resize(count);
    convert_to_f32(type, static_cast<const std::byte*>(elements), output.converted);
    output.values = output.converted;
    output.value.reset();
  }

  std::shared_ptr<Runner> runner_;
  std::vector<Input> inputs_;
  std::vector<Output> outputs_;
  std::function<void(std::exception_ptr)> done_;
  std::mutex mutex_;
  std::condition_variable is_idle_;
  int pending_ = 0;  // starts whose `done` has not returned; two for a moment when one is followed at once
};

void Runner::start_threads(unsigned count, bool computes_in_caller) {
  computes_in_caller_ = computes_in_caller;
  for (unsigned i = 0; i < count; ++i) {
    threads_.emplace_back([this] {
      while (const std::optional<OnnxruntimeRequest*> request = queue_.pop()) {
        (*request)->work();
      }
    });
  }
}

class OnnxruntimeModel final : public CompiledModel {
 public:
  OnnxruntimeModel(std::shared_ptr<Runner> runner, int threads, std::string device)
      : runner_(std::move(runner)), threads_(threads), device_(std::move(device)) {}

  std::unique_ptr<InferRequest> create_request() override {
    try {
      return std::make_unique<OnnxruntimeRequest>(runner_);
    } catch (const Failure& failure) {
      throw Error(ErrorCode::engine, fmt::format("ONNX Runtime cannot set up an inference: {}", failure.what()));
    }
  }
  int optimal_requests() const override { return threads_; }
  bool computes_in_caller() const override { return runner_->computes_in_caller(); }
  std::size_t output_count() const override { return runner_->graph().outputs.size(); }
  std::string device() const override { return device_; }

 private:
  std::shared_ptr<Runner> runner_;
  int threads_;
  std::string device_;
};

class OnnxruntimeEngine final : public Engine {
 public:
  explicit OnnxruntimeEngine(Ort ort) : ort_(std::move(ort)) {}

  std::string_view name() const override { return "onnxruntime"; }
  std::string version() const override { return ort_.library().version(); }

  GraphInfo inspect(const std::filesystem::path& model) override {
    const auto session = open_to_inspect(ort_, model);
    return reading(model, [&] {
      const Graph graph = graph_of(ort_, session.get());
      return GraphInfo{infos_of(graph.inputs), infos_of(graph.outputs), metadata_of(ort_, session.get()), scales_over_batch(model)};
    });
  }

  std::unique_ptr<CompiledModel> compile(const std::filesystem::path& model, const CompileOptions& options) override {
    const Device device = available_device(ort_, options.device);
    Graph graph = reading(model, [&] { return graph_of(ort_, open_to_inspect(ort_, model).get()); });
    const std::vector<TensorInfo> inputs = infos_of(graph.inputs);
    require_shapes(model, inputs, options.input_shapes, [&](std::size_t i) {
      const std::vector<std::int64_t>& declared = inputs[i].shape;
      const std::vector<std::int64_t>& given = options.input_shapes[i];
      return !graph.inputs[i].has_rank ||
             std::ranges::equal(declared, given, [](std::int64_t size, std::int64_t wanted) { return size < 0 || size == wanted; });
    });
    require_numbers(model, inputs);
    keep_outputs(graph, model, options.outputs);
    require_numbers(model, infos_of(graph.outputs));
    try {
      Owned<OrtSession> session = new_session_on(device, model, graph.inputs, options.input_shapes);
      require_placement(device.row->provider, placement_of(ort_, session.get()));
      // On a processor one inference a thread, each on its own: images do not depend on each other, and nobody waits for anybody. A
      // device of its own takes one after the other, and there is always a next one.
      const unsigned threads = device.is_cpu() ? thread_count(static_cast<unsigned>(options.threads)) : 1;
      auto runner = std::make_shared<Runner>(ort_, std::move(session), std::move(graph), options.input_shapes);
      runner->start_threads(threads, device.is_cpu());
      return std::make_unique<OnnxruntimeModel>(std::move(runner), static_cast<int>(threads), device.text());
    } catch (const Failure& failure) {
      if (device.is_cpu() && failure.code() != OrtErrorCode::runtime_exception) {
        throw model_error(model, fmt::format("the graph with the inputs {} cannot take the shapes {}: {}", text_of(inputs),
                                             text_of(options.input_shapes), failure.what()));
      }
      const bool lacks_library = std::string_view(failure.what()).find("Failed to load library") != std::string_view::npos;
      throw Error(ErrorCode::engine,
                  fmt::format("ONNX Runtime cannot run this model on the device {}: {}{}", device.text(), failure.what(),
                              lacks_library ? kNvidiaAdvice : ""),
                  {{"file", model.string()}, {"library", ort_.library().file()}});
    } catch (const Error& error) {
      throw error.with("file", model.string());
    }
  }

 private:
  // ONNX Runtime computes the others all the same.
  static void keep_outputs(Graph& graph, const std::filesystem::path& model, const std::vector<std::size_t>& outputs) {
    if (outputs.empty()) {
      return;
    }
    require_outputs(model, outputs, graph.outputs.size());
    std::vector<Port> kept;
    for (const std::size_t output : outputs) {
      kept.push_back(graph.outputs[output]);
    }
    graph.outputs = std::move(kept);
  }

  Owned<OrtSession> new_session_on(const Device& device, const std::filesystem::path& model, const std::vector<Port>& inputs,
                                   const std::vector<std::vector<std::int64_t>>& shapes) const {
    const auto session_options = new_options(ort_);
    ort_.check(ort_->AddSessionConfigEntry(session_options.get(), "session.record_ep_graph_assignment_info", "1"));
    // Weights stay out of the arena, which grows by powers of two.
    ort_.check(ort_->AddSessionConfigEntry(session_options.get(), "session.use_device_allocator_for_initializers", "1"));
    fix_sizes(ort_, session_options.get(), inputs, shapes);
    if (!device.is_cpu()) {
      load_nvidia_packages(ort_.library().file());
    }
    if (device.row->name == "tensorrt") {
      add_tensorrt(ort_, session_options.get(), device.index);
    }
    if (!device.is_cpu()) {
      add_cuda(ort_, session_options.get(), device.index);  // with TensorRT: for what it leaves
    }
    return new_session(ort_, model, session_options.get());
  }

  Ort ort_;
};

}  // namespace

std::unique_ptr<Engine> open_onnxruntime_engine() {
  return std::make_unique<OnnxruntimeEngine>(Ort(OnnxruntimeLibrary::load(OnnxruntimePlaces::of_this_process())));
}

}  // namespace verilabel
