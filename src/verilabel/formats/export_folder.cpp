#include "verilabel/formats/export_folder.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"

namespace verilabel {

namespace fs = std::filesystem;

fs::path place_of_folder(const fs::path& path) {
  fs::path place = fs::absolute(path).lexically_normal();
  return place.has_filename() ? place : place.parent_path();
}

NewFolder::NewFolder(const fs::path& path) : place_(place_of_folder(path)) {
  std::error_code error;
  if (fs::exists(place_) && (!fs::is_directory(place_) || !fs::is_empty(place_))) {
    throw Error(ErrorCode::conflict, "there is something already; name a folder that does not exist or is empty",
                {{"path", place_.native()}});
  }
  fs::create_directories(place_.parent_path(), error);
  std::string name = place_.native() + ".XXXXXX";
  if (error || ::mkdtemp(name.data()) == nullptr) {
    throw io_error("cannot create a folder", place_.native(), error ? error.value() : errno);
  }
  path_ = name;
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::chmod(path_.c_str(), 0777 & ~mask);
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  if (!path_.empty()) {
    fs::remove_all(path_, ignored);
  }
}

void NewFolder::put_in_place() {
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0 || ::syncfs(descriptor) != 0) {
    const int reason = errno;
    ::close(descriptor);
    throw io_error("cannot write the folder", path_.native(), reason);
  }
  ::close(descriptor);
  if (::rename(path_.c_str(), place_.c_str()) != 0) {
    throw io_error("cannot put the new folder in place", place_.native(), errno);
  }
  path_.clear();
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw io_error("cannot create the folder", folder.native(), error.value());
  }
}

void write_new_file(const fs::path& path, std::string_view content) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) {
    throw io_error("cannot create the file", path.native(), errno);
  }
  try {
    write_all(descriptor, std::as_bytes(std::span(content)), path);
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  if (::close(descriptor) != 0) {
    throw io_error("cannot write the file", path.native(), errno);
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
