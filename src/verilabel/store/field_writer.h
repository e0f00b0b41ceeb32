#pragma once

#include <string_view>

#include "verilabel/base/ids.h"
#include "verilabel/store/database.h"

namespace verilabel::store {

/// Writes fields of samples; prepared once, used many times. Private to the module.
class FieldWriter {
 public:
  explicit FieldWriter(const Database& database);
  /// Whether anything changed. See `Project::set_fields`, also for what it throws; an error leaves some of the fields written, for
  /// the transaction around it to take back.
  bool write(SampleId sample, std::string_view json);

 private:
  const Database& database_;
  Statement set_;
  Statement remove_;
};

}  // namespace verilabel::store
