#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"

namespace verilabel {

/// Counts of what an export loses, by what, in the order of first occurrence.
class LossCounts {
 public:
  void add(std::string_view what, std::int64_t count = 1);
  const std::vector<Loss>& list() const { return losses_; }

 private:
  std::vector<Loss> losses_;
};

/// Whether options leave this image out of the export.
inline bool is_left_out(const ExportImage& image, const WriteOptions& options) {
  return image.state == SampleState::not_labelled && !options.with_unlabelled;
}

/// Tells progress and throws `interrupted` when the user asked to stop; cheap enough for every image.
void report_image(const WriteOptions& options, std::string_view stage, std::int64_t done, std::int64_t total);

}  // namespace verilabel
