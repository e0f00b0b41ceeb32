#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace verilabel::demo {

/// Numbers that are the same on every machine, which those of the standard library's distributions are not: xoshiro256** (Blackman
/// and Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47, 2021), its state filled by SplitMix64 (Steele, Lea
/// and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
class Random {
 public:
  /// Generators of different `stream` or `item` are independent, whatever the order they are used in.
  /// Never take two numbers in one call or one sum: C++ leaves open which comes first.
  explicit Random(std::uint64_t seed, std::uint64_t item = 0, std::uint64_t stream = 0);

  std::uint64_t next();
  /// In [0, 1), a multiple of 2^-53.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Below `count`, which is not 0.
  std::size_t below(std::size_t count);
  /// From `low` to `high`, both included.
  int integer(int low, int high) { return low + static_cast<int>(below(static_cast<std::size_t>(high - low) + 1)); }
  bool chance(double probability) { return uniform() < probability; }
  /// Nearly normal, mean 0 and deviation 1, within ±6: twelve uniform numbers added up, because logarithms and cosines differ in
  /// their last bit from one C library to the next.
  double normal();
  /// An index with the probability that its weight has in the sum, which is above 0.
  std::size_t weighted(std::span<const double> weights);
  template <typename T, std::size_t Size>
  const T& pick(const std::array<T, Size>& items) {
    return items[below(Size)];
  }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace verilabel::demo
