#include "verilabel/cli/console.h"

#include <gtest/gtest.h>

namespace verilabel::cli {
namespace {

TEST(Console, ProgressTellsDoneFailedRateAndTimeLeft) {
  // 100 of 500 after 20 s, 20 of which had been there before: 80 in 20 s is 4 a second, 400 left take 100 s.
  EXPECT_EQ(progress_text({"labelling", 97, 3, 500, "images"}, 20, 20),
            "labelling: 97 done, 3 failed of 500 images, 4.0 images/s, 1 min 40 s left");
  EXPECT_EQ(progress_text({"reading", 7, 0, 0, "files"}, 0, 2), "reading: 7 done files, 3.5 files/s");
  EXPECT_EQ(progress_text({"labelling", 0, 0, 10, "images"}, 0, 0), "labelling: 0 done of 10 images");
  EXPECT_EQ(progress_text({"labelling", 10, 0, 10, "images"}, 0, 5), "labelling: 10 done of 10 images, 2.0 images/s");
}

TEST(Console, DurationsRoundUp) {
  EXPECT_EQ(duration_text(7.2), "8 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
}

}  // namespace
}  // namespace verilabel::cli
