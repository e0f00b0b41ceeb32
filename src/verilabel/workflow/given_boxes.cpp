#include "verilabel/workflow/given_boxes.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/dataset/row_flags.h"
#include "verilabel/store/run_ledger.h"

namespace verilabel {

using nlohmann::json;

std::string json_from(const Origins& origins, const Project& project) {
  json runs = json::array();
  for (const std::int64_t run : origins.runs) {
    const RunRow row = run_row(project, {run});
    runs.push_back({{"run", run}, {"model", row.request.model}, {"weights_sha256", row.request.weights_sha256}});
  }
  json imports = json::array();
  for (const ImportRow& row : project.imports()) {
    if (origins.imports.contains(row.id.value)) {
      imports.push_back({{"import", row.id.value}, {"source", row.source}});
    }
  }
  const json document = {{"runs", std::move(runs)}, {"imports", std::move(imports)}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

void require_same_origins(const Project& project, const std::string& before_json, const Origins& now) {
  const json before = json::parse(before_json);
  if (before.is_null()) {
    return;
  }
  const auto refuse = [](std::string_view what, std::int64_t number, std::string_view why) {
    throw Error(
        ErrorCode::conflict,
        fmt::format("the boxes are not those that the run began with: {} {} {}; bring them back as they were, or start a new "
                    "run",
                    what, number, why));
  };
  const auto numbers_of = [&](const char* list, const char* key) {
    std::set<std::int64_t> numbers;
    for (const json& one : before.at(list)) {
      numbers.insert(one.at(key).get<std::int64_t>());
    }
    return numbers;
  };
  const std::set<std::int64_t> runs_before = numbers_of("runs", "run");
  const std::set<std::int64_t> imports_before = numbers_of("imports", "import");
  for (const std::int64_t run : runs_before) {
    if (run_row(project, {run}).is_undone) {
      refuse("run", run, "was undone");
    }
  }
  for (const ImportRow& import : project.imports()) {
    if (imports_before.contains(import.id.value) && import.is_undone) {
      refuse("import", import.id.value, "was undone");
    }
  }
  for (const std::int64_t run : now.runs) {
    if (!runs_before.contains(run)) {
      refuse("run", run, "has put others in their place");
    }
  }
  for (const std::int64_t import : now.imports) {
    if (!imports_before.contains(import)) {
      refuse("import", import, "has put others there");
    }
  }
}

GivenBoxes::GivenBoxes(const Project& project, const std::string& set, const View& view, const Options& options)
    : project_(project), with_masks_(options.with_masks), selects_labels_(view.has_label_terms()) {
  const Columns columns = project.columns_for(view);
  const auto found = std::ranges::find(columns.sets, set, &NamedId::name);
  if (found == columns.sets.end()) {
    throw Error(ErrorCode::not_found, fmt::format("there is no label set '{}' to take boxes from", set));
  }
  set_ = {found->id};
  const auto index = static_cast<std::int32_t>(found - columns.sets.begin());
  for (const NamedId& one : columns.classes) {
    class_names_.push_back(one.name);
  }
  is_given_.assign(class_names_.size(), 0);
  const LabelColumns& labels = columns.labels;
  const std::vector<std::uint8_t> is_selected = flags_of(select_samples(view, columns), columns.samples.size());
  std::vector<std::uint8_t> has_others(columns.samples.size(), 0);
  const auto take = [&](std::size_t row) {
    if (labels.set[row] != index || labels.status[row] != LabelStatus::active || labels.verdict[row] == Verdict::rejected) {
      return;
    }
    const auto sample = static_cast<std::size_t>(labels.sample[row]);
    if (!has_box(labels.kind[row]) || labels.is_crowd[row] != 0) {
      (has_box(labels.kind[row]) ? crowds_ : without_box_) += is_selected[sample];
      has_others[sample] = 1;
      return;
    }
    known_.insert(columns.samples.id[sample]);
    is_given_[static_cast<std::size_t>(labels.class_index[row])] = 1;
    Given given;
    given.label = {labels.id[row]};
    given.run = labels.run[row];
    given.import = labels.import[row];
    given.candidate.class_index = labels.class_index[row];
    given.candidate.box_xywh_px = labels.box_xywh_px(row);
    given.candidate.score = std::isnan(labels.confidence[row]) ? 1 : labels.confidence[row];
    if (given.candidate.score < options.lowest) {
      return;
    }
    of_sample_[columns.samples.id[sample]].push_back(std::move(given));
  };
  if (selects_labels_) {
    std::ranges::for_each(select_labels(view, columns), take);
    return;
  }
  for (std::size_t row = 0; row < labels.size(); ++row) {
    take(row);
  }
  for (std::size_t i = 0; i < columns.labelled_sample.size(); ++i) {
    const auto sample = static_cast<std::size_t>(columns.labelled_sample[i]);
    if (columns.labelled_set[i] == index && has_others[sample] == 0) {
      known_.insert(columns.samples.id[sample]);
    }
  }
}

Origins GivenBoxes::origins(std::span<const SampleId> samples) const {
  Origins origins;
  for (const SampleId sample : samples) {
    if (const auto found = of_sample_.find(sample.value); found != of_sample_.end()) {
      for (const Given& given : found->second) {
        (given.run != 0 ? origins.runs : origins.imports).insert(given.run != 0 ? given.run : given.import);
      }
    }
  }
  return origins;
}

std::vector<Candidate> GivenBoxes::of(SampleId sample) const {
  std::vector<Candidate> candidates;
  const auto found = of_sample_.find(sample.value);
  if (found == of_sample_.end()) {
    return candidates;
  }
  std::unordered_map<LabelId, Mask> masks;
  if (with_masks_) {
    for (StoredLabel& stored : project_.labels_of(sample, set_)) {
      if (stored.label.mask) {
        masks.emplace(stored.id, *std::move(stored.label.mask));
      }
    }
  }
  for (const Given& given : found->second) {
    Candidate& candidate = candidates.emplace_back(given.candidate);
    if (const auto mask = masks.find(given.label); mask != masks.end()) {
      candidate.mask = std::move(mask->second);
    }
    // A person may have made a box of it meanwhile.
    candidate.kind = candidate.mask ? LabelKind::mask : LabelKind::box;
  }
  return candidates;
}

}  // namespace verilabel
