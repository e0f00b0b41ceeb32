#include "verilabel/store/import_writer.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/store/changes.h"
#include "verilabel/store/database.h"
#include "verilabel/store/field_writer.h"
#include "verilabel/store/label_rows.h"
#include "verilabel/store/label_sources.h"
#include "verilabel/store/locks.h"
#include "verilabel/store/schema.h"

namespace verilabel {

using store::ChangeKind;
using store::Database;
using store::ResetAtEnd;
using store::Statement;
using store::Transaction;

namespace {

constexpr std::int64_t kRowsOfAChunk = 20'000;
/// A slow reader must not keep other writers waiting.
constexpr std::chrono::milliseconds kLongestChunk{500};
/// Between two chunks, so that who waits (`Database` looks every millisecond) gets a turn.
constexpr std::chrono::milliseconds kRest{2};

/// 128 bits over what a label claims, so that different labels differ: two lanes of xor, rotate and multiply over words of eight
/// bytes, with MurmurHash3's finalizer.
class ClaimHash {
 public:
  friend bool operator==(const ClaimHash&, const ClaimHash&) = default;

  void add(std::uint64_t word) {
    low_ = std::rotl(low_ ^ (word * 0x9e3779b97f4a7c15U), 29) * 0xbf58476d1ce4e5b9U;
    high_ = std::rotl(high_ ^ (word * 0xc2b2ae3d27d4eb4fU), 31) * 0x94d049bb133111ebU;
  }
  // The database stores negative zero as zero.
  void add(double number) { add(std::bit_cast<std::uint64_t>(number + 0.0)); }
  void add(const std::optional<double>& number) {
    add(std::uint64_t{number.has_value()});
    add(number.value_or(0));
  }
  void add(std::string_view bytes) {
    add(std::uint64_t{bytes.size()});
    while (!bytes.empty()) {
      std::uint64_t word = 0;
      const std::size_t size = std::min(bytes.size(), sizeof(word));
      std::memcpy(&word, bytes.data(), size);
      add(word);
      bytes.remove_prefix(size);
    }
  }
  void finish() {
    low_ = mixed(low_ ^ std::rotl(high_, 17));
    high_ = mixed(high_);
  }
  std::size_t low() const { return low_; }

 private:
  static std::uint64_t mixed(std::uint64_t word) {
    word = (word ^ (word >> 33)) * 0xff51afd7ed558ccdU;
    word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53U;
    return word ^ (word >> 33);
  }

  std::uint64_t low_ = 0x243f6a8885a308d3U;
  std::uint64_t high_ = 0x13198a2e03707344U;
};

struct HashOfClaimHash {
  std::size_t operator()(const ClaimHash& hash) const { return hash.low(); }
};

ClaimHash claim_hash(std::int64_t class_id, std::int64_t kind, const Box& box, const std::optional<double>& confidence,
                     const std::optional<double>& area, bool is_crowd, std::string_view attributes, std::string_view mask_blob) {
  ClaimHash hash;
  hash.add(static_cast<std::uint64_t>(class_id));
  hash.add(static_cast<std::uint64_t>(kind * 2 + (is_crowd ? 1 : 0)));
  for (const double number : {box.x, box.y, box.w, box.h}) {
    hash.add(number);
  }
  hash.add(confidence);
  hash.add(area);
  hash.add(attributes);
  hash.add(mask_blob);
  hash.finish();
  return hash;
}

std::optional<std::string_view> unless_empty(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

template <typename IdType>
void widen(IdType& first, IdType& last, IdType id) {
  first = first ? std::min(first, id) : id;
  last = std::max(last, id);
}

/// A transaction in which SQLite leaves the checking of references to the importer, which knows what exists: to look them up takes
/// SQLite as long as to store the label.
class BulkTransaction {
 public:
  explicit BulkTransaction(Database& database)
      : without_references_(database, "foreign_keys = OFF", "foreign_keys = ON"),
        transaction_(database, Transaction::Kind::write) {}
  void commit() { transaction_.commit(); }

 private:
  store::PragmaScope without_references_;
  Transaction transaction_;
};

/// The rows of a table that is only added to: 1 to the newest.
class KnownRows {
 public:
  KnownRows(Database& database, std::string_view newest, std::string_view what) : newest_(database.prepare(newest)), what_(what) {}

  /// Throws `not_found`.
  void require(std::int64_t id) {
    if (id > last_) {
      const ResetAtEnd reset(newest_);
      newest_.step();
      last_ = newest_.integer(0);
    }
    if (id < 1 || id > last_) {
      throw Error(ErrorCode::not_found, fmt::format("there is no {} {}", what_, id));
    }
  }

 private:
  Statement newest_;
  std::string_view what_;
  std::int64_t last_ = 0;
};

}  // namespace

struct ImportWriter::State {
  explicit State(Project& project_in_use)
      : project(project_in_use),
        database(project_in_use.database()),
        insert_sample(database.prepare(
            "INSERT INTO samples (path, name, width, height, format, file_bytes, modified_ns, is_missing, split, source_json) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO NOTHING")),
        find_sample(database.prepare("SELECT id, width, height, is_missing, split, source_json FROM samples WHERE path = ?")),
        complete_sample(database.prepare(
            "UPDATE samples SET width = ?, height = ?, format = ?, file_bytes = ?, modified_ns = ?, is_missing = ?, "
            "split = coalesce(?, split), source_json = coalesce(source_json, ?) WHERE id = ?")),
        describe_sample(database.prepare("UPDATE samples SET split = coalesce(?1, split), source_json = coalesce(source_json, ?2) "
                                         "WHERE id = ?3 AND (split IS NOT "
                                         "coalesce(?1, split) OR source_json IS NOT coalesce(source_json, ?2))")),
        tag_sample(database.prepare("INSERT INTO sample_tags (tag, sample_id) VALUES (?, ?) ON CONFLICT DO NOTHING")),
        tag_label(database.prepare("INSERT INTO label_tags (tag, label_id) VALUES (?, ?) ON CONFLICT DO NOTHING")),
        fields(database),
        insert_labelled(database.prepare("INSERT INTO import_samples (import_id, sample_id) VALUES (?, ?) ON CONFLICT DO NOTHING")),
        insert_label(database),
        decided(database),
        known_samples(database, "SELECT max(id) FROM samples", "sample"),
        known_classes(database, "SELECT max(id) FROM classes", "class"),
        select_earlier(
            database.prepare("SELECT import_id, class_id, kind, x, y, w, h, confidence, area, is_crowd, attributes, mask, id, "
                             "EXISTS (SELECT 1 FROM verdicts WHERE label_id = labels.id) FROM labels "
                             "WHERE sample_id = ? AND set_id = ? AND id <= ? AND import_id IS NOT NULL")) {}

  void begin_if_needed() {
    if (!transaction) {
      transaction.emplace(database);
      chunk_began = std::chrono::steady_clock::now();
    }
  }

  void count_row() {
    ++rows;
    commit_if_due();
  }

  void commit_if_due() {
    if (transaction && (rows >= kRowsOfAChunk || std::chrono::steady_clock::now() - chunk_began > kLongestChunk)) {
      commit();
      std::this_thread::sleep_for(kRest);
    }
  }

  void commit() {
    if (!transaction) {
      return;
    }
    if (first_sample) {
      store::record_change(database, ChangeKind::samples, first_sample.value, last_sample.value);
    }
    record_changes(ChangeKind::samples, described);
    record_changes(ChangeKind::fields, with_new_fields);
    if (has_new_tags) {
      store::record_change(database, ChangeKind::tags, 0, 0);
    }
    if (labels > 0) {
      if (is_fusion) {
        record_changes(ChangeKind::sample_state, fused);
      } else {
        store::record_change(database, ChangeKind::labels, first_label.value, last_label.value);
        record_changes(ChangeKind::sample_state, with_superseded);
      }
      database.prepare("UPDATE imports SET labels = labels + ? WHERE id = ?").run_with(labels, import.value);
    }
    transaction->commit();
    transaction.reset();
    first_sample = last_sample = {};
    first_label = last_label = {};
    described.clear();
    with_new_fields.clear();
    fused.clear();
    with_superseded.clear();
    has_new_tags = false;
    labels = 0;
    rows = 0;
  }

  /// One change for each stretch of ids that follow each other.
  void record_changes(ChangeKind kind, std::vector<std::int64_t>& ids) {
    std::ranges::sort(ids);
    for (std::size_t begin = 0; begin < ids.size();) {
      std::size_t end = begin + 1;
      while (end < ids.size() && ids[end] <= ids[end - 1] + 1) {
        ++end;
      }
      store::record_change(database, kind, ids[begin], ids[end - 1]);
      begin = end;
    }
  }

  /// Whether any of them is new.
  bool add_tags(Statement& insert, std::int64_t id, std::span<const std::string> tags) {
    bool has_changed = false;
    for (const std::string& tag : tags) {
      insert.run_with(tag, id);
      has_changed |= database.changed_rows() > 0;
    }
    has_new_tags |= has_changed;
    return has_changed;
  }

  /// Labels by what they claim.
  class Multiset {
   public:
    void add(const ClaimHash& claim, LabelId label) { labels_.emplace(claim, label); }
    /// Takes a label of this claim out; none when there is none. Equal labels come again in the order in which they came.
    LabelId take(const ClaimHash& claim) { return take(claim, std::less{}); }
    LabelId take_newest(const ClaimHash& claim) { return take(claim, std::greater{}); }

   private:
    template <typename Order>
    LabelId take(const ClaimHash& claim, const Order& order) {
      const auto [first, last] = labels_.equal_range(claim);
      if (first == last) {
        return {};
      }
      const auto chosen = std::min_element(first, last, [&](const auto& a, const auto& b) { return order(a.second, b.second); });
      const LabelId label = chosen->second;
      labels_.erase(chosen);
      return label;
    }

    std::unordered_multimap<ClaimHash, LabelId, HashOfClaimHash> labels_;
  };

  /// What earlier imports brought to a sample and this one has not named yet.
  struct EarlierLabels {
    Multiset standing;  ///< of imports that count
    Multiset decided;   ///< of imports that do not: what is left of them is what was decided on
    Multiset undone;    ///< the rest of those, which counts again once it is decided on; the newest comes first
  };

  EarlierLabels& earlier_labels_of(SampleId sample) {
    const auto [entry, is_new] = earlier.try_emplace(sample);
    if (is_new) {
      const ResetAtEnd reset(select_earlier);
      const Statement& row = select_earlier.bind(sample.value, set.value, last_earlier_label);
      while (select_earlier.step()) {
        const ImportId from{row.integer(0)};
        const bool stands = !sources.is_import_undone(from) && !sources.is_import_replaced(from, sample);
        const auto mask = row.blob(11);
        EarlierLabels& of_sample = entry->second;
        (stands                 ? of_sample.standing
         : row.integer(13) != 0 ? of_sample.decided
                                : of_sample.undone)
            .add(claim_hash(row.integer(1), row.integer(2), {row.real(3), row.real(4), row.real(5), row.real(6)}, row.maybe_real(7),
                            row.maybe_real(8), row.integer(9) != 0, row.text(10),
                            {reinterpret_cast<const char*>(mask.data()), mask.size()}),
                 LabelId{row.integer(12)});
      }
    }
    return entry->second;
  }

  /// Of a fusion's label, within the transaction that stores it: what a person has decided on it.
  LabelId superseding(SampleId sample, const Label& label) {
    if (fused.empty() || fused.back() != sample.value) {
      fused.push_back(sample.value);
      decided_of_sample = decided.of(sample, set);
    }
    const auto found = find_superseding({label.kind, label.class_id, label.box_xywh_px}, decided_of_sample, {});
    superseded += found ? 1 : 0;
    return found.value_or(LabelId{});
  }

  Project& project;
  Database& database;
  Statement insert_sample;
  Statement find_sample;
  Statement complete_sample;
  Statement describe_sample;
  Statement tag_sample;
  Statement tag_label;
  store::FieldWriter fields;
  Statement insert_labelled;
  store::LabelInserter insert_label;
  store::DecidedLabels decided;
  KnownRows known_samples;
  KnownRows known_classes;
  Statement select_earlier;
  std::string blob;

  std::optional<FileLock> lock;
  SetId set;
  ImportId import;
  std::int64_t last_earlier_label = 0;  ///< greatest id when the import began; 0 when no earlier label can equal one of this import
  store::LabelSources sources;          ///< as of its beginning
  bool is_fusion = false;
  std::int64_t superseded = 0;
  std::vector<DecidedLabel> decided_of_sample;  ///< of the last of `fused`
  std::unordered_map<SampleId, EarlierLabels> earlier;
  std::unordered_set<SampleId> samples_met_again;  ///< that this import names a label of which was there before
  std::optional<Statement> unmark;

  std::optional<BulkTransaction> transaction;
  std::chrono::steady_clock::time_point chunk_began;
  std::int64_t rows = 0;  ///< of the chunk, like what follows
  std::int64_t labels = 0;
  SampleId first_sample;
  SampleId last_sample;
  LabelId first_label;
  LabelId last_label;
  std::vector<std::int64_t> described;        ///< samples that were there and whose row changed
  std::vector<std::int64_t> with_new_fields;  ///< samples
  std::vector<std::int64_t> fused;            ///< samples that a fusion has brought labels to
  std::vector<std::int64_t> with_superseded;  ///< likewise any other import, labels that are superseded
  bool has_new_tags = false;
};

ImportWriter::ImportWriter(Project& project) : state_(std::make_unique<State>(project)) {}
ImportWriter::ImportWriter(ImportWriter&&) noexcept = default;
ImportWriter::~ImportWriter() = default;

ImportWriter::AddedSample ImportWriter::add_sample(const Sample& sample) {
  State& state = *state_;
  state.begin_if_needed();
  state.insert_sample.run_with(sample.path.native(), sample.name, sample.width, sample.height, sample.format,
                               static_cast<std::int64_t>(sample.file_bytes), sample.modified_ns, sample.is_missing,
                               unless_empty(sample.split), unless_empty(sample.source_json));
  AddedSample added;
  if (state.database.changed_rows() > 0) {
    added = {{state.database.last_id()}, true, false};
    widen(state.first_sample, state.last_sample, added.id);
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
      state.complete_sample.run_with(sample.width, sample.height, sample.format, static_cast<std::int64_t>(sample.file_bytes),
                                     sample.modified_ns, false, unless_empty(sample.split), unless_empty(sample.source_json),
                                     added.id.value);
      widen(state.first_sample, state.last_sample, added.id);
    } else if (gets_split || gets_source) {
      state.describe_sample.run_with(unless_empty(sample.split), unless_empty(sample.source_json), added.id.value);
      state.described.push_back(added.id.value);
    }
  }
  state.count_row();
  return added;
}

bool ImportWriter::describe_sample(SampleId sample, const SampleDescription& description) {
  const SampleDescription& said = description;
  if (said.split.empty() && said.source_json.empty() && said.tags.empty() && said.fields_json.empty()) {
    return false;
  }
  State& state = *state_;
  state.known_samples.require(sample.value);
  state.begin_if_needed();
  bool has_changed = false;
  if (!said.split.empty() || !said.source_json.empty()) {
    state.describe_sample.run_with(unless_empty(said.split), unless_empty(said.source_json), sample.value);
    if (state.database.changed_rows() > 0) {
      state.described.push_back(sample.value);
      has_changed = true;
    }
  }
  has_changed |= state.add_tags(state.tag_sample, sample.value, said.tags);
  if (!said.fields_json.empty() && state.fields.write(sample, said.fields_json)) {
    state.with_new_fields.push_back(sample.value);
    has_changed = true;
  }
  state.count_row();
  return has_changed;
}

ImportId ImportWriter::begin(SetId set, std::string_view format, std::string_view source) {
  State& state = *state_;
  state.commit();
  state.lock = store::acquire_lock(store::import_lock(state.project.directory(), set));
  if (!state.lock) {
    throw Error(ErrorCode::conflict, "another process is importing labels into this set; repeat when it is done");
  }
  Database& database = state.database;
  Transaction transaction(database, Transaction::Kind::write);
  const auto number = [&](std::string_view sql, const auto&... values) {
    Statement find = database.prepare(sql);
    return find.bind(values...).step() ? find.integer(0) : 0;
  };
  state.is_fusion = format == kFusionFormat;
  if (!state.is_fusion && number("SELECT 1 FROM imports WHERE set_id = ? AND labels > 0", set.value) != 0) {
    state.last_earlier_label = number("SELECT max(id) FROM labels");
  }
  if (number("SELECT 1 FROM labels LIMIT 1") == 0) {
    store::drop_label_index(database);
  } else {
    store::ensure_label_index(database);
  }
  state.sources = store::LabelSources::read(database);
  if (!state.is_fusion) {
    state.import = {
        number("SELECT max(id) FROM imports WHERE set_id = ? AND format = ? AND source = ? AND finished_at IS NULL "
               "AND id NOT IN (SELECT import_id FROM import_undos)",
               set.value, format, source)};
  }
  if (!state.import) {
    database.prepare("INSERT INTO imports (set_id, format, source, started_at) VALUES (?, ?, ?, ?)")
        .run_with(set.value, format, source, store::timestamp());
    state.import = {database.last_id()};
  }
  state.set = set;
  transaction.commit();
  return state.import;
}

void ImportWriter::pause() {
  state_->commit();
}

void ImportWriter::mark_labelled(SampleId sample) {
  State& state = *state_;
  state.known_samples.require(sample.value);
  state.begin_if_needed();
  state.insert_labelled.run_with(state.import.value, sample.value);
  state.count_row();
}

bool ImportWriter::add_label(SampleId sample, const Label& label, std::span<const std::string> tags) {
  State& state = *state_;
  state.known_samples.require(sample.value);
  state.known_classes.require(label.class_id.value);
  const std::string_view blob = store::mask_blob_of(label, state.blob);
  LabelId decided;
  LabelId undone;
  if (state.last_earlier_label > 0) {
    State::EarlierLabels& earlier = state.earlier_labels_of(sample);
    const ClaimHash claim = claim_hash(label.class_id.value, static_cast<std::int64_t>(label.kind), label.box_xywh_px,
                                       label.confidence, label.area_px, label.is_crowd, label.attributes_json, blob);
    if (const LabelId standing = earlier.standing.take(claim)) {
      if (!tags.empty()) {
        state.begin_if_needed();
        state.add_tags(state.tag_label, standing.value, tags);
      }
      state.samples_met_again.insert(sample);
      state.commit_if_due();
      return false;
    }
    decided = earlier.decided.take(claim);
    undone = decided ? LabelId{} : earlier.undone.take_newest(claim);
  }
  state.begin_if_needed();
  const LabelId superseding = state.is_fusion ? state.superseding(sample, label) : decided ? decided : undone;
  if ((decided || undone) && !state.is_fusion) {
    state.with_superseded.push_back(sample.value);
  }
  const LabelId id = state.insert_label.insert(sample, state.set, label, blob, {}, state.import, superseding);
  widen(state.first_label, state.last_label, id);
  state.add_tags(state.tag_label, id.value, tags);
  ++state.labels;
  state.count_row();
  return !decided;
}

std::int64_t ImportWriter::superseded() const {
  return state_->superseded;
}

void ImportWriter::unmark_without_label(SampleId sample) {
  State& state = *state_;
  if (!state.unmark) {
    state.commit();
    store::ensure_label_index(state.database);
    state.unmark = state.database.prepare(
        "DELETE FROM import_samples WHERE import_id = ?1 AND sample_id = ?2 AND NOT EXISTS "
        "(SELECT 1 FROM labels WHERE sample_id = ?2 AND set_id = ?3 AND import_id = ?1)");
  }
  state.begin_if_needed();
  state.unmark->run_with(state.import.value, sample.value, state.set.value);
  state.count_row();
}

void ImportWriter::finish(std::string_view dataset_json) {
  State& state = *state_;
  if (!state.import) {
    state.commit();
    return;
  }
  for (const SampleId sample : std::exchange(state.samples_met_again, {})) {
    unmark_without_label(sample);
  }
  state.begin_if_needed();
  state.database.prepare("UPDATE imports SET finished_at = ?, dataset_json = ? WHERE id = ?")
      .run_with(store::timestamp(), unless_empty(dataset_json), state.import.value);
  // What the import says about its samples counts from now on, that of an earlier process included.
  Statement marked = state.database.prepare("SELECT sample_id FROM import_samples WHERE import_id = ? ORDER BY sample_id");
  marked.bind(state.import.value);
  std::int64_t first = 0;
  std::int64_t last = 0;
  const auto record = [&] {
    if (first != 0) {
      store::record_change(state.database, ChangeKind::sample_state, first, last);
    }
  };
  while (marked.step()) {
    const std::int64_t sample = marked.integer(0);
    if (sample != last + 1 || first == 0) {
      record();
      first = sample;
    }
    last = sample;
  }
  record();
  state.commit();
  store::ensure_label_index(state.database);
}

void ImportWriter::stop() {
  state_->commit();
  if (state_->import) {
    store::ensure_label_index(state_->database);
  }
}

}  // namespace verilabel
