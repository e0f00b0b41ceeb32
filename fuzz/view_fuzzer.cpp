// The view language: a text is refused with a position inside it, or selects rows that exist, each once.

#include <algorithm>
#include <limits>
#include <vector>

#include "fuzz/fuzzing.h"
#include "verilabel/dataset/testing_columns.h"
#include "verilabel/dataset/view.h"

namespace verilabel {
namespace {

Columns small_columns() {
  Columns columns;
  columns.sets = {{1, "ground_truth"}, {2, "auto"}};
  columns.classes = {{1, "car"}, {2, "person"}, {3, "traffic light"}};
  for (int i = 0; i < 8; ++i) {
    const std::string name = fmt::format("street/{}.jpg", i);
    append(columns.samples, {.id = i + 1, .path = "/data/" + name, .name = name, .width = 320 * (i % 3 + 1), .is_missing = i == 7});
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
    row.run = i % 2;
    append(columns.labels, row);
  }
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
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto view = unless_refused([&] { return View::parse(text); });
  if (!view) {
    return 0;
  }
  const auto again = unless_refused([&] { return View::parse(view->text()); });
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
