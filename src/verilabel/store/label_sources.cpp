#include "verilabel/store/label_sources.h"

#include <algorithm>
#include <set>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/store/project.h"

namespace verilabel::store {

/// Whether there is one; labels come by sample, so the last answer is kept.
struct LabelSources::LaterFusion {
  Statement find;
  std::pair<ImportId, SampleId> asked;
  bool is_there = false;
};

LabelSources LabelSources::read(const Database& database) {
  LabelSources sources;
  Statement runs = database.prepare(
      "SELECT r.id, r.set_id, u.run_id, r.replaces_below, r.same_iou FROM runs r LEFT JOIN run_undos u ON u.run_id = r.id");
  while (runs.step()) {
    RunSource& run = sources.runs_[runs.integer(0)];
    run.set = {runs.integer(1)};
    run.is_undone = !runs.is_null(2);
    if (!runs.is_null(3)) {
      run.bound = ReplacementBound{runs.real(3), runs.real(4)};
    }
  }
  Statement classes = database.prepare("SELECT run_id, class_id FROM run_classes ORDER BY run_id, class_id");
  while (classes.step()) {
    sources.runs_[classes.integer(0)].asked_classes.push_back({classes.integer(1)});
  }
  std::set<std::int64_t> sets_with_fusion;
  Statement imports = database.prepare(
      "SELECT i.id, i.set_id, i.format, i.finished_at, u.import_id FROM imports i LEFT JOIN import_undos u ON u.import_id = i.id "
      "ORDER BY i.id DESC");
  while (imports.step()) {
    const bool is_fusion = imports.text(2) == kFusionFormat;
    if (is_fusion) {
      sources.fusions_.push_back(imports.integer(0));
    }
    if (!imports.is_null(4) || (is_fusion && imports.is_null(3))) {
      sources.undone_imports_.push_back(imports.integer(0));
    } else if (is_fusion && !sets_with_fusion.insert(imports.integer(1)).second) {
      sources.earlier_fusions_.push_back(imports.integer(0));
    }
  }
  std::ranges::reverse(sources.fusions_);
  std::ranges::reverse(sources.undone_imports_);
  std::ranges::reverse(sources.earlier_fusions_);
  if (!sources.earlier_fusions_.empty()) {
    sources.later_fusion_ = std::make_shared<LaterFusion>(LaterFusion{
        database.prepare(
            "SELECT 1 FROM import_samples s JOIN imports i ON i.id = s.import_id WHERE s.sample_id = ?1 AND s.import_id "
            "> ?2 AND i.set_id = (SELECT set_id FROM imports WHERE id = ?2) AND i.format = ?3 AND i.finished_at IS NOT "
            "NULL AND i.id NOT IN (SELECT import_id FROM import_undos)"),
        {}});
  }
  return sources;
}

const RunSource& LabelSources::run(RunId run) const {
  const auto found = runs_.find(run.value);
  if (found == runs_.end()) {
    throw Error(ErrorCode::bad_data, "the project's database is damaged: a label names a run that does not exist; restore a copy",
                {{"run", std::to_string(run.value)}});
  }
  return found->second;
}

bool LabelSources::is_import_undone(ImportId import) const {
  return std::ranges::binary_search(undone_imports_, import.value);
}

bool LabelSources::is_fusion(ImportId import) const {
  return std::ranges::binary_search(fusions_, import.value);
}

bool LabelSources::is_import_replaced(ImportId import, SampleId sample) const {
  if (!std::ranges::binary_search(earlier_fusions_, import.value)) {
    return false;
  }
  LaterFusion& later = *later_fusion_;
  if (later.asked != std::pair(import, sample)) {
    const ResetAtEnd reset(later.find);
    later.is_there = later.find.bind(sample.value, import.value, kFusionFormat).step();
    later.asked = {import, sample};
  }
  return later.is_there;
}

bool LabelSources::has_undone() const {
  return !undone_imports_.empty() || !earlier_fusions_.empty() ||
         std::ranges::any_of(runs_, [](const auto& run) { return run.second.is_undone; });
}

std::vector<FinishedRun> LabelSources::runs_into(SetId set, std::span<const RunId> finished) const {
  std::vector<FinishedRun> into;
  for (const RunId id : finished) {
    const RunSource& source = run(id);
    if (source.set == set) {
      into.push_back({id, std::span<const ClassId>(source.asked_classes), source.is_undone, source.bound});
    }
  }
  return into;
}

}  // namespace verilabel::store
