#include "verilabel/formats/export_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/descriptor.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"

namespace verilabel {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

/// Whether it is the place of the export that refuses, so that no other image would fare better.
bool is_of_export(const std::error_code& error) {
  return error.value() == ENOSPC || error.value() == EROFS || error.value() == EDQUOT;
}

std::error_code last_error() {
  return {errno, std::generic_category()};
}

/// With the rights of the source. Gives back why it cannot be read, and throws `io` when the copy cannot be written; nothing is
/// then left of it.
std::error_code copy_image(const fs::path& from, const fs::path& to) {
  const Descriptor source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (source.get() < 0 || ::fstat(source.get(), &status) != 0) {
    return last_error();
  }
  if (!S_ISREG(status.st_mode)) {
    return std::make_error_code(S_ISDIR(status.st_mode) ? std::errc::is_a_directory : std::errc::invalid_argument);
  }
  Descriptor copy(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (copy.get() < 0) {
    return last_error();
  }
  std::error_code failure;
  try {
    std::vector<std::byte> bytes(kCopyBytes);
    for (ssize_t got = 1; got != 0;) {
      got = ::read(source.get(), bytes.data(), bytes.size());
      if (got < 0 && errno != EINTR) {
        failure = last_error();
        break;
      }
      write_all(copy.get(), std::span(bytes).first(static_cast<std::size_t>(std::max<ssize_t>(got, 0))), to);
    }
    // Some file systems say only now that there was no room.
    if (!failure && (::fchmod(copy.get(), status.st_mode & 07777) != 0 || ::close(copy.release()) != 0)) {
      throw io_error("cannot write the file", to.native(), errno);
    }
  } catch (...) {
    ::unlink(to.c_str());
    throw;
  }
  if (failure) {
    ::unlink(to.c_str());
  }
  return failure;
}

}  // namespace

void check_export_folder(const std::filesystem::path& path, const WriteOptions& /*options*/) {
  check_new_folder(path);
}

void check_folders(const ExportedFiles& files) {
  for (const auto& [file, image] : files) {
    for (std::size_t end = file.rfind('/'); end != std::string::npos && end > 0; end = file.rfind('/', end - 1)) {
      if (const auto at = files.find(file.substr(0, end)); at != files.end()) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("a file of the image `{}` would be where the image `{}` needs a folder; leave one of them out, or "
                                "export to another format",
                                printable(at->second), printable(image)),
                    {{"file", printable(at->first)}});
      }
    }
  }
}

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
  std::error_code error;
  if (const fs::file_status status = fs::status(image.path, error); image.is_missing || status.type() == fs::file_type::not_found) {
    return "there is no such file";
  }
  if (error) {
    return error.message();
  }
  make_folder(file.parent_path());
  switch (transfer) {
    case ImageTransfer::copy:
      error = copy_image(image.path, file);
      break;
    case ImageTransfer::hard_link:
      fs::create_hard_link(fs::canonical(image.path, error), file, error);
      break;
    case ImageTransfer::symbolic_link:
      fs::create_symlink(fs::absolute(image.path), file, error);
      break;
    case ImageTransfer::relative_link:
      // Seen from where the folder really lies, since that is where `..` leads from.
      fs::create_symlink(fs::absolute(image.path).lexically_relative(fs::weakly_canonical(fs::absolute(final_file).parent_path())),
                         file, error);
      break;
    case ImageTransfer::reference:
      break;
  }
  if (is_of_export(error)) {
    throw io_error("cannot write the file", file.native(), error.value());
  }
  if (error == std::errc::cross_device_link) {
    throw Error(ErrorCode::wrong_use, "hard links cannot lead to another file system; copy the images or link them symbolically",
                {{"image", printable(image.path.native())}});
  }
  return error ? std::optional(error.message()) : std::nullopt;
}

}  // namespace verilabel
