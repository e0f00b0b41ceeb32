#include "verilabel/formats/export_folder.h"

#include <cstddef>
#include <span>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"

namespace verilabel {

namespace fs = std::filesystem;

fs::path safe_relative_name(const ExportImage& image) {
  fs::path result;
  for (const fs::path& part : fs::path(image.name).relative_path()) {
    if (part != ".." && part != ".") {
      result /= part;
    }
  }
  return result.has_filename() ? result : fs::path("images_" + std::to_string(image.name.size()));
}

std::optional<std::string> would_be_passed_over(const ExportImage& image, ImageTransfer transfer) {
  if (transfer == ImageTransfer::reference || is_image_name(image.name)) {
    return std::nullopt;
  }
  return "its name does not end like that of an image (.jpg, .png …), and readers of this format find images by that; rename it, "
         "or export to another format";
}

std::optional<std::string> bring_image(const ExportImage& image, ImageTransfer transfer, const fs::path& file,
                                       const fs::path& final_file) {
  if (transfer == ImageTransfer::reference) {
    return std::nullopt;
  }
  if (image.is_missing || !fs::exists(image.path)) {
    return "there is no such file";
  }
  make_folder(file.parent_path());
  std::error_code error;
  switch (transfer) {
    case ImageTransfer::copy:
      fs::copy_file(image.path, file, error);
      break;
    case ImageTransfer::hard_link:
      fs::create_hard_link(fs::canonical(image.path, error), file, error);
      break;
    case ImageTransfer::symbolic_link:
      fs::create_symlink(fs::absolute(image.path), file, error);
      break;
    case ImageTransfer::relative_link:
      fs::create_symlink(fs::absolute(image.path).lexically_relative(fs::absolute(final_file).parent_path().lexically_normal()),
                         file, error);
      break;
    case ImageTransfer::reference:
      break;
  }
  if (error == std::errc::no_space_on_device || error == std::errc::read_only_file_system) {
    throw io_error("cannot write the file", file.native(), error.value());
  }
  if (error == std::errc::cross_device_link) {
    throw Error(ErrorCode::wrong_use, "hard links cannot lead to another file system; copy the images or link them symbolically",
                {{"image", printable(image.path.native())}});
  }
  return error ? std::optional(error.message()) : std::nullopt;
}

}  // namespace verilabel
