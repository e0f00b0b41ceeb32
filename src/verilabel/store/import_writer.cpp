#include "verilabel/store/import_writer.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "verilabel/geometry/mask_blob.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/database.h"
#include "verilabel/store/label_rows.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::Statement;
using store::Transaction;

namespace {

constexpr std::int64_t kRowsOfAChunk = 20'000;

/// What makes two labels of one sample and set the same: everything but the id and the unknown fields of the file they came from.
std::uint64_t content_hash(const Label& label) {
  std::string content;
  const auto add = [&](const auto& value) { content.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  const auto add_optional = [&](const std::optional<double>& value) {
    content += value ? '1' : '0';
    add(value.value_or(0));
  };
  add(label.kind);
  add(label.class_id.value);
  add(label.box_xywh_px.x);
  add(label.box_xywh_px.y);
  add(label.box_xywh_px.w);
  add(label.box_xywh_px.h);
  add_optional(label.confidence);
  add_optional(label.area_px);
  content += label.is_crowd ? '1' : '0';
  content += label.attributes_json;
  if (label.mask) {
    content += blob_from_mask(*label.mask);
  }
  return std::hash<std::string>{}(content);
}

}  // namespace

struct ImportWriter::State {
  explicit State(Project& project)
      : database(project.database()),
        insert_sample(database.prepare("INSERT INTO samples (path, name, width, height, format, file_bytes, modified_ns, is_missing, split, source_json) "
                                       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO NOTHING")),
        find_sample(database.prepare("SELECT id, width, height, is_missing, split, source_json FROM samples WHERE path = ?")),
        complete_sample(database.prepare("UPDATE samples SET width = ?, height = ?, format = ?, file_bytes = ?, modified_ns = ?, is_missing = ?, "
                                         "split = coalesce(?, split), source_json = coalesce(source_json, ?) WHERE id = ?")),
        insert_labelled(database.prepare("INSERT INTO import_samples (import_id, sample_id) VALUES (?, ?) ON CONFLICT DO NOTHING")),
        insert_label(database),
        select_written(database, store::LabelSelector::Form::written) {}

  void begin_if_needed() {
    if (!transaction) {
      transaction.emplace(database, Transaction::Kind::write);
    }
  }

  void count_row() {
    if (++rows >= kRowsOfAChunk) {
      commit();
    }
  }

  void commit() {
    if (!transaction) {
      return;
    }
    if (first_sample) {
      store::record_change(database, ChangeKind::samples, first_sample.value, last_sample.value);
    }
    if (first_label) {
      store::record_change(database, ChangeKind::labels, first_label.value, last_label.value);
    }
    if (first_labelled) {
      store::record_change(database, ChangeKind::sample_state, first_labelled.value, last_labelled.value);
    }
    transaction->commit();
    transaction.reset();
    first_sample = last_sample = first_labelled = last_labelled = {};
    first_label = last_label = {};
    rows = 0;
  }

  /// How many labels of that content an earlier import brought to the sample and this one has not named yet.
  std::unordered_map<std::uint64_t, int>& earlier_labels_of(SampleId sample) {
    const auto [entry, is_new] = earlier.try_emplace(sample);
    if (is_new) {
      for (const StoredLabel& stored : select_written.select(sample, set)) {
        if (stored.import && stored.import != import && !undone_imports.contains(stored.import)) {
          ++entry->second[content_hash(stored.label)];
        }
      }
    }
    return entry->second;
  }

  Database& database;
  Statement insert_sample;
  Statement find_sample;
  Statement complete_sample;
  Statement insert_labelled;
  store::LabelInserter insert_label;
  store::LabelSelector select_written;

  std::optional<Transaction> transaction;
  std::int64_t rows = 0;
  SampleId first_sample;
  SampleId last_sample;
  LabelId first_label;
  LabelId last_label;
  SampleId first_labelled;
  SampleId last_labelled;

  SetId set;
  ImportId import;
  bool set_had_labels = false;  ///< from an earlier import
  std::unordered_set<ImportId> undone_imports;
  std::unordered_map<SampleId, std::unordered_map<std::uint64_t, int>> earlier;
};

ImportWriter::ImportWriter(Project& project) : state_(std::make_unique<State>(project)) {}
ImportWriter::ImportWriter(ImportWriter&&) noexcept = default;
ImportWriter::~ImportWriter() = default;

ImportWriter::AddedSample ImportWriter::add_sample(const Sample& sample) {
  State& state = *state_;
  state.begin_if_needed();
  const auto unless_empty = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional<std::string_view>(text); };
  const auto touch = [&](SampleId id) {
    state.first_sample = state.first_sample ? std::min(state.first_sample, id) : id;
    state.last_sample = std::max(state.last_sample, id);
  };
  state.insert_sample.run_with(sample.path.native(), sample.name, sample.width, sample.height, sample.format, static_cast<std::int64_t>(sample.file_bytes),
                               sample.modified_ns, sample.is_missing, unless_empty(sample.split), unless_empty(sample.source_json));
  AddedSample added;
  if (state.database.changed_rows() > 0) {
    added = {{state.database.last_id()}, true, false};
    touch(added.id);
  } else {
    Statement& found = state.find_sample;
    found.bind(sample.path.native()).step();
    added.id = {found.integer(0)};
    const bool was_missing = found.integer(3) != 0;
    const bool is_same_size = found.integer(1) == sample.width && found.integer(2) == sample.height;
    const bool gets_split = !sample.split.empty() && found.text(4) != sample.split;
    const bool gets_source = !sample.source_json.empty() && found.is_null(5);
    const bool turns_up = was_missing && !sample.is_missing;
    added.has_new_size = !was_missing && !sample.is_missing && !is_same_size;
    found.reset();
    if (turns_up) {
      state.complete_sample.run_with(sample.width, sample.height, sample.format, static_cast<std::int64_t>(sample.file_bytes), sample.modified_ns, false,
                                     unless_empty(sample.split), unless_empty(sample.source_json), added.id.value);
      touch(added.id);
    } else if (gets_split || gets_source) {
      state.database.prepare("UPDATE samples SET split = coalesce(?, split), source_json = coalesce(source_json, ?) WHERE id = ?")
          .run_with(unless_empty(sample.split), unless_empty(sample.source_json), added.id.value);
      touch(added.id);
    }
  }
  state.count_row();
  return added;
}

ImportId ImportWriter::begin(SetId set, std::string_view format, std::string_view source) {
  State& state = *state_;
  state.commit();
  Transaction transaction(state.database, Transaction::Kind::write);
  Statement earlier = state.database.prepare("SELECT 1 FROM imports WHERE set_id = ? AND id NOT IN (SELECT import_id FROM import_undos)");
  state.set_had_labels = earlier.bind(set.value).step();
  earlier.reset();
  Statement undone = state.database.prepare("SELECT import_id FROM import_undos");
  while (undone.step()) {
    state.undone_imports.insert({undone.integer(0)});
  }
  state.database.prepare("INSERT INTO imports (set_id, format, source, started_at) VALUES (?, ?, ?, ?)")
      .run_with(set.value, format, source, store::timestamp());
  state.set = set;
  state.import = {state.database.last_id()};
  transaction.commit();
  return state.import;
}

void ImportWriter::mark_labelled(SampleId sample) {
  State& state = *state_;
  state.begin_if_needed();
  state.insert_labelled.run_with(state.import.value, sample.value);
  state.first_labelled = state.first_labelled ? std::min(state.first_labelled, sample) : sample;
  state.last_labelled = std::max(state.last_labelled, sample);
  state.count_row();
}

bool ImportWriter::add_label(SampleId sample, const Label& label) {
  State& state = *state_;
  if (state.set_had_labels) {
    auto& earlier = state.earlier_labels_of(sample);
    const auto same = earlier.find(content_hash(label));
    if (same != earlier.end() && same->second > 0) {
      --same->second;
      return false;
    }
  }
  state.begin_if_needed();
  const LabelId id = state.insert_label.insert(sample, state.set, label, {}, state.import, {});
  if (!state.first_label) {
    state.first_label = id;
  }
  state.last_label = id;
  state.count_row();
  return true;
}

void ImportWriter::finish(std::string_view dataset_json) {
  State& state = *state_;
  if (state.import) {
    state.begin_if_needed();
    const std::optional<std::string_view> json = dataset_json.empty() ? std::nullopt : std::optional(dataset_json);
    state.database.prepare("UPDATE imports SET finished_at = ?, dataset_json = ? WHERE id = ?")
        .run_with(store::timestamp(), json, state.import.value);
  }
  state.commit();
}

}  // namespace verilabel
