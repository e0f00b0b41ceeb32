#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/new_folder.h"
#include "verilabel/base/program_path.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/bundled_models.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/text.h"
#include "verilabel/hub/locate.h"
#include "verilabel/store/run_ledger.h"

namespace verilabel::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kFolder = "verilabel-quickstart";
constexpr const char* kRecord = "quickstart.sh";
constexpr std::string_view kClasses = "person, bicycle, car, dog, sailboat, bottle, book, white duck, brown duck, yellow duck";
/// What counts as found where there is no truth to measure by.
constexpr std::string_view kGuessedThreshold = "0.3";

struct Options {
  std::string dir;
  std::string images;
  std::string model;
  std::string segment_with;
  std::string labels;
  std::string format;
  std::string classes;
  std::int64_t count = 400;
  std::uint64_t seed = 1;

  bool is_of_photographs() const { return !images.empty(); }
  bool has_truth() const { return !is_of_photographs() || !labels.empty(); }
};

/// One command line that is run, and what it is for.
struct Step {
  std::string about;
  std::vector<std::string> words;  ///< behind the program's name
  fs::path makes;                  ///< comes into being whole, and then the step is done; empty: it can be repeated

  std::string line() const { return "verilabel " + shell_line(words); }
};

/// The command lines, in the order of the loop, to be run inside the new folder. Paths in `options` are absolute.
std::vector<Step> steps_of(const Options& options) {
  std::vector<Step> steps;
  const auto add = [&steps](std::string about, std::vector<std::string> words, fs::path makes = {}) {
    steps.push_back({std::move(about), std::move(words), std::move(makes)});
  };
  const std::string images = options.is_of_photographs() ? options.images : "world/images";
  if (!options.is_of_photographs()) {
    add("Draw a world: pictures, and the truth about what is in them",
        {"demo", "create", "world", "--images", std::to_string(options.count), "--seed", std::to_string(options.seed), "--classes",
         options.classes},
        "world");
  }
  add("Make a project", {"init"}, "verilabel.db");
  add("Import the images, which stay where they are", {"import", "--images", images});
  if (options.is_of_photographs() && options.has_truth()) {
    add("Import their true labels", {"import", "--labels", options.labels, "--format", options.format});
  } else if (options.has_truth()) {
    add("Import true labels for a fifth of them, as a person would have drawn them to measure by",
        {"import", "--labels", "world/asked.json", "--format", "coco", "--split", "val"});
  }

  std::vector<std::string> label = {"label", "--model", options.model};
  if (!options.classes.empty()) {
    label.insert(label.end(), {"--classes", options.classes});
  }
  label.insert(label.end(), {"--floor", "0.01"});
  add(options.classes.empty()
          ? "Let the model propose labels; every candidate above a low floor is kept, thresholds come later"
          : "Let the model find what words ask for; every candidate above a low floor is kept, thresholds come later",
      label);
  std::vector<std::string> chosen = {"--threshold", std::string(kGuessedThreshold)};
  if (options.has_truth()) {
    add("Measure the proposals against the truth, class by class; the report shows what goes wrong",
        {"evaluate", "--predictions", "auto", "--truth", "ground_truth", "--report", "report.html"});
    add("Recommend thresholds by class: here those of best F1, a middle way between what is good to train on and to accept unseen",
        {"threshold", "--predictions", "auto", "--truth", "ground_truth", "--output", "thresholds.json"});
    chosen = {"--thresholds", "thresholds.json"};
  }
  if (!options.segment_with.empty()) {
    if (options.has_truth()) {
      add("Accept what reaches them, for a first look: one decision, which `review undo` takes back",
          {"review", "accept", "--where", "set:auto", "--thresholds", "thresholds.json"});
    } else {
      add("Accept what has some confidence: one decision, which `review undo` takes back",
          {"review", "accept", "--where", fmt::format("set:auto confidence>={}", kGuessedThreshold)});
    }
    add("Outline the accepted boxes",
        {"label", "--boxes", "auto", "--where", "verdict:accepted", "--segment-with", options.segment_with, "--set", "masks"});
  }
  std::vector<std::string> yolo = {"export", "--set", "auto", "--format", "yolo", "--images", "symbolic_link", "--output", "yolo"};
  yolo.insert(yolo.end(), chosen.begin(), chosen.end());
  add("Export boxes as YOLO, ready to train on", yolo, "yolo");
  std::vector<std::string> coco = {"export", "--set", "masks", "--format", "coco", "--output", "masks.json"};
  if (options.segment_with.empty()) {
    coco = {"export", "--set", "auto", "--format", "coco", "--output", "boxes.json"};
    coco.insert(coco.end(), chosen.begin(), chosen.end());
  }
  add(options.segment_with.empty() ? "Export the same as COCO" : "Export outlines as COCO", coco);
  return steps;
}

/// Paths become absolute, because the steps run elsewhere, and what was left out is filled in. Throws before anything is made.
void complete(Options& options) {
  const auto absolute = [](std::string& path) { path = fs::absolute(path).lexically_normal().native(); };
  const auto absolute_model = [&](std::string& model) {
    const LocatedModel located = locate_model(model);
    if (!located.snapshot) {
      absolute(model);
    }
  };
  const auto require = [](bool holds, const std::string& message) {
    if (!holds) {
      throw Error(ErrorCode::wrong_use, message);
    }
  };
  if (!options.is_of_photographs()) {
    require(options.model.empty() && options.segment_with.empty() && options.labels.empty() && options.format.empty(),
            "--model, --segment-with, --labels and --format are for your own photographs: name their folder with --images");
    options.classes = options.classes.empty() ? std::string(kClasses) : options.classes;
    options.model = bundled_model("detector").native();
    options.segment_with = bundled_model("segmenter").native();
    return;
  }
  require(!options.model.empty(),
          "which model shall label the photographs? Name a detector with --model: an .onnx file, a folder, or ORG/NAME of one that "
          "was pulled (`verilabel models` lists some)");
  require(fs::is_directory(options.images), fmt::format("--images {} is no folder", printable(options.images)));
  require(options.labels.empty() || fs::exists(options.labels),
          fmt::format("--labels {} does not exist", printable(options.labels)));
  require(options.format.empty() || !options.labels.empty(), "--format is that of --labels, which is not given");
  absolute(options.images);
  absolute_model(options.model);
  if (!options.segment_with.empty()) {
    absolute_model(options.segment_with);
  }
  if (!options.labels.empty()) {
    options.format = !options.format.empty() ? options.format : fs::path(options.labels).extension() == ".json" ? "coco" : "yolo";
    absolute(options.labels);
  }
}

/// The command lines that are done, as a script in the folder: what tells where to go on, and what a person can run again.
class Record {
 public:
  explicit Record(const fs::path& folder) : path_(folder / kRecord) {}

  /// How many of the steps are done. Throws `conflict` for a folder with anything else in it.
  std::size_t begin(const std::vector<Step>& steps) {
    const fs::path folder = path_.parent_path();
    if (!fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder))) {
      fs::create_directories(folder);
      replace_file(path_, text_);
      return 0;
    }
    if (!fs::exists(path_)) {
      throw Error(ErrorCode::conflict, "there is something else already; name another folder: verilabel quickstart DIR",
                  {{"path", folder.native()}});
    }
    const std::string found = read_file(path_);
    std::size_t done = 0;
    for (; done < steps.size() && found.starts_with(text_ + steps[done].line() + "\n"); ++done) {
      text_ += steps[done].line() + "\n";
    }
    if (done == steps.size()) {
      throw Error(ErrorCode::conflict,
                  fmt::format("this quickstart is complete; look into it, begin anew with rm -r {}, or name another folder",
                              shell_line(std::vector{folder.native()})),
                  {{"path", folder.native()}});
    }
    const std::string rest = found.substr(std::min(found.size(), text_.size()));
    if (!found.starts_with(text_) || !(rest.empty() || rest.starts_with(kBegun))) {
      throw Error(ErrorCode::conflict,
                  "a quickstart that was asked for in other words began here; ask for the same to go on with it, or name another "
                  "folder",
                  {{"path", folder.native()}, {"done", path_.native()}});
    }
    was_begun_ = rest == begun(steps[done]);
    return done;
  }

  /// Whether the first step that is not done was cut off.
  bool was_begun() const { return was_begun_; }
  void add_begun(const Step& step) { replace_file(path_, text_ + begun(step)); }
  void add_done(const Step& step) {
    text_ += step.line() + "\n";
    replace_file(path_, text_);
  }

 private:
  static constexpr std::string_view kHead =
      "#!/bin/sh -e\n# What `verilabel quickstart` did in this folder; in an empty one, `sh -e quickstart.sh` does it again.\n";
  static constexpr std::string_view kBegun = "# not done yet: ";

  static std::string begun(const Step& step) { return fmt::format("{}{}\n", kBegun, step.line()); }

  fs::path path_;
  std::string text_{kHead};
  bool was_begun_ = false;
};

/// The run that a `label` step was cut off in, if it has done anything: that need not be done again.
std::optional<RunId> cut_off_run(const Step& step) {
  if (step.words.front() != "label") {
    return std::nullopt;
  }
  const auto named = std::ranges::find(step.words, "--set");
  const std::string set = named == step.words.end() ? "auto" : *(named + 1);
  const Project project = Project::open(".");
  const std::vector<RunRow> rows = runs(project);
  const auto is_left = [&](const RunRow& row) {
    return row.request.set == set && row.finished_at.empty() && !row.is_undone && row.done + row.failed > 0;
  };
  const auto last = std::find_if(rows.rbegin(), rows.rend(), is_left);
  return last == rows.rend() ? std::nullopt : std::optional(last->id);
}

/// Where the program is, when its name alone does not find it.
std::optional<fs::path> folder_off_the_path() {
  std::error_code ignored;
  const fs::path program = program_path();
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, end)) / "verilabel";
    if (fs::exists(candidate, ignored)) {
      return fs::equivalent(candidate, program, ignored) ? std::nullopt : std::optional(program.parent_path());
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return program.parent_path();
}

/// What is on the left, and what it is.
using Lines = std::vector<std::pair<std::string, std::string>>;

void say_lines(Console& console, const Lines& lines) {
  std::size_t width = 0;
  for (const auto& [left, right] : lines) {
    width = std::max(width, left.size());
  }
  for (const auto& [left, right] : lines) {
    console.say(fmt::format("  {:<{}}  {}", left, width, right));
  }
}

void say_what_next(Console& console, const Options& options, const std::string& folder, double seconds) {
  const bool has_masks = !options.segment_with.empty();
  Lines made;
  if (options.has_truth()) {
    made.emplace_back("report.html", "what goes wrong, and where: open it in a browser");
  }
  made.emplace_back("yolo/data.yaml", "boxes to train on");
  made.emplace_back(has_masks ? "masks.json" : "boxes.json", has_masks ? "outlines, as COCO" : "the same as COCO");
  made.emplace_back(kRecord, "the commands above");
  console.say(fmt::format("\nDone in {}. In {}:", duration_text(seconds), printable(folder)));
  say_lines(console, made);

  Lines next;
  if (options.has_truth()) {
    next.emplace_back("verilabel samples --where '-sort:fn limit:5'", "the images where most was missed");
  }
  if (options.is_of_photographs()) {
    next.emplace_back("verilabel labels --where 'set:auto -sort:confidence limit:5'", "the surest labels");
    next.emplace_back("verilabel review reject --where 'set:auto area<100'", "decide; `review undo` takes it back");
  } else {
    next.emplace_back("verilabel evaluate --predictions masks --truth ground_truth --iou-type mask", "how good the outlines are");
    next.emplace_back(fmt::format("verilabel label --model {} --set asked --classes 'striped umbrella, red car'",
                                  shell_line(std::vector{options.model})),
                      "ask for something else");
  }
  const auto off_path = folder_off_the_path();
  console.say(fmt::format("\nGo on there: cd {}{}", shell_line(std::vector{folder}),
                          off_path ? fmt::format("; PATH={}:$PATH", shell_line(std::vector{off_path->native()})) : ""));
  say_lines(console, next);

  if (!options.is_of_photographs()) {
    console.say(
        "\nYour own photographs, with a real model; its download is all that ever asks the network:\n"
        "  verilabel models pull onnx-community/grounding-dino-tiny-ONNX && verilabel quickstart mine --images PHOTOS "
        "--model onnx-community/grounding-dino-tiny-ONNX --classes \"person, car\"");
  } else if (!options.has_truth()) {
    console.say(
        fmt::format("\nThe threshold of {} was a guess: with --labels it is measured. Another one needs no new inference, "
                    "only another export.",
                    kGuessedThreshold));
  }
}

int run_steps(const Invocation& invocation, const Options& options, const fs::path& folder, const std::string& folder_as_typed) {
  Console& console = invocation.console;
  const auto started = std::chrono::steady_clock::now();
  const auto seconds = [&started] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count(); };
  const std::vector<Step> steps = steps_of(options);
  Record record(folder);
  const std::size_t first = record.begin(steps);
  fs::current_path(folder);

  std::string out;
  JsonWriter json(out);
  json.begin_object().field("folder", folder.native()).key("steps").begin_array();
  const auto write_step = [&json](const Step& step, std::optional<int> status, std::string_view answer) {
    json.begin_object().field("about", step.about).field("command", step.line()).field("status", status).key("answer");
    answer.empty() ? json.null() : json.raw(answer);
    json.end_object();
  };
  for (std::size_t i = 0; i < first; ++i) {
    write_step(steps[i], std::nullopt, "");
  }
  if (first > 0) {
    console.say(fmt::format("{} of {} steps are done here already", first, steps.size()));
  }
  int worst = 0;
  for (std::size_t i = first; i < steps.size(); ++i) {
    Step step = steps[i];
    if (const auto run = i == first && record.was_begun() ? cut_off_run(step) : std::nullopt) {
      step.words = {"label", "--resume", std::to_string(run->value)};
    }
    record.add_begun(steps[i]);
    const bool is_there = !step.makes.empty() && fs::exists(step.makes);
    console.say(fmt::format("\n{}/{} {}\n$ {}", i + 1, steps.size(), step.about, step.line()));
    console.finish();
    std::string answer;
    std::optional<int> status;
    if (is_there) {
      console.say("is there already");
    } else {
      try {
        if (invocation.cancel.is_requested()) {
          throw Error(ErrorCode::interrupted, "stopped");
        }
        Console part(console.is_json(), answer);
        status = invocation.run_line(step.words, part);
        worst = std::max(worst, *status);
      } catch (const Error& error) {
        throw error.with("to_go_on", "the same quickstart command again").with("step", step.line());
      }
    }
    answer.erase(answer.find_last_not_of('\n') + 1);
    write_step(step, status, answer);
    record.add_done(steps[i]);
  }
  json.end_array().field("seconds", seconds()).end_object();
  console.write_json(out + "\n");
  say_what_next(console, options, folder_as_typed, seconds());
  return worst;
}

Action configure(CLI::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("DIR", options->dir, fmt::format("The new folder (default: that of --project, else {})", kFolder));
  auto* images = app.add_option("--images", options->images, "A folder of your own photographs, instead of a drawn world")
                     ->type_name("FOLDER")
                     ->group("Your own photographs");
  const auto add = [&](const char* name, std::string& value, const char* type, const char* help) {
    app.add_option(name, value, help)->type_name(type)->group("Your own photographs");
  };
  add("--model", options->model, "MODEL", "What labels them, as `label --model` takes it");
  add("--segment-with", options->segment_with, "MODEL", "What outlines the boxes, likewise");
  add("--labels", options->labels, "PATH", "True labels, of some of them at least: then the model is measured");
  add("--format", options->format, "NAME", "Format of --labels, as `import` takes it (default: coco for .json, else yolo)");
  app.add_option("--classes", options->classes,
                 fmt::format("What a model that reads shall find, separated by commas (default in the drawn world: {})", kClasses))
      ->type_name("NAMES");
  app.add_option("--count", options->count, "Pictures of the drawn world")->type_name("N")->capture_default_str()->excludes(images);
  app.add_option("--seed", options->seed, "Another world")->type_name("S")->capture_default_str()->excludes(images);
  return [options](const Invocation& invocation) {
    std::error_code ignored;
    const bool has_project = !fs::equivalent(invocation.project_dir, fs::current_path(), ignored);
    const std::string typed = !options->dir.empty() ? options->dir
                              : has_project         ? invocation.project_dir.native()
                                                    : std::string(kFolder);
    complete(*options);
    return run_steps(invocation, *options, place_of_folder(typed), typed);
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel quickstart",
    "verilabel quickstart mine --images photos/ --model yolox_nano.onnx",
    "verilabel quickstart mine --images photos/ --model onnx-community/grounding-dino-tiny-ONNX --classes \"person, forklift\"",
    "verilabel quickstart mine --images photos/ --model yolox_nano.onnx --labels truth.json",
};

}  // namespace

const Command kQuickstartCommand{
    "quickstart",
    "The whole loop in one go: on a drawn world and with the models that come along, offline; or on your photographs",
    "Runs the commands that it shows, in a new folder, and nothing else: import, label, evaluate, threshold, review, outline, "
    "export.\nCut off half-way, the same command goes on where it ended.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
