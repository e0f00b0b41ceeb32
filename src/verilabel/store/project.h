#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/columns.h"
#include "verilabel/dataset/label.h"
#include "verilabel/dataset/view.h"

namespace verilabel {

namespace store {
class Database;
class Transaction;
}  // namespace store

/// A sample as the store keeps it.
struct Sample {
  SampleId id;
  std::filesystem::path path;  ///< absolute
  std::string name;            ///< as the dataset calls it
  std::int32_t width = 0;      ///< pixels of the upright image; 0 when unknown
  std::int32_t height = 0;
  std::string format;
  std::uint64_t file_bytes = 0;
  std::int64_t modified_ns = 0;
  bool is_missing = false;
  std::string split;        ///< empty for none
  std::string source_json;  ///< empty for none
};

/// An effective label: as written, or as the last decision made it.
struct StoredLabel {
  LabelId id;
  SampleId sample;
  SetId set;
  Label label;
  Verdict verdict = Verdict::unreviewed;
  RunId run;              ///< none when imported
  ImportId import;        ///< none when from a run
  LabelId superseded_by;  ///< the decided label that it repeated when it was stored, or none
};

struct ClassRow {
  ClassId id;
  std::string name;
  std::string source_json;
};

/// The format of imports that are fusions. One counts once it is finished, and on the samples that it marks as labelled it takes
/// the place of the earlier ones in its set, until it is undone.
inline constexpr std::string_view kFusionFormat = "fuse";

struct ImportRow {
  ImportId id;
  std::string set;
  std::string format;
  std::string source;
  std::string started_at;
  std::string finished_at;  ///< empty in an import that was cut off
  std::int64_t labels = 0;
  bool is_undone = false;
  bool is_running = false;  ///< the last one of its set without an end, while a process imports into the set
};

/// What an evaluation says of one label.
struct StoredOutcome {
  LabelId label;
  Outcome outcome = Outcome::ignored;
  ErrorKind error = ErrorKind::none;
  LabelId partner = {};  ///< or, of an error, the label that it is about; 0 without either
  double iou = 0;        ///< with it; 0 without one
};

/// What an evaluation says of one sample that it covers.
struct StoredSampleOutcome {
  SampleId sample;
  std::int64_t tp = 0;  ///< truths that were found
  std::int64_t fp = 0;
  std::int64_t fn = 0;
};

/// A stored comparison of two label sets.
struct StoredEvaluation {
  std::string key;
  std::string prediction_set;
  std::string truth_set;
  std::string options_json;  ///< how it was made, and its numbers
  std::vector<StoredOutcome> outcomes;
  std::vector<StoredSampleOutcome> samples;
};

/// A stored evaluation in a list.
struct EvaluationSummary {
  std::string key;
  std::string prediction_set;
  std::string truth_set;
  std::string options_json;
  std::string made_at;  ///< ISO 8601
};

/// What a stored evaluation says in all.
struct EvaluationTotals {
  EvaluationSummary summary;
  std::int64_t samples = 0;  ///< that it covers
  std::int64_t tp = 0;       ///< truths that were found
  std::int64_t fp = 0;
  std::int64_t fn = 0;
  struct OfError {
    ErrorKind kind = ErrorKind::none;
    std::int64_t predictions = 0;  ///< that are wrong in this way
    std::int64_t truths = 0;       ///< that are lost in this way
  };
  std::vector<OfError> errors;  ///< kinds that occur
};

/// An open project: a folder with `verilabel.db` (SQLite, write-ahead log) and caches beside it. One object belongs to one thread;
/// any number of processes and objects may have the same project open. Readers never wait; writers wait for each other, transaction
/// by transaction. Every function may throw `io`, `conflict` (another writer did not finish in time) and `bad_data` (a damaged
/// database).
class Project {
 public:
  enum class Access : std::uint8_t { read_write, read_only };

  /// Makes the folder when it is missing. Throws `conflict` when it holds a project already.
  static Project create(const std::filesystem::path& directory);
  /// Throws `not_found` when the folder holds no project, `newer_version`.
  static Project open(const std::filesystem::path& directory, Access access = Access::read_write);
  Project(Project&&) noexcept;
  Project& operator=(Project&&) noexcept;
  ~Project();

  const std::filesystem::path& directory() const;

  std::optional<SetId> find_set(std::string_view name) const;
  SetId ensure_set(std::string_view name);
  /// Names of all sets, for messages.
  std::string set_names() const;
  std::vector<ClassRow> classes() const;
  ClassId ensure_class(std::string_view name, std::string_view source_json = {});

  Sample sample(SampleId id) const;
  /// In the order of their ids.
  void for_each_sample(const std::function<void(const Sample&)>& visit) const;
  /// The id and `source_json` of each, likewise, until `visit` says false.
  void for_each_source(const std::function<bool(SampleId, std::string_view)>& visit) const;
  /// Active and inactive labels alike, in the order of their ids; effective.
  std::vector<StoredLabel> labels_of(SampleId sample, SetId set) const;
  /// What the newest import into the set that was not undone brought along; empty when none did.
  std::string dataset_json(SetId set) const;

  /// Everything that was committed when it was called, from the snapshot and the table of changes; see columns_reader.h.
  Columns columns() const;
  /// With the evaluation that the view asks about, when it does and there is one. Throws `wrong_use` for the key of another, and
  /// lists those that there are.
  Columns columns_for(const View& view) const;
  /// Gives columns of this project the evaluation that the view asks about, in place of any other. Throws likewise.
  void take_evaluation(const View& view, Columns& columns) const;
  /// Brings columns of this project up to date in place, without evaluation. Cheap when little has changed.
  void refresh(Columns& columns) const;

  std::vector<ImportRow> imports() const;
  /// Makes the undecided labels of the import inactive. Throws `not_found`, `conflict` when it was undone before. Returns their
  /// number.
  std::int64_t undo_import(ImportId import);

  /// Returns how many did not have the tag before (had it, for removing).
  std::int64_t tag_samples(std::span<const SampleId> samples, std::string_view tag);
  std::int64_t untag_samples(std::span<const SampleId> samples, std::string_view tag);

  std::int64_t tag_labels(std::span<const LabelId> labels, std::string_view tag);
  std::int64_t untag_labels(std::span<const LabelId> labels, std::string_view tag);

  /// Gives the sample the fields of a JSON object; those of an object inside it get names with dots, null takes a field away, and
  /// fields that are not named stay. Throws `not_found`; `wrong_use` for what is no such object, and for lists, which no field can
  /// hold; then nothing has changed.
  void set_fields(SampleId sample, std::string_view json);
  /// A flat JSON object of all fields of the sample, in the order of their names; empty when it has none.
  std::string fields_of(SampleId sample) const;

  /// The attributes of a label as a JSON object, as they came; empty when it has none, or there is no such label.
  std::string attributes_of(LabelId label) const;

  /// In the order of their names.
  SavedViews saved_views() const;
  /// Gives a view a name; one of that name is replaced. Throws `wrong_use` for an empty name, a text that is no view, and one that
  /// would contain itself.
  void save_view(std::string_view name, std::string_view text);
  /// Throws `not_found`, and `conflict` when another saved view names it.
  void remove_view(std::string_view name);

  /// Replaces the evaluation of its key.
  void save_evaluation(const StoredEvaluation& evaluation);
  /// From the newest to the oldest.
  std::vector<EvaluationSummary> evaluations() const;
  /// Throws `wrong_use` for a key that does not exist, and lists those that there are; `remove_evaluation` likewise.
  EvaluationTotals evaluation_totals(std::string_view key) const;
  void remove_evaluation(std::string_view key);

  /// For the other parts of the module.
  store::Database& database() const;

 private:
  struct State;
  explicit Project(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// While it lives, all that is read through the project is of one moment, that of the first read, whatever others commit meanwhile.
/// Nothing may be written through the project in that time.
class ReadScope {
 public:
  explicit ReadScope(const Project& project);
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;
  ~ReadScope();

 private:
  std::unique_ptr<store::Transaction> transaction_;
};

}  // namespace verilabel
