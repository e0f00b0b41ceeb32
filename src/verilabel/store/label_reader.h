#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/dataset/label.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// A label with everything that columns have no room for. Whether it counts (`LabelStatus`) is the columns' answer.
struct StoredLabel {
  LabelId id;
  SampleId sample;
  SetId set;
  RunId run;        ///< none when imported
  ImportId import;  ///< none when from a run
  LabelId superseded_by;
  Verdict verdict = Verdict::unreviewed;
  Label
      label;  ///< effective: as the decision that stands left it; an edit takes away the source's area, which was of another shape

  friend bool operator==(const StoredLabel&, const StoredLabel&) = default;
};

/// Reads whole labels. All answers of one reader are of one state of the project, that of its making, whatever is written
/// meanwhile; so do not keep it for longer than needed.
class LabelReader {
 public:
  explicit LabelReader(const Project& project);
  LabelReader(LabelReader&&) noexcept;
  LabelReader& operator=(LabelReader&&) noexcept;
  ~LabelReader();

  /// In the order of the ids given. Fast when they increase. Throws `not_found`.
  std::vector<StoredLabel> read(std::span<const LabelId> labels);
  /// As it was written by its run or import, before any decision. Throws `not_found`.
  Label as_written(LabelId label);
  /// All of one sample in one set, whatever their status, by id.
  std::vector<StoredLabel> of_sample(SampleId sample, SetId set);
  /// All of the set, sample by sample in the order of ids and by id within a sample; `visit` gets one sample's labels at a time.
  void for_each_sample(SetId set, const std::function<void(SampleId, std::vector<StoredLabel>)>& visit);

 private:
  std::unique_ptr<Database> database_;
};

}  // namespace verilabel
