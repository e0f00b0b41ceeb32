// The view language: a text is refused with a position inside it, or selects rows that exist, each once.

#include <algorithm>
#include <limits>
#include <vector>

#include "fuzz/fuzzing.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/dataset/testing_columns.h"
#include "verilabel/dataset/view.h"

namespace verilabel {
namespace {

constexpr double kMay1 = 1'714'521'600;  // 2024-05-01 in UTC
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

SavedViews small_saved_views() {
  return {{"hard", "confidence<0.5 class:car", {}}, {"bad", "fp>0 -sort:fn", {}}};
}

EvaluationColumns small_evaluation(const Columns& columns) {
  EvaluationColumns evaluation;
  evaluation.key = "latest";
  for (std::size_t i = 0; i < columns.labels.size(); ++i) {
    evaluation.outcome.push_back(i % 5 < kOutcomes ? static_cast<std::uint8_t>(i % 5) : EvaluationColumns::kNoOutcome);
    evaluation.error.push_back(static_cast<ErrorKind>(i % 6));
    evaluation.iou.push_back(i % 4 == 0 ? kNone : 0.02 * static_cast<double>(i));
  }
  for (std::size_t i = 0; i < columns.samples.size(); ++i) {
    const auto n = static_cast<double>(i);
    evaluation.tp.push_back(i == 5 ? kNone : n);
    evaluation.fp.push_back(i == 5 ? kNone : 7 - n);
    evaluation.fn.push_back(i == 5 ? kNone : 1);
    evaluation.f1.push_back(i == 5 ? kNone : n / 8);
  }
  return evaluation;
}

Columns small_columns() {
  Columns columns;
  columns.sets = {{1, "ground_truth"}, {2, "auto"}};
  columns.classes = {{1, "car"}, {2, "person"}, {3, "traffic light"}};
  columns.splits = {"", "train", "val"};
  PropertyBuilder fields;
  PropertyBuilder attributes;
  for (int i = 0; i < 8; ++i) {
    const std::string name = fmt::format("street/{}.jpg", i);
    append(columns.samples, {.id = i + 1,
                             .path = "/data/" + name,
                             .name = name,
                             .width = 320 * (i % 3 + 1),
                             .is_missing = i == 7,
                             .split = i % 3,
                             .modified = i == 7 ? std::nullopt : std::optional(kMay1 + 43'200 * i)});
    fields.add(i, "brightness", PropertyValue(30.0 * i));
    fields.add(i, "scene", i % 2 == 0 ? PropertyValue("night") : PropertyValue(2.0 * i));
    columns.labelled_sample.append(i);
    columns.labelled_set.append(0);
  }
  for (int i = 0; i < 40; ++i) {
    LabelRow row;
    row.id = i + 1;
    row.sample = i / 6;
    row.set = i % 2;
    row.class_index = i % 3;
    row.confidence = i % 2 == 0 ? std::nullopt : std::optional(i / 40.0);
    row.box_xywh_px = {1.0 * i, 2, 3.0 * (i % 5), 4};
    row.verdict = static_cast<Verdict>(i % 5);
    row.status = i % 7 == 0 ? LabelStatus::replaced : LabelStatus::active;
    row.kind = static_cast<LabelKind>(i % 3);
    row.run = i % 2;
    row.decided = i % 4 == 0 ? std::optional(kMay1 + 3600 * i) : std::nullopt;
    append(columns.labels, row);
    attributes.add(i, "occluded", i % 3 == 0 ? PropertyValue("true") : PropertyValue(0.5 * i));
  }
  columns.sample_fields = fields.build();
  columns.label_attributes = attributes.build();
  columns.evaluation = small_evaluation(columns);
  columns.sample_tag_names = {"night", "blurry"};
  columns.label_tag_names = {"hard"};
  for (int i = 0; i < 4; ++i) {
    columns.sample_tags.row.append(2 * i);
    columns.sample_tags.tag.append(i % 2);
    columns.label_tags.row.append(5 * i);
    columns.label_tags.tag.append(0);
  }
  return columns;
}

void check_rows(const std::optional<std::vector<std::uint32_t>>& selected, std::size_t row_count) {
  if (!selected) {
    return;
  }
  std::vector<std::uint32_t> rows = *selected;
  std::ranges::sort(rows);
  require(rows.empty() || rows.back() < row_count, "what is selected exists");
  require(std::ranges::adjacent_find(rows) == rows.end(), "what is selected is selected once");
}

}  // namespace
}  // namespace verilabel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const Columns columns = small_columns();
  static const SavedViews saved = small_saved_views();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto view = unless_refused([&] { return View::parse(text, saved); });
  if (!view) {
    return 0;
  }
  const auto again = unless_refused([&] { return View::parse(view->text(), saved); });
  require(again && again->text() == view->text(), "a view's text is that view");
  require(again->has_label_terms() == view->has_label_terms(), "a view's text is that view");
  const auto labels = unless_refused([&] { return select_labels(*view, columns); });
  const auto samples = unless_refused([&] { return select_samples(*view, columns); });
  check_rows(labels, columns.labels.size());
  check_rows(samples, columns.samples.size());
  require(labels.has_value() == samples.has_value(), "names are known to labels and samples alike");
  if (labels) {
    require(*labels == select_labels(*again, columns) && *samples == select_samples(*again, columns), "a view's text is that view");
  }
  return 0;
}
