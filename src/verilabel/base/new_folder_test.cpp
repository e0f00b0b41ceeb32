#include "verilabel/base/new_folder.h"

#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

class NewFolderTest : public ::testing::Test {
 protected:
  NewFolderTest() {
    std::string pattern = (fs::temp_directory_path() / "verilabel_new_folder_XXXXXX").native();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw io_error("cannot make a folder", pattern, errno);
    }
    scratch_ = pattern;
  }
  ~NewFolderTest() override {
    std::error_code ignored;
    fs::remove_all(scratch_, ignored);
  }

  std::ptrdiff_t entries() const { return std::distance(fs::directory_iterator(scratch_), {}); }

  fs::path scratch_;
};

TEST_F(NewFolderTest, IsAtItsPlaceWithAllInItOnceItIsPutThere) {
  NewFolder folder(scratch_ / "above" / "place" / "");
  write_new_file(folder.path() / "file", "content");
  EXPECT_FALSE(fs::exists(folder.place()));
  folder.put_in_place();
  EXPECT_EQ(folder.place(), scratch_ / "above" / "place");
  EXPECT_EQ(read_file(scratch_ / "above" / "place" / "file"), "content");
}

TEST_F(NewFolderTest, TakesThePlaceOfAnEmptyFolderAndOfNothingElse) {
  fs::create_directory(scratch_ / "empty");
  NewFolder(scratch_ / "empty").put_in_place();
  write_new_file(scratch_ / "empty" / "file", "");
  for (const fs::path& taken : {scratch_ / "empty", scratch_ / "empty" / "file"}) {
    try {
      const NewFolder folder(taken);
      ADD_FAILURE() << taken;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::conflict);
    }
  }
}

TEST_F(NewFolderTest, AnEmptyFolderKeepsItsModeAndALinkToItStays) {
  fs::create_directory(scratch_ / "real");
  fs::permissions(scratch_ / "real", fs::perms::owner_all | fs::perms::group_all);
  fs::create_directory_symlink("real", scratch_ / "link");
  NewFolder folder(scratch_ / "link");
  write_new_file(folder.path() / "file", "content");
  folder.put_in_place();
  EXPECT_TRUE(fs::is_symlink(scratch_ / "link"));
  EXPECT_EQ(read_file(scratch_ / "real" / "file"), "content");
  EXPECT_EQ(fs::status(scratch_ / "real").permissions(), fs::perms::owner_all | fs::perms::group_all);
  fs::create_symlink("nowhere", scratch_ / "dangling");
  EXPECT_THROW(check_new_folder(scratch_ / "dangling"), Error);
}

TEST_F(NewFolderTest, TheFolderThatTheProcessWorksInIsFilledAndNotReplaced) {
  const fs::path before = fs::current_path();
  fs::create_directory(scratch_ / "here");
  fs::current_path(scratch_ / "here");
  {
    const NewFolder given_up(".");
    write_new_file(given_up.path() / "file", "content");
  }
  EXPECT_TRUE(fs::is_empty(scratch_ / "here"));
  {
    NewFolder folder(".");
    make_folder(folder.path() / "images");
    write_new_file(folder.path() / "file", "content");
    folder.put_in_place();
  }
  EXPECT_EQ(read_file("file"), "content");
  EXPECT_TRUE(fs::is_directory("images"));
  EXPECT_EQ(std::distance(fs::directory_iterator("."), {}), 2);
  fs::current_path(before);
}

TEST_F(NewFolderTest, LeavesNothingWhenItIsNotPutInPlace) {
  {
    const NewFolder folder(scratch_ / "place");
    make_folder(folder.path() / "a" / "b");
    write_new_file(folder.path() / "a" / "b" / "file", "content");
    EXPECT_EQ(entries(), 1);
  }
  EXPECT_EQ(entries(), 0);
}

TEST_F(NewFolderTest, AFileThatIsThereIsNotWrittenOver) {
  write_new_file(scratch_ / "file", "first");
  EXPECT_THROW(write_new_file(scratch_ / "file", "second"), Error);
  EXPECT_EQ(read_file(scratch_ / "file"), "first");
}

}  // namespace
}  // namespace verilabel
