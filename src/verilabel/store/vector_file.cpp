// The file, in the byte order of the machine: a line of JSON that ends in a newline and is filled up with blanks to a multiple of
// 64 bytes, then records of one id (int64) and its row (float32).

#include "verilabel/store/vector_file.h"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::string_view kExtension = ".vectors";
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLongestHeader = 1 << 16;
constexpr std::size_t kMostDimensions = 1 << 20;
constexpr std::size_t kPendingBytes = 1 << 20;
constexpr int kVersion = 1;

fs::path folder_of(const fs::path& project) {
  return project / "vectors";
}

fs::path file_of(const fs::path& project, std::string_view key) {
  const bool is_name = !key.empty() && key.size() <= 100 &&
                       std::ranges::all_of(key, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
  if (!is_name) {
    throw Error(ErrorCode::wrong_use, fmt::format("'{}' is no name for vectors: letters, digits, - and _ make one", key));
  }
  return folder_of(project) / fmt::format("{}{}", key, kExtension);
}

std::size_t record_bytes(const VectorHeader& header) {
  return sizeof(std::int64_t) + header.dimensions * sizeof(float);
}

std::string text_of(const VectorHeader& header) {
  const json document = {{"verilabel_vectors", kVersion},           {"key", header.key},
                         {"subject", name_of(header.subject)},      {"model", header.model},
                         {"weights_sha256", header.weights_sha256}, {"method", header.method},
                         {"dimensions", header.dimensions},         {"preprocessing", header.preprocessing}};
  std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  text.append((kAlignment - (text.size() + 1) % kAlignment) % kAlignment, ' ');
  return text + '\n';
}

[[noreturn]] void refuse(const fs::path& file, const std::string& reason) {
  throw Error(ErrorCode::bad_data, fmt::format("this is no file of vectors: {}; remove it, and embed again", reason),
              {{"file", file.native()}});
}

struct ReadHeader {
  VectorHeader header;
  std::size_t bytes = 0;
};

ReadHeader header_from(std::string_view content, const fs::path& file) {
  const std::size_t end = content.substr(0, kLongestHeader).find('\n');
  if (end == std::string_view::npos) {
    refuse(file, "its first line does not end");
  }
  ReadHeader read{{}, end + 1};
  try {
    const json document = json::parse(content.substr(0, end));
    if (document.at("verilabel_vectors") != kVersion) {
      refuse(file, "it is of another version");
    }
    read.header.key = document.at("key").get<std::string>();
    const std::string subject = document.at("subject").get<std::string>();
    read.header.subject = subject == name_of(VectorSubject::labels) ? VectorSubject::labels : VectorSubject::samples;
    read.header.model = document.at("model").get<std::string>();
    read.header.weights_sha256 = document.at("weights_sha256").get<std::string>();
    read.header.method = document.at("method").get<std::string>();
    read.header.preprocessing = document.value("preprocessing", std::string());
    read.header.dimensions = document.at("dimensions").get<std::size_t>();
  } catch (const json::exception& error) {
    refuse(file, error.what());
  }
  if (read.header.dimensions == 0 || read.header.dimensions > kMostDimensions) {
    refuse(file, fmt::format("it has {} dimensions", read.header.dimensions));
  }
  return read;
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

[[noreturn]] void refuse_io(const char* what, const fs::path& file) {
  throw Error(ErrorCode::io, fmt::format("{}: {}", what, std::strerror(errno)), {{"file", file.native()}});
}

}  // namespace

std::string_view name_of(VectorSubject subject) {
  return subject == VectorSubject::labels ? "labels" : "samples";
}

std::span<const float> Vectors::row(std::size_t index) const {
  // The first row begins 8 bytes after a multiple of 64, and every record is a multiple of 4 bytes.
  const std::byte* record = file_.bytes().data() + begin_ + index * record_bytes(header_);
  return {reinterpret_cast<const float*>(record + sizeof(std::int64_t)), header_.dimensions};
}

Vectors open_vectors(const fs::path& project, std::string_view key) {
  const fs::path file = file_of(project, key);
  if (!fs::is_regular_file(file)) {
    const std::vector<std::string> keys = vector_keys(project);
    throw Error(ErrorCode::not_found,
                keys.empty() ? fmt::format("there are no vectors '{}', and no others; `verilabel embed` makes some", key)
                             : fmt::format("there are no vectors '{}'; there are: {}", key, fmt::join(keys, ", ")));
  }
  Vectors vectors(MappedFile::open(file));
  const ReadHeader read = header_from(text_of(vectors.file_), file);
  vectors.header_ = read.header;
  vectors.begin_ = read.bytes;
  const std::size_t each = record_bytes(read.header);
  const std::size_t count = (vectors.file_.bytes().size() - read.bytes) / each;
  vectors.ids_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(&vectors.ids_[i], vectors.file_.bytes().data() + read.bytes + i * each, sizeof(std::int64_t));
  }
  return vectors;
}

std::vector<std::string> vector_keys(const fs::path& project) {
  std::vector<std::string> keys;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_of(project), none)) {
    if (entry.path().extension() == kExtension) {
      keys.push_back(entry.path().stem().native());
    }
  }
  std::ranges::sort(keys);
  return keys;
}

VectorWriter::VectorWriter(const fs::path& project, const VectorHeader& header)
    : file_(file_of(project, header.key)), header_(header) {
  std::error_code failure;
  fs::create_directories(folder_of(project), failure);
  if (failure) {
    throw Error(ErrorCode::io, fmt::format("the folder for vectors cannot be made: {}", failure.message()),
                {{"folder", folder_of(project).native()}});
  }
  lock_ = FileLock::try_acquire(fs::path(file_).concat(".lock"));
  if (!lock_) {
    throw Error(ErrorCode::conflict, "another process is adding to these vectors", {{"vectors", header.key}});
  }
  std::size_t keep = 0;
  if (fs::is_regular_file(file_)) {
    const Vectors there = open_vectors(project, header.key);
    const VectorHeader& old = there.header();
    if (old.subject != header.subject || old.weights_sha256 != header.weights_sha256 || old.method != header.method ||
        (!old.preprocessing.empty() && old.preprocessing != header.preprocessing) || old.dimensions != header.dimensions) {
      throw Error(
          ErrorCode::conflict,
          fmt::format("the vectors '{}' are of {} by {} ({}, {} dimensions{}), which these cannot be compared with; choose another "
                      "name, or remove them",
                      header.key, name_of(old.subject), old.model, old.method, old.dimensions,
                      old.preprocessing.empty() ? "" : ", " + old.preprocessing),
          {{"file", file_.native()}});
    }
    ids_.insert(there.ids().begin(), there.ids().end());
    keep = there.begin_ + there.size() * record_bytes(old);
  } else {
    replace_file(file_, text_of(header));
    keep = text_of(header).size();
  }
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CLOEXEC);
  if (descriptor_ < 0) {
    refuse_io("the file of vectors cannot be written", file_);
  }
  // What a process that was killed left half written.
  if (::ftruncate(descriptor_, static_cast<off_t>(keep)) != 0 || ::lseek(descriptor_, 0, SEEK_END) < 0) {
    ::close(descriptor_);
    refuse_io("the file of vectors cannot be written", file_);
  }
}

VectorWriter::~VectorWriter() {
  ::close(descriptor_);
}

void VectorWriter::add(std::int64_t id, std::span<const float> row) {
  if (row.size() != header_.dimensions) {
    throw Error(ErrorCode::bad_model,
                fmt::format("the model gave a vector of {} numbers after some of {}", row.size(), header_.dimensions));
  }
  if (!ids_.insert(id).second) {
    return;
  }
  const std::span<const std::byte> of_id = std::as_bytes(std::span(&id, 1));
  pending_.insert(pending_.end(), of_id.begin(), of_id.end());
  const std::span<const std::byte> of_row = std::as_bytes(row);
  pending_.insert(pending_.end(), of_row.begin(), of_row.end());
  if (pending_.size() >= kPendingBytes) {
    flush();
  }
}

void VectorWriter::flush() {
  if (pending_.empty()) {
    return;
  }
  write_all(descriptor_, pending_, file_);
  pending_.clear();
  if (::fdatasync(descriptor_) != 0) {
    refuse_io("the vectors cannot be brought to the disk", file_);
  }
}

}  // namespace verilabel
