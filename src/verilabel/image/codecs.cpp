#include "verilabel/image/codecs.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

constexpr const char* kPluginName = "libverilabel_codecs.so";

const CodecTable& load() {
  std::vector<std::string> candidates;
  Dl_info self{};
  if (::dladdr(reinterpret_cast<const void*>(&codecs), &self) != 0 && self.dli_fname != nullptr) {
    std::error_code ignored;
    std::filesystem::path program = std::filesystem::canonical(self.dli_fname, ignored);
    if (program.empty()) {  // a static program found through PATH knows itself only by name
      program = std::filesystem::canonical("/proc/self/exe", ignored);
    }
    candidates.push_back((program.parent_path() / kPluginName).native());
    const std::filesystem::path parent = program.parent_path().parent_path();
    candidates.push_back((parent / "lib" / "verilabel" / kPluginName).native());  // installed
    candidates.push_back((parent / kPluginName).native());                        // a build folder's tests
  }
  candidates.emplace_back(kPluginName);  // RUNPATH
  std::string reasons;
  for (const std::string& candidate : candidates) {
    // RTLD_NODELETE: the plug-in's stream buffer stays in use until the process ends.
    void* const library = ::dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
      reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", ::dlerror());
      continue;
    }
    const auto entry = reinterpret_cast<const CodecTable* (*)()>(::dlsym(library, "verilabel_codecs"));
    const CodecTable* const table = entry == nullptr ? nullptr : entry();
    if (table != nullptr && table->version == CodecTable::kVersion) {
      return *table;
    }
    reasons += fmt::format("{}{} is of another version", reasons.empty() ? "" : "; ", candidate);
  }
  throw Error(ErrorCode::internal,
              fmt::format("the image codecs cannot be loaded; is {} installed beside the program? ({})", kPluginName, reasons));
}

}  // namespace

const CodecTable& codecs() {
  static const CodecTable& table = load();
  return table;
}

}  // namespace verilabel
