#pragma once

#include <cstdint>

#include "verilabel/store/database.h"

namespace verilabel::store {

/// What a row of the table of changes tells readers to look at again. Stored as these numbers.
enum class ChangeKind : std::uint8_t {
  samples = 1,       ///< rows first to last of `samples` are new or changed
  labels = 2,        ///< rows first to last of `labels` are new, of samples whose other labels stay as they are
  sample_state = 3,  ///< labels, their statuses and the labelled state of samples first to last
  decisions = 4,     ///< the labels of decision group first
  run = 5,           ///< every sample of run first
  import = 6,        ///< every label and sample of import first
  tags = 7,          ///< all tags
  fields = 8,        ///< fields of samples first to last
};

/// Belongs into the transaction that makes the change.
void record_change(Database& database, ChangeKind kind, std::int64_t first_id, std::int64_t last_id);

/// Now, as ISO 8601 in UTC with milliseconds.
std::string timestamp();

}  // namespace verilabel::store
