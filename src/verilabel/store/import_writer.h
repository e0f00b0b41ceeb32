#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/label.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// What is imported from where. An import of the same words that was cut off is completed under its own id.
struct NewImport {
  std::string source;        ///< path of the labels or of the folder of images, as bytes
  std::string format;        ///< "coco", "yolo"…; empty for images alone
  std::string options_json;  ///< whatever else tells it from another, as a JSON object, or empty
  std::optional<SetId> set;  ///< the set that the labels go into; none for images alone
};

/// An image to be taken in; as `SampleRecord` without an id.
struct NewSample {
  std::string path;
  std::string name;
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::string format;
  std::int64_t bytes = 0;
  std::int64_t mtime_ns = 0;
  bool is_missing = false;
  std::string split;  ///< empty leaves the split of a sample that exists as it is
};

enum class SampleOutcome : std::uint8_t {
  added,
  unchanged,
  updated,  ///< known by this path, and the file is another than before (size, time of change), or there at last
};

struct StoredSample {
  SampleId id;
  SampleOutcome outcome = SampleOutcome::added;
  bool is_split_moved = false;  ///< it had another split before; it has at most one
};

/// A sample as a labels file names it.
struct ImportedSample {
  SampleId sample;
  bool is_labelled = true;  ///< in the import's set, perhaps as empty; counts as soon as the import is finished
  std::string source_json;  ///< its id there and the unknown fields, or empty
};

struct SampleLabel {
  SampleId sample;
  Label label;
};

struct ImportCounts {
  std::int64_t samples_added = 0;
  std::int64_t samples_unchanged = 0;
  std::int64_t samples_updated = 0;
  std::int64_t labels_added = 0;
  std::int64_t labels_unchanged = 0;  ///< equal to one that an import which was not undone had brought to that sample and set
};

struct ImportRecord {
  ImportId id;
  NewImport what;
  std::string started_at;   ///< UTC, as 2026-01-31T12:00:00.000Z, like every time in the store
  std::string finished_at;  ///< empty: it was cut off, or goes on
  ImportCounts counts;      ///< of everything under this id
  bool is_undone = false;
};

/// Writes one import in chunks that each are one transaction, so that what is in stays in when the process dies, and other writers
/// get their turn. One import at a time may write to a project.
///
/// Equal labels. Two labels of one sample and set are equal when every field is (coordinates to the last bit; the two texts byte
/// for byte). An import adds a label only so often as the file has it more often than earlier imports that were not undone brought
/// it; so repeating an import adds nothing, and repeating one that was cut off completes it.
class ImportWriter {
 public:
  /// Begins an import, or goes on with one that was cut off. Throws `conflict` while another import writes.
  static ImportWriter begin(const Project& project, const NewImport& what);
  ImportWriter(ImportWriter&&) noexcept;
  ImportWriter& operator=(ImportWriter&&) noexcept;
  /// Without `finish`: keeps what was committed, drops the last chunk; beginning the same import again completes it.
  ~ImportWriter();

  ImportId id() const;

  /// One answer each, in order. A path that occurs twice is added once. Throws `wrong_use` for an empty path.
  std::vector<StoredSample> add_samples(std::span<const NewSample> samples);
  /// A file was found for a sample that was missing: it takes over everything from `sample`, the path included. Throws `conflict`
  /// when another sample has that path.
  void found(SampleId missing, const NewSample& sample);

  /// As `Project::ensure_class`, and keeps what the file says about the class.
  ClassId add_class(std::string_view name, std::string_view source_json);
  void add_imported_samples(std::span<const ImportedSample> samples);
  /// The labels keep their invariants (`fault_of`) and have a class; samples and classes exist. Throws `wrong_use` when not;
  /// nothing of the span is stored then. Needs an import with a set.
  void add_labels(std::span<const SampleLabel> labels);
  void set_dataset_json(std::string_view json);

  /// So far, by this process.
  const ImportCounts& counts() const;

  /// Commits what is left and marks the import as whole.
  ImportCounts finish();

 private:
  struct State;
  explicit ImportWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Oldest first.
std::vector<ImportRecord> imports(const Project& project);
/// Throws `not_found`.
ImportRecord import_record(const Project& project, ImportId id);
/// Makes the undecided labels of an import inactive by an appended row; decided ones and the samples stay. Returns how many labels
/// that are. Throws `not_found`; `conflict` when it is undone already, or an import is at work.
std::int64_t undo_import(Project& project, ImportId id, std::string_view author);

}  // namespace verilabel
