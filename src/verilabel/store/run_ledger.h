#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/dataset/lifecycle.h"
#include "verilabel/store/project.h"

namespace verilabel::store {
class LabelSources;
}

namespace verilabel {

/// What was asked for.
struct RunRequest {
  std::string set;
  std::string model;  ///< path
  std::string weights_sha256;
  std::string view;
  double floor = 0;
  std::string options_json;
  std::optional<ReplacementBound> bound = {};  ///< absent: undecided labels of any confidence give way
};

struct RunRow {
  RunId id;
  RunRequest request;
  std::string model_json;  ///< empty until the model was loaded
  std::string engine;
  std::string device;  ///< that really ran
  std::string started_at;
  std::string finished_at;  ///< empty while samples are left
  bool is_undone = false;
  std::int64_t samples = 0;
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t labels = 0;
  std::int64_t superseded = 0;  ///< of `labels`: repeated what a person had decided on when they were stored
  std::int64_t repeats = 0;     ///< likewise, an undecided label that the run keeps
};

struct RunFailure {
  SampleId sample;
  std::string name;
  std::string path;
  std::string code;
  std::string message;
};

/// The ledger of runs: reading, and what is one statement.
std::vector<RunRow> runs(const Project& project);
/// Throws `not_found`.
RunRow run_row(const Project& project, RunId run);
std::vector<RunFailure> run_failures(const Project& project, RunId run);
/// What was looked for on some samples.
struct Look {
  std::optional<std::vector<ClassId>> asked_classes;  ///< in increasing order; absent for imports, which may hold any
  std::vector<SampleId> samples;
};
/// By whom samples are labelled in the set: its runs that were not undone, each with the samples it has done, and its imports that
/// were finished and not undone, together.
std::vector<Look> looks_into(const Project& project, SetId set);

/// Whether a process works on the run now.
bool is_live(const Project& project, RunId run);
/// Makes the run's undecided labels inactive, and those that it replaced active again. Throws `not_found`; `conflict` for a run
/// that is live or was undone before. Returns how many labels became inactive.
std::int64_t undo_run(Project& project, RunId run);

/// Stores the run with its samples as pending, before any model is compiled and works. The classes follow with
/// `RunWriter::set_model`.
RunId add_run(Project& project, const RunRequest& request, std::span<const SampleId> samples);

struct SampleFailure {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// The labels that a model proposes for a sample, or why there are none.
struct SampleOutcome {
  SampleId sample;
  std::variant<std::vector<Label>, SampleFailure> result;
};

/// Works on one run; holds its lock, which the kernel frees when the process ends.
class RunWriter {
 public:
  /// Throws `not_found`; `conflict` while another process holds the run, and when it was undone.
  static RunWriter open(Project& project, RunId run);

  /// Samples without an outcome; with `retry_failed`, the failed ones too.
  std::vector<Sample> samples_left(bool retry_failed) const;
  /// Once the model is loaded.
  void set_model(std::string_view model_json, std::string_view engine, std::string_view device,
                 std::span<const ClassId> asked_classes);
  /// In one transaction, each sample's labels with its outcome. A candidate that repeats what a person has decided on is stored as
  /// superseded; one that repeats a label that the run keeps is counted.
  void write(std::span<const SampleOutcome> outcomes);
  /// Notes the end when no sample is left.
  void finish();

 private:
  RunWriter(store::Database& database, RunId run, SetId set, std::optional<ReplacementBound> bound, FileLock lock);
  struct Statements;
  std::int64_t repeats_on(SampleId sample, const store::LabelSources& sources);
  store::Database* database_;
  RunId run_;
  SetId set_;
  std::optional<ReplacementBound> bound_;
  FileLock lock_;
  std::shared_ptr<Statements> statements_;
};

}  // namespace verilabel
