#include "verilabel/store/label_rows.h"

#include <fmt/format.h>

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

Mask mask_from(std::span<const std::byte> blob) {
  return mask_from_blob({reinterpret_cast<const char*>(blob.data()), blob.size()});
}

}  // namespace

LabelInserter::LabelInserter(Database& database)
    : database_(database),
      statement_(database.prepare("INSERT INTO labels (sample_id, set_id, class_id, kind, x, y, w, h, confidence, area, is_crowd, mask, attributes, "
                                  "source_json, run_id, import_id, superseded_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {}

LabelId LabelInserter::insert(SampleId sample, SetId set, const Label& label, RunId run, ImportId import, LabelId superseded_by) {
  std::optional<std::span<const std::byte>> mask;
  if (label.mask) {
    blob_from_mask(*label.mask, blob_);
    mask = std::as_bytes(std::span(blob_));
  }
  const Box& box = label.box_xywh_px;
  statement_.run_with(sample.value, set.value, label.class_id.value, static_cast<int>(label.kind), box.x, box.y, box.w, box.h, label.confidence,
                      label.area_px, label.is_crowd, mask, unless_empty(label.attributes_json), unless_empty(label.source_json), unless_none(run),
                      unless_none(import), unless_none(superseded_by));
  return {database_.last_id()};
}

LabelSelector::LabelSelector(const Database& database, Form form)
    : statement_(database.prepare(fmt::format(
          "SELECT l.id, l.class_id, l.kind, l.x, l.y, l.w, l.h, l.confidence, l.area, l.is_crowd, l.mask, l.attributes, l.source_json, l.run_id, "
          "l.import_id, {} WHERE l.sample_id = ? AND l.set_id = ? ORDER BY l.id",
          form == Form::effective ? "d.verdict, d.class_id, d.x, d.y, d.w, d.h, d.area, d.mask "
                                    "FROM labels l LEFT JOIN standing_decisions d ON d.label_id = l.id"
                                  : "NULL, NULL, NULL FROM labels l"))) {}

std::vector<StoredLabel> LabelSelector::select(SampleId sample, SetId set) {
  std::vector<StoredLabel> labels;
  statement_.bind(sample.value, set.value);
  while (statement_.step()) {
    const Statement& row = statement_;
    StoredLabel stored{{row.integer(0)}, sample, set, {}, Verdict::unreviewed, {row.integer(13)}, {row.integer(14)}};
    Label& label = stored.label;
    label.class_id = {row.integer(1)};
    label.kind = static_cast<LabelKind>(row.integer(2));
    label.box_xywh_px = {row.real(3), row.real(4), row.real(5), row.real(6)};
    label.confidence = row.maybe_real(7);
    label.area_px = row.maybe_real(8);
    label.is_crowd = row.integer(9) != 0;
    if (!row.is_null(10)) {
      label.mask = mask_from(row.blob(10));
    }
    label.attributes_json = row.text(11);
    label.source_json = row.text(12);
    if (!row.is_null(15)) {
      stored.verdict = static_cast<Verdict>(row.integer(15));
    }
    if (!row.is_null(16)) {
      label.class_id = {row.integer(16)};
    }
    if (!row.is_null(17)) {
      label.box_xywh_px = {row.real(17), row.real(18), row.real(19), row.real(20)};
      label.area_px = row.maybe_real(21);
      label.mask = row.is_null(22) ? std::nullopt : std::optional(mask_from(row.blob(22)));
      if (label.kind != LabelKind::classification) {
        label.kind = label.mask ? LabelKind::mask : LabelKind::box;
      }
    }
    labels.push_back(std::move(stored));
  }
  statement_.reset();
  return labels;
}

}  // namespace verilabel::store
