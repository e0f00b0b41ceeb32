#include "verilabel/cli/run_answer.h"

#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"

namespace verilabel::cli {
namespace {

void write_tiling(JsonWriter& json, const std::optional<TilingOptions>& tiling) {
  if (!tiling) {
    json.null();
    return;
  }
  json.begin_object().key("side");
  tiling->side == TilingOptions::kChosenBySize ? json.value("auto") : json.value(std::int64_t{tiling->side});
  json.field("overlap", tiling->overlap).key("scales").begin_array();
  for (const double scale : tiling->scales) {
    json.value(scale);
  }
  json.end_array().field("whole", tiling->has_whole).end_object();
}

}  // namespace

std::string tiling_text(const TilingOptions& tiling) {
  const std::string side =
      tiling.side == TilingOptions::kChosenBySize ? "tiles by size" : fmt::format("tiles of {} pixels", tiling.side);
  const bool is_plain = tiling.scales == TilingOptions().scales;
  return fmt::format("{}, {} of them shared{}{}", side, tiling.overlap,
                     is_plain ? "" : fmt::format(", scales {}", fmt::join(tiling.scales, ", ")),
                     tiling.has_whole ? ", and the whole image" : "");
}

std::string bound_text(const ReplacementBound& bound, std::int64_t repeats) {
  return fmt::format(
      "undecided labels of at least {} stay; {} candidates repeat one that stays (IoU of at least {}), and are in the background",
      bound.confidence, repeats, bound.same_iou);
}

void write_bound(JsonWriter& json, const std::optional<ReplacementBound>& bound) {
  json.field("replaces_below", bound ? std::optional(bound->confidence) : std::nullopt);
  json.field("same_iou", bound ? std::optional(bound->same_iou) : std::nullopt);
}

NoteSink run_notes(const Invocation& invocation) {
  return [&console = invocation.console](const std::string& note) {
    console.end_progress();
    console.note(note);
  };
}

int answer_run(const Invocation& invocation, const RunReport& report) {
  Console& console = invocation.console;
  console.end_progress();
  if (report.is_interrupted) {
    throw Error(
        ErrorCode::interrupted,
        fmt::format("stopped after {} of {} images; what is done is stored. Go on with: verilabel --project {} label --resume {}",
                    report.done + report.failed, report.samples, printable(invocation.project_dir.native()), report.run.value),
        {{"run", std::to_string(report.run.value)}});
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("run", report.run.value).field("samples", report.samples);
  json.field("done", report.done)
      .field("failed", report.failed)
      .field("labels", report.labels)
      .field("superseded", report.superseded)
      .field("repeats", report.repeats);
  write_bound(json, report.bound);
  json.field("windows", report.windows).key("tiles");
  write_tiling(json, report.tiling);
  json.field("images_per_second", report.images_per_second).field("engine", report.engine).field("device", report.device);
  json.key("notes").begin_array();
  for (const std::string& note : report.notes) {
    json.value(note);
  }
  json.end_array().end_object();
  console.write_json(out + "\n");
  const std::string speed = report.images_per_second > 0 ? fmt::format("; {:.1f} images/s on {} ({})", report.images_per_second,
                                                                       report.device, report.engine)
                                                         : std::string();
  console.say(fmt::format("run {}: {} of {} images done, {} failed; {} labels{}", report.run.value, report.done, report.samples,
                          report.failed, report.labels, speed));
  if (report.tiling) {
    console.say(fmt::format("  {}: {} looks of the model", tiling_text(*report.tiling), report.windows));
  }
  if (report.superseded > 0) {
    console.say(
        fmt::format("  {} candidates repeat objects that a person has decided on, and stay in the background", report.superseded));
  }
  if (report.bound) {
    console.say(fmt::format("  {}", bound_text(*report.bound, report.repeats)));
  }
  if (report.failed > 0) {
    console.say(fmt::format("  why they failed: verilabel runs show {0}; try again: verilabel runs retry {0}", report.run.value));
  }
  return report.failed > 0 ? 1 : 0;
}

}  // namespace verilabel::cli
