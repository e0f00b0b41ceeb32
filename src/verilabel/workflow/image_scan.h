#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/import.h"

namespace verilabel {

/// A file under the folder of images: a sample, nothing of interest, or an image that cannot be used.
struct ScannedFile {
  std::optional<Sample> sample;
  std::optional<FileFailure> failure;

  bool is_ignored() const { return !sample && !failure; }
};

/// Walks the folder, in the order of the paths, and reads the header of every file that is meant to be an image; `visit` gets each
/// file in turn. Folders behind symbolic links are not entered. Throws `not_found`, `io`, and `interrupted`. Private to import.
void scan_images(const std::filesystem::path& folder, const ProgressSink& progress, const CancelToken& cancel,
                 const std::function<void(ScannedFile&&)>& visit);

/// One file, named `name` in the project.
ScannedFile scan_image(const std::filesystem::path& path, std::string name);

}  // namespace verilabel
