#pragma once

#include <filesystem>

#include "verilabel/formats/import.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/sample_index.h"

namespace verilabel {

/// Finds the sample that a file means by the name of an image: by where it lies, by its name in the project, else by a basename
/// that occurs once, or the end of its path. A namesake is none when another file lies where the file says. Private to import.
class SampleFinder {
 public:
  /// Relative names are looked for below `base`.
  explicit SampleFinder(std::filesystem::path base) : base_(std::move(base)) {}

  std::size_t add(const Sample& sample) {
    return index_.add(sample.name, sample.path.native(), {sample.id, sample.width, sample.height});
  }
  SampleIndex::Entry& entry(std::size_t index) { return index_.entry(index); }
  const SampleIndex::Entry& entry(std::size_t index) const { return index_.entry(index); }

  /// Turns the separators of Windows in a name, `train\1.jpg`, that is none of an image here as it stands.
  void turn_separators(SourceImage& image) const;
  /// Where the file says that the image is.
  std::filesystem::path place_of(const SourceImage& image) const;
  SampleIndex::Found find_exact(const SourceImage& image) const;
  /// By the name below the folders of the format's layout, or by the last part of the name alone.
  SampleIndex::Found find_namesake(const SourceImage& image) const;

  /// Whether a file that is none of the namesake's lies where the labels file says. Of several namesakes that are known by nothing
  /// but their name: whether any file does.
  bool lies_elsewhere(const SourceImage& image, const SampleIndex::Found& namesake) const;

 private:
  std::filesystem::path base_;
  SampleIndex index_;
};

}  // namespace verilabel
