#include "verilabel/store/decision_ledger.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/geometry/mask_blob.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/database.h"
#include "verilabel/store/label_rows.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::LabelSelector;
using store::ResetAtEnd;
using store::Statement;
using store::Transaction;

namespace {

enum class GroupKind : std::uint8_t { decisions, undo, redo };

/// Decisions are a person's work: on disk before anybody is told that they were taken, whatever happens to the machine.
class DecisionTransaction {
 public:
  explicit DecisionTransaction(Database& database)
      : synchronous_(database, "synchronous = FULL", "synchronous = NORMAL"), transaction_(database, Transaction::Kind::write) {}
  void commit() { transaction_.commit(); }

 private:
  store::PragmaScope synchronous_;
  Transaction transaction_;
};

std::int64_t add_group(Database& database, GroupKind kind, std::optional<std::int64_t> target, const DecisionNote& note) {
  database.prepare("INSERT INTO decision_groups (kind, target, who, at, reason, view) VALUES (?, ?, ?, ?, ?, ?)")
      .run_with(static_cast<int>(kind), target, note.who, store::timestamp(), note.reason, note.view);
  return database.last_id();
}

Error no_such_label(LabelId label) {
  return {ErrorCode::not_found, fmt::format("there is no label {}", label.value)};
}

/// Appends the decisions of one group within the transaction of the caller.
class GroupWriter {
 public:
  GroupWriter(Database& database, const DecisionNote& note)
      : database_(database),
        group_(add_group(database, GroupKind::decisions, std::nullopt, note)),
        append_(
            database.prepare("INSERT INTO decisions (group_id, label_id, verdict, edit_id, previous_id) VALUES (?, ?, ?, ?, ?)")),
        stand_(database.prepare("INSERT OR REPLACE INTO verdicts (label_id, decision_id) VALUES (?, ?)")) {}

  void decide(LabelId label, Verdict verdict, std::optional<std::int64_t> edit, std::optional<std::int64_t> previous) {
    append_.run_with(group_, label.value, static_cast<int>(verdict), edit, previous);
    last_ = database_.last_id();
    first_ = first_ == 0 ? last_ : first_;
    stand_.run_with(label.value, last_);
  }

  void finish() {
    database_.prepare("UPDATE decision_groups SET first_decision = ?, last_decision = ? WHERE id = ?")
        .run_with(first_, last_, group_);
    store::record_change(database_, ChangeKind::decisions, group_, group_);
  }

 private:
  Database& database_;
  std::int64_t group_;
  std::int64_t first_ = 0;
  std::int64_t last_ = 0;
  Statement append_;
  Statement stand_;
};

/// What stands on a label before it is decided.
struct Standing {
  Verdict verdict = Verdict::unreviewed;
  std::optional<std::int64_t> decision;
  std::optional<std::int64_t> edit;
};

class StandingFinder {
 public:
  explicit StandingFinder(Database& database)
      : find_(database.prepare("SELECT d.verdict, d.id, d.edit_id FROM labels l LEFT JOIN verdicts v ON v.label_id = l.id "
                               "LEFT JOIN decisions d ON d.id = v.decision_id WHERE l.id = ?")) {}

  Standing find(LabelId label) {
    const ResetAtEnd reset(find_);
    if (!find_.bind(label.value).step()) {
      throw no_such_label(label);
    }
    const auto maybe = [&](int column) { return find_.is_null(column) ? std::nullopt : std::optional(find_.integer(column)); };
    return {store::verdict_of(find_.integer(0)), maybe(1), maybe(2)};
  }

 private:
  Statement find_;
};

/// The label as the edit leaves it.
Label edited(const Label& before, const LabelEdit& edit) {
  Label after = before;
  after.class_id = edit.class_id.value_or(before.class_id);
  if (edit.box_xywh_px) {
    after.box_xywh_px = *edit.box_xywh_px;
    after.mask = edit.mask;
    after.area_px = edit.area_px;
    if (after.kind != LabelKind::classification || edit.mask) {
      after.kind = edit.mask ? LabelKind::mask : LabelKind::box;
    }
  } else if (edit.mask || edit.area_px) {
    throw Error(ErrorCode::wrong_use, "a new mask or area needs its box");
  }
  if (const auto fault = fault_of(after)) {
    throw Error(ErrorCode::wrong_use, "the edit leaves the label with a fault: " + *fault);
  }
  return after;
}

std::int64_t add_edit(Database& database, const Label& label) {
  std::string blob;
  std::optional<std::span<const std::byte>> mask;
  if (label.mask) {
    blob_from_mask(*label.mask, blob);
    mask = std::as_bytes(std::span(blob));
  }
  const Box& box = label.box_xywh_px;
  database.prepare("INSERT INTO edits (kind, class_id, x, y, w, h, area, mask) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .run_with(static_cast<int>(label.kind), label.class_id.value, box.x, box.y, box.w, box.h, label.area_px, mask);
  return database.last_id();
}

/// The first column of the first row, if there is one.
std::optional<std::int64_t> first_number(Database& database, std::string_view sql) {
  Statement find = database.prepare(sql);
  return find.step() && !find.is_null(0) ? std::optional(find.integer(0)) : std::nullopt;
}

/// Appends the undo or redo of the group and says by `sql` statements what stands now; each gets the group's first and last
/// decision.
std::int64_t turn(Database& database, GroupKind kind, std::int64_t group, const std::string& who,
                  std::initializer_list<std::string_view> statements) {
  add_group(database, kind, group, {who, "", ""});
  Statement find = database.prepare("SELECT first_decision, last_decision FROM decision_groups WHERE id = ?");
  find.bind(group).step();
  const std::int64_t first = find.integer(0);
  const std::int64_t last = find.integer(1);
  for (const std::string_view sql : statements) {
    database.prepare(sql).run_with(first, last);
  }
  store::record_change(database, ChangeKind::decisions, group, group);
  return last - first + 1;
}

LabelId id_of(LabelId label) {
  return label;
}
LabelId id_of(const SeenLabel& seen) {
  return seen.label;
}
bool is_as_seen(LabelId, const Standing&) {
  return true;
}
bool is_as_seen(const SeenLabel& seen, const Standing& standing) {
  return standing.verdict == seen.verdict;
}

template <typename Labels>
DecisionCounts decide_each(Project& project, const Labels& labels, Verdict verdict, const DecisionNote& note) {
  Database& database = project.database();
  DecisionTransaction transaction(database);
  StandingFinder finder(database);
  std::optional<GroupWriter> group;
  DecisionCounts counts;
  for (const auto& chosen : labels) {
    const LabelId label = id_of(chosen);
    const Standing standing = finder.find(label);
    if (standing.verdict == verdict) {
      ++counts.unchanged;
      continue;
    }
    if (!is_as_seen(chosen, standing)) {
      ++counts.decided_meanwhile;
      continue;
    }
    if (!group) {
      group.emplace(database, note);
    }
    group->decide(label, verdict, standing.edit, standing.decision);
    ++counts.labels;
  }
  if (group) {
    group->finish();
    transaction.commit();
  }
  return counts;
}

}  // namespace

DecisionCounts decide_labels(Project& project, std::span<const LabelId> labels, Verdict verdict, const DecisionNote& note) {
  return decide_each(project, labels, verdict, note);
}
DecisionCounts decide_labels(Project& project, std::span<const SeenLabel> labels, Verdict verdict, const DecisionNote& note) {
  return decide_each(project, labels, verdict, note);
}

DecisionCounts edit_label(Project& project, LabelId label, const LabelEdit& edit, const DecisionNote& note) {
  Database& database = project.database();
  DecisionTransaction transaction(database);
  const auto before = LabelSelector(database, LabelSelector::Form::effective).find(label);
  if (!before) {
    throw no_such_label(label);
  }
  const Label after = edited(before->label, edit);
  if (before->verdict == Verdict::edited && after == before->label) {
    return {.labels = 0, .unchanged = 1};
  }
  if (!database.prepare("SELECT 1 FROM classes WHERE id = ?").bind(after.class_id.value).step()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no class {}", after.class_id.value));
  }
  const Standing standing = StandingFinder(database).find(label);
  GroupWriter group(database, note);
  group.decide(label, Verdict::edited, add_edit(database, after), standing.decision);
  group.finish();
  transaction.commit();
  return {.labels = 1};
}

std::int64_t undo_decisions(Project& project, const std::string& who) {
  Database& database = project.database();
  DecisionTransaction transaction(database);
  const auto group = first_number(database, "SELECT id FROM standing_groups ORDER BY id DESC LIMIT 1");
  if (!group) {
    throw Error(ErrorCode::conflict, "there is no decision to take back");
  }
  // Groups are taken back newest first, so what stood before a decision is what the one before it left.
  const std::int64_t labels = turn(
      database, GroupKind::undo, *group, who,
      {"DELETE FROM verdicts WHERE label_id IN (SELECT label_id FROM decisions WHERE id BETWEEN ? AND ? AND previous_id IS NULL)",
       "INSERT OR REPLACE INTO verdicts (label_id, decision_id) SELECT label_id, previous_id FROM decisions "
       "WHERE id BETWEEN ? AND ? AND previous_id IS NOT NULL"});
  transaction.commit();
  return labels;
}

std::int64_t redo_decisions(Project& project, const std::string& who) {
  Database& database = project.database();
  DecisionTransaction transaction(database);
  // Taken back, and nothing decided since: of those the oldest is the one that was taken back last.
  const auto group =
      first_number(database,
                   "SELECT g.id FROM decision_groups g WHERE g.kind = 0 AND g.id NOT IN (SELECT id FROM standing_groups) AND "
                   "(SELECT max(u.id) FROM decision_groups u WHERE u.target = g.id) > (SELECT max(d.id) FROM decision_groups d "
                   "WHERE d.kind = 0) "
                   "ORDER BY g.id LIMIT 1");
  if (!group) {
    throw Error(ErrorCode::conflict, "there is no decision to make again");
  }
  const std::int64_t labels =
      turn(database, GroupKind::redo, *group, who,
           {"INSERT OR REPLACE INTO verdicts (label_id, decision_id) SELECT label_id, id FROM decisions WHERE id BETWEEN ? AND ?"});
  transaction.commit();
  return labels;
}

}  // namespace verilabel
