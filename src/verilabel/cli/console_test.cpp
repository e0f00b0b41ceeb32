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

TEST(Console, BytesAreToldInThousands) {
  // 30 of 40 MB after 10 s: 3 MB a second, 10 MB left take 4 s.
  EXPECT_EQ(progress_text({"downloading", 30'000'000, 0, 40'000'000, "bytes"}, 0, 10),
            "downloading: 30.0 MB done of 40.0 MB, 3.0 MB/s, 4 s left");
  EXPECT_EQ(bytes_text(999), "999 bytes");
  EXPECT_EQ(bytes_text(1'250), "1.2 kB");
  EXPECT_EQ(bytes_text(2'500'000'000), "2.5 GB");
  EXPECT_EQ(bytes_text(9e15), "9000.0 TB");
}

TEST(Console, DurationsRoundUp) {
  EXPECT_EQ(duration_text(7.2), "8 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
}

}  // namespace
}  // namespace verilabel::cli
