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

/// Whether `migrate` would have something to do.
bool is_of_older_version(Database& database);

/// Brings the database to the newest version, in one transaction a step. Throws `newer_version` when it is beyond it, `bad_data`
/// when it is a database of something else, `io` when it would have to be changed and is read-only.
void migrate(Database& database);
/// Whether nothing is in the file: the making of a project was cut off before it had begun.
bool is_unmade(Database& database);

/// The index of labels by sample follows from the labels. It is dropped while the first labels of a project are imported, because
/// keeping it in order all the time costs more than making it once; `ensure_label_index` makes it when it is not there.
void drop_label_index(Database& database);
void ensure_label_index(Database& database);

}  // namespace verilabel::store
