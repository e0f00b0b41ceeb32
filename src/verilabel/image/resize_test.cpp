#include "verilabel/image/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "verilabel/base/file.h"
#include "verilabel/image/testing_data.h"

namespace verilabel {
namespace {

constexpr const char* kPillowNames[] = {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"};
constexpr const char* kOpencvNames[] = {"nearest", "linear", "cubic", "area"};

struct Case {
  bool is_pillow;
  int method;
  Image source;
  int width;
  int height;
};

struct Difference {
  int greatest = 0;
  std::size_t differing = 0;
  std::size_t values = 0;
};

/// Noise, or noise of black and white alone, which drives the kernels with negative lobes out of range.
Image random_image(std::mt19937& random, int width, int height) {
  Image image(width, height);
  const bool is_extreme = random() % 2 == 0;
  for (std::uint8_t& pixel : image.pixels()) {
    pixel = static_cast<std::uint8_t>(is_extreme ? (random() % 2) * 255 : random());
  }
  return image;
}

/// Runs all cases through the reference at once; one difference a case.
std::vector<Difference> compare(const std::string& python, const std::vector<Case>& cases) {
  const TemporaryFolder folder;
  std::string listing;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& item = cases[i];
    listing += std::string(item.is_pillow ? "pillow " : "opencv ") + (item.is_pillow ? kPillowNames : kOpencvNames)[item.method];
    for (const int number : {item.source.width(), item.source.height(), item.width, item.height}) {
      listing += ' ' + std::to_string(number);
    }
    listing += '\n';
    const auto pixels = item.source.pixels();
    replace_file(folder.path() / ("IN-" + std::to_string(i) + ".bgr"),
                 {reinterpret_cast<const char*>(pixels.data()), pixels.size()});
  }
  replace_file(folder.path() / "cases.txt", listing);
  const std::string command =
      "'" + python + "' '" VERILABEL_SOURCE_DIR "/src/verilabel/image/reference_pixels.py' resize '" + folder.path().native() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::vector<Difference> differences;
  Image result;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& item = cases[i];
    if (item.is_pillow) {
      resize_pillow(item.source, item.width, item.height, static_cast<PillowFilter>(item.method), result);
    } else {
      resize_opencv(item.source, item.width, item.height, static_cast<OpencvInterpolation>(item.method), result);
    }
    const std::string expected = read_file(folder.path() / ("OUT-" + std::to_string(i) + ".bgr"));
    Difference difference;
    EXPECT_EQ(expected.size(), result.pixels().size());
    difference.values = std::min(expected.size(), result.pixels().size());
    for (std::size_t k = 0; k < difference.values; ++k) {
      const int delta = std::abs(static_cast<int>(static_cast<std::uint8_t>(expected[k])) - static_cast<int>(result.pixels()[k]));
      difference.greatest = std::max(difference.greatest, delta);
      difference.differing += delta != 0 ? 1 : 0;
    }
    differences.push_back(difference);
  }
  return differences;
}

TEST(Resize, PillowBitForBit) {
  const auto python = python_with("PIL,cv2,numpy");
  if (!python) {
    GTEST_SKIP() << "no Pillow in " << VERILABEL_VENV;
  }
  std::mt19937 random(7);
  const std::vector<std::array<int, 4>> fixed = {
      {1, 1, 9, 7},     {640, 480, 224, 224}, {500, 375, 320, 240}, {31, 17, 31, 40},   {31, 17, 12, 17},     {31, 17, 31, 17},
      {3, 900, 5, 2},   {900, 3, 2, 5},       {333, 251, 640, 1},   {1, 400, 100, 100}, {640, 427, 518, 518}, {3, 300, 30, 20},
      {3, 301, 30, 20}, {3, 301, 30, 300},    {3, 301, 30, 301},    {3, 301, 30, 320},  {2, 201, 300, 200},   {3, 2000, 224, 224}};
  std::vector<Case> cases;
  for (int filter = 0; filter < 6; ++filter) {
    for (const auto& [width, height, new_width, new_height] : fixed) {
      cases.push_back({true, filter, random_image(random, width, height), new_width, new_height});
    }
    for (int i = 0; i < 40; ++i) {
      const auto side = [&](unsigned most) { return static_cast<int>(1 + random() % most); };
      const int width = side(200);
      const int height = side(200);
      cases.push_back({true, filter, random_image(random, width, height), side(250), side(250)});
    }
  }
  const std::vector<Difference> differences = compare(*python, cases);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(differences[i].differing, 0U) << kPillowNames[cases[i].method] << ' ' << cases[i].source.width() << " x "
                                            << cases[i].source.height() << " to " << cases[i].width << " x " << cases[i].height
                                            << ", greatest difference " << differences[i].greatest;
  }
}

/// The reference is a newer OpenCV than the one that is linked: nearest must agree exactly, and the others to one grey level.
TEST(Resize, OpencvAgreesWithItsPythonPackage) {
  const auto python = python_with("PIL,cv2,numpy");
  if (!python) {
    GTEST_SKIP() << "no OpenCV in " << VERILABEL_VENV;
  }
  std::mt19937 random(8);
  std::vector<Case> cases;
  for (int method = 0; method < 4; ++method) {
    for (int i = 0; i < 30; ++i) {
      const auto side = [&] { return static_cast<int>(1 + random() % 200); };
      const int width = side();
      const int height = side();
      cases.push_back({false, method, random_image(random, width, height), side(), side()});
    }
  }
  const std::vector<Difference> differences = compare(*python, cases);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const bool is_nearest = cases[i].method == static_cast<int>(OpencvInterpolation::nearest);
    EXPECT_LE(differences[i].greatest, is_nearest ? 0 : 1)
        << kOpencvNames[cases[i].method] << ' ' << cases[i].source.width() << " x " << cases[i].source.height() << " to "
        << cases[i].width << " x " << cases[i].height << ": " << differences[i].differing << " of " << differences[i].values
        << " values differ";
  }
}

}  // namespace
}  // namespace verilabel
