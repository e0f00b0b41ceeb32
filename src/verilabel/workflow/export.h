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

/// Labels that an export would write if the view selected them.
struct HiddenByView {
  std::vector<std::string> images;  ///< of the view that have such labels, and no others to write: left out
  std::int64_t labels = 0;          ///< on all images of the view
};

/// Labels on exported images that do not go out because of what people or the threshold say. An image with no others is written
/// as one without objects.
struct WithheldLabels {
  std::int64_t rejected = 0;
  std::int64_t below_threshold = 0;
  std::int64_t unsure = 0;
};

struct ExportReport {
  WriteReport written;
  HiddenByView hidden;
  WithheldLabels withheld;
};

struct ExportOptions {
  std::string set;
  std::string format;
  std::filesystem::path output;
  std::string where;                                ///< samples and labels to export; empty for all
  std::optional<double> threshold;                  ///< lowest confidence of an undecided label
  std::optional<std::filesystem::path> thresholds;  ///< the same by class, as `threshold --output` writes it
  bool include_unsure = false;
  ClassMap class_map;  ///< from names of the project to names in the export
  /// Told what will be lost and what the view hides before anything is written.
  std::function<void(const ExportReport&)> before_writing;
  bool is_dry_run = false;  ///< ends there
  WriteOptions write;

  /// Throws `wrong_use`.
  void validate() const;
};

/// Writes the effective labels of a set: accepted and edited ones whatever their confidence, undecided ones at or above the
/// threshold, unsure ones when asked, rejected ones never. A label without confidence is of `kScoreWithoutConfidence`. Labels that
/// a sample has but that none of this lets through leave it labelled, empty. A sample of which nothing goes out because the view
/// hides what would is not empty: it is left out, and named. What others do to the project meanwhile does not show. With
/// `is_dry_run` the report has no `written` but its losses.
/// Throws `wrong_use` for an unknown set or format, `conflict` for an output in the way, `io`.
ExportReport export_set(const Project& project, const ExportOptions& options);

}  // namespace verilabel
