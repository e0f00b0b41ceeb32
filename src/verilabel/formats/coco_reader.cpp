#include <cassert>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/split_filter.h"

namespace verilabel {
namespace {

constexpr std::size_t kBatch = 4096;
constexpr std::int64_t kOfOtherSplit = -1;  // instead of the place of an image
constexpr std::size_t kMaxDatasetFieldBytes = std::size_t{4} << 20;

class CocoReader {
 public:
  CocoReader(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink, bool takes_urls)
      : file_(path.native()), options_(options), sink_(sink), takes_urls_(takes_urls), stream_(path), splits_(options.split) {}

  ReadCounts read() {
    if (stream_.peek() == '{') {
      read_truth();
    } else if (stream_.peek() == '[') {
      read_results();
    } else {
      stream_.fail(stream_.byte_offset(), "this is neither a COCO truth file (an object) nor a results list (an array)");
    }
    report_bytes_read(options_, file_, stream_.bytes_consumed(), stream_.file_bytes());
    return counts_;
  }

 private:
  void read_truth() {
    std::optional<std::uint64_t> categories_at, images_at, annotations_at;
    bool has_read_both = false;
    std::string dataset_json;
    // Images wait until it is known whether there are annotations: else (`image_info_…`) they are not labelled.
    const auto read_both = [&] {
      stream_.seek(*images_at);
      read_images(annotations_at.has_value());
      if (annotations_at) {
        stream_.seek(*annotations_at);
        read_annotations(false);
      }
      has_read_both = true;
    };
    stream_.enter_object();
    while (const auto key = stream_.next_key()) {
      auto* const section = *key == "categories"    ? &categories_at
                            : *key == "images"      ? &images_at
                            : *key == "annotations" ? &annotations_at
                                                    : nullptr;
      if (section == nullptr) {
        read_dataset_field(*key, dataset_json);
        continue;
      }
      if (*section) {
        stream_.fail(stream_.byte_offset(), fmt::format("`{}` stands twice in the file", *key));
      }
      *section = stream_.byte_offset();
      if (stream_.peek() != '[') {
        stream_.fail(**section, fmt::format("`{}` must be a list", *key));
      }
      if (section == &categories_at) {
        read_categories();
      } else if (section == &annotations_at && categories_at && images_at) {
        read_both();
      } else {
        stream_.skip_value();
      }
    }
    stream_.finish();
    if (!images_at) {
      stream_.fail(0, "the file has no list `images`: it is no COCO truth file");
    }
    if (annotations_at && !categories_at) {
      stream_.fail(0, "the file has annotations and no list `categories`, so that their classes have no names");
    }
    if (!has_read_both) {
      read_both();
    }
    if (!dataset_json.empty()) {
      sink_.on_dataset_json(dataset_json + '}');
    }
  }

  void read_dataset_field(const std::string& key, std::string& dataset_json) {
    const JsonSlice slice = stream_.value(kMaxDatasetFieldBytes);
    if (slice.is_too_large) {
      reject(RejectedKind::field, slice.byte_offset, key,
             {RejectionReason::too_large, "", "the field is larger than 4 MB and is not kept for an export"});
    } else if (!parser_.is_valid(slice.text) || !parser_.is_valid('"' + key + '"')) {
      reject(RejectedKind::field, slice.byte_offset, key,
             {RejectionReason::malformed, "", "the field is not valid JSON and is not kept"});
    } else {
      dataset_json += dataset_json.empty() ? '{' : ',';
      dataset_json.append("\"").append(key).append("\":").append(slice.text);
    }
  }

  /// Calls `take(slice)` for each element of the list that comes next, and counts what it throws as one rejection.
  template <typename Take>
  void read_list(std::string_view name, RejectedKind kind, Take&& take) {
    std::int64_t index = 0;
    stream_.enter_array();
    while (const auto slice = stream_.next_element()) {
      try {
        if (slice->is_too_large) {
          throw CocoFault{RejectionReason::too_large, "", "the element is larger than 64 MB"};
        }
        take(*slice);
      } catch (const CocoFault& fault) {
        const std::optional<std::int64_t> image = kind == RejectedKind::label ? image_of_rejected(*slice) : std::nullopt;
        if (image != kOfOtherSplit) {
          reject(kind, slice->byte_offset, fmt::format("{}[{}]", name, index), fault, image);
        }
      }
      ++index;
      if (index % static_cast<std::int64_t>(kBatch) == 0) {
        report_bytes_read(options_, file_, stream_.bytes_consumed(), stream_.file_bytes());
      }
    }
  }

  void read_categories() {
    std::vector<SourceClass> batch;
    std::unordered_set<std::string> names;
    read_list("categories", RejectedKind::label_class, [&](const JsonSlice& slice) {
      CocoId id;
      SourceClass category;
      parser_.parse_category(slice.text, id, category);
      if (category_index_.insert(id, static_cast<std::int64_t>(batch.size()))) {
        throw CocoFault{RejectionReason::duplicate_id, "id", fmt::format("another category has the id {}", category.source_id)};
      }
      if (!names.insert(category.name).second) {
        reject(RejectedKind::field, slice.byte_offset, "categories.id",
               {RejectionReason::duplicate_name, "",
                fmt::format("another category has the name `{}` too; they become one class, and the id {} is not kept",
                            category.name, category.source_id)});
      }
      batch.push_back(std::move(category));
    });
    counts_.classes = static_cast<std::int64_t>(batch.size());
    category_resolutions_ = sink_.on_classes(std::move(batch));
    assert(category_resolutions_.size() == static_cast<std::size_t>(counts_.classes));
  }

  void read_images(bool are_labelled) {
    std::vector<SourceImage> batch;
    read_list("images", RejectedKind::image, [&](const JsonSlice& slice) {
      CocoId id;
      SourceImage image;
      parser_.parse_image(slice.text, id, image, takes_urls_);
      image.is_labelled = image.is_labelled && are_labelled;
      const bool is_taken = splits_.takes(image.split);
      if (image_index_.insert(id, is_taken ? counts_.images : kOfOtherSplit)) {
        throw CocoFault{RejectionReason::duplicate_id, "id", fmt::format("another image has the id {}", image.source_id)};
      }
      if (!is_taken) {
        return;
      }
      ++counts_.images;
      counts_.images_labelled += image.is_labelled ? 1 : 0;
      batch.push_back(std::move(image));
      if (batch.size() == kBatch) {
        announce_images(std::exchange(batch, {}));
      }
    });
    announce_images(std::move(batch));
    splits_.check(file_);
  }

  void announce_images(std::vector<SourceImage> batch) {
    if (batch.empty()) {
      return;
    }
    for (const SourceImage& image : batch) {
      image_names_.push_back(image.name);
    }
    for (const ResolvedImage& resolved : sink_.on_images(std::move(batch))) {
      image_resolutions_.push_back(resolved.resolution);
    }
    assert(image_resolutions_.size() == static_cast<std::size_t>(counts_.images));
  }

  void read_results() {
    read_annotations(true);
    stream_.finish();
  }

  void read_annotations(bool is_results_list) {
    std::vector<ImportedLabel> batch;
    batch.reserve(kBatch);
    CocoIdMap offset_of_id;
    CocoAnnotation annotation;
    read_list(is_results_list ? "" : "annotations", RejectedKind::label, [&](const JsonSlice& slice) {
      parser_.parse_annotation(slice.text, annotation);
      if (image_index_.find(annotation.image_id) == kOfOtherSplit) {
        return;
      }
      if (is_results_list && !annotation.label.confidence) {
        throw CocoFault{RejectionReason::missing_field, "score", "a detection of a results list needs a score"};
      }
      const std::int64_t image = image_of(annotation.image_id, is_results_list);
      const std::int64_t category = category_of(annotation.category_id, is_results_list);
      if (!is_results_list && annotation.id) {
        if (const auto first = offset_of_id.insert(*annotation.id, static_cast<std::int64_t>(slice.byte_offset))) {
          throw CocoFault{RejectionReason::duplicate_id, "id",
                          fmt::format("the annotation at byte {} has the id {} too", *first, annotation.id->json())};
        }
      }
      batch.push_back({image, static_cast<std::int32_t>(category), std::move(annotation.label), std::move(annotation.tags)});
      if (batch.size() == kBatch) {
        hand_over(batch);
      }
    });
    hand_over(batch);
  }

  void hand_over(std::vector<ImportedLabel>& batch) {
    if (batch.empty()) {
      return;
    }
    counts_.labels += static_cast<std::int64_t>(batch.size());
    std::vector<ImportedLabel> next;
    next.reserve(kBatch);
    sink_.on_labels(std::exchange(batch, std::move(next)));
  }

  /// In a results list an image is announced when its id is first met.
  std::int64_t image_of(const CocoId& id, bool is_results_list) {
    std::optional<std::int64_t> index = image_index_.find(id);
    if (!index && is_results_list) {
      index = counts_.images++;
      image_index_.insert(id, *index);
      SourceImage image;
      image.source_id = id.json();
      announce_images({std::move(image)});
      const bool is_known = image_resolutions_.back() == Resolution::found || image_resolutions_.back() == Resolution::missing;
      counts_.images_labelled += is_known ? 1 : 0;
    }
    assert(index != kOfOtherSplit);
    const Resolution resolution = index ? image_resolutions_[static_cast<std::size_t>(*index)] : Resolution::unknown;
    if (resolution == Resolution::unknown) {
      throw CocoFault{RejectionReason::unknown_image, "image_id",
                      is_results_list
                          ? fmt::format("no image of the project came with the id {}: import the truth file first", id.json())
                          : fmt::format("no image of the file has the id {}", id.json())};
    }
    if (resolution == Resolution::ambiguous) {
      throw CocoFault{
          RejectionReason::ambiguous_image, "image_id",
          is_results_list
              ? fmt::format("several images of the project came with the id {}, from several files: which is meant cannot be told",
                            id.json())
              : fmt::format("the name of the image with the id {} fits several images of the project: give its path in file_name",
                            id.json())};
    }
    return *index;
  }

  std::int64_t category_of(const CocoId& id, bool is_results_list) {
    std::optional<std::int64_t> index = category_index_.find(id);
    if (!index && is_results_list) {
      index = counts_.classes++;
      category_index_.insert(id, *index);
      SourceClass category;
      category.source_id = id.json();
      category_resolutions_.push_back(sink_.on_classes({std::move(category)}).at(0));
    }
    if (index && category_resolutions_[static_cast<std::size_t>(*index)] == Resolution::ambiguous) {
      throw CocoFault{RejectionReason::unknown_class, "category_id",
                      fmt::format("several classes of the project came with the id {}, from several files: say which is meant with "
                                  "--classes-map, a file such as {{\"{}\": \"name\"}}",
                                  id.json(), id.text.empty() ? id.json() : id.text.substr(1, id.text.size() - 2))};
    }
    if (!index || category_resolutions_[static_cast<std::size_t>(*index)] != Resolution::found) {
      throw CocoFault{RejectionReason::unknown_class, "category_id",
                      is_results_list
                          ? fmt::format("no class of the project came with the id {}: import the truth file first, or name the "
                                        "class of the id with --classes-map",
                                        id.json())
                          : fmt::format("no category of the file has the id {}", id.json())};
    }
    return *index;
  }

  std::optional<std::int64_t> image_of_rejected(const JsonSlice& slice) {
    const std::optional<CocoId> id = slice.is_too_large ? std::nullopt : parser_.image_id_of(slice.text);
    return id ? image_index_.find(*id) : std::nullopt;
  }

  void reject(RejectedKind kind, std::uint64_t byte_offset, std::string_view element, CocoFault fault,
              std::optional<std::int64_t> image = {}) {
    (kind == RejectedKind::label   ? counts_.labels_rejected
     : kind == RejectedKind::image ? counts_.images_rejected
                                   : counts_.others_rejected) += 1;
    sink_.on_rejected({.kind = kind,
                       .reason = fault.reason,
                       .file = file_,
                       .line = {},
                       .byte_offset = byte_offset,
                       .field = fault.field.empty() ? std::string(element) : fmt::format("{}.{}", element, fault.field),
                       .image = image ? image_names_[static_cast<std::size_t>(*image)] : std::string(),
                       .image_index = image,
                       .message = std::move(fault.message)});
  }

  std::string file_;
  const ReadOptions& options_;
  ImportSink& sink_;
  bool takes_urls_;  // for the names of images
  JsonStream stream_;
  SplitFilter splits_;
  CocoElementParser parser_{CocoElementParser::Keep::everything};
  ReadCounts counts_;
  CocoIdMap category_index_;
  CocoIdMap image_index_;
  std::vector<Resolution> category_resolutions_;
  std::vector<Resolution> image_resolutions_;
  std::vector<std::string> image_names_;
};

}  // namespace

ReadCounts read_coco(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink) {
  return CocoReader(path, options, sink, false).read();
}

ReadCounts read_lvis(const std::filesystem::path& path, const ReadOptions& options, ImportSink& sink) {
  return CocoReader(path, options, sink, true).read();
}

}  // namespace verilabel
