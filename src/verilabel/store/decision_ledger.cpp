#include "verilabel/store/decision_ledger.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/geometry/mask_blob.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/database.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::Statement;
using store::Transaction;

namespace {

enum class GroupKind : std::uint8_t { decisions, undo, redo };

/// Decisions are a person's work: on disk before anybody is told that they were taken, whatever happens to the machine.
class FullSynchronisation {
 public:
  explicit FullSynchronisation(Database& database) : database_(database) { database_.execute("PRAGMA synchronous = FULL"); }
  FullSynchronisation(const FullSynchronisation&) = delete;
  FullSynchronisation& operator=(const FullSynchronisation&) = delete;
  ~FullSynchronisation() { database_.execute("PRAGMA synchronous = NORMAL"); }

 private:
  Database& database_;
};

std::int64_t add_group(Database& database, GroupKind kind, std::optional<std::int64_t> target, const DecisionNote& note) {
  database.prepare("INSERT INTO decision_groups (kind, target, who, at, reason, view) VALUES (?, ?, ?, ?, ?, ?)")
      .run_with(static_cast<int>(kind), target, note.who, store::timestamp(), note.reason, note.view);
  return database.last_id();
}

void require_label(Statement& find, LabelId label) {
  if (!find.bind(label.value).step()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no label {}", label.value));
  }
  find.reset();
}

/// Appends the undo or redo of the group that the query finds.
std::int64_t turn(Project& project, GroupKind kind, std::string_view query, std::string_view none, const std::string& who) {
  Database& database = project.database();
  const FullSynchronisation full(database);
  Transaction transaction(database, Transaction::Kind::write);
  Statement find = database.prepare(query);
  if (!find.step() || find.is_null(0)) {
    throw Error(ErrorCode::conflict, std::string(none));
  }
  const std::int64_t group = find.integer(0);
  find.reset();
  add_group(database, kind, group, {who, "", ""});
  store::record_change(database, ChangeKind::decisions, group, group);
  Statement count = database.prepare("SELECT count(*) FROM decisions WHERE group_id = ?");
  count.bind(group).step();
  const std::int64_t labels = count.integer(0);
  count.reset();
  transaction.commit();
  return labels;
}

}  // namespace

void decide_labels(Project& project, std::span<const LabelId> labels, Verdict verdict, const DecisionNote& note) {
  if (labels.empty()) {
    return;
  }
  Database& database = project.database();
  const FullSynchronisation full(database);
  Transaction transaction(database, Transaction::Kind::write);
  const std::int64_t group = add_group(database, GroupKind::decisions, std::nullopt, note);
  Statement find = database.prepare("SELECT 1 FROM labels WHERE id = ?");
  // An earlier edit stays in force: accepting an edited label accepts what it was made into.
  Statement insert = database.prepare(
      "INSERT INTO decisions (group_id, label_id, verdict, class_id, x, y, w, h, area, mask) SELECT ?1, ?2, ?3, d.class_id, d.x, d.y, d.w, d.h, d.area, "
      "d.mask FROM (SELECT 1) LEFT JOIN standing_decisions d ON d.label_id = ?2");
  for (const LabelId label : labels) {
    require_label(find, label);
    insert.run_with(group, label.value, static_cast<int>(verdict));
  }
  store::record_change(database, ChangeKind::decisions, group, group);
  transaction.commit();
}

void edit_label(Project& project, LabelId label, const LabelEdit& edit, const DecisionNote& note) {
  Database& database = project.database();
  const FullSynchronisation full(database);
  Transaction transaction(database, Transaction::Kind::write);
  Statement find = database.prepare("SELECT 1 FROM labels WHERE id = ?");
  require_label(find, label);
  const std::int64_t group = add_group(database, GroupKind::decisions, std::nullopt, note);
  const auto side = [&](double Box::*member) { return edit.box_xywh_px ? std::optional((*edit.box_xywh_px).*member) : std::nullopt; };
  std::string blob;
  std::optional<std::span<const std::byte>> mask;
  if (edit.mask) {
    blob_from_mask(*edit.mask, blob);
    mask = std::as_bytes(std::span(blob));
  }
  database.prepare("INSERT INTO decisions (group_id, label_id, verdict, class_id, x, y, w, h, area, mask) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run_with(group, label.value, static_cast<int>(Verdict::edited), edit.class_id ? std::optional(edit.class_id->value) : std::nullopt, side(&Box::x),
                side(&Box::y), side(&Box::w), side(&Box::h), edit.area_px, mask);
  store::record_change(database, ChangeKind::decisions, group, group);
  transaction.commit();
}

std::int64_t undo_decisions(Project& project, const std::string& who) {
  return turn(project, GroupKind::undo, "SELECT max(id) FROM standing_groups", "there is no decision to take back", who);
}

std::int64_t redo_decisions(Project& project, const std::string& who) {
  // Taken back, and nothing decided since: of those the oldest is the one that was taken back last.
  return turn(project, GroupKind::redo,
              "SELECT min(g.id) FROM decision_groups g WHERE g.kind = 0 AND g.id NOT IN (SELECT id FROM standing_groups) AND "
              "(SELECT max(u.id) FROM decision_groups u WHERE u.target = g.id) > (SELECT max(d.id) FROM decision_groups d WHERE d.kind = 0)",
              "there is no decision to make again", who);
}

}  // namespace verilabel
