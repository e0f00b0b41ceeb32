#pragma once

#include <span>
#include <string_view>

#include "verilabel/store/database.h"

namespace verilabel::store {

/// One step from schema version `to` − 1 to `to`. Frozen once released: a change of the schema is a new step.
struct Migration {
  int to;
  std::string_view sql;
};

std::span<const Migration> migrations();
int newest_schema_version();

/// Brings the database to the newest version, in one transaction a step. Throws `newer_version` when it is beyond it, `bad_data`
/// when it is a database of something else.
void migrate(Database& database);

}  // namespace verilabel::store
