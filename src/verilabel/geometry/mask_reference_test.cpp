// Boxes and masks against pycocotools on random input, which mask_reference.py makes and answers.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

constexpr const char* kPython = VERILABEL_VENV "/bin/python";
constexpr const char* kScript = VERILABEL_SOURCE_DIR "/src/verilabel/geometry/mask_reference.py";
constexpr int kMissing = 77;

struct Answers {
  int exit_status = -1;
  std::string text;
};

Answers reference_answers(int seed, int cases) {
  const std::string command =
      std::string("'") + kPython + "' '" + kScript + "' " + std::to_string(seed) + " " + std::to_string(cases);
  Answers answers;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    return answers;
  }
  std::array<char, 65536> part = {};
  for (std::size_t size = 0; (size = std::fread(part.data(), 1, part.size(), pipe)) > 0;) {
    answers.text.append(part.data(), size);
  }
  const int status = ::pclose(pipe);
  answers.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return answers;
}

class Words {
 public:
  explicit Words(const std::string& line) : stream_(line) {}
  std::string text() {
    std::string word;
    stream_ >> word;
    return word;
  }
  double number() { return std::strtod(text().c_str(), nullptr); }
  std::uint32_t count() { return static_cast<std::uint32_t>(std::stoul(text())); }
  Box box() { return {number(), number(), number(), number()}; }

 private:
  std::istringstream stream_;
};

void compare_boxes(Words words) {
  const Box a = words.box();
  const Box b = words.box();
  EXPECT_EQ(iou(a, b), words.number());
  EXPECT_EQ(intersection_over_detection(a, b), words.number());
}

void compare_polygons(Words words) {
  const std::uint32_t height = words.count();
  const std::uint32_t width = words.count();
  std::vector<Polygon> polygons(words.count());
  for (Polygon& polygon : polygons) {
    polygon.resize(words.count());
    for (double& number : polygon) {
      number = words.number();
    }
  }
  const Rle rle = rle_from_polygons(polygons, height, width);
  EXPECT_EQ(coco_string_from_rle(rle), words.text());
  EXPECT_EQ(area(rle), words.count());
  EXPECT_EQ(tight_box(rle), words.box());
}

void compare_masks(Words words) {
  const std::uint32_t height = words.count();
  const std::uint32_t width = words.count();
  const Rle a = rle_from_coco_string(words.text(), height, width);
  const Rle b = rle_from_coco_string(words.text(), height, width);
  EXPECT_EQ(coco_string_from_rle(union_of(std::vector{a, b})), words.text());
  EXPECT_EQ(rle_from_bitmap(bitmap_from_rle(a), height, width), a);
  EXPECT_EQ(iou(a, b), words.number());
  EXPECT_EQ(intersection_over_detection(a, b), words.number());
}

TEST(MaskReference, SameAnswersAsPycocotools) {
  constexpr int cases = 3000;
  const Answers answers = reference_answers(20, cases);
  if (answers.exit_status == kMissing || answers.exit_status == 127) {
    GTEST_SKIP() << kPython << " has no pycocotools: " << answers.text;
  }
  ASSERT_EQ(answers.exit_status, 0);
  std::istringstream lines(answers.text);
  int compared = 0;
  for (std::string line; std::getline(lines, line) && !HasFailure(); ++compared) {
    SCOPED_TRACE(line.substr(0, 2000));
    Words words(line);
    const std::string kind = words.text();
    if (kind == "boxes") {
      compare_boxes(std::move(words));
    } else if (kind == "polygons") {
      compare_polygons(std::move(words));
    } else {
      ASSERT_EQ(kind, "masks");
      compare_masks(std::move(words));
    }
  }
  EXPECT_EQ(compared, 3 * cases);
}

}  // namespace
}  // namespace verilabel
