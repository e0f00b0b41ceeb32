#include "verilabel/workflow/inspect.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "verilabel/dataset/row_flags.h"

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

ProjectStats::OfSet stats_of_set(const Columns& columns, std::int32_t set, const std::vector<std::uint32_t>& label_rows,
                                 const std::vector<std::uint8_t>& is_sample_selected) {
  ProjectStats::OfSet stats;
  stats.name = columns.sets[static_cast<std::size_t>(set)].name;
  std::vector<std::int64_t> by_class(columns.classes.size());
  std::vector<std::uint8_t> has_selected(columns.samples.size(), 0);
  for (const std::uint32_t row : label_rows) {
    if (columns.labels.set[row] != set) {
      continue;
    }
    ++stats.labels;
    ++by_class[static_cast<std::size_t>(columns.labels.class_index[row])];
    ++stats.by_verdict[std::string(name_of(columns.labels.verdict[row]))];
    has_selected[static_cast<std::size_t>(columns.labels.sample[row])] = 1;
  }
  for (std::size_t i = 0; i < by_class.size(); ++i) {
    if (by_class[i] > 0) {
      stats.by_class[columns.classes[i].name] = by_class[i];
    }
  }
  std::vector<std::uint8_t> has_label(columns.samples.size(), 0);
  for (std::size_t row = 0; row < columns.labels.size(); ++row) {
    if (columns.labels.set[row] == set && columns.labels.status[row] == LabelStatus::active &&
        columns.labels.verdict[row] != Verdict::rejected) {
      has_label[static_cast<std::size_t>(columns.labels.sample[row])] = 1;
    }
  }
  const std::vector<std::uint8_t> is_labelled = columns.labelled_in(set);
  for (std::size_t i = 0; i < is_labelled.size(); ++i) {
    if (is_labelled[i] != 0 && is_sample_selected[i] != 0) {
      ++stats.samples_labelled;
      stats.samples_empty += has_label[i] == 0 ? 1 : 0;
      stats.samples_hidden += has_label[i] != 0 && has_selected[i] == 0 ? 1 : 0;
    }
  }
  return stats;
}

std::vector<ProjectStats::OfProperty> stats_of_properties(const PropertyColumns& properties,
                                                          const std::vector<std::uint8_t>& is_selected, int bins) {
  std::vector<ProjectStats::OfProperty> stats;
  for (const std::string& name : properties.names) {
    const auto entries = *properties.entries_of(name);
    ProjectStats::OfProperty of_name;
    of_name.name = name;
    std::vector<double> numbers;
    std::unordered_map<std::int32_t, std::int64_t> rows_of_text;
    for (std::size_t i = entries.begin; i < entries.end; ++i) {
      if (is_selected[static_cast<std::size_t>(properties.row[i])] == 0) {
        continue;
      }
      ++of_name.rows;
      if (properties.text[i] < 0) {
        numbers.push_back(properties.number[i]);
      } else {
        ++rows_of_text[properties.text[i]];
      }
    }
    for (const auto& [text, rows] : rows_of_text) {
      of_name.values.emplace_back(properties.texts[static_cast<std::size_t>(text)], rows);
    }
    std::ranges::sort(of_name.values, {},
                      [](const auto& value) { return std::pair(-value.second, std::string_view(value.first)); });
    for (std::size_t i = kMaxTextsListed; i < of_name.values.size(); ++i) {
      ++of_name.other_values;
      of_name.rows_of_other_values += of_name.values[i].second;
    }
    of_name.values.resize(std::min(of_name.values.size(), kMaxTextsListed));
    of_name.numbers = histogram_of(numbers, HistogramScale::linear, bins);
    if (of_name.rows > 0) {
      stats.push_back(std::move(of_name));
    }
  }
  return stats;
}

void count_labels(const Columns& columns, const std::vector<std::uint32_t>& label_rows, ProjectStats& stats) {
  for (const std::uint32_t row : label_rows) {
    ++stats.by_class[columns.classes[static_cast<std::size_t>(columns.labels.class_index[row])].name];
    ++stats.by_verdict[std::string(name_of(columns.labels.verdict[row]))];
    ++stats.by_kind[std::string(name_of(columns.labels.kind[row]))];
  }
}

std::vector<ProjectStats::NamedHistogram> histograms_of(const Columns& columns, const std::vector<std::uint32_t>& label_rows,
                                                        const std::vector<std::uint8_t>& is_sample_selected, int bins) {
  const auto of_labels = [&](const Column<double>& column) {
    std::vector<double> values;
    for (const std::uint32_t row : label_rows) {
      values.push_back(column[row]);
    }
    return values;
  };
  const auto of_boxes = [&](const Column<double>& column) {
    std::vector<double> values = of_labels(column);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!has_box(columns.labels.kind[label_rows[i]])) {
        values[i] = std::numeric_limits<double>::quiet_NaN();
      }
    }
    return values;
  };
  const auto of_samples = [&](const auto& value_of) {
    std::vector<double> values;
    for (std::size_t row = 0; row < is_sample_selected.size(); ++row) {
      if (is_sample_selected[row] != 0) {
        values.push_back(value_of(row));
      }
    }
    return values;
  };
  std::vector<std::int64_t> labels_of_sample(columns.samples.size(), 0);
  for (const std::uint32_t row : label_rows) {
    ++labels_of_sample[static_cast<std::size_t>(columns.labels.sample[row])];
  }
  const auto size = [](std::int32_t pixels) { return is_known_side(pixels) ? pixels : std::numeric_limits<double>::quiet_NaN(); };
  const SampleColumns& samples = columns.samples;
  const LabelColumns& labels = columns.labels;
  return {
      {"confidence", histogram_of(of_labels(labels.confidence), HistogramScale::unit, bins)},
      {"area", histogram_of(of_boxes(labels.area), HistogramScale::logarithmic, bins)},
      {"box_width", histogram_of(of_boxes(labels.w), HistogramScale::from_zero, bins)},
      {"box_height", histogram_of(of_boxes(labels.h), HistogramScale::from_zero, bins)},
      {"labels_per_image", histogram_of(of_samples([&](std::size_t row) { return static_cast<double>(labels_of_sample[row]); }),
                                        HistogramScale::whole, bins)},
      {"image_width",
       histogram_of(of_samples([&](std::size_t row) { return size(samples.width[row]); }), HistogramScale::from_zero, bins)},
      {"image_height",
       histogram_of(of_samples([&](std::size_t row) { return size(samples.height[row]); }), HistogramScale::from_zero, bins)},
  };
}

}  // namespace

ProjectStats stats_of(const Columns& columns, const View& view, int bins) {
  const auto [sample_rows, label_rows] = select_rows(view, columns);
  const std::vector<std::uint8_t> is_sample_selected = flags_of(sample_rows, columns.samples.size());
  ProjectStats stats;
  stats.labels = static_cast<std::int64_t>(label_rows.size());
  for (std::size_t i = 0; i < is_sample_selected.size(); ++i) {
    stats.samples += is_sample_selected[i];
    stats.samples_missing += is_sample_selected[i] != 0 && columns.samples.is_missing[i] != 0 ? 1 : 0;
    if (is_sample_selected[i] != 0) {
      ++stats.by_split[columns.splits[static_cast<std::size_t>(columns.samples.split[i])]];
    }
  }
  for (std::size_t set = 0; set < columns.sets.size(); ++set) {
    stats.sets.push_back(stats_of_set(columns, static_cast<std::int32_t>(set), label_rows, is_sample_selected));
  }
  stats.sample_tags = count_tags(columns.sample_tags, columns.sample_tag_names, is_sample_selected);
  const std::vector<std::uint8_t> is_label_selected = flags_of(label_rows, columns.labels.size());
  stats.label_tags = count_tags(columns.label_tags, columns.label_tag_names, is_label_selected);
  count_labels(columns, label_rows, stats);
  stats.fields = stats_of_properties(columns.sample_fields, is_sample_selected, bins);
  stats.attributes = stats_of_properties(columns.label_attributes, is_label_selected, bins);
  stats.histograms = histograms_of(columns, label_rows, is_sample_selected, bins);
  return stats;
}

}  // namespace verilabel
