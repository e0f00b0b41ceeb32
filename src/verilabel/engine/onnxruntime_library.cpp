#include "verilabel/engine/onnxruntime_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/base/program_path.h"

namespace verilabel {

namespace {

namespace fs = std::filesystem;

constexpr const char* kVariable = "VERILABEL_ONNXRUNTIME";
constexpr std::string_view kAdvice =
    "install it with `pip install onnxruntime` (for NVIDIA devices: `pip install onnxruntime-gpu[cuda,cudnn]`), or let "
    "VERILABEL_ONNXRUNTIME name its libonnxruntime.so";

std::string environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The names in a folder that begin so, the newest version first; none when it cannot be read.
std::vector<fs::path> newest_first(const fs::path& folder, std::string_view beginning) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(folder, ignored); entry != fs::directory_iterator(); entry.increment(ignored)) {
    if (entry->path().filename().native().starts_with(beginning)) {
      found.push_back(entry->path());
    }
  }
  std::ranges::sort(found, [](const fs::path& a, const fs::path& b) { return ::strverscmp(a.c_str(), b.c_str()) > 0; });
  return found;
}

/// Symbols of a loaded library; null when it has none of that name.
template <typename Function>
Function* symbol(void* library, const char* name) {
  return reinterpret_cast<Function*>(::dlsym(library, name));
}

/// What dlopen has against a file, without the file's name in front.
std::string linker_reason(std::string_view file) {
  const char* said = ::dlerror();
  std::string reason = said == nullptr ? "no reason is known" : said;
  const std::string prefix = std::string(file) + ": ";
  return reason.starts_with(prefix) ? reason.substr(prefix.size()) : reason;
}

/// The version of the interface that a library has: 24 of "1.24.2".
std::uint32_t minor_version(const std::string& version) {
  return version.starts_with("1.") ? static_cast<std::uint32_t>(std::strtoul(version.c_str() + 2, nullptr, 10)) : 0;
}

Error library_error(const std::string& file, std::string message) {
  return Error(ErrorCode::engine, std::move(message), {{"library", file}});
}

void ignore_log(void*, OrtLoggingLevel, const char*, const char*, const char*, const char*) {}

}  // namespace

OnnxruntimePlaces OnnxruntimePlaces::of_this_process() {
  OnnxruntimePlaces places;
  places.variable = environment_variable(kVariable);
  for (const char* active : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string prefix = environment_variable(active); !prefix.empty()) {
      places.prefixes.emplace_back(prefix);
    }
  }
  // The environment that the program was built with or installed into.
  for (fs::path folder = program_path().parent_path(); folder.has_relative_path(); folder = folder.parent_path()) {
    places.prefixes.push_back(folder / ".venv");
    places.prefixes.push_back(folder);
  }
  if (const std::string home = environment_variable("HOME"); !home.empty()) {
    places.prefixes.push_back(fs::path(home) / ".local");
  }
  places.prefixes.emplace_back("/usr/local");
  places.prefixes.emplace_back("/usr");
  return places;
}

std::optional<fs::path> find_onnxruntime(const OnnxruntimePlaces& places) {
  if (!places.variable.empty()) {
    return places.variable;
  }
  for (const fs::path& prefix : places.prefixes) {
    for (const fs::path& python : newest_first(prefix / "lib", "python3")) {
      for (const char* packages : {"site-packages", "dist-packages"}) {
        const std::vector<fs::path> libraries = newest_first(python / packages / "onnxruntime" / "capi", "libonnxruntime.so");
        if (!libraries.empty()) {
          return libraries.front();
        }
      }
    }
  }
  return std::nullopt;
}

void load_nvidia_packages(const fs::path& onnxruntime_library) {
  const fs::path packages = onnxruntime_library.parent_path().parent_path().parent_path();  // over onnxruntime/capi
  std::vector<fs::path> folders = newest_first(packages / "nvidia", "");
  for (fs::path& folder : folders) {
    folder /= "lib";
  }
  folders.push_back(packages / "tensorrt_libs");
  // Each after those that it is linked to.
  for (const char* name : {"libcudart.so.", "libcublasLt.so.", "libcublas.so.", "libnvrtc.so.", "libcurand.so.", "libcufft.so.",
                           "libcudnn.so.", "libnvinfer.so.", "libnvinfer_plugin.so.", "libnvonnxparser.so."}) {
    for (const fs::path& folder : folders) {
      for (const fs::path& library : newest_first(folder, name)) {
        ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
      }
    }
  }
}

std::shared_ptr<const OnnxruntimeLibrary> OnnxruntimeLibrary::load(const OnnxruntimePlaces& places) {
  const std::optional<fs::path> found = find_onnxruntime(places);
  const std::string file = found ? found->string() : "libonnxruntime.so.1";
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::string reason = linker_reason(file);
    if (!places.variable.empty()) {
      throw library_error(file, fmt::format("{} names no library that can be loaded: {}", kVariable, reason));
    }
    if (found) {
      throw library_error(file, fmt::format("ONNX Runtime's library cannot be loaded: {}; {}", reason, kAdvice));
    }
    throw Error(ErrorCode::engine, fmt::format("ONNX Runtime is not installed; {}", kAdvice));
  }
  auto* const base_of = symbol<const OrtApiBase*()>(library, "OrtGetApiBase");
  const OrtApiBase* base = base_of == nullptr ? nullptr : base_of();
  if (base == nullptr) {
    throw library_error(file, fmt::format("this is a library, but not ONNX Runtime's (it has no OrtGetApiBase); {}", kAdvice));
  }
  const std::string version = base->GetVersionString();
  // Asked for more than it has, the library would say so on standard error.
  const OrtApi* api = minor_version(version) >= kOrtApiVersion ? base->GetApi(kOrtApiVersion) : nullptr;
  if (api == nullptr) {
    throw library_error(file,
                        fmt::format("ONNX Runtime is {} here, and 1.{} or newer is needed; {}", version, kOrtApiVersion, kAdvice));
  }
  return std::shared_ptr<const OnnxruntimeLibrary>(new OnnxruntimeLibrary(api, version, file));
}

OnnxruntimeLibrary::OnnxruntimeLibrary(const OrtApi* api, std::string version, std::string file)
    : api_(api), version_(std::move(version)), file_(std::move(file)) {
  // What it has to say comes back in statuses as well; left to itself it would write to standard error.
  OrtStatus* status = api_->CreateEnvWithCustomLogger(ignore_log, nullptr, OrtLoggingLevel::fatal, "verilabel", &environment_);
  if (status == nullptr) {
    status = api_->DisableTelemetryEvents(environment_);
  }
  if (status != nullptr) {
    const std::string reason = api_->GetErrorMessage(status);
    api_->ReleaseStatus(status);
    throw library_error(file_, fmt::format("ONNX Runtime cannot start: {}", reason));
  }
}

OnnxruntimeLibrary::~OnnxruntimeLibrary() {
  api_->ReleaseEnv(environment_);
}

}  // namespace verilabel
