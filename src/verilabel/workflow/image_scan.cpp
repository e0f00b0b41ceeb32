#include "verilabel/workflow/image_scan.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <limits>
#include <thread>

#include <sys/stat.h>

#include "verilabel/base/error.h"
#include "verilabel/image/header.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesOfABlock = 1024;
constexpr std::int64_t kNanosecondsOfASecond = 1'000'000'000;

void collect_files(const fs::path& folder, std::vector<fs::path>& files, std::vector<ScannedFile>& unreadable) {
  std::error_code failure;
  fs::directory_iterator entries(folder, failure);
  if (failure) {
    const Error error = io_error("cannot read the folder", folder.native(), failure.value());
    unreadable.push_back({std::nullopt, FileFailure{folder.native(), error.code(), error.message()}});
    return;
  }
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : entries) {
    if (entry.is_directory(failure) && !entry.is_symlink(failure)) {
      folders.push_back(entry.path());
    } else if (entry.is_regular_file(failure) || entry.is_symlink(failure)) {
      files.push_back(entry.path());
    }
  }
  entries = {};  // folders may lie deeper inside each other than files may be open
  for (const fs::path& sub : folders) {
    collect_files(sub, files, unreadable);
  }
}

std::size_t read_first_bytes(const fs::path& path, std::span<std::byte> bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw io_error("cannot open the file", path.native(), errno);
  }
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return static_cast<std::size_t>(file.gcount());
}

}  // namespace

ScannedFile scan_image(const fs::path& path, std::string name) {
  const auto failed = [&](const Error& error) {
    return ScannedFile{std::nullopt, FileFailure{path.native(), error.code(), error.message()}};
  };
  try {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
      throw io_error("cannot open the file", path.native(), errno);
    }
    if (!S_ISREG(status.st_mode)) {
      return {};
    }
    std::array<std::byte, kSniffBytes> first_bytes;
    const std::size_t got = read_first_bytes(path, first_bytes);
    if (!is_image_candidate(path, std::span(first_bytes).first(got))) {
      return {};
    }
    const ImageHeader header = read_header(path);
    Sample sample;
    sample.path = path;
    sample.name = std::move(name);
    sample.width = header.width;
    sample.height = header.height;
    sample.format = name_of(header.format);
    sample.file_bytes = static_cast<std::uint64_t>(status.st_size);
    // As nanoseconds, moments end in 1677 and in 2262.
    constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / kNanosecondsOfASecond - 1;
    const std::int64_t seconds = std::clamp<std::int64_t>(status.st_mtim.tv_sec, -latest, latest);
    sample.modified_ns = seconds * kNanosecondsOfASecond + status.st_mtim.tv_nsec;
    return {std::move(sample), std::nullopt};
  } catch (const Error& error) {
    return failed(error);
  }
}

void scan_images(const fs::path& folder, const ProgressSink& progress, const CancelToken& cancel,
                 const std::function<void(ScannedFile&&)>& visit) {
  std::error_code failure;
  if (!fs::is_directory(folder, failure)) {
    throw Error(ErrorCode::not_found, "there is no such folder of images", {{"path", folder.native()}});
  }
  std::vector<fs::path> files;
  std::vector<ScannedFile> unreadable;
  collect_files(folder, files, unreadable);
  std::ranges::sort(files);
  for (ScannedFile& file : unreadable) {
    visit(std::move(file));
  }

  // Headers are read on all processors, block by block; the visitor sees them in order, on this thread.
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<ScannedFile> block;
  Progress status{.stage = "reading images", .total = static_cast<std::int64_t>(files.size()), .unit = "files"};
  for (std::size_t begin = 0; begin < files.size(); begin += kFilesOfABlock) {
    if (cancel.is_requested()) {
      throw Error(ErrorCode::interrupted, "stopped while reading images; those read so far are kept. Repeat the command to go on");
    }
    block.assign(std::min(kFilesOfABlock, files.size() - begin), {});
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < block.size(); i = next++) {
        const fs::path& path = files[begin + i];
        block[i] = scan_image(path, path.lexically_relative(folder).native());
      }
    };
    {
      std::vector<std::jthread> helpers;
      for (unsigned i = 1; i < threads; ++i) {
        helpers.emplace_back(work);
      }
      work();
    }
    for (ScannedFile& file : block) {
      ++(file.failure ? status.failed : status.done);
      visit(std::move(file));
    }
    if (progress) {
      progress(status);
    }
  }
}

}  // namespace verilabel
