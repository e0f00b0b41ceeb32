// How long a view takes on 860,000 and on 5,000,000 labels, against one pass over the bytes of the columns that it asks about.
//
// Each line prints `ms` (the best of the run), `bound_ms` (reading those columns once, measured beside it), `ratio` = ms / bound_ms
// and `selected`. A filter that answers early (a limit without a sort) can be below 1; one that selects much also writes much, and
// one by path reads the paths, which the bound leaves out.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "verilabel/dataset/testing_columns.h"
#include "verilabel/dataset/view.h"

namespace verilabel {
namespace {

/// Seven labels a sample and eighty classes, as in COCO; scores as a detector with a low floor leaves them.
Columns columns_with(std::int64_t label_count) {
  Columns c;
  c.sets = {{1, "ground_truth"}, {2, "auto"}};
  for (int i = 1; i <= 80; ++i) {
    c.classes.push_back({i, fmt::format("c{}", i)});
  }
  std::mt19937 random(3);  // NOLINT(bugprone-random-generator-seed): every run measures the same data
  std::uniform_real_distribution<double> uniform(0, 1);
  const std::int64_t sample_count = label_count / 7;
  for (std::int64_t i = 0; i < sample_count; ++i) {
    const std::string name = fmt::format("images/{:012}.jpg", i);
    append(c.samples, {i + 1, fmt::format("/data/project/{}", name), name});
    c.labelled_sample.append(static_cast<std::int32_t>(i));
    c.labelled_set.append(1);
  }
  for (std::int64_t i = 0; i < label_count; ++i) {
    LabelRow row;
    row.id = i + 1;
    row.sample = static_cast<std::int32_t>(i * sample_count / label_count);
    row.set = i % 10 == 0 ? 0 : 1;
    row.class_index = static_cast<std::int32_t>(random() % 80);
    row.confidence = row.set == 0 ? std::nullopt : std::optional(uniform(random) * uniform(random));
    row.box_xywh_px = {0, 0, 4 + 300 * uniform(random), 4 + 300 * uniform(random)};
    row.status = random() % 20 == 0 ? LabelStatus::replaced : LabelStatus::active;
    append(c.labels, row);
  }
  return c;
}

const Columns& cached_columns(std::int64_t label_count) {
  static std::map<std::int64_t, Columns> all;
  const auto found = all.find(label_count);
  return found != all.end() ? found->second : all.emplace(label_count, columns_with(label_count)).first->second;
}

template <typename T>
std::span<const std::byte> bytes_of(const Column<T>& column) {
  return std::as_bytes(column.rows());
}

/// Reads every byte once, with four sums so that the additions do not limit it.
std::uint64_t read_once(std::span<const std::byte> bytes) {
  std::uint64_t sums[4] = {};
  std::uint64_t words[4];
  for (std::size_t i = 0; i + sizeof words <= bytes.size(); i += sizeof words) {
    std::memcpy(words, bytes.data() + i, sizeof words);
    for (int k = 0; k < 4; ++k) {
      sums[k] += words[k];
    }
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

template <typename Work>
double seconds_of(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Question {
  const char* name;
  const char* view;
  bool asks_for_samples;
  std::vector<std::span<const std::byte>> (*columns)(const LabelColumns&);  ///< what any answer must read
};

constexpr Question kQuestions[] = {
    {"everything", "", false, [](const LabelColumns& l) { return std::vector{bytes_of(l.status)}; }},
    {"one_class", "class:c7", false,
     [](const LabelColumns& l) { return std::vector{bytes_of(l.status), bytes_of(l.class_index)}; }},
    {"class_confidence_area", "class:c7 confidence>=0.3 area>1024", false,
     [](const LabelColumns& l) {
       return std::vector{bytes_of(l.status), bytes_of(l.class_index), bytes_of(l.confidence), bytes_of(l.area)};
     }},
    {"five_classes_or_confident", "set:auto (class:c1,c2,c3,c4,c5 | confidence>=0.9) -area<1024", false,
     [](const LabelColumns& l) {
       return std::vector{bytes_of(l.status), bytes_of(l.set), bytes_of(l.class_index), bytes_of(l.confidence), bytes_of(l.area)};
     }},
    {"first_hundred", "class:c7 area>20000 limit:100", false,
     [](const LabelColumns& l) { return std::vector{bytes_of(l.status)}; }},
    {"most_confident_hundred", "class:c7 area>1024 -sort:confidence limit:100", false,
     [](const LabelColumns& l) {
       return std::vector{bytes_of(l.status), bytes_of(l.class_index), bytes_of(l.confidence), bytes_of(l.area)};
     }},
    {"most_confident_of_all", "-sort:confidence limit:100", false,
     [](const LabelColumns& l) { return std::vector{bytes_of(l.status), bytes_of(l.confidence)}; }},
    {"samples_with_a_label", "class:c7 confidence>=0.3", true,
     [](const LabelColumns& l) {
       return std::vector{bytes_of(l.status), bytes_of(l.class_index), bytes_of(l.confidence), bytes_of(l.sample)};
     }},
    {"samples_by_count", "count(auto,c7)>1", true,
     [](const LabelColumns& l) {
       return std::vector{bytes_of(l.status), bytes_of(l.class_index), bytes_of(l.set), bytes_of(l.sample)};
     }},
    {"samples_by_count_of_all", "count(auto)>6", true,
     [](const LabelColumns& l) { return std::vector{bytes_of(l.status), bytes_of(l.set), bytes_of(l.sample)}; }},
    {"labels_of_samples_by_path", "path:*7.jpg class:c7", false,
     [](const LabelColumns& l) { return std::vector{bytes_of(l.status), bytes_of(l.class_index), bytes_of(l.sample)}; }},
};

void answer(benchmark::State& state, const Question& question) {
  const Columns& columns = cached_columns(state.range(0));
  const View view = View::parse(question.view);
  double best = std::numeric_limits<double>::infinity();
  double bound = std::numeric_limits<double>::infinity();
  std::size_t selected = 0;
  for ([[maybe_unused]] auto iteration : state) {
    const double seconds = seconds_of([&] {
      const auto rows = question.asks_for_samples ? select_samples(view, columns) : select_labels(view, columns);
      selected = rows.size();
      benchmark::DoNotOptimize(rows.data());
    });
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
    bound = std::min(bound, seconds_of([&] {
                       for (const auto& bytes : question.columns(columns.labels)) {
                         benchmark::DoNotOptimize(read_once(bytes));
                       }
                     }));
  }
  state.counters["ms"] = best * 1e3;
  state.counters["bound_ms"] = bound * 1e3;
  state.counters["ratio"] = best / bound;
  state.counters["selected"] = static_cast<double>(selected);
}

}  // namespace
}  // namespace verilabel

int main(int argc, char** argv) {
  for (const verilabel::Question& question : verilabel::kQuestions) {
    benchmark::RegisterBenchmark(question.name, [&question](benchmark::State& state) { verilabel::answer(state, question); })
        ->Arg(860'000)
        ->Arg(5'000'000)
        ->Unit(benchmark::kMillisecond)
        ->UseManualTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
