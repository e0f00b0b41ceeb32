#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/columns.h"

namespace verilabel {

class Database;  // private to the module

/// A row of `samples`. Path and name are the bytes of the file system, not necessarily UTF-8.
struct SampleRecord {
  SampleId id;
  std::string path;        ///< absolute; unique in the project
  std::string name;        ///< relative to the folder it was imported from, `/` between folders
  std::int32_t width = 0;  ///< pixels of the upright image; 0 when unknown
  std::int32_t height = 0;
  std::string format;         ///< "jpeg", "png"…; empty when unknown
  std::int64_t bytes = 0;     ///< size of the file
  std::int64_t mtime_ns = 0;  ///< its time of change, nanoseconds since 1970
  bool is_missing = false;    ///< labels named it, and no file was there
  std::string split;          ///< empty for none

  friend bool operator==(const SampleRecord&, const SampleRecord&) = default;
};

/// The object that a labels file gave for an image or for a class: its id there and its unknown fields.
struct SampleSource {
  SampleId sample;
  std::string source_json;
};
struct ClassSource {
  ClassId label_class;
  std::string source_json;
};

/// One project: a directory with `verilabel.db`, a column snapshot and lock files, all of which only this module touches.
///
/// Who may do what at the same time. Any number of processes, and any number of `Project` objects in one, may have a project open.
/// One `Project` object is for one thread at a time. Each writer, reader and cache made from it (`ImportWriter`, `RunWriter`,
/// `LabelReader`, `ColumnsCache`) has a connection of its own, may outlive it, may live in another thread, and is again for one
/// thread at a time unless it says otherwise. Readers see whole transactions and never wait. Writers take turns transaction by
/// transaction; one that waits for longer than ten seconds throws `conflict`. One import at a time may write, and one process at a
/// time may work on a run.
///
/// Errors of every function of this module: `io` for a full disk and for a folder or file that may not be written (the transaction
/// did not happen, what was stored before stays), `bad_data` for a database that is damaged, `conflict` for one that others keep
/// locked.
class Project {
 public:
  enum class Access : std::uint8_t { read_write, read_only };

  /// Makes the directory when it is missing, and an empty project in it. Throws `conflict` when there is a project already, `io`.
  static Project create(const std::filesystem::path& directory);
  /// Migrates a project of an older version when it may write. Throws `not_found` for a directory without a project,
  /// `newer_version` for one written by a newer verilabel, `bad_data` for a file that is no project database or is damaged, `io`. A
  /// read-only project of an older version throws `unsupported`.
  static Project open(const std::filesystem::path& directory, Access access = Access::read_write);

  Project(Project&&) noexcept;
  Project& operator=(Project&&) noexcept;
  ~Project();

  const std::filesystem::path& directory() const { return directory_; }
  Access access() const { return access_; }

  /// Everything that views ask, up to date. A few milliseconds when the snapshot is fresh; otherwise caught up or rebuilt, and the
  /// snapshot replaced where that may be done.
  Columns columns() const;

  /// Sets and classes in the order of their ids. Names are unique, and a class means the same in every set.
  std::vector<NamedId> sets() const;
  std::vector<NamedId> classes() const;
  std::optional<SetId> find_set(std::string_view name) const;
  std::optional<ClassId> find_class(std::string_view name) const;
  /// The id of the set or class of that name, made when it does not exist. Throws `wrong_use` for an empty name and for one that is
  /// not UTF-8.
  SetId ensure_set(std::string_view name);
  ClassId ensure_class(std::string_view name);

  std::int64_t sample_count() const;
  std::optional<SampleRecord> find_sample(SampleId id) const;
  /// By the exact bytes of its path.
  std::optional<SampleRecord> find_sample_by_path(std::string_view path) const;
  /// Every sample in the order of ids; `visit` must not use this project.
  void for_each_sample(const std::function<void(const SampleRecord&)>& visit) const;

  /// What the imports that were not undone said about images and classes, in the order of ids; where several spoke, the newest.
  /// With a set, only imports into that set.
  std::vector<SampleSource> sample_sources(std::optional<SetId> set = std::nullopt) const;
  std::vector<ClassSource> class_sources(std::optional<SetId> set = std::nullopt) const;
  /// What the newest import into the set said about its file as a whole, as a JSON object; empty for nothing.
  std::string dataset_json(SetId set) const;

  /// The number of the newest change, by this or any other process.
  std::int64_t change() const;

  /// For the module's own use.
  Database& database() const { return *database_; }

 private:
  Project(std::filesystem::path directory, Access access, std::unique_ptr<Database> database);

  std::filesystem::path directory_;
  Access access_;
  std::unique_ptr<Database> database_;
};

}  // namespace verilabel
