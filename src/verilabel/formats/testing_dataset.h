#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <stdlib.h>

#include "verilabel/formats/export.h"
#include "verilabel/formats/import.h"

namespace verilabel {

/// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "verilabel-formats-XXXXXX").native();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::filesystem::path& name, std::string_view content) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::filesystem::path path_;
};

/// Keeps what a reader hands over, and answers as a project would.
class RecordingSink : public ImportSink {
 public:
  std::vector<SourceClass> classes;
  std::vector<SourceImage> images;
  std::vector<ImportedLabel> labels;
  std::vector<Rejection> rejections;
  std::string dataset_json;
  std::size_t largest_batch = 0;

  /// What the project says of names and of source ids; `found` of the rest.
  std::map<std::string, Resolution> answers;
  std::optional<std::pair<std::int32_t, std::int32_t>> size_wh = std::pair(640, 480);

  std::vector<Resolution> on_classes(std::vector<SourceClass> batch) override {
    std::vector<Resolution> result;
    for (SourceClass& item : batch) {
      result.push_back(answer(item.name.empty() ? item.source_id : item.name));
      classes.push_back(std::move(item));
    }
    return result;
  }
  std::vector<ResolvedImage> on_images(std::vector<SourceImage> batch) override {
    std::vector<ResolvedImage> result;
    for (SourceImage& item : batch) {
      ResolvedImage resolved{.resolution = answer(item.name.empty() ? item.source_id : item.name), .width = {}, .height = {}};
      if (size_wh) {
        resolved.width = size_wh->first;
        resolved.height = size_wh->second;
      }
      result.push_back(resolved);
      images.push_back(std::move(item));
    }
    return result;
  }
  void on_labels(std::vector<ImportedLabel> batch) override {
    largest_batch = std::max(largest_batch, batch.size());
    for (ImportedLabel& item : batch) {
      labels.push_back(std::move(item));
    }
  }
  void on_rejected(Rejection rejection) override { rejections.push_back(std::move(rejection)); }
  void on_dataset_json(std::string json) override { dataset_json = std::move(json); }

 private:
  Resolution answer(const std::string& key) const {
    const auto at = answers.find(key);
    return at == answers.end() ? Resolution::found : at->second;
  }
};

/// What a reader of the table hands over to `sink`; what it counts goes into `counts` where that is asked for.
template <typename Reader>
RecordingSink recorded(const Reader& read, const std::filesystem::path& path, ReadCounts* counts = nullptr,
                       const ReadOptions& options = {}, RecordingSink sink = {}) {
  const ReadCounts read_counts = read(path, options, sink);
  if (counts != nullptr) {
    *counts = read_counts;
  }
  return sink;
}

/// Answers that the project's images are of this size; without one, the files have to state it.
inline RecordingSink sink_of_size(std::optional<std::pair<std::int32_t, std::int32_t>> size_wh) {
  RecordingSink sink;
  sink.size_wh = size_wh;
  return sink;
}

/// A small dataset in memory.
class MemorySource : public ExportSource {
 public:
  struct Sample {
    ExportImage image;
    std::vector<ExportLabel> labels;
  };
  std::vector<ExportClass> class_list;
  std::vector<Sample> samples;
  std::string dataset;

  MemorySource() = default;
  /// What a sink recorded, to be written again.
  explicit MemorySource(const RecordingSink& sink) : dataset(sink.dataset_json) {
    for (const SourceClass& item : sink.classes) {
      class_list.push_back({item.name, item.source_json});
    }
    for (const SourceImage& item : sink.images) {
      Sample sample;
      sample.image.name = item.name;
      sample.image.path = item.path.empty() ? "/nowhere/" + item.name : item.path;
      sample.image.width = item.width.value_or(sink.size_wh ? sink.size_wh->first : 0);
      sample.image.height = item.height.value_or(sink.size_wh ? sink.size_wh->second : 0);
      sample.image.split = item.split;
      sample.image.source_json = item.source_json;
      sample.image.tags = item.tags;
      sample.image.fields_json = item.fields_json;
      sample.image.state = item.is_labelled ? SampleState::labelled_empty : SampleState::not_labelled;
      samples.push_back(std::move(sample));
    }
    for (const ImportedLabel& item : sink.labels) {
      Sample& sample = samples.at(static_cast<std::size_t>(item.image));
      sample.image.state = SampleState::labelled;
      sample.labels.push_back({item.class_index, item.label, item.tags});
    }
  }

  std::vector<ExportClass> classes() override { return class_list; }
  std::string dataset_json() override { return dataset; }
  std::int64_t image_count() override { return static_cast<std::int64_t>(samples.size()); }
  ExportImage image(std::int64_t index) override { return samples.at(static_cast<std::size_t>(index)).image; }
  std::vector<ExportLabel> labels(std::int64_t index) override { return samples.at(static_cast<std::size_t>(index)).labels; }
};

}  // namespace verilabel
