#include <memory>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/file.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/run_answer.h"
#include "verilabel/cli/text.h"
#include "verilabel/workflow/label.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string model;
  std::string manifest;
  std::string classes;
  std::string classes_file;
  std::int64_t resume = 0;
};

/// One name a line; blank lines and lines that start with # are for people.
std::vector<std::string> names_from_file(const std::string& path) {
  constexpr std::uint64_t kMaxBytes = 16 << 20;
  std::istringstream lines(read_file(path, kMaxBytes));
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find_first_not_of(" \t\r");
    line = first == std::string::npos ? std::string() : line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    if (!line.empty() && line.front() != '#') {
      names.push_back(line);
    }
  }
  if (names.empty()) {
    throw Error(ErrorCode::wrong_use, "the file of classes names none; give one name a line", {{"file", path}});
  }
  return names;
}

Action configure(CLI::App& app) {
  auto options = std::make_shared<LabelOptions>();
  auto words = std::make_shared<Words>();
  app.add_option("--model", words->model, "An .onnx file, or a folder in Hugging Face's layout")->type_name("MODEL");
  app.add_option("--manifest", words->manifest, "What the graph does not say about itself (default: NAME.verilabel.json beside it)")
      ->type_name("FILE");
  auto* classes =
      app.add_option("--classes", words->classes, "Only these of the model's classes, separated by commas")->type_name("NAMES");
  app.add_option("--classes-file", words->classes_file, "The same, one name a line")->type_name("FILE")->excludes(classes);
  app.add_option("--set", options->set, "Label set that the candidates go into")->capture_default_str();
  app.add_option("--floor", options->floor, "Lowest confidence stored; keep it low, thresholds come later")->capture_default_str();
  app.add_option("--nms", options->nms_iou, "Overlap from which the weaker of two candidates is dropped (default: the family's)")
      ->type_name("IOU");
  app.add_option("--max-detections", options->max_detections, "Most candidates kept of an image (default: the family's)")
      ->type_name("N");
  app.add_option("--where", options->where, "Only these samples (default: all)")->type_name("VIEW");
  app.add_option("--engine", options->engine, "What runs the model")
      ->check(CLI::IsMember({"openvino", "onnxruntime"}))
      ->capture_default_str();
  app.add_option("--device", options->device, "What it runs on")->capture_default_str();
  app.add_option("--batch", options->batch, "Images that go through the model together (default: what suits it)")->type_name("N");
  auto* resume = app.add_option("--resume", words->resume, "Go on with a run that was stopped or cut off, as it was asked for")
                     ->type_name("RUN");
  for (CLI::Option* const other : app.get_options()) {
    if (other != resume && other != app.get_help_ptr()) {
      resume->excludes(other);
    }
  }
  return [options, words](const Invocation& invocation) {
    if (words->resume != 0) {
      Project project = Project::open(invocation.project_dir);
      return answer_run(invocation, resume_run(project, RunId{words->resume}, invocation.console.progress(), invocation.cancel));
    }
    if (words->model.empty()) {
      throw Error(ErrorCode::wrong_use, "which model? Pass --model FILE.onnx, or --resume RUN to go on with a run");
    }
    options->model = std::filesystem::absolute(words->model).lexically_normal();
    if (!words->manifest.empty()) {
      options->manifest = std::filesystem::absolute(words->manifest).lexically_normal();
    }
    if (!words->classes.empty() && names_from(words->classes).empty()) {
      throw Error(ErrorCode::wrong_use, "--classes names no class; leave it out for all of the model's");
    }
    options->classes = words->classes_file.empty() ? names_from(words->classes) : names_from_file(words->classes_file);
    options->validate();
    Project project = Project::open(invocation.project_dir);
    return answer_run(invocation, start_run(project, *options, invocation.console.progress(), invocation.cancel));
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel label --model yolox_nano.onnx",
    "verilabel label --model yolo11n.onnx --classes \"person, traffic light\" --floor 0.01",
    "verilabel label --resume 3",
};

}  // namespace

const Command kLabelCommand{
    "label",
    "Let a model propose labels; every candidate above a low floor is kept",
    "A run survives being stopped or killed: --resume goes on with the images that are left. Labels that a person decided stay;\n"
    "undecided ones of an earlier run give way, and `runs undo` brings them back.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
