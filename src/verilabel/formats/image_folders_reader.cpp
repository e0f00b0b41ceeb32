#include <algorithm>
#include <cassert>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "verilabel/base/error.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/image_folders.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/row_fault.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatch = 1024;
/// Written by file managers, as hidden files (`.DS_Store`) are by others.
constexpr std::string_view kFilesOfFileManagers[] = {"Thumbs.db", "desktop.ini"};

struct ImageFile {
  fs::path path;
  std::string split;
  std::string class_name;  ///< empty outside class folders
  fs::path folder;         ///< of the class, or what is in its place
};

/// Hidden folders and what archives of macOS bring along are not.
bool may_be_class(const fs::path& entry) {
  return fs::is_directory(entry) && !is_hidden(entry) && entry.filename() != "__MACOSX";
}

class ImageFoldersReader {
 public:
  ImageFoldersReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : root_(fs::absolute(path).lexically_normal()), options_(options), sink_(sink) {}

  ReadCounts read() {
    if (!fs::exists(root_)) {
      throw Error(ErrorCode::not_found, "there is no such folder", {{"path", root_.native()}});
    }
    if (!fs::is_directory(root_)) {
      throw Error(ErrorCode::wrong_use, "class folders are named by the folder that they are in, and this is a file",
                  {{"path", root_.native()}});
    }
    collect();
    announce_classes();
    total_ = static_cast<std::int64_t>(files_.size());
    for (std::size_t begin = 0; begin < files_.size(); begin += kBatch) {
      report_images_read(options_, root_, counts_.images, total_);
      read_batch(std::span(files_).subspan(begin, std::min(kBatch, files_.size() - begin)));
    }
    report_images_read(options_, root_, counts_.images, total_);
    return counts_;
  }

 private:
  void collect() {
    std::vector<fs::path> folders;
    for (const fs::path& entry : entries_of(root_)) {
      if (may_be_class(entry)) {
        folders.push_back(entry);
      }
    }
    const auto is_split = [](const fs::path& folder) { return !split_of_folder(folder.filename().native()).empty(); };
    const bool has_splits = std::ranges::any_of(folders, is_split) && std::ranges::all_of(folders, [&](const fs::path& folder) {
                              return is_split(folder) || files_under(folder).empty();
                            });
    if (has_splits) {
      std::erase_if(folders, [&](const fs::path& folder) { return !is_split(folder); });
    }
    check_split(has_splits ? folders : std::vector<fs::path>{});
    if (!has_splits) {
      collect_classes(root_, "");
    } else {
      if (options_.split.empty()) {
        collect_loose(root_, "");
      }
      for (const fs::path& folder : folders) {
        const std::string split(split_of_folder(folder.filename().native()));
        if (options_.split.empty() || wanted_split() == split) {
          collect_classes(folder, split);
        }
      }
    }
    if (class_names_.empty()) {
      throw Error(ErrorCode::bad_data,
                  "there are no class folders: images are expected at CLASS/image.jpg, or at SPLIT/CLASS/image.jpg where the "
                  "first folders are all of train, val and test",
                  {{"path", root_.native()}});
    }
  }

  std::string_view wanted_split() const {
    const std::string_view known = split_of_folder(options_.split);
    return known.empty() ? std::string_view(options_.split) : known;
  }

  void check_split(const std::vector<fs::path>& split_folders) const {
    if (options_.split.empty()) {
      return;
    }
    std::vector<std::string> names;
    for (const fs::path& folder : split_folders) {
      names.emplace_back(split_of_folder(folder.filename().native()));
    }
    if (std::find(names.begin(), names.end(), wanted_split()) == names.end()) {
      throw Error(ErrorCode::wrong_use,
                  names.empty() ? fmt::format("there is no split `{}`; the folder has no splits", options_.split)
                                : fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(names, ", ")),
                  {{"path", root_.native()}});
    }
  }

  void collect_loose(const fs::path& folder, const std::string& split) {
    for (const fs::path& entry : entries_of(folder)) {
      if (!fs::is_directory(entry) && is_image_name(entry)) {
        files_.push_back({entry, split, "", folder});
      }
    }
  }

  void collect_classes(const fs::path& folder, const std::string& split) {
    collect_loose(folder, split);
    for (const fs::path& class_folder : entries_of(folder)) {
      if (!may_be_class(class_folder)) {
        continue;
      }
      const std::string name = class_folder.filename().native();
      class_names_.insert(name);
      for (fs::path& file : files_under(class_folder)) {
        if (is_image_name(file)) {
          files_.push_back({std::move(file), split, name, class_folder});
        } else if (!is_hidden(file) && std::find(std::begin(kFilesOfFileManagers), std::end(kFilesOfFileManagers),
                                                 file.filename().native()) == std::end(kFilesOfFileManagers)) {
          reject(sink_, counts_, RejectedKind::image, {file.native(), {}, relative_name(file)},
                 {RejectionReason::malformed, "", "a file in a class folder whose name is not one of an image; it is passed over"});
        }
      }
    }
  }

  std::string relative_name(const fs::path& file) const { return file.lexically_relative(root_).native(); }

  void announce_classes() {
    std::vector<SourceClass> classes;
    for (const std::string& name : class_names_) {
      if (is_utf8(name)) {
        class_index_.emplace(name, static_cast<std::int32_t>(classes.size()));
        classes.push_back({name, {}, {}});
      } else {
        reject(sink_, counts_, RejectedKind::label_class, {(root_ / name).native(), {}, {}},
               {RejectionReason::malformed, "", "the name of the class folder is not UTF-8; rename the folder"});
      }
    }
    counts_.classes = static_cast<std::int64_t>(classes.size());
    if (!classes.empty()) {
      sink_.on_classes(std::move(classes));
    }
  }

  void read_batch(std::span<const ImageFile> files) {
    std::vector<SourceImage> images;
    images.reserve(files.size());
    for (const ImageFile& file : files) {
      SourceImage image;
      image.name = relative_name(file.path);
      image.name_in_layout = file.path.lexically_relative(file.folder).native();
      image.path = file.path.native();
      image.split = file.split;
      image.is_labelled = class_index_.contains(file.class_name);
      counts_.images_labelled += image.is_labelled ? 1 : 0;
      images.push_back(std::move(image));
    }
    const std::vector<ResolvedImage> resolved = sink_.on_images(std::move(images));
    assert(resolved.size() == files.size());
    std::vector<ImportedLabel> labels;
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::int64_t image = counts_.images++;
      if (files[i].class_name.empty()) {
        continue;
      }
      try {
        check_resolved(resolved[i]);
        const auto found = class_index_.find(files[i].class_name);
        if (found == class_index_.end()) {
          throw RowFault{RejectionReason::unknown_class, "", "the name of the class folder is not UTF-8; rename the folder"};
        }
        Label label;
        label.kind = LabelKind::classification;
        labels.push_back({image, found->second, std::move(label), {}});
      } catch (const RowFault& fault) {
        reject(sink_, counts_, RejectedKind::label, {files[i].path.native(), {}, relative_name(files[i].path)}, fault);
      }
    }
    if (!labels.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels.size());
      sink_.on_labels(std::move(labels));
    }
  }

  fs::path root_;
  const ReadOptions& options_;
  ImportSink& sink_;
  ReadCounts counts_;
  std::int64_t total_ = 0;
  std::vector<ImageFile> files_;
  std::set<std::string> class_names_;
  std::map<std::string, std::int32_t> class_index_;  ///< of the classes with a usable name
};

}  // namespace

std::string_view split_of_folder(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kSplits[] = {
      {"train", "train"}, {"val", "val"}, {"valid", "val"}, {"validation", "val"}, {"test", "test"}};
  for (const auto& [folder, split] : kSplits) {
    if (folder == name) {
      return split;
    }
  }
  return {};
}

ReadCounts read_image_folders(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return ImageFoldersReader(path, options, sink).read();
}

}  // namespace verilabel
