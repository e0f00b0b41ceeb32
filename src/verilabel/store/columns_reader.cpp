#include "verilabel/store/columns_reader.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/lifecycle.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/dataset/time.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/label_rows.h"
#include "verilabel/store/label_sources.h"
#include "verilabel/store/snapshot.h"

namespace verilabel::store {
namespace {

/// Up to here, and up to a quarter of the samples, rows are brought up to date one by one; beyond, reading everything is quicker.
constexpr std::size_t kMostRowsToFollow = 20'000;
/// A snapshot this many changed rows behind, and this part of the labels, is written anew, so that the next process has less to do.
constexpr std::size_t kRowsWorthASnapshot = 2'000;
constexpr std::size_t kPartWorthASnapshot = 64;

/// Stands in columns that an error has left empty.
constexpr std::int64_t kNoChange = -1;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::filesystem::path snapshot_path(const std::filesystem::path& directory) {
  return directory / "columns.snapshot";
}

std::int64_t single(Database& database, std::string_view sql) {
  Statement statement = database.prepare(sql);
  statement.step();
  return statement.integer(0);
}

/// What a snapshot of this project with that change has to be stamped with; nothing when there is no such change.
std::optional<SnapshotStamp> stamp_of(Database& database, std::int64_t change) {
  Statement find = database.prepare("SELECT uuid, c.mark FROM project LEFT JOIN changes c ON c.id = ?");
  if (!find.bind(change).step() || (find.is_null(1) && change != 0)) {
    return std::nullopt;
  }
  return SnapshotStamp{std::string(find.text(0)), change, find.integer(1)};
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
  std::string attributes;  ///< JSON; read for labels that are new to the columns, since nothing changes them
};

constexpr std::string_view kWrittenColumns =
    "l.id, l.sample_id, l.set_id, l.class_id, l.kind, l.x, l.y, l.w, l.h, l.confidence, l.area, l.is_crowd, l.run_id, l.import_id, "
    "l.superseded_by";

WrittenLabel written_from(const Statement& row) {
  return {row.integer(0),
          row.integer(1),
          row.integer(2),
          row.integer(3),
          label_kind_of(row.integer(4)),
          {row.real(5), row.real(6), row.real(7), row.real(8)},
          row.is_null(9) ? kNone : row.real(9),
          row.is_null(10) ? kNone : row.real(10),
          row.integer(11) != 0,
          row.integer(12),
          row.integer(13),
          row.integer(14),
          {}};
}

/// From `kWrittenColumns` and behind them `l.attributes`.
WrittenLabel written_with_attributes(const Statement& row) {
  WrittenLabel label = written_from(row);
  label.attributes = row.text(15);
  return label;
}

/// The decision on a label that stands, and the edit in force.
struct Decision {
  Verdict verdict = Verdict::unreviewed;
  bool has_edit = false;
  LabelKind kind = LabelKind::box;  ///< of the edit, like what follows
  std::int64_t class_id = 0;
  Box box_xywh_px;
  double area = kNone;
  double at = kNone;  ///< of the decision, in seconds since 1970
};

constexpr std::string_view kDecisionColumns =
    "d.verdict, e.kind, e.class_id, e.x, e.y, e.w, e.h, e.area, (SELECT g.at FROM decision_groups g WHERE g.id = d.group_id)";

/// From the columns of `kDecisionColumns`, which begin at `first`.
Decision decision_from(const Statement& row, int first) {
  Decision decision;
  decision.verdict = verdict_of(row.integer(first));
  decision.has_edit = !row.is_null(first + 1);
  if (decision.has_edit) {
    decision.kind = label_kind_of(row.integer(first + 1));
    decision.class_id = row.integer(first + 2);
    decision.box_xywh_px = {row.real(first + 3), row.real(first + 4), row.real(first + 5), row.real(first + 6)};
    decision.area = row.is_null(first + 7) ? kNone : row.real(first + 7);
  }
  if (!row.is_null(first + 8)) {
    const auto time = time_span_from(row.text(first + 8));
    decision.at = time ? time->begin : kNone;
  }
  return decision;
}

/// Reads into columns within one transaction.
class Reader {
 public:
  Reader(Database& database, Columns& columns) : database_(database), columns_(columns) {}

  void rebuild() {
    columns_ = Columns{};
    read_names();
    read_samples(0, std::numeric_limits<std::int64_t>::max());
    sources_ = LabelSources::read(database_);
    read_all_labels();
    read_all_labelled();
    read_tags();
    read_all_fields();
    columns_.change = newest_change();
  }

  /// False when too much has changed: the columns are then half done, and everything has to be read. `rows_changed` grows by what
  /// was looked at.
  bool catch_up(std::size_t& rows_changed) {
    read_names();
    const std::int64_t newest = newest_change();
    if (columns_.change == newest) {
      return true;
    }
    if (columns_.change > newest) {
      return false;  // the database is older than the columns: somebody has put back a copy
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
    if (!sample_ranges.empty()) {
      drop_unused_splits();
    }
    sources_ = LabelSources::read(database_);
    append_new_labels(label_ranges);
    if (!touched_.empty() || first_new_label_ < columns_.labels.size()) {
      follow_touched_samples();
    }
    if (has_tags) {
      read_tags();
    }
    follow_fields();
    rows_changed += rows_to_follow_ + labels_followed_;
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

  /// Where `id` stands in increasing `ids`. What refers to a row that does not exist comes from a damaged database: throws
  /// `bad_data`.
  template <typename Ids, typename Projection = std::identity>
  static std::size_t position_of(const Ids& ids, std::int64_t id, Projection projection = {}) {
    // Rows are hardly ever missing in between.
    const auto guess = static_cast<std::size_t>(id - 1);
    if (guess < ids.size() && std::invoke(projection, ids[guess]) == id) {
      return guess;
    }
    const auto found = std::ranges::lower_bound(ids, id, {}, projection);
    if (found == ids.end() || std::invoke(projection, *found) != id) {
      throw Error(ErrorCode::bad_data, "the project's database is damaged: a row refers to one that does not exist; restore a copy",
                  {{"id", std::to_string(id)}});
    }
    return static_cast<std::size_t>(found - ids.begin());
  }
  static std::int32_t index_of(const std::vector<NamedId>& names, std::int64_t id) {
    return static_cast<std::int32_t>(position_of(names, id, &NamedId::id));
  }
  std::int32_t sample_row(std::int64_t id) const { return static_cast<std::int32_t>(position_of(columns_.samples.id.rows(), id)); }
  std::size_t label_row(std::int64_t id) const { return position_of(columns_.labels.id.rows(), id); }

  std::int64_t last_sample_id() const { return columns_.samples.size() == 0 ? 0 : columns_.samples.id.rows().back(); }
  std::int64_t last_label_id() const { return columns_.labels.size() == 0 ? 0 : columns_.labels.id.rows().back(); }

  void read_samples(std::int64_t first, std::int64_t last) {
    Statement rows = database_.prepare(
        "SELECT id, path, name, width, height, is_missing, split, modified_ns FROM samples WHERE id BETWEEN ? AND "
        "? ORDER BY id");
    rows.bind(first, last);
    SampleColumns& samples = columns_.samples;
    while (rows.step()) {
      const std::int64_t id = rows.integer(0);
      const auto width = static_cast<std::int32_t>(rows.integer(3));
      const auto height = static_cast<std::int32_t>(rows.integer(4));
      const auto is_missing = static_cast<std::uint8_t>(rows.integer(5));
      const std::int32_t split = index_of_split(rows.text(6));
      const double modified = is_missing != 0 ? kNone : static_cast<double>(rows.integer(7)) / 1e9;
      if (id > last_sample_id()) {
        samples.id.append(id);
        samples.path.append(rows.text(1));
        samples.name.append(rows.text(2));
        samples.width.append(width);
        samples.height.append(height);
        samples.is_missing.append(is_missing);
        samples.split.append(split);
        samples.modified.append(modified);
      } else {
        const auto row = static_cast<std::size_t>(sample_row(id));
        samples.width.set(row, width);
        samples.height.set(row, height);
        samples.is_missing.set(row, is_missing);
        samples.split.set(row, split);
        samples.modified.set(row, modified);
      }
    }
  }

  std::int32_t index_of_split(std::string_view name) {
    const auto found = std::ranges::find(columns_.splits, name);
    if (found == columns_.splits.end()) {
      columns_.splits.emplace_back(name);
      return static_cast<std::int32_t>(columns_.splits.size() - 1);
    }
    return static_cast<std::int32_t>(found - columns_.splits.begin());
  }

  /// A split that its last sample has left is none.
  void drop_unused_splits() {
    std::vector<std::int32_t> new_index(columns_.splits.size(), -1);
    for (const std::int32_t split : columns_.samples.split.rows()) {
      new_index[static_cast<std::size_t>(split)] = 0;
    }
    new_index.front() = 0;
    if (std::ranges::find(new_index, -1) == new_index.end()) {
      return;
    }
    std::vector<std::string> used;
    for (std::size_t i = 0; i < new_index.size(); ++i) {
      if (new_index[i] == 0) {
        new_index[i] = static_cast<std::int32_t>(used.size());
        used.push_back(std::move(columns_.splits[i]));
      }
    }
    columns_.splits = std::move(used);
    for (std::size_t row = 0; row < columns_.samples.size(); ++row) {
      set_if_other(columns_.samples.split, row, new_index[static_cast<std::size_t>(columns_.samples.split[row])]);
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
    labels.decided.append(kNone);
    labels.run.append(label.run);
    labels.import.append(label.import);
    if (!label.attributes.empty()) {
      add_attributes(label.attributes);
    }
  }

  /// Of the newest label. What is no object that can be read is not seen by views; export writes it as it came.
  void add_attributes(const std::string& attributes) {
    const auto flat = flat_object(attributes);
    if (!flat) {
      return;
    }
    const auto row = static_cast<std::int32_t>(columns_.labels.size() - 1);
    for (const Property& property : flat->properties) {
      if (const auto value = property_value(property.json)) {
        attributes_.add(row, property.name, *value);
      }
    }
  }

  void store_attributes() {
    if (!attributes_.empty()) {
      attributes_.add_all(columns_.label_attributes, {});
      columns_.label_attributes = attributes_.build();
    }
  }

  static double area_of(double stated, const Box& box) { return stated == stated ? stated : area(box); }

  /// What the decision makes of the label.
  void set_effective(std::size_t row, const WrittenLabel& written, const Decision& decision) {
    const bool is_edited = decision.has_edit;
    const Box& box = is_edited ? decision.box_xywh_px : written.box_xywh_px;
    LabelColumns& labels = columns_.labels;
    set_if_other(labels.verdict, row, decision.verdict);
    if (!(std::isnan(labels.decided[row]) && std::isnan(decision.at))) {
      set_if_other(labels.decided, row, decision.at);
    }
    set_if_other(labels.kind, row, is_edited ? decision.kind : written.kind);
    set_if_other(labels.class_index, row, index_of(columns_.classes, is_edited ? decision.class_id : written.class_id));
    set_if_other(labels.x, row, box.x);
    set_if_other(labels.y, row, box.y);
    set_if_other(labels.w, row, box.w);
    set_if_other(labels.h, row, box.h);
    set_if_other(labels.area, row, area_of(is_edited ? decision.area : written.area, box));
  }

  /// A column that is still borrowed is copied by its first change: not for nothing.
  template <typename T>
  static void set_if_other(Column<T>& column, std::size_t row, T value) {
    if (column[row] != value) {
      column.set(row, value);
    }
  }

  /// Statuses of the labels of one sample in one set; `finished` are the runs that finished the sample, oldest first.
  void set_statuses(std::span<const std::size_t> rows, std::span<const LabelOrigin> origins, std::int64_t set,
                    std::span<const RunId> finished) {
    const std::vector<LabelStatus> statuses = label_statuses(origins, sources_.runs_into({set}, finished));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      set_if_other(columns_.labels.status, rows[i], statuses[i]);
    }
  }

  LabelOrigin origin_of(const WrittenLabel& label, const Decision& decision) const {
    return {.id = {label.id},
            .run = {label.run},
            .import = {label.import},
            .is_fusion = sources_.is_fusion({label.import}),
            .is_import_undone = sources_.is_import_undone({label.import}),
            .is_import_replaced = sources_.is_import_replaced({label.import}, {label.sample}),
            .written = {label.kind, {label.class_id}, label.box_xywh_px},
            .edited = decision.has_edit ? std::optional(LabelClaim{decision.kind, {decision.class_id}, decision.box_xywh_px})
                                        : std::nullopt,
            .score = score_of(label.confidence),
            .verdict = decision.verdict,
            .superseded_by = {label.superseded_by}};
  }

  static double score_of(double confidence) { return std::isnan(confidence) ? kScoreWithoutConfidence : confidence; }

  void read_all_labels() {
    BesideColumns beside;
    // Flags of the sets.
    std::vector<std::uint8_t> has_rivals(columns_.sets.size(), 0);
    std::vector<std::uint8_t> has_imported(columns_.sets.size(), 0);
    std::vector<std::uint8_t> has_proposed(columns_.sets.size(), 0);
    std::vector<std::uint8_t> has_decided(columns_.sets.size(), 0);
    Statement rows = database_.prepare("SELECT " + std::string(kWrittenColumns) + ", l.attributes FROM labels l ORDER BY l.id");
    while (rows.step()) {
      const WrittenLabel label = written_with_attributes(rows);
      append(label);
      const auto set = static_cast<std::size_t>(columns_.labels.set.rows().back());
      (label.run != 0 ? has_proposed : has_imported)[set] = 1;
      if (label.run == 0 && sources_.is_fusion({label.import})) {
        has_proposed[set] = 1;
      }
      if (label.superseded_by != 0) {
        beside.superseded_by.emplace(columns_.labels.size() - 1, label.superseded_by);
        has_rivals[set] = 1;
      }
    }
    Statement decisions =
        database_.prepare("SELECT " + std::string(kWrittenColumns) + ", " + std::string(kDecisionColumns) +
                          " FROM verdicts v JOIN labels l ON l.id = v.label_id JOIN decisions d ON d.id = v.decision_id "
                          "LEFT JOIN edits e ON e.id = d.edit_id");
    while (decisions.step()) {
      const WrittenLabel written = written_from(decisions);
      const std::size_t row = label_row(written.id);
      const Decision decision = decision_from(decisions, 15);
      set_effective(row, written, decision);
      has_decided[static_cast<std::size_t>(columns_.labels.set[row])] = 1;
      if (decision.has_edit) {
        beside.before_edit.emplace(row, LabelClaim{written.kind, {written.class_id}, written.box_xywh_px});
      }
    }
    store_attributes();
    set_simple_statuses();
    for (std::size_t set = 0; set < has_rivals.size(); ++set) {
      has_rivals[set] |= static_cast<std::uint8_t>(has_decided[set] & has_proposed[set] & has_imported[set]);
    }
    set_statuses_of_rivals(beside, std::move(has_rivals));
  }

  /// What the columns do not keep and statuses need, by row, of the labels that have it.
  struct BesideColumns {
    std::unordered_map<std::size_t, std::int64_t> superseded_by;
    std::unordered_map<std::size_t, LabelClaim> before_edit;
  };

  LabelOrigin origin_of(std::size_t row, const BesideColumns& beside) const {
    const LabelColumns& labels = columns_.labels;
    const auto edited = beside.before_edit.find(row);
    const auto superseded = beside.superseded_by.find(row);
    const std::int64_t class_id = columns_.classes[static_cast<std::size_t>(labels.class_index[row])].id;
    const LabelClaim effective{labels.kind[row], {class_id}, labels.box_xywh_px(row)};
    return {.id = {labels.id[row]},
            .run = {labels.run[row]},
            .import = {labels.import[row]},
            .is_fusion = sources_.is_fusion({labels.import[row]}),
            .is_import_undone = sources_.is_import_undone({labels.import[row]}),
            .is_import_replaced = is_import_replaced(row),
            .written = edited != beside.before_edit.end() ? edited->second : effective,
            .edited = edited != beside.before_edit.end() ? std::optional(effective) : std::nullopt,
            .score = score_of(labels.confidence[row]),
            .verdict = labels.verdict[row],
            .superseded_by = {superseded != beside.superseded_by.end() ? superseded->second : 0}};
  }

  bool is_import_replaced(std::size_t row) const {
    const auto sample = static_cast<std::size_t>(columns_.labels.sample[row]);
    return sources_.is_import_replaced({columns_.labels.import[row]}, {columns_.samples.id[sample]});
  }

  /// As if no label stood in the way of another.
  void set_simple_statuses() {
    if (!sources_.has_undone()) {
      return;
    }
    LabelColumns& labels = columns_.labels;
    for (std::size_t row = 0; row < labels.size(); ++row) {
      const std::int64_t run = labels.run[row];
      if (labels.verdict[row] != Verdict::unreviewed) {
        continue;
      }
      if (run != 0 ? sources_.run({run}).is_undone : sources_.is_import_undone({labels.import[row]})) {
        labels.status.set(row, LabelStatus::undone);
      } else if (run == 0 && is_import_replaced(row)) {
        labels.status.set(row, LabelStatus::replaced);
      }
    }
  }

  /// In the sets where labels may stand in the way of others: `has_rivals`, those of several runs, and those of one that keeps
  /// labels.
  void set_statuses_of_rivals(const BesideColumns& beside, std::vector<std::uint8_t> has_rivals) {
    std::vector<int> runs_of_set(columns_.sets.size(), 0);
    for (const auto& [id, run] : sources_.runs()) {
      const auto set = static_cast<std::size_t>(index_of(columns_.sets, run.set.value));
      has_rivals[set] = has_rivals[set] != 0 || run.bound || ++runs_of_set[set] > 1 ? 1 : 0;
    }
    if (std::ranges::find(has_rivals, 1) == has_rivals.end()) {
      return;
    }
    const LabelColumns& labels = columns_.labels;
    std::vector<std::uint32_t> order;
    for (std::size_t row = 0; row < labels.size(); ++row) {
      if (has_rivals[static_cast<std::size_t>(labels.set[row])] != 0) {
        order.push_back(static_cast<std::uint32_t>(row));
      }
    }
    std::ranges::sort(order, {}, [&](std::uint32_t row) { return std::tuple(labels.sample[row], labels.set[row], row); });
    Statement finished_rows =
        database_.prepare("SELECT sample_id, run_id FROM run_samples WHERE outcome = 1 ORDER BY sample_id, run_id");
    bool has_finished = finished_rows.step();
    std::vector<RunId> finished;
    std::int64_t finished_of = -1;
    std::vector<std::size_t> group;
    std::vector<LabelOrigin> origins;
    for (std::size_t begin = 0; begin < order.size(); begin += group.size()) {
      const std::int32_t sample = labels.sample[order[begin]];
      const std::int32_t set = labels.set[order[begin]];
      group.clear();
      origins.clear();
      for (std::size_t i = begin; i < order.size() && labels.sample[order[i]] == sample && labels.set[order[i]] == set; ++i) {
        group.push_back(order[i]);
        origins.push_back(origin_of(order[i], beside));
      }
      const std::int64_t sample_id = columns_.samples.id[static_cast<std::size_t>(sample)];
      if (finished_of != sample_id) {
        finished.clear();
        finished_of = sample_id;
        while (has_finished && finished_rows.integer(0) < sample_id) {
          has_finished = finished_rows.step();
        }
        while (has_finished && finished_rows.integer(0) == sample_id) {
          finished.push_back({finished_rows.integer(1)});
          has_finished = finished_rows.step();
        }
      }
      set_statuses(group, origins, columns_.sets[static_cast<std::size_t>(set)].id, finished);
    }
  }

  /// One flag for each set and sample: whether the sample is labelled, or labelled empty, in the set. A sample is when it has an
  /// active label there, when a run that is not undone finished it, and when an import that was finished and not undone says so.
  class LabelledFlags {
   public:
    LabelledFlags(std::size_t sets, std::size_t samples) : samples_(samples), flags_(sets * samples, false) {}

    void set(std::int32_t set, std::int32_t sample) { flags_[position(set, sample)] = true; }
    void clear(std::int32_t sample) {
      for (std::size_t i = static_cast<std::size_t>(sample); i < flags_.size(); i += samples_) {
        flags_[i] = false;
      }
    }
    void store(Columns& columns) const {
      std::vector<std::int32_t> samples;
      std::vector<std::int32_t> sets;
      for (std::size_t i = 0; i < flags_.size(); ++i) {
        if (flags_[i]) {
          sets.push_back(static_cast<std::int32_t>(i / samples_));
          samples.push_back(static_cast<std::int32_t>(i % samples_));
        }
      }
      columns.labelled_sample = Column<std::int32_t>::owned(std::move(samples));
      columns.labelled_set = Column<std::int32_t>::owned(std::move(sets));
    }

   private:
    std::size_t position(std::int32_t set, std::int32_t sample) const {
      return static_cast<std::size_t>(set) * samples_ + static_cast<std::size_t>(sample);
    }
    std::size_t samples_;
    std::vector<bool> flags_;
  };

  static constexpr std::string_view kLabelledByImports =
      "SELECT s.sample_id, i.set_id FROM import_samples s JOIN imports i ON i.id = s.import_id "
      "WHERE i.finished_at IS NOT NULL AND i.id NOT IN (SELECT import_id FROM import_undos)";
  static constexpr std::string_view kLabelledByRuns =
      "SELECT s.sample_id, r.set_id FROM run_samples s JOIN runs r ON r.id = s.run_id WHERE s.outcome = 1 AND r.id NOT IN (SELECT "
      "run_id FROM run_undos)";

  void add_labelled(Statement& rows, LabelledFlags& flags) const {
    while (rows.step()) {
      flags.set(index_of(columns_.sets, rows.integer(1)), sample_row(rows.integer(0)));
    }
    rows.reset();
  }

  void add_if_active(std::size_t row, LabelledFlags& flags) const {
    if (columns_.labels.status[row] == LabelStatus::active) {
      flags.set(columns_.labels.set[row], columns_.labels.sample[row]);
    }
  }

  void read_all_labelled() {
    LabelledFlags flags(columns_.sets.size(), columns_.samples.size());
    for (const std::string_view sql : {kLabelledByImports, kLabelledByRuns}) {
      Statement rows = database_.prepare(sql);
      add_labelled(rows, flags);
    }
    for (std::size_t row = 0; row < columns_.labels.size(); ++row) {
      add_if_active(row, flags);
    }
    flags.store(columns_);
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

  void add_fields(Statement& rows, PropertyBuilder& fields) const {
    while (rows.step()) {
      const auto value = property_value(rows.text(2));
      if (!value) {
        throw Error(ErrorCode::bad_data, "the project's database is damaged: the value of a field is none; restore a copy",
                    {{"field", std::string(rows.text(0))}, {"sample", std::to_string(rows.integer(1))}});
      }
      fields.add(sample_row(rows.integer(1)), rows.text(0), *value);
    }
    rows.reset();
  }

  void read_all_fields() {
    PropertyBuilder fields;
    Statement rows = database_.prepare("SELECT name, sample_id, value FROM sample_fields");
    add_fields(rows, fields);
    columns_.sample_fields = fields.build();
  }

  void follow_fields() {
    if (field_ranges_.empty()) {
      return;
    }
    PropertyBuilder fields;
    std::vector<std::uint8_t> is_read_anew(columns_.samples.size(), 0);
    Statement rows = database_.prepare("SELECT name, sample_id, value FROM sample_fields WHERE sample_id BETWEEN ? AND ?");
    for (const auto& [first, last] : field_ranges_) {
      for (std::int64_t id = first; id <= last; ++id) {
        is_read_anew[static_cast<std::size_t>(sample_row(id))] = 1;
      }
      rows.bind(first, last);
      add_fields(rows, fields);
    }
    fields.add_all(columns_.sample_fields, is_read_anew);
    columns_.sample_fields = fields.build();
  }

  std::size_t decisions_of(std::int64_t group) {
    Statement count = database_.prepare("SELECT coalesce(last_decision - first_decision + 1, 0) FROM decision_groups WHERE id = ?");
    return count.bind(group).step() ? static_cast<std::size_t>(count.integer(0)) : 0;
  }

  /// Likewise of labels that were decided: of one sample they may be thousands.
  bool fits_labels(std::size_t more) {
    labels_to_follow_ += more;
    return labels_to_follow_ <= std::max(kMostRowsToFollow, columns_.labels.size() / 4);
  }

  bool fits(std::size_t more) {
    rows_to_follow_ += more;
    return rows_to_follow_ <= std::max(kMostRowsToFollow, columns_.samples.size() / 4);
  }

  /// Sorts the changes since by what has to be read; false when that is too much.
  bool read_changes(std::vector<std::pair<std::int64_t, std::int64_t>>& sample_ranges,
                    std::vector<std::pair<std::int64_t, std::int64_t>>& label_ranges, bool& has_tags) {
    Statement decided = database_.prepare(
        "SELECT DISTINCT l.sample_id FROM decision_groups g JOIN decisions d ON d.id BETWEEN g.first_decision AND g.last_decision "
        "JOIN labels l ON l.id = d.label_id WHERE g.id = ?");
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
          is_small = fits_labels(decisions_of(first)) && touch_rows(decided, first);
          break;
        case ChangeKind::run:
          is_small = touch_rows(of_run, first);
          break;
        case ChangeKind::import:
          return false;
        case ChangeKind::tags:
          has_tags = true;
          break;
        case ChangeKind::fields:
          field_ranges_.emplace_back(first, last);
          is_small = fits(size);
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
    const std::string select = "SELECT " + std::string(kWrittenColumns) + ", l.attributes FROM labels l WHERE ";
    Statement in_range = database_.prepare(select + "l.id BETWEEN ? AND ?");
    for (const auto& [first, last] : label_ranges) {
      in_range.bind(std::max(first, last_known + 1), last);
      while (in_range.step()) {
        added.push_back(written_with_attributes(in_range));
      }
    }
    Statement of_sample = database_.prepare(select + "l.sample_id = ? AND l.id > ?");
    for (const std::int64_t sample : touched_) {
      of_sample.bind(sample, last_known);
      while (of_sample.step()) {
        added.push_back(written_with_attributes(of_sample));
      }
    }
    std::ranges::sort(added, {}, &WrittenLabel::id);
    const auto doubles = std::ranges::unique(added, {}, &WrittenLabel::id);
    added.erase(doubles.begin(), doubles.end());
    for (const WrittenLabel& label : added) {
      append(label);
    }
    store_attributes();
    first_new_label_ = columns_.labels.size() - added.size();
  }

  void follow_touched_samples() {
    Statement labels =
        database_.prepare("SELECT " + std::string(kWrittenColumns) + ", " + std::string(kDecisionColumns) + " FROM labels l " +
                          std::string(kStandingDecision) + " WHERE l.sample_id = ? ORDER BY l.set_id, l.id");
    Statement finished_rows =
        database_.prepare("SELECT run_id FROM run_samples WHERE sample_id = ? AND outcome = 1 ORDER BY run_id");
    Statement by_imports = database_.prepare(std::string(kLabelledByImports) + " AND s.sample_id = ?");
    Statement by_runs = database_.prepare(std::string(kLabelledByRuns) + " AND s.sample_id = ?");

    LabelledFlags flags(columns_.sets.size(), columns_.samples.size());
    for (std::size_t i = 0; i < columns_.labelled_sample.size(); ++i) {
      flags.set(columns_.labelled_set[i], columns_.labelled_sample[i]);
    }
    std::vector<RunId> finished;
    std::vector<std::size_t> group;
    std::vector<LabelOrigin> origins;
    for (const std::int64_t sample : touched_) {
      flags.clear(sample_row(sample));
      finished.clear();
      finished_rows.bind(sample);
      while (finished_rows.step()) {
        finished.push_back({finished_rows.integer(0)});
      }
      std::int64_t set = 0;
      const auto end_group = [&] {
        if (!group.empty()) {
          set_statuses(group, origins, set, finished);
        }
        for (const std::size_t row : group) {
          add_if_active(row, flags);
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
        ++labels_followed_;
        set_effective(row, written, decision);
        group.push_back(row);
        origins.push_back(origin_of(written, decision));
      }
      end_group();
      by_imports.bind(sample);
      add_labelled(by_imports, flags);
      by_runs.bind(sample);
      add_labelled(by_runs, flags);
    }
    for (std::size_t row = first_new_label_; row < columns_.labels.size(); ++row) {
      add_if_active(row, flags);
    }
    flags.store(columns_);
  }

  Database& database_;
  Columns& columns_;
  LabelSources sources_;
  std::vector<std::int64_t> touched_;                                ///< samples whose labels and states are to be looked at again
  std::vector<std::pair<std::int64_t, std::int64_t>> field_ranges_;  ///< samples whose fields are to be read again
  PropertyBuilder attributes_;                                       ///< of new labels
  std::size_t first_new_label_ = 0;                                  ///< row
  std::size_t rows_to_follow_ = 0;
  std::size_t labels_to_follow_ = 0;
  std::size_t labels_followed_ = 0;
};

void save_snapshot(Database& database, const std::filesystem::path& directory, const Columns& columns) {
  try {
    if (const auto stamp = stamp_of(database, columns.change)) {
      write_snapshot(snapshot_path(directory), *stamp, columns);
    }
  } catch (const Error&) {
    // Only a cache: a full disk or a folder that cannot be written costs the next process time, nothing else.
  }
}

/// The columns are whole or, after an error, empty and of no change, so that they are read anew next time.
void bring_up_to_date(Database& database, const std::filesystem::path& directory, Columns& columns, bool has_base) {
  std::size_t rows_changed = 0;
  bool was_followed = false;
  try {
    Transaction reading(database, Transaction::Kind::read);
    was_followed = has_base && Reader(database, columns).catch_up(rows_changed);
    if (!was_followed) {
      Reader(database, columns).rebuild();
    }
  } catch (...) {
    columns = Columns{};
    columns.change = kNoChange;
    throw;
  }
  if (!was_followed || rows_changed > std::max(kRowsWorthASnapshot, columns.labels.size() / kPartWorthASnapshot)) {
    save_snapshot(database, directory, columns);
  }
}

}  // namespace

Columns read_columns(Database& database, const std::filesystem::path& directory) {
  auto snapshot = open_snapshot(snapshot_path(directory));
  const auto stamp = snapshot ? stamp_of(database, snapshot->stamp.change) : std::nullopt;
  const bool has_base = stamp && *stamp == snapshot->stamp;
  Columns columns = has_base ? std::move(snapshot->columns) : Columns{};
  bring_up_to_date(database, directory, columns, has_base);
  return columns;
}

void refresh_columns(Database& database, const std::filesystem::path& directory, Columns& columns) {
  bring_up_to_date(database, directory, columns, columns.change != kNoChange);
}

Columns rebuild_columns(Database& database) {
  Transaction reading(database, Transaction::Kind::read);
  Columns columns;
  Reader(database, columns).rebuild();
  return columns;
}

}  // namespace verilabel::store
