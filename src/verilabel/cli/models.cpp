#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "verilabel/base/error.h"
#include "verilabel/cli/commands.h"
#include "verilabel/cli/engine_options.h"
#include "verilabel/cli/model_info.h"
#include "verilabel/cli/models_answer.h"
#include "verilabel/hub/choice.h"
#include "verilabel/hub/locate.h"
#include "verilabel/hub/settings.h"

namespace verilabel::cli {
namespace {

struct Words {
  std::string model;
  std::string manifest;
  PullOptions pull;
  VerifyOptions verify;
};

std::optional<std::filesystem::path> manifest_of(const Words& words) {
  return words.manifest.empty() ? std::nullopt : std::optional<std::filesystem::path>(words.manifest);
}

constexpr const char* kModelHelp =
    "An .onnx file, a folder in Hugging Face's layout, or ORG/NAME[@REVISION] of a model that was pulled";
constexpr const char* kManifestHelp = "What the graph does not say about itself";

CLI::App* add_pull(CLI::App& app, Words& words) {
  CLI::App* pull = app.add_subcommand("pull", "Fetch a model from the hub into Hugging Face's cache, or what is missing of it");
  pull->add_option("MODEL", words.pull.model, "ORG/NAME, or ORG/NAME@REVISION for a branch, a tag or a commit")->required();
  std::vector<std::string> dtypes;
  for (const GraphDtypeInfo& info : graph_dtypes()) {
    dtypes.emplace_back(info.name);
  }
  auto* dtype = pull->add_option("--dtype", words.pull.dtype, "How the graphs' weights are stored (default: fp32)")
                    ->check(CLI::IsMember(dtypes))
                    ->type_name("");
  pull->add_option("--file", words.pull.files, "Only graphs and other files like this, with * and ? (may be repeated)")
      ->type_name("GLOB")
      ->allow_extra_args(false)
      ->excludes(dtype);
  pull->add_flag("--check", words.pull.is_checked, "Hash again what the cache has, and fetch anew what is damaged");
  pull->add_flag("--dry-run", words.pull.is_dry_run, "Say what would be fetched, and fetch nothing");
  pull->footer(
      "What was interrupted goes on where it stopped. HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean what "
      "they mean\n"
      "to Hugging Face's own tools, with which the cache is shared.\n\nExamples:\n"
      "  verilabel models pull onnx-community/dfine_n_coco-ONNX\n"
      "  verilabel models pull Xenova/clip-vit-base-patch32@main --dtype q8\n"
      "  verilabel models pull org/detectors --file yolo11n.onnx\n"
      "  HF_TOKEN=hf_... verilabel models pull org/private --dry-run");
  return pull;
}

CLI::App* add_verify(CLI::App& app, Words& words) {
  CLI::App* verify = app.add_subcommand("verify", "Try a model on this machine, on an image made for it: device, memory, speed");
  verify->add_option("MODEL", words.verify.model, kModelHelp)->required();
  verify->add_option("--manifest", words.manifest, kManifestHelp)->type_name("FILE");
  add_engine_options(*verify, words.verify.engine, words.verify.device);
  verify
      ->add_option("--batch", words.verify.batch,
                   "Images that go through the model together (default: what suits it, found out anew)")
      ->type_name("N");
  verify->add_option("--seconds", words.verify.seconds, "How long it works")->capture_default_str();
  verify->footer(
      "The exit status is 0 when all is well and 1 when a check failed.\n\nExamples:\n"
      "  verilabel models verify onnx-community/dfine_n_coco-ONNX\n"
      "  verilabel models verify yolox_nano.onnx --seconds 10");
  return verify;
}

Action configure(CLI::App& app) {
  auto words = std::make_shared<Words>();
  app.require_subcommand(0, 1);
  app.add_subcommand(
      "list", "Models that are recommended, those in the cache, and the families that can be used (what `models` alone does)");
  CLI::App* info_app = app.add_subcommand("info", "What a model file is: family, inputs and outputs, classes, preprocessing");
  info_app->add_option("MODEL", words->model, kModelHelp)->required();
  info_app->add_option("--manifest", words->manifest, kManifestHelp)->type_name("FILE");
  CLI::App* pull_app = add_pull(app, *words);
  CLI::App* verify_app = add_verify(app, *words);
  return [=](const Invocation& invocation) {
    const ProgressSink progress = invocation.console.progress();
    if (pull_app->parsed()) {
      return answer_pull(invocation, pull_model(words->pull, hub_settings_from(&process_environment), progress, invocation.cancel),
                         words->pull.is_dry_run);
    }
    if (verify_app->parsed()) {
      words->verify.manifest = manifest_of(*words);
      return answer_verify(invocation, verify_model(words->verify, progress, invocation.cancel));
    }
    return info_app->parsed() ? show_model(invocation, words->model, manifest_of(*words))
                              : answer_models(invocation, HubCache(hub_cache_dir_from(&process_environment)));
  };
}

constexpr std::string_view kExamples[] = {
    "verilabel models",
    "verilabel models pull onnx-community/dfine_n_coco-ONNX",
    "verilabel models info yolox_nano.onnx",
    "verilabel models verify onnx-community/dfine_n_coco-ONNX",
};

}  // namespace

const Command kModelsCommand{
    "models",
    "Which models can be used, what a model file is, and models from the hub",
    "No weights are fetched but by `models pull`. docs/models.md tells more, manifests among it.",
    kExamples,
    &configure,
    true,
};

}  // namespace verilabel::cli
