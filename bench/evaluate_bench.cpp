// Times evaluation after loading: evaluate_bench COLUMNS [ROUNDS]. COLUMNS is written by evaluate_bench.py, which also runs the
// peers on the same data in the same run and prints the ratios.
//
// The file, in the byte order of this machine: counts of images, classes, truths, predictions (int64); image ids, class ids
// (int64); of the truths image, class (uint32), box (4 doubles each), area (double), crowd (byte); of the predictions image, class,
// box, score.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/evaluate/confusion.h"
#include "verilabel/evaluate/evaluate.h"

namespace {

using namespace verilabel;

template <typename T>
std::vector<T> read(std::ifstream& in, std::int64_t count) {
  std::vector<T> rows(static_cast<std::size_t>(count));
  in.read(reinterpret_cast<char*>(rows.data()), static_cast<std::streamsize>(rows.size() * sizeof(T)));
  return rows;
}

EvaluationInput read_columns(const char* path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<std::int64_t> counts = read<std::int64_t>(in, 4);
  EvaluationInput input;
  input.images.id = read<std::int64_t>(in, counts[0]);
  input.classes.id = read<std::int64_t>(in, counts[1]);
  for (const std::int64_t id : input.classes.id) {
    input.classes.name.push_back(fmt::format("c{}", id));
  }
  input.truths.image = read<std::uint32_t>(in, counts[2]);
  input.truths.category = read<std::uint32_t>(in, counts[2]);
  input.truths.box_xywh_px = read<Box>(in, counts[2]);
  input.truths.area_px = read<double>(in, counts[2]);
  input.truths.is_crowd = read<std::uint8_t>(in, counts[2]);
  input.predictions.image = read<std::uint32_t>(in, counts[3]);
  input.predictions.category = read<std::uint32_t>(in, counts[3]);
  input.predictions.box_xywh_px = read<Box>(in, counts[3]);
  input.predictions.score = read<double>(in, counts[3]);
  if (!in) {
    throw Error(ErrorCode::bad_data, "the file of columns breaks off; write it again", {{"path", path}});
  }
  return input;
}

/// Milliseconds of each round, in ascending order.
template <typename Work>
std::vector<double> time_rounds(int rounds, const Work& work) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

void run(const char* path, int rounds) {
  const EvaluationInput input = read_columns(path);
  const Matching matching = match(input, coco_match_options());
  const Outcomes all = outcomes(input, matching, matching.cell(0, 0));
  const auto print = [&](const char* name, const std::vector<double>& sorted_ms) {
    fmt::print("{} {} {}\n", name, sorted_ms.front(), sorted_ms[sorted_ms.size() / 2]);
  };
  print("match", time_rounds(rounds, [&] { match(input, coco_match_options()); }));
  print("coco_metrics", time_rounds(rounds, [&] { coco_metrics(input, matching); }));
  print("outcomes", time_rounds(rounds, [&] { outcomes(input, matching, matching.cell(0, 0)); }));
  print("best_f1_points", time_rounds(rounds, [&] { best_f1_points(input, all); }));
  const Pairing pairing = pair_across_classes(input, all, {});
  double threshold = 0;
  std::int64_t kept = 0;  // so that nothing is left out because nobody looks
  print("other_threshold", time_rounds(rounds, [&] {
          threshold += 0.03;
          const ConfusionMatrix matrix = confusion_at(input, pairing, threshold);
          for (const OperatingPoint& point : operating_points_at(input, all, threshold).per_class) {
            kept += point.counts.f1() && point.counts.precision() && point.counts.recall() ? matrix.at(0, 0) : 0;
          }
        }));
  Evaluation evaluation;
  print("evaluate", time_rounds(rounds, [&] { evaluation = evaluate(input, {}); }));
  for (const auto& [name, value] : evaluation.coco.named()) {
    fmt::print("{} {}\n", name, value.value_or(-1));
  }
  fmt::print("kept {}\n", kept);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: evaluate_bench COLUMNS [ROUNDS]; evaluate_bench.py writes COLUMNS and runs this\n", stderr);
    return 2;
  }
  try {
    run(argv[1], argc > 2 ? std::max(1, std::stoi(argv[2])) : 11);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
