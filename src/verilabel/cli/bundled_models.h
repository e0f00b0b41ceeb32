#pragma once

#include <filesystem>
#include <string_view>

namespace verilabel::cli {

/// The folder of a model that comes with the program: "detector", "embedder" or "segmenter". It is looked for in the folder that
/// the environment variable VERILABEL_MODELS names, and nowhere else when that is set; else in share/verilabel/models of the prefix
/// that the program is installed in, then in the source tree that it was built from. Throws `not_found` with all of these places.
std::filesystem::path bundled_model(std::string_view name);

}  // namespace verilabel::cli
