#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "verilabel/dataset/lifecycle.h"
#include "verilabel/store/database.h"

// What the tables of runs and imports say of the labels that came from them. Private to the module.
namespace verilabel::store {

struct RunSource {
  SetId set;
  bool is_undone = false;
  std::vector<ClassId> asked_classes;  ///< in increasing order
  std::optional<ReplacementBound> bound;
};

/// All runs, and the imports that do not count, as of the transaction that it was read in. Not to outlive the database.
class LabelSources {
 public:
  static LabelSources read(const Database& database);

  const std::unordered_map<std::int64_t, RunSource>& runs() const { return runs_; }
  /// Throws `bad_data` for a run that does not exist: the database is damaged.
  const RunSource& run(RunId run) const;
  /// Or a fusion that was cut off, whose labels never counted.
  bool is_import_undone(ImportId import) const;
  bool is_fusion(ImportId import) const;
  /// Whether it is a fusion, and a later one into its set stands on the sample.
  bool is_import_replaced(ImportId import, SampleId sample) const;
  /// Whether any label may be undone, or replaced by a fusion.
  bool has_undone() const;
  /// Of `finished`, in its order, the runs into `set`, for `label_statuses`. They refer to this object.
  std::vector<FinishedRun> runs_into(SetId set, std::span<const RunId> finished) const;

 private:
  std::unordered_map<std::int64_t, RunSource> runs_;
  std::vector<std::int64_t> fusions_;          ///< in increasing order
  std::vector<std::int64_t> undone_imports_;   ///< likewise
  std::vector<std::int64_t> earlier_fusions_;  ///< likewise: not undone, with a later one into their set that stands somewhere
  struct LaterFusion;
  std::shared_ptr<LaterFusion> later_fusion_;
};

}  // namespace verilabel::store
