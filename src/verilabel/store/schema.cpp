#include "verilabel/store/schema.h"

#include <array>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel::store {
namespace {

/// "vlab": tells a project from any other SQLite file.
constexpr std::int64_t kApplicationId = 0x766c6162;

// Paths are stored as the bytes of the file system, in columns of type TEXT. Enumerations are stored as the integers of their C++
// type: see dataset/label.h. What is written here is never updated or deleted, except where a comment says so.
constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE project (
  uuid TEXT NOT NULL,                 -- tells snapshots of this project from those of another
  created_at TEXT NOT NULL
) STRICT;
INSERT INTO project VALUES (lower(hex(randomblob(16))), strftime('%Y-%m-%dT%H:%M:%fZ'));

CREATE TABLE samples (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,          -- absolute
  name TEXT NOT NULL,                 -- as the dataset calls it
  width INTEGER NOT NULL,             -- of the upright image; 0 when unknown
  height INTEGER NOT NULL,
  format TEXT NOT NULL,
  file_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  is_missing INTEGER NOT NULL,        -- updated, with what stands above, when the file turns up
  split TEXT,                         -- updated by an import that knows it
  source_json TEXT                    -- updated by the first import that brings it
) STRICT;

CREATE TABLE sets (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE classes (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  source_json TEXT                    -- updated by the first import that brings it
) STRICT;

CREATE TABLE imports (
  id INTEGER PRIMARY KEY,
  set_id INTEGER NOT NULL REFERENCES sets,
  format TEXT NOT NULL,
  source TEXT NOT NULL,
  started_at TEXT NOT NULL,
  finished_at TEXT,                   -- set at the end; null in an import that was cut off
  labels INTEGER NOT NULL DEFAULT 0,  -- that it brought so far, updated with each chunk
  dataset_json TEXT                   -- set at the end
) STRICT;

CREATE TABLE import_undos (           -- one row takes an import back
  import_id INTEGER PRIMARY KEY REFERENCES imports,
  undone_at TEXT NOT NULL
) STRICT;

CREATE TABLE import_samples (         -- labelled by an import, with or without labels; counts once the import is finished
  import_id INTEGER NOT NULL REFERENCES imports,
  sample_id INTEGER NOT NULL REFERENCES samples,
  PRIMARY KEY (sample_id, import_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  set_id INTEGER NOT NULL REFERENCES sets,
  model TEXT NOT NULL,                -- path
  weights_sha256 TEXT NOT NULL,
  view TEXT NOT NULL,
  floor REAL NOT NULL,
  options_json TEXT NOT NULL,         -- everything else that was asked for
  model_json TEXT,                    -- what the model said about itself; set once it is loaded
  engine TEXT,                        -- likewise
  device TEXT,                        -- that really ran, likewise
  started_at TEXT NOT NULL,
  finished_at TEXT                    -- set when no sample is left
) STRICT;

CREATE TABLE run_classes (            -- that the run was asked for; set once the model is loaded
  run_id INTEGER NOT NULL REFERENCES runs,
  class_id INTEGER NOT NULL REFERENCES classes,
  PRIMARY KEY (run_id, class_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_samples (
  run_id INTEGER NOT NULL REFERENCES runs,
  sample_id INTEGER NOT NULL REFERENCES samples,
  outcome INTEGER NOT NULL DEFAULT 0, -- 0 pending, 1 done, 2 failed; goes from 0 or 2 to 1 or 2
  labels INTEGER NOT NULL DEFAULT 0,
  superseded INTEGER NOT NULL DEFAULT 0,
  code TEXT,
  message TEXT,
  PRIMARY KEY (run_id, sample_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_samples_by_sample ON run_samples (sample_id, run_id);

CREATE TABLE run_undos (
  run_id INTEGER PRIMARY KEY REFERENCES runs,
  undone_at TEXT NOT NULL
) STRICT;

CREATE TABLE labels (
  id INTEGER PRIMARY KEY,
  sample_id INTEGER NOT NULL REFERENCES samples,
  set_id INTEGER NOT NULL REFERENCES sets,
  class_id INTEGER NOT NULL REFERENCES classes,
  kind INTEGER NOT NULL,
  x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
  confidence REAL,
  area REAL,
  is_crowd INTEGER NOT NULL,
  run_id INTEGER REFERENCES runs,
  import_id INTEGER REFERENCES imports,
  superseded_by INTEGER REFERENCES labels,
  mask BLOB,                          -- see geometry/mask_blob.h; long things last, so that the rest is read without them
  attributes TEXT,
  source_json TEXT,
  CHECK ((run_id IS NULL) <> (import_id IS NULL))
) STRICT;
CREATE INDEX labels_by_sample ON labels (sample_id, set_id);

CREATE TABLE decision_groups (
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,              -- 0 decisions, 1 the undo and 2 the redo of `target`
  target INTEGER REFERENCES decision_groups,
  who TEXT NOT NULL,
  at TEXT NOT NULL,
  reason TEXT NOT NULL,
  view TEXT NOT NULL,
  first_decision INTEGER,             -- of a group of decisions, whose ids follow each other
  last_decision INTEGER
) STRICT;
CREATE INDEX decision_groups_by_target ON decision_groups (target) WHERE target IS NOT NULL;

CREATE VIEW standing_groups AS        -- decided, and not taken back since
  SELECT g.id FROM decision_groups g WHERE g.kind = 0
  AND coalesce((SELECT u.kind FROM decision_groups u WHERE u.target = g.id ORDER BY u.id DESC LIMIT 1), 2) = 2;

CREATE TABLE edits (                  -- the whole class and geometry that an edit gave a label
  id INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  class_id INTEGER NOT NULL REFERENCES classes,
  x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
  area REAL,
  mask BLOB
) STRICT;

CREATE TABLE decisions (
  id INTEGER PRIMARY KEY,
  group_id INTEGER NOT NULL REFERENCES decision_groups,
  label_id INTEGER NOT NULL REFERENCES labels,
  verdict INTEGER NOT NULL,
  edit_id INTEGER REFERENCES edits,         -- its own, or that of the decision before, which stays in force
  previous_id INTEGER REFERENCES decisions  -- the decision that stood until then, and stands again when this one is undone
) STRICT;
CREATE INDEX decisions_by_label ON decisions (label_id);

CREATE TABLE verdicts (               -- the last word on each decided label; follows from the ledger, kept so that it need not be searched
  label_id INTEGER PRIMARY KEY REFERENCES labels,
  decision_id INTEGER NOT NULL REFERENCES decisions
) STRICT;

CREATE TABLE sample_tags (
  tag TEXT NOT NULL,
  sample_id INTEGER NOT NULL REFERENCES samples,
  PRIMARY KEY (tag, sample_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE label_tags (
  tag TEXT NOT NULL,
  label_id INTEGER NOT NULL REFERENCES labels,
  PRIMARY KEY (tag, label_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sample_fields (
  name TEXT NOT NULL,
  sample_id INTEGER NOT NULL REFERENCES samples,
  value ANY,                          -- integer, real or text
  PRIMARY KEY (name, sample_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE saved_views (
  name TEXT PRIMARY KEY,
  text TEXT NOT NULL,
  saved_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluations (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,           -- an evaluation is replaced by the next of its key
  prediction_set TEXT NOT NULL,
  truth_set TEXT NOT NULL,
  options_json TEXT NOT NULL,
  made_at TEXT NOT NULL
) STRICT;

CREATE TABLE evaluation_outcomes (
  evaluation_id INTEGER NOT NULL REFERENCES evaluations ON DELETE CASCADE,
  label_id INTEGER NOT NULL REFERENCES labels,
  outcome INTEGER NOT NULL,
  partner INTEGER REFERENCES labels,
  iou REAL NOT NULL,
  PRIMARY KEY (evaluation_id, label_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (                -- what readers in other processes have to look at; see columns_reader.h
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  mark INTEGER NOT NULL DEFAULT (random())  -- tells this history from another that goes on from an older copy of the project
) STRICT;
)sql";

// Values of sample fields are JSON from here on: what a file wrote as 1, 1.0, "1" or true goes out as such.
constexpr std::string_view kVersion2 = R"sql(
UPDATE sample_fields SET value = CASE typeof(value) WHEN 'text' THEN json_quote(value) ELSE CAST(value AS TEXT) END;
CREATE INDEX sample_fields_by_sample ON sample_fields (sample_id);
)sql";

// Evaluations say why a label is wrong (the integer of `ErrorKind` in dataset/evaluation.h), and what they counted on each sample.
constexpr std::string_view kVersion3 = R"sql(
ALTER TABLE evaluation_outcomes ADD COLUMN error INTEGER NOT NULL DEFAULT 0;
CREATE TABLE evaluation_samples (
  evaluation_id INTEGER NOT NULL REFERENCES evaluations ON DELETE CASCADE,
  sample_id INTEGER NOT NULL REFERENCES samples,
  tp INTEGER NOT NULL,
  fp INTEGER NOT NULL,
  fn INTEGER NOT NULL,
  PRIMARY KEY (evaluation_id, sample_id)
) STRICT, WITHOUT ROWID;
)sql";

// Runs that replace only labels below a confidence; null in a run that replaces labels of any.
constexpr std::string_view kVersion4 = R"sql(
ALTER TABLE runs ADD COLUMN replaces_below REAL;
ALTER TABLE runs ADD COLUMN same_iou REAL;  -- from which a candidate repeats a label that stays; null with the other
ALTER TABLE run_samples ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0;  -- of such labels, among `labels`
)sql";

constexpr std::array kMigrations = {Migration{1, kVersion1}, Migration{2, kVersion2}, Migration{3, kVersion3},
                                    Migration{4, kVersion4}};

std::int64_t number(Database& database, std::string_view sql) {
  Statement statement = database.prepare(sql);
  statement.step();
  return statement.integer(0);
}

std::int64_t pragma(Database& database, std::string_view name) {
  return number(database, fmt::format("PRAGMA {}", name));
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}
int newest_schema_version() {
  return kMigrations.back().to;
}

bool is_of_older_version(Database& database) {
  return pragma(database, "user_version") < newest_schema_version();
}

bool is_unmade(Database& database) {
  return pragma(database, "user_version") == 0 && number(database, "SELECT count(*) FROM sqlite_schema") == 0;
}

void migrate(Database& database) {
  const std::int64_t version = pragma(database, "user_version");
  const bool is_empty = is_unmade(database);
  if (is_empty && database.is_read_only()) {
    throw Error(ErrorCode::not_found, "the making of this project was cut off; make it again with: verilabel init");
  }
  if (!is_empty && pragma(database, "application_id") != kApplicationId) {
    throw Error(ErrorCode::bad_data, "the file is a database, but not that of a verilabel project");
  }
  if (version > newest_schema_version()) {
    throw Error(ErrorCode::newer_version,
                fmt::format("the project was written by a newer verilabel (schema {}, this one knows {}); update verilabel",
                            version, newest_schema_version()));
  }
  if (is_empty && !database.is_read_only()) {
    database.execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL");
  }
  for (const Migration& migration : migrations()) {
    if (migration.to <= version) {
      continue;
    }
    if (database.is_read_only()) {
      throw Error(ErrorCode::io, "the project is of an older verilabel and has to be brought up to date, but it is read-only here");
    }
    Transaction transaction(database, Transaction::Kind::write);
    if (pragma(database, "user_version") < migration.to) {  // another process may have been quicker
      database.execute(std::string(migration.sql));
      database.execute(fmt::format("PRAGMA application_id = {}", kApplicationId));
      database.execute(fmt::format("PRAGMA user_version = {}", migration.to));
    }
    transaction.commit();
  }
}

void drop_label_index(Database& database) {
  database.execute("DROP INDEX IF EXISTS labels_by_sample");
}

void ensure_label_index(Database& database) {
  if (number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'labels_by_sample'") == 0) {
    database.execute("CREATE INDEX IF NOT EXISTS labels_by_sample ON labels (sample_id, set_id)");
  }
}

}  // namespace verilabel::store
