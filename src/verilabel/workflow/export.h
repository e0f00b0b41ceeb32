#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/formats/export.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/class_map.h"

namespace verilabel {

struct ExportOptions {
  std::string set;
  std::string format;
  std::filesystem::path output;
  std::string where;                                ///< samples and labels to export; empty for all
  std::optional<double> threshold;                  ///< lowest confidence of an undecided label
  std::optional<std::filesystem::path> thresholds;  ///< the same by class, as `threshold --output` writes it
  bool include_unsure = false;
  ClassMap class_map;                                       ///< from names of the project to names in the export
  std::function<void(const std::vector<Loss>&)> on_losses;  ///< told what will be lost before anything is written
  bool is_dry_run = false;                                  ///< ends there
  WriteOptions write;

  /// Throws `wrong_use`.
  void validate() const;
};

/// Writes the effective labels of a set: accepted and edited ones whatever their confidence, undecided ones at or above the
/// threshold, unsure ones when asked, rejected ones never; an undecided label without confidence was made by a person and always
/// goes out. With `is_dry_run` the report has the losses only. Labels that a sample has but that none of this lets through leave it
/// labelled, empty. Throws `wrong_use` for an unknown set or format, `conflict` for an output in the way, `io`.
WriteReport export_set(Project& project, const ExportOptions& options);

}  // namespace verilabel
