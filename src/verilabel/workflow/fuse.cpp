#include "verilabel/workflow/fuse.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/dataset/lifecycle.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/import_writer.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

/// A mean of confidences may be above 1 by this much without any of them being.
constexpr double kRounding = 1e-9;
/// Confidences above 1 exist (estimates of an IoU); what is far above is none.
constexpr double kMostConfidence = 1000;

using nlohmann::json;

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
  std::vector<FusionBox> boxes;          ///< one a row
  std::vector<std::uint8_t> has_looked;  ///< one a set: it says which objects the sample has, be it none
};

/// For which classes a set was looked at.
class LookedFor {
 public:
  LookedFor(const Project& project, SetId set) : looks_(looks_into(project, set)) {
    for (std::uint32_t look = 0; look < looks_.size(); ++look) {
      for (const SampleId sample : looks_[look].samples) {
        of_sample_[sample.value].push_back(look);
      }
    }
  }

  /// Of a sample that is labelled in the set.
  bool operator()(SampleId sample, ClassId class_id) const {
    const auto found = of_sample_.find(sample.value);
    // Labels that a person has decided on stay when their run is undone: who looked is not known any more.
    return found == of_sample_.end() || std::ranges::any_of(found->second, [&](std::uint32_t look) {
             const auto& asked = looks_[look].asked_classes;
             return !asked || std::ranges::binary_search(*asked, class_id);
           });
  }

 private:
  std::vector<Look> looks_;
  std::unordered_map<std::int64_t, std::vector<std::uint32_t>> of_sample_;
};

/// What the sets say of each sample of `wanted` that one of them has looked at, in the order of the samples. Throws `bad_data` for
/// a confidence that is none.
class Sources {
 public:
  Sources(const Project& project, const Columns& columns, const std::vector<std::string>& sets,
          const std::set<std::uint32_t>& wanted)
      : columns_(columns), sets_(sets), is_wanted_(columns.samples.size(), 0) {
    for (const std::uint32_t row : wanted) {
      is_wanted_[row] = 1;
    }
    std::map<std::int32_t, std::size_t> place_of_set;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const auto found = std::ranges::find(columns.sets, sets[i], &NamedId::name);
      if (found == columns.sets.end()) {
        throw Error(ErrorCode::not_found, fmt::format("there is no label set '{}'", sets[i]));
      }
      place_of_set.emplace(static_cast<std::int32_t>(found - columns.sets.begin()), i);
      looked_for_.emplace_back(project, SetId{found->id});
    }
    for (std::size_t i = 0; i < columns.labelled_sample.size(); ++i) {
      const std::int32_t sample = columns.labelled_sample[i];
      if (const auto place = place_of_set.find(columns.labelled_set[i]); place != place_of_set.end() && is_wanted(sample)) {
        objects_of(sample).has_looked[place->second] = 1;
      }
    }
    const LabelColumns& labels = columns.labels;
    std::vector<std::uint8_t> has_objects(sets.size(), 0);
    std::set<std::pair<std::int32_t, std::size_t>> of_whole_images;  // samples and sets that say what is in no place
    for (std::uint32_t row = 0; row < labels.size(); ++row) {
      const auto place = place_of_set.find(labels.set[row]);
      if (place != place_of_set.end() && has_box(labels.kind[row])) {
        has_objects[place->second] = 1;
      }
      if (place == place_of_set.end() || labels.status[row] != LabelStatus::active || labels.verdict[row] == Verdict::rejected ||
          !is_wanted(labels.sample[row])) {
        continue;
      }
      Objects& objects = objects_of(labels.sample[row]);
      if (labels.kind[row] == LabelKind::classification || labels.is_crowd[row] != 0) {
        ++left_out_;
        if (labels.kind[row] == LabelKind::classification) {
          of_whole_images.emplace(labels.sample[row], place->second);
        } else {
          crowds_.emplace(labels.sample[row], place->second, labels.class_index[row]);
        }
        continue;
      }
      const double confidence = std::isnan(labels.confidence[row]) ? kScoreWithoutConfidence : labels.confidence[row];
      if (confidence < 0 || confidence > kMostConfidence) {
        throw Error(
            ErrorCode::bad_data,
            fmt::format("a label of '{}' in the set '{}' has the confidence {:g}, by which nothing can be weighted; from 0 to 1 is "
                        "usual, and up to {:g} is taken",
                        columns.samples.name[static_cast<std::size_t>(labels.sample[row])], sets[place->second], confidence,
                        kMostConfidence),
            {{"label", std::to_string(labels.id[row])}});
      }
      objects.rows.push_back(row);
      objects.boxes.push_back({labels.box_xywh_px(row), confidence, labels.class_index[row], place->second});
    }
    drop_those_of_whole_images(of_whole_images, has_objects);
    drop_those_of_crowds_alone();
  }

  const std::map<std::int32_t, Objects>& of_samples() const { return objects_; }
  /// One a set: whether it would have an object of the class if it had found one.
  std::vector<std::uint8_t> looked_for(std::int32_t sample, std::int32_t class_index) const {
    std::vector<std::uint8_t> looked = objects_.at(sample).has_looked;
    for (std::size_t set = 0; set < looked.size(); ++set) {
      if (crowds_.contains({sample, set, class_index})) {
        looked[set] = 0;  // it has not told its objects apart
      }
      if (looked[set] != 0 && !looked_for_[set]({columns_.samples.id[static_cast<std::size_t>(sample)]},
                                                {columns_.classes[static_cast<std::size_t>(class_index)].id})) {
        looked[set] = 0;
      }
    }
    for (const FusionBox& box : objects_.at(sample).boxes) {
      looked[box.model] |= static_cast<std::uint8_t>(box.class_id == class_index);
    }
    return looked;
  }
  std::int64_t left_out() const { return left_out_; }

 private:
  /// Who says what an image shows has not looked for objects in it.
  void drop_those_of_whole_images(const std::set<std::pair<std::int32_t, std::size_t>>& of_whole_images,
                                  const std::vector<std::uint8_t>& has_objects) {
    std::vector<std::uint8_t> is_of_whole_images(sets_.size(), 0);
    for (const auto& [sample, set] : of_whole_images) {
      is_of_whole_images[set] = has_objects[set] == 0 ? 1 : 0;
    }
    for (auto& [sample, objects] : objects_) {
      for (std::size_t set = 0; set < sets_.size(); ++set) {
        const bool has_box_here = std::ranges::any_of(objects.boxes, [&](const FusionBox& box) { return box.model == set; });
        if (is_of_whole_images[set] != 0 || (!has_box_here && of_whole_images.contains({sample, set}))) {
          objects.has_looked[set] = 0;
        }
      }
    }
    std::erase_if(objects_, [](const auto& entry) {
      return std::ranges::none_of(entry.second.has_looked, [](std::uint8_t looked) { return looked != 0; });
    });
  }

  /// Where there are crowds and nothing else, nobody knows which objects there are.
  void drop_those_of_crowds_alone() {
    for (const auto& [sample, set, class_index] : crowds_) {
      if (const auto found = objects_.find(sample); found != objects_.end() && found->second.boxes.empty()) {
        objects_.erase(found);
      }
    }
  }

  bool is_wanted(std::int32_t sample) const { return is_wanted_[static_cast<std::size_t>(sample)] != 0; }
  Objects& objects_of(std::int32_t sample) {
    Objects& objects = objects_[sample];
    objects.has_looked.resize(sets_.size());
    return objects;
  }

  const Columns& columns_;
  const std::vector<std::string>& sets_;
  std::vector<std::uint8_t> is_wanted_;  ///< one a sample
  std::vector<LookedFor> looked_for_;    ///< one a set
  std::map<std::int32_t, Objects> objects_;
  std::set<std::tuple<std::int32_t, std::size_t, std::int32_t>> crowds_;  ///< samples, sets and classes
  std::int64_t left_out_ = 0;
};

/// What the sets do not agree about, of one label of the answer.
struct Disagreement {
  std::vector<std::string> found_by;
  std::vector<std::string> missed_by;
  std::vector<std::string> other_classes;  ///< "set: class"
};

Disagreement disagreement_of(const FusedBox& fused, const Objects& objects, const std::vector<std::uint8_t>& looked_for,
                             const Columns& columns, const FuseOptions& options) {
  // Soft-NMS leaves several answers where sets agree: not only members count, but whatever is the same object.
  const auto is_there = [&](const FusionBox& box) { return iou(fused.box_xywh_px, box.box_xywh_px) > options.fusion.iou; };
  std::vector<std::uint8_t> has_it(options.sets.size(), 0);
  for (const std::size_t member : fused.members) {
    has_it[objects.boxes[member].model] = 1;
  }
  for (const FusionBox& box : objects.boxes) {
    if (box.class_id == fused.class_id && is_there(box)) {
      has_it[box.model] = 1;
    }
  }
  Disagreement found;
  std::set<std::string> others;
  for (std::size_t model = 0; model < options.sets.size(); ++model) {
    if (has_it[model] != 0) {
      found.found_by.push_back(options.sets[model]);
      continue;
    }
    bool is_called_otherwise = false;
    for (const FusionBox& box : objects.boxes) {
      if (box.model == model && box.class_id != fused.class_id && is_there(box)) {
        others.insert(fmt::format("{}: {}", options.sets[model], columns.classes[static_cast<std::size_t>(box.class_id)].name));
        is_called_otherwise = true;
      }
    }
    if (!is_called_otherwise && looked_for[model] != 0) {
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

/// Undecided labels of earlier fusions into the set.
struct EarlierFusions {
  std::int64_t replaced = 0;  ///< on samples of this one
  std::int64_t left = 0;      ///< on others
};

/// Throws `conflict` when undecided labels of another origin stand in the set.
EarlierFusions earlier_fusions(const Project& project, const Columns& columns, const Sources& sources, const std::string& into) {
  EarlierFusions earlier;
  const auto set = std::ranges::find(columns.sets, into, &NamedId::name);
  if (set == columns.sets.end()) {
    return earlier;
  }
  std::set<std::int64_t> fusions;
  for (const ImportRow& row : project.imports()) {
    if (row.format == kFusionFormat) {
      fusions.insert(row.id.value);
    }
  }
  const LabelColumns& labels = columns.labels;
  const auto index = static_cast<std::int32_t>(set - columns.sets.begin());
  for (std::uint32_t row = 0; row < labels.size(); ++row) {
    if (labels.set[row] != index || labels.status[row] != LabelStatus::active || labels.verdict[row] != Verdict::unreviewed) {
      continue;
    }
    if (!fusions.contains(labels.import[row])) {
      throw Error(ErrorCode::conflict,
                  fmt::format("the set '{}' holds labels that come from no fusion; name another one with --into", into));
    }
    ++(sources.of_samples().contains(labels.sample[row]) ? earlier.replaced : earlier.left);
  }
  return earlier;
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
  const Sources sources(project, columns, options.sets, wanted);
  if (sources.left_out() > 0) {
    report.notes.push_back(
        fmt::format("{} classifications and crowds of the sets are left out: they have no object to be fused", sources.left_out()));
  }
  const EarlierFusions earlier = earlier_fusions(project, columns, sources, options.into);
  report.replaced = earlier.replaced;
  if (earlier.left > 0) {
    report.notes.push_back(
        fmt::format("{} labels of an earlier fusion stay: none of the sets has labelled their images, or --where leaves them out",
                    earlier.left));
  }
  std::vector<SetId> set_ids;
  for (const std::string& set : options.sets) {
    set_ids.push_back(*project.find_set(set));
  }
  const SetId into = project.ensure_set(options.into);
  ImportWriter writer(project);
  writer.begin(into, kFusionFormat, fmt::format("{} by {}", fmt::join(options.sets, " + "), name_of(options.fusion.method)));
  std::int64_t done = 0;
  std::int64_t cut_at_one = 0;
  for (const auto& [sample_row, objects] : sources.of_samples()) {
    if (cancel.is_requested()) {
      throw Error(ErrorCode::interrupted, "the fusion was stopped, and the set is as it was; the same command begins it anew");
    }
    const SampleId sample{columns.samples.id[static_cast<std::size_t>(sample_row)]};
    std::map<std::int64_t, Label> label_of_id;
    for (const SetId set : set_ids) {
      for (StoredLabel& stored : project.labels_of(sample, set)) {
        label_of_id.emplace(stored.id.value, std::move(stored.label));
      }
    }
    std::map<std::int32_t, std::vector<std::uint8_t>> looked_for;
    for (const FusionBox& box : objects.boxes) {
      if (const auto [of_class, is_new] = looked_for.try_emplace(box.class_id); is_new) {
        of_class->second = sources.looked_for(sample_row, box.class_id);
      }
    }
    const HasLooked has_looked = [&](std::int32_t class_index) { return std::span(looked_for.at(class_index)); };
    for (const FusedBox& fused : fuse(objects.boxes, options.sets.size(), has_looked, options.fusion)) {
      const Label& best = label_of_id.at(columns.labels.id[objects.rows[fused.members.front()]]);
      Label label;
      label.class_id = best.class_id;
      label.confidence = std::min(fused.score, 1.0);
      cut_at_one += fused.score > 1 + kRounding ? 1 : 0;
      label.kind = best.kind;
      label.mask = best.mask;
      label.area_px = best.kind == LabelKind::mask ? best.area_px : std::nullopt;
      label.box_xywh_px = best.kind == LabelKind::mask ? best.box_xywh_px : fused.box_xywh_px;
      const Disagreement found = disagreement_of(fused, objects, looked_for.at(fused.class_id), columns, options);
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
      progress({.stage = "fusing",
                .done = done,
                .failed = 0,
                .total = static_cast<std::int64_t>(sources.of_samples().size()),
                .unit = "images"});
    }
  }
  writer.finish();
  report.superseded = writer.superseded();
  if (cut_at_one > 0) {
    report.notes.push_back(fmt::format("{} labels got the confidence 1, where {}", cut_at_one,
                                       options.fusion.method == FusionMethod::wbf
                                           ? "the weighted mean is above: a set of large weight has found them twice, or what was "
                                             "fused is above itself"
                                           : "that of what was fused is above"));
  }
  return report;
}

}  // namespace verilabel
