#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "verilabel/dataset/columns.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/histogram.h"

namespace verilabel {

/// What a project, or a view of it, holds.
struct ProjectStats {
  std::int64_t samples = 0;
  std::int64_t samples_missing = 0;  ///< without a file
  std::int64_t labels = 0;           ///< active
  struct OfSet {
    std::string name;
    std::int64_t samples_labelled = 0;  ///< with or without labels
    std::int64_t samples_empty = 0;     ///< labelled, and without an active label that was not rejected, of the view or not
    std::int64_t samples_hidden = 0;    ///< with such labels, but without any that the view selects
    std::int64_t labels = 0;
    std::map<std::string, std::int64_t> by_verdict;
    std::map<std::string, std::int64_t> by_class;
  };
  std::vector<OfSet> sets;
  std::map<std::string, std::int64_t> sample_tags;
  std::map<std::string, std::int64_t> label_tags;
  std::map<std::string, std::int64_t> by_split;  ///< samples; those without one under the empty name
  std::map<std::string, std::int64_t> by_class;  ///< labels of all sets together, like what follows
  std::map<std::string, std::int64_t> by_verdict;
  std::map<std::string, std::int64_t> by_kind;
  /// What the rows have of one field or attribute.
  struct OfProperty {
    std::string name;
    std::int64_t rows = 0;                                     ///< that have it
    std::vector<std::pair<std::string, std::int64_t>> values;  ///< the most frequent texts, at most `kMaxTextsListed`
    std::int64_t other_values = 0;                             ///< texts beyond those
    std::int64_t rows_of_other_values = 0;
    Histogram numbers;
  };
  std::vector<OfProperty> fields;      ///< of samples, in the order of their names, like attributes
  std::vector<OfProperty> attributes;  ///< of labels
  struct NamedHistogram {
    std::string name;
    Histogram histogram;
  };
  std::vector<NamedHistogram> histograms;
};

inline constexpr std::size_t kMaxTextsListed = 50;

/// Counts over the samples and the labels that the view selects; histograms have `bins` bins at most.
ProjectStats stats_of(const Columns& columns, const View& view, int bins);

}  // namespace verilabel
