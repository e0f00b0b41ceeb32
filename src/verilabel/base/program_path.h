#pragma once

#include <filesystem>
#include <system_error>

namespace verilabel {

/// The running program's own file; empty where the system does not tell.
inline std::filesystem::path program_path() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored);
}

}  // namespace verilabel
