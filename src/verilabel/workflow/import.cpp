#include "verilabel/workflow/import.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "verilabel/base/bounded_queue.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/metadata.h"
#include "verilabel/store/import_writer.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/workflow/image_scan.h"
#include "verilabel/workflow/import_metadata.h"
#include "verilabel/workflow/sample_finder.h"
#include "verilabel/workflow/set_name.h"

namespace verilabel {
namespace {

constexpr std::size_t kBatchesInFlight = 8;
/// How long the project stays locked while the reader reads.
constexpr std::chrono::milliseconds kLongestIdleTurn{20};

/// An image that the labels file names, as the writer needs it.
struct NamedImage {
  SampleId known;               ///< in the project already
  std::optional<Sample> added;  ///< to be stored
  std::int64_t same_as = -1;    ///< the place of an earlier image that means the same sample
  std::string split;
  std::string source_json;
  std::vector<std::string> tags;
  std::string fields_json;
  bool is_labelled = false;
};

struct NamedClasses {
  std::vector<SourceClass> classes;
  std::vector<ClassId> known;  ///< one a class; none for those that are to be stored
};

using Work = std::variant<NamedClasses, std::vector<NamedImage>, std::vector<ImportedLabel>, std::string>;

/// Goes through all names of a labels file, and marks the samples that it calls by their own.
class NameSurvey final : public ImportSink {
 public:
  explicit NameSurvey(SampleFinder& finder) : finder_(finder) {}

  std::vector<Resolution> on_classes(std::vector<SourceClass> classes) override {
    return std::vector<Resolution>(classes.size(), Resolution::found);
  }
  std::vector<ResolvedImage> on_images(std::vector<SourceImage> images) override {
    for (SourceImage& image : images) {
      finder_.turn_separators(image);
      if (const auto exact = finder_.find_exact(image); exact.match == SampleIndex::Match::found) {
        finder_.entry(exact.entry).is_named = true;
      }
    }
    return std::vector<ResolvedImage>(images.size(), {Resolution::unknown, {}, {}});
  }
  void on_labels(std::vector<ImportedLabel>) override {}
  void on_rejected(Rejection) override {}
  void on_dataset_json(std::string) override {}

 private:
  SampleFinder& finder_;
};

/// Answers the reader from memory, on the reader's thread, and hands on what is to be stored.
class ReadingSink final : public ImportSink {
 public:
  /// `survey` reads the labels file once more, for its names.
  ReadingSink(const Project& project, const ImportOptions& options, std::function<void(ImportSink&)> survey,
              BoundedQueue<Work>& queue, ImportReport& report)
      : options_(options),
        survey_(std::move(survey)),
        queue_(queue),
        report_(report),
        finder_(options.images ? *options.images : options.labels->parent_path()) {
    project.for_each_sample([&](const Sample& sample) {
      const std::size_t entry = finder_.add(sample);
      if (!sample.source_json.empty()) {
        const SampleIndex::Found found{SampleIndex::Match::found, entry};
        const auto [at, is_new] = sample_of_source_id_.emplace(source_id_of(sample.source_json), found);
        at->second.match = is_new ? at->second.match : SampleIndex::Match::ambiguous;
      }
    });
    for (const ClassRow& row : project.classes()) {
      class_of_name_.emplace(row.name, row.id);
      if (const std::string id = source_id_of(row.source_json); !id.empty()) {
        const auto [at, is_new] = class_of_source_id_.emplace(id, row.id);
        at->second = is_new ? row.id : ClassId{};
        source_id_of_class_.emplace(row.name, id);
      }
    }
  }

  std::vector<Resolution> on_classes(std::vector<SourceClass> classes) override {
    std::vector<Resolution> answers;
    NamedClasses named;
    for (SourceClass& source : classes) {
      const std::string key = source.name.empty() ? unquoted(source.source_id) : source.name;
      if (const auto other = options_.class_map.entries().find(key); other != options_.class_map.entries().end()) {
        mapped_.insert(key);
        source.name = other->second;
      }
      const auto& known = source.name.empty() ? class_of_source_id_ : class_of_name_;
      const auto found = known.find(source.name.empty() ? source.source_id : source.name);
      named.known.push_back(found == known.end() ? ClassId{} : found->second);
      answers.push_back(!source.name.empty()         ? Resolution::found
                        : found == known.end()       ? Resolution::unknown
                        : found->second == ClassId{} ? Resolution::ambiguous
                                                     : Resolution::found);
      note_source_id(source);
    }
    named.classes = std::move(classes);
    hand_on(std::move(named));
    return answers;
  }

  std::vector<ResolvedImage> on_images(std::vector<SourceImage> images) override {
    std::vector<ResolvedImage> answers;
    std::vector<NamedImage> named;
    std::vector<SampleIndex::Found> exact;
    std::vector<std::string> said;
    for (SourceImage& image : images) {
      said.push_back(image.name);
      finder_.turn_separators(image);
      exact.push_back(finder_.find_exact(image));
    }
    bool has_added = false;  // then others may be meant by the same names
    for (std::size_t i = 0; i < images.size(); ++i) {
      ++report_.images_listed;
      auto [answer, name] = resolve(images[i], std::move(said[i]), has_added ? finder_.find_exact(images[i]) : exact[i]);
      has_added = has_added || name.added;
      answers.push_back(answer);
      named.push_back(std::move(name));
      ++announced_;
    }
    hand_on(std::move(named));
    return answers;
  }

  void on_labels(std::vector<ImportedLabel> labels) override { hand_on(std::move(labels)); }

  void on_rejected(Rejection rejection) override {
    if (rejection.kind == RejectedKind::label || rejection.reason == RejectionReason::unreadable_file) {
      note_rejected_labels(rejection);
    }
    if (report_.rejections.size() < kMaxRejectionsKept) {
      report_.rejections.push_back(std::move(rejection));
    }
  }

  void on_dataset_json(std::string json) override { hand_on(std::move(json)); }

  std::vector<std::string> class_map_unused() const {
    std::vector<std::string> unused;
    for (const auto& [name, other_name] : options_.class_map.entries()) {
      if (!mapped_.contains(name)) {
        unused.push_back(name);
      }
    }
    std::ranges::sort(unused);
    return unused;
  }

  /// The places of images of which labels were rejected: of those without any other label nobody knows whether they are empty.
  const std::unordered_set<std::int64_t>& images_with_rejections() const { return with_rejections_; }

 private:
  void note_rejected_labels(const Rejection& rejection) {
    const auto announced = announced_as_.find(rejection.image);
    if (rejection.image_index) {
      with_rejections_.insert(*rejection.image_index);
    } else if (announced != announced_as_.end()) {
      with_rejections_.insert(finder_.entry(announced->second).announced);
    } else if (!rejection.image.empty()) {
      rejected_before_.insert(rejection.image);
    }
  }

  /// That an image is not there is no failure, and what `--images` has found is known.
  void note_unreadable(std::optional<FileFailure> failure) {
    const auto is_same = [&](const FileFailure& known) { return known.path == failure->path; };
    if (failure && failure->code != ErrorCode::not_found && std::ranges::none_of(report_.failures, is_same)) {
      report_.image_failures.push_back(*std::move(failure));
    }
  }

  /// A class keeps the id that it first came with.
  void note_source_id(const SourceClass& source) {
    const bool has_id = !source.name.empty() && !source.source_json.empty() && !source.source_id.empty();
    if (has_id && source_id_of_class_.emplace(source.name, source.source_id).first->second != source.source_id) {
      report_.class_ids_not_kept.push_back({source.name, source.source_id});
    }
  }

  /// How a person writes an id that is a JSON text.
  static std::string unquoted(const std::string& id) {
    return id.size() >= 2 && id.front() == '"' ? id.substr(1, id.size() - 2) : id;
  }

  void hand_on(Work work) {
    if (!queue_.push(std::move(work))) {
      throw Error(ErrorCode::interrupted, "the writer has stopped");  // which has its own, better error
    }
  }

  SampleIndex::Found find(const SourceImage& image, const std::string& said, const SampleIndex::Found& exact) {
    if (image.name.empty() && image.path.empty()) {
      const auto found = sample_of_source_id_.find(image.source_id);
      return found == sample_of_source_id_.end() ? SampleIndex::Found{} : found->second;
    }
    if (exact.match != SampleIndex::Match::none) {
      return exact;
    }
    if (const auto announced = announced_as_.find(said); announced != announced_as_.end()) {
      const SampleIndex::Found same{SampleIndex::Match::found, announced->second};
      return finder_.lies_elsewhere(image, same) ? SampleIndex::Found{} : same;
    }
    const SampleIndex::Found loose = finder_.find_namesake(image);
    if (loose.match == SampleIndex::Match::found && survey_) {
      // Whether the file names that sample itself may stand at its end.
      NameSurvey names(finder_);
      std::exchange(survey_, nullptr)(names);
    }
    const bool is_met = loose.match == SampleIndex::Match::found &&
                        (finder_.entry(loose.entry).announced >= 0 || finder_.entry(loose.entry).is_named);
    // A namesake is not the image when the file names both.
    return !is_met                         ? loose
           : image.form != NameForm::whole ? SampleIndex::Found{SampleIndex::Match::ambiguous, loose.entry}
                                           : SampleIndex::Found{};
  }

  /// `said` is the name as the labels file has it.
  std::pair<ResolvedImage, NamedImage> resolve(SourceImage& image, std::string said, const SampleIndex::Found& exact) {
    SampleIndex::Found found = find(image, said, exact);
    if (found.match == SampleIndex::Match::ambiguous) {
      return {{Resolution::ambiguous, {}, {}}, {}};
    }
    NamedImage named;
    named.split = std::move(image.split);
    named.source_json = std::move(image.source_json);
    named.tags = std::move(image.tags);
    named.fields_json = std::move(image.fields_json);
    named.is_labelled = image.is_labelled;
    Resolution resolution = Resolution::found;
    if (found.match == SampleIndex::Match::none) {
      if (image.name.empty() || image.form != NameForm::whole) {
        return {{Resolution::unknown, {}, {}}, {}};
      }
      const std::filesystem::path path = finder_.place_of(image);
      // An image that lies where the labels say is taken in with them.
      ScannedFile scanned = scan_image(path, image.name);
      Sample sample;
      if (scanned.sample) {
        sample = std::move(*scanned.sample);
      } else {
        note_unreadable(std::move(scanned.failure));
        resolution = Resolution::missing;
        ++report_.images_missing;
        sample.path = path;
        sample.name = image.name;
        sample.width = image.width.value_or(0);
        sample.height = image.height.value_or(0);
        sample.is_missing = true;
      }
      found = {SampleIndex::Match::found, finder_.add(sample)};
      sample.split = named.split;
      sample.source_json = named.source_json;
      named.added = std::move(sample);
    }
    if (image.is_only && image.is_labelled && !only_labelled_.insert(found.entry).second) {
      return {{Resolution::duplicate, {}, {}}, {}};
    }
    if (rejected_before_.contains(said)) {
      with_rejections_.insert(announced_);
    }
    if (!said.empty()) {
      announced_as_.emplace(std::move(said), found.entry);
    }
    SampleIndex::Entry& entry = finder_.entry(found.entry);
    if (entry.announced >= 0) {
      named.same_as = entry.announced;
    }
    named.known = entry.sample;
    entry.announced = announced_;
    ResolvedImage answer{resolution, {}, {}};
    if (entry.width > 0 && entry.height > 0) {
      answer.width = entry.width;
      answer.height = entry.height;
      report_.images_of_other_size +=
          image.width.value_or(entry.width) != entry.width || image.height.value_or(entry.height) != entry.height ? 1 : 0;
    }
    return {answer, std::move(named)};
  }

  const ImportOptions& options_;
  std::function<void(ImportSink&)> survey_;  ///< nothing once it was done
  BoundedQueue<Work>& queue_;
  ImportReport& report_;
  std::unordered_set<std::string> mapped_;  ///< names that the map of classes was asked for
  SampleFinder finder_;
  std::unordered_map<std::string, std::size_t> announced_as_;  ///< entries by the names that the labels file gives them
  std::unordered_set<std::size_t> only_labelled_;              ///< entries whose labels stand in one place (`SourceImage::is_only`)
  std::unordered_map<std::string, SampleIndex::Found> sample_of_source_id_;
  std::unordered_map<std::string, ClassId> class_of_source_id_;      ///< none where several classes have the id
  std::unordered_map<std::string, std::string> source_id_of_class_;  ///< by its name
  std::unordered_map<std::string, ClassId> class_of_name_;
  std::unordered_set<std::int64_t> with_rejections_;
  std::unordered_set<std::string> rejected_before_;  ///< names of images that were not announced yet
  std::int64_t announced_ = 0;
};

/// Stores what the reader hands over, on the thread that owns the project.
class Storing {
 public:
  Storing(Project& project, const ImportOptions& options, ImportReport& report)
      : project_(project), options_(options), report_(report), writer_(project) {}

  void operator()(NamedClasses&& named) {
    begin();
    for (std::size_t i = 0; i < named.classes.size(); ++i) {
      const SourceClass& source = named.classes[i];
      classes_.push_back(source.name.empty() ? named.known[i] : writer_class(source));
    }
  }

  void operator()(std::vector<NamedImage>&& images) {
    begin();
    for (NamedImage& image : images) {
      SampleId sample = image.known;
      if (image.added) {
        sample = writer_.add_sample(*image.added).id;
      } else if (image.same_as >= 0) {
        sample = images_[static_cast<std::size_t>(image.same_as)];
      }
      if (sample) {
        SampleDescription said{{}, {}, image.tags, image.fields_json};
        if (!image.added) {
          said.split = image.split;
          said.source_json = image.source_json;
        }
        writer_.describe_sample(sample, said);
      }
      if (sample && image.is_labelled) {
        writer_.mark_labelled(sample);
      }
      images_.push_back(sample);
    }
  }

  void operator()(std::vector<ImportedLabel>&& labels) {
    begin();
    for (ImportedLabel& imported : labels) {
      imported.label.class_id = classes_[static_cast<std::size_t>(imported.class_index)];
      const SampleId sample = images_[static_cast<std::size_t>(imported.image)];
      ++(writer_.add_label(sample, imported.label, imported.tags) ? report_.labels : report_.labels_unchanged);
    }
  }

  void operator()(std::string&& dataset_json) { dataset_json_ = std::move(dataset_json); }

  void finish(const std::unordered_set<std::int64_t>& images_with_rejections) {
    begin();
    std::vector<SampleId> with_rejections;
    for (const std::int64_t image : images_with_rejections) {
      if (const SampleId sample = images_[static_cast<std::size_t>(image)]) {
        writer_.unmark_without_label(sample);
        with_rejections.push_back(sample);
      }
    }
    writer_.finish(dataset_json_);
    tell_unlabelled(std::move(with_rejections));
  }

  void stop() { writer_.stop(); }
  void pause() { writer_.pause(); }

 private:
  void begin() {
    if (!report_.import) {
      report_.import = writer_.begin(project_.ensure_set(options_.set), options_.format, options_.labels->native());
    }
  }

  void tell_unlabelled(std::vector<SampleId> samples) {
    if (samples.empty()) {
      return;
    }
    std::ranges::sort(samples, {}, &SampleId::value);
    const auto repeated = std::ranges::unique(samples);
    samples.erase(repeated.begin(), repeated.end());
    const Columns columns = project_.columns();
    const std::vector<std::uint8_t> is_labelled = columns.labelled_in(columns.set_index(options_.set).value());
    for (const SampleId sample : samples) {
      const auto ids = columns.samples.id.rows();
      const auto row = static_cast<std::size_t>(std::ranges::lower_bound(ids, sample.value) - ids.begin());
      if (is_labelled[row] == 0) {
        report_.left_unlabelled.emplace_back(columns.samples.name[row]);
      }
    }
  }

  ClassId writer_class(const SourceClass& source) { return project_.ensure_class(source.name, source.source_json); }

  Project& project_;
  const ImportOptions& options_;
  ImportReport& report_;
  ImportWriter writer_;
  std::vector<ClassId> classes_;
  std::vector<SampleId> images_;
  std::string dataset_json_;
};

/// Gives back the samples under the folder, new or not.
std::vector<SampleId> import_images(Project& project, const ImportOptions& options, const ProgressSink& progress,
                                    const CancelToken& cancel, ImportReport& report) {
  std::vector<SampleId> samples;
  ImportWriter writer(project);
  // Progress is told block by block; the headers of the next one are read without the project's lock.
  const ProgressSink pause = [&](const Progress& status) {
    writer.pause();
    if (progress) {
      progress(status);
    }
  };
  try {
    scan_images(*options.images, pause, cancel, [&](ScannedFile&& file) {
      ++report.files;
      if (file.sample) {
        file.sample->split = options.split;
        const auto added = writer.add_sample(*file.sample);
        if (added.has_new_size) {
          file.failure = FileFailure{
              file.sample->path.native(), ErrorCode::conflict,
              "the image has another size than when it was imported, so that its labels no longer fit; nothing was changed"};
        } else {
          ++(added.is_new ? report.added : report.unchanged);
          samples.push_back(added.id);
        }
      }
      if (file.failure) {
        ++report.failed;
        report.failures.push_back(std::move(*file.failure));
      } else if (file.is_ignored()) {
        ++report.ignored;
      }
    });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::interrupted) {
      writer.finish();
    }
    throw;
  }
  writer.finish();
  return samples;
}

void import_labels(Project& project, const ImportOptions& options, const ProgressSink& progress, const CancelToken& cancel,
                   ImportReport& report) {
  const Format& format = verilabel::format(options.format);
  BoundedQueue<Work> queue(kBatchesInFlight);
  const auto read = [&](ImportSink& into, const ProgressSink& told) {
    return format.read(*options.labels,
                       {.split = options.split, .field = options.field, .set = options.set, .progress = told, .cancel = &cancel},
                       into);
  };
  ReadingSink sink(project, options, [&](ImportSink& names) { read(names, {}); }, queue, report);
  ReadCounts counts;
  std::exception_ptr reading_failure;
  std::exception_ptr storing_failure;
  {
    std::jthread reader([&] {
      try {
        counts = read(sink, progress);
      } catch (...) {
        reading_failure = std::current_exception();
      }
      queue.close();
    });
    Storing storing(project, options, report);
    try {
      const auto next = [&] {
        auto work = queue.pop_within(kLongestIdleTurn);
        if (!work) {
          storing.pause();
          work = queue.pop();
        }
        return work;
      };
      while (auto work = next()) {
        std::visit([&]<typename Part>(Part&& part) { storing(std::forward<Part>(part)); }, std::move(*work));
      }
      reader.join();
      reading_failure ? storing.stop() : storing.finish(sink.images_with_rejections());
    } catch (...) {
      storing_failure = std::current_exception();
      queue.close();
    }
  }
  if (storing_failure) {
    std::rethrow_exception(storing_failure);
  }
  if (reading_failure) {
    try {
      std::rethrow_exception(reading_failure);
    } catch (const Error& error) {
      // Half of a broken file is worse than nothing of it; what a person stopped is kept, to be completed. Images belong to no
      // import: those that were read before the fault stay as the file has them.
      if (!report.import || error.code() == ErrorCode::interrupted) {
        throw;
      }
      const std::int64_t undone = project.undo_import(*report.import);
      throw error.with("images_listed", fmt::to_string(report.images_listed))
          .with("labels_undone", fmt::to_string(undone))
          .with("import", fmt::to_string(report.import->value));
    }
  }
  for (const RunRow& run : report.labels > 0 ? runs(project) : std::vector<RunRow>()) {
    if (run.request.set == options.set && run.labels > 0 && !run.is_undone) {
      report.beside_runs.push_back(run.id);
    }
  }
  report.labels_rejected = counts.labels_rejected;
  report.others_rejected = counts.images_rejected + counts.others_rejected;
  report.class_map_unused = sink.class_map_unused();
}

}  // namespace

void ImportOptions::validate() const {
  if (!images && !labels && !metadata && !exif && !brightness) {
    throw Error(ErrorCode::wrong_use,
                "nothing to import: pass --images DIR, --labels PATH with --format NAME, --metadata FILE, --exif or --brightness, "
                "one or several");
  }
  if (labels && format.empty()) {
    throw Error(ErrorCode::wrong_use, "labels need their format: pass --format NAME", {{"path", labels->native()}});
  }
  if (!labels && !class_map.entries().empty()) {
    throw Error(ErrorCode::wrong_use, "a map of classes without labels: pass --labels PATH");
  }
  if (!labels && !format.empty()) {
    throw Error(ErrorCode::wrong_use, "a format without labels: pass --labels PATH");
  }
  require_utf8("a split", split);
  if (!split.empty() && !images && !labels) {
    throw Error(ErrorCode::wrong_use, "a split without images and labels: metadata names splits in a column of its own");
  }
  if (!metadata && (!metadata_format.empty() || !metadata_key.empty())) {
    throw Error(ErrorCode::wrong_use, "a format or key of metadata without a file: pass --metadata FILE");
  }
  if (metadata) {
    static_cast<void>(verilabel::metadata_format(metadata_format, *metadata));
  }
  if (!format.empty()) {
    static_cast<void>(verilabel::format(format));
  }
  check_set_name(set);
  if (!field.empty() && (format.empty() || !verilabel::format(format).has_label_fields)) {
    throw Error(ErrorCode::wrong_use, "the format does not have several fields of labels: leave --field out", {{"format", format}});
  }
}

ImportReport import_dataset(Project& project, const ImportOptions& options, const ProgressSink& progress,
                            const CancelToken& cancel) {
  options.validate();
  ImportReport report;
  std::vector<SampleId> samples;
  if (options.images) {
    samples = import_images(project, options, progress, cancel, report);
  }
  if (options.labels) {
    import_labels(project, options, progress, cancel, report);
  }
  if (options.exif) {
    import_exif(project, options.images ? &samples : nullptr, progress, cancel, report);
  }
  if (options.brightness) {
    import_brightness(project, options.images ? &samples : nullptr, progress, cancel, report);
  }
  if (options.metadata) {
    import_metadata(project, options, progress, cancel, report);
  }
  return report;
}

}  // namespace verilabel
