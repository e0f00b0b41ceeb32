#include "verilabel/hub/download.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <span>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLockPollInterval{100};
constexpr std::chrono::milliseconds kProgressInterval{100};

/// The file that a blob grows in. Everybody who writes to it writes the same bytes to the same places, one after the other from
/// where the file ended, so that even where locks do nothing, as on some network file systems, two writers do no harm.
class PartialBlob {
 public:
  explicit PartialBlob(fs::path path) : path_(std::move(path)), descriptor_(open_at(path_)) {
    if (descriptor_ < 0 && errno == ELOOP) {
      // A cache may be shared: what a link leads to, which somebody has put there, is left alone.
      ::unlink(path_.c_str());
      descriptor_ = open_at(path_);
    }
    if (descriptor_ < 0) {
      throw io_error("cannot create a file in the model cache", path_.native(), errno);
    }
  }
  PartialBlob(const PartialBlob&) = delete;
  PartialBlob& operator=(const PartialBlob&) = delete;
  ~PartialBlob() {
    if (::lseek(descriptor_, 0, SEEK_END) == 0) {
      ::unlink(path_.c_str());  // nothing to go on with; after the move there is nothing of this name
    }
    ::close(descriptor_);
  }

  std::uint64_t size() const {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    if (end < 0) {
      throw io_error("cannot ask the file's size", path_.native(), errno);
    }
    return static_cast<std::uint64_t>(end);
  }

  void write(std::string_view bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
      const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno != EINTR) {
        throw io_error("cannot write into the model cache", path_.native(), errno);
      }
      if (put > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
      }
    }
  }

  void truncate() {
    if (::ftruncate(descriptor_, 0) != 0) {
      throw io_error("cannot write into the model cache", path_.native(), errno);
    }
  }

  /// Puts it where `path` says, once it is on disk.
  void move_to(const fs::path& path) {
    if (::fsync(descriptor_) != 0 || ::rename(path_.c_str(), path.c_str()) != 0) {
      throw io_error("cannot put a file into the model cache", path.native(), errno);
    }
  }

  const fs::path& path() const { return path_; }

 private:
  static int open_at(const fs::path& path) { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666); }

  fs::path path_;
  int descriptor_;
};

FileLock lock_of(const HubCache& cache, const RepositoryId& repository, const HubFile& file, const HubClient& client) {
  const fs::path path = cache.lock_of_blob(repository, file.hash);
  for (;;) {
    if (auto lock = FileLock::try_acquire(path)) {
      return *std::move(lock);
    }
    if (client.progress()) {
      client.progress()({"waiting for another process that fetches the same file", 0, 0, 0, "bytes"});
    }
    if (client.cancel().is_requested()) {
      throw Error(ErrorCode::interrupted, "the download was interrupted");
    }
    std::this_thread::sleep_for(kLockPollInterval);
  }
}

/// Fetches one blob under its lock.
class BlobDownload {
 public:
  BlobDownload(HubClient& client, const HubCache& cache, const RepositoryId& repository, const std::string& commit,
               const HubFile& file, const BytesSink& bytes)
      : client_(client),
        cache_(cache),
        repository_(repository),
        file_(file),
        bytes_(bytes),
        subject_{repository, commit, file.path},
        url_(fmt::format("{}/{}/resolve/{}/{}", client.settings().endpoint, repository.text, commit,
                         percent_encoded(file.path, true))),
        patience_(client.progress(), client.cancel()),
        partial_(cache.partial_blob(repository, file.hash)),
        digest_(digest_for(file)) {}

  /// The bytes that came over the network.
  std::uint64_t run() {
    take_up();
    for (;;) {
      while (done_ < file_.size) {
        fetch();
      }
      const std::string hash = digest_.finish();
      if (hash == file_.hash) {
        partial_.move_to(cache_.blob(repository_, file_.hash));
        return fetched_;
      }
      partial_.truncate();
      if (is_fresh_) {
        throw contradiction("the file's content has another hash than the hub's listing says", hash);
      }
      begin_anew();  // what lay there was perhaps no part of the file
      furthest_ = 0;
    }
  }

 private:
  /// Goes on with what an earlier attempt left.
  void take_up() {
    const std::uint64_t size = partial_.size();
    if (size > file_.size) {
      partial_.truncate();
    } else if (size > 0) {
      digest_ = hashed(file_, partial_.path(), client_.progress(), client_.cancel());
      done_ = size;
      furthest_ = size;
      is_fresh_ = false;
    }
    tell();
  }

  void begin_anew() {
    digest_ = digest_for(file_);
    done_ = 0;
    is_fresh_ = true;
    tell();
  }

  /// One attempt. Only what goes further than any before it counts as progress: a store without ranges begins anew each time.
  void fetch() {
    bool is_first = true;
    const auto take = [&](const HubAnswer& answer, std::string_view bytes) {
      if (std::exchange(is_first, false)) {
        begin(answer);
      }
      if (bytes.size() > file_.size - done_) {
        throw contradiction("the hub sends more bytes than its listing says", fmt::format("more than {}", file_.size));
      }
      partial_.write(bytes, done_);
      digest_.add(bytes);
      done_ += bytes.size();
      fetched_ += bytes.size();
      tell();
    };
    const HubAnswer answer = client_.get_file(url_, done_, subject_, take);
    const bool has_progress = done_ > furthest_;
    furthest_ = std::max(furthest_, done_);
    if (answer.failure) {
      patience_.wait_after(*answer.failure, has_progress);
    } else if (answer.response.status == 416) {
      begin_anew();  // the hub sees no such part in its file; from the beginning it has to be the right one
      patience_.wait_after({contradiction("the hub has less of the file than its listing says", "a shorter one"), std::nullopt},
                           false);
    } else if (done_ < file_.size) {
      check(answer);
      patience_.wait_after({contradiction("the hub sends fewer bytes than its listing says", std::to_string(done_)), std::nullopt},
                           has_progress);
    }
  }

  /// Looks at an answer before its first byte is taken.
  void begin(const HubAnswer& answer) {
    check(answer);
    if (answer.response.status == 206) {
      const std::string range = answer.response.header("content-range");
      if (range != fmt::format("bytes {}-{}/{}", done_, file_.size - 1, file_.size)) {
        throw contradiction("the hub sends another part of the file than was asked for", printable(range));
      }
    } else if (done_ > 0) {
      begin_anew();  // the whole file comes
    }
  }

  void check(const HubAnswer& answer) const {
    if (answer.commit != subject_.revision) {
      throw answer.commit.empty()
          ? Error(ErrorCode::bad_data,
                  "this is no answer of a hub: it does not say which commit the file is of (X-Repo-Commit); is HF_ENDPOINT right, "
                  "and "
                  "is there a proxy or a portal in between?",
                  {{"repository", repository_.text}, {"file", file_.path}, {"endpoint", client_.settings().endpoint}})
          : contradiction("the hub's file is of another commit than was asked for", printable(answer.commit));
    }
    if (!answer.hash.empty() && answer.hash != file_.hash) {
      throw contradiction("the hub names two hashes of one file", printable(answer.hash));
    }
    if (!answer.size.empty() && answer.size != std::to_string(file_.size)) {
      throw contradiction("the hub names two sizes of one file", printable(answer.size));
    }
  }

  Error contradiction(std::string_view what, std::string_view found) const {
    return {ErrorCode::bad_data,
            fmt::format("{}; nothing of it is kept as the file", what),
            {{"repository", repository_.text},
             {"revision", subject_.revision},
             {"file", file_.path},
             {"expected", fmt::format("{} bytes, {} {}", file_.size, file_.is_git_blob ? "git SHA-1" : "SHA-256", file_.hash)},
             {"found", std::string(found)}}};
  }

  void tell() const {
    if (bytes_) {
      bytes_(done_);
    }
  }

  HubClient& client_;
  const HubCache& cache_;
  const RepositoryId& repository_;
  const HubFile& file_;
  const BytesSink& bytes_;
  HubSubject subject_;
  std::string url_;
  Patience patience_;
  PartialBlob partial_;
  Digest digest_;               ///< of the bytes up to `done_`
  std::uint64_t done_ = 0;      ///< bytes that lie in the partial blob
  std::uint64_t furthest_ = 0;  ///< the most that they were
  std::uint64_t fetched_ = 0;   ///< that came over the network
  bool is_fresh_ = true;        ///< all of the bytes up to `done_` did
};

}  // namespace

Digest hashed(const HubFile& file, const fs::path& path, const ProgressSink& progress, const CancelToken& cancel) {
  std::chrono::steady_clock::time_point last_shown;
  return with_file(digest_for(file), path, [&](std::uint64_t bytes) {
    if (cancel.is_requested()) {
      throw Error(ErrorCode::interrupted, "stopped while a file of the model cache was hashed", {{"path", path.native()}});
    }
    const auto now = std::chrono::steady_clock::now();
    if (progress && now - last_shown >= kProgressInterval) {
      last_shown = now;
      progress({"hashing", static_cast<std::int64_t>(bytes), 0, static_cast<std::int64_t>(file.size), "bytes"});
    }
  });
}

bool has_content(const HubCache& cache, const RepositoryId& repository, const std::string& commit, const HubFile& file,
                 bool is_hashed, const ProgressSink& progress, const CancelToken& cancel) {
  const auto content = cache.find_content(repository, commit, file);
  return content && (!is_hashed || hashed(file, *content, progress, cancel).finish() == file.hash);
}

std::uint64_t download(HubClient& client, const HubCache& cache, const RepositoryId& repository, const std::string& commit,
                       const HubFile& file, bool is_hashed, const BytesSink& bytes) {
  const FileLock lock = lock_of(cache, repository, file, client);
  if (has_content(cache, repository, commit, file, is_hashed, client.progress(), client.cancel())) {
    return 0;
  }
  return BlobDownload(client, cache, repository, commit, file, bytes).run();
}

}  // namespace verilabel
