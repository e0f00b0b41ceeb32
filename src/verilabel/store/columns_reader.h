#pragma once

#include <filesystem>

#include "verilabel/dataset/columns.h"
#include "verilabel/store/database.h"

// How the columns come to be: from the snapshot beside the database, brought up to date by the table of changes, or from all rows
// when there is no snapshot or too much has changed. Private to the module; `Project::columns` is the way in.
namespace verilabel::store {

/// Columns as of now. Writes a new snapshot when the one that is there has become costly to bring up to date; a folder that cannot
/// be written is no obstacle.
Columns read_columns(Database& database, const std::filesystem::path& directory);

/// The same columns as of now.
void refresh_columns(Database& database, const std::filesystem::path& directory, Columns& columns);

/// Every row from the database, without snapshot. For tests, and for when it is needed.
Columns rebuild_columns(Database& database);

}  // namespace verilabel::store
