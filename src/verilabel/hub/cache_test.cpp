#include "verilabel/hub/cache.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/hub/locate.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::IsEmpty;

const RepositoryId kRepository{"org/name"};
const std::string kCommit(40, 'c');
// git's hash of "hello\n", and SHA-256 of "weights".
const HubFile kConfig{"config.json", 6, "ce013625030ba8dba906f756967f9e9ca394464a", true};
const HubFile kGraph{"onnx/model.onnx", 7, "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c", false};

class HubCacheTest : public testing::Test {
 protected:
  HubCacheTest() : folder_(fs::temp_directory_path() / ("hub_cache_test-" + std::to_string(::getpid()))), cache_(folder_) {
    fs::remove_all(folder_);
    cache_.prepare(kRepository);
  }
  ~HubCacheTest() override { fs::remove_all(folder_); }

  void put_blob(const HubFile& file, std::string_view content) { std::ofstream(cache_.blob(kRepository, file.hash)) << content; }

  void put_model() {
    put_blob(kConfig, "hello\n");
    put_blob(kGraph, "weights");
    cache_.link(kRepository, kCommit, kConfig);
    cache_.link(kRepository, kCommit, kGraph);
    cache_.set_revision(kRepository, "main", kCommit);
  }

  Environment environment() const {
    return [folder = folder_.native()](const char* name) {
      return name == std::string_view("HF_HUB_CACHE") ? std::optional(folder) : std::nullopt;
    };
  }

  fs::path folder_;
  HubCache cache_;
};

TEST_F(HubCacheTest, LiesWhereHuggingFaceLooks) {
  put_model();
  const fs::path repository = folder_ / "models--org--name";
  EXPECT_EQ(read_file(repository / "refs" / "main"), kCommit);
  EXPECT_EQ(fs::read_symlink(repository / "snapshots" / kCommit / "config.json"), "../../blobs/" + kConfig.hash);
  EXPECT_EQ(fs::read_symlink(repository / "snapshots" / kCommit / "onnx" / "model.onnx"), "../../../blobs/" + kGraph.hash);
  EXPECT_EQ(cache_.partial_blob(kRepository, "abc"), repository / "blobs" / "abc.incomplete");
  EXPECT_EQ(cache_.lock_of_blob(kRepository, "abc"), folder_ / ".locks" / "models--org--name" / "abc.lock");
  EXPECT_TRUE(read_file(folder_ / "CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
  cache_.note_absent(kRepository, kCommit, "tokenizer.json");
  EXPECT_EQ(fs::file_size(repository / ".no_exist" / kCommit / "tokenizer.json"), 0U);
  cache_.set_revision(kRepository, "refs/pr/1", kCommit);
  EXPECT_EQ(read_file(repository / "refs" / "refs" / "pr" / "1"), kCommit);
}

// A killed program leaves what it was writing: never where huggingface_hub would take it for something.
TEST_F(HubCacheTest, NothingIsMadeWhereOthersList) {
  put_model();
  const fs::path repository = folder_ / "models--org--name";
  fs::remove_all(repository / "blobs");
  const auto path_of = [](const auto& put) {
    try {
      put();
    } catch (const Error& error) {
      return error.context().at(0).second;
    }
    return std::string("no error");
  };
  // Without the folder in which files are made none can be put anywhere.
  EXPECT_EQ(path_of([&] { cache_.set_revision(kRepository, "v1", kCommit); }), (repository / "refs" / "v1").native());
  EXPECT_EQ(path_of([&] { cache_.note_absent(kRepository, kCommit, "a.json"); }),
            (repository / ".no_exist" / kCommit / "a.json").native());
}

TEST_F(HubCacheTest, WhatAKilledProgramLeftAmongReferencesIsRemoved) {
  put_model();
  const fs::path refs = folder_ / "models--org--name" / "refs";
  fs::create_directories(refs / "refs" / "pr");
  for (const char* name : {"main.a1B2c3", "refs/pr/1.ZZZZZZ", "main.a1B2c", "v1.a-B2c3"}) {
    std::ofstream(refs / name) << kCommit.substr(0, 10);
  }
  std::ofstream(refs / "release.202401") << kCommit;  // a branch may be called so
  fs::remove(folder_ / "CACHEDIR.TAG");
  cache_.prepare(kRepository);
  EXPECT_FALSE(fs::exists(refs / "main.a1B2c3") || fs::exists(refs / "refs/pr/1.ZZZZZZ"));
  for (const char* name : {"main", "main.a1B2c", "v1.a-B2c3", "release.202401"}) {
    EXPECT_TRUE(fs::exists(refs / name)) << name;
  }
  EXPECT_TRUE(fs::exists(folder_ / "CACHEDIR.TAG"));
}

TEST_F(HubCacheTest, ShowsItsSnapshots) {
  put_model();
  cache_.set_revision(kRepository, "v1", kCommit);
  fs::create_directories(folder_ / "datasets--org--name" / "snapshots" / kCommit);
  fs::create_directories(folder_ / "models--org--name" / "snapshots" / "no-commit");
  const auto snapshots = cache_.snapshots();
  ASSERT_EQ(snapshots.size(), 1U);
  EXPECT_EQ(snapshots[0].repository, kRepository);
  EXPECT_EQ(snapshots[0].commit, kCommit);
  EXPECT_THAT(snapshots[0].revisions, ElementsAre("main", "v1"));
  EXPECT_THAT(snapshots[0].files, ElementsAre("config.json", "onnx/model.onnx"));
  EXPECT_EQ(snapshots[0].size, 13U);
  EXPECT_TRUE(HubCache(folder_ / "nowhere").snapshots().empty());
}

TEST_F(HubCacheTest, ALinkThatLeadsElsewhereIsReplaced) {
  put_model();
  HubFile newer = kConfig;
  newer.hash = std::string(40, 'd');
  put_blob(newer, "HELLO\n");
  cache_.link(kRepository, kCommit, newer);
  cache_.link(kRepository, kCommit, newer);
  EXPECT_EQ(read_file(cache_.snapshot_folder(kRepository, kCommit) / "config.json"), "HELLO\n");
  fs::remove(cache_.blob(kRepository, newer.hash));  // a link that leads nowhere
  cache_.link(kRepository, kCommit, kConfig);
  EXPECT_EQ(read_file(cache_.snapshot_folder(kRepository, kCommit) / "config.json"), "hello\n");
}

TEST_F(HubCacheTest, WithoutLinksASnapshotHoldsTheFiles) {
  const HubCache plain(folder_, false);
  put_blob(kConfig, "hello\n");
  plain.link(kRepository, kCommit, kConfig);
  plain.link(kRepository, kCommit, kConfig);
  const fs::path place = plain.snapshot_folder(kRepository, kCommit) / "config.json";
  EXPECT_FALSE(fs::is_symlink(place));
  EXPECT_EQ(read_file(place), "hello\n");
  fs::remove(cache_.blob(kRepository, kConfig.hash));  // as huggingface_hub leaves it there
  EXPECT_EQ(plain.find_content(kRepository, kCommit, kConfig), place);
  plain.link(kRepository, kCommit, kConfig);
  EXPECT_EQ(read_file(place), "hello\n");
}

TEST_F(HubCacheTest, ABlobThatIsALinkIsShownWithoutLinksToo) {
  const fs::path shared = folder_ / "blobs" / "ce";
  fs::create_directories(shared);
  std::ofstream(shared / "x") << "hello\n";
  fs::create_symlink("../../blobs/ce/x", cache_.blob(kRepository, kConfig.hash));
  const HubCache plain(folder_, false);
  const fs::path place = plain.snapshot_folder(kRepository, kCommit) / "config.json";
  for (int round = 0; round < 2; ++round) {
    plain.link(kRepository, kCommit, kConfig);
    EXPECT_FALSE(fs::is_symlink(place));
    EXPECT_EQ(read_file(place), "hello\n");
  }
  cache_.link(kRepository, kCommit, kConfig);
  EXPECT_EQ(read_file(place), "hello\n");
}

TEST_F(HubCacheTest, ACopyIsMadeOnce) {
  put_blob(kConfig, "hello\n");
  const fs::path place = cache_.snapshot_folder(kRepository, kCommit) / "config.json";
  fs::create_directories(place.parent_path());
  const auto is_left_alone = [&](std::string_view content) {
    std::ofstream(place) << content;
    cache_.link(kRepository, kCommit, kConfig);
    return !fs::is_symlink(place);
  };
  EXPECT_TRUE(is_left_alone("hello\n"));
  EXPECT_FALSE(is_left_alone("HELLO\n"));
  EXPECT_EQ(read_file(place), "hello\n");
}

TEST_F(HubCacheTest, ContentOfAnotherSizeIsNotThere) {
  put_blob(kConfig, "hello");
  EXPECT_EQ(cache_.find_content(kRepository, kCommit, kConfig), std::nullopt);
  put_blob(kConfig, "hello\n");
  EXPECT_EQ(cache_.find_content(kRepository, kCommit, kConfig), cache_.blob(kRepository, kConfig.hash));
  put_blob(kGraph, "weights");
  for (const HubFile& file : {kConfig, kGraph}) {
    EXPECT_EQ(with_file(digest_for(file), cache_.blob(kRepository, file.hash)).finish(), file.hash);
  }
}

TEST_F(HubCacheTest, WhatALinkLeadsToIsLeftAlone) {
  put_model();
  const fs::path mine = folder_ / "mine.txt";
  std::ofstream(mine) << kCommit;
  const fs::path refs = folder_ / "models--org--name" / "refs";
  for (const char* name : {"main", "v2"}) {
    fs::remove(refs / name);
    fs::create_symlink(mine, refs / name);
  }
  const std::string other(40, 'b');
  cache_.set_revision(kRepository, "main", other);
  cache_.set_revision(kRepository, "v2", kCommit);
  EXPECT_EQ(read_file(mine), kCommit);
  EXPECT_FALSE(fs::is_symlink(refs / "main") || fs::is_symlink(refs / "v2"));
  EXPECT_EQ(read_file(refs / "main"), other);
  const fs::path nowhere = folder_ / "models--org--name" / ".no_exist" / kCommit / "a.json";
  fs::create_directories(nowhere.parent_path());
  fs::create_symlink(folder_ / "new.txt", nowhere);
  cache_.note_absent(kRepository, kCommit, "a.json");
  EXPECT_FALSE(fs::exists(folder_ / "new.txt"));
}

TEST_F(HubCacheTest, ARevisionThatIsTheBeginningOfAnotherIsRefused) {
  cache_.set_revision(kRepository, "feature/x", kCommit);
  EXPECT_THROW(cache_.set_revision(kRepository, "feature", kCommit), Error);
  EXPECT_THROW(cache_.set_revision(kRepository, "feature/x/y", kCommit), Error);
  EXPECT_EQ(cache_.commit_of(kRepository, "feature/x"), kCommit);
}

TEST_F(HubCacheTest, ADamagedReferenceIsNamed) {
  put_model();
  std::ofstream(folder_ / "models--org--name" / "refs" / "main") << "../../../etc";
  EXPECT_THROW(cache_.commit_of(kRepository, "main"), Error);
  EXPECT_EQ(cache_.commit_of(kRepository, "other"), std::nullopt);
  EXPECT_EQ(cache_.commit_of(kRepository, kCommit), kCommit);
  std::ofstream(folder_ / "models--org--name" / "refs" / "main") << std::string(5000, 'x');
  EXPECT_THROW(cache_.commit_of(kRepository, "main"), Error);
  EXPECT_THAT(cache_.snapshots().at(0).revisions, IsEmpty());
  cache_.set_revision(kRepository, "main", kCommit);
  EXPECT_EQ(cache_.commit_of(kRepository, "main"), kCommit);
}

TEST_F(HubCacheTest, AModelIsFoundByItsNameOnTheHub) {
  put_model();
  const LocatedModel model = locate_model("org/name", environment());
  EXPECT_EQ(model.name, "org/name@" + kCommit);
  EXPECT_EQ(model.path, cache_.snapshot_folder(kRepository, kCommit));
  ASSERT_TRUE(model.snapshot);
  EXPECT_EQ(locate_model(model.name, environment()).path, model.path);
  const LocatedModel graph = locate_model("org/name/onnx/model.onnx", environment());
  EXPECT_EQ(graph.name, "org/name@" + kCommit + "/onnx/model.onnx");
  EXPECT_EQ(graph.path, model.path / "onnx/model.onnx");
  EXPECT_EQ(locate_model(graph.name, environment()).path, graph.path);
}

TEST_F(HubCacheTest, AModelThatIsNotThereSaysHowToHaveIt) {
  put_model();
  const auto message_of = [&](std::string_view name) {
    try {
      locate_model(name, environment());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_found) << name;
      return error.message();
    }
    return std::string();
  };
  EXPECT_THAT(message_of("org/other@v2"), testing::HasSubstr("verilabel models pull org/other@v2"));
  EXPECT_THAT(message_of("org/name@v2"), testing::HasSubstr("verilabel models pull org/name@v2"));
  EXPECT_THAT(message_of("org/name/onnx/model_fp16.onnx"),
              testing::HasSubstr("verilabel models pull org/name --file onnx/model_fp16.onnx"));
  EXPECT_THAT(message_of("nothing.onnx"), testing::HasSubstr("ORG/NAME"));
  EXPECT_THAT(message_of(""), testing::HasSubstr("ORG/NAME"));
}

TEST_F(HubCacheTest, AFileThatExistsComesBeforeTheHub) {
  put_model();
  const fs::path before = fs::current_path();
  fs::create_directories(folder_ / "here" / "org" / "name");
  fs::current_path(folder_ / "here");
  const LocatedModel model = locate_model("org/name", environment());
  fs::current_path(before);
  EXPECT_EQ(model.path, folder_ / "here" / "org" / "name");
  EXPECT_EQ(model.name, model.path.native());
  EXPECT_FALSE(model.snapshot);
}

}  // namespace
}  // namespace verilabel
