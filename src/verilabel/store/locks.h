#pragma once

#include <filesystem>
#include <optional>

#include "verilabel/base/file.h"
#include "verilabel/base/ids.h"

// Who works on what, told by locks on files that the kernel frees however a process ends. Private to the module.
namespace verilabel::store {

/// Held by whoever writes to the run.
std::filesystem::path run_lock(const std::filesystem::path& project, RunId run);
/// Held by whoever imports labels into the set.
std::filesystem::path import_lock(const std::filesystem::path& project, SetId set);

/// Nothing when another holds it. Somebody who only looks (`FileLock::is_held`) is waited out. Throws `io`.
std::optional<FileLock> acquire_lock(const std::filesystem::path& lock);

}  // namespace verilabel::store
