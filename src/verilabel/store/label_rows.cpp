#include "verilabel/store/label_rows.h"

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/geometry/mask_blob.h"

namespace verilabel::store {
namespace {

std::optional<std::string_view> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

template <typename Kind>
std::optional<std::int64_t> unless_none(Id<Kind> id) {
  return id ? std::optional(id.value) : std::nullopt;
}

template <typename Enum>
Enum enum_of(std::int64_t number, Enum last, std::string_view what) {
  if (number < 0 || number > static_cast<std::int64_t>(last)) {
    throw Error(ErrorCode::bad_data, fmt::format("the project's database is damaged: {} is no {}; restore a copy", number, what));
  }
  return static_cast<Enum>(number);
}

std::string select_sql(LabelSelector::Form form, std::string_view condition) {
  const bool is_effective = form == LabelSelector::Form::effective;
  return fmt::format(
      "SELECT l.id, l.sample_id, l.set_id, l.run_id, l.import_id, l.superseded_by, l.confidence, l.is_crowd, l.attributes, "
      "l.source_json, "
      "l.kind, l.class_id, l.x, l.y, l.w, l.h, l.area, l.mask, {} FROM labels l {} WHERE {}",
      is_effective ? "d.verdict, e.kind, e.class_id, e.x, e.y, e.w, e.h, e.area, e.mask" : "NULL, NULL",
      is_effective ? kStandingDecision : "", condition);
}

constexpr int kWritten = 10;  // where kind, class and geometry as written begin
constexpr int kVerdict = 18;
constexpr int kEdited = 19;

StoredLabel stored_from(const Statement& row) {
  StoredLabel stored;
  stored.id = {row.integer(0)};
  stored.sample = {row.integer(1)};
  stored.set = {row.integer(2)};
  stored.run = {row.integer(3)};
  stored.import = {row.integer(4)};
  stored.superseded_by = {row.integer(5)};
  stored.verdict = verdict_of(row.integer(kVerdict));
  Label& label = stored.label;
  label.confidence = row.maybe_real(6);
  label.is_crowd = row.integer(7) != 0;
  label.attributes_json = row.text(8);
  label.source_json = row.text(9);
  const int first = row.is_null(kEdited) ? kWritten : kEdited;
  label.kind = label_kind_of(row.integer(first));
  label.class_id = {row.integer(first + 1)};
  label.box_xywh_px = {row.real(first + 2), row.real(first + 3), row.real(first + 4), row.real(first + 5)};
  label.area_px = row.maybe_real(first + 6);
  if (!row.is_null(first + 7)) {
    const auto blob = row.blob(first + 7);
    label.mask = mask_from_blob({reinterpret_cast<const char*>(blob.data()), blob.size()});
  }
  return stored;
}

}  // namespace

LabelKind label_kind_of(std::int64_t number) {
  return enum_of(number, LabelKind::mask, "kind of label");
}
Verdict verdict_of(std::int64_t number) {
  return enum_of(number, Verdict::edited, "verdict");
}

std::string_view mask_blob_of(const Label& label, std::string& memory) {
  if (!label.mask) {
    return {};
  }
  blob_from_mask(*label.mask, memory);
  return memory;
}

LabelInserter::LabelInserter(Database& database)
    : database_(database),
      statement_(database.prepare(
          "INSERT INTO labels (sample_id, set_id, class_id, kind, x, y, w, h, confidence, area, is_crowd, mask, attributes, "
          "source_json, run_id, import_id, superseded_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {}

LabelId LabelInserter::insert(SampleId sample, SetId set, const Label& label, std::string_view mask_blob, RunId run,
                              ImportId import, LabelId superseded_by) {
  const auto mask = mask_blob.empty() ? std::nullopt : std::optional(std::as_bytes(std::span(mask_blob)));
  const Box& box = label.box_xywh_px;
  statement_.run_with(sample.value, set.value, label.class_id.value, static_cast<int>(label.kind), box.x, box.y, box.w, box.h,
                      label.confidence, label.area_px, label.is_crowd, mask, unless_empty(label.attributes_json),
                      unless_empty(label.source_json), unless_none(run), unless_none(import), unless_none(superseded_by));
  return {database_.last_id()};
}

LabelSelector::LabelSelector(const Database& database, Form form)
    : of_sample_(database.prepare(select_sql(form, "l.sample_id = ? AND l.set_id = ? ORDER BY l.id"))),
      of_id_(database.prepare(select_sql(form, "l.id = ?"))) {}

std::vector<StoredLabel> LabelSelector::select(SampleId sample, SetId set) {
  std::vector<StoredLabel> labels;
  const ResetAtEnd reset(of_sample_);
  of_sample_.bind(sample.value, set.value);
  while (of_sample_.step()) {
    labels.push_back(stored_from(of_sample_));
  }
  return labels;
}

std::optional<StoredLabel> LabelSelector::find(LabelId label) {
  const ResetAtEnd reset(of_id_);
  return of_id_.bind(label.value).step() ? std::optional(stored_from(of_id_)) : std::nullopt;
}

LabelClaim claim_from(const Statement& row, int first) {
  return {label_kind_of(row.integer(first)),
          {row.integer(first + 1)},
          {row.real(first + 2), row.real(first + 3), row.real(first + 4), row.real(first + 5)}};
}

DecidedLabels::DecidedLabels(const Database& database)
    : any_(database.prepare("SELECT 1 FROM verdicts LIMIT 1")),
      of_sample_(database.prepare(
          "SELECT l.id, l.kind, l.class_id, l.x, l.y, l.w, l.h, e.kind, e.class_id, e.x, e.y, e.w, e.h, d.verdict FROM labels l "
          "JOIN verdicts v ON v.label_id = l.id JOIN decisions d ON d.id = v.decision_id "
          "LEFT JOIN edits e ON e.id = d.edit_id WHERE l.sample_id = ? AND l.set_id = ? ORDER BY l.id")) {}

std::vector<DecidedLabel> DecidedLabels::of(SampleId sample, SetId set) {
  std::vector<DecidedLabel> decided;
  const ResetAtEnd reset_any(any_);
  if (!any_.bind().step()) {
    return decided;
  }
  Statement& row = of_sample_;
  const ResetAtEnd reset(row);
  row.bind(sample.value, set.value);
  while (row.step()) {
    const LabelClaim written = claim_from(row, 1);
    decided.push_back({.id = {row.integer(0)},
                       .written = written,
                       .effective = row.is_null(7) ? written : claim_from(row, 7),
                       .verdict = verdict_of(row.integer(13))});
  }
  return decided;
}

}  // namespace verilabel::store
