#include "verilabel/cli/models_answer.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/cli/text.h"

namespace verilabel::cli {

void write_texts(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const std::string& text : texts) {
    json.value(text);
  }
  json.end_array();
}

namespace {

void write_snapshots(JsonWriter& json, const std::vector<CachedSnapshot>& snapshots) {
  json.key("cached").begin_array();
  for (const CachedSnapshot& snapshot : snapshots) {
    json.begin_object().field("commit", snapshot.commit).field("bytes", snapshot.size).field("folder", snapshot.folder.native());
    write_texts(json, "revisions", snapshot.revisions);
    std::vector<std::string> graphs;
    std::ranges::copy_if(snapshot.files, std::back_inserter(graphs),
                         [](const std::string& path) { return path.ends_with(".onnx"); });
    write_texts(json, "graphs", graphs);
    json.end_object();
  }
  json.end_array();
}

void write_model(JsonWriter& json, const ListedModel& model) {
  json.begin_object().field("repository", model.repository).field("is_recommended", model.entry != nullptr);
  if (const CatalogueEntry* entry = model.entry) {
    json.field("task", entry->task).field("family", entry->family).field("is_usable", model.is_usable);
    json.field("size_mb", entry->size_mb).field("speed_class", entry->speed_class).field("licence", entry->licence);
    json.field("default_floor", entry->default_floor).field("about", entry->about);
    write_texts(json, "files", entry->files);
    write_texts(json, "unverified", entry->unverified);
  }
  write_snapshots(json, model.snapshots);
  json.end_object();
}

std::string cached_text(const ListedModel& model) {
  std::uint64_t bytes = 0;
  for (const CachedSnapshot& snapshot : model.snapshots) {
    bytes += snapshot.size;
  }
  return model.snapshots.empty() ? "-" : bytes_text(static_cast<double>(bytes));
}

}  // namespace

int answer_models(const Invocation& invocation, const HubCache& cache) {
  Console& console = invocation.console;
  std::string out;
  JsonWriter json(out);
  json.begin_object().key("families").begin_array();
  std::string families;
  for (const ModelFamily& family : all_families()) {
    json.begin_object().field("name", family.name).field("signature", family.signature).end_object();
    families += fmt::format("\n  {}\n      {}", family.name, family.signature);
  }
  json.end_array().field("cache", cache.folder().native()).key("models").begin_array();
  Table recommended({"model", "task", "size", "speed", "licence", "floor", "in the cache"});
  Table others({"model", "commit", "in the cache"});
  bool has_unusable = false;
  for (const ListedModel& model : list_models(cache)) {
    write_model(json, model);
    if (const CatalogueEntry* entry = model.entry) {
      has_unusable = has_unusable || !model.is_usable;
      recommended.add({model.repository + (model.is_usable ? "" : " *"), entry->task, fmt::format("{} MB", entry->size_mb),
                       entry->speed_class, entry->licence, entry->default_floor ? fmt::format("{}", *entry->default_floor) : "-",
                       cached_text(model)});
    } else {
      for (const CachedSnapshot& snapshot : model.snapshots) {
        others.add({model.repository, snapshot.commit.substr(0, 12), bytes_text(static_cast<double>(snapshot.size))});
      }
    }
  }
  json.end_array().end_object();
  console.write_json(out + "\n");
  console.say(
      "Models on the hub that are recommended; `verilabel models pull MODEL` fetches one. Figures are those of fp32, as far as "
      "known:\n");
  console.say(recommended.text());
  if (has_unusable) {
    console.say("* of a family that this version cannot run yet");
  }
  if (!others.empty()) {
    console.say(fmt::format("\nOther models in the cache ({}):\n\n{}", printable(cache.folder().native()), others.text()));
  }
  console.say("\nAny .onnx file of these families, or a folder in Hugging Face's layout, can be used too:\n" + families);
  return 0;
}

int answer_pull(const Invocation& invocation, const PullReport& report, bool is_dry_run) {
  Console& console = invocation.console;
  console.end_progress();
  for (const std::string& note : report.notes) {
    console.note(note);
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("model", report.name()).field("repository", report.repository).field("revision", report.revision);
  json.field("commit", report.commit).field("folder", report.folder.native());
  json.key("licence");
  report.licence.empty() ? json.null() : json.value(report.licence);
  json.key("licence_link");
  report.licence_link.empty() ? json.null() : json.value(report.licence_link);
  json.field("is_gated", report.is_gated).field("is_dry_run", is_dry_run);
  json.key("files").begin_array();
  std::uint64_t bytes = 0;
  std::uint64_t bytes_missing = 0;
  Table files({"file", "size", ""});
  for (const PullReport::File& file : report.files) {
    bytes += file.size;
    bytes_missing += file.was_cached ? 0 : file.size;
    json.begin_object().field("path", file.path).field("bytes", file.size).field("was_cached", file.was_cached).end_object();
    files.add({file.path, bytes_text(static_cast<double>(file.size)),
               file.was_cached ? "was there"
               : is_dry_run    ? "to be fetched"
                               : "fetched"});
  }
  json.end_array().field("bytes", bytes).field("bytes_fetched", report.bytes_fetched);
  write_texts(json, "notes", report.notes);
  json.end_object();
  console.write_json(out + "\n");

  console.say(files.text());
  console.say(fmt::format("{}: {}", report.name(),
                          is_dry_run
                              ? fmt::format("{} to be fetched of {}", bytes_text(static_cast<double>(bytes_missing)),
                                            bytes_text(static_cast<double>(bytes)))
                              : fmt::format("{} came over the network", bytes_text(static_cast<double>(report.bytes_fetched)))));
  const std::string link = report.licence_link.empty() ? "" : fmt::format(" ({})", report.licence_link);
  console.say(report.licence.empty() ? "licence: the authors name none; see the model card"
                                     : fmt::format("licence: {}{}{}", report.licence, link,
                                                   report.is_gated ? ", under terms that were accepted on the hub" : ""));
  if (!is_dry_run) {
    for (const std::string& name : report.short_names()) {
      console.say(fmt::format("use it with: verilabel label --model {}", name));
    }
  }
  return 0;
}

int answer_verify(const Invocation& invocation, const VerifyReport& report) {
  Console& console = invocation.console;
  console.end_progress();
  std::string out;
  JsonWriter json(out);
  const auto text_or_null = [&](std::string_view name, const std::string& text) {
    json.key(name);
    text.empty() ? json.null() : json.value(text);
  };
  const bool has_run = report.images > 0;
  json.begin_object().field("model", report.name).field("is_good", report.is_good());
  text_or_null("family", report.family);
  json.field("engine", report.engine);
  text_or_null("engine_version", report.engine_version);
  text_or_null("device", report.device);
  json.field("images", report.images);
  json.field("images_per_second", has_run ? std::optional(report.images_per_second) : std::nullopt);
  json.field("peak_memory_bytes", report.peak_memory_bytes).key("checks").begin_array();
  for (const VerifyReport::Check& check : report.checks) {
    json.begin_object().field("name", check.name).field("is_good", check.is_good).field("message", check.message).end_object();
  }
  json.end_array();
  write_texts(json, "notes", report.notes);
  json.end_object();
  console.write_json(out + "\n");

  console.say(printable(report.name));
  for (const VerifyReport::Check& check : report.checks) {
    console.say(fmt::format("  {} {}: {}", check.is_good ? "good " : "FAILED", check.name, check.message));
  }
  for (const std::string& note : report.notes) {
    console.say("  " + note);
  }
  console.say(fmt::format("memory: {} at most, for the whole program", bytes_text(static_cast<double>(report.peak_memory_bytes))));
  return report.is_good() ? 0 : 1;
}

}  // namespace verilabel::cli
