// Several processes on one project: killed writers, and readers beside a writer.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include <gmock/gmock.h>

#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/store/testing_project.h"

namespace verilabel {
namespace {

constexpr int kSamples = 200;
constexpr int kLabels = 300'000;

/// The child never returns; what it throws is its exit status 99.
template <typename Act>
pid_t start_child(const Act& act) {
  const pid_t child = ::fork();
  if (child != 0) {
    return child;
  }
  try {
    act();
  } catch (const std::exception& error) {
    ::dprintf(STDERR_FILENO, "child: %s\n", error.what());
    ::_exit(99);
  }
  ::_exit(0);
}

/// Exit status, or −signal.
int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool has_ended(pid_t child) {
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == child;
}

class ProcessTest : public StoreTest {
 protected:
  std::filesystem::path make_project(const char* name) {
    Project project = Project::create(folder_ / name);
    add_samples(project, kSamples);
    project.ensure_set("ground_truth");
    project.ensure_set("auto");
    project.ensure_class("car");
    return folder_ / name;
  }

  static Label label_number(int i) {
    const std::div_t place = std::div(i, 1000);
    return box_label({1}, {1.0 * place.rem, 1.0 * place.quot, 10, 10});
  }

  static void import_everything(const std::filesystem::path& directory) {
    Project project = Project::open(directory);
    ImportWriter writer(project);
    writer.begin({1}, "coco", "f");
    for (int i = 0; i < kSamples; ++i) {
      writer.mark_labelled({i + 1});
    }
    for (int i = 0; i < kLabels; ++i) {
      writer.add_label({1 + (i * 37) % kSamples}, label_number(i));
    }
    writer.finish();
  }

  /// One line a label, without ids.
  static std::vector<std::string> contents(const std::filesystem::path& directory) {
    const Columns columns = Project::open(directory, Project::Access::read_only).columns();
    const LabelColumns& l = columns.labels;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < l.size(); ++i) {
      if (l.status[i] == LabelStatus::active) {
        lines.push_back(std::to_string(l.sample[i]) + " " + std::to_string(l.x[i]) + " " + std::to_string(l.y[i]));
      }
    }
    std::ranges::sort(lines);
    return lines;
  }

  static bool is_intact(const std::filesystem::path& directory) {
    Project project = Project::open(directory);
    store::Statement check = project.database().prepare("PRAGMA integrity_check");
    store::Statement references = project.database().prepare("PRAGMA foreign_key_check");
    return check.step() && check.text(0) == "ok" && !references.step();
  }

  std::mt19937 random_{5};
};

TEST_F(ProcessTest, AnImportThatIsKilledAndRepeatedEndsAsOneThatWasNot) {
  const auto whole = make_project("whole");
  import_everything(whole);
  const auto killed = make_project("killed");
  constexpr int kKills = 5;
  for (int round = 0; round < kKills; ++round) {
    Project project = Project::open(killed);
    const auto stored = [&] {
      store::Statement count = project.database().prepare("SELECT coalesce(max(id), 0) FROM labels");
      count.step();
      return count.integer(0);
    };
    const std::int64_t before = stored();
    const pid_t child = start_child([&] { import_everything(killed); });
    while (stored() == before && !has_ended(child)) {
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 20'000));
    ::kill(child, SIGKILL);
    ASSERT_EQ(wait_for(child), -SIGKILL);
    ASSERT_LT(stored(), kLabels);
    ASSERT_EQ(project.columns().labels.size(), static_cast<std::size_t>(stored()));
    if (round == 0) {  // a person decides in between
      decide_labels(project, std::vector<LabelId>{{1}, {2}}, Verdict::accepted, {});
    }
  }
  import_everything(killed);
  EXPECT_EQ(contents(killed), contents(whole));
  EXPECT_EQ(Project::open(killed).imports().size(), 1u) << "one batch, whatever it went through";
  EXPECT_TRUE(is_intact(killed));
  Project project = Project::open(killed);
  EXPECT_EQ(project.columns().labels.verdict[0], Verdict::accepted);
  EXPECT_EQ(project.columns().labelled_sample.size(), static_cast<std::size_t>(kSamples));
  EXPECT_EQ(project.undo_import({1}), kLabels - 2);
}

TEST_F(ProcessTest, ARunThatIsKilledHasWholeImagesOnly) {
  const auto directory = make_project("p");
  std::vector<SampleId> samples;
  for (int i = 1; i <= kSamples; ++i) {
    samples.push_back({i});
  }
  RunId run;
  {
    Project project = Project::open(directory);
    run = add_run(project, {"auto", "m", "sha", "", 0.05, "{}"}, samples);
  }
  const auto work = [&] {
    Project project = Project::open(directory);
    RunWriter writer = RunWriter::open(project, run);
    writer.set_model("{}", "e", "CPU", std::vector<ClassId>{{1}});
    for (const Sample& sample : writer.samples_left(false)) {
      std::vector<Label> labels;
      for (int k = 0; k < 5; ++k) {
        labels.push_back(label_number(static_cast<int>(sample.id.value) * 5 + k));
      }
      writer.write(std::vector<SampleOutcome>{{sample.id, labels}});
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    writer.finish();
  };
  int kills_in_the_middle = 0;
  for (int round = 0; round < 8; ++round) {
    const pid_t child = start_child(work);
    std::this_thread::sleep_for(std::chrono::milliseconds(10 + random_() % 60));
    ::kill(child, SIGKILL);
    wait_for(child);
    Project project = Project::open(directory);
    const RunRow row = run_row(project, run);
    EXPECT_FALSE(is_live(project, run)) << "the kernel has freed the lock";
    EXPECT_EQ(row.labels, row.done * 5);
    EXPECT_EQ(project.columns().labels.size(), static_cast<std::size_t>(row.labels));
    kills_in_the_middle += row.done > 0 && row.done < kSamples ? 1 : 0;
  }
  EXPECT_EQ(wait_for(start_child(work)), 0);
  const RunRow row = run_row(Project::open(directory), run);
  EXPECT_EQ(row.done, kSamples);
  EXPECT_FALSE(row.finished_at.empty());
  EXPECT_EQ(contents(directory).size(), static_cast<std::size_t>(kSamples * 5));
  EXPECT_GT(kills_in_the_middle, 0);
  EXPECT_TRUE(is_intact(directory));
}

TEST_F(ProcessTest, AReaderFollowsAWriterAndSeesWholeTransactions) {
  const auto directory = make_project("p");
  const pid_t child = start_child([&] { import_everything(directory); });
  Project project = Project::open(directory, Project::Access::read_only);
  Columns followed = project.columns();
  std::size_t refreshes = 0;
  while (!has_ended(child)) {
    const std::size_t before = followed.labels.size();
    project.refresh(followed);
    ASSERT_GE(followed.labels.size(), before);
    ++refreshes;
  }
  EXPECT_EQ(wait_for(child), 0);
  project.refresh(followed);
  EXPECT_EQ(followed.labels.size(), static_cast<std::size_t>(kLabels));
  EXPECT_GT(refreshes, 1u);
}

TEST_F(ProcessTest, WritersTakeTurns) {
  const auto directory = make_project("p");
  const auto write = [&](int who) {
    Project project = Project::open(directory);
    for (int i = 0; i < 100; ++i) {
      project.tag_samples(std::array{SampleId{1 + i}}, "tag" + std::to_string(who));
    }
  };
  const pid_t first = start_child([&] { write(1); });
  const pid_t second = start_child([&] { write(2); });
  EXPECT_EQ(wait_for(first), 0);
  EXPECT_EQ(wait_for(second), 0);
  EXPECT_EQ(Project::open(directory).columns().sample_tags.row.size(), 200u);
}

TEST_F(ProcessTest, AnImportThatPausesHoldsNobodyUp) {
  const auto directory = make_project("p");
  Project project = Project::open(directory);
  Project other = Project::open(directory);
  ImportWriter writer(project);
  writer.begin({1}, "coco", "f");
  writer.add_label({1}, label_number(1));
  writer.pause();
  EXPECT_EQ(other.tag_samples(std::array{SampleId{1}}, "night"), 1);
  EXPECT_EQ(other.columns().labels.size(), 1U);
  writer.add_label({1}, label_number(2));
  writer.pause();
  writer.pause();  // nothing is open
  writer.finish();
  EXPECT_EQ(other.columns().labels.size(), 2U);
  EXPECT_EQ(other.tag_samples(std::array{SampleId{2}}, "night"), 1);
}

TEST_F(ProcessTest, WhoWritesBesideAnImportHasNotToWaitForItsEnd) {
  const auto directory = make_project("p");
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  // An importer whose file gives a label now and then.
  const pid_t child = start_child([&] {
    Project project = Project::open(directory);
    ImportWriter writer(project);
    writer.begin({1}, "coco", "f");
    for (int i = 0;; ++i) {
      writer.add_label({1}, label_number(i));
      if (i == 0 && ::write(ready[1], "x", 1) != 1) {
        ::_exit(1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  Project project = Project::open(directory);
  EXPECT_EQ(project.tag_samples(std::array{SampleId{1}}, "night"), 1) << "its turn came while the import went on";
  EXPECT_FALSE(has_ended(child));
  ::kill(child, SIGKILL);
  wait_for(child);
}

}  // namespace
}  // namespace verilabel
