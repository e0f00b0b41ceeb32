#include "verilabel/base/file.h"

#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/descriptor.h"
#include "verilabel/base/digest.h"
#include "verilabel/base/error.h"

namespace verilabel {
namespace {

Descriptor open_for_reading(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    throw io_error("cannot open the file", path.native(), errno);
  }
  struct stat status{};
  if (::fstat(file.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    throw Error(ErrorCode::wrong_use, "this is a folder, a file is needed", {{"path", path.native()}});
  }
  return Descriptor(file.release());
}

std::size_t read_some(const Descriptor& file, std::span<char> buffer, const std::filesystem::path& path) {
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR) {
      throw io_error("cannot read the file", path.native(), errno);
    }
  }
}

constexpr std::size_t kReadChunkBytes = 1 << 20;

/// The file that a new one may take the place of: links followed, nothing but regular files.
std::filesystem::path replaceable(const std::filesystem::path& place) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::is_symlink(place, ignored) && std::filesystem::exists(place, ignored)
                                         ? std::filesystem::canonical(place, ignored)
                                         : place;
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored)) {
    throw Error(ErrorCode::wrong_use, "this is no file but a device, a pipe or a folder, which is not replaced; name a file",
                {{"path", place.native()}});
  }
  return path;
}

}  // namespace

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const Descriptor file = open_for_reading(path);
  struct stat status{};
  std::string content;
  if (::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode)) {
    content.reserve(std::min<std::uint64_t>(static_cast<std::uint64_t>(status.st_size), max_bytes) + 1);
  }
  std::vector<char> chunk(kReadChunkBytes);
  while (const std::size_t got = read_some(file, chunk, path)) {
    if (content.size() + got > max_bytes) {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the file is larger than {} bytes, which is more than such a file can need", max_bytes),
                  {{"path", path.native()}});
    }
    content.append(chunk.data(), got);
  }
  return content;
}

void read_ahead(const std::filesystem::path& path) noexcept {
  // O_NONBLOCK: a pipe without a writer does not hold the caller up.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() >= 0) {
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_WILLNEED);
  }
}

void write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor, bytes.data(), bytes.size());
    if (put < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw io_error("cannot write the file", path.native(), errno);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void replace_file(const std::filesystem::path& place, const std::function<void(int descriptor)>& write,
                  const std::filesystem::path& made_in) {
  const std::filesystem::path path = replaceable(place);
  std::string temporary = (made_in.empty() ? path : made_in / path.filename()).native() + ".XXXXXX";
  Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.get() < 0) {
    throw io_error("cannot create a file", path.native(), errno);
  }
  try {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file.get(), 0666 & ~mask) != 0) {
      throw io_error("cannot set the file's mode", path.native(), errno);
    }
    write(file.get());
    if (::fsync(file.get()) != 0 || ::close(file.release()) != 0) {
      throw io_error("cannot write the file", path.native(), errno);
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      throw io_error("cannot put the new file in place", path.native(), errno);
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void replace_file(const std::filesystem::path& path, std::string_view content, const std::filesystem::path& made_in) {
  replace_file(path, [&](int descriptor) { write_all(descriptor, std::as_bytes(std::span(content)), path); }, made_in);
}

MappedFile MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file = open_for_reading(path);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) {
    throw io_error("cannot ask the file's size", path.native(), errno);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) {
    return MappedFile({});
  }
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) {
    throw io_error("cannot map the file", path.native(), errno);
  }
  return MappedFile({static_cast<const std::byte*>(address), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (file.get() < 0) {
    throw io_error("cannot open the lock file", path.native(), errno);
  }
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return std::nullopt;
    }
    if (errno != EINTR) {
      throw io_error("cannot lock the file", path.native(), errno);
    }
  }
  // Whoever removed the file meanwhile made room for another lock of the same name.
  struct stat status{};
  return ::fstat(file.get(), &status) == 0 && status.st_nlink > 0 ? std::optional(FileLock(file.release())) : try_acquire(path);
}

bool FileLock::is_held(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT) {
      return false;
    }
    throw io_error("cannot open the lock file", path.native(), errno);
  }
  // Shared, so that two who look do not see each other.
  while (::flock(file.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return true;
    }
    if (errno != EINTR) {
      throw io_error("cannot ask the lock", path.native(), errno);
    }
  }
  return false;
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Digest with_file(Digest digest, const std::filesystem::path& path, const std::function<void(std::uint64_t bytes)>& read) {
  const Descriptor file = open_for_reading(path);
  std::vector<char> chunk(kReadChunkBytes);
  std::uint64_t bytes = 0;
  while (const std::size_t got = read_some(file, chunk, path)) {
    digest.add({chunk.data(), got});
    bytes += got;
    if (read) {
      read(bytes);
    }
  }
  return digest;
}

std::string sha256_of_file(const std::filesystem::path& path) {
  return with_file(Digest(Digest::Kind::sha256), path).finish();
}

std::string sha256_of(std::string_view bytes) {
  Digest digest(Digest::Kind::sha256);
  digest.add(bytes);
  return digest.finish();
}

}  // namespace verilabel
