#include "verilabel/formats/input_file.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verilabel/base/error.h"

namespace verilabel {

InputFile::InputFile(std::filesystem::path path)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw io_error("cannot open the file", path_.native(), errno);
  }
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) {
    const int error = errno;
    ::close(descriptor_);
    throw io_error("cannot ask the file's size", path_.native(), error);
  }
  is_folder_ = S_ISDIR(status.st_mode);
  if (S_ISREG(status.st_mode)) {
    regular_bytes_ = static_cast<std::uint64_t>(status.st_size);
  }
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

std::size_t InputFile::read(char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(descriptor_, buffer, size);
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR) {
      throw io_error("cannot read the file", path_.native(), errno);
    }
  }
}

void InputFile::read_at(std::uint64_t byte_offset, std::span<char> buffer) const {
  while (!buffer.empty()) {
    const ssize_t got = ::pread(descriptor_, buffer.data(), buffer.size(), static_cast<off_t>(byte_offset));
    if (got < 0 && errno != EINTR) {
      throw io_error("cannot read the file", path_.native(), errno);
    }
    if (got == 0) {
      throw Error(ErrorCode::io, "the file became shorter while it was read", {{"path", path_.native()}});
    }
    const std::size_t done = got > 0 ? static_cast<std::size_t>(got) : 0;
    byte_offset += done;
    buffer = buffer.subspan(done);
  }
}

void InputFile::seek(std::uint64_t byte_offset) {
  if (::lseek(descriptor_, static_cast<off_t>(byte_offset), SEEK_SET) < 0) {
    throw io_error("cannot go back in the file", path_.native(), errno);
  }
}

}  // namespace verilabel
