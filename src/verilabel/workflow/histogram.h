#pragma once

#include <cstdint>
#include <vector>

namespace verilabel {

/// How often values lie between edges: `counts[i]` from `edges[i]` up to, but not including, `edges[i + 1]`; the last bin holds its
/// upper edge too. Every value is in a bin. Without values there are neither edges nor counts.
struct Histogram {
  std::vector<double> edges;
  std::vector<std::int64_t> counts;
  std::int64_t values = 0;
  std::int64_t absent = 0;  ///< rows without a value
};

enum class HistogramScale : std::uint8_t {
  linear,       ///< bins of one width, from the least value to the largest
  from_zero,    ///< the same, from 0 when no value is negative
  unit,         ///< bins of one width from 0 to 1, unless a value lies outside: then as `linear`
  whole,        ///< for counts: bins of one whole width, from 0
  logarithmic,  ///< for what spans decades: edges of one ratio, the first bin from 0
};

/// `bins` at most, at least one. NaN counts as absent; values that are all the same make one bin.
Histogram histogram_of(const std::vector<double>& values, HistogramScale scale, int bins);

}  // namespace verilabel
