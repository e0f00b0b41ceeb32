// Reads an input as a dataset in one of the formats, checks what a reader promises, writes what was read in the same format, and
// reads that back.
//
//     format_fuzzer --format=NAME CORPUS…      --list prints the names of the formats
//
// An input is one file, or several: then a line `=== NAME` stands before each, and the format gets their folder. Names that begin
// with `unknown`, `missing`, `ambiguous` or `sizeless` are answered as a project would that has these images.

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>
#include <vector>

#include <nlohmann/json.hpp>

#include "fuzz/fuzzing.h"
#include "verilabel/base/utf8.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/testing_dataset.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFileMark = "=== ";
constexpr std::size_t kMaxFiles = 32;
constexpr std::size_t kMaxBatch = 1 << 16;

const Format* fuzzed = nullptr;

struct InputFile {
  std::string name;
  std::string_view content;
};

/// A name for the only file of an input, by what the table says a PATH is: "a .json file", "data.yaml or its folder".
std::string only_file_name(const Format& row) {
  std::string_view rest = row.path;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find_first_of(" ,;"));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const std::size_t dot = word.find('.');
    if (dot != std::string_view::npos && dot + 1 < word.size()) {
      return (dot == 0 ? "input" : "") + std::string(word);
    }
  }
  return "input";
}

/// A name that stays in its folder.
bool is_plain_name(std::string_view name) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
  if (name.empty() || name.size() > 60 || name.find_first_not_of(kPlain) != std::string_view::npos) {
    return false;
  }
  const fs::path path(name);
  return path.is_relative() && path.has_filename() &&
         std::ranges::none_of(path, [](const fs::path& part) { return part == "." || part == ".."; });
}

/// The files of an input; nothing when it names one that cannot be written, or none.
std::optional<std::vector<InputFile>> files_of(std::string_view input, const Format& row) {
  std::vector<InputFile> files;
  if (!input.starts_with(kFileMark)) {
    files.push_back({only_file_name(row), input});
    return files;
  }
  while (!input.empty()) {
    input.remove_prefix(kFileMark.size());
    const std::size_t line_end = std::min(input.find('\n'), input.size());
    const std::string_view name = input.substr(0, line_end);
    if (!is_plain_name(name) || files.size() == kMaxFiles) {
      return std::nullopt;
    }
    input.remove_prefix(std::min(input.size(), line_end + 1));
    const std::size_t next = input.find("\n=== ");
    const std::size_t end = input.starts_with(kFileMark) ? 0 : next == std::string_view::npos ? input.size() : next + 1;
    files.push_back({std::string(name), input.substr(0, end)});
    input.remove_prefix(end);
  }
  return files;
}

/// Whether a text that names folders (data.yaml, a list of images) would have a reader walk over this machine.
bool leads_outside(const InputFile& file) {
  const std::string extension = fs::path(file.name).extension();
  if (extension != ".yaml" && extension != ".yml" && extension != ".txt") {
    return false;
  }
  const std::string_view text = file.content;
  if (text.find("..") != std::string_view::npos || text.find('\\') != std::string_view::npos) {
    return true;
  }
  for (std::size_t at = text.find('/'); at != std::string_view::npos; at = text.find('/', at + 1)) {
    const bool is_inside_name = at > 0 && (std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0);
    if (!is_inside_name) {
      return true;
    }
  }
  return false;
}

bool is_json_object(const std::string& text) {
  return nlohmann::json::accept(text) && nlohmann::json::parse(text).is_object();
}

/// What the store takes: texts, numbers, true, false and null, and objects of these, all with names.
bool holds_fields_only(const std::string& json) {
  const auto flat = flat_object(json);
  return flat && flat->lists.empty() && std::ranges::none_of(flat->nulls, &std::string::empty) &&
         std::ranges::none_of(flat->properties, [](const Property& property) { return property.name.empty(); });
}

/// Answers as a project would, and checks what a reader hands over.
class CheckingSink : public RecordingSink {
 public:
  enum class Project : std::uint8_t {
    lacks_some,  ///< images by name, see above
    has_all,
  };
  explicit CheckingSink(Project project) : project_(project) {}

  std::vector<Resolution> class_resolutions;
  std::vector<Resolution> image_resolutions;

  std::vector<Resolution> on_classes(std::vector<SourceClass> batch) override {
    for (const SourceClass& item : batch) {
      require(!is_finished_, "the dataset's own fields come last");
      require(!item.name.empty() || !item.source_id.empty(), "a class has a name or an id");
      require(item.source_json.empty() || is_json_object(item.source_json), "a class's source_json is an object");
    }
    const std::vector<Resolution> given = RecordingSink::on_classes(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const bool is_unknown = batch[i].name.empty() && batch[i].source_id.ends_with("404");
      class_resolutions.push_back(is_unknown ? Resolution::unknown : given[i]);
    }
    return {class_resolutions.end() - static_cast<std::ptrdiff_t>(batch.size()), class_resolutions.end()};
  }

  std::vector<ResolvedImage> on_images(std::vector<SourceImage> batch) override {
    std::vector<ResolvedImage> result;
    for (SourceImage& item : batch) {
      require(!is_finished_, "the dataset's own fields come last");
      require(!item.name.empty() || !item.source_id.empty() || !item.path.empty(), "an image has a name, a path or an id");
      require(item.source_json.empty() || is_json_object(item.source_json), "an image's source_json is an object");
      require(holds_fields_only(item.fields_json),
              "sample fields are texts, numbers, true, false, null, or objects of these, with names");
      require(item.width.value_or(1) > 0 && item.height.value_or(1) > 0, "a stated size is a size");
      result.push_back(resolve(item));
      image_resolutions.push_back(result.back().resolution);
      images.push_back(std::move(item));
    }
    return result;
  }

  void on_labels(std::vector<ImportedLabel> batch) override {
    require(!is_finished_, "the dataset's own fields come last");
    require(!batch.empty() && batch.size() <= kMaxBatch, "labels come in batches of some thousands");
    for (const ImportedLabel& item : batch) {
      const bool has_image = item.image >= 0 && item.image < static_cast<std::int64_t>(images.size());
      const bool has_class = item.class_index >= 0 && item.class_index < static_cast<std::int32_t>(classes.size());
      require(has_image && has_class, "a label is of an image and a class that were announced");
      const auto image = static_cast<std::size_t>(item.image);
      require(image_resolutions[image] == Resolution::found || image_resolutions[image] == Resolution::missing,
              "labels of images that the project has not are rejected");
      require(class_resolutions[static_cast<std::size_t>(item.class_index)] == Resolution::found,
              "labels of classes that the project has not are rejected");
      const std::optional<std::string> fault = fault_of(item.label);
      require(!fault, "a label keeps its invariants: " + fault.value_or(""));
      require(item.label.attributes_json.empty() || is_json_object(item.label.attributes_json), "attributes are an object");
      require(item.label.source_json.empty() || is_json_object(item.label.source_json), "a label's source_json is an object");
    }
    RecordingSink::on_labels(std::move(batch));
  }

  void on_rejected(Rejection rejection) override {
    require(!rejection.message.empty() && !rejection.file.empty(), "a rejection says what and in which file");
    RecordingSink::on_rejected(std::move(rejection));
  }

  void on_dataset_json(std::string json) override {
    require(!is_finished_ && is_json_object(json), "the dataset's own fields are one object");
    is_finished_ = true;
    RecordingSink::on_dataset_json(std::move(json));
  }

  std::int64_t rejected(std::initializer_list<RejectedKind> kinds) const {
    return std::ranges::count_if(
        rejections, [&](const Rejection& rejection) { return std::ranges::find(kinds, rejection.kind) != kinds.end(); });
  }

 private:
  ResolvedImage resolve(const SourceImage& image) {
    ResolvedImage resolved{
        .resolution = Resolution::found, .width = image.width.value_or(640), .height = image.height.value_or(480)};
    if (project_ == Project::has_all) {
      return resolved;
    }
    const std::string name = fs::path(image.name.empty() ? image.path : image.name).filename();
    if (name.starts_with("unknown") || (name.empty() && image.source_id.ends_with("404"))) {
      resolved.resolution = Resolution::unknown;
    } else if (name.starts_with("ambiguous") || (!name.empty() && !names_.insert(image.name + '\n' + image.path).second)) {
      resolved.resolution = Resolution::ambiguous;
    } else if (name.starts_with("missing")) {
      resolved.resolution = Resolution::missing;
    }
    // Of a missing image nothing is known but what the file states.
    if (resolved.resolution == Resolution::missing || name.starts_with("sizeless")) {
      resolved.width = image.width;
      resolved.height = image.height;
    }
    return resolved;
  }

  Project project_;
  std::unordered_set<std::string> names_;
  bool is_finished_ = false;
};

void check_counts(const ReadCounts& counts, const CheckingSink& sink) {
  require(counts.classes == static_cast<std::int64_t>(sink.classes.size()), "classes are counted");
  require(counts.images == static_cast<std::int64_t>(sink.images.size()), "images are counted");
  require(counts.images_labelled <= counts.images, "labelled images are images");
  require(counts.labels == static_cast<std::int64_t>(sink.labels.size()), "labels are counted");
  require(counts.labels_rejected == sink.rejected({RejectedKind::label}), "rejected labels are counted");
  require(counts.images_rejected == sink.rejected({RejectedKind::image}), "rejected images are counted");
  require(counts.others_rejected == sink.rejected({RejectedKind::label_class, RejectedKind::field}),
          "other rejections are counted");
}

std::optional<ReadCounts> read(const Format& row, const fs::path& path, CheckingSink& sink) {
  const auto counts = unless_refused([&] { return row.read(path, {}, sink); });
  if (counts) {
    check_counts(*counts, sink);
  }
  return counts;
}

/// The project after an import: one class a name, and the images that it has, each under a name of its own.
MemorySource project_of(const CheckingSink& sink) {
  MemorySource project;
  project.dataset = sink.dataset_json;
  std::map<std::string, std::int32_t> classes;
  std::vector<std::int32_t> class_of;
  for (const SourceClass& item : sink.classes) {
    const std::string name = item.name.empty() ? "class " + item.source_id : item.name;
    const auto [at, is_new] = classes.emplace(name, static_cast<std::int32_t>(project.class_list.size()));
    if (is_new) {
      project.class_list.push_back({name, item.source_json});
    }
    class_of.push_back(at->second);
  }
  std::set<std::string> names;
  std::vector<std::optional<std::size_t>> sample_of;
  for (std::size_t i = 0; i < sink.images.size(); ++i) {
    const SourceImage& item = sink.images[i];
    const Resolution resolution = sink.image_resolutions[i];
    std::string name = item.name.empty() ? fmt::format("id_{}.jpg", i) : item.name + (item.form != NameForm::whole ? ".jpg" : "");
    if (!names.insert(name).second) {
      name = fmt::format("another_{}/{}", i, name);
    }
    const bool is_there = resolution == Resolution::found || resolution == Resolution::missing;
    sample_of.push_back(is_there ? std::optional(project.samples.size()) : std::nullopt);
    if (!is_there) {
      continue;
    }
    MemorySource::Sample& sample = project.samples.emplace_back();
    sample.image.name = name;
    sample.image.path = item.path.empty() ? fs::path("/nowhere") / name : fs::path(item.path);
    sample.image.width = item.width.value_or(640);
    sample.image.height = item.height.value_or(480);
    sample.image.split = item.split;
    sample.image.source_json = item.source_json;
    sample.image.tags = item.tags;
    sample.image.fields_json = item.fields_json.empty() ? "" : object_from(flat_object(item.fields_json).value().properties);
    sample.image.is_missing = resolution == Resolution::missing;
    sample.image.state = item.is_labelled ? SampleState::labelled_empty : SampleState::not_labelled;
  }
  for (const ImportedLabel& item : sink.labels) {
    MemorySource::Sample& sample = project.samples[sample_of[static_cast<std::size_t>(item.image)].value()];
    sample.image.state = SampleState::labelled;
    sample.labels.push_back({class_of[static_cast<std::size_t>(item.class_index)], item.label, item.tags});
  }
  return project;
}

std::map<std::string, std::int64_t> labels_by_class(const CheckingSink& sink) {
  std::map<std::string, std::int64_t> counts;
  for (const ImportedLabel& item : sink.labels) {
    ++counts[sink.classes[static_cast<std::size_t>(item.class_index)].name];
  }
  return counts;
}

std::map<std::string, std::int64_t> labels_by_class(const MemorySource& project) {
  std::map<std::string, std::int64_t> counts;
  for (const MemorySource::Sample& sample : project.samples) {
    for (const ExportLabel& item : sample.labels) {
      ++counts[project.class_list[static_cast<std::size_t>(item.class_index)].name];
    }
  }
  return counts;
}

std::string names_of(const MemorySource& project) {
  std::string text;
  for (const MemorySource::Sample& sample : project.samples) {
    text += fmt::format("{} ({})\n", sample.image.name, sample.image.path.native());
  }
  return text;
}

std::string names_of(const CheckingSink& sink) {
  std::string text;
  for (const SourceImage& image : sink.images) {
    text += fmt::format("{} ({})\n", image.name, image.path);
  }
  return text;
}

std::string listed(const std::vector<Loss>& losses) {
  std::string text;
  for (const Loss& loss : losses) {
    text += fmt::format("{} {}\n", loss.count, loss.what);
  }
  return text;
}

/// Writes the project and reads it back; what the format cannot tell at all it must say before it writes.
void write_and_read_back(const Format& row, MemorySource& project, const WriteOptions& options, const fs::path& place) {
  const auto losses = unless_refused([&] { return row.losses(project, options); });
  const auto report = unless_refused([&] { return row.write(place, project, options); });
  if (!report) {
    require(!fs::exists(place), "an export is there whole or not at all");
    return;
  }
  require(losses.has_value(), "what can be written can be asked for its losses: " + last_refusal);
  // Whether a file can be brought shows only in writing; what its labels would have lost is then not lost.
  require(
      !report->failures.empty() || listed(*losses) == listed(report->losses),
      "losses are told before as they are counted in writing:\n" + listed(*losses) + "--- in writing:\n" + listed(report->losses));
  require(report->images + report->images_left_out + static_cast<std::int64_t>(report->failures.size()) == project.image_count(),
          "every image is written, left out or has failed");

  // Formats that are nothing but one file, or one folder, an image have no dataset without images.
  if (report->images == 0 && (row.name == "labelme" || row.name == "image_folders")) {
    return;
  }
  CheckingSink again(CheckingSink::Project::has_all);
  const auto counts = read(row, place, again);
  require(counts.has_value(), "what was written can be read: " + last_refusal);
  for (const Rejection& rejection : again.rejections) {
    require(false, fmt::format("nothing of what was written is rejected: {} ({}, {})", rejection.message, rejection.field,
                               rejection.image));
  }
  if (counts->images != report->images) {
    require(false, fmt::format("{} images were written and {} come back\n--- written:\n{}--- back:\n{}", report->images,
                               counts->images, names_of(project), names_of(again)));
  }
  require(counts->labels == report->labels, fmt::format("{} labels were written and {} come back", report->labels, counts->labels));
  // Names that are not UTF-8 come back as `\xNN`.
  const bool is_utf8_only = std::ranges::all_of(project.class_list, [](const ExportClass& item) { return is_utf8(item.name); });
  if (report->losses.empty() && report->failures.empty() && is_utf8_only) {
    require(labels_by_class(again) == labels_by_class(project), "without losses each class has its labels again");
  }
}

}  // namespace
}  // namespace verilabel

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {  // NOLINT(readability-identifier-naming)
  using verilabel::Format;
  constexpr std::string_view kFlag = "--format=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view word = (*argv)[i];
    if (word == "--list") {
      for (const Format& row : verilabel::formats()) {
        fmt::print("{}\n", row.name);
      }
      std::exit(0);
    }
    if (word.starts_with(kFlag)) {
      try {
        verilabel::fuzzed = &verilabel::format(word.substr(kFlag.size()));
      } catch (const verilabel::Error& error) {
        fmt::print(stderr, "format_fuzzer: {}\n", error.what());
        std::exit(2);
      }
    }
  }
  if (verilabel::fuzzed == nullptr) {
    fmt::print(stderr, "usage: format_fuzzer --format=NAME CORPUS…, or --list\n");
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto files = files_of(input, *fuzzed);
  if (!files || std::ranges::any_of(*files, leads_outside)) {
    return -1;
  }
  const ScratchFolder scratch;
  const fs::path in = scratch.path() / "in";
  fs::create_directory(in);
  for (const InputFile& file : *files) {
    std::error_code error;
    fs::create_directories((in / file.name).parent_path(), error);
    if (error || fs::exists(in / file.name)) {
      return -1;  // two files of one name, or one below another
    }
    write_scratch_file(in / file.name, file.content);
  }
  CheckingSink sink(CheckingSink::Project::lacks_some);
  if (!read(*fuzzed, files->size() == 1 ? in / files->front().name : in, sink)) {
    return 0;
  }
  MemorySource project = project_of(sink);
  // Options by the length, which mutations change as often as anything.
  const WriteOptions options{.images = size % 4 == 0 ? ImageTransfer::copy : ImageTransfer::reference,
                             .with_unlabelled = size % 5 < 3,
                             .with_confidence = size % 3 == 0,
                             .progress = {}};
  const std::string ending = fuzzed->path.starts_with("a .") ? fs::path(only_file_name(*fuzzed)).extension() : fs::path();
  write_and_read_back(*fuzzed, project, options, scratch.path() / ("out" + ending));
  return 0;
}
