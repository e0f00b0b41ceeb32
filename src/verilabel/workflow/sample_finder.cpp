#include "verilabel/workflow/sample_finder.h"

#include <system_error>

#include "verilabel/base/file.h"

namespace verilabel {

std::filesystem::path SampleFinder::place_of(const SourceImage& image) const {
  return image.path.empty() ? (base_ / image.name).lexically_normal() : std::filesystem::path(image.path);
}

SampleIndex::Found SampleFinder::find_exact(const SourceImage& image) const {
  if (image.is_stem) {
    return index_.find_stem(image.name);
  }
  const SampleIndex::Found found = index_.find_path(place_of(image).native());
  return found.match == SampleIndex::Match::found ? found : index_.find_name(image.name);
}

SampleIndex::Found SampleFinder::find_namesake(const SourceImage& image) const {
  if (image.is_stem) {
    return index_.find_base_stem_of(image.name);
  }
  const SampleIndex::Found namesake = index_.find_basename_of(image.name);
  return is_other_file(place_of(image), namesake) ? SampleIndex::Found{} : namesake;
}

bool SampleFinder::is_other_file(const std::filesystem::path& place, const SampleIndex::Found& namesake) const {
  std::error_code ignored;
  if (namesake.match == SampleIndex::Match::none || !std::filesystem::is_regular_file(place, ignored)) {
    return false;
  }
  if (namesake.match == SampleIndex::Match::ambiguous) {
    return true;
  }
  const std::filesystem::path known = index_.path(namesake.entry);
  if (!std::filesystem::is_regular_file(known, ignored) || std::filesystem::equivalent(place, known, ignored)) {
    return false;
  }
  return std::filesystem::file_size(place, ignored) != std::filesystem::file_size(known, ignored) ||
         sha256_of_file(place) != sha256_of_file(known);
}

}  // namespace verilabel
