#include "verilabel/formats/label_files.h"

#include <cassert>
#include <string>
#include <unordered_map>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/row_fault.h"

namespace verilabel {
namespace {

constexpr std::size_t kBatch = 1024;
constexpr std::uint64_t kMaxLabelFileBytes = std::uint64_t{64} << 20;

}  // namespace

void reject_shared_label_files(std::vector<ImageWithLabelFile>& items, ImportSink& sink, ReadCounts& counts) {
  std::unordered_map<std::string, int> uses;
  for (const ImageWithLabelFile& item : items) {
    if (item.image.is_labelled) {
      ++uses[item.label_path.native()];
    }
  }
  std::erase_if(items, [&](const ImageWithLabelFile& item) {
    const bool is_shared = item.image.is_labelled && uses[item.label_path.native()] > 1;
    if (is_shared) {
      reject(sink, counts, RejectedKind::image, {item.label_path.native(), {}, item.image.name},
             {RejectionReason::ambiguous_image, "", "the label file fits several images; give them different names"});
    }
    return is_shared;
  });
}

void read_label_files(std::span<const ImageWithLabelFile> items, ImportSink& sink, ReadCounts& counts,
                      const std::function<void()>& before_batch, const TakeLabelFile& take) {
  for (std::size_t begin = 0; begin < items.size(); begin += kBatch) {
    before_batch();
    const auto batch = items.subspan(begin, std::min(kBatch, items.size() - begin));
    std::vector<SourceImage> images;
    images.reserve(batch.size());
    for (const ImageWithLabelFile& item : batch) {
      counts.images_labelled += item.image.is_labelled ? 1 : 0;
      images.push_back(item.image);
      images.back().is_only = true;
    }
    const std::vector<ResolvedImage> resolved = sink.on_images(std::move(images));
    assert(resolved.size() == batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch[i].image.is_labelled) {
        std::string text;
        try {
          text = read_file(batch[i].label_path, kMaxLabelFileBytes);
        } catch (const Error& error) {
          reject(sink, counts, RejectedKind::image, {batch[i].label_path.native(), {}, batch[i].image.name},
                 {RejectionReason::unreadable_file, "", error.message()});
        }
        take(batch[i], resolved[i], text);
      }
      ++counts.images;
    }
  }
}

}  // namespace verilabel
