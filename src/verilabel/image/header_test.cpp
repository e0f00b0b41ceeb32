#include "verilabel/image/header.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/image/testing_data.h"

namespace verilabel {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

ErrorCode code_of(const std::string& content) {
  try {
    read_header(bytes_of(content));
  } catch (const Error& error) {
    EXPECT_FALSE(error.message().empty());
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::internal;
}

/// A bitmap header of 3 x 2 pixels.
std::string bmp_header(int header_bytes) {
  std::string content(54, '\0');
  content.replace(0, 2, "BM");
  content[14] = static_cast<char>(header_bytes);
  content[18] = 3;
  content[22] = 2;
  return content;
}

TEST(Header, CandidatesAreKnownByContentOrName) {
  const std::string jpeg = "\xFF\xD8\xFF\xE0 and more of it";
  EXPECT_TRUE(is_image_candidate("photo", bytes_of(jpeg)));
  EXPECT_TRUE(is_image_candidate("notes.txt", bytes_of(jpeg)));
  EXPECT_TRUE(is_image_candidate("photo.JPG", bytes_of("nonsense")));
  EXPECT_TRUE(is_image_candidate("photo.tif", {}));
  EXPECT_TRUE(is_image_candidate("icon", bytes_of("qoif and more")));
  EXPECT_FALSE(is_image_candidate("LICENSE", bytes_of("BMW is no bitmap, and this is a text file")));
  EXPECT_FALSE(is_image_candidate("labels.xml", bytes_of("<annotation>")));
  EXPECT_FALSE(is_image_candidate(".jpg", {})) << "a hidden file without an extension";
  EXPECT_FALSE(is_image_candidate("", {}));
  const std::string apple_double("\0\5\x16\7\0\2\0\0Mac OS X", 16);
  EXPECT_FALSE(is_image_candidate("a/._photo.jpg", bytes_of(apple_double)));
  EXPECT_TRUE(is_image_candidate("a/._photo.jpg", bytes_of("nonsense")));
  EXPECT_TRUE(is_image_candidate("a/photo.jpg", bytes_of(apple_double)));
}

TEST(Header, BrokenHeadersSayWhatIsWrong) {
  EXPECT_EQ(code_of(""), ErrorCode::bad_data);
  EXPECT_EQ(code_of("hello, this is text"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("GIF89a...................."), ErrorCode::unsupported);
  EXPECT_EQ(code_of("qoif......................"), ErrorCode::unsupported);
  EXPECT_EQ(code_of("\xFF\xD8\xFF"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("\xFF\xD8\xFF\xD9 and nothing else"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("\x89PNG\r\n\x1A\n and then no chunk at all, only text"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("P6\nwide high 255\n"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("P6\n12"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("P6\n0 4 255\n"), ErrorCode::bad_data);
  EXPECT_EQ(code_of("P6\n99999999999999999999 4 255\n"), ErrorCode::bad_data);
  EXPECT_EQ(code_of(bmp_header(20)), ErrorCode::bad_data);
}

TEST(Header, SizesAreRead) {
  const ImageHeader bmp = read_header(bytes_of(bmp_header(40)));
  EXPECT_EQ(bmp.format, ImageFormat::bmp);
  EXPECT_EQ(bmp.width, 3);
  EXPECT_EQ(bmp.height, 2);
  EXPECT_EQ(bmp.file_bytes, 54U);
  const ImageHeader pnm = read_header(bytes_of("P5 # a comment\n# another\n 17\t4\n255\n"));
  EXPECT_EQ(pnm.format, ImageFormat::pnm);
  EXPECT_EQ(pnm.width, 17);
  EXPECT_EQ(pnm.height, 4);
}

TEST(Header, WhatIsNoFileIsAnError) {
  const TemporaryFolder folder;
  const auto code_at = [](const std::filesystem::path& path) {
    try {
      read_header(path);
    } catch (const Error& error) {
      EXPECT_FALSE(error.context().empty()) << "the path belongs into the context";
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_at(folder.path() / "missing.jpg"), ErrorCode::not_found);
  EXPECT_EQ(code_at(folder.path()), ErrorCode::io);
  const std::filesystem::path pipe = folder.path() / "pipe.jpg";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(code_at(pipe), ErrorCode::io) << "and does not wait for a writer";
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root may read every file, so the protected one is not tried";
  }
  const std::filesystem::path secret = folder.path() / "secret.jpg";
  replace_file(secret, "\xFF\xD8\xFF");
  ASSERT_EQ(::chmod(secret.c_str(), 0), 0);
  EXPECT_EQ(code_at(secret), ErrorCode::io);
}

}  // namespace
}  // namespace verilabel
