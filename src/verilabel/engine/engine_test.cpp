#include "verilabel/engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <future>
#include <numeric>
#include <set>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/engine/testing_installed.h"

namespace verilabel {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Shape = std::vector<std::int64_t>;

// Protocol buffers by hand, as much as a tiny ONNX model takes.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<char>(value | 0x80));
  }
  bytes.push_back(static_cast<char>(value));
  return bytes;
}
std::string number(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
std::string bytes(int field, const std::string& content) {
  return varint((static_cast<std::uint64_t>(field) << 3) | 2) + varint(content.size()) + content;
}

constexpr int kOnnxFloat = 1;
constexpr int kOnnxUint8 = 2;
constexpr int kOnnxInt8 = 3;
constexpr int kOnnxInt32 = 6;
constexpr int kOnnxInt64 = 7;
constexpr int kOnnxString = 8;
constexpr int kOnnxBool = 9;
constexpr int kOnnxHalf = 10;
constexpr int kOnnxDouble = 11;

std::string value_info(const std::string& name, int type, const std::vector<std::string>& sizes) {
  std::string shape;
  for (const std::string& size : sizes) {
    const bool is_fixed = !size.empty() && size.find_first_not_of("0123456789") == std::string::npos;
    shape += bytes(1, is_fixed ? number(1, std::stoull(size)) : (size.empty() ? "" : bytes(2, size)));
  }
  return bytes(1, name) + bytes(2, bytes(1, number(1, static_cast<std::uint64_t>(type)) + bytes(2, shape)));
}

struct TinyModel {
  std::string operation = "Relu";
  int type = kOnnxFloat;
  std::vector<std::string> sizes = {"batch", "3", "2", "width"};
  std::vector<std::pair<std::string, std::string>> metadata = {};
};

// One input `images`, one operation, one output `output0` of the same kind.
std::string onnx_of(const TinyModel& model) {
  const std::string node = bytes(1, "images") + bytes(2, "output0") + bytes(3, "only") + bytes(4, model.operation);
  const std::string graph = bytes(1, node) + bytes(2, "tiny") + bytes(11, value_info("images", model.type, model.sizes)) +
                            bytes(12, value_info("output0", model.type, model.sizes));
  std::string content = number(1, 8) + bytes(7, graph) + bytes(8, bytes(1, "") + number(2, 17));
  for (const auto& [key, value] : model.metadata) {
    content += bytes(14, bytes(1, key) + bytes(2, value));
  }
  return content;
}

// A whole model of the content of a graph.
std::string onnx_with(const std::string& graph) {
  return number(1, 8) + bytes(7, graph) + bytes(8, bytes(1, "") + number(2, 17));
}

class EngineTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string reason = reason_to_skip(GetParam()); !reason.empty()) {
      GTEST_SKIP() << reason;
    }
    folder_ = std::filesystem::temp_directory_path() / ("verilabel_engine_test_" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    engine_ = open_engine(GetParam());
  }
  void TearDown() override {
    if (!folder_.empty()) {
      std::filesystem::remove_all(folder_);
    }
  }

  std::filesystem::path written(const std::string& name, const std::string& content) {
    const std::filesystem::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  template <typename Action>
  static Error error_of(const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorCode::internal, "nothing");
  }

  static void run(InferRequest& request) {
    std::promise<std::exception_ptr> done;
    request.start([&](const std::exception_ptr& failure) { done.set_value(failure); });
    const std::exception_ptr failure = done.get_future().get();
    if (failure) {
      std::rethrow_exception(failure);
    }
  }

  std::filesystem::path folder_;
  std::unique_ptr<Engine> engine_;
};

// OpenVINO's graphs convert on their own, without a word, and read outside of a tensor rather than fail.
class OnnxruntimeTest : public EngineTest {};

TEST(EngineTable, UnknownNamesAnswerWithTheKnownOnes) {
  EXPECT_THAT(engine_names(), ElementsAre("openvino", "onnxruntime"));
  EXPECT_EQ(open_engine("openvino")->name(), "openvino");
  try {
    open_engine("tensorrt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_THAT(error.message(), AllOf(HasSubstr("tensorrt"), HasSubstr("openvino, onnxruntime")));
  }
}

TEST(TensorText, SaysNameTypeAndShape) {
  EXPECT_EQ(text_of({"images", ElementType::f32, {1, 3, -1, 416}}), "images f32 [1, 3, ?, 416]");
  EXPECT_EQ(text_of({"flag", ElementType::boolean, {}}), "flag boolean []");
}

TEST_P(EngineTest, InspectsTypesShapesAndMetadata) {
  const auto path =
      written("tiny.onnx", onnx_of({.metadata = {{"names", "{0: 'pérson', 1: \"d'og\"}"}, {"a.b", ""}, {"鍵", "x"}}}));
  const GraphInfo info = engine_->inspect(path);
  ASSERT_EQ(info.inputs.size(), 1u);
  EXPECT_EQ(info.inputs[0].name, "images");
  EXPECT_EQ(info.inputs[0].type, ElementType::f32);
  EXPECT_THAT(info.inputs[0].shape, ElementsAre(-1, 3, 2, -1));
  ASSERT_EQ(info.outputs.size(), 1u);
  EXPECT_EQ(info.outputs[0].name, "output0");
  EXPECT_EQ(info.metadata, (std::map<std::string, std::string>{{"names", "{0: 'pérson', 1: \"d'og\"}"}, {"a.b", ""}, {"鍵", "x"}}));

  EXPECT_EQ(engine_->inspect(written("half.onnx", onnx_of({.type = kOnnxHalf}))).inputs[0].type, ElementType::f16);
  EXPECT_EQ(engine_->inspect(written("byte.onnx", onnx_of({.operation = "Identity", .type = kOnnxUint8}))).inputs[0].type,
            ElementType::u8);
  EXPECT_TRUE(engine_->inspect(written("bare.onnx", onnx_of({}))).metadata.empty());
}

TEST_P(EngineTest, SeesWhetherAGraphQuantisesAsItRuns) {
  EXPECT_FALSE(engine_->inspect(written("plain.onnx", onnx_of({}))).scales_over_batch);
  const std::vector<std::string> sizes = {"1", "3", "2", "4"};
  const std::string node = bytes(1, "images") + bytes(2, "output0") + bytes(2, "scale") + bytes(2, "zero") + bytes(3, "only") +
                           bytes(4, "DynamicQuantizeLinear");
  const std::string graph = bytes(1, node) + bytes(2, "tiny") + bytes(11, value_info("images", kOnnxFloat, sizes)) +
                            bytes(12, value_info("output0", kOnnxUint8, sizes));
  EXPECT_TRUE(engine_->inspect(written("dynamic.onnx", onnx_with(graph))).scales_over_batch);
}

TEST_P(EngineTest, RunsInTheMemoryOfTheRequest) {
  const auto path = written("tiny.onnx", onnx_of({}));
  const auto compiled = engine_->compile(path, {.device = "Cpu", .input_shapes = {{2, 3, 2, 4}}});
  EXPECT_EQ(compiled->device(), "CPU");
  EXPECT_GE(compiled->optimal_requests(), 1);
  EXPECT_EQ(compiled->output_count(), 1u);
  const auto request = compiled->create_request();
  const std::span<float> input = request->input(0);
  ASSERT_EQ(input.size(), 48u);
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < input.size(); ++i) {
      input[i] = static_cast<float>(i) - 20.5F + static_cast<float>(round);
    }
    run(*request);
    EXPECT_EQ(request->input(0).data(), input.data());
    EXPECT_THAT(request->output_shape(0), ElementsAre(2, 3, 2, 4));
    const std::span<const float> output = request->output(0);
    ASSERT_EQ(output.size(), 48u);
    for (std::size_t i = 0; i < output.size(); ++i) {
      EXPECT_EQ(output[i], std::max(0.0F, input[i])) << i;
    }
  }
}

// What one-to-one heads with masks do: rows of a slice, picked by an index that is as wide as the slice. OpenVINO alone refuses it.
TEST_P(EngineTest, RunsAGatherFromASliceAtTheBeginning) {
  const auto integers = [](const std::string& name, const std::vector<std::uint64_t>& sizes,
                           const std::vector<std::uint64_t>& values) {
    std::string dims;
    for (const std::uint64_t size : sizes) {
      dims += number(1, size);
    }
    std::string packed;
    for (const std::uint64_t value : values) {
      packed += varint(value);
    }
    return bytes(5, dims + number(2, kOnnxInt64) + bytes(7, packed) + bytes(8, name));
  };
  const std::string slice =
      bytes(1, "images") + bytes(1, "from") + bytes(1, "to") + bytes(1, "axes") + bytes(2, "part") + bytes(4, "Slice");
  const std::string axis = bytes(1, "axis") + number(3, 1) + number(20, 2);
  const std::string gather =
      bytes(1, "part") + bytes(1, "rows") + bytes(2, "output0") + bytes(4, "GatherElements") + bytes(5, axis);
  const std::string graph = bytes(1, slice) + bytes(1, gather) + bytes(2, "picking") + integers("from", {1}, {0}) +
                            integers("to", {1}, {2}) + integers("axes", {1}, {2}) + integers("rows", {1, 2, 2}, {2, 2, 0, 0}) +
                            bytes(11, value_info("images", kOnnxFloat, {"1", "3", "5"})) +
                            bytes(12, value_info("output0", kOnnxFloat, {"1", "2", "2"}));
  const auto path = written("picking.onnx", onnx_with(graph));
  const auto model = engine_->compile(path, {.input_shapes = {{1, 3, 5}}});
  const auto request = model->create_request();
  std::iota(request->input(0).begin(), request->input(0).end(), 0.0F);
  run(*request);
  EXPECT_THAT(request->output(0), ElementsAre(10, 11, 0, 1));
}

TEST_P(EngineTest, RequestsRunIndependently) {
  const auto compiled = engine_->compile(written("tiny.onnx", onnx_of({})), {.input_shapes = {{1, 3, 2, 64}}, .threads = 2});
  std::vector<std::unique_ptr<InferRequest>> requests;
  std::vector<std::promise<std::exception_ptr>> done(8);
  for (std::size_t i = 0; i < done.size(); ++i) {
    requests.push_back(compiled->create_request());
    std::ranges::fill(requests[i]->input(0), static_cast<float>(i));
  }
  for (std::size_t i = 0; i < done.size(); ++i) {
    requests[i]->start([&, i](const std::exception_ptr& failure) { done[i].set_value(failure); });
  }
  for (std::size_t i = 0; i < done.size(); ++i) {
    EXPECT_FALSE(done[i].get_future().get());
    EXPECT_EQ(requests[i]->output(0).back(), static_cast<float>(i));
  }
}

TEST_P(EngineTest, RunsInThreadsThatCallSideBySide) {
  const auto compiled = engine_->compile(written("tiny.onnx", onnx_of({})), {.input_shapes = {{1, 3, 2, 64}}, .threads = 2});
  EXPECT_EQ(compiled->computes_in_caller(), engine_->name() == "onnxruntime");
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      const auto request = compiled->create_request();
      for (int i = 0; i < 50; ++i) {
        const auto value = static_cast<float>(100 * thread + i);
        std::ranges::fill(request->input(0), value);
        request->run();
        EXPECT_EQ(request->output(0).back(), value);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

// Left to itself OpenVINO would go down to bf16 on some processors: 1/3 would come out with 8 bits.
TEST_P(EngineTest, ConvertsOtherElementTypes) {
  const auto half = engine_->compile(written("half.onnx", onnx_of({.type = kOnnxHalf})), {.input_shapes = {{1, 3, 2, 2}}});
  const auto request = half->create_request();
  std::ranges::fill(request->input(0), 0.333251953125F);  // a half
  run(*request);
  EXPECT_EQ(request->output(0)[5], 0.333251953125F);

  const auto whole =
      engine_->compile(written("whole.onnx", onnx_of({.operation = "Abs", .type = kOnnxInt64})), {.input_shapes = {{1, 3, 2, 2}}});
  const auto whole_request = whole->create_request();
  ASSERT_EQ(whole_request->input_i64(0).size(), 12U);
  std::iota(whole_request->input_i64(0).begin(), whole_request->input_i64(0).end(), -2);
  run(*whole_request);
  EXPECT_THAT(whole_request->output(0).first(5), ElementsAre(2, 1, 0, 1, 2));
  // Each kind of memory is had by its own name.
  EXPECT_EQ(error_of([&] { whole_request->input(0); }).code(), ErrorCode::engine);
  EXPECT_EQ(error_of([&] { request->input_i64(0); }).code(), ErrorCode::engine);

  // i32 is widened; numbers beyond the 24 bits of a float pass as they are.
  const auto narrow = engine_->compile(written("narrow.onnx", onnx_of({.type = kOnnxInt32})), {.input_shapes = {{1, 3, 2, 2}}});
  const auto narrow_request = narrow->create_request();
  std::ranges::fill(narrow_request->input_i64(0), (1 << 24) + 2);
  run(*narrow_request);
  EXPECT_EQ(narrow_request->output(0)[0], 16777218.0F);

  const auto text = written("string.onnx", onnx_of({.operation = "Identity", .type = kOnnxString}));
  EXPECT_EQ(error_of([&] { engine_->compile(text, {.input_shapes = {{1, 3, 2, 2}}}); }).code(), ErrorCode::unsupported);
}

// Types that only pass through; what a request carries is f32 or i64 all the same.
TEST_P(EngineTest, GivesEveryTypeOfOutputAsF32) {
  for (const int type : {kOnnxDouble, kOnnxUint8, kOnnxInt8, kOnnxBool}) {
    const auto path = written("pass.onnx", onnx_of({.operation = "Identity", .type = type}));
    const auto model = engine_->compile(path, {.input_shapes = {{1, 3, 2, 2}}});
    const auto request = model->create_request();
    std::ranges::fill(request->input(0), 1.0F);
    request->input(0)[1] = 0.0F;
    run(*request);
    EXPECT_THAT(request->output(0).first(3), ElementsAre(1, 0, 1)) << type;
  }
}

TEST_P(EngineTest, LengthsOfZero) {
  const auto path = written("tiny.onnx", onnx_of({}));
  const auto model = engine_->compile(path, {.input_shapes = {{2, 3, 2, 0}}});
  const auto request = model->create_request();
  EXPECT_TRUE(request->input(0).empty());
  run(*request);
  EXPECT_TRUE(request->output(0).empty());
  EXPECT_THAT(request->output_shape(0), ElementsAre(2, 3, 2, 0));

  const auto whole = written("whole.onnx", onnx_of({.operation = "Abs", .type = kOnnxInt64, .sizes = {"n", "2"}}));
  const auto whole_request = engine_->compile(whole, {.input_shapes = {{0, 2}}})->create_request();
  EXPECT_TRUE(whole_request->input_i64(0).empty());
  run(*whole_request);
  EXPECT_TRUE(whole_request->output(0).empty());
}

// Prompts of two kinds are joined, and one kind is missing. ONNX Runtime would make room for it and leave the room unwritten, so
// that it must refuse.
TEST_P(EngineTest, JoiningLeavesOutWhatIsEmptyWhateverItsOtherLengths) {
  const std::string node = bytes(1, "a") + bytes(1, "b") + bytes(2, "both") + bytes(4, "Concat") +
                           bytes(5, bytes(1, "axis") + number(3, 1) + number(20, 2));
  const auto path =
      written("join.onnx", onnx_with(bytes(1, node) + bytes(2, "join") + bytes(11, value_info("a", kOnnxFloat, {"n", "k", "2"})) +
                                     bytes(11, value_info("b", kOnnxFloat, {"m", "l", "2"})) +
                                     bytes(12, value_info("both", kOnnxFloat, {"", "", "2"}))));
  const auto joined = [&](const std::vector<Shape>& shapes) {
    const auto request = engine_->compile(path, {.input_shapes = shapes})->create_request();
    std::iota(request->input(0).begin(), request->input(0).end(), 1.0F);
    std::iota(request->input(1).begin(), request->input(1).end(), 10.0F);
    run(*request);
    const std::span<const float> output = request->output(0);
    return std::pair(std::vector<float>(output.begin(), output.end()), request->output_shape(0));
  };
  EXPECT_EQ(joined({{1, 1, 2}, {1, 1, 2}}), (std::pair(std::vector<float>{1, 2, 10, 11}, Shape{1, 2, 2})));
  EXPECT_EQ(joined({{2, 0, 2}, {2, 1, 2}}), (std::pair(std::vector<float>{10, 11, 12, 13}, Shape{2, 1, 2})));
  if (GetParam() == std::string("onnxruntime")) {
    const Error error = error_of([&] { joined({{1, 2, 2}, {0, 3, 2}}); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.message(), HasSubstr("cannot take the shapes [1, 2, 2]; [0, 3, 2]"));
  } else {
    EXPECT_EQ(joined({{1, 2, 2}, {0, 3, 2}}), (std::pair(std::vector<float>{1, 2, 3, 4}, Shape{1, 2, 2})));
  }
}

// Two inputs whose sizes have the same names, two outputs, one without a declared shape.
std::string sum_and_product(const std::string& size_a, const std::string& size_b) {
  const auto node = [](const std::string& operation, const std::string& output) {
    return bytes(1, bytes(1, "a") + bytes(1, "b") + bytes(2, output) + bytes(4, operation));
  };
  const std::string open = bytes(1, "product") + bytes(2, bytes(1, number(1, kOnnxFloat)));
  return onnx_with(node("Mul", "product") + node("Add", "sum") + bytes(2, "two") +
                   bytes(11, value_info("a", kOnnxFloat, {size_a})) + bytes(11, value_info("b", kOnnxFloat, {size_b})) +
                   bytes(12, value_info("sum", kOnnxFloat, {"n"})) + bytes(12, open));
}

TEST_P(EngineTest, SeveralInputsAndOutputsKeepTheOrderOfTheGraph) {
  const auto path = written("two.onnx", sum_and_product("n", "n"));
  const GraphInfo info = engine_->inspect(path);
  ASSERT_EQ(info.inputs.size(), 2U);
  ASSERT_EQ(info.outputs.size(), 2U);
  EXPECT_EQ(info.inputs[1].name, "b");
  EXPECT_EQ(info.outputs[0].name, "sum");
  EXPECT_EQ(info.outputs[1].name, "product");
  // The name stands for two sizes: one is stretched to the other.
  for (const std::vector<Shape>& shapes : {std::vector<Shape>{{3}, {3}}, std::vector<Shape>{{3}, {1}}}) {
    const auto model = engine_->compile(path, {.input_shapes = shapes});
    EXPECT_EQ(model->output_count(), 2U);
    const auto request = model->create_request();
    std::ranges::copy(std::vector<float>{1, 2, 3}, request->input(0).begin());
    std::ranges::fill(request->input(1), 10.0F);
    run(*request);
    EXPECT_THAT(request->output(0), ElementsAre(11, 12, 13));
    EXPECT_THAT(request->output(1), ElementsAre(10, 20, 30));
    EXPECT_THAT(request->output_shape(1), ElementsAre(3));
  }
}

TEST_P(EngineTest, OnlyTheOutputsAskedForInTheirOrder) {
  const auto path = written("two.onnx", sum_and_product("n", "n"));
  const auto results = [&](const std::vector<std::size_t>& outputs) {
    const auto model = engine_->compile(path, {.input_shapes = {{1}, {1}}, .outputs = outputs});
    const auto request = model->create_request();
    request->input(0)[0] = 3;
    request->input(1)[0] = 4;
    run(*request);
    std::vector<float> values;
    for (std::size_t i = 0; i < model->output_count(); ++i) {
      values.push_back(request->output(i)[0]);
    }
    return values;
  };
  EXPECT_THAT(results({}), ElementsAre(7, 12));
  EXPECT_THAT(results({1}), ElementsAre(12));
  EXPECT_THAT(results({1, 0}), ElementsAre(12, 7));
  EXPECT_EQ(error_of([&] { results({2}); }).code(), ErrorCode::wrong_use);
}

TEST_P(EngineTest, ShapesThatTheGraphCannotComputeAreRefused) {
  const Error error =
      error_of([&] { engine_->compile(written("two.onnx", sum_and_product("n", "m")), {.input_shapes = {{3}, {4}}}); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("[3]; [4]"), HasSubstr("two.onnx")));
}

// What no engine sees beforehand reaches who started it: an index that lies outside.
TEST_P(OnnxruntimeTest, AFailureDuringTheInferenceReachesTheCallbackAndTheCaller) {
  const std::string gather = bytes(1, "values") + bytes(1, "rows") + bytes(2, "output0") + bytes(4, "Gather");
  const auto path =
      written("gather.onnx",
              onnx_with(bytes(1, gather) + bytes(2, "g") + bytes(11, value_info("values", kOnnxFloat, {"3"})) +
                        bytes(11, value_info("rows", kOnnxInt64, {"1"})) + bytes(12, value_info("output0", kOnnxFloat, {"1"}))));
  const auto model = engine_->compile(path, {.input_shapes = {{3}, {1}}});
  const auto request = model->create_request();
  request->input_i64(1)[0] = 3;
  for (const Error& error : {error_of([&] { run(*request); }), error_of([&] { request->run(); })}) {
    EXPECT_EQ(error.code(), ErrorCode::engine);
    EXPECT_THAT(error.message(), AllOf(HasSubstr("Gather"), Not(HasSubstr(".cc:"))));
  }
  // And the request can be used again.
  request->input_i64(1)[0] = 2;
  request->input(0)[2] = 7;
  run(*request);
  EXPECT_THAT(request->output(0), ElementsAre(7));
}

TEST_P(OnnxruntimeTest, ValuesThatTheTypeOfAnInputCannotHoldAreAnError) {
  const auto byte = written("byte.onnx", onnx_of({.operation = "Identity", .type = kOnnxUint8}));
  const auto request = engine_->compile(byte, {.input_shapes = {{1, 3, 2, 1}}})->create_request();
  request->input(0)[4] = 255;
  run(*request);
  EXPECT_EQ(request->output(0)[4], 255);
  for (const float value : {256.0F, -1.0F, std::nanf("")}) {
    request->input(0)[4] = value;
    EXPECT_THAT(error_of([&] { run(*request); }).message(), HasSubstr("images u8"));
  }
  const auto narrow = written("narrow.onnx", onnx_of({.operation = "Identity", .type = kOnnxInt32}));
  const auto narrow_request = engine_->compile(narrow, {.input_shapes = {{1, 3, 2, 1}}})->create_request();
  narrow_request->input_i64(0)[0] = std::int64_t{1} << 31;
  EXPECT_THAT(error_of([&] { run(*narrow_request); }).message(), AllOf(HasSubstr("2147483648"), HasSubstr("images i32")));
}

// y = x + w, with w in a file of its own.
class ExternalWeights : public EngineTest {
 protected:
  static std::string model() {
    const auto entry = [](const std::string& key, const std::string& value) { return bytes(13, bytes(1, key) + bytes(2, value)); };
    const std::string weights = number(1, 1000) + number(2, kOnnxFloat) + bytes(8, "w") + entry("location", "model.onnx_data") +
                                entry("offset", "0") + entry("length", "4000") + number(14, 1);
    const std::string add = bytes(1, "images") + bytes(1, "w") + bytes(2, "output0") + bytes(4, "Add");
    return onnx_with(bytes(1, add) + bytes(2, "external") + bytes(5, weights) +
                     bytes(11, value_info("images", kOnnxFloat, {"n", "1000"})) +
                     bytes(12, value_info("output0", kOnnxFloat, {"n", "1000"})));
  }
  static std::string weights(std::size_t count) {
    const std::vector<float> values(count, 2.0F);
    return {reinterpret_cast<const char*>(values.data()), count * sizeof(float)};
  }
  float first_output(const std::filesystem::path& path) {
    const auto compiled = engine_->compile(path, {.input_shapes = {{1, 1000}}});
    const auto request = compiled->create_request();
    std::ranges::fill(request->input(0), 1.0F);
    run(*request);
    return request->output(0)[0];
  }
};

TEST_P(ExternalWeights, AreReadFromBesideTheModel) {
  const auto path = written("model.onnx", model());
  written("model.onnx_data", weights(1000));
  EXPECT_EQ(first_output(path), 3.0F);
}

TEST_P(ExternalWeights, MissingOrCutOffTheModelIsRefused) {
  const auto path = written("model.onnx", model());
  for (const bool is_there : {false, true}) {
    if (is_there) {
      written("model.onnx_data", weights(10));
    }
    const Error error = error_of([&] { engine_->inspect(path); });
    EXPECT_EQ(error.code(), ErrorCode::bad_model);
    EXPECT_THAT(error.what(), HasSubstr("model.onnx"));
  }
}

// As huggingface_hub's cache has them: links to files that are named after what they hold.
TEST_P(ExternalWeights, BehindLinksIntoAnotherFolder) {
  std::filesystem::create_directories(folder_ / "blobs");
  std::filesystem::create_directories(folder_ / "snapshots/abc/onnx");
  written("blobs/1", model());
  written("blobs/2", weights(1000));
  const auto path = folder_ / "snapshots/abc/onnx/model.onnx";
  std::filesystem::create_symlink("../../../blobs/1", path);
  std::filesystem::create_symlink("../../../blobs/2", folder_ / "snapshots/abc/onnx/model.onnx_data");
  EXPECT_EQ(first_output(path), 3.0F);
}

TEST_P(EngineTest, DestroyingARunningRequestWaits) {
  const auto compiled = engine_->compile(written("tiny.onnx", onnx_of({})), {.input_shapes = {{8, 3, 2, 4096}}});
  int calls = 0;
  for (int i = 0; i < 20; ++i) {
    const auto request = compiled->create_request();
    std::ranges::fill(request->input(0), 1.0F);
    request->start([&](const std::exception_ptr&) { ++calls; });
  }
  EXPECT_EQ(calls, 20);
}

TEST_P(EngineTest, ADeviceThatIsNotThereIsAnErrorThatListsTheOthers) {
  const auto path = written("tiny.onnx", onnx_of({}));
  for (const char* device : {"toaster", "", "cpu.5", "gpu.77"}) {
    const Error error = error_of([&] { engine_->compile(path, {.device = device, .input_shapes = {{1, 3, 2, 2}}}); });
    EXPECT_EQ(error.code(), ErrorCode::engine) << device;
    EXPECT_THAT(error.message(), AllOf(HasSubstr(device), HasSubstr("cpu")));
  }
}

TEST_P(OnnxruntimeTest, NvidiaDevicesNeedTheirOwnPackage) {
  const auto path = written("tiny.onnx", onnx_of({}));
  for (const char* device : {"cuda", "CUDA:1", "tensorrt"}) {
    const Error error = error_of([&] { engine_->compile(path, {.device = device, .input_shapes = {{1, 3, 2, 2}}}); });
    EXPECT_EQ(error.code(), ErrorCode::engine) << device;
    if (error.message().find("there is no device") != std::string::npos) {  // the package for processors
      EXPECT_THAT(error.message(), AllOf(HasSubstr(device), HasSubstr("cpu"), HasSubstr("onnxruntime-gpu")));
    }
  }
}

TEST_P(EngineTest, RefusesShapesThatDoNotFit) {
  const auto path = written("tiny.onnx", onnx_of({}));
  EXPECT_EQ(error_of([&] { engine_->compile(path, {}); }).code(), ErrorCode::wrong_use);
  EXPECT_EQ(error_of([&] { engine_->compile(path, {.input_shapes = {{1, 3, 0, 2}}}); }).code(), ErrorCode::wrong_use);
  EXPECT_EQ(error_of([&] { engine_->compile(path, {.input_shapes = {{-1, 3, 2, 2}}}); }).code(), ErrorCode::wrong_use);
  EXPECT_EQ(error_of([&] { engine_->compile(path, {.input_shapes = {{1, 3, 2}}}); }).code(), ErrorCode::wrong_use);
  const Error error = error_of([&] { engine_->compile(path, {.input_shapes = {{1, 4, 2, 2}}}); });
  EXPECT_EQ(error.code(), ErrorCode::wrong_use);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("images f32 [?, 3, 2, ?]"), HasSubstr("[1, 4, 2, 2]"), HasSubstr("tiny.onnx")));
}

TEST_P(EngineTest, FilesThatAreNoModelSayWhichAndWhy) {
  const std::vector<std::filesystem::path> bad = {
      written("text.onnx", "This is a letter.\nIt has lines.\n"),
      written("empty.onnx", ""),
      written("zeros.onnx", std::string(1000, '\0')),
      written("xml.onnx", "<?xml version=\"1.0\"?><net name=\"x\" version=\"11\"></net>"),
      written("unknown.onnx", onnx_of({.operation = "Frobnicate"})),
      folder_,
  };
  for (const auto& path : bad) {
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    const Error error = error_of([&] { engine_->inspect(path); });
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "") << path;
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "") << path;
    EXPECT_EQ(error.code(), ErrorCode::bad_model) << path;
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    EXPECT_THAT(error.what(), AllOf(Not(HasSubstr("src/")), Not(HasSubstr(".cc:")))) << "an engine's source lines help nobody";
    EXPECT_EQ(error_of([&] { engine_->compile(path, {.input_shapes = {{1, 3, 2, 2}}}); }).code(), ErrorCode::bad_model);
  }
  EXPECT_THAT(error_of([&] { engine_->inspect(folder_ / "unknown.onnx"); }).message(), HasSubstr("Frobnicate"));
  EXPECT_EQ(error_of([&] { engine_->inspect(folder_ / "missing.onnx"); }).code(), ErrorCode::not_found);
}

// Cut anywhere, a file is refused or, where only metadata is lost, read; it never does anything else.
TEST_P(EngineTest, TruncatedModels) {
  const std::string whole = onnx_of({.metadata = {{"names", "{0: 'cat'}"}}});
  int refused = 0;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto path = written("cut.onnx", whole.substr(0, size));
    try {
      EXPECT_EQ(engine_->inspect(path).outputs.size(), 1u);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::bad_model);
      ++refused;
    }
  }
  EXPECT_GE(refused, static_cast<int>(whole.size()) - 4);
}

TEST_P(EngineTest, SaysItsVersion) {
  EXPECT_THAT(engine_->version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
}

class SharedModels : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    const char* data = std::getenv("VERILABEL_TEST_DATA");
    if (data == nullptr) {
      GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real models to try";
    }
    models_ = std::filesystem::path(data) / "models";
  }
  std::filesystem::path models_;
};

TEST_P(SharedModels, Inspect) {
  const GraphInfo yolox = engine_->inspect(models_ / "yolox_nano.onnx");
  ASSERT_EQ(yolox.inputs.size(), 1u);
  EXPECT_EQ(text_of(yolox.inputs[0]), "images f32 [1, 3, 416, 416]");
  ASSERT_EQ(yolox.outputs.size(), 1u);
  EXPECT_EQ(text_of(yolox.outputs[0]), "output f32 [1, 3549, 85]");
  EXPECT_TRUE(yolox.metadata.empty());
  const GraphInfo nanodet = engine_->inspect(models_ / "nanodet_m_320.onnx");
  std::vector<std::string> outputs;
  for (const TensorInfo& output : nanodet.outputs) {
    outputs.push_back(text_of(output));
  }
  EXPECT_THAT(outputs, ElementsAre("cls_pred_stride_8 f32 [1, 1600, 80]", "cls_pred_stride_16 f32 [1, 400, 80]",
                                   "cls_pred_stride_32 f32 [1, 100, 80]", "dis_pred_stride_8 f32 [1, 1600, 32]",
                                   "dis_pred_stride_16 f32 [1, 400, 32]", "dis_pred_stride_32 f32 [1, 100, 32]"));
  EXPECT_THAT(engine_->inspect(models_ / "mobilenet_v2_int8.onnx").metadata,
              testing::Contains(testing::Pair("onnx.infer", "onnxruntime.quant")));
  EXPECT_EQ(text_of(engine_->inspect(models_ / "mobilenet_v2_int8.onnx").inputs[0]), "input f32 [?, 3, 224, 224]");
}

TEST_P(SharedModels, ATruncatedRealModelIsRefused) {
  const std::string whole = read_file(models_ / "yolox_nano.onnx");
  const Error error = error_of([&] { engine_->inspect(written("half.onnx", whole.substr(0, whole.size() / 2))); });
  EXPECT_EQ(error.code(), ErrorCode::bad_model);
}

// The same numbers in both engines. Quantised arithmetic is a matter of each engine's own.
TEST(BothEngines, AgreeOnRealModels) {
  const char* data = std::getenv("VERILABEL_TEST_DATA");
  if (data == nullptr) {
    GTEST_SKIP() << "VERILABEL_TEST_DATA is not set: no real models to try";
  }
  if (const std::string reason = reason_to_skip("onnxruntime"); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  for (const char* name : {"yolox_nano.onnx", "nanodet_m_320.onnx", "nanodet_m_416.onnx"}) {
    std::vector<std::unique_ptr<CompiledModel>> models;
    std::vector<std::unique_ptr<InferRequest>> requests;
    for (const char* engine_name : kTestedEngines) {
      const auto path = std::filesystem::path(data) / "models" / name;
      const auto engine = open_engine(engine_name);
      models.push_back(engine->compile(path, {.input_shapes = {engine->inspect(path).inputs[0].shape}}));
      requests.push_back(models.back()->create_request());
      const std::span<float> input = requests.back()->input(0);
      for (std::size_t i = 0; i < input.size(); ++i) {
        input[i] = static_cast<float>((i * 7919) % 256);
      }
      std::promise<std::exception_ptr> done;
      requests.back()->start([&](const std::exception_ptr& failure) { done.set_value(failure); });
      ASSERT_FALSE(done.get_future().get()) << name;
    }
    ASSERT_EQ(models[0]->output_count(), models[1]->output_count());
    for (std::size_t k = 0; k < models[0]->output_count(); ++k) {
      EXPECT_EQ(requests[0]->output_shape(k), requests[1]->output_shape(k));
      double worst = 0;
      for (std::size_t i = 0; i < requests[0]->output(k).size(); ++i) {
        const double a = requests[0]->output(k)[i];
        const double b = requests[1]->output(k)[i];
        worst = std::max(worst, std::abs(a - b) / (1 + std::abs(a)));
      }
      EXPECT_LT(worst, 1e-3) << name << " output " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Each, EngineTest, ::testing::ValuesIn(kTestedEngines), engine_of);
INSTANTIATE_TEST_SUITE_P(Only, OnnxruntimeTest, ::testing::Values("onnxruntime"), engine_of);
INSTANTIATE_TEST_SUITE_P(Each, ExternalWeights, ::testing::ValuesIn(kTestedEngines), engine_of);
INSTANTIATE_TEST_SUITE_P(Each, SharedModels, ::testing::ValuesIn(kTestedEngines), engine_of);

}  // namespace
}  // namespace verilabel
