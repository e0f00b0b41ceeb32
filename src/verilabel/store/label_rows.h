#pragma once

#include <string>

#include "verilabel/store/database.h"
#include "verilabel/store/project.h"

// How a label is a row of the table `labels`, for writing and for reading. Private to the module.
namespace verilabel::store {

/// Inserts labels; prepared once, used many times.
class LabelInserter {
 public:
  explicit LabelInserter(Database& database);
  /// Returns the row's id. `superseded_by` may be none.
  LabelId insert(SampleId sample, SetId set, const Label& label, RunId run, ImportId import, LabelId superseded_by);

 private:
  Database& database_;
  Statement statement_;
  std::string blob_;
};

/// Reads the labels of one sample in one set; prepared once, used many times.
class LabelSelector {
 public:
  enum class Form : std::uint8_t {
    effective,  ///< what the last decision made of them
    written,    ///< as a run or an import wrote them, without a verdict
  };
  LabelSelector(const Database& database, Form form);
  std::vector<StoredLabel> select(SampleId sample, SetId set);

 private:
  Statement statement_;
};

}  // namespace verilabel::store
