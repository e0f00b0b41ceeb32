#include "verilabel/store/project.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>

#include "verilabel/base/file.h"
#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/store/schema.h"
#include "verilabel/store/testing_project.h"

namespace verilabel {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

using ProjectTest = StoreTest;

void run_sql(const std::filesystem::path& file, const std::string& sql) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &connection), SQLITE_OK);
  char* message = nullptr;
  EXPECT_EQ(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << (message == nullptr ? "" : message);
  sqlite3_free(message);
  sqlite3_close(connection);
}

/// Runs `act` in a child process; its exit status, or −signal.
template <typename Act>
int status_of_child(const Act& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      act();
    } catch (const std::exception& error) {
      ::dprintf(STDERR_FILENO, "child: %s\n", error.what());
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// A project as version 1 made it: the schema that was released, and rows in each table that later versions must not lose.
constexpr const char* kVersion1Rows = R"sql(
INSERT INTO samples VALUES (1, '/a/1.jpg', '1.jpg', 640, 480, 'jpeg', 1000, 5, 0, 'val', '{"id":7}'), (2, '/a/2.jpg', '2.jpg', 0, 0, '', 0, 0, 1, NULL, NULL);
INSERT INTO sets VALUES (1, 'ground_truth'), (2, 'auto');
INSERT INTO classes VALUES (1, 'car', '{"id":3}'), (2, 'dog', NULL);
INSERT INTO imports VALUES (1, 1, 'coco', '/a/labels.json', '2026-01-31T12:00:00.000Z', '2026-01-31T12:00:01.000Z', 1, '{"info":{}}');
INSERT INTO import_samples VALUES (1, 1), (1, 2);
INSERT INTO runs VALUES (1, 2, '/m.onnx', 'abc', '', 0.05, '{}', '{}', 'openvino', 'CPU', '2026-01-31T12:00:00.000Z', NULL);
INSERT INTO run_classes VALUES (1, 1);
INSERT INTO run_samples VALUES (1, 1, 1, 1, 0, NULL, NULL), (1, 2, 2, 0, 0, 'bad_data', 'broken');
INSERT INTO labels VALUES (1, 1, 1, 1, 2, 1, 2, 10, 20, NULL, 150, 0, NULL, 1, NULL, x'11010600020202000002', NULL, '{"id":9}'),
                          (2, 1, 2, 1, 1, 3, 4, 5, 6, 0.5, NULL, 0, 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO decision_groups VALUES (1, 0, NULL, 'me', '2026-01-31T12:00:02.000Z', 'why', '', 1, 1);
INSERT INTO edits VALUES (1, 1, 2, 30, 40, 50, 60, NULL, NULL);
INSERT INTO decisions VALUES (1, 1, 2, 4, 1, NULL);
INSERT INTO verdicts VALUES (2, 1);
INSERT INTO sample_tags VALUES ('night', 1);
INSERT INTO changes (kind, first_id, last_id) VALUES (1, 1, 2);
)sql";

const char* const kVersion1Schema =
#include "verilabel/store/schema_version_1.inc"
    ;

const char* const kStepToVersion2 =
#include "verilabel/store/schema_version_2.inc"
    ;

const char* const kStepToVersion3 =
#include "verilabel/store/schema_version_3.inc"
    ;

const char* const kStepToVersion4 =
#include "verilabel/store/schema_version_4.inc"
    ;

/// Version 1 never wrote fields; another program may have, as its schema said.
constexpr const char* kVersion1Fields = R"sql(
INSERT INTO sample_fields VALUES ('scene', 1, 'it''s "night"'), ('iso', 1, 100), ('exposure', 1, 0.125);
)sql";
constexpr const char* kVersion2Fields = R"sql(
INSERT INTO sample_fields VALUES ('scene', 1, '"it''s \"night\""'), ('iso', 1, '100'), ('exposure', 1, '0.125');
)sql";
constexpr const char* kTagsAndViews = R"sql(
INSERT INTO label_tags VALUES ('ask', 2);
INSERT INTO saved_views VALUES ('cars', 'class:car', '2026-01-31T12:00:00.000Z');
)sql";

constexpr const char* kVersion2Evaluation = R"sql(
INSERT INTO evaluations VALUES (1, 'latest', 'auto', 'truth', '{}', '2026-01-31T12:00:00.000Z');
INSERT INTO evaluation_outcomes VALUES (1, 1, 2, NULL, 0), (1, 2, 1, NULL, 0);
)sql";
constexpr const char* kVersion3Evaluation = R"sql(
INSERT INTO evaluations VALUES (1, 'latest', 'auto', 'truth', '{}', '2026-01-31T12:00:00.000Z');
INSERT INTO evaluation_outcomes VALUES (1, 1, 2, NULL, 0, 6), (1, 2, 1, NULL, 0, 5);
INSERT INTO evaluation_samples VALUES (1, 1, 0, 1, 1);
)sql";

/// Rows that say what version 4 added of runs.
std::string version_4_rows() {
  std::string rows = kVersion1Rows;
  const auto replace = [&rows](std::string_view old, std::string_view with) { rows.replace(rows.find(old), old.size(), with); };
  replace("'2026-01-31T12:00:00.000Z', NULL);", "'2026-01-31T12:00:00.000Z', NULL, 0.3, 0.5);");
  replace("(1, 1, 1, 1, 0, NULL, NULL), (1, 2, 2, 0, 0, 'bad_data', 'broken')",
          "(1, 1, 1, 1, 0, NULL, NULL, 1), (1, 2, 2, 0, 0, 'bad_data', 'broken', 0)");
  return rows;
}

/// Raw SQL text, as frozen by the version that released it.
struct ReleasedVersion {
  int version;
  std::string schema;
  std::string rows;
};
const ReleasedVersion kReleased[] = {{1, kVersion1Schema, std::string(kVersion1Rows) + kVersion1Fields + kTagsAndViews},
                                     {2, std::string(kVersion1Schema) + kStepToVersion2,
                                      std::string(kVersion1Rows) + kVersion2Fields + kTagsAndViews + kVersion2Evaluation},
                                     {3, std::string(kVersion1Schema) + kStepToVersion2 + kStepToVersion3,
                                      std::string(kVersion1Rows) + kVersion2Fields + kTagsAndViews + kVersion3Evaluation},
                                     {4, std::string(kVersion1Schema) + kStepToVersion2 + kStepToVersion3 + kStepToVersion4,
                                      version_4_rows() + kVersion2Fields + kTagsAndViews + kVersion3Evaluation}};

TEST_F(ProjectTest, EveryReleasedVersionOpensAndKeepsWhatItHolds) {
  ASSERT_EQ(static_cast<std::size_t>(store::newest_schema_version()), std::size(kReleased))
      << "freeze the schema of each version here";
  for (const ReleasedVersion& released : kReleased) {
    const auto directory = folder_ / std::to_string(released.version);
    std::filesystem::create_directories(directory);
    run_sql(directory / "verilabel.db", std::string("PRAGMA journal_mode = WAL;") + released.schema + released.rows +
                                            "PRAGMA application_id = " + std::to_string(0x766c6162) +
                                            "; PRAGMA user_version = " + std::to_string(released.version) + ";");
    EXPECT_EQ(Project::open(directory, Project::Access::read_only).saved_views().size(), 1u)
        << "who only asks brings it up to date";
    Project project = Project::open(directory);
    EXPECT_EQ(project.fields_of({1}), R"({"exposure":0.125,"iso":100,"scene":"it's \"night\""})");
    EXPECT_EQ(project.fields_of({2}), "");
    const Columns columns = project.columns();
    EXPECT_EQ(select_labels(View::parse("label_tag:ask decided=2026-01-31 field:iso=100 split:val"), columns).size(), 1u);
    EXPECT_EQ(project.sample({1}).split, "val");
    EXPECT_EQ(project.sample({1}).source_json, R"({"id":7})");
    EXPECT_TRUE(project.sample({2}).is_missing);
    EXPECT_EQ(project.dataset_json({1}), R"({"info":{}})");
    const std::vector<StoredLabel> truth = project.labels_of({1}, {1});
    ASSERT_EQ(truth.size(), 1u);
    EXPECT_EQ(truth[0].label.source_json, R"({"id":9})");
    EXPECT_EQ(truth[0].label.mask->shape, (decltype(Mask::shape)(std::vector<Polygon>{{1, 1, 2, 1, 2, 2}})))
        << "blob written by version 1";
    const std::vector<StoredLabel> automatic = project.labels_of({1}, {2});
    ASSERT_EQ(automatic.size(), 1u);
    EXPECT_EQ(automatic[0].verdict, Verdict::edited);
    EXPECT_EQ(automatic[0].label.class_id, ClassId{2});
    EXPECT_EQ(automatic[0].label.box_xywh_px, (Box{30, 40, 50, 60}));
    const RunRow run = run_row(project, {1});
    EXPECT_EQ(run.failed, 1);
    EXPECT_EQ(run.request.bound, released.version < 4 ? std::nullopt : std::optional(ReplacementBound{0.3, 0.5}));
    EXPECT_EQ(run.repeats, released.version < 4 ? 0 : 1);
    EXPECT_EQ(project.columns().labels.size(), 2u);
    EXPECT_EQ(undo_decisions(project, "me"), 1);
    EXPECT_EQ(project.labels_of({1}, {2})[0].label.box_xywh_px, (Box{3, 4, 5, 6}));
  }
}

TEST_F(ProjectTest, ProjectsOfANewerVersionAreRefusedUntouched) {
  {
    Project::create(folder_ / "p");
  }
  run_sql(folder_ / "p" / "verilabel.db", "PRAGMA user_version = 99");
  EXPECT_EQ(code_of([&] { Project::open(folder_ / "p"); }), ErrorCode::newer_version);
  EXPECT_EQ(code_of([&] { Project::open(folder_ / "p", Project::Access::read_only); }), ErrorCode::newer_version);
  run_sql(folder_ / "p" / "verilabel.db", "PRAGMA user_version = " + std::to_string(store::newest_schema_version()));
  EXPECT_NO_THROW(Project::open(folder_ / "p"));
}

TEST_F(ProjectTest, WhatIsNoProjectIsSaidSo) {
  EXPECT_EQ(code_of([&] { Project::open(folder_ / "nowhere"); }), ErrorCode::not_found);
  EXPECT_EQ(code_of([&] { Project::open(folder_); }), ErrorCode::not_found);
  replace_file(folder_ / "verilabel.db",
               "these are some words, and more of them than a header of SQLite has bytes; really a lot more than that.");
  EXPECT_EQ(code_of([&] { Project::open(folder_); }), ErrorCode::bad_data);
  EXPECT_EQ(code_of([&] { Project::create(folder_); }), ErrorCode::conflict);
  std::filesystem::remove(folder_ / "verilabel.db");
  run_sql(folder_ / "verilabel.db", "CREATE TABLE of_somebody_else (id INTEGER)");
  EXPECT_EQ(code_of([&] { Project::open(folder_); }), ErrorCode::bad_data);
  EXPECT_EQ(code_of([&] { Project::create("/proc/none"); }), ErrorCode::not_found);
}

TEST_F(ProjectTest, AProjectIsMadeOnce) {
  {
    Project::create(folder_ / "p").ensure_set("kept");
  }
  EXPECT_EQ(code_of([&] { Project::create(folder_ / "p"); }), ErrorCode::conflict);
  EXPECT_TRUE(Project::open(folder_ / "p").find_set("kept"));
}

TEST_F(ProjectTest, AMakingThatWasCutOffIsCompleted) {
  replace_file(folder_ / "verilabel.db", "");
  EXPECT_TRUE(Project::open(folder_).ensure_set("auto"));
}

TEST_F(ProjectTest, ADamagedDatabaseIsReportedAndNotChanged) {
  {
    Project project = Project::create(folder_ / "p");
    add_samples(project, 2000);
  }
  const auto file = folder_ / "p" / "verilabel.db";
  std::string bytes = read_file(file);
  for (std::size_t i = 8192; i < bytes.size(); i += 64) {
    bytes[i] = static_cast<char>(bytes[i] ^ 0x5a);
  }
  replace_file(file, bytes);
  const auto code = code_of([&] {
    Project project = Project::open(folder_ / "p");
    project.columns();
  });
  EXPECT_EQ(code, ErrorCode::bad_data);
}

TEST_F(ProjectTest, PathsAreBytes) {
  Project project = Project::create(folder_ / "p");
  const std::vector<std::string> names = {"with space.jpg",  "quote'\".jpg", "line\nbreak.jpg",
                                          "latin1-\xe9.jpg", "\xff\xfe.jpg", "%41?#.jpg"};
  ImportWriter writer(project);
  for (const std::string& name : names) {
    EXPECT_TRUE(writer.add_sample(sample_at("/images/" + name)).is_new);
    EXPECT_FALSE(writer.add_sample(sample_at("/images/" + name)).is_new);
  }
  writer.finish();
  const Columns columns = project.columns();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Sample sample = project.sample({static_cast<std::int64_t>(i) + 1});
    EXPECT_EQ(sample.path.native(), "/images/" + names[i]);
    EXPECT_EQ(sample.name, names[i]);
    EXPECT_EQ(columns.samples.path[i], "/images/" + names[i]);
  }
}

TEST_F(ProjectTest, AProjectLivesUnderAnyName) {
  for (const char* name : {"a b", "q'\"?#%41", "latin1-\xe9", "line\nbreak"}) {
    {
      Project project = Project::create(folder_ / name);
      add_samples(project, 3);
    }
    EXPECT_EQ(Project::open(folder_ / name, Project::Access::read_only).columns().samples.size(), 3u);
  }
}

/// As another user when we are root, because root may write anywhere.
template <typename Act>
int status_without_rights(const Act& act) {
  return status_of_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) {
      ::_exit(98);
    }
    act();
  });
}

class ReadOnlyProject : public StoreTest {
 protected:
  ReadOnlyProject() {
    Project project = Project::create(folder_ / "p");
    add_samples(project, 3);
    const SetId set = project.ensure_set("ground_truth");
    const ClassId car = project.ensure_class("car");
    ImportWriter writer(project);
    writer.begin(set, "coco", "f");
    writer.add_label({1}, box_label(car, {1, 2, 3, 4}));
    writer.finish();
  }
  ~ReadOnlyProject() override { std::filesystem::permissions(folder_ / "p", std::filesystem::perms::owner_all); }

  void take_rights() {
    using std::filesystem::perms;
    std::filesystem::permissions(
        folder_, perms::owner_all | perms::group_read | perms::group_exec | perms::others_read | perms::others_exec);
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "p")) {
      std::filesystem::permissions(entry.path(), std::filesystem::is_directory(entry) ? perms(0555) : perms(0444));
    }
    std::filesystem::permissions(folder_ / "p", perms(0555));
  }
};

TEST_F(ReadOnlyProject, CanBeRead) {
  take_rights();
  const int status = status_without_rights([&] {
    const Project project = Project::open(folder_ / "p", Project::Access::read_only);
    const Columns columns = project.columns();
    const bool is_whole = columns.labels.size() == 1 && columns.samples.size() == 3 && project.labels_of({1}, {1}).size() == 1 &&
                          runs(project).empty();
    ::_exit(is_whole ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
}

TEST_F(ReadOnlyProject, CannotBeWrittenAndSaysSo) {
  take_rights();
  const int status = status_without_rights([&] {
    const ErrorCode opened = code_of([&] { Project::open(folder_ / "p").ensure_set("more"); });
    Project project = Project::open(folder_ / "p", Project::Access::read_only);
    const ErrorCode written = code_of([&] { project.ensure_set("more"); });
    const ErrorCode decided = code_of([&] { decide_labels(project, std::vector<LabelId>{{1}}, Verdict::accepted, {}); });
    ::_exit(opened == ErrorCode::io && written == ErrorCode::io && decided == ErrorCode::io ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
}

TEST_F(ReadOnlyProject, TheFolderOfANewProjectMayBeReadOnlyToo) {
  take_rights();
  const int status =
      status_without_rights([&] { ::_exit(code_of([&] { Project::create(folder_ / "p" / "new"); }) == ErrorCode::io ? 0 : 1); });
  EXPECT_EQ(status, 0);
}

TEST_F(ProjectTest, AFullDiskKeepsWhatWasStored) {
  std::vector<SampleId> samples;
  {
    Project project = Project::create(folder_ / "p");
    samples = add_samples(project, 100);
    project.ensure_set("auto");
    project.ensure_class("car");
  }
  // A limit on the size of files stands for a disk that is full: the write ahead log cannot grow.
  const int status = status_of_child([&] {
    Project project = Project::open(folder_ / "p");
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{400'000, 400'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const ErrorCode code = code_of([&] {
      ImportWriter writer(project);
      writer.begin({1}, "coco", "f");
      for (int i = 0; i < 100'000; ++i) {
        writer.add_label(samples[static_cast<std::size_t>(i) % samples.size()], box_label({1}, {1.0 * i, 2, 3, 4}));
      }
      writer.finish();
    });
    const bool is_readable = project.columns().samples.size() == 100;
    ::_exit(code == ErrorCode::io && is_readable ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
  Project project = Project::open(folder_ / "p");
  EXPECT_EQ(project.columns().samples.size(), 100u);
  ImportWriter writer(project);
  writer.begin({1}, "coco", "f");
  writer.add_label(samples[0], box_label({1}, {1, 2, 3, 4}));
  writer.finish();
  EXPECT_EQ(project.columns().labels.status.rows().back(), LabelStatus::active);
}

TEST_F(ProjectTest, ATagIsGivenAndTaken) {
  Project project = Project::create(folder_ / "p");
  const auto samples = add_samples(project, 3);
  EXPECT_EQ(project.tag_samples(samples, "night"), 3);
  EXPECT_EQ(project.tag_samples(std::array{samples[0]}, "night"), 0);
  EXPECT_EQ(project.untag_samples(std::array{samples[1]}, "night"), 1);
  const Columns columns = project.columns();
  EXPECT_THAT(columns.sample_tag_names, ElementsAre("night"));
  EXPECT_THAT(columns.sample_tags.row, ElementsAre(0, 2));
}

TEST_F(ProjectTest, ALabelsTagIsGivenAndTaken) {
  Project project = Project::create(folder_ / "p");
  const auto samples = add_samples(project, 1);
  ImportWriter writer(project);
  writer.begin(project.ensure_set("truth"), "coco", "f");
  const ClassId car = project.ensure_class("car");
  writer.add_label(samples[0], box_label(car, {1, 2, 3, 4}));
  writer.add_label(samples[0], box_label(car, {5, 6, 7, 8}));
  writer.finish();
  const std::vector<LabelId> both = {{1}, {2}};
  EXPECT_EQ(project.tag_labels(both, "ask"), 2);
  EXPECT_EQ(project.tag_labels(both, "ask"), 0);
  EXPECT_EQ(project.untag_labels(std::vector<LabelId>{{1}}, "ask"), 1);
  EXPECT_EQ(project.untag_labels(std::vector<LabelId>{{1}}, "ask"), 0);
  EXPECT_THAT(select_labels(View::parse("label_tag:ask"), project.columns()), ElementsAre(1));
  EXPECT_ANY_THROW(project.tag_labels(std::vector<LabelId>{{3}}, "ask"));
}

TEST_F(ProjectTest, FieldsAreSetReplacedAndTakenAway) {
  Project project = Project::create(folder_ / "p");
  const auto samples = add_samples(project, 2);
  Columns columns = project.columns();
  project.set_fields(samples[0], R"({"scene":"night","gps":{"lat":1.50},"id":9007199254740993,"day":false})");
  EXPECT_EQ(project.fields_of(samples[0]), R"({"day":false,"gps.lat":1.5,"id":9007199254740993,"scene":"night"})");
  EXPECT_EQ(project.fields_of(samples[1]), "");
  project.set_fields(samples[0], R"({"scene":1,"day":null,"none":null})");
  EXPECT_EQ(project.fields_of(samples[0]), R"({"gps.lat":1.5,"id":9007199254740993,"scene":1})");
  project.refresh(columns);
  EXPECT_THAT(columns.sample_fields.names, ElementsAre("gps.lat", "id", "scene"));
  project.set_fields(samples[0], R"({"id":null})");
  project.refresh(columns);
  EXPECT_THAT(columns.sample_fields.names, ElementsAre("gps.lat", "scene"));
  EXPECT_EQ(code_of([&] { project.set_fields({9}, R"({"a":1})"); }), ErrorCode::not_found);
  for (const char* json : {"[]", "{", R"({"b":1,"a":[1]})", R"({"a":1e999})", R"({"b":1,"":2})"}) {
    EXPECT_EQ(code_of([&] { project.set_fields(samples[1], json); }), ErrorCode::wrong_use) << json;
    EXPECT_EQ(project.fields_of(samples[1]), "") << json;
  }
}

TEST_F(ProjectTest, ViewsAreSavedUnderNamesAndStayViews) {
  Project project = Project::create(folder_ / "p");
  project.save_view("night", "tag:night");
  project.save_view("both", "view:night confidence>0.5");
  project.save_view("night", "tag:night | tag:dusk");
  const SavedViews views = project.saved_views();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[0].name, "both");
  EXPECT_EQ(views[1].text, "tag:night | tag:dusk");
  EXPECT_FALSE(views[1].saved_at.empty());
  EXPECT_EQ(code_of([&] { project.save_view("", "tag:night"); }), ErrorCode::wrong_use);
  EXPECT_EQ(code_of([&] { project.save_view("x", "colour:red"); }), ErrorCode::wrong_use);
  EXPECT_EQ(code_of([&] { project.save_view("x", "view:x"); }), ErrorCode::wrong_use);
  EXPECT_EQ(code_of([&] { project.save_view("night", "view:both"); }), ErrorCode::wrong_use) << "a circle";
  EXPECT_EQ(code_of([&] { project.save_view("night", "tag:night limit:3"); }), ErrorCode::wrong_use) << "both could not use it";
  EXPECT_EQ(code_of([&] { project.remove_view("night"); }), ErrorCode::conflict) << "both names it";
  EXPECT_EQ(code_of([&] { project.remove_view("nihgt"); }), ErrorCode::not_found);
  project.remove_view("both");
  project.remove_view("night");
  EXPECT_TRUE(project.saved_views().empty());
}

TEST_F(ProjectTest, ViewsAskTheStoredEvaluations) {
  Project project = Project::create(folder_ / "p");
  const auto samples = add_samples(project, 3);
  ImportWriter writer(project);
  writer.begin(project.ensure_set("a"), "coco", "f");
  const ClassId car = project.ensure_class("car");
  writer.add_label(samples[0], box_label(car, {1, 2, 3, 4}));
  writer.add_label(samples[0], box_label(car, {1, 2, 3, 5}));
  writer.add_label(samples[1], box_label(car, {1, 2, 3, 6}));
  writer.finish();
  const auto labels_where = [&](std::string_view text) {
    const View view = View::parse(text);
    return select_labels(view, project.columns_for(view));
  };
  const auto samples_where = [&](std::string_view text) {
    const View view = View::parse(text);
    return select_samples(view, project.columns_for(view));
  };
  using Rows = std::vector<std::uint32_t>;
  EXPECT_EQ(code_of([&] { labels_where("outcome:fp"); }), ErrorCode::wrong_use) << "nothing is stored yet";
  EXPECT_EQ(code_of([&] { samples_where("-sort:fn"); }), ErrorCode::wrong_use);

  StoredEvaluation first{"first", "a", "a", "{}", {}, {}};
  first.outcomes = {{{1}, Outcome::tp, ErrorKind::none, {2}, 0.8},
                    {{2}, Outcome::tp, ErrorKind::none, {1}, 0.8},
                    {{3}, Outcome::fn, ErrorKind::missed, {}, 0}};
  first.samples = {{samples[0], 1, 0, 0}, {samples[1], 0, 0, 1}};
  project.save_evaluation(first);
  StoredEvaluation second{
      "second", "a", "a", "{}", {{{3}, Outcome::fp, ErrorKind::localization, {1}, 0.3}}, {{samples[1], 0, 1, 0}}};
  project.save_evaluation(second);

  EXPECT_EQ(labels_where("outcome:fp"), (Rows{2})) << "the newest";
  EXPECT_EQ(labels_where("error:localization,missed iou<0.5"), (Rows{2}));
  EXPECT_EQ(labels_where("outcome:tp iou>=0.8 eval:first"), (Rows{0, 1}));
  EXPECT_EQ(labels_where("error:missed iou<0.5 eval:first"), Rows()) << "without a partner there is no IoU";
  EXPECT_EQ(labels_where("-outcome:tp,fn"), (Rows{0, 1, 2})) << "not looked at is no outcome";
  EXPECT_EQ(samples_where("fn>=1 eval:first"), (Rows{1}));
  EXPECT_EQ(samples_where("fn=0 eval:first"), (Rows{0})) << "a sample that was not evaluated has no count";
  EXPECT_EQ(samples_where("-sort:f1 eval:first"), (Rows{0, 1, 2}));
  EXPECT_EQ(samples_where("-sort:fp limit:1"), (Rows{1}));
  try {
    labels_where("outcome:fp eval:third");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::wrong_use);
    EXPECT_THAT(error.message(), HasSubstr("unknown evaluation \"third\""));
    EXPECT_THAT(error.context(), Contains(Pair("position", "17")));
  }

  Columns columns = project.columns_for(View::parse("outcome:fp"));
  project.refresh(columns);
  EXPECT_FALSE(columns.evaluation) << "its rows are those of columns that are no more";

  first.outcomes.pop_back();
  first.samples.pop_back();
  project.save_evaluation(first);
  EXPECT_EQ(labels_where("outcome:fn"), Rows()) << "replaced, and now the newest";
  ASSERT_EQ(project.evaluations().size(), 2u);
  EXPECT_EQ(project.evaluations()[0].key, "first");
  EXPECT_EQ(project.evaluations()[1].prediction_set, "a");
}

TEST_F(ProjectTest, EvaluationsAreSummedUpAndForgotten) {
  Project project = Project::create(folder_ / "p");
  const auto samples = add_samples(project, 2);
  ImportWriter writer(project);
  writer.begin(project.ensure_set("a"), "coco", "f");
  for (int i = 0; i < 5; ++i) {
    writer.add_label(samples[0], box_label(project.ensure_class("car"), {1, 2, 3, 4}));
  }
  writer.finish();
  StoredEvaluation stored{"first", "a", "b", R"({"mAP": 0.5})", {}, {{samples[0], 1, 2, 3}, {samples[1], 10, 20, 30}}};
  stored.outcomes = {{{1}, Outcome::fp, ErrorKind::missed, {}, 0},
                     {{2}, Outcome::fn, ErrorKind::localization, {1}, 0.3},
                     {{3}, Outcome::fp, ErrorKind::localization, {2}, 0.3},
                     {{4}, Outcome::fp, ErrorKind::localization, {2}, 0.3},
                     {{5}, Outcome::tp, ErrorKind::none, {1}, 0.9}};
  project.save_evaluation(stored);
  project.save_evaluation({"empty", "a", "b", "{}", {}, {}});

  const EvaluationTotals totals = project.evaluation_totals("first");
  EXPECT_EQ(totals.summary.options_json, stored.options_json);
  EXPECT_EQ(totals.samples, 2);
  EXPECT_EQ(std::tuple(totals.tp, totals.fp, totals.fn), std::tuple(11, 22, 33));
  ASSERT_EQ(totals.errors.size(), 2u);
  EXPECT_EQ(totals.errors[0].kind, ErrorKind::localization);
  EXPECT_EQ(std::pair(totals.errors[0].predictions, totals.errors[0].truths), std::pair(std::int64_t{2}, std::int64_t{1}));
  EXPECT_EQ(std::pair(totals.errors[1].predictions, totals.errors[1].truths), std::pair(std::int64_t{1}, std::int64_t{0}));
  EXPECT_EQ(project.evaluation_totals("empty").samples, 0);
  EXPECT_TRUE(project.evaluation_totals("empty").errors.empty());

  project.remove_evaluation("first");
  ASSERT_EQ(project.evaluations().size(), 1u);
  EXPECT_EQ(code_of([&] { project.evaluation_totals("first"); }), ErrorCode::wrong_use);
  EXPECT_EQ(code_of([&] { project.remove_evaluation("first"); }), ErrorCode::wrong_use);
}

TEST_F(ProjectTest, AReadScopeIsOfOneMoment) {
  Project::create(folder_ / "p");
  Project reader = Project::open(folder_ / "p", Project::Access::read_only);
  Project writer = Project::open(folder_ / "p");
  writer.ensure_class("car");
  {
    const ReadScope one_moment(reader);
    EXPECT_EQ(reader.classes().size(), 1U);
    writer.ensure_class("dog");
    writer.save_view("new", "class:dog");
    EXPECT_EQ(reader.classes().size(), 1U);
    EXPECT_EQ(reader.columns().classes.size(), 1U) << "a read inside it is a part of it";
    EXPECT_TRUE(reader.saved_views().empty());
    EXPECT_EQ(writer.classes().size(), 2U) << "others are not held up";
  }
  EXPECT_EQ(reader.classes().size(), 2U);
  EXPECT_EQ(reader.columns().classes.size(), 2U);
}

}  // namespace
}  // namespace verilabel
