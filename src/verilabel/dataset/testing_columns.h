#pragma once

// Columns for tests and benchmarks of this module, built row by row.

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "verilabel/dataset/columns.h"

namespace verilabel {

struct SampleRow {
  std::int64_t id = 0;
  std::string_view path = {};
  std::string_view name = {};
  std::int32_t width = 640;
  std::int32_t height = 480;
  bool is_missing = false;
  std::int32_t split = 0;
  std::optional<double> modified = {};
};

struct LabelRow {
  std::int64_t id = 0;
  std::int32_t sample = 0;
  std::int32_t set = 0;
  std::int32_t class_index = 0;
  std::optional<double> confidence = {};
  Box box_xywh_px = {};
  Verdict verdict = Verdict::unreviewed;
  LabelStatus status = LabelStatus::active;
  LabelKind kind = LabelKind::box;
  std::int64_t run = 0;
  std::optional<double> decided = {};
};

inline void append(SampleColumns& samples, const SampleRow& row) {
  samples.id.append(row.id);
  samples.path.append(row.path);
  samples.name.append(row.name);
  samples.width.append(row.width);
  samples.height.append(row.height);
  samples.is_missing.append(static_cast<std::uint8_t>(row.is_missing));
  samples.split.append(row.split);
  samples.modified.append(row.modified.value_or(std::numeric_limits<double>::quiet_NaN()));
}

inline void append(LabelColumns& labels, const LabelRow& row) {
  labels.id.append(row.id);
  labels.sample.append(row.sample);
  labels.set.append(row.set);
  labels.class_index.append(row.class_index);
  labels.kind.append(row.kind);
  labels.verdict.append(row.verdict);
  labels.status.append(row.status);
  labels.is_crowd.append(std::uint8_t{0});
  labels.x.append(row.box_xywh_px.x);
  labels.y.append(row.box_xywh_px.y);
  labels.w.append(row.box_xywh_px.w);
  labels.h.append(row.box_xywh_px.h);
  labels.area.append(row.box_xywh_px.w * row.box_xywh_px.h);
  labels.confidence.append(row.confidence.value_or(std::numeric_limits<double>::quiet_NaN()));
  labels.decided.append(row.decided.value_or(std::numeric_limits<double>::quiet_NaN()));
  labels.run.append(row.run);
  labels.import.append(std::int64_t{row.run == 0 ? 1 : 0});
}

}  // namespace verilabel
