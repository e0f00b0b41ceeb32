#include "verilabel/image/header_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace verilabel {
namespace {

constexpr std::size_t kWindowBytes = 4096;

/// Closes on every way out.
struct OpenFile {
  int descriptor;
  ~OpenFile() { ::close(descriptor); }
};

}  // namespace

void fail(ErrorCode code, std::string message) {
  throw Error(code, std::move(message));
}

void fail_cut_off() {
  fail(ErrorCode::bad_data, "the image header is cut off; the file is truncated or damaged");
}

void HeaderBytes::refill(std::uint64_t offset, std::size_t count) {
  buffer_.resize(std::min<std::uint64_t>(std::max(count, kWindowBytes), size_ - offset));
  std::size_t filled = 0;
  while (filled < buffer_.size()) {
    const ssize_t got = ::pread(descriptor_, buffer_.data() + filled, buffer_.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      throw io_error("cannot read the file", path_->native(), errno);
    }
    if (got == 0) {  // the file shrank since it was opened
      fail_cut_off();
    }
    filled += static_cast<std::size_t>(got);
  }
  window_ = buffer_;
  window_offset_ = offset;
}

void with_header_bytes(const std::filesystem::path& path, const std::function<void(HeaderBytes&)>& read) {
  // Without O_NONBLOCK, opening a pipe that somebody left in the folder would wait for ever.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    throw io_error("cannot open the image", path.native(), errno);
  }
  const OpenFile file{descriptor};
  struct stat status{};
  if (::fstat(file.descriptor, &status) != 0) {
    throw io_error("cannot read the image", path.native(), errno);
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io, S_ISDIR(status.st_mode) ? "this is a directory, not an image" : "this is not a regular file",
                {{"path", path.native()}});
  }
  try {
    HeaderBytes bytes(file.descriptor, static_cast<std::uint64_t>(status.st_size), path);
    read(bytes);
  } catch (const Error& error) {
    throw error.context().empty() ? error.with("path", path.native()) : error;
  }
}

}  // namespace verilabel
