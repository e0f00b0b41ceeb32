#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

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

/// Reads `{"threshold": 0.3, "per_class": {"car": {"threshold": 0.4}, "bus": 0.5}}`. A null threshold, which stands for a class
/// where nothing could be recommended, is as if it were not there; other keys are for people. Throws `bad_data` naming the key,
/// `not_found`, `io`.
Thresholds read_thresholds(const std::filesystem::path& path);

}  // namespace verilabel
