#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/dataset/columns.h"

namespace verilabel {

/// Lowest confidences by class: what `threshold --output` writes and `export --thresholds` reads.
struct Thresholds {
  std::optional<double> global;  ///< for classes that are not listed
  struct OfClass {
    std::string class_name;
    double threshold = 0;
  };
  std::vector<OfClass> per_class;
};

/// The threshold of each class of a project.
class ClassThresholds {
 public:
  /// One threshold for all classes; nothing lets every label through.
  ClassThresholds(const Columns& columns, std::optional<double> threshold);
  /// Those of a file. Throws what `read_thresholds` does, and `bad_data` for a class that the project does not have.
  ClassThresholds(const Columns& columns, const std::filesystem::path& file);

  /// Whether a label's confidence, `kScoreWithoutConfidence` for one without, reaches the threshold of its class; every label does
  /// where the class has none.
  bool reaches(const LabelColumns& labels, std::uint32_t row) const;
  bool has_threshold(std::int32_t class_index) const {
    return threshold_of_class_[static_cast<std::size_t>(class_index)].has_value();
  }

 private:
  std::vector<std::optional<double>> threshold_of_class_;
};

/// Reads `{"threshold": 0.3, "per_class": {"car": {"threshold": 0.4}, "bus": 0.5}}`. A null threshold, which stands for a class
/// where nothing could be recommended, is as if it were not there; but with `"unattainable": true` beside it, which says that no
/// threshold achieves what was wanted, it is infinite and no label reaches it. A class with
/// `"few_truths": true` has the threshold of `"shared": {"threshold": 0.35}`, which was found on all such classes together, and
/// without one is as if it were not listed: what was recommended for it says more about a few images than about the class.
/// Other keys are for people. Throws `bad_data`
/// naming the key, also for one that stands twice in its object, `not_found`, `io`.
Thresholds read_thresholds(const std::filesystem::path& path);

}  // namespace verilabel
