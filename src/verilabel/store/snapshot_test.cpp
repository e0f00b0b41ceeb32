#include "verilabel/store/snapshot.h"

#include <algorithm>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "verilabel/base/file.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/store/testing_project.h"

namespace verilabel {
namespace {

class SnapshotTest : public StoreTest {
 protected:
  SnapshotTest() {
    const auto samples = add_samples(project_, 20);
    ImportWriter writer(project_);
    writer.begin(project_.ensure_set("ground_truth"), "coco", "f");
    const ClassId car = project_.ensure_class("car");
    const ClassId dog = project_.ensure_class("dog");
    for (int i = 0; i < 60; ++i) {
      Label label = box_label(i % 3 == 0 ? car : dog, {1.0 * i, 2, 3, 4}, 0.01 * i);
      if (i % 10 == 0) {
        label.attributes_json = i == 0 ? R"({"occluded":3})" : R"({"occluded":true})";
      }
      writer.add_label(samples[static_cast<std::size_t>(i) % 7], label);
    }
    for (const SampleId sample : samples) {
      writer.describe_sample(sample, {sample.value % 2 == 0 ? "val" : "train", {}, {}, R"({"scene":"night","iso":100})"});
    }
    writer.mark_labelled(samples[19]);
    writer.finish();
    project_.tag_samples(samples, "night");
    project_.columns();
  }

  /// Asks about every column that is an index into something.
  static std::size_t ask(const Columns& columns) {
    std::size_t rows = 0;
    for (const char* view :
         {"class:car", "set:ground_truth verdict:unreviewed", "tag:night", "path:*1*", "-sort:confidence limit:5",
          "count(ground_truth,car)>0", "split:val", "field:scene=night", "attribute:occluded=true,3", "sort:field:iso",
          "sort:split decided<2030-01-01", "modified<2030-01-01", "status:active,replaced,superseded,undone"}) {
      try {
        rows += select_labels(View::parse(view), columns).size() + select_samples(View::parse(view), columns).size();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_use) << "a name that a broken snapshot does not know";
      }
    }
    for (std::size_t set = 0; set < columns.sets.size(); ++set) {
      rows += columns.labelled_in(static_cast<std::int32_t>(set)).size();
    }
    for (std::size_t i = 0; i < columns.labels.size(); ++i) {
      rows += name_of(columns.labels.kind[i]).size() + name_of(columns.labels.verdict[i]).size() +
              name_of(columns.labels.status[i]).size() +
              columns.samples.name[static_cast<std::size_t>(columns.labels.sample[i])].size();
    }
    return rows;
  }

  Project project_ = Project::create(folder_ / "p");
  std::filesystem::path file_ = folder_ / "p" / "columns.snapshot";
};

TEST_F(SnapshotTest, IsMappedAndSaysTheSame) {
  const auto snapshot = store::open_snapshot(file_);
  ASSERT_TRUE(snapshot);
  EXPECT_NE(snapshot->columns.keep_alive, nullptr);
  EXPECT_EQ(snapshot->columns.labels.size(), 60u);
  EXPECT_EQ(ask(snapshot->columns), ask(store::rebuild_columns(project_.database())));
}

TEST_F(SnapshotTest, IsUsedWhereItLies) {
  // Written with another width, it shows up as long as nobody has a reason to look at the rows.
  const auto before = store::open_snapshot(file_);
  Columns columns = before->columns;
  columns.samples.width.set(0, 12345);
  store::write_snapshot(file_, before->stamp, columns);
  EXPECT_EQ(project_.columns().samples.width[0], 12345);
  std::filesystem::remove(file_);
  EXPECT_EQ(project_.columns().samples.width[0], 640);
  EXPECT_TRUE(std::filesystem::exists(file_)) << "written anew";
}

TEST_F(SnapshotTest, OfAnotherProjectOrHistoryIsNotUsed) {
  const auto good = store::open_snapshot(file_);
  Columns columns = good->columns;
  columns.samples.width.set(0, 12345);
  store::SnapshotStamp other_project = good->stamp;
  other_project.project_uuid = std::string(32, 'f');
  store::SnapshotStamp other_history = good->stamp;
  other_history.mark += 1;
  store::SnapshotStamp from_the_future = good->stamp;
  from_the_future.change += 100;
  for (const auto& stamp : {other_project, other_history, from_the_future}) {
    store::write_snapshot(file_, stamp, columns);
    EXPECT_EQ(project_.columns().samples.width[0], 640);
  }
}

TEST_F(SnapshotTest, AnOlderCopyOfTheDatabaseIsSeenAsIs) {
  const auto copy = folder_ / "copy";
  project_.database().execute("PRAGMA wal_checkpoint(TRUNCATE)");
  std::filesystem::copy(folder_ / "p", copy);
  Project other = Project::open(copy);
  // Both go on from the same point, each in its own way, and the copy's database goes to where the snapshot of the first lies.
  decide_labels(project_, std::vector<LabelId>{{1}, {2}}, Verdict::accepted, {});
  decide_labels(other, std::vector<LabelId>{{3}}, Verdict::rejected, {});
  std::filesystem::remove(file_);
  project_.columns();
  std::filesystem::copy_file(file_, copy / "columns.snapshot", std::filesystem::copy_options::overwrite_existing);
  const Columns columns = other.columns();
  EXPECT_EQ(columns.labels.verdict[0], Verdict::unreviewed);
  EXPECT_EQ(columns.labels.verdict[2], Verdict::rejected);
}

TEST_F(SnapshotTest, EveryCutReadsAsNone) {
  const std::string whole = read_file(file_);
  for (std::size_t size = 0; size < whole.size(); size += 1 + size / 50) {
    replace_file(file_, std::string_view(whole).substr(0, size));
    EXPECT_FALSE(store::open_snapshot(file_)) << size << " bytes";
  }
  EXPECT_EQ(project_.columns().labels.size(), 60u);
}

TEST_F(SnapshotTest, EveryChangeOfOneByteReadsAsNone) {
  const std::string whole = read_file(file_);
  std::mt19937 random(5);
  for (std::size_t at = 0; at < whole.size(); at += at < 1024 ? 1 : 1 + random() % 40) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 + random() % 255));
    replace_file(file_, bytes);
    EXPECT_FALSE(store::open_snapshot(file_)) << "byte " << at;
  }
  EXPECT_EQ(project_.columns().samples.width[0], 640);
  EXPECT_TRUE(store::open_snapshot(file_)) << "written anew";
}

TEST_F(SnapshotTest, WordsThatChangePlacesReadAsNone) {
  const std::string whole = read_file(file_);
  for (std::size_t at = 64; at + 128 <= whole.size(); at += 64) {
    std::string bytes = whole;
    std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + 64),
                     bytes.begin() + static_cast<std::ptrdiff_t>(at + 64));
    replace_file(folder_ / "broken", bytes);
    EXPECT_EQ(store::open_snapshot(folder_ / "broken").has_value(), bytes == whole) << "block at " << at;
  }
}

TEST_F(SnapshotTest, WhateverItsBytesNothingIsLookedUpOutside) {
  const std::string whole = read_file(file_);
  std::mt19937 random(11);
  int opened = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = whole;
    for (int k = static_cast<int>(random() % 4); k >= 0; --k) {
      const std::size_t at = random() % (round % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 700));
      if (random() % 2 == 0) {
        bytes[at] = static_cast<char>(random());
      } else {
        const std::uint64_t number =
            std::array<std::uint64_t, 4>{0, ~std::uint64_t{0}, std::uint64_t{1} << 63, random()}[random() % 4];
        std::memcpy(bytes.data() + std::min(at / 8 * 8, bytes.size() - 8), &number, sizeof(number));
      }
    }
    store::correct_sum(std::as_writable_bytes(std::span(bytes)));
    replace_file(folder_ / "broken", bytes);
    if (const auto snapshot = store::open_snapshot(folder_ / "broken")) {
      ++opened;
      ask(snapshot->columns);
    }
  }
  EXPECT_GT(opened, 0) << "with a sum that fits, numbers and texts are believed, so some must pass";
  EXPECT_LT(opened, 2500);
}

TEST_F(SnapshotTest, WhatRefersToNothingReadsAsNone) {
  const auto good = store::open_snapshot(file_);
  const auto is_refused = [&](const auto& spoil) {
    Columns columns = good->columns;
    spoil(columns);
    store::write_snapshot(folder_ / "spoilt", good->stamp, columns);
    return !store::open_snapshot(folder_ / "spoilt");
  };
  EXPECT_FALSE(is_refused([](Columns&) {}));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.sample.set(59, 20); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.sample.set(0, -1); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.set.set(5, 1); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.class_index.set(5, 2); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.kind.set(5, static_cast<LabelKind>(3)); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.verdict.set(5, static_cast<Verdict>(5)); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.status.set(5, static_cast<LabelStatus>(255)); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.id.set(5, c.labels.id[4]); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.samples.id.set(0, -5); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labelled_sample.set(0, 20); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labelled_sample.set(1, c.labelled_sample[0]); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_tags.tag.set(0, 1); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_tags.row.set(0, 20); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.x.append(1.0); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.samples.split.set(0, 3); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.samples.split.set(0, -1); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.splits.clear(); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.labels.decided.append(1.0); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_fields.name.set(0, 2); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_fields.row.set(0, 20); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_fields.row.set(1, 0); })) << "two values of one field";
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_fields.text.set(0, -2); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.sample_fields.text.set(0, 1); }));
  EXPECT_TRUE(is_refused([](Columns& c) { std::ranges::reverse(c.sample_fields.names); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.label_attributes.row.set(0, 60); }));
  EXPECT_TRUE(is_refused([](Columns& c) { c.label_attributes.number.append(1.0); }));
}

}  // namespace
}  // namespace verilabel
