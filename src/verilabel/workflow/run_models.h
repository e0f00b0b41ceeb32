#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/engine/engine.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/given_boxes.h"
#include "verilabel/workflow/label_options.h"
#include "verilabel/workflow/ready_graph.h"

// Private to the module.
namespace verilabel {

/// The models of a run: loaded when it is made, so that what is to be said of them can be said before `make_ready`, which takes
/// longest. Not to outlive the project.
class RunModels {
 public:
  /// Throws for a model, class or set that cannot be used.
  RunModels(Project& project, const LabelOptions& options, const ProgressSink& progress, const CancelToken& cancel);

  /// Throws `wrong_use` for a number of images an inference that one of the graphs does not take.
  void require_batch() const;
  /// Compiles for a run over so many images; gives what was found out by that, for people.
  std::vector<std::string> make_ready(std::int64_t images, const ProgressSink& progress, const CancelToken& cancel);

  const std::vector<std::string>& class_names() const;
  /// Whether labels of the class can come out.
  bool is_asked(std::size_t class_index) const;
  /// Else labels are of whole images.
  bool finds_objects() const { return !proposer_ || proposer_->finds_objects(); }

  /// The boxes of the sample that a set has; none of a run with a model that finds them.
  std::vector<Candidate> given(SampleId sample) const { return boxes_ ? boxes_->of(sample) : std::vector<Candidate>(); }
  /// Whether the run can say of the sample which objects it has: without boxes from a set, of any.
  bool knows(SampleId sample) const { return !boxes_ || boxes_->knows(sample); }
  /// Of those boxes.
  Origins origins(std::span<const SampleId> samples) const { return boxes_ ? boxes_->origins(samples) : Origins(); }

  std::string_view engine_name() const { return engine_->name(); }
  std::string device() const { return graphs_.front().compiled->device(); }

  /// What the models left open, and what a run with them costs; for people.
  std::vector<std::string> notes() const;

  /// What the run keeps of its models: the first one's description, and those of the others by what they do. One JSON object.
  std::string provenance() const;
  /// Throws `conflict` where files beside the models changed since another run with them kept its `provenance`.
  void require_same(const std::string& provenance_json) const;

  LabelStages stages;
  LabelRunOptions run_options;

 private:
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Labeller> proposer_;
  std::unique_ptr<GivenBoxes> boxes_;
  std::unique_ptr<Segmenter> segmenter_;
  std::unique_ptr<Labeller> classifier_;
  std::vector<ReadyGraph> graphs_;
};

}  // namespace verilabel
