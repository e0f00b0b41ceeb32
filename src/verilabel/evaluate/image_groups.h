#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace verilabel {

/// Labels by the image that they are on: those of one image side by side, in the order of their file. Private to the module.
class ImageGroups {
 public:
  /// `image` is the index of each label's image, below `image_count`.
  ImageGroups(std::span<const std::uint32_t> image, std::size_t image_count) : begin_(image_count + 1, 0), labels_(image.size()) {
    for (const std::uint32_t i : image) {
      ++begin_[i + 1];
    }
    for (std::size_t i = 1; i < begin_.size(); ++i) {
      begin_[i] += begin_[i - 1];
    }
    std::vector<std::size_t> next(begin_.begin(), begin_.end() - 1);
    for (std::uint32_t label = 0; label < image.size(); ++label) {
      labels_[next[image[label]]++] = label;
    }
  }

  std::size_t size() const { return begin_.size() - 1; }
  std::span<const std::uint32_t> of(std::size_t image) const {
    return std::span(labels_).subspan(begin_[image], begin_[image + 1] - begin_[image]);
  }

 private:
  std::vector<std::size_t> begin_;
  std::vector<std::uint32_t> labels_;
};

}  // namespace verilabel
