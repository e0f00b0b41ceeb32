#include "verilabel/hub/download.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

const RepositoryId kRepository{"org/name"};
const std::string kCommit(40, 'c');
// SHA-256 of "weights".
const HubFile kGraph{"model.onnx", 7, "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c", false};

class DownloadTest : public testing::Test {
 protected:
  DownloadTest() : folder_(fs::temp_directory_path() / ("download_test-" + std::to_string(::getpid()))), cache_(folder_) {
    fs::remove_all(folder_);
    cache_.prepare(kRepository);
  }
  ~DownloadTest() override { fs::remove_all(folder_); }

  fs::path folder_;
  HubCache cache_;
  CancelToken cancel_;
};

/// Where hashing was stopped.
std::string stopped_at(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code() == ErrorCode::interrupted && !error.context().empty() ? error.context()[0].second : error.what();
  }
  return "nowhere";
}

TEST_F(DownloadTest, HashingSaysHowFarItIs) {
  std::ofstream(cache_.blob(kRepository, kGraph.hash)) << "weights";
  std::string told;
  const ProgressSink progress = [&](const Progress& now) {
    told = std::string(now.stage) + " " + std::to_string(now.done) + " of " + std::to_string(now.total);
  };
  EXPECT_TRUE(has_content(cache_, kRepository, kCommit, kGraph, true, progress, cancel_));
  EXPECT_EQ(told, "hashing 7 of 7");
}

TEST_F(DownloadTest, HashingCanBeInterrupted) {
  const fs::path blob = cache_.blob(kRepository, kGraph.hash);
  std::ofstream(blob) << "weights";
  cancel_.request();
  EXPECT_TRUE(has_content(cache_, kRepository, kCommit, kGraph, false, {}, cancel_));
  EXPECT_EQ(stopped_at([&] { has_content(cache_, kRepository, kCommit, kGraph, true, {}, cancel_); }), blob.native());
}

TEST_F(DownloadTest, APartThatIsHashedToGoOnWithIsKeptWhenThatIsInterrupted) {
  const fs::path part = cache_.partial_blob(kRepository, kGraph.hash);
  std::ofstream(part) << "wei";
  const HubSettings settings;
  const ProgressSink progress;
  HubClient client(settings, progress, cancel_);
  cancel_.request();
  EXPECT_EQ(stopped_at([&] { download(client, cache_, kRepository, kCommit, kGraph, false, {}); }), part.native());
  EXPECT_EQ(read_file(part), "wei");
}

}  // namespace
}  // namespace verilabel
