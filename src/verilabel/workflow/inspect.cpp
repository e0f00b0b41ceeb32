#include "verilabel/workflow/inspect.h"

#include <algorithm>

namespace verilabel {
namespace {

std::map<std::string, std::int64_t> count_tags(const TagColumns& tags, const std::vector<std::string>& names,
                                               const std::vector<std::uint8_t>& is_selected) {
  std::map<std::string, std::int64_t> counts;
  for (std::size_t i = 0; i < tags.row.size(); ++i) {
    if (is_selected[static_cast<std::size_t>(tags.row[i])] != 0) {
      ++counts[names[static_cast<std::size_t>(tags.tag[i])]];
    }
  }
  return counts;
}

std::vector<std::uint8_t> flags_of(const std::vector<std::uint32_t>& rows, std::size_t size) {
  std::vector<std::uint8_t> flags(size, 0);
  for (const std::uint32_t row : rows) {
    flags[row] = 1;
  }
  return flags;
}

ProjectStats::OfSet stats_of_set(const Columns& columns, std::int32_t set, const std::vector<std::uint32_t>& label_rows,
                                 const std::vector<std::uint8_t>& is_sample_selected) {
  ProjectStats::OfSet stats;
  stats.name = columns.sets[static_cast<std::size_t>(set)].name;
  std::vector<std::int64_t> by_class(columns.classes.size());
  std::vector<std::uint8_t> has_label(columns.samples.size(), 0);
  for (const std::uint32_t row : label_rows) {
    if (columns.labels.set[row] != set) {
      continue;
    }
    ++stats.labels;
    ++by_class[static_cast<std::size_t>(columns.labels.class_index[row])];
    ++stats.by_verdict[std::string(name_of(columns.labels.verdict[row]))];
    if (columns.labels.verdict[row] != Verdict::rejected) {
      has_label[static_cast<std::size_t>(columns.labels.sample[row])] = 1;
    }
  }
  for (std::size_t i = 0; i < by_class.size(); ++i) {
    if (by_class[i] > 0) {
      stats.by_class[columns.classes[i].name] = by_class[i];
    }
  }
  const std::vector<std::uint8_t> is_labelled = columns.labelled_in(set);
  for (std::size_t i = 0; i < is_labelled.size(); ++i) {
    if (is_labelled[i] != 0 && is_sample_selected[i] != 0) {
      ++stats.samples_labelled;
      stats.samples_empty += has_label[i] == 0 ? 1 : 0;
    }
  }
  return stats;
}

}  // namespace

ProjectStats stats_of(const Columns& columns, const View& view) {
  const std::vector<std::uint32_t> label_rows = select_labels(view, columns);
  const std::vector<std::uint8_t> is_sample_selected = flags_of(select_samples(view, columns), columns.samples.size());
  ProjectStats stats;
  stats.labels = static_cast<std::int64_t>(label_rows.size());
  for (std::size_t i = 0; i < is_sample_selected.size(); ++i) {
    stats.samples += is_sample_selected[i];
    stats.samples_missing += is_sample_selected[i] != 0 && columns.samples.is_missing[i] != 0 ? 1 : 0;
  }
  for (std::size_t set = 0; set < columns.sets.size(); ++set) {
    stats.sets.push_back(stats_of_set(columns, static_cast<std::int32_t>(set), label_rows, is_sample_selected));
  }
  stats.sample_tags = count_tags(columns.sample_tags, columns.sample_tag_names, is_sample_selected);
  stats.label_tags = count_tags(columns.label_tags, columns.label_tag_names, flags_of(label_rows, columns.labels.size()));
  return stats;
}

}  // namespace verilabel
