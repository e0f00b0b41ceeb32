// One side of the comparison that label_run_bench.py makes: label_run_bench ENGINE MODE MODEL COUNT FOLDER…
//
// Takes COUNT images from the folders, over and over in the order of their names, and prints one JSON object. `decode-…` is the
// bare work that no label run can avoid: reading, decoding and resizing to the model's input, on all processors. `engine` is the
// engine alone, `run` the label run of the library with a sink that only counts. `loop` is what one would write without the
// library's pipeline: as many threads as the engine wants requests, each of which takes one image after another from its file to
// its labels.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/base/error.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/resize.h"
#include "verilabel/pipeline/label_run.h"

namespace {

using namespace verilabel;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kFloor = .05;

std::vector<fs::path> images_in(const std::vector<fs::path>& folders) {
  std::vector<fs::path> paths;
  for (const fs::path& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const std::string extension = entry.path().extension();
      if (extension == ".jpg" || extension == ".jpeg" || extension == ".png") {
        paths.push_back(entry.path());
      }
    }
  }
  std::sort(paths.begin(), paths.end());
  if (paths.empty()) {
    throw Error(ErrorCode::not_found, "there are no images in the folders given");
  }
  return paths;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double status_megabytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) {
      return std::strtod(line.c_str() + field.size() + 1, nullptr) / 1024;
    }
  }
  return 0;
}

void decode_only(const Labeller& labeller, OpencvInterpolation kernel, const std::vector<fs::path>& paths, std::size_t count) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    Image image;
    Image resized;
    for (std::size_t i = next++; i < count; i = next++) {
      decode(paths[i % paths.size()], image);
      const double scale = std::min(static_cast<double>(labeller.input_width()) / image.width(),
                                    static_cast<double>(labeller.input_height()) / image.height());
      resize_opencv(image, std::max(1, static_cast<int>(image.width() * scale)),
                    std::max(1, static_cast<int>(image.height() * scale)), kernel, resized);
    }
  };
  const double cpu = cpu_seconds();
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back(work);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  fmt::print("{{\"images\": {}, \"seconds\": {:.4f}, \"cpu_seconds\": {:.4f}}}\n", count, seconds, cpu_seconds() - cpu);
}

void engine_only(Engine& engine, const Labeller& labeller, std::size_t count) {
  const auto compiled = compile_for_run(engine, labeller.graph(), {});
  std::vector<std::unique_ptr<InferRequest>> requests;
  std::mt19937 noise(1);
  for (int i = 0; i < compiled->optimal_requests(); ++i) {
    requests.push_back(compiled->create_request());
    // Noise, as an image is: with zeros everywhere the engine is faster by one or two per cent.
    std::ranges::generate(requests.back()->input(0), [&noise] { return static_cast<float>(noise() >> 24U); });
  }
  BoundedQueue<InferRequest*> finished(requests.size());
  std::size_t started = 0;
  const auto start = [&](InferRequest* request) {
    ++started;
    request->start([&finished, request](const std::exception_ptr&) { finished.push(request); });
  };
  const double cpu = cpu_seconds();
  const auto begin = Clock::now();
  for (const auto& request : requests) {
    start(request.get());
  }
  for (std::size_t done = 0; done < count; ++done) {
    InferRequest* request = *finished.pop();
    if (started < count) {
      start(request);
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  fmt::print("{{\"images\": {}, \"seconds\": {:.4f}, \"cpu_seconds\": {:.4f}}}\n", count, seconds, cpu_seconds() - cpu);
}

void bare_loop(Engine& engine, const Labeller& labeller, const std::vector<fs::path>& paths, std::size_t count) {
  const auto compiled = compile_for_run(engine, labeller.graph(), {});
  CandidateOptions options = labeller.default_options();
  options.floor = kFloor;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> candidates{0};
  const auto work = [&] {
    const auto request = compiled->create_request();
    Image image;
    Image scratch;
    for (std::size_t i = next++; i < count; i = next++) {
      decode(paths[i % paths.size()], image);
      const InputView input{request->input(0), {}};
      const InputTransform transform = labeller.preprocess(image, {&input, 1}, scratch, 0);
      request->run();
      std::vector<std::vector<std::int64_t>> shapes(compiled->output_count());
      std::vector<OutputView> outputs;
      for (std::size_t k = 0; k < shapes.size(); ++k) {
        shapes[k] = request->output_shape(k);
        outputs.push_back({request->output(k), std::span(shapes[k]).subspan(1)});
      }
      candidates += labeller.decode(outputs, transform, options).size();
    }
  };
  const double cpu = cpu_seconds();
  const auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < compiled->optimal_requests(); ++i) {
    threads.emplace_back(work);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  fmt::print("{{\"images\": {}, \"candidates\": {}, \"seconds\": {:.4f}, \"cpu_seconds\": {:.4f}}}\n", count, candidates.load(),
             seconds, cpu_seconds() - cpu);
}

void whole_run(Engine& engine, const Labeller& labeller, const std::vector<fs::path>& paths, std::size_t count) {
  LabelRunOptions options;
  options.candidates = labeller.default_options();
  options.candidates.floor = kFloor;
  const auto compiled = compile_for_run(engine, labeller.graph(), options);
  const double cpu = cpu_seconds();
  std::size_t next = 0;
  const LabelSource source = [&]() -> std::optional<LabelTask> {
    if (next == count) {
      return std::nullopt;
    }
    const std::size_t i = next++;
    return LabelTask{SampleId{static_cast<std::int64_t>(next)}, paths[i % paths.size()]};
  };
  const CancelToken never;
  const LabelRunReport report =
      run_labelling({.proposer = &labeller, .proposer_graph = compiled.get()}, options, source, [](TaskOutcome&&) {}, {}, never);
  fmt::print(
      "{{\"images\": {}, \"failed\": {}, \"candidates\": {}, \"seconds\": {:.4f}, \"cpu_seconds\": {:.4f}, \"idle_seconds\": "
      "{:.4f}, "
      "\"decode\": {:.4f}, \"preprocess\": {:.4f}, \"output\": {:.4f}, \"sink\": {:.4f}, \"device\": \"{}\", "
      "\"resident_mb\": {:.1f}, \"peak_mb\": {:.1f}}}\n",
      report.done, report.failed, report.candidates, report.seconds, cpu_seconds() - cpu, report.idle_seconds, report.stages.decode,
      report.stages.preprocess, report.stages.output, report.stages.sink, report.device, status_megabytes("VmRSS"),
      status_megabytes("VmHWM"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "label_run_bench ENGINE decode-linear|decode-area|engine|loop|run MODEL COUNT FOLDER…\n");
    return 2;
  }
  try {
    const auto engine = open_engine(argv[1]);
    const std::string mode = argv[2];
    const fs::path model = argv[3];
    const std::size_t count = std::strtoull(argv[4], nullptr, 10);
    const std::vector<fs::path> paths = images_in({argv + 5, argv + argc});
    const auto labeller = load_labeller(*engine, model);
    if (mode == "decode-linear" || mode == "decode-area") {
      decode_only(*labeller, mode == "decode-area" ? OpencvInterpolation::area : OpencvInterpolation::linear, paths, count);
    } else if (mode == "engine") {
      engine_only(*engine, *labeller, count);
    } else if (mode == "loop") {
      bare_loop(*engine, *labeller, paths, count);
    } else if (mode == "run") {
      whole_run(*engine, *labeller, paths, count);
    } else {
      throw Error(ErrorCode::wrong_use, "the mode is decode-linear, decode-area, engine, loop or run");
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
