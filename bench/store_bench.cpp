// What the store adds to SQLite and to the disk, on a project of COCO's size: 118,000 images, 860,000 labels with polygons of 26
// points.
//
// Each line prints `ms` and a `ratio`, for the best of its rounds:
//   import    all samples and labels through ImportWriter; against bare inserts of the same rows, with masks encoded beforehand,
//   into tables
//             without keys, indices or checks, in one transaction
//   repeat    the same import again, which finds every label there already; against the first import
//   rebuild   columns from every row; against stepping over the same rows and looking at nothing
//   open      a project's columns from the snapshot, to be asked; against reading once the bytes that are checked then
//   follow    one decision brought into columns that are held; against reading the number of the newest change

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "verilabel/geometry/mask_blob.h"
#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/store/import_writer.h"
#include "verilabel/store/project.h"

namespace verilabel {
namespace {

constexpr int kSamples = 118'000;
constexpr int kLabels = 860'000;
constexpr int kClasses = 80;
constexpr int kPoints = 26;
/// Labels that differ; made before the clock runs, and used again and again.
constexpr std::size_t kTemplates = 20'000;

double seconds_of(const auto& act) {
  const auto start = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void require(bool holds, const char* what) {
  if (!holds) {
    fmt::print(stderr, "store_bench: {}\n", what);
    std::abort();
  }
}

Label polygon_label(std::mt19937& random) {
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto hundredths = [](double value) { return std::round(value * 100) / 100; };
  Label label;
  label.kind = LabelKind::mask;
  label.class_id = {1 + static_cast<std::int64_t>(random() % kClasses)};
  label.box_xywh_px = {hundredths(500 * uniform(random)), hundredths(380 * uniform(random)), hundredths(4 + 136 * uniform(random)),
                       hundredths(4 + 96 * uniform(random))};
  label.area_px = hundredths(area(label.box_xywh_px) * 0.7);
  Polygon polygon;
  const Box& box = label.box_xywh_px;
  for (int i = 0; i < kPoints; ++i) {
    const double angle = 2 * 3.14159265358979 * i / kPoints;
    const double radius = 0.3 + 0.2 * uniform(random);
    polygon.push_back(hundredths(box.x + box.w * (0.5 + radius * std::cos(angle))));
    polygon.push_back(hundredths(box.y + box.h * (0.5 + radius * std::sin(angle))));
  }
  label.mask = Mask{std::vector<Polygon>{std::move(polygon)}, true};
  return label;
}

const std::vector<Label>& templates() {
  static const std::vector<Label> labels = [] {
    std::mt19937 random(7);  // NOLINT(bugprone-random-generator-seed): every run measures the same data
    std::vector<Label> made;
    for (std::size_t i = 0; i < kTemplates; ++i) {
      made.push_back(polygon_label(random));
    }
    return made;
  }();
  return labels;
}

/// The sample of each label: in no order, as in COCO's files.
std::int64_t sample_of(int label) {
  return 1 + static_cast<std::int64_t>((static_cast<std::uint64_t>(label) * 2'654'435'761U) % kSamples);
}

std::string source_of(int label) {
  return fmt::format(R"({{"id":{}}})", label + 1);
}
std::string path_of(int sample) {
  return fmt::format("/data/coco/train2017/{:012}.jpg", sample);
}

std::filesystem::path scratch_folder() {
  const char* chosen = std::getenv("VERILABEL_BENCH_DIR");
  return (chosen != nullptr ? std::filesystem::path(chosen) : std::filesystem::temp_directory_path()) / "verilabel_store_bench";
}

/// Returns how many labels were new.
int import_into(Project& project) {
  ImportWriter writer(project);
  const ImportId import = writer.begin(project.ensure_set("ground_truth"), "coco", "/data/coco/instances.json");
  benchmark::DoNotOptimize(import);
  for (int i = 0; i < kClasses; ++i) {
    project.ensure_class(fmt::format("c{}", i), fmt::format(R"({{"id":{},"supercategory":"s"}})", i));
  }
  Sample sample;
  sample.width = 640;
  sample.height = 480;
  sample.format = "jpeg";
  for (int i = 0; i < kSamples; ++i) {
    sample.path = path_of(i);
    sample.name = sample.path.filename().native();
    sample.source_json =
        fmt::format(R"({{"id":{},"license":3,"coco_url":"http://images.example/{:012}.jpg","date_captured":"2013-11-14"}})", i, i);
    writer.mark_labelled(writer.add_sample(sample).id);
  }
  int added = 0;
  Label label;
  for (int i = 0; i < kLabels; ++i) {
    label = templates()[static_cast<std::size_t>(i) % kTemplates];
    label.source_json = source_of(i);
    added += writer.add_label({sample_of(i)}, label) ? 1 : 0;
  }
  writer.finish();
  return added;
}

/// The project that the other measurements ask.
std::filesystem::path imported_project() {
  static const std::filesystem::path folder = [] {
    const auto made = scratch_folder() / "asked";
    std::filesystem::remove_all(made);
    Project project = Project::create(made);
    import_into(project);
    benchmark::DoNotOptimize(project.columns().change);
    return made;
  }();
  return folder;
}

/// The peer of an import.
void insert_bare(const std::filesystem::path& file) {
  sqlite3* connection = nullptr;
  require(sqlite3_open(file.c_str(), &connection) == SQLITE_OK, "cannot open the peer's database");
  const auto execute = [&](const char* sql) {
    require(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr) == SQLITE_OK, sql);
  };
  const auto prepare = [&](const char* sql) {
    sqlite3_stmt* statement = nullptr;
    require(sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr) == SQLITE_OK, sql);
    return statement;
  };
  execute("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536");
  execute(
      "CREATE TABLE samples (id INTEGER PRIMARY KEY, path TEXT, name TEXT, width INTEGER, height INTEGER, format TEXT, source_json "
      "TEXT)");
  execute(
      "CREATE TABLE labels (id INTEGER PRIMARY KEY, sample_id INTEGER, set_id INTEGER, class_id INTEGER, kind INTEGER, x REAL, y "
      "REAL, w REAL, "
      "h REAL, area REAL, import_id INTEGER, mask BLOB, source_json TEXT)");
  execute("BEGIN");
  sqlite3_stmt* sample =
      prepare("INSERT INTO samples (path, name, width, height, format, source_json) VALUES (?, ?, 640, 480, 'jpeg', ?)");
  const auto bind_text = [](sqlite3_stmt* statement, int index, const std::string& text) {
    sqlite3_bind_text(statement, index, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  };
  for (int i = 0; i < kSamples; ++i) {
    const std::string path = path_of(i);
    const std::string name = path.substr(path.rfind('/') + 1);
    const std::string source =
        fmt::format(R"({{"id":{},"license":3,"coco_url":"http://images.example/{:012}.jpg","date_captured":"2013-11-14"}})", i, i);
    bind_text(sample, 1, path);
    bind_text(sample, 2, name);
    bind_text(sample, 3, source);
    sqlite3_step(sample);
    sqlite3_reset(sample);
  }
  sqlite3_stmt* label = prepare(
      "INSERT INTO labels (sample_id, set_id, class_id, kind, x, y, w, h, area, import_id, mask, source_json) "
      "VALUES (?, 1, ?, 2, ?, ?, ?, ?, ?, 1, ?, ?)");
  static const std::vector<std::string> blobs = [] {
    std::vector<std::string> made;
    for (const Label& one : templates()) {
      made.push_back(blob_from_mask(*one.mask));
    }
    return made;
  }();
  for (int i = 0; i < kLabels; ++i) {
    const Label& one = templates()[static_cast<std::size_t>(i) % kTemplates];
    const std::string& blob = blobs[static_cast<std::size_t>(i) % kTemplates];
    const std::string source = source_of(i);
    sqlite3_bind_int64(label, 1, sample_of(i));
    sqlite3_bind_int64(label, 2, one.class_id.value);
    sqlite3_bind_double(label, 3, one.box_xywh_px.x);
    sqlite3_bind_double(label, 4, one.box_xywh_px.y);
    sqlite3_bind_double(label, 5, one.box_xywh_px.w);
    sqlite3_bind_double(label, 6, one.box_xywh_px.h);
    sqlite3_bind_double(label, 7, *one.area_px);
    sqlite3_bind_blob(label, 8, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
    bind_text(label, 9, source);
    sqlite3_step(label);
    sqlite3_reset(label);
  }
  sqlite3_finalize(sample);
  sqlite3_finalize(label);
  execute("COMMIT");
  sqlite3_close(connection);
}

struct Best {
  double seconds = std::numeric_limits<double>::infinity();
  void add(double one) { seconds = std::min(seconds, one); }
};

void report(benchmark::State& state, const Best& ours, const Best& peer) {
  state.counters["ms"] = ours.seconds * 1e3;
  state.counters["peer_ms"] = peer.seconds * 1e3;
  state.counters["ratio"] = ours.seconds / peer.seconds;
}

void import_everything(benchmark::State& state) {
  const auto folder = scratch_folder();
  templates();
  Best ours;
  Best peer;
  for ([[maybe_unused]] auto iteration : state) {
    std::filesystem::remove_all(folder / "peer");
    std::filesystem::create_directories(folder / "peer");
    peer.add(seconds_of([&] { insert_bare(folder / "peer" / "bare.db"); }));
    std::filesystem::remove_all(folder / "imported");
    const double seconds = seconds_of([&] {
      Project project = Project::create(folder / "imported");
      require(import_into(project) == kLabels, "a label was taken for one that is there");
    });
    ours.add(seconds);
    state.SetIterationTime(seconds);
  }
  report(state, ours, peer);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_mb"] = static_cast<double>(usage.ru_maxrss) / 1e3;
  std::filesystem::remove_all(folder / "peer");
}

void import_again(benchmark::State& state) {
  const auto folder = scratch_folder() / "again";
  Best ours;
  Best peer;
  for ([[maybe_unused]] auto iteration : state) {
    std::filesystem::remove_all(folder);
    Project project = Project::create(folder);
    peer.add(seconds_of([&] { import_into(project); }));
    const double seconds = seconds_of([&] { require(import_into(project) == 0, "a label was taken for a new one"); });
    ours.add(seconds);
    state.SetIterationTime(seconds);
  }
  report(state, ours, peer);
  std::filesystem::remove_all(folder);
}

void rebuild(benchmark::State& state) {
  Project project = Project::open(imported_project());
  Best ours;
  Best peer;
  for ([[maybe_unused]] auto iteration : state) {
    peer.add(seconds_of([&] {
      store::Statement rows = project.database().prepare(
          "SELECT id, sample_id, set_id, class_id, kind, x, y, w, h, confidence, area, is_crowd FROM labels");
      while (rows.step()) {
      }
    }));
    const double seconds = seconds_of([&] { benchmark::DoNotOptimize(store::rebuild_columns(project.database()).change); });
    ours.add(seconds);
    state.SetIterationTime(seconds);
  }
  report(state, ours, peer);
}

void open_snapshot(benchmark::State& state) {
  const auto folder = imported_project();
  Best ours;
  Best peer;
  for ([[maybe_unused]] auto iteration : state) {
    std::optional<Columns> columns;
    const double seconds = seconds_of([&] {
      const Project project = Project::open(folder, Project::Access::read_only);
      columns = project.columns();
    });
    require(columns->labels.size() == kLabels, "labels are missing");
    ours.add(seconds);
    state.SetIterationTime(seconds);
    peer.add(seconds_of([&] {
      const auto sum = [](const auto& column) {
        return std::accumulate(column.begin(), column.end(), std::int64_t{0},
                               [](std::int64_t total, auto value) { return total + static_cast<std::int64_t>(value); });
      };
      const LabelColumns& labels = columns->labels;
      benchmark::DoNotOptimize(sum(labels.id) + sum(labels.sample) + sum(labels.set) + sum(labels.class_index) + sum(labels.kind) +
                               sum(labels.verdict) + sum(labels.status) + sum(columns->samples.path.ends()) +
                               sum(columns->samples.name.ends()));
    }));
  }
  report(state, ours, peer);
}

void follow_a_decision(benchmark::State& state) {
  Project project = Project::open(imported_project());
  Columns columns = project.columns();
  Best ours;
  Best peer;
  std::int64_t next = 1;
  for ([[maybe_unused]] auto iteration : state) {
    decide_labels(project, std::vector<LabelId>{{next}, {next + 1}}, Verdict::accepted, {"bench", "", ""});
    next += 2;
    const double seconds = seconds_of([&] { project.refresh(columns); });
    ours.add(seconds);
    state.SetIterationTime(seconds);
    peer.add(seconds_of([&] {
      store::Statement newest = project.database().prepare("SELECT max(id) FROM changes");
      newest.step();
      benchmark::DoNotOptimize(newest.integer(0));
    }));
  }
  report(state, ours, peer);
}

}  // namespace
}  // namespace verilabel

int main(int argc, char** argv) {
  using namespace verilabel;
  const auto add = [](const char* name, void (*run)(benchmark::State&), int rounds) {
    benchmark::RegisterBenchmark(name, run)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(rounds);
  };
  add("import", import_everything, 3);
  add("repeat", import_again, 1);
  add("rebuild", rebuild, 3);
  add("open", open_snapshot, 20);
  add("follow", follow_a_decision, 20);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  std::filesystem::remove_all(scratch_folder());
  return 0;
}
