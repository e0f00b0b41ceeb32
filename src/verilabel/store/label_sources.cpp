#include "verilabel/store/label_sources.h"

#include <algorithm>

#include "verilabel/base/error.h"

namespace verilabel::store {

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
  Statement imports = database.prepare("SELECT import_id FROM import_undos ORDER BY import_id");
  while (imports.step()) {
    sources.undone_imports_.push_back(imports.integer(0));
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

bool LabelSources::has_undone() const {
  return !undone_imports_.empty() || std::ranges::any_of(runs_, [](const auto& run) { return run.second.is_undone; });
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
