#include "verilabel/formats/joined_outline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/progress.h"

namespace verilabel {
namespace {

/// What the outline encloses, by the shoelace formula.
double enclosed(const Polygon& outline) {
  double twice = 0;
  for (std::size_t i = 0; i < outline.size(); i += 2) {
    const std::size_t next = (i + 2) % outline.size();
    twice += outline[i] * outline[next + 1] - outline[next] * outline[i + 1];
  }
  return std::abs(twice) / 2;
}

/// By looking at all pairs of points.
Polygon joined_by_force(const std::vector<Polygon>& parts) {
  Polygon outline = parts.front();
  for (std::size_t p = 1; p < parts.size(); ++p) {
    const Polygon& part = parts[p];
    std::size_t from = 0;
    std::size_t to = 0;
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < part.size(); j += 2) {
      for (std::size_t i = 0; i < outline.size(); i += 2) {
        const double dx = outline[i] - part[j];
        const double dy = outline[i + 1] - part[j + 1];
        if (dx * dx + dy * dy < nearest) {
          nearest = dx * dx + dy * dy;
          from = i;
          to = j;
        }
      }
    }
    Polygon detour;
    for (std::size_t i = 0; i <= part.size(); i += 2) {
      detour.push_back(part[(to + i) % part.size()]);
      detour.push_back(part[(to + i) % part.size() + 1]);
    }
    detour.push_back(outline[from]);
    detour.push_back(outline[from + 1]);
    outline.insert(outline.begin() + static_cast<std::ptrdiff_t>(from + 2), detour.begin(), detour.end());
  }
  return outline;
}

TEST(JoinedOutline, LeadsFromEachPartToTheNearestPoint) {
  std::mt19937 random(5);
  for (const double height : {1.0, 1e-3, 1e6}) {  // of parts that lie far apart, and close together
    std::uniform_real_distribution<double> place(-500, 500);
    std::uniform_real_distribution<double> shift(-20, 20);
    std::vector<Polygon> parts(200);
    for (Polygon& part : parts) {
      const double x = place(random);
      const double y = place(random) * height;
      for (std::size_t points = 3 + random() % 9; points > 0; --points) {
        part.push_back(x + shift(random));
        part.push_back(y + shift(random));
      }
    }
    EXPECT_EQ(joined_outline(parts, {}), joined_by_force(parts)) << height;
  }
}

TEST(JoinedOutline, TakesMasksOfVeryManyParts) {
  std::vector<Polygon> parts;
  constexpr int kSide = 500;
  for (int x = 0; x < kSide; ++x) {
    for (int y = x % 2; y < kSide; y += 2) {
      const double left = x;
      const double top = y;
      parts.push_back({left, top, left + 1, top, left + 1, top + 1, left, top + 1});
    }
  }
  const Polygon outline = joined_outline(parts, {});
  EXPECT_EQ(outline.size(), 2 * (4 * parts.size() + 2 * (parts.size() - 1)));
  EXPECT_EQ(enclosed(outline), static_cast<double>(parts.size()));
}

TEST(JoinedOutline, TakesPartsWhereverTheyLie) {
  constexpr double kFar = std::numeric_limits<double>::max();
  EXPECT_EQ(joined_outline(std::vector<Polygon>{{1, 2, 3, 4, 5, 7}}, {}), (Polygon{1, 2, 3, 4, 5, 7}));
  const std::vector<std::vector<Polygon>> cases = {
      {{1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}},
      {{0, 0, 1, 0, 2, 0}, {7, 0, 8, 0, 9, 0}},
      {{0, 0, 0, 1e-300, 0, 2e-300}, {1e-300, 0, 0, 0, 1e-300, 1e-300}},
      {{-kFar, 0, -kFar, 1, -kFar, 2}, {kFar, 0, kFar, kFar, 0, -kFar}},
  };
  for (const std::vector<Polygon>& parts : cases) {
    EXPECT_EQ(joined_outline(parts, {}).size(), 16U);
  }
}

TEST(JoinedOutline, StopsWhenAsked) {
  CancelToken cancel;
  cancel.request();
  WriteOptions options;
  options.cancel = &cancel;
  const std::vector<Polygon> parts(2, {0, 0, 1, 0, 1, 1});
  EXPECT_THROW(joined_outline(parts, options), Error);
}

}  // namespace
}  // namespace verilabel
