#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "verilabel/dataset/columns.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// What a project, or a view of it, holds.
struct ProjectStats {
  std::int64_t samples = 0;
  std::int64_t samples_missing = 0;  ///< without a file
  std::int64_t labels = 0;           ///< active
  struct OfSet {
    std::string name;
    std::int64_t samples_labelled = 0;  ///< with or without labels
    std::int64_t samples_empty = 0;     ///< labelled, and without an active label that was not rejected
    std::int64_t labels = 0;
    std::map<std::string, std::int64_t> by_verdict;
    std::map<std::string, std::int64_t> by_class;
  };
  std::vector<OfSet> sets;
  std::map<std::string, std::int64_t> sample_tags;
  std::map<std::string, std::int64_t> label_tags;
};

/// Counts over the samples and the labels that the view selects.
ProjectStats stats_of(const Columns& columns, const View& view);

}  // namespace verilabel
