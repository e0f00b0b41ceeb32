#include "verilabel/store/columns_reader.h"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>
#include <tuple>
#include <utility>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/lifecycle.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/snapshot.h"

namespace verilabel::store {
namespace {

/// Up to here, and up to a quarter of the project, rows are brought up to date one by one; beyond, reading everything is quicker.
constexpr std::size_t kMostRowsToFollow = 20'000;
/// A snapshot this many changed rows behind is written anew, so that the next process has less to do.
constexpr std::size_t kRowsWorthASnapshot = 2'000;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::filesystem::path snapshot_path(const std::filesystem::path& directory) { return directory / "columns.snapshot"; }

std::int64_t single(Database& database, std::string_view sql) {
  Statement statement = database.prepare(sql);
  statement.step();
  return statement.integer(0);
}

std::string project_uuid(Database& database) {
  Statement statement = database.prepare("SELECT uuid FROM project");
  statement.step();
  return std::string(statement.text(0));
}

/// A row of the table `labels`, as written.
struct WrittenLabel {
  std::int64_t id = 0;
  std::int64_t sample = 0;
  std::int64_t set = 0;
  std::int64_t class_id = 0;
  LabelKind kind = LabelKind::box;
  Box box_xywh_px;
  double confidence = kNone;
  double area = kNone;
  bool is_crowd = false;
  std::int64_t run = 0;
  std::int64_t import = 0;
  std::int64_t superseded_by = 0;
};

constexpr std::string_view kWrittenColumns =
    "l.id, l.sample_id, l.set_id, l.class_id, l.kind, l.x, l.y, l.w, l.h, l.confidence, l.area, l.is_crowd, l.run_id, l.import_id, l.superseded_by";

WrittenLabel written_from(const Statement& row) {
  return {row.integer(0),
          row.integer(1),
          row.integer(2),
          row.integer(3),
          static_cast<LabelKind>(row.integer(4)),
          {row.real(5), row.real(6), row.real(7), row.real(8)},
          row.is_null(9) ? kNone : row.real(9),
          row.is_null(10) ? kNone : row.real(10),
          row.integer(11) != 0,
          row.integer(12),
          row.integer(13),
          row.integer(14)};
}

/// The last word on a label: columns of `standing_decisions` from `first` on.
struct Decision {
  Verdict verdict = Verdict::unreviewed;
  std::int64_t class_id = 0;  ///< 0 unless edited
  bool has_box = false;
  Box box_xywh_px;
  double area = kNone;
};

constexpr std::string_view kDecisionColumns = "d.verdict, d.class_id, d.x, d.y, d.w, d.h, d.area";

Decision decision_from(const Statement& row, int first) {
  Decision decision;
  if (!row.is_null(first)) {
    decision.verdict = static_cast<Verdict>(row.integer(first));
    decision.class_id = row.integer(first + 1);
    decision.has_box = !row.is_null(first + 2);
    decision.box_xywh_px = {row.real(first + 2), row.real(first + 3), row.real(first + 4), row.real(first + 5)};
    decision.area = row.is_null(first + 6) ? kNone : row.real(first + 6);
  }
  return decision;
}

struct RunInfo {
  std::int64_t set = 0;
  bool is_undone = false;
  std::vector<ClassId> asked_classes;
};

/// Reads into columns within one transaction.
class Reader {
 public:
  Reader(Database& database, Columns& columns) : database_(database), columns_(columns) {}

  void rebuild() {
    columns_ = Columns{};
    read_names();
    read_samples(0, std::numeric_limits<std::int64_t>::max());
    read_run_infos();
    read_undone_imports();
    read_all_labels();
    read_all_labelled();
    read_tags();
    columns_.change = newest_change();
  }

  /// False when too much has changed: the columns are then half done, and everything has to be read. `rows_changed` grows by what was
  /// looked at.
  bool catch_up(std::size_t& rows_changed) {
    read_names();
    const std::int64_t newest = newest_change();
    if (columns_.change == newest) {
      return true;
    }
    if (columns_.change > newest) {
      return false;  // the database is older than the snapshot: somebody has put back a copy
    }
    std::vector<std::pair<std::int64_t, std::int64_t>> sample_ranges;
    std::vector<std::pair<std::int64_t, std::int64_t>> label_ranges;
    bool has_tags = false;
    if (!read_changes(sample_ranges, label_ranges, has_tags)) {
      return false;
    }
    for (const auto& [first, last] : sample_ranges) {
      read_samples(first, last);
    }
    read_run_infos();
    read_undone_imports();
    append_new_labels(label_ranges);
    follow_touched_samples();
    if (has_tags) {
      read_tags();
    }
    rows_changed += rows_to_follow_;
    columns_.change = newest;
    return true;
  }

 private:
  std::int64_t newest_change() { return single(database_, "SELECT coalesce(max(id), 0) FROM changes"); }

  void read_names() {
    const auto read = [&](std::string_view table, std::vector<NamedId>& names) {
      const std::string from = " FROM " + std::string(table);
      if (single(database_, "SELECT coalesce(max(id), 0)" + from) == (names.empty() ? 0 : names.back().id)) {
        return;
      }
      names.clear();
      Statement rows = database_.prepare("SELECT id, name" + from + " ORDER BY id");
      while (rows.step()) {
        names.push_back({rows.integer(0), std::string(rows.text(1))});
      }
    };
    read("sets", columns_.sets);
    read("classes", columns_.classes);
  }

  static std::int32_t index_of(const std::vector<NamedId>& names, std::int64_t id) {
    const auto found = std::ranges::lower_bound(names, id, {}, &NamedId::id);
    return static_cast<std::int32_t>(found - names.begin());
  }

  /// Row of the sample, which must exist.
  std::int32_t sample_row(std::int64_t id) const {
    const auto ids = columns_.samples.id.rows();
    return static_cast<std::int32_t>(std::ranges::lower_bound(ids, id) - ids.begin());
  }

  std::size_t label_row(std::int64_t id) const {
    const auto ids = columns_.labels.id.rows();
    return static_cast<std::size_t>(std::ranges::lower_bound(ids, id) - ids.begin());
  }

  std::int64_t last_sample_id() const { return columns_.samples.size() == 0 ? 0 : columns_.samples.id.rows().back(); }
  std::int64_t last_label_id() const { return columns_.labels.size() == 0 ? 0 : columns_.labels.id.rows().back(); }

  void read_samples(std::int64_t first, std::int64_t last) {
    Statement rows = database_.prepare("SELECT id, path, name, width, height, is_missing FROM samples WHERE id BETWEEN ? AND ? ORDER BY id");
    rows.bind(first, last);
    SampleColumns& samples = columns_.samples;
    while (rows.step()) {
      const std::int64_t id = rows.integer(0);
      const auto width = static_cast<std::int32_t>(rows.integer(3));
      const auto height = static_cast<std::int32_t>(rows.integer(4));
      const auto is_missing = static_cast<std::uint8_t>(rows.integer(5));
      if (id > last_sample_id()) {
        samples.id.append(id);
        samples.path.append(rows.text(1));
        samples.name.append(rows.text(2));
        samples.width.append(width);
        samples.height.append(height);
        samples.is_missing.append(is_missing);
      } else {
        const auto row = static_cast<std::size_t>(sample_row(id));
        samples.width.set(row, width);
        samples.height.set(row, height);
        samples.is_missing.set(row, is_missing);
      }
    }
  }

  void read_run_infos() {
    Statement rows = database_.prepare("SELECT r.id, r.set_id, u.run_id FROM runs r LEFT JOIN run_undos u ON u.run_id = r.id");
    while (rows.step()) {
      runs_[rows.integer(0)] = {rows.integer(1), !rows.is_null(2), {}};
    }
    Statement classes = database_.prepare("SELECT run_id, class_id FROM run_classes ORDER BY run_id, class_id");
    while (classes.step()) {
      runs_[classes.integer(0)].asked_classes.push_back({classes.integer(1)});
    }
  }

  void read_undone_imports() {
    Statement rows = database_.prepare("SELECT import_id FROM import_undos ORDER BY import_id");
    while (rows.step()) {
      undone_imports_.push_back(rows.integer(0));
    }
  }

  void append(const WrittenLabel& label) {
    LabelColumns& labels = columns_.labels;
    labels.id.append(label.id);
    labels.sample.append(sample_row(label.sample));
    labels.set.append(index_of(columns_.sets, label.set));
    labels.class_index.append(index_of(columns_.classes, label.class_id));
    labels.kind.append(label.kind);
    labels.verdict.append(Verdict::unreviewed);
    labels.status.append(LabelStatus::active);
    labels.is_crowd.append(label.is_crowd ? 1 : 0);
    labels.x.append(label.box_xywh_px.x);
    labels.y.append(label.box_xywh_px.y);
    labels.w.append(label.box_xywh_px.w);
    labels.h.append(label.box_xywh_px.h);
    labels.area.append(area_of(label.area, label.box_xywh_px));
    labels.confidence.append(label.confidence);
    labels.run.append(label.run);
    labels.import.append(label.import);
  }

  static double area_of(double stated, const Box& box) { return stated == stated ? stated : area(box); }

  /// What the decision makes of the label; `written` gives what it leaves open.
  void set_effective(std::size_t row, const WrittenLabel& written, const Decision& decision) {
    LabelColumns& labels = columns_.labels;
    labels.verdict.set(row, decision.verdict);
    labels.class_index.set(row, index_of(columns_.classes, decision.class_id != 0 ? decision.class_id : written.class_id));
    const Box& box = decision.has_box ? decision.box_xywh_px : written.box_xywh_px;
    labels.x.set(row, box.x);
    labels.y.set(row, box.y);
    labels.w.set(row, box.w);
    labels.h.set(row, box.h);
    labels.area.set(row, area_of(decision.has_box ? decision.area : written.area, box));
  }

  bool is_import_undone(std::int64_t import) const { return std::ranges::binary_search(undone_imports_, import); }

  /// Statuses of the labels of one sample in one set; `finished` are the runs that finished the sample, oldest first.
  void set_statuses(std::span<const std::size_t> rows, std::span<const LabelOrigin> origins, std::int64_t set, std::span<const std::int64_t> finished) {
    finished_runs_.clear();
    for (const std::int64_t run : finished) {
      const RunInfo& info = runs_.at(run);
      if (info.set == set) {
        finished_runs_.push_back({{run}, std::span<const ClassId>(info.asked_classes), info.is_undone});
      }
    }
    const std::vector<LabelStatus> statuses = label_statuses(origins, finished_runs_);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (columns_.labels.status[rows[i]] != statuses[i]) {
        columns_.labels.status.set(rows[i], statuses[i]);
      }
    }
  }

  LabelOrigin origin_of(const WrittenLabel& label, Verdict verdict) const {
    return {{label.id}, {label.run}, is_import_undone(label.import), {label.class_id}, verdict, {label.superseded_by}};
  }

  void read_all_labels() {
    // What the columns do not keep and statuses need.
    std::vector<std::int64_t> written_class;
    std::vector<std::int64_t> superseded_by;
    Statement rows = database_.prepare("SELECT " + std::string(kWrittenColumns) + " FROM labels l ORDER BY l.id");
    while (rows.step()) {
      const WrittenLabel label = written_from(rows);
      append(label);
      written_class.push_back(label.class_id);
      superseded_by.push_back(label.superseded_by);
    }
    Statement decisions = database_.prepare("SELECT " + std::string(kWrittenColumns) + ", " + std::string(kDecisionColumns) +
                                            " FROM standing_decisions d JOIN labels l ON l.id = d.label_id");
    while (decisions.step()) {
      const WrittenLabel written = written_from(decisions);
      set_effective(label_row(written.id), written, decision_from(decisions, 15));
    }
    if (runs_.empty() && undone_imports_.empty()) {
      return;
    }
    set_all_statuses(written_class, superseded_by);
  }

  void set_all_statuses(const std::vector<std::int64_t>& written_class, const std::vector<std::int64_t>& superseded_by) {
    const LabelColumns& labels = columns_.labels;
    std::vector<std::size_t> order(labels.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      order[i] = i;
    }
    std::ranges::sort(order, {}, [&](std::size_t row) { return std::tuple(labels.sample[row], labels.set[row], row); });
    Statement finished_rows = database_.prepare("SELECT sample_id, run_id FROM run_samples WHERE outcome = 1 ORDER BY sample_id, run_id");
    bool has_finished = finished_rows.step();
    std::vector<std::int64_t> finished;
    std::int64_t finished_of = -1;
    std::vector<std::size_t> group;
    std::vector<LabelOrigin> origins;
    for (std::size_t begin = 0; begin < order.size();) {
      std::size_t end = begin;
      const std::int32_t sample = labels.sample[order[begin]];
      const std::int32_t set = labels.set[order[begin]];
      group.clear();
      origins.clear();
      for (; end < order.size() && labels.sample[order[end]] == sample && labels.set[order[end]] == set; ++end) {
        const std::size_t row = order[end];
        group.push_back(row);
        origins.push_back({{labels.id[row]},
                           {labels.run[row]},
                           is_import_undone(labels.import[row]),
                           {written_class[row]},
                           labels.verdict[row],
                           {superseded_by[row]}});
      }
      const std::int64_t sample_id = columns_.samples.id[static_cast<std::size_t>(sample)];
      if (finished_of != sample_id) {
        finished.clear();
        finished_of = sample_id;
        while (has_finished && finished_rows.integer(0) < sample_id) {
          has_finished = finished_rows.step();
        }
        while (has_finished && finished_rows.integer(0) == sample_id) {
          finished.push_back(finished_rows.integer(1));
          has_finished = finished_rows.step();
        }
      }
      set_statuses(group, origins, columns_.sets[static_cast<std::size_t>(set)].id, finished);
      begin = end;
    }
  }

  using LabelledPair = std::pair<std::int32_t, std::int32_t>;  // set index, sample row: the order of the columns

  void set_labelled(std::vector<LabelledPair> pairs) {
    std::ranges::sort(pairs);
    const auto doubles = std::ranges::unique(pairs);
    pairs.erase(doubles.begin(), doubles.end());
    std::vector<std::int32_t> samples;
    std::vector<std::int32_t> sets;
    samples.reserve(pairs.size());
    sets.reserve(pairs.size());
    for (const auto& [set, sample] : pairs) {
      sets.push_back(set);
      samples.push_back(sample);
    }
    columns_.labelled_sample = Column<std::int32_t>::owned(std::move(samples));
    columns_.labelled_set = Column<std::int32_t>::owned(std::move(sets));
  }

  static constexpr std::string_view kLabelledByImports =
      "SELECT s.sample_id, i.set_id FROM import_samples s JOIN imports i ON i.id = s.import_id WHERE i.id NOT IN (SELECT import_id FROM import_undos)";
  static constexpr std::string_view kLabelledByRuns =
      "SELECT s.sample_id, r.set_id FROM run_samples s JOIN runs r ON r.id = s.run_id WHERE s.outcome = 1 AND r.id NOT IN (SELECT run_id FROM run_undos)";

  void add_labelled(Statement& rows, std::vector<LabelledPair>& pairs) const {
    while (rows.step()) {
      pairs.emplace_back(index_of(columns_.sets, rows.integer(1)), sample_row(rows.integer(0)));
    }
    rows.reset();
  }

  void read_all_labelled() {
    std::vector<LabelledPair> pairs;
    for (const std::string_view sql : {kLabelledByImports, kLabelledByRuns}) {
      Statement rows = database_.prepare(sql);
      add_labelled(rows, pairs);
    }
    set_labelled(std::move(pairs));
  }

  void read_tags() {
    const auto read = [&](std::string_view sql, std::vector<std::string>& names, TagColumns& tags, const auto& row_of) {
      names.clear();
      tags = {};
      Statement rows = database_.prepare(sql);
      while (rows.step()) {
        if (names.empty() || names.back() != rows.text(0)) {
          names.emplace_back(rows.text(0));
        }
        tags.row.append(row_of(rows.integer(1)));
        tags.tag.append(static_cast<std::int32_t>(names.size() - 1));
      }
    };
    read("SELECT tag, sample_id FROM sample_tags ORDER BY tag, sample_id", columns_.sample_tag_names, columns_.sample_tags,
         [&](std::int64_t id) { return sample_row(id); });
    read("SELECT tag, label_id FROM label_tags ORDER BY tag, label_id", columns_.label_tag_names, columns_.label_tags,
         [&](std::int64_t id) { return static_cast<std::int32_t>(label_row(id)); });
  }

  bool fits(std::size_t more) {
    rows_to_follow_ += more;
    return rows_to_follow_ <= std::max(kMostRowsToFollow, columns_.samples.size() / 4);
  }

  /// Sorts the changes since by what has to be read; false when that is too much.
  bool read_changes(std::vector<std::pair<std::int64_t, std::int64_t>>& sample_ranges, std::vector<std::pair<std::int64_t, std::int64_t>>& label_ranges,
                    bool& has_tags) {
    Statement decided = database_.prepare("SELECT DISTINCT l.sample_id FROM decisions d JOIN labels l ON l.id = d.label_id WHERE d.group_id = ?");
    Statement of_run = database_.prepare("SELECT sample_id FROM run_samples WHERE run_id = ? AND outcome = 1");
    const auto touch_rows = [&](Statement& rows, std::int64_t id) {
      rows.bind(id);
      while (rows.step()) {
        touched_.push_back(rows.integer(0));
        if (!fits(1)) {
          return false;
        }
      }
      rows.reset();
      return true;
    };
    Statement changes = database_.prepare("SELECT kind, first_id, last_id FROM changes WHERE id > ? ORDER BY id");
    changes.bind(columns_.change);
    while (changes.step()) {
      const std::int64_t first = changes.integer(1);
      const std::int64_t last = changes.integer(2);
      const auto size = static_cast<std::size_t>(last - first + 1);
      bool is_small = true;
      switch (static_cast<ChangeKind>(changes.integer(0))) {
        case ChangeKind::samples:
          sample_ranges.emplace_back(first, last);
          is_small = fits(size);
          break;
        case ChangeKind::labels:
          label_ranges.emplace_back(first, last);
          is_small = fits(size);
          break;
        case ChangeKind::sample_state:
          is_small = fits(size);
          for (std::int64_t id = first; is_small && id <= last; ++id) {
            touched_.push_back(id);
          }
          break;
        case ChangeKind::decisions:
          is_small = touch_rows(decided, first);
          break;
        case ChangeKind::run:
          is_small = touch_rows(of_run, first);
          break;
        case ChangeKind::import:
          return false;
        case ChangeKind::tags:
          has_tags = true;
          break;
      }
      if (!is_small) {
        return false;
      }
    }
    std::ranges::sort(touched_);
    const auto doubles = std::ranges::unique(touched_);
    touched_.erase(doubles.begin(), doubles.end());
    return true;
  }

  void append_new_labels(const std::vector<std::pair<std::int64_t, std::int64_t>>& label_ranges) {
    std::vector<WrittenLabel> added;
    const std::int64_t last_known = last_label_id();
    const std::string select = "SELECT " + std::string(kWrittenColumns) + " FROM labels l WHERE ";
    Statement in_range = database_.prepare(select + "l.id BETWEEN ? AND ?");
    for (const auto& [first, last] : label_ranges) {
      in_range.bind(std::max(first, last_known + 1), last);
      while (in_range.step()) {
        added.push_back(written_from(in_range));
      }
    }
    Statement of_sample = database_.prepare(select + "l.sample_id = ? AND l.id > ?");
    for (const std::int64_t sample : touched_) {
      of_sample.bind(sample, last_known);
      while (of_sample.step()) {
        added.push_back(written_from(of_sample));
      }
    }
    std::ranges::sort(added, {}, &WrittenLabel::id);
    const auto doubles = std::ranges::unique(added, {}, &WrittenLabel::id);
    added.erase(doubles.begin(), doubles.end());
    for (const WrittenLabel& label : added) {
      append(label);
    }
  }

  void follow_touched_samples() {
    if (touched_.empty()) {
      return;
    }
    Statement labels = database_.prepare("SELECT " + std::string(kWrittenColumns) + ", " + std::string(kDecisionColumns) +
                                         " FROM labels l LEFT JOIN standing_decisions d ON d.label_id = l.id WHERE l.sample_id = ? ORDER BY l.set_id, l.id");
    Statement finished_rows = database_.prepare("SELECT run_id FROM run_samples WHERE sample_id = ? AND outcome = 1 ORDER BY run_id");
    Statement by_imports = database_.prepare(std::string(kLabelledByImports) + " AND s.sample_id = ?");
    Statement by_runs = database_.prepare(std::string(kLabelledByRuns) + " AND s.sample_id = ?");

    std::vector<std::uint8_t> is_touched(columns_.samples.size(), 0);
    std::vector<LabelledPair> pairs;
    std::vector<std::int64_t> finished;
    std::vector<std::size_t> group;
    std::vector<LabelOrigin> origins;
    for (const std::int64_t sample : touched_) {
      is_touched[static_cast<std::size_t>(sample_row(sample))] = 1;
      finished.clear();
      finished_rows.bind(sample);
      while (finished_rows.step()) {
        finished.push_back(finished_rows.integer(0));
      }
      std::int64_t set = 0;
      const auto end_group = [&] {
        if (!group.empty()) {
          set_statuses(group, origins, set, finished);
        }
        group.clear();
        origins.clear();
      };
      labels.bind(sample);
      while (labels.step()) {
        const WrittenLabel written = written_from(labels);
        const Decision decision = decision_from(labels, 15);
        if (written.set != set) {
          end_group();
          set = written.set;
        }
        const std::size_t row = label_row(written.id);
        set_effective(row, written, decision);
        group.push_back(row);
        origins.push_back(origin_of(written, decision.verdict));
      }
      end_group();
      by_imports.bind(sample);
      add_labelled(by_imports, pairs);
      by_runs.bind(sample);
      add_labelled(by_runs, pairs);
    }
    for (std::size_t i = 0; i < columns_.labelled_sample.size(); ++i) {
      if (is_touched[static_cast<std::size_t>(columns_.labelled_sample[i])] == 0) {
        pairs.emplace_back(columns_.labelled_set[i], columns_.labelled_sample[i]);
      }
    }
    set_labelled(std::move(pairs));
  }

  Database& database_;
  Columns& columns_;
  std::unordered_map<std::int64_t, RunInfo> runs_;
  std::vector<std::int64_t> undone_imports_;
  std::vector<std::int64_t> touched_;  ///< samples whose labels and states are to be looked at again
  std::vector<FinishedRun> finished_runs_;
  std::size_t rows_to_follow_ = 0;
};

void save_snapshot(Database& database, const std::filesystem::path& directory, const Columns& columns) {
  try {
    write_snapshot(snapshot_path(directory), project_uuid(database), columns);
  } catch (const Error&) {
    // Only a cache: a full disk or a folder that cannot be written costs the next process time, nothing else.
  }
}

void bring_up_to_date(Database& database, const std::filesystem::path& directory, Columns& columns, bool has_base) {
  Transaction reading(database, Transaction::Kind::read);
  std::size_t rows_changed = 0;
  const bool was_followed = has_base && Reader(database, columns).catch_up(rows_changed);
  if (!was_followed) {
    Reader(database, columns).rebuild();
  }
  if (!was_followed || rows_changed > kRowsWorthASnapshot) {
    save_snapshot(database, directory, columns);
  }
}

}  // namespace

Columns read_columns(Database& database, const std::filesystem::path& directory) {
  auto snapshot = open_snapshot(snapshot_path(directory), project_uuid(database));
  const bool has_base = snapshot.has_value();
  Columns columns = snapshot ? std::move(*snapshot) : Columns{};
  bring_up_to_date(database, directory, columns, has_base);
  return columns;
}

void refresh_columns(Database& database, const std::filesystem::path& directory, Columns& columns) {
  bring_up_to_date(database, directory, columns, true);
}

Columns rebuild_columns(Database& database) {
  Transaction reading(database, Transaction::Kind::read);
  Columns columns;
  Reader(database, columns).rebuild();
  return columns;
}

}  // namespace verilabel::store
