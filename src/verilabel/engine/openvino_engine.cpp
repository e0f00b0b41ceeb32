#include "verilabel/engine/openvino_engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <openvino/core/graph_util.hpp>
#include <openvino/frontend/manager.hpp>
#include <openvino/op/concat.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/gather_elements.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/variadic_split.hpp>
#include <openvino/openvino.hpp>
#include <openvino/pass/constant_folding.hpp>
#include <openvino/pass/manager.hpp>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/engine/external_weights.h"
#include "verilabel/engine/model_file.h"

namespace verilabel {

namespace {

// What OpenVINO says, without its source lines and without the names of the layers that the exception came through.
std::string reason_of(const std::exception& error) {
  std::string reason;
  for (std::string_view rest = error.what(); !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) {
      line.remove_suffix(1);
    }
    if (line.empty() || line.starts_with("Exception from ") || line.starts_with("FrontEnd API failed with ") ||
        (line.starts_with("Check '") && line.find("' failed at ") != std::string_view::npos)) {
      continue;
    }
    reason += reason.empty() ? "" : " ";
    reason += line;
  }
  return reason.empty() ? std::string(error.what()) : reason;
}

ElementType element_type_of(const ov::element::Type& type) {
  switch (ov::element::Type_t(type)) {
    case ov::element::Type_t::f32:
      return ElementType::f32;
    case ov::element::Type_t::f16:
      return ElementType::f16;
    case ov::element::Type_t::f64:
      return ElementType::f64;
    case ov::element::Type_t::i64:
      return ElementType::i64;
    case ov::element::Type_t::i32:
      return ElementType::i32;
    case ov::element::Type_t::u8:
      return ElementType::u8;
    case ov::element::Type_t::i8:
      return ElementType::i8;
    case ov::element::Type_t::boolean:
      return ElementType::boolean;
    default:
      return ElementType::other;
  }
}

TensorInfo info_of(const ov::Output<const ov::Node>& port, const std::string& node_name) {
  TensorInfo info;
  // A tensor may carry several names when the graph only passes it on; the node is called after the one that the model declares.
  const std::string declared = node_name.substr(0, node_name.find("/sink_port_"));
  const auto& names = port.get_names();
  info.name = names.contains(declared) ? declared : (names.empty() ? node_name : port.get_any_name());
  info.type = element_type_of(port.get_element_type());
  const ov::PartialShape& shape = port.get_partial_shape();
  if (shape.rank().is_static()) {
    for (const ov::Dimension& size : shape) {
      info.shape.push_back(size.is_static() ? size.get_length() : -1);
    }
  }
  return info;
}

std::vector<TensorInfo> inputs_of(const ov::Model& graph) {
  std::vector<TensorInfo> infos;
  for (const auto& input : graph.inputs()) {
    infos.push_back(info_of(input, input.get_node()->get_friendly_name()));
  }
  return infos;
}

std::vector<TensorInfo> outputs_of(const ov::Model& graph) {
  std::vector<TensorInfo> infos;
  for (const auto& output : graph.outputs()) {
    infos.push_back(info_of(output, output.get_node()->get_friendly_name()));
  }
  return infos;
}

// By the ONNX reader alone: `ov::Core::read_model` would offer a file that is no ONNX to the readers of all other formats, some of
// which write to standard error.
std::shared_ptr<ov::Model> read_graph(const std::filesystem::path& model) {
  require_model_file(model);
  const LoadableGraph loadable(model);
  std::shared_ptr<ov::Model> graph;
  try {
    ov::frontend::FrontEndManager front_ends;
    const ov::frontend::FrontEnd::Ptr onnx = front_ends.load_by_framework("onnx");
    graph = onnx->convert(onnx->load(loadable.path().string()));
  } catch (const std::exception& error) {
    throw model_error(
        model, fmt::format(
                   "OpenVINO cannot read this as an ONNX model; the file may be of another kind or cut off, or of a form that only "
                   "ONNX Runtime takes (--engine onnxruntime): {}",
                   reason_of(error)));
  }
  if (graph->outputs().empty()) {
    throw model_error(model, "the file holds no graph with outputs: it is of another kind or cut off");
  }
  return graph;
}

Error engine_error(const std::exception& error) {
  return Error(ErrorCode::engine, fmt::format("OpenVINO failed: {}", reason_of(error)));
}

std::exception_ptr translated(const std::exception_ptr& failure) {
  if (!failure) {
    return nullptr;
  }
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return std::make_exception_ptr(engine_error(error));
  } catch (...) {
    return failure;
  }
}

template <typename Action>
auto guarded(const Action& action) {
  try {
    return action();
  } catch (const std::exception& error) {
    throw engine_error(error);
  }
}

class OpenvinoRequest final : public InferRequest {
 public:
  explicit OpenvinoRequest(ov::InferRequest request) : request_(std::move(request)) {}
  OpenvinoRequest(const OpenvinoRequest&) = delete;
  OpenvinoRequest& operator=(const OpenvinoRequest&) = delete;
  ~OpenvinoRequest() override {
    try {
      request_.wait();
    } catch (...) {
      // The callback has had it.
    }
  }

  std::span<float> input(std::size_t index) override {
    return guarded([&] {
      ov::Tensor tensor = request_.get_input_tensor(index);
      return std::span<float>(tensor.data<float>(), tensor.get_size());
    });
  }

  std::span<std::int64_t> input_i64(std::size_t index) override {
    return guarded([&] {
      ov::Tensor tensor = request_.get_input_tensor(index);
      return std::span<std::int64_t>(tensor.data<std::int64_t>(), tensor.get_size());
    });
  }

  std::span<const float> output(std::size_t index) override {
    return guarded([&] {
      const ov::Tensor tensor = request_.get_output_tensor(index);
      return std::span<const float>(tensor.data<const float>(), tensor.get_size());
    });
  }

  std::vector<std::int64_t> output_shape(std::size_t index) override {
    return guarded([&] {
      const ov::Shape shape = request_.get_output_tensor(index).get_shape();
      return std::vector<std::int64_t>(shape.begin(), shape.end());
    });
  }

  void start(std::function<void(std::exception_ptr)> done) override {
    guarded([&] {
      request_.set_callback([done = std::move(done)](const std::exception_ptr& failure) { done(translated(failure)); });
      request_.start_async();
    });
  }

 private:
  ov::InferRequest request_;
};

class OpenvinoModel final : public CompiledModel {
 public:
  OpenvinoModel(ov::CompiledModel compiled, int optimal_requests, std::string device)
      : compiled_(std::move(compiled)), optimal_requests_(optimal_requests), device_(std::move(device)) {}

  std::unique_ptr<InferRequest> create_request() override {
    try {
      return std::make_unique<OpenvinoRequest>(compiled_.create_infer_request());
    } catch (const std::exception& error) {
      throw Error(ErrorCode::engine, fmt::format("OpenVINO cannot set up an inference: {}", reason_of(error)));
    }
  }
  int optimal_requests() const override { return optimal_requests_; }
  std::size_t output_count() const override { return compiled_.outputs().size(); }
  std::string device() const override { return device_; }

 private:
  ov::CompiledModel compiled_;
  int optimal_requests_;
  std::string device_;
};

class OpenvinoEngine final : public Engine {
 public:
  std::string_view name() const override { return "openvino"; }
  std::string version() const override {
    const std::string build = ov::get_openvino_version().buildNumber;  // 2026.4.1-22456-abcdef
    return build.substr(0, build.find('-'));
  }

  GraphInfo inspect(const std::filesystem::path& model) override {
    const std::shared_ptr<ov::Model> graph = read_graph(model);
    GraphInfo info{inputs_of(*graph), outputs_of(*graph), {}, scales_over_batch(model)};
    // Where the reader puts `metadata_props`.
    if (graph->has_rt_info("framework")) {
      for (const auto& [key, value] : graph->get_rt_info<ov::AnyMap>("framework")) {
        info.metadata.emplace(key, value.as<std::string>());
      }
    }
    return info;
  }

  std::unique_ptr<CompiledModel> compile(const std::filesystem::path& model, const CompileOptions& options) override {
    const std::string device = available_device(options.device);
    std::shared_ptr<ov::Model> graph = read_graph(model);
    keep_outputs(graph, model, options.outputs);
    leave_out_empty_parts(*graph, options.input_shapes);
    fix_input_shapes(*graph, model, options.input_shapes);
    convert_ends(graph, model);
    protect_slices(graph);

    // As many streams as processors, which is what keeps a CPU busiest with images that do not depend on each other.
    ov::AnyMap properties = {ov::hint::performance_mode(ov::hint::PerformanceMode::THROUGHPUT)};
    const bool is_cpu = device == "CPU";
    if (!device.starts_with("NPU")) {
      properties.insert(ov::hint::inference_precision(ov::element::f32));
    }
    if (is_cpu && options.threads > 0) {
      properties.insert(ov::inference_num_threads(options.threads));
    }
    try {
      ov::CompiledModel compiled = core_.compile_model(graph, device, properties);
      const auto requests = static_cast<int>(compiled.get_property(ov::optimal_number_of_infer_requests));
      const std::vector<std::string> devices = compiled.get_property(ov::execution_devices);
      const std::string used = fmt::format("{}", fmt::join(devices, ","));
      if (!std::ranges::all_of(devices, [&](const std::string& each) { return each.starts_with(device); })) {
        throw Error(ErrorCode::engine, fmt::format("OpenVINO took the device {} instead of {}", used, device),
                    {{"file", model.string()}});
      }
      return std::make_unique<OpenvinoModel>(std::move(compiled), std::max(1, requests), used);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error(ErrorCode::engine, fmt::format("OpenVINO cannot run this model on the device {}: {}", device, reason_of(error)),
                  {{"file", model.string()}});
    }
  }

 private:
  // OpenVINO's name of the device asked for, which is there.
  std::string available_device(const std::string& asked) {
    std::string wanted = asked;
    std::ranges::transform(wanted, wanted.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    std::vector<std::string> devices;
    try {
      devices = core_.get_available_devices();
    } catch (const std::exception& error) {
      throw Error(ErrorCode::engine, fmt::format("OpenVINO cannot list its devices: {}", reason_of(error)));
    }
    for (std::string& each : devices) {
      // With several of a kind they are GPU.0, GPU.1, …; GPU alone is the first.
      if (each == wanted || (each.starts_with(wanted + '.') && !wanted.empty())) {
        return wanted;
      }
      std::ranges::transform(each, each.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    }
    throw Error(ErrorCode::engine, fmt::format("there is no device \"{}\" here; OpenVINO sees {}", asked, fmt::join(devices, ", ")),
                {{"device", asked}});
  }

  // Without the other outputs, OpenVINO drops whatever only they need. Inputs stay, needed or not.
  static void keep_outputs(std::shared_ptr<ov::Model>& graph, const std::filesystem::path& model,
                           const std::vector<std::size_t>& outputs) {
    if (outputs.empty()) {
      return;
    }
    require_outputs(model, outputs, graph->get_results().size());
    ov::OutputVector kept;
    for (const std::size_t output : outputs) {
      kept.push_back(graph->get_results()[output]->input_value(0));
    }
    graph = std::make_shared<ov::Model>(kept, graph->get_parameters());
  }

  // ONNX Runtime joins tensors of which one holds no numbers whatever its other lengths are; OpenVINO refuses unless they fit.
  // Graphs that take several kinds of prompts need it, where all but one are empty. What cannot be reshaped fails below, with a
  // reason.
  static void leave_out_empty_parts(ov::Model& graph, const std::vector<std::vector<std::int64_t>>& shapes) {
    const auto is_empty = [](const ov::PartialShape& shape) {
      return shape.rank().is_static() && std::any_of(shape.begin(), shape.end(), [](const ov::Dimension& size) {
               return size.is_static() && size.get_length() == 0;
             });
    };
    bool has_empty_input = false;
    for (std::size_t i = 0; i < std::min(shapes.size(), graph.get_parameters().size()); ++i) {
      const ov::PartialShape shape(std::vector<ov::Dimension>(shapes[i].begin(), shapes[i].end()));
      if (is_empty(shape) && graph.input(i).get_partial_shape().compatible(shape)) {
        graph.get_parameters()[i]->set_partial_shape(shape);
        has_empty_input = true;
      }
    }
    if (!has_empty_input) {
      return;
    }
    try {
      for (const std::shared_ptr<ov::Node>& node : graph.get_ordered_ops()) {
        const auto concat = ov::as_type_ptr<ov::op::v0::Concat>(node);
        ov::OutputVector parts;
        if (concat) {
          std::ranges::copy_if(concat->input_values(), std::back_inserter(parts),
                               [&](const ov::Output<ov::Node>& part) { return !is_empty(part.get_partial_shape()); });
        }
        if (!parts.empty() && parts.size() < concat->get_input_size()) {
          const auto rest = std::make_shared<ov::op::v0::Concat>(parts, concat->get_axis());
          rest->set_friendly_name(concat->get_friendly_name());
          ov::replace_node(concat, rest);
        } else {
          node->revalidate_and_infer_types();
        }
      }
    } catch (const ov::Exception&) {
      return;
    }
  }

  static void fix_input_shapes(ov::Model& graph, const std::filesystem::path& model,
                               const std::vector<std::vector<std::int64_t>>& shapes) {
    const std::vector<TensorInfo> inputs = inputs_of(graph);
    const auto shape_at = [&](std::size_t i) {
      return ov::PartialShape(std::vector<ov::Dimension>(shapes[i].begin(), shapes[i].end()));
    };
    // OpenVINO would override what the graph declares as fixed, and many a graph then computes nonsense.
    require_shapes(model, inputs, shapes,
                   [&](std::size_t i) { return graph.input(i).get_partial_shape().compatible(shape_at(i)); });
    std::map<ov::Output<ov::Node>, ov::PartialShape> shape_of_input;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      shape_of_input[graph.input(i)] = shape_at(i);
    }
    try {
      graph.reshape(shape_of_input);
    } catch (const std::exception& error) {
      throw model_error(model, fmt::format("the graph with the inputs {} cannot take the shapes {}: {}", text_of(inputs),
                                           text_of(shapes), reason_of(error)));
    }
  }

  // Requests carry f32, and i64 for inputs that count; the graph itself converts what it takes and gives.
  static void convert_ends(std::shared_ptr<ov::Model>& graph, const std::filesystem::path& model) {
    require_numbers(model, inputs_of(*graph));
    require_numbers(model, outputs_of(*graph));
    try {
      ov::preprocess::PrePostProcessor conversion(graph);
      for (std::size_t i = 0; i < graph->inputs().size(); ++i) {
        const bool is_whole = takes_i64(element_type_of(graph->input(i).get_element_type()));
        conversion.input(i).tensor().set_element_type(is_whole ? ov::element::i64 : ov::element::f32);
      }
      for (std::size_t i = 0; i < graph->outputs().size(); ++i) {
        conversion.output(i).tensor().set_element_type(ov::element::f32);
      }
      graph = conversion.build();
    } catch (const std::exception& error) {
      throw model_error(model, fmt::format("the inputs and outputs of the graph cannot be converted: {}", reason_of(error)));
    }
  }

  // OpenVINO 2026.4 takes a Slice from 0 before a GatherElements for superfluous. The sizes then differ in more than the axis,
  // which its own check refuses, so that one-to-one graphs that segment (YOLO26) do not compile. A split of the same numbers is
  // left alone.
  static void protect_slices(const std::shared_ptr<ov::Model>& graph) {
    const auto slice_before = [](const std::shared_ptr<ov::Node>& node) {
      const bool is_gather = ov::is_type<ov::op::v6::GatherElements>(node);
      return is_gather ? ov::as_type_ptr<ov::op::v8::Slice>(node->get_input_node_shared_ptr(0)) : nullptr;
    };
    const auto is_one_number = [](const ov::Output<ov::Node>& bound, std::int64_t wanted) {
      const auto constant = ov::as_type_ptr<ov::op::v0::Constant>(bound.get_node_shared_ptr());
      return constant && constant->cast_vector<std::int64_t>() == std::vector<std::int64_t>{wanted};
    };
    const std::vector<std::shared_ptr<ov::Node>> nodes = graph->get_ordered_ops();
    if (std::ranges::none_of(nodes, [&](const auto& node) { return slice_before(node) != nullptr; })) {
      return;
    }
    ov::pass::Manager passes;
    passes.register_pass<ov::pass::ConstantFolding>();  // so that bounds are numbers
    passes.run_passes(graph);
    for (const std::shared_ptr<ov::Node>& gather : graph->get_ordered_ops()) {
      const auto slice = slice_before(gather);
      if (!slice || !is_one_number(slice->input_value(1), 0) || !is_one_number(slice->input_value(3), 1)) {
        continue;
      }
      const ov::PartialShape from = slice->input_value(0).get_partial_shape();
      const ov::PartialShape to = slice->output(0).get_partial_shape();
      for (std::size_t axis = 0; from.is_static() && to.is_static() && axis < from.size(); ++axis) {
        if (from[axis] == to[axis]) {
          continue;
        }
        const std::int64_t kept = to[axis].get_length();
        const auto split = std::make_shared<ov::op::v1::VariadicSplit>(
            slice->input_value(0), ov::op::v0::Constant::create(ov::element::i64, {}, {axis}),
            ov::op::v0::Constant::create(ov::element::i64, {2}, {kept, from[axis].get_length() - kept}));
        gather->input(0).replace_source_output(split->output(0));
        break;  // one start is one axis
      }
    }
    graph->validate_nodes_and_infer_types();
  }

  ov::Core core_;
};

}  // namespace

std::unique_ptr<Engine> open_openvino_engine() {
  try {
    return std::make_unique<OpenvinoEngine>();
  } catch (const std::exception& error) {
    throw Error(ErrorCode::engine, fmt::format("OpenVINO cannot start: {}", reason_of(error)));
  }
}

}  // namespace verilabel
