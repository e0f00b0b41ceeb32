#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/view.h"
#include "verilabel/models/labeller.h"
#include "verilabel/store/project.h"

// Private to the module.
namespace verilabel {

/// The runs and imports that labels come from.
struct Origins {
  std::set<std::int64_t> runs;
  std::set<std::int64_t> imports;
};

/// As a run keeps them: the runs with their models, the imports with their files.
std::string json_from(const Origins& origins, const Project& project);

/// Throws `conflict` when the labels that are left to be worked on are not those that a run began with, by what `json_from` made of
/// them then ("null" of a run that did not keep it): an origin was undone, or another has put labels there. What a person has
/// decided on since is taken as it is now.
void require_same_origins(const Project& project, const std::string& before_json, const Origins& now);

/// Labels of a set as candidates, sample by sample. Not to outlive the project.
class GivenBoxes {
 public:
  struct Options {
    double lowest = 0;        ///< confidence of those that are taken
    bool with_masks = false;  ///< else masks are taken as their boxes
  };

  /// The labels of the set that stand: effective, active and not rejected, with a box that is no crowd's. Of a view with label
  /// terms, those alone that it selects. Throws `not_found` for a set that is not there.
  GivenBoxes(const Project& project, const std::string& set, const View& view, const Options& options);

  const std::vector<std::string>& class_names() const { return class_names_; }
  /// Whether boxes of the class were meant: of a view with label terms, whether it selects one.
  bool is_asked(std::size_t class_index) const { return !selects_labels_ || is_given_[class_index] != 0; }
  /// Labels of whole images, which give nothing.
  std::int64_t without_box() const { return without_box_; }
  /// Likewise: a model would take a crowd for one object.
  std::int64_t crowds() const { return crowds_; }
  /// Whether the set says which objects the sample has, be it none. Of a view with label terms: whether it selects one of them.
  bool knows(SampleId sample) const { return known_.contains(sample.value); }
  /// Of the samples' boxes.
  Origins origins(std::span<const SampleId> samples) const;
  /// With their masks when those are asked for, else all as boxes.
  std::vector<Candidate> of(SampleId sample) const;

 private:
  struct Given {
    LabelId label;
    std::int64_t run = 0;
    std::int64_t import = 0;
    Candidate candidate;  ///< without its mask, which would be in memory for all images
  };

  const Project& project_;
  SetId set_;
  bool with_masks_;
  std::int64_t without_box_ = 0;
  std::int64_t crowds_ = 0;
  std::unordered_set<std::int64_t> known_;  ///< samples
  std::vector<std::string> class_names_;
  bool selects_labels_;                 ///< a view with label terms
  std::vector<std::uint8_t> is_given_;  ///< by class
  std::unordered_map<std::int64_t, std::vector<Given>> of_sample_;
};

}  // namespace verilabel
