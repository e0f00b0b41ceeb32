#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "verilabel/base/file.h"

namespace verilabel {

/// What the rows of a file of vectors stand for.
enum class VectorSubject : std::uint8_t { samples, labels };
std::string_view name_of(VectorSubject subject);

/// What makes vectors comparable: those of one file all come from the same model in the same way.
struct VectorHeader {
  std::string key;  ///< what the vectors are called: letters, digits, - and _
  VectorSubject subject = VectorSubject::samples;
  std::string model;           ///< for people
  std::string weights_sha256;  ///< with `method`, what has to agree for rows to be added
  std::string method;          ///< which output of the model, how an object is cut out
  std::size_t dimensions = 0;
  std::string preprocessing = {};  ///< how images are brought to the model; has to agree too, unless the file does not say it

  friend bool operator==(const VectorHeader&, const VectorHeader&) = default;
};

/// The vectors of a file, mapped.
class Vectors {
 public:
  const VectorHeader& header() const { return header_; }
  std::size_t size() const { return ids_.size(); }
  /// Of samples or labels, in the order in which they were added; each once.
  std::span<const std::int64_t> ids() const { return ids_; }
  /// float32, of length 1.
  std::span<const float> row(std::size_t index) const;

 private:
  friend Vectors open_vectors(const std::filesystem::path&, std::string_view);
  friend class VectorWriter;
  explicit Vectors(MappedFile file) : file_(std::move(file)) {}

  MappedFile file_;
  VectorHeader header_;
  std::size_t begin_ = 0;  ///< of the first record
  std::vector<std::int64_t> ids_;
};

/// Opens `vectors/KEY.vectors` of a project's folder. Throws `not_found` listing those that there are, and `bad_data` for a file
/// that is none. A record that was cut off at the end counts as not written.
Vectors open_vectors(const std::filesystem::path& project, std::string_view key);

/// Keys of the files of vectors of a project's folder, in alphabetical order.
std::vector<std::string> vector_keys(const std::filesystem::path& project);

/// Adds rows to a file of vectors. Rows that are there stay, whatever happens: a file only grows, and what a process that was
/// killed left half written at its end is cut off by the next one. Holds a lock, which the kernel frees when the process ends.
class VectorWriter {
 public:
  /// Makes the file when it is missing. Throws `conflict` when another process writes it, and when it holds vectors of another
  /// model, method or subject; `wrong_use` for a key that is no name of a file; `io`.
  VectorWriter(const std::filesystem::path& project, const VectorHeader& header);
  ~VectorWriter();
  VectorWriter(const VectorWriter&) = delete;
  VectorWriter& operator=(const VectorWriter&) = delete;

  bool has(std::int64_t id) const { return ids_.contains(id); }
  std::size_t size() const { return ids_.size(); }
  /// One row a sample or label. Throws `io`.
  void add(std::int64_t id, std::span<const float> row);
  /// Brings everything that was added to the disk. Throws `io`.
  void flush();

 private:
  std::filesystem::path file_;
  VectorHeader header_;
  std::optional<FileLock> lock_;
  std::unordered_set<std::int64_t> ids_;
  std::vector<std::byte> pending_;
  int descriptor_ = -1;
};

}  // namespace verilabel
