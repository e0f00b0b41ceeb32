#include "verilabel/workflow/output_file.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kProjectFiles = {
    "verilabel.db", "verilabel.db-wal", "verilabel.db-shm", "columns.snapshot", "locks", "vectors"};

/// Text has no NUL byte, and an archive begins with its mark.
bool is_text_or_archive(const fs::path& file) {
  std::array<char, 4096> bytes{};
  std::ifstream in(file, std::ios::binary);
  in.read(bytes.data(), bytes.size());
  const std::string_view start(bytes.data(), static_cast<std::size_t>(in.gcount()));
  return start.starts_with("PK") || start.find('\0') == std::string_view::npos;
}

}  // namespace

void check_output_file(const fs::path& output, const fs::path& project_dir, std::initializer_list<std::string> inputs) {
  if (output.empty() || !output.has_filename()) {
    throw Error(ErrorCode::wrong_use, "the output needs a name", {{"path", output.native()}});
  }
  std::error_code ignored;
  const fs::path place = fs::weakly_canonical(output, ignored);
  const fs::path inside = place.lexically_relative(fs::weakly_canonical(project_dir, ignored));
  if (!inside.empty() && std::find(kProjectFiles.begin(), kProjectFiles.end(), inside.begin()->native()) != kProjectFiles.end()) {
    throw Error(ErrorCode::conflict, "this is a file of the project itself, which would be lost; choose another name",
                {{"path", output.native()}});
  }
  for (const std::string& input : inputs) {
    if (fs::equivalent(place, input, ignored)) {
      throw Error(ErrorCode::conflict, "this is a file that the command reads, and it would be lost; choose another name",
                  {{"path", output.native()}});
    }
  }
  if (!fs::exists(place.parent_path(), ignored)) {
    throw Error(ErrorCode::not_found, "the folder of the output does not exist; make it first", {{"path", output.native()}});
  }
  if (fs::is_regular_file(place, ignored) && !is_text_or_archive(place)) {
    throw Error(ErrorCode::conflict,
                "there is a file that is neither text nor an archive, and it would be lost; choose another name, or remove it",
                {{"path", output.native()}});
  }
}

}  // namespace verilabel
