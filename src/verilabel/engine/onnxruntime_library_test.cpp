#include "verilabel/engine/onnxruntime_library.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <type_traits>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/engine/onnxruntime_placement.h"
#include "verilabel/engine/testing_installed.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

// One letter a type, as tests/parity/onnxruntime_functions.py writes them.
template <typename T>
constexpr char kind_of() {
  if constexpr (std::is_void_v<T>) {
    return 'v';
  } else if constexpr (std::is_pointer_v<T>) {
    return 'p';
  } else if constexpr (std::is_same_v<T, bool>) {
    return '1';
  } else {
    return sizeof(T) == 8 ? '8' : '4';
  }
}

template <typename Result, typename... Taken>
std::string signature_of(Result (*)(Taken...)) {
  return std::string{kind_of<Result>(), '(', kind_of<Taken>()..., ')'};
}

struct Entry {
  std::string name;
  std::size_t offset;
  std::string signature;  // empty when the function is not used
};

std::vector<Entry> our_table() {
  const OrtApi table{};
  return {
#define ORT_FUNCTION(name, ...) {#name, offsetof(OrtApi, name), signature_of(table.name)},
#define ORT_UNUSED(name) {#name, offsetof(OrtApi, name), ""},
#include "verilabel/engine/onnxruntime_functions.inc"
#undef ORT_FUNCTION
#undef ORT_UNUSED
  };
}

fs::path reference_file() {
  return fs::path(VERILABEL_SOURCE_DIR) / "tests/parity/onnxruntime_functions.txt";
}

TEST(FunctionTable, HasTheOrderAndTheSignaturesOfTheReference) {
  std::istringstream lines(read_file(reference_file()));
  const std::vector<Entry> ours = our_table();
  ASSERT_EQ(sizeof(OrtApi), ours.size() * sizeof(void*));
  for (std::size_t i = 0; i < ours.size(); ++i) {
    std::size_t index = 0;
    std::string name;
    std::string signature;
    ASSERT_TRUE(lines >> index >> name >> signature) << i;
    ASSERT_EQ(index, i);
    ASSERT_EQ(ours[i].name, name) << i;
    ASSERT_EQ(ours[i].offset, i * sizeof(void*)) << name;
    if (!ours[i].signature.empty()) {
      EXPECT_EQ(ours[i].signature, signature) << name;
    }
  }
}

TEST(FunctionTable, TheReferenceIsWhatOrtSysSays) {
  const char* source = std::getenv("VERILABEL_ORT_SYS");
  if (source == nullptr) {
    GTEST_SKIP() << "VERILABEL_ORT_SYS does not name src/lib.rs of the crate ort-sys";
  }
  const std::string command =
      std::string(VERILABEL_VENV) + "/bin/python3 " VERILABEL_SOURCE_DIR "/tests/parity/onnxruntime_functions.py '" + source + "'";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string printed;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    printed.push_back(static_cast<char>(c));
  }
  EXPECT_EQ(::pclose(pipe), 0);
  // Versions only differ in how many functions there are.
  const std::string reference = read_file(reference_file());
  const std::size_t common = std::min(printed.size(), reference.size());
  EXPECT_GT(common, 10000U);
  EXPECT_EQ(printed.substr(0, common), reference.substr(0, common));
}

class LibraryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("verilabel_library_test_" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path written(const fs::path& name, const std::string& content = "") {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  static Error error_of_loading(const OnnxruntimePlaces& places) {
    try {
      OnnxruntimeLibrary::load(places);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::internal, "nothing was thrown");
  }

  fs::path folder_;
};

TEST_F(LibraryTest, IsFoundInTheFirstEnvironmentThatHasItNewestFirst) {
  const OnnxruntimePlaces places{"", {folder_ / "none", folder_ / "venv", folder_ / "system"}};
  EXPECT_EQ(find_onnxruntime(places), std::nullopt);
  const fs::path system = written("system/lib/python3/dist-packages/onnxruntime/capi/libonnxruntime.so.1.30.0");
  EXPECT_EQ(find_onnxruntime(places), system);
  written("venv/lib/python3.9/site-packages/onnxruntime/capi/libonnxruntime.so.1.40.0");
  written("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_shared.so");
  written("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.9.0");
  const fs::path newest = written("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.24.0");
  EXPECT_EQ(find_onnxruntime(places), newest);
  EXPECT_EQ(find_onnxruntime({"/some/where.so", places.prefixes}), "/some/where.so");
}

TEST_F(LibraryTest, TheErrorSaysWhatIsWrongAndHowToGetIt) {
  const auto says = [&](const OnnxruntimePlaces& places, const std::string& what) {
    const Error error = error_of_loading(places);
    EXPECT_EQ(error.code(), ErrorCode::engine);
    EXPECT_THAT(error.what(), HasSubstr(what));
    return error;
  };
  // Not there, no library, another library, and a folder.
  const fs::path missing = folder_ / "missing.so";
  says({missing, {}}, "VERILABEL_ONNXRUNTIME");
  says({missing, {}}, missing);
  says({written("text.so", "This is a letter."), {}}, "text.so");
  says({folder_, {}}, folder_);
  says({"libz.so.1", {}}, "OrtGetApiBase");
  // A broken package.
  written("venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0",
          "\x7f"
          "ELF, cut off");
  EXPECT_THAT(says({"", {folder_ / "venv"}}, "libonnxruntime.so.1.32.0").message(), HasSubstr("pip install onnxruntime"));
  // Nothing anywhere; on a machine whose linker knows the library there is no error.
  if (const Error error = error_of_loading({"", {folder_ / "nothing"}}); error.code() != ErrorCode::internal) {
    EXPECT_EQ(error.code(), ErrorCode::engine);
    EXPECT_THAT(error.message(), AllOf(HasSubstr("not installed"), HasSubstr("pip install onnxruntime"),
                                       HasSubstr("onnxruntime-gpu"), HasSubstr("VERILABEL_ONNXRUNTIME")));
  }
}

// A library with nothing in it but its name.
TEST_F(LibraryTest, NvidiasPackagesOfTheSameEnvironmentAreLoaded) {
  const fs::path packages = folder_ / "lib/python3.11/site-packages";
  const auto is_loaded = [](const std::string& name) { return ::dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD) != nullptr; };
  const std::vector<std::pair<std::string, std::string>> libraries = {
      {"nvidia/cu99/lib", "libcublasLt.so.99"}, {"nvidia/cudnn/lib", "libcudnn.so.99"}, {"tensorrt_libs", "libnvinfer.so.99"}};
  for (const auto& [place, name] : libraries) {
    fs::create_directories(packages / place);
    const std::string path = packages / place / name;
    ASSERT_EQ(std::system(("cc -shared -Wl,-soname," + name + " -o " + path + " -x c /dev/null").c_str()), 0);
    EXPECT_FALSE(is_loaded(name));
  }
  written("lib/python3.11/site-packages/nvidia/cu99/lib/libcublas.so.99", "cut off");
  load_nvidia_packages(packages / "onnxruntime/capi/libonnxruntime.so.1.32.0");
  for (const auto& [place, name] : libraries) {
    EXPECT_TRUE(is_loaded(name)) << name;
  }
  EXPECT_FALSE(is_loaded("libcublas.so.99"));
}

// A stand-in that says it is 1.16 and would print if it were asked for more.
TEST_F(LibraryTest, AnOldOneIsRefused) {
  const fs::path source = written("old.c",
                                  "#include <stdio.h>\n"
                                  "static const void* api(unsigned v) { fputs(\"asked\", stderr); return 0; }\n"
                                  "static const char* version(void) { return \"1.16.3\"; }\n"
                                  "static const void* base[2] = {(const void*)api, (const void*)version};\n"
                                  "const void* OrtGetApiBase(void) { return base; }\n");
  const fs::path library = folder_ / "old.so";
  ASSERT_EQ(std::system(("cc -shared -fPIC -o " + library.string() + " " + source.string()).c_str()), 0);
  ::testing::internal::CaptureStderr();
  const Error error = error_of_loading({library, {}});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(error.code(), ErrorCode::engine);
  EXPECT_THAT(error.what(), AllOf(HasSubstr("1.16.3"), HasSubstr("1.24 or newer"), HasSubstr("old.so")));
}

TEST_F(LibraryTest, LoadsTheInstalledOne) {
  if (const std::string reason = reason_to_skip("onnxruntime"); !reason.empty()) {
    GTEST_SKIP() << reason;
  }
  const auto library = OnnxruntimeLibrary::load(OnnxruntimePlaces::of_this_process());
  EXPECT_THAT(library->version(), ::testing::StartsWith("1."));
  EXPECT_NE(library->environment(), nullptr);
  // By the variable as well, and side by side.
  const auto again = OnnxruntimeLibrary::load({library->file(), {}});
  EXPECT_EQ(again->version(), library->version());
}

std::string placement_error(const std::string& provider, const std::vector<PlacedNode>& nodes) {
  try {
    require_placement(provider, nodes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::engine);
    return error.message();
  }
  return "";
}

TEST(Placement, ADeviceThatDoesNotDoTheWorkIsAnError) {
  const std::string cuda = "CUDAExecutionProvider";
  const std::string tensorrt = "TensorrtExecutionProvider";
  EXPECT_EQ(placement_error(kCpuProvider, {{kCpuProvider, "Conv"}}), "");
  EXPECT_EQ(placement_error(cuda, {}), "");
  EXPECT_EQ(placement_error(cuda, {{cuda, "Conv"}, {kCpuProvider, "Shape"}, {kCpuProvider, "Gather"}}), "");
  // What TensorRT leaves to CUDA stays on the device.
  EXPECT_EQ(placement_error(tensorrt, {{tensorrt, "Conv"}, {cuda, "MatMul"}}), "");
  EXPECT_THAT(placement_error(cuda, {{kCpuProvider, "Relu"}, {kCpuProvider, "Shape"}}),
              AllOf(HasSubstr("none of the 2"), HasSubstr(cuda)));
  EXPECT_THAT(
      placement_error(cuda, {{cuda, "Conv"}, {kCpuProvider, "QLinearConv"}, {kCpuProvider, "QLinearConv"}, {kCpuProvider, "Gemm"}}),
      HasSubstr("1 Gemm, 2 QLinearConv"));
  EXPECT_THAT(placement_error(tensorrt, {{cuda, "Conv"}}), HasSubstr("none"));
}

}  // namespace
}  // namespace verilabel
