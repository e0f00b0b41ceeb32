#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "verilabel/store/project.h"

namespace verilabel {

/// What a labels file says of a sample beside its labels. What is empty says nothing.
struct SampleDescription {
  std::string_view split;             ///< replaces the one it had
  std::string_view source_json;       ///< stays as it was if it had one
  std::span<const std::string> tags;  ///< are added to those it had
  std::string_view fields_json;       ///< as `Project::set_fields` takes it; replaces the fields that it names
};

/// Writes samples and labels in chunks of one transaction each. Samples belong to nobody; labels belong to an import, which can be
/// undone as a whole. What was committed stays when the process dies, and repeating the import completes it. Between calls a chunk
/// may be open on the project's connection: in between, ask the project for sets and classes only.
///
/// Equal labels. A label that an import which was not undone has brought to the same sample and set is not added again; two labels
/// are equal when all is that they claim (class, geometry to the last bit, confidence, area, crowd, attributes), whatever their ids
/// in their files. A label that one file holds twice stays two. One that equals a label of an import that was undone is added as
/// superseded by that: it counts whenever that is not decided on, and never beside it.
///
/// A fusion (`kFusionFormat`) is an answer like that of a run: every label is added, one that repeats what a person has decided on
/// as superseded (`find_superseding`), nothing counts before `finish`, and one that was cut off is not gone on with.
class ImportWriter {
 public:
  explicit ImportWriter(Project& project);
  ImportWriter(ImportWriter&&) noexcept;
  /// What was not committed is lost.
  ~ImportWriter();

  struct AddedSample {
    SampleId id;
    bool is_new = false;        ///< false when the project had its path before
    bool has_new_size = false;  ///< it had the path, with another size: nothing was changed
  };
  /// Adds the sample, or completes the one of that path: a missing one whose file has turned up, a split or source_json that it had
  /// not.
  AddedSample add_sample(const Sample& sample);
  /// For a sample that is there; whether anything was not known. All of it belongs to one transaction. Throws as
  /// `Project::set_fields` does.
  bool describe_sample(SampleId sample, const SampleDescription& description);

  /// Begins the import that the labels which follow belong to, or goes on with one of the same words that was cut off. Once a
  /// writer. Throws `conflict` while another process imports into the set.
  ImportId begin(SetId set, std::string_view format, std::string_view source);
  /// The sample is labelled, perhaps as empty. Counts once the import is finished: until then a sample is labelled when it has a
  /// label.
  void mark_labelled(SampleId sample);
  /// False when the label was there before, and counts or was decided on; what counts then gets those of the tags that it had not.
  /// Throws `not_found` for a sample or class that does not exist.
  bool add_label(SampleId sample, const Label& label, std::span<const std::string> tags = {});
  /// Labels of a fusion that were added as superseded.
  std::int64_t superseded() const;

  /// Commits what was added so far, so that others get their turn: before anything that takes its time.
  void pause();

  /// Takes `mark_labelled` back for a sample that this import has brought no label to.
  void unmark_without_label(SampleId sample);

  /// Ends the import, if one was begun, and commits what is left. A sample whose labels all were there before is not said to be
  /// labelled once more: when the import that brought them is undone, it is not labelled, rather than labelled as empty.
  void finish(std::string_view dataset_json = {});
  /// Commits what is left of an import that is not whole; it stays cut off.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace verilabel
