#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/dataset/view.h"
#include "verilabel/evaluate/from_columns.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/evaluate.h"

// What comparisons of label sets of a project have in common, of boxes and of classes of whole images. Private to the module.
namespace verilabel {

/// Throws `wrong_use`, naming the sets that there are.
std::int32_t set_index(const Project& project, const Columns& columns, const std::string& name);

/// The samples that are to be evaluated. Throws `wrong_use` for a view with other than sample terms.
View view_of_samples(const Project& project, const EvaluateSetsOptions& options);

/// What was imported in part only is compared like the rest, and told.
void count_cut_off_imports(const Project& project, const Columns& columns, std::initializer_list<std::string_view> sets,
                           const ColumnsInput& built, Coverage& coverage);

/// For each of `rows` 1 where it is wanted; of `row_count` rows in all.
std::vector<std::uint8_t> flags_of(std::span<const std::uint32_t> wanted_rows, std::size_t row_count,
                                   std::span<const std::uint32_t> rows);

/// The part of an evaluation that a scenario is about.
struct ScenarioPart {
  bool is_of_samples = true;              ///< whole images, else labels on all images
  std::vector<std::uint8_t> images;       ///< flags, of samples
  std::vector<std::uint8_t> truths;       ///< flags, of labels
  std::vector<std::uint8_t> predictions;  ///< likewise
  ScenarioEvaluation counted;             ///< name and counts only
  /// One side alone says nothing about the other.
  bool has_both_sides() const { return is_of_samples || (counted.truths > 0 && counted.predictions > 0); }
};

/// `columns` are those that `built` was made from; they get the evaluation that the scenario asks about. Errors name the scenario.
ScenarioPart part_of(const Project& project, Columns& columns, const Scenario& scenario, const ColumnsInput& built);

/// Adds the outcomes of labels and the counts of images, as the store keeps them. `errors` may be empty.
void add_outcomes(const Columns& columns, const ColumnsInput& built, const Outcomes& outcomes, const LabelErrors& errors,
                  StoredEvaluation& stored);

/// Why the project does not keep the evaluation: it is of no sample, or the project is read-only; empty when it does.
std::string keep(const std::filesystem::path& project_dir, const StoredEvaluation& evaluation);

void name_images(const Project& project, std::vector<JudgedImage>& images);

}  // namespace verilabel
