#include "verilabel/workflow/sample_finder.h"

#include <algorithm>
#include <system_error>

#include "verilabel/base/file.h"

namespace verilabel {
namespace {

/// By what the name may be, the likelier first.
template <typename FindWhole, typename FindStem>
SampleIndex::Found find_in_form(NameForm form, const FindWhole& find_whole, const FindStem& find_stem) {
  if (form == NameForm::whole) {
    return find_whole();
  }
  const bool is_whole_first = form == NameForm::whole_or_stem;
  const SampleIndex::Found first = is_whole_first ? find_whole() : find_stem();
  if (first.match != SampleIndex::Match::none) {
    return first;
  }
  return is_whole_first ? find_stem() : find_whole();
}

}  // namespace

std::filesystem::path SampleFinder::place_of(const SourceImage& image) const {
  return image.path.empty() ? (base_ / image.name).lexically_normal() : std::filesystem::path(image.path);
}

void SampleFinder::turn_separators(SourceImage& image) const {
  std::error_code ignored;
  if (image.name.find('\\') != std::string::npos && find_exact(image).match == SampleIndex::Match::none &&
      !std::filesystem::is_regular_file(place_of(image), ignored)) {
    std::ranges::replace(image.name, '\\', '/');
  }
}

SampleIndex::Found SampleFinder::find_exact(const SourceImage& image) const {
  const auto whole = [&] {
    if (const SampleIndex::Found there = index_.find_path(place_of(image).native()); there.match == SampleIndex::Match::found) {
      return there;
    }
    SampleIndex::Found named = index_.find_name(image.name);
    if (named.match == SampleIndex::Match::ambiguous && !image.path.empty()) {
      named = index_.find_basename_of(image.path);
    }
    return lies_elsewhere(image, named) ? SampleIndex::Found{} : named;
  };
  return find_in_form(image.form, whole, [&] { return index_.find_stem(image.name); });
}

SampleIndex::Found SampleFinder::find_namesake(const SourceImage& image) const {
  const auto whole = [&] {
    if (const SampleIndex::Found inside = index_.find_name(image.name_in_layout);
        inside.match == SampleIndex::Match::found && !lies_elsewhere(image, inside)) {
      return inside;
    }
    SampleIndex::Found namesake = index_.find_basename_of(image.path.empty() ? image.name : image.path);
    if (namesake.match == SampleIndex::Match::none && !image.name_in_layout.empty()) {
      namesake = index_.find_basename_of(image.name_in_layout);
    }
    return lies_elsewhere(image, namesake) ? SampleIndex::Found{} : namesake;
  };
  return find_in_form(image.form, whole, [&] { return index_.find_base_stem_of(image.name); });
}

bool SampleFinder::lies_elsewhere(const SourceImage& image, const SampleIndex::Found& namesake) const {
  if (namesake.match == SampleIndex::Match::none) {
    return false;
  }
  std::error_code ignored;
  const std::filesystem::path place = place_of(image);
  if (!std::filesystem::is_regular_file(place, ignored)) {
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
