#include "verilabel/workflow/histogram.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace verilabel {
namespace {

std::vector<double> even_edges(double least, double largest, int bins) {
  std::vector<double> edges;
  for (int i = 0; i < bins; ++i) {
    // Halves, so that the width of a range of all numbers is none that is infinite.
    edges.push_back(least + (largest / 2 - least / 2) * (2.0 * i / bins));
  }
  edges.push_back(largest);
  return edges;
}

std::vector<double> whole_edges(double largest, int bins) {
  const double width = std::max(1.0, std::ceil((largest + 1) / bins));
  std::vector<double> edges = {0};
  while (edges.back() <= largest) {
    edges.push_back(edges.back() + width);
  }
  return edges;
}

/// `least` is the least value above 0.
std::vector<double> logarithmic_edges(double least, double largest, int bins) {
  std::vector<double> edges = {0};
  for (int i = 1; i < bins; ++i) {
    const double part = static_cast<double>(i) / bins;
    const double edge = std::exp(std::log(least) * (1 - part) + std::log(largest) * part);
    edges.push_back(std::clamp(edge, std::max(edges.back(), least), largest));  // rounding must not turn them around
  }
  edges.push_back(largest);
  return edges;
}

std::vector<double> edges_for(const std::vector<double>& sorted, HistogramScale scale, int bins) {
  const double least = sorted.front();
  const double largest = sorted.back();
  if (scale == HistogramScale::unit && least >= 0 && largest <= 1) {
    return even_edges(0, 1, bins);
  }
  if (scale == HistogramScale::whole && least >= 0) {
    return whole_edges(largest, bins);
  }
  if (least == largest) {
    return {least, largest};
  }
  if (scale == HistogramScale::from_zero && least >= 0) {
    return even_edges(0, largest, bins);
  }
  const auto above_zero = std::ranges::upper_bound(sorted, 0.0);
  if (scale == HistogramScale::logarithmic && least >= 0 && *above_zero < largest) {
    return logarithmic_edges(*above_zero, largest, bins);
  }
  return even_edges(least, largest, bins);
}

}  // namespace

Histogram histogram_of(const std::vector<double>& values, HistogramScale scale, int bins) {
  Histogram histogram;
  std::vector<double> sorted;
  std::ranges::copy_if(values, std::back_inserter(sorted), [](double value) { return !std::isnan(value); });
  histogram.values = static_cast<std::int64_t>(sorted.size());
  histogram.absent = static_cast<std::int64_t>(values.size() - sorted.size());
  if (sorted.empty()) {
    return histogram;
  }
  std::ranges::sort(sorted);
  histogram.edges = edges_for(sorted, scale, bins);
  auto from = sorted.begin();
  for (std::size_t i = 0; i + 1 < histogram.edges.size(); ++i) {
    const bool is_last = i + 2 == histogram.edges.size();
    const auto to = is_last ? sorted.end() : std::lower_bound(from, sorted.end(), histogram.edges[i + 1]);
    histogram.counts.push_back(to - from);
    from = to;
  }
  return histogram;
}

}  // namespace verilabel
