#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "verilabel/store/project.h"

namespace verilabel {

/// Writes samples and labels in chunks of one transaction each. Samples belong to nobody; labels belong to an import, which can be undone as
/// a whole. What was committed stays when the process dies; repeating the import then adds what is missing, because a label that an
/// earlier import of the set already brought to the sample is not added again. Labels that occur twice in one import stay two.
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
  /// Adds the sample, or completes the one of that path: a missing one whose file has turned up, a split or source_json that it had not.
  AddedSample add_sample(const Sample& sample);

  /// Begins the import that the labels which follow belong to.
  ImportId begin(SetId set, std::string_view format, std::string_view source);
  /// The sample is labelled, perhaps as empty.
  void mark_labelled(SampleId sample);
  /// False when the label was there before.
  bool add_label(SampleId sample, const Label& label);

  /// Ends the import, if one was begun, and commits what is left.
  void finish(std::string_view dataset_json = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace verilabel
