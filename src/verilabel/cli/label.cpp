#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/cli/commands.h"
#include "verilabel/cli/engine_options.h"
#include "verilabel/cli/run_answer.h"
#include "verilabel/cli/text.h"
#include "verilabel/models/labeller.h"
#include "verilabel/workflow/label.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string model;
  std::string segment_with;
  std::string classify_with;
  std::optional<std::string> propose;
  std::string tile;
  double tile_overlap = TilingOptions().overlap;
  std::vector<double> scales = TilingOptions().scales;
  bool is_in_tiles_only = false;
  bool keeps_background = false;
  bool finds_everything = false;
  EverythingOptions everything;
  std::string manifest;
  std::optional<std::string> classes;
  std::string classes_file;
  std::optional<std::string> negatives;
  std::vector<std::string> templates;
  std::int64_t resume = 0;
};

TilingOptions tiling_from(const Words& words) {
  TilingOptions tiling = {.overlap = words.tile_overlap, .scales = words.scales, .has_whole = !words.is_in_tiles_only};
  if (words.tile != "auto") {
    const char* const end = words.tile.data() + words.tile.size();
    const auto [stopped, error] = std::from_chars(words.tile.data(), end, tiling.side);
    if (error != std::errc() || stopped != end || tiling.side == TilingOptions::kChosenBySize) {
      throw Error(ErrorCode::wrong_use, fmt::format("--tile is '{}'; a number of pixels or auto is needed", words.tile));
    }
  }
  return tiling;
}

/// An option that takes names; also an empty text, which CLI11 takes for no text where the value may be absent.
CLI::Option* add_names(CLI::App& app, const std::string& name, std::optional<std::string>& text, const std::string& help) {
  return app.add_option_function<std::string>(name, [&text](const std::string& given) { text = given; }, help)->type_name("NAMES");
}

/// None where the option was not given.
std::vector<std::string> names_of(const std::optional<std::string>& text, std::string_view option) {
  return text ? names_from(*text, option) : std::vector<std::string>();
}

Action configure(CLI::App& app) {
  auto options = std::make_shared<LabelOptions>();
  auto words = std::make_shared<Words>();
  app.add_option("--model", words->model,
                 "An .onnx file, a folder in Hugging Face's layout, or the name on the hub (ORG/NAME[@REVISION]) of a model that "
                 "was pulled")
      ->type_name("MODEL");
  app.add_option("--manifest", words->manifest, "What the graph does not say about itself (default: NAME.verilabel.json beside it)")
      ->type_name("FILE");
  app.add_option(
         "--boxes", options->boxes,
         "Take the labels that stand in this set, or those of them that --where selects, instead of letting a model find objects")
      ->type_name("SET");
  auto* tile =
      app.add_option("--tile", words->tile,
                     "Look at images in overlapping tiles of so many pixels a side, too, and make one answer of all; auto: "
                     "at those that are more than twice as large as the model's input, in tiles as large as that")
          ->type_name("SIDE");
  app.add_option("--tile-overlap", words->tile_overlap, "With --tile: how much neighbours share at least, in parts of the side")
      ->needs(tile)
      ->type_name("PART")
      ->capture_default_str();
  app.add_option("--scales", words->scales,
                 "With --tile: once more at each of these scales; 0.5 takes tiles of twice the side (default: 1)")
      ->needs(tile)
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("LIST");
  app.add_flag("--tiles-only", words->is_in_tiles_only, "With --tile: leave out the look at the whole image")->needs(tile);
  app.add_option("--segment-with", words->segment_with, "A model that outlines the boxes, such as SAM")->type_name("MODEL");
  auto* everything =
      app.add_flag("--everything", words->finds_everything,
                   "Let --segment-with find whatever there is, by points on a grid; --classify-with tells what it is");
  app.add_option("--points-per-side", words->everything.points_per_side, "With --everything: points of the grid, across and down")
      ->needs(everything)
      ->capture_default_str();
  app.add_option("--min-iou", words->everything.min_iou, "With --everything: the model's own estimate of a mask must be above it")
      ->needs(everything)
      ->capture_default_str();
  app.add_option("--min-stability", words->everything.min_stability,
                 "With --everything: how alike a mask must be drawn a little tighter and a little wider")
      ->needs(everything)
      ->capture_default_str();
  app.add_option("--stability-offset", words->everything.stability_offset,
                 "With --everything: how much tighter and wider that is, in logits of the mask")
      ->needs(everything)
      ->capture_default_str();
  app.add_option("--classify-with", words->classify_with,
                 "A model that names each object from its pixels alone; confidences are multiplied, --classes are its classes")
      ->type_name("MODEL");
  add_names(app, "--propose", words->propose, "With --classify-with: what the first model shall find, separated by commas");
  app.add_option("--crop-margin", options->crop.margin, "With --classify-with: what is seen around a box, in parts of its sides")
      ->capture_default_str();
  app.add_flag("--keep-background", words->keeps_background,
               "With --classify-with: show an outlined object with what is behind it (default: on grey)");
  auto* classes =
      add_names(app, "--classes", words->classes,
                "What a model that reads shall find, or which of a model's own classes are wanted; separated by commas");
  app.add_option("--classes-file", words->classes_file,
                 "The same, one a line, or \"name: phrasing | phrasing\"; \"- phrasing\" competes and is dropped; or JSON")
      ->type_name("FILE")
      ->excludes(classes);
  add_names(app, "--negatives", words->negatives, "Phrasings that compete with the classes and are dropped, separated by commas");
  app.add_option("--template", words->templates,
                 "Sentence that the model reads, with {} for the class; several are averaged (default: the family's)")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_option("--set", options->set, "Label set that the candidates go into")->capture_default_str();
  app.add_option("--floor", options->floor, "Lowest confidence stored; keep it low, thresholds come later")
      ->default_str(fmt::format("{}", CandidateOptions{}.floor));
  app.add_option("--nms", options->nms_iou, "Overlap from which the weaker of two candidates is dropped (default: the family's)")
      ->type_name("IOU");
  app.add_option("--max-detections", options->max_detections,
                 "Most candidates kept of an image, with --tile of each tile (default: the family's)")
      ->type_name("N");
  app.add_option(
         "--replace-below", options->replace_below,
         "Only undecided labels below this confidence give way to the run's; the others stay, and nothing of their class is put "
         "on top of them, at an IoU of 0.5 or what --nms says (default: all undecided labels give way)")
      ->type_name("CONFIDENCE");
  app.add_option("--where", options->where, "Only these samples (default: all); with --boxes, of label terms only those boxes")
      ->type_name("VIEW");
  add_engine_options(app, options->engine, options->device);
  app.add_option("--batch", options->batch, "Images that go through the model together (default: what suits it, found out once)")
      ->type_name("N");
  auto* resume =
      app.add_option("--resume", words->resume,
                     "Go on with a run that was stopped or cut off, as it was asked for; the options above do not go with it")
          ->type_name("RUN");
  for (CLI::Option* const other : app.get_options()) {
    if (other != resume && other != app.get_help_ptr()) {
      resume->excludes(other);
    }
  }
  return [options, words](const Invocation& invocation) {
    if (words->resume != 0) {
      Project project = Project::open(invocation.project_dir);
      return answer_run(invocation, resume_run(project, RunId{words->resume}, invocation.console.progress(), invocation.cancel,
                                               run_notes(invocation)));
    }
    if (words->model.empty() && options->boxes.empty() && !words->finds_everything) {
      throw Error(
          ErrorCode::wrong_use,
          "which model? Pass --model FILE.onnx or --model ORG/NAME (`verilabel models` lists some), --boxes SET to work on boxes "
          "that are there, --everything to let a segmenter find what there is, or --resume RUN to go on with a run");
    }
    if (words->finds_everything) {
      options->everything = words->everything;
    }
    if (!words->tile.empty()) {
      options->tiles = tiling_from(*words);
    }
    options->model = words->model;
    options->segment_with = words->segment_with;
    options->classify_with = words->classify_with;
    options->propose = prompts_of_names(names_of(words->propose, "--propose"));
    options->crop.is_masked = !words->keeps_background;
    if (!words->manifest.empty()) {
      options->manifest = std::filesystem::absolute(words->manifest).lexically_normal();
    }
    options->prompts =
        words->classes_file.empty() ? prompts_of_names(names_of(words->classes, "--classes")) : read_prompts(words->classes_file);
    for (const std::string& negative : names_of(words->negatives, "--negatives")) {
      options->prompts.negatives.push_back(negative);
    }
    if (!words->templates.empty()) {
      options->prompts.templates = words->templates;
    }
    options->validate();
    Project project = Project::open(invocation.project_dir);
    return answer_run(invocation,
                      start_run(project, *options, invocation.console.progress(), invocation.cancel, run_notes(invocation)));
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel label --model yolox_nano.onnx",
    "verilabel label --model onnx-community/dfine_n_coco-ONNX",
    "verilabel label --model yolo11n.onnx --classes \"person, traffic light\" --floor 0.01",
    "verilabel label --model yolo11n.onnx --engine onnxruntime --device cuda",
    "verilabel label --model yolo11n.onnx --segment-with sam2.1-hiera-tiny --set masks",
    "verilabel label --boxes human --segment-with sam2.1-hiera-tiny --set masks",
    "verilabel label --boxes auto --where verdict:accepted --segment-with sam2.1-hiera-tiny --set masks",
    "verilabel label --everything --segment-with sam-vit-base --classify-with clip-vit-base-patch32 --classes \"leaf, fruit\"",
    "verilabel label --model yolo11n.onnx --propose car --classify-with clip-vit-base-patch32 --classes \"taxi, police car\"",
    "verilabel label --model yolo11n.onnx --tile 640 --scales 1,0.5",
    "verilabel label --model yolo11x.onnx --where 'set:auto class:person confidence<0.3' --classes person --replace-below 0.3",
    "verilabel label --resume 3",
};

}  // namespace

const Command kLabelCommand{
    "label",
    "Let a model propose labels; every candidate above a low floor is kept",
    "A run survives being stopped or killed: --resume goes on with the images that are left. Labels that a person decided stay;\n"
    "undecided ones of an earlier run give way, of the images and classes that it was asked for, with --replace-below only those\n"
    "below a confidence; `runs undo` brings them back.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
