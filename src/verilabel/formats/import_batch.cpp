#include "verilabel/formats/import_batch.h"

#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/utf8.h"

namespace verilabel {
namespace {

constexpr std::size_t kImages = 1024;
constexpr std::size_t kLabels = 4096;

SourcePlace place_of(const PendingLabel& label, const PendingImage& image) {
  return {image.place.file, label.byte_offset ? label.byte_offset : image.place.byte_offset};
}

}  // namespace

std::int32_t ImportBatch::class_index(const std::string& name, std::string source_json) {
  const auto [at, is_new] = classes_.emplace(name, static_cast<std::int32_t>(classes_.size()));
  if (is_new) {
    new_classes_.push_back({name, {}, std::move(source_json)});
    ++counts_.classes;
  }
  return at->second;
}

void ImportBatch::add(PendingImage image) {
  if (!splits_.takes(image.image.split)) {
    return;
  }
  if (!image.key.empty() && !keys_.insert(image.key).second) {
    const std::string why = fmt::format("`{}` is there twice; the first is taken", printable(image.key));
    reject(RejectedKind::image, image.place, image.image.name, {RejectionReason::duplicate_id, "", why});
    for (PendingLabel& label : image.labels) {
      reject(RejectedKind::label, place_of(label, image), image.image.name,
             {RejectionReason::duplicate_id, std::move(label.field), why});
    }
    return;
  }
  pending_labels_ += image.labels.size();
  images_.push_back(std::move(image));
  if (images_.size() >= kImages || pending_labels_ >= kLabels) {
    hand_over();
  }
}

void ImportBatch::reject(RejectedKind kind, const SourcePlace& place, std::string_view image, ElementFault fault) {
  (kind == RejectedKind::label   ? counts_.labels_rejected
   : kind == RejectedKind::image ? counts_.images_rejected
                                 : counts_.others_rejected) += 1;
  sink_.on_rejected({.kind = kind,
                     .reason = fault.reason,
                     .file = place.file,
                     .line = {},
                     .byte_offset = place.byte_offset,
                     .field = std::move(fault.field),
                     .image = std::string(image),
                     .message = std::move(fault.message)});
}

ReadCounts ImportBatch::finish(const std::string& file) {
  splits_.check(file);
  hand_over();
  return counts_;
}

void ImportBatch::hand_over() {
  if (!new_classes_.empty()) {
    const std::vector<Resolution> resolved = sink_.on_classes(std::exchange(new_classes_, {}));
    class_resolutions_.insert(class_resolutions_.end(), resolved.begin(), resolved.end());
    assert(class_resolutions_.size() == classes_.size());
  }
  if (images_.empty()) {
    return;
  }
  std::vector<SourceImage> announced;
  announced.reserve(images_.size());
  for (const PendingImage& pending : images_) {
    announced.push_back(pending.image);
  }
  const std::vector<ResolvedImage> resolved = sink_.on_images(std::move(announced));
  assert(resolved.size() == images_.size());
  std::vector<ImportedLabel> labels;
  for (std::size_t i = 0; i < images_.size(); ++i) {
    complete(images_[i], resolved[i], counts_.images, labels);
    ++counts_.images;
    counts_.images_labelled += images_[i].image.is_labelled ? 1 : 0;
  }
  if (!labels.empty()) {
    sink_.on_labels(std::move(labels));
  }
  images_.clear();
  pending_labels_ = 0;
}

void ImportBatch::complete(PendingImage& pending, const ResolvedImage& resolved, std::int64_t index,
                           std::vector<ImportedLabel>& labels) {
  // The project knows the upright size of the pixels; a file may state that of another version of the image.
  const std::optional<std::int32_t> width = resolved.width ? resolved.width : pending.image.width;
  const std::optional<std::int32_t> height = resolved.height ? resolved.height : pending.image.height;
  if (resolved.resolution == Resolution::duplicate) {
    reject(RejectedKind::image, pending.place, pending.image.name,
           {RejectionReason::duplicate_id, "", std::string(kLabelledElsewhere)});
  }
  for (PendingLabel& item : pending.labels) {
    const auto fail = [&](RejectionReason reason, std::string message) {
      throw ElementFault{reason, item.field, std::move(message)};
    };
    try {
      if (resolved.resolution == Resolution::ambiguous) {
        fail(RejectionReason::ambiguous_image, "the name of the image fits several images of the project: give its path");
      }
      if (resolved.resolution == Resolution::unknown) {
        fail(RejectionReason::unknown_image, "the project has no such image");
      }
      if (resolved.resolution == Resolution::duplicate) {
        fail(RejectionReason::duplicate_id, std::string(kLabelledElsewhere));
      }
      if (class_resolutions_[static_cast<std::size_t>(item.class_index)] != Resolution::found) {
        fail(RejectionReason::unknown_class, "the project has no such class");
      }
      if (item.place) {
        if (!width || !height) {
          fail(RejectionReason::image_size_unknown,
               "the label needs the size of its image, which is not known: import the image first");
        }
        item.place(item.label, *width, *height);
      }
      require_single_keys(JsonValue(item.label.attributes_json, item.field + ".attributes"));
      if (std::optional<std::string> fault = fault_of(item.label)) {
        fail(RejectionReason::out_of_range, std::move(*fault));
      }
      labels.push_back({index, item.class_index, std::move(item.label), std::move(item.tags)});
      ++counts_.labels;
      if (labels.size() == kLabels) {
        sink_.on_labels(std::exchange(labels, {}));
      }
    } catch (ElementFault& fault) {
      reject(RejectedKind::label, place_of(item, pending), pending.image.name, std::move(fault));
    }
  }
}

}  // namespace verilabel
