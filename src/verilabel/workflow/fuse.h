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
  std::int64_t missed = 0;        ///< a set that was asked for the class on the image has no such object
  std::int64_t other_class = 0;   ///< a set calls the same box something else
  std::int64_t replaced = 0;      ///< undecided labels of an earlier fusion into the set that gave way
  std::int64_t superseded = 0;    ///< of `labels`: repeat what a person has decided on in the set
  std::vector<std::string> notes;
};

/// Makes one answer of the labels that stand in several sets, box by box, and keeps what the sets do not agree about with each
/// label: attributes `found_by`, `missed_by` and `other_class`, and the label tags `missed` and `other_class`. Of masks, and of
/// boxes with NMS, the best member stays as it is. A set has an object when a box of its class overlaps the answer by more than the
/// fusion's IoU. It misses what it was asked for and has not: of a set that runs have labelled, the
/// classes of those runs; a set whose labels on an image are all of the whole image was not asked for objects there.
///
/// The answer is an import of `kFusionFormat`: it counts as a whole once it is finished, and until then, or when it is stopped or
/// fails, the set is as it was. On the samples that one of the sets has labelled, the undecided labels of an earlier fusion give
/// way; on others they stay. `imports undo` takes the answer back, and the earlier one counts again. What repeats a decided label
/// is stored as superseded.
///
/// Throws `not_found` for a set, `conflict` when the set holds undecided labels other than those of fusions, `bad_data` for a
/// confidence that is none, `interrupted`.
FuseReport fuse_sets(Project& project, const FuseOptions& options, const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
