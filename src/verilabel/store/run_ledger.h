#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/ids.h"
#include "verilabel/dataset/label.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// What a run is asked to do; never changed afterwards.
struct NewRun {
  SetId set;
  std::string model_path;
  std::string model_sha256;
  std::string config_json;  ///< everything needed to resume it, as a JSON object
  double floor = 0;         ///< lowest confidence stored
  std::string engine;
};

/// What is known once the model is loaded.
struct RunSetup {
  std::string device;                                 ///< that really runs
  std::optional<std::vector<ClassId>> asked_classes;  ///< absent when it was asked for every class
  std::string model_json;                             ///< what the model says about itself, as a JSON object, or empty
};

enum class RunState : std::uint8_t {
  running,      ///< a process works on it
  interrupted,  ///< stopped or killed with samples left; can be resumed
  failed,       ///< ended by an error before it was through; can be resumed
  finished,     ///< every sample is done or failed
};
std::string_view name_of(RunState state);

struct RunRecord {
  RunId id;
  NewRun what;
  std::optional<RunSetup> setup;  ///< absent until the model was loaded
  RunState state = RunState::running;
  bool is_undone = false;
  std::string created_at;
  std::string finished_at;   ///< empty until then
  std::int64_t samples = 0;  ///< = done + failed + pending
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t pending = 0;
  std::int64_t labels = 0;      ///< stored by it, superseded ones included
  std::int64_t superseded = 0;  ///< of those
  std::string error;            ///< of a failed run
};

/// What happened to a run and when; appended, never changed.
struct RunEvent {
  std::string what;  ///< created, resumed, retried, stopped, failed, finished, undone
  std::string at;
  std::string by;      ///< author, or host and process
  std::string detail;  ///< text for people, or empty
};

struct SampleFailure {
  ErrorCode code = ErrorCode::internal;
  std::string message;

  friend bool operator==(const SampleFailure&, const SampleFailure&) = default;
};

struct FailedSample {
  SampleId sample;
  std::string path;
  SampleFailure failure;
};

/// What a run found on one sample: labels (perhaps none), or a failure.
struct SampleResult {
  SampleId sample;
  std::vector<Label> labels;
  std::optional<SampleFailure> failure;
};

struct StoredResults {
  std::int64_t done = 0;
  std::int64_t failed = 0;
  std::int64_t labels = 0;
  std::int64_t superseded = 0;  ///< of those
};

struct PendingSample {
  SampleId sample;
  std::string path;
  std::int32_t width = 0;
  std::int32_t height = 0;
};

/// The right of one process to write to a run, held by a file lock that the kernel frees however the process ends.
class RunWriter {
 public:
  /// Commits a new run with all its samples as pending; before any model is loaded. Samples count once each.
  static RunWriter start(const Project& project, const NewRun& what, std::span<const SampleId> samples);
  /// Takes up a run again; with `retry_failed`, its failed samples become pending. Throws `not_found`; `conflict` while another
  /// process works on it and when it was undone.
  static RunWriter resume(const Project& project, RunId run, bool retry_failed = false);
  RunWriter(RunWriter&&) noexcept;
  RunWriter& operator=(RunWriter&&) noexcept;
  ~RunWriter();  ///< frees the lock; a run with samples left is then `interrupted`

  RunId id() const;

  /// Before the first `write`. When a resumed run has a setup already, its classes must be the same (throws `conflict`); the device
  /// may differ, and an event says so.
  void set_up(const RunSetup& setup);
  /// One transaction for all of the results: each sample's labels and its outcome, with `superseded_by` of each label against the
  /// decisions that stand now. The samples are pending (throws `wrong_use` when one is not); labels keep their invariants and have
  /// existing classes (throws `wrong_use`, and stores nothing).
  StoredResults write(std::span<const SampleResult> results);
  /// Records that the run ends now: as finished when no sample is left, as stopped otherwise.
  void stop();
  /// Records that the run ends by an error that is not of one sample.
  void fail(const Error& error);

 private:
  struct State;
  explicit RunWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Oldest first.
std::vector<RunRecord> runs(const Project& project);
/// Throws `not_found`, naming the runs that exist.
RunRecord run_record(const Project& project, RunId run);
std::vector<RunEvent> run_events(const Project& project, RunId run);
std::vector<FailedSample> failed_samples(const Project& project, RunId run);
/// The next samples without an outcome, by id, after `after`; at most `limit`, so that memory does not follow the run's length.
std::vector<PendingSample> pending_samples(const Project& project, RunId run, SampleId after, std::size_t limit);

struct RunUndo {
  std::int64_t labels = 0;   ///< of the run
  std::int64_t decided = 0;  ///< of those: they stay
};
/// Makes the run's undecided labels inactive and those of its predecessor active again, by an appended row. Throws `not_found`;
/// `conflict` when it is undone already or a process works on it.
RunUndo undo_run(Project& project, RunId run, std::string_view author);

}  // namespace verilabel
