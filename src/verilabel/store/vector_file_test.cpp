#include "verilabel/store/vector_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class VectorFile : public testing::Test {
 protected:
  VectorFile() {
    std::string name = (fs::temp_directory_path() / "verilabel-vectors-XXXXXX").native();
    project_ = ::mkdtemp(name.data());
  }
  ~VectorFile() override { fs::remove_all(project_); }

  static VectorHeader header(std::size_t dimensions = 3) {
    return {"clip", VectorSubject::samples, "clip-vit", "abc", "image_embeds", dimensions};
  }
  static std::vector<float> row_of(std::int64_t id, std::size_t dimensions = 3) {
    std::vector<float> row(dimensions);
    for (std::size_t i = 0; i < dimensions; ++i) {
      row[i] = static_cast<float>(id) + 0.25F * static_cast<float>(i);
    }
    return row;
  }
  void expect_rows(std::int64_t first, std::int64_t last, std::size_t dimensions = 3) const {
    const Vectors vectors = open_vectors(project_, "clip");
    ASSERT_EQ(vectors.size(), static_cast<std::size_t>(last - first + 1));
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      EXPECT_EQ(vectors.ids()[i], first + static_cast<std::int64_t>(i));
      const std::vector<float> expected = row_of(vectors.ids()[i], dimensions);
      EXPECT_TRUE(std::ranges::equal(vectors.row(i), expected));
    }
  }
  fs::path file() const { return project_ / "vectors" / "clip.vectors"; }
  template <typename Action>
  static std::string fault(ErrorCode code, const Action& action) {
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  fs::path project_;
};

TEST_F(VectorFile, RowsComeBackAndMoreAreAdded) {
  for (const std::size_t dimensions : {1U, 3U, 512U}) {
    fs::remove_all(project_ / "vectors");
    {
      VectorWriter writer(project_, header(dimensions));
      for (std::int64_t id = 1; id <= 5; ++id) {
        writer.add(id, row_of(id, dimensions));
      }
      writer.add(3, row_of(99, dimensions));
      writer.flush();
    }
    expect_rows(1, 5, dimensions);
    {
      VectorWriter writer(project_, header(dimensions));
      EXPECT_TRUE(writer.has(5));
      EXPECT_FALSE(writer.has(6));
      writer.add(6, row_of(6, dimensions));
      writer.flush();
    }
    expect_rows(1, 6, dimensions);
    EXPECT_EQ(open_vectors(project_, "clip").header(), header(dimensions));
  }
  EXPECT_THAT(vector_keys(project_), ElementsAre("clip"));
}

TEST_F(VectorFile, WhatAKilledProcessLeftIsCutOff) {
  const pid_t child = ::fork();
  if (child == 0) {
    VectorWriter writer(project_, header(100));
    for (std::int64_t id = 1;; ++id) {
      writer.add(id, row_of(id, 100));
    }
  }
  while (!fs::exists(file()) || fs::file_size(file()) < 3'000'000) {
    ::usleep(1000);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  fs::resize_file(file(), fs::file_size(file()) - 7);
  const auto there = static_cast<std::int64_t>(open_vectors(project_, "clip").size());
  EXPECT_GT(there, 1000);
  expect_rows(1, there, 100);
  {
    VectorWriter writer(project_, header(100));
    EXPECT_EQ(writer.size(), static_cast<std::size_t>(there));
    writer.add(there + 1, row_of(there + 1, 100));
    writer.flush();
  }
  expect_rows(1, there + 1, 100);
}

TEST_F(VectorFile, VectorsOfAnotherModelAreKeptApart) {
  {
    VectorWriter(project_, header()).flush();
  }
  const auto with = [](auto change) {
    VectorHeader other = header();
    change(other);
    return other;
  };
  const auto refused = [&](const VectorHeader& other) {
    return fault(ErrorCode::conflict, [&] { VectorWriter(project_, other).flush(); });
  };
  EXPECT_THAT(refused(with([](auto& other) { other.weights_sha256 = "def"; })), HasSubstr("choose another name"));
  EXPECT_THAT(refused(with([](auto& other) { other.method = "mean"; })), HasSubstr("image_embeds"));
  EXPECT_THAT(refused(with([](auto& other) { other.dimensions = 4; })), HasSubstr("3 dimensions"));
  EXPECT_THAT(refused(with([](auto& other) { other.subject = VectorSubject::labels; })), HasSubstr("of samples"));
  EXPECT_NO_THROW(VectorWriter(project_, with([](auto& other) { other.model = "elsewhere/clip-vit"; })).flush());
  const VectorWriter writer(project_, header());
  EXPECT_THAT(refused(header()), HasSubstr("another process"));
}

TEST_F(VectorFile, FaultyFilesAndNamesAreRefused) {
  EXPECT_THAT(fault(ErrorCode::not_found, [&] { open_vectors(project_, "clip"); }), HasSubstr("verilabel embed"));
  {
    VectorWriter(project_, header()).flush();
  }
  EXPECT_THAT(fault(ErrorCode::not_found, [&] { open_vectors(project_, "dino"); }), HasSubstr("there are: clip"));
  for (const char* key : {"", "a/b", "..", "a b"}) {
    EXPECT_THAT(fault(ErrorCode::wrong_use, [&] { open_vectors(project_, key); }), HasSubstr("is no name for vectors"));
  }
  for (const char* content : {"", "no JSON\n", "{}\n", "{\"verilabel_vectors\":1}\n", "{\"verilabel_vectors\":2}\n"}) {
    std::ofstream(file(), std::ios::trunc) << content;
    EXPECT_THAT(fault(ErrorCode::bad_data, [&] { open_vectors(project_, "clip"); }), HasSubstr("no file of vectors"));
  }
  std::ofstream(file(), std::ios::trunc)
      << R"({"verilabel_vectors":1,"key":"clip","subject":"samples","model":"","weights_sha256":"","method":"","dimensions":0})"
      << '\n';
  EXPECT_THAT(fault(ErrorCode::bad_data, [&] { open_vectors(project_, "clip"); }), HasSubstr("0 dimensions"));
}

TEST_F(VectorFile, ARowOfAnotherLengthIsRefused) {
  VectorWriter writer(project_, header());
  EXPECT_THAT(fault(ErrorCode::bad_model, [&] { writer.add(1, row_of(1, 4)); }), HasSubstr("4 numbers"));
}

}  // namespace
}  // namespace verilabel
