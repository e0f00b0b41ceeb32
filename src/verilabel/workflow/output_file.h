#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>

namespace verilabel {

/// Looks at the place where a file is to be written before any work is done. Throws `wrong_use` for an empty name, `not_found` for
/// a folder that is not there, and `conflict` for the project's own files, for one of `inputs` (those that are files), and for a
/// file that is there and holds neither text nor an archive: a photograph, a model, a database.
void check_output_file(const std::filesystem::path& output, const std::filesystem::path& project_dir,
                       std::initializer_list<std::string> inputs = {});

}  // namespace verilabel
