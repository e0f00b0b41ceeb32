#include "verilabel/base/new_folder.h"

#include <cerrno>
#include <cstdlib>
#include <span>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

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

}  // namespace verilabel
