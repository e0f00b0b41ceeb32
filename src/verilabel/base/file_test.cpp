#include "verilabel/base/file.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

class File : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("verilabel-file-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(File, ReplaceIsReadBack) {
  const std::string content("a\0b\xff", 4);
  replace_file(folder_ / "f", content);
  EXPECT_EQ(read_file(folder_ / "f"), content);
  const auto mapped = MappedFile::open(folder_ / "f");
  EXPECT_EQ(mapped.bytes().size(), 4U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "no temporary file is left";
}

TEST_F(File, AFailedReplaceLeavesTheOldFileAndNoTemporary) {
  replace_file(folder_ / "f", "old");
  EXPECT_THROW(replace_file(folder_ / "f", [](int) { throw Error(ErrorCode::io, "disk full"); }), Error);
  EXPECT_EQ(read_file(folder_ / "f"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(File, AReplacementIsMadeWhereItIsWanted) {
  fs::create_directories(folder_ / "shown");
  fs::create_directories(folder_ / "made");
  const auto files_in = [&](const char* name) { return std::distance(fs::directory_iterator(folder_ / name), {}); };
  replace_file(
      folder_ / "shown" / "f",
      [&](int) {
        EXPECT_EQ(files_in("shown"), 0);
        EXPECT_EQ(files_in("made"), 1);
      },
      folder_ / "made");
  EXPECT_EQ(files_in("shown"), 1);
  EXPECT_EQ(files_in("made"), 0);
}

TEST_F(File, ErrorsSayWhichFile) {
  const auto code_of = [](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_FALSE(error.context().empty());
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of([&] { read_file(folder_ / "none"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { read_file(folder_); }), ErrorCode::wrong_use);
  EXPECT_EQ(code_of([&] { replace_file(folder_ / "no/folder/f", "x"); }), ErrorCode::not_found);
  replace_file(folder_ / "f", "12345");
  EXPECT_EQ(code_of([&] { read_file(folder_ / "f", 4); }), ErrorCode::bad_data);
}

TEST_F(File, EmptyFilesMap) {
  replace_file(folder_ / "f", "");
  EXPECT_TRUE(MappedFile::open(folder_ / "f").bytes().empty());
}

TEST_F(File, ALockIsHeldOnceAndFreedWithItsOwner) {
  auto lock = FileLock::try_acquire(folder_ / "l");
  ASSERT_TRUE(lock);
  EXPECT_FALSE(FileLock::try_acquire(folder_ / "l"));
  EXPECT_TRUE(FileLock::is_held(folder_ / "l"));
  lock.reset();
  EXPECT_FALSE(FileLock::is_held(folder_ / "l"));
  EXPECT_FALSE(FileLock::is_held(folder_ / "none"));
  EXPECT_TRUE(FileLock::try_acquire(folder_ / "l"));
}

TEST_F(File, Sha256OfKnownText) {
  replace_file(folder_ / "f", "abc");  // FIPS 180-4, example of one block
  EXPECT_EQ(sha256_of_file(folder_ / "f"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(File, HashingTellsHowFarItIsAndCanBeEnded) {
  replace_file(folder_ / "f", std::string((2 << 20) + 5, 'a'));
  std::uint64_t told = 0;
  with_file(Digest(Digest::Kind::sha256), folder_ / "f", [&](std::uint64_t bytes) {
    EXPECT_GT(bytes, told);
    told = bytes;
  });
  EXPECT_EQ(told, (2U << 20) + 5U);
  const auto end = [](std::uint64_t) { throw Error(ErrorCode::interrupted, "enough"); };
  EXPECT_THROW(with_file(Digest(Digest::Kind::sha256), folder_ / "f", end), Error);
}

}  // namespace
}  // namespace verilabel
