#include "verilabel/workflow/fuse.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/import_writer.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "fuse";

std::string_view name_of(FusionMethod method) {
  switch (method) {
    case FusionMethod::nms:
      return "nms";
    case FusionMethod::soft_nms:
      return "soft_nms";
    case FusionMethod::wbf:
      return "wbf";
  }
  return "";
}

/// The labels that stand of one sample in the sets.
struct Objects {
  std::vector<std::uint32_t> rows;
  std::vector<FusionBox> boxes;           ///< one a row
  std::vector<std::uint8_t> is_labelled;  ///< one a set: it looked at the sample
};

/// What the sets say of each sample, in the order of the samples.
class Sources {
 public:
  Sources(const Columns& columns, const std::vector<std::string>& sets) : columns_(columns), sets_(sets) {
    std::map<std::int32_t, std::size_t> place_of_set;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto found = std::ranges::find(columns.sets, sets[i], &NamedId::name);
      if (found == columns.sets.end()) {
        throw Error(ErrorCode::not_found, fmt::format("there is no label set '{}'", sets[i]));
      }
      place_of_set.emplace(static_cast<std::int32_t>(found - columns.sets.begin()), i);
    }
    for (std::size_t i = 0; i < columns.labelled_sample.size(); ++i) {
      if (const auto place = place_of_set.find(columns.labelled_set[i]); place != place_of_set.end()) {
        objects_of(columns.labelled_sample[i]).is_labelled[place->second] = 1;
      }
    }
    const LabelColumns& labels = columns.labels;
    for (std::uint32_t row = 0; row < labels.size(); ++row) {
      const auto place = place_of_set.find(labels.set[row]);
      if (place == place_of_set.end() || labels.status[row] != LabelStatus::active || labels.verdict[row] == Verdict::rejected) {
        continue;
      }
      Objects& objects = objects_of(labels.sample[row]);
      objects.is_labelled[place->second] = 1;
      if (labels.kind[row] == LabelKind::classification || labels.is_crowd[row] != 0) {
        ++left_out_;
        continue;
      }
      const double confidence = labels.confidence[row];
      objects.rows.push_back(row);
      objects.boxes.push_back(
          {labels.box_xywh_px(row), std::isnan(confidence) ? 1 : confidence, labels.class_index[row], place->second});
    }
  }

  const std::map<std::int32_t, Objects>& of_samples() const { return objects_; }
  std::int64_t left_out() const { return left_out_; }

 private:
  Objects& objects_of(std::int32_t sample) {
    Objects& objects = objects_[sample];
    objects.is_labelled.resize(sets_.size());
    return objects;
  }

  const Columns& columns_;
  const std::vector<std::string>& sets_;
  std::map<std::int32_t, Objects> objects_;
  std::int64_t left_out_ = 0;
};

/// What the sets do not agree about, of one label of the answer.
struct Disagreement {
  std::vector<std::string> found_by;
  std::vector<std::string> missed_by;
  std::vector<std::string> other_classes;  ///< "set: class"
};

Disagreement disagreement_of(const FusedBox& fused, const Objects& objects, const Columns& columns, const FuseOptions& options) {
  std::vector<std::uint8_t> has_it(options.sets.size(), 0);
  for (const std::size_t member : fused.members) {
    has_it[objects.boxes[member].model] = 1;
  }
  Disagreement found;
  std::set<std::string> others;
  for (std::size_t model = 0; model < options.sets.size(); ++model) {
    if (has_it[model] != 0) {
      found.found_by.push_back(options.sets[model]);
      continue;
    }
    if (objects.is_labelled[model] == 0) {
      continue;  // it never looked
    }
    bool is_called_otherwise = false;
    for (const FusionBox& box : objects.boxes) {
      if (box.model == model && box.class_id != fused.class_id && iou(fused.box_xywh_px, box.box_xywh_px) > options.fusion.iou) {
        others.insert(fmt::format("{}: {}", options.sets[model], columns.classes[static_cast<std::size_t>(box.class_id)].name));
        is_called_otherwise = true;
      }
    }
    if (!is_called_otherwise) {
      found.missed_by.push_back(options.sets[model]);
    }
  }
  found.other_classes.assign(others.begin(), others.end());
  return found;
}

std::string attributes_of(const Disagreement& found) {
  json attributes{{"found_by", fmt::format("{}", fmt::join(found.found_by, ", "))}};
  if (!found.missed_by.empty()) {
    attributes["missed_by"] = fmt::format("{}", fmt::join(found.missed_by, ", "));
  }
  if (!found.other_classes.empty()) {
    attributes["other_class"] = fmt::format("{}", fmt::join(found.other_classes, ", "));
  }
  return attributes.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Takes back fusions into the set. Throws `conflict` when other labels stand in it.
std::int64_t take_back_earlier(Project& project, const FuseOptions& options) {
  const Columns columns = project.columns();
  const auto set = std::ranges::find(columns.sets, options.into, &NamedId::name);
  if (set == columns.sets.end()) {
    return 0;
  }
  std::set<std::int64_t> fusions;
  for (const ImportRow& row : project.imports()) {
    if (row.set == options.into && row.format == kFormat && !row.is_undone) {
      fusions.insert(row.id.value);
    }
  }
  const auto index = static_cast<std::int32_t>(set - columns.sets.begin());
  for (std::uint32_t row = 0; row < columns.labels.size(); ++row) {
    if (columns.labels.set[row] == index && columns.labels.status[row] == LabelStatus::active &&
        columns.labels.verdict[row] == Verdict::unreviewed && !fusions.contains(columns.labels.import[row])) {
      throw Error(ErrorCode::conflict,
                  fmt::format("the set '{}' holds labels that come from no fusion; name another one with --into", options.into));
    }
  }
  std::int64_t replaced = 0;
  for (const std::int64_t fusion : fusions) {
    replaced += project.undo_import({fusion});
  }
  return replaced;
}

}  // namespace

void FuseOptions::validate() const {
  check_set_name(into);
  if (sets.size() < 2) {
    throw Error(ErrorCode::wrong_use, "name at least two sets to be fused");
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (sets[i] == into || std::ranges::count(sets, sets[i]) > 1) {
      throw Error(ErrorCode::wrong_use, fmt::format("the set '{}' is named twice", sets[i]));
    }
  }
  fusion.validate(sets.size());
}

FuseReport fuse_sets(Project& project, const FuseOptions& options, const ProgressSink& progress, const CancelToken& cancel) {
  options.validate();
  FuseReport report;
  report.set = options.into;
  const View view = View::parse(options.where, project.saved_views());
  const Columns columns = project.columns_for(view);
  const std::vector<std::uint32_t> selected = select_samples(view, columns);
  const std::set<std::uint32_t> wanted(selected.begin(), selected.end());
  const Sources sources(columns, options.sets);
  if (sources.left_out() > 0) {
    report.notes.push_back(
        fmt::format("{} classifications and crowds of the sets are left out: they have no object to be fused", sources.left_out()));
  }
  report.replaced = take_back_earlier(project, options);
  std::vector<SetId> set_ids;
  for (const std::string& set : options.sets) {
    set_ids.push_back(*project.find_set(set));
  }
  const SetId into = project.ensure_set(options.into);
  ImportWriter writer(project);
  writer.begin(into, kFormat, fmt::format("{} by {}", fmt::join(options.sets, " + "), name_of(options.fusion.method)));
  std::int64_t done = 0;
  for (const auto& [sample_row, objects] : sources.of_samples()) {
    if (!wanted.contains(static_cast<std::uint32_t>(sample_row))) {
      continue;
    }
    if (cancel.is_requested()) {
      throw Error(ErrorCode::interrupted, "the fusion was stopped; the same command begins it anew");
    }
    const SampleId sample{columns.samples.id[static_cast<std::size_t>(sample_row)]};
    std::map<std::int64_t, Label> label_of_id;
    for (const SetId set : set_ids) {
      for (StoredLabel& stored : project.labels_of(sample, set)) {
        label_of_id.emplace(stored.id.value, std::move(stored.label));
      }
    }
    for (const FusedBox& fused : fuse(objects.boxes, options.sets.size(), options.fusion)) {
      const Label& best = label_of_id.at(columns.labels.id[objects.rows[fused.members.front()]]);
      Label label;
      label.class_id = best.class_id;
      label.confidence = std::min(fused.score, 1.0);
      label.kind = best.kind;
      label.mask = best.mask;
      label.area_px = best.kind == LabelKind::mask ? best.area_px : std::nullopt;
      label.box_xywh_px = best.kind == LabelKind::mask ? best.box_xywh_px : fused.box_xywh_px;
      const Disagreement found = disagreement_of(fused, objects, columns, options);
      label.attributes_json = attributes_of(found);
      std::vector<std::string> tags;
      if (!found.missed_by.empty()) {
        tags.emplace_back("missed");
      }
      if (!found.other_classes.empty()) {
        tags.emplace_back("other_class");
      }
      writer.add_label(sample, label, tags);
      ++report.labels;
      report.missed += found.missed_by.empty() ? 0 : 1;
      report.other_class += found.other_classes.empty() ? 0 : 1;
      report.agreed += found.found_by.size() == options.sets.size() ? 1 : 0;
    }
    writer.mark_labelled(sample);
    report.input_labels += static_cast<std::int64_t>(objects.boxes.size());
    ++report.samples;
    if (progress && ++done % 100 == 0) {
      progress({.stage = "fusing", .done = done, .failed = 0, .total = static_cast<std::int64_t>(wanted.size()), .unit = "images"});
    }
  }
  writer.finish();
  return report;
}

}  // namespace verilabel
