#include "verilabel/cli/bundled_models.h"

#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/program_path.h"

namespace verilabel::cli {

namespace fs = std::filesystem;

namespace {

constexpr const char* kVariable = "VERILABEL_MODELS";

std::vector<fs::path> places() {
  if (const char* named = std::getenv(kVariable); named != nullptr && *named != '\0') {
    return {fs::absolute(named).lexically_normal()};
  }
  return {(program_path().parent_path() / ".." / "share" / "verilabel" / "models").lexically_normal(),
          fs::path(VERILABEL_SOURCE_DIR) / "models"};
}

}  // namespace

fs::path bundled_model(std::string_view name) {
  std::string looked_at;
  for (const fs::path& place : places()) {
    if (fs::is_directory(place / name)) {
      return place / name;
    }
    looked_at += fmt::format("{}{}", looked_at.empty() ? "" : ", ", (place / name).native());
  }
  throw Error(
      ErrorCode::not_found,
      fmt::format("the model '{}' that comes with verilabel is not where it was looked for; put its folder there, or name the "
                  "folder that it lies in with {}",
                  name, kVariable),
      {{"looked_at", looked_at}});
}

}  // namespace verilabel::cli
