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

void check_new_folder(const fs::path& path) {
  const fs::path place = place_of_folder(path);
  std::error_code error;
  const bool is_there = fs::exists(place, error);
  const bool is_taken = is_there ? !fs::is_directory(place, error) || !fs::is_empty(place, error) : fs::is_symlink(place);
  if (!error && is_taken) {
    throw Error(ErrorCode::conflict, "there is something already; name a folder that does not exist or is empty",
                {{"path", place.native()}});
  }
  if (error) {
    throw io_error("cannot look at the folder", place.native(), error.value());
  }
}

namespace {

/// What the folder itself is: behind links.
fs::path behind_links(const fs::path& place) {
  std::error_code error;
  const fs::path real = fs::is_symlink(place, error) ? fs::canonical(place, error) : place;
  return error ? place : real;
}

/// Whether nothing can take the place of a folder that is there.
bool has_to_stay(const fs::path& place) {
  struct stat folder{};
  struct stat parent{};
  struct stat here{};
  if (::stat(place.c_str(), &folder) != 0 || ::stat(place.parent_path().c_str(), &parent) != 0) {
    return false;
  }
  const bool is_here = ::stat(".", &here) == 0 && here.st_dev == folder.st_dev && here.st_ino == folder.st_ino;
  return folder.st_dev != parent.st_dev || is_here;
}

}  // namespace

NewFolder::NewFolder(const fs::path& path) : place_(behind_links(place_of_folder(path))) {
  check_new_folder(place_);
  std::error_code error;
  fs::create_directories(place_.parent_path(), error);
  is_inside_ = has_to_stay(place_);
  std::string name = is_inside_ ? (place_ / ".new.XXXXXX").native() : place_.native() + ".XXXXXX";
  if (error || ::mkdtemp(name.data()) == nullptr) {
    throw io_error("cannot create a folder", place_.native(), error ? error.value() : errno);
  }
  path_ = name;
  struct stat there{};
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::chmod(path_.c_str(), ::stat(place_.c_str(), &there) == 0 ? there.st_mode & 07777U : 0777 & ~mask);
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
  const auto put = [](const fs::path& from, const fs::path& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      throw io_error("cannot put the new folder in place", to.native(), errno);
    }
  };
  if (!is_inside_) {
    put(path_, place_);
    path_.clear();
    return;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path_)) {
    put(entry.path(), place_ / entry.path().filename());
  }
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
