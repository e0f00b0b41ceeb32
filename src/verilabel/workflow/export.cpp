#include "verilabel/workflow/export.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/dataset/row_flags.h"
#include "verilabel/dataset/view.h"
#include "verilabel/formats/format.h"
#include "verilabel/workflow/output_file.h"
#include "verilabel/workflow/thresholds.h"

namespace verilabel {
namespace {

/// Which labels go out.
class LabelFilter {
 public:
  LabelFilter(const ExportOptions& options, const Columns& columns)
      : options_(options),
        thresholds_(options.thresholds ? ClassThresholds(columns, *options.thresholds)
                                       : ClassThresholds(columns, options.threshold)) {}

  bool lets_through(const LabelColumns& labels, std::uint32_t row) const { return judge(labels, row, nullptr); }

  /// Of an active label also adds to what is withheld when it does not go out.
  bool judge(const LabelColumns& labels, std::uint32_t row, WithheldLabels* withheld) const {
    const auto goes_out = [withheld](bool does, std::int64_t WithheldLabels::* count) {
      if (!does && withheld != nullptr) {
        ++(withheld->*count);
      }
      return does;
    };
    if (labels.status[row] != LabelStatus::active) {
      return false;  // a view may ask for others by their status
    }
    switch (labels.verdict[row]) {
      case Verdict::accepted:
      case Verdict::edited:
        return true;
      case Verdict::rejected:
        return goes_out(false, &WithheldLabels::rejected);
      case Verdict::unsure:
        return goes_out(options_.include_unsure, &WithheldLabels::unsure);
      case Verdict::unreviewed:
        break;
    }
    return goes_out(thresholds_.reaches(labels, row), &WithheldLabels::below_threshold);
  }

 private:
  const ExportOptions& options_;
  ClassThresholds thresholds_;
};

/// The samples and labels of an export, in the order of their ids.
class ProjectSource final : public ExportSource {
 public:
  ProjectSource(const Project& project, const ExportOptions& options, const Columns& columns, std::int32_t set)
      : project_(project), set_{columns.sets[static_cast<std::size_t>(set)].id} {
    const View view = View::parse(options.where, project.saved_views());
    const LabelFilter filter(options, columns);
    SelectedRows rows = select_rows(view, columns);
    std::ranges::sort(rows.labels);
    std::ranges::sort(rows.samples);
    const std::vector<std::uint8_t> is_hidden = find_hidden(rows, filter, columns, set);

    const std::vector<std::uint8_t> is_labelled = columns.labelled_in(set);
    std::vector<std::int64_t> position(columns.samples.size(), -1);
    for (const std::uint32_t row : rows.samples) {
      if (is_hidden[row] != 0) {
        hidden_.images.emplace_back(columns.samples.name[row]);
        continue;
      }
      position[row] = static_cast<std::int64_t>(images_.size());
      images_.push_back(
          {{columns.samples.id[row]}, is_labelled[row] != 0 ? SampleState::labelled_empty : SampleState::not_labelled, {}});
    }
    std::vector<std::uint8_t> is_class_used(columns.classes.size(), 0);
    for (const std::uint32_t row : rows.labels) {
      const std::int64_t image = position[static_cast<std::size_t>(columns.labels.sample[row])];
      if (columns.labels.set[row] == set && image >= 0 && filter.judge(columns.labels, row, &withheld_)) {
        images_[static_cast<std::size_t>(image)].labels.push_back({columns.labels.id[row]});
        images_[static_cast<std::size_t>(image)].state = SampleState::labelled;
        is_class_used[static_cast<std::size_t>(columns.labels.class_index[row])] = 1;
      }
    }
    choose_classes(is_class_used, columns, set, options.class_map);
    collect_tags(columns.sample_tags, columns.sample_tag_names, columns.samples.id, sample_tags_);
    collect_tags(columns.label_tags, columns.label_tag_names, columns.labels.id, label_tags_);
    has_fields_ = columns.sample_fields.size() > 0;
  }

  const HiddenByView& hidden() const { return hidden_; }
  const WithheldLabels& withheld() const { return withheld_; }

  std::vector<ExportClass> classes() override { return classes_; }
  std::string dataset_json() override { return project_.dataset_json(set_); }
  std::int64_t image_count() override { return static_cast<std::int64_t>(images_.size()); }

  ExportImage image(std::int64_t index) override {
    const ExportedImage& image = images_[static_cast<std::size_t>(index)];
    Sample sample = project_.sample(image.sample);
    return {std::move(sample.name),
            std::move(sample.path),
            sample.width,
            sample.height,
            std::move(sample.split),
            std::move(sample.source_json),
            image.state,
            sample.is_missing,
            tags_of(sample_tags_, image.sample),
            has_fields_ ? project_.fields_of(image.sample) : std::string()};
  }

  std::vector<ExportLabel> labels(std::int64_t index) override {
    const ExportedImage& image = images_[static_cast<std::size_t>(index)];
    if (image.labels.empty()) {
      return {};
    }
    std::vector<ExportLabel> labels;
    auto next = image.labels.begin();
    for (StoredLabel& stored : project_.labels_of(image.sample, set_)) {
      if (next != image.labels.end() && stored.id == *next) {
        labels.push_back({class_index_.at(stored.label.class_id), std::move(stored.label), tags_of(label_tags_, stored.id)});
        ++next;
      }
    }
    return labels;
  }

 private:
  struct ExportedImage {
    SampleId sample;
    SampleState state = SampleState::not_labelled;
    std::vector<LabelId> labels;
  };

  /// One flag a sample row: 1 for samples of the view whose labels it hides. Counts the labels.
  std::vector<std::uint8_t> find_hidden(const SelectedRows& rows, const LabelFilter& filter, const Columns& columns,
                                        std::int32_t set) {
    const std::vector<std::uint8_t> is_in_view = flags_of(rows.samples, columns.samples.size());
    const LabelColumns& labels = columns.labels;
    const std::vector<std::uint8_t> is_label_selected = flags_of(rows.labels, labels.size());
    std::vector<std::uint8_t> has_label(columns.samples.size(), 0);
    for (const std::uint32_t row : rows.labels) {
      if (labels.set[row] == set && filter.lets_through(labels, row)) {
        has_label[static_cast<std::size_t>(labels.sample[row])] = 1;
      }
    }
    std::vector<std::uint8_t> is_hidden(columns.samples.size(), 0);
    for (std::uint32_t row = 0; row < labels.size(); ++row) {
      const auto sample = static_cast<std::size_t>(labels.sample[row]);
      if (is_label_selected[row] == 0 && is_in_view[sample] != 0 && labels.set[row] == set &&
          labels.status[row] == LabelStatus::active && filter.lets_through(labels, row)) {
        ++hidden_.labels;
        is_hidden[sample] = has_label[sample] == 0 ? 1 : 0;
      }
    }
    return is_hidden;
  }

  template <typename IdType>
  using TagsOf = std::unordered_map<IdType, std::vector<std::string>>;

  template <typename IdType>
  static void collect_tags(const TagColumns& tags, const std::vector<std::string>& names, const Column<std::int64_t>& ids,
                           TagsOf<IdType>& tags_of_id) {
    for (std::size_t i = 0; i < tags.row.size(); ++i) {
      tags_of_id[IdType{ids[static_cast<std::size_t>(tags.row[i])]}].push_back(names[static_cast<std::size_t>(tags.tag[i])]);
    }
  }

  template <typename IdType>
  static std::vector<std::string> tags_of(const TagsOf<IdType>& tags, IdType id) {
    const auto found = tags.find(id);
    return found == tags.end() ? std::vector<std::string>() : found->second;
  }

  /// The classes that a file of labels would list: those that the set's imports and runs knew, used or not, so that ids and indices
  /// stay what they were.
  void choose_classes(const std::vector<std::uint8_t>& is_class_used, const Columns& columns, std::int32_t set,
                      const ClassMap& class_map) {
    for (const auto& [name, other_name] : class_map.entries()) {
      if (!columns.class_index(name)) {
        throw Error(ErrorCode::wrong_use,
                    fmt::format("the map of classes names a class '{}' that the project does not have", name));
      }
    }
    std::vector<std::uint8_t> is_in_set = is_class_used;
    for (std::size_t row = 0; row < columns.labels.size(); ++row) {
      if (columns.labels.set[row] == set) {
        is_in_set[static_cast<std::size_t>(columns.labels.class_index[row])] = 1;
      }
    }
    const std::vector<ClassRow> rows = project_.classes();
    for (const ClassRow& row : rows) {
      const auto index = columns.class_index(row.name);
      const bool is_listed = index && (is_in_set[static_cast<std::size_t>(*index)] != 0 || !row.source_json.empty());
      if (is_listed) {
        class_index_.emplace(row.id, listed_as(class_map(row.name), row));
      }
    }
  }

  /// The place of the class among those of the export, where one of this name may stand already.
  std::int32_t listed_as(std::string_view name, const ClassRow& row) {
    const auto [place, is_new] = place_of_name_.try_emplace(std::string(name), static_cast<std::int32_t>(classes_.size()));
    if (is_new) {
      classes_.push_back({std::string(name), row.source_json});
    }
    return place->second;
  }

  const Project& project_;
  SetId set_;
  std::vector<ExportedImage> images_;
  std::vector<ExportClass> classes_;
  std::unordered_map<std::string, std::int32_t> place_of_name_;  ///< in classes_
  std::unordered_map<ClassId, std::int32_t> class_index_;
  TagsOf<SampleId> sample_tags_;
  TagsOf<LabelId> label_tags_;
  bool has_fields_ = false;
  HiddenByView hidden_;
  WithheldLabels withheld_;
};

}  // namespace

void ExportOptions::validate() const {
  const Format& form = verilabel::format(format);
  if (write.with_confidence && !form.confidence_is_asked_for) {
    throw Error(
        ErrorCode::wrong_use,
        fmt::format("{}: leave --with-confidence out, it is for formats that leave the choice",
                    form.holds.confidence ? "the format always has confidences" : "the format has no place for confidences"),
        {{"format", format}});
  }
  if (write.default_split && !form.needs_splits) {
    throw Error(ErrorCode::wrong_use, "images need no split in the format: leave --default-split out", {{"format", format}});
  }
  if (threshold && !std::isfinite(*threshold)) {
    throw Error(ErrorCode::wrong_use, "--threshold must be a number");
  }
}

ExportReport export_set(const Project& project, const ExportOptions& options) {
  options.validate();
  check_output_file(options.output, project.directory());
  const ReadScope one_moment(project);
  const Columns columns = project.columns_for(View::parse(options.where, project.saved_views()));
  const auto set = columns.set_index(options.set);
  if (!set) {
    throw Error(ErrorCode::wrong_use, fmt::format("there is no label set '{}'", options.set), {{"sets", project.set_names()}});
  }
  const Format& format = verilabel::format(options.format);
  format.check(options.output, options.write);
  ProjectSource source(project, options, columns, *set);
  ExportReport report{{}, source.hidden(), source.withheld()};
  if (options.before_writing || options.is_dry_run) {
    report.written.losses = format.losses(source, options.write);
    if (options.before_writing) {
      options.before_writing(report);
    }
    if (options.is_dry_run) {
      return report;
    }
  }
  report.written = format.write(options.output, source, options.write);
  return report;
}

}  // namespace verilabel
