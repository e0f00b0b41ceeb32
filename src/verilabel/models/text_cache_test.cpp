#include "verilabel/models/text_cache.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;

class TextCacheTest : public testing::Test {
 protected:
  TextCacheTest() : folder_(fs::temp_directory_path() / ("text_cache_test-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
  }
  ~TextCacheTest() override { fs::remove_all(folder_); }

  void fill() const {
    TextCache cache(folder_, "tower");
    cache.add({1, 2}, std::vector<float>{0.6F, 0.8F});
    cache.add({1, 3}, std::vector<float>{1, 0});
    cache.store();
  }
  fs::path file() const { return fs::directory_iterator(folder_)->path(); }
  bool is_empty() const {
    const TextCache cache(folder_, "tower");
    return !cache.find({1, 2}) && !cache.find({1, 3});
  }

  fs::path folder_;
};

TEST_F(TextCacheTest, KeepsWhatItWasGivenForItsTowerAlone) {
  fill();
  const TextCache cache(folder_, "tower");
  ASSERT_TRUE(cache.find({1, 2}));
  EXPECT_THAT(*cache.find({1, 2}), ElementsAre(0.6F, 0.8F));
  EXPECT_THAT(*cache.find({1, 3}), ElementsAre(1, 0));
  EXPECT_FALSE(cache.find({1}));
  EXPECT_FALSE(TextCache(folder_, "another").find({1, 2}));
}

TEST_F(TextCacheTest, ADamagedFileCountsAsEmpty) {
  fill();
  const std::string whole = read_file(file());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      std::ofstream(file(), std::ios::binary) << damaged;
      EXPECT_TRUE(is_empty()) << "bit " << bit << " of byte " << at;
    }
    std::ofstream(file(), std::ios::binary) << whole.substr(0, at);
    EXPECT_TRUE(is_empty()) << "cut at " << at;
  }
  std::ofstream(file(), std::ios::binary) << whole << '\0';
  EXPECT_TRUE(is_empty());
  fill();
  EXPECT_FALSE(is_empty()) << "and is written anew";
}

}  // namespace
}  // namespace verilabel
