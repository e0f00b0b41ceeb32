#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/geometry/fusion.h"
#include "verilabel/store/project.h"

namespace verilabel {

struct FuseOptions {
  std::vector<std::string> sets;  ///< at least two
  std::string into;               ///< the set that the answer goes into, none of those
  std::string where;              ///< which samples; empty for all that are labelled in one of the sets
  FusionOptions fusion;

  /// Throws `wrong_use`.
  void validate() const;
};

struct FuseReport {
  std::string set;
  std::int64_t samples = 0;
  std::int64_t input_labels = 0;  ///< that stand in the sets
  std::int64_t labels = 0;        ///< in the answer
  std::int64_t agreed = 0;        ///< of those: every set has the object, by the same name
  std::int64_t missed = 0;        ///< a set that looked at the image has no such object
  std::int64_t other_class = 0;   ///< a set calls the same box something else
  std::int64_t replaced = 0;      ///< labels of an earlier fusion into the set that gave way
  std::vector<std::string> notes;
};

/// Makes one answer of the labels that stand in several sets, box by box, and keeps what the sets do not agree about with each
/// label: attributes `found_by`, `missed_by` and `other_class`, and the label tags `missed` and `other_class`. Of masks, and of
/// boxes with NMS, the best member stays as it is. The answer is an import: a fusion into the set that is there gives way, and
/// `imports undo` takes it back. Throws `not_found` for a set, `conflict` when the set holds other labels than those of fusions.
FuseReport fuse_sets(Project& project, const FuseOptions& options, const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
