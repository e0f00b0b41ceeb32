#include "verilabel/workflow/sample_finder.h"

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

SampleIndex::Found SampleFinder::find_exact(const SourceImage& image) const {
  const auto whole = [&] {
    const SampleIndex::Found found = index_.find_path(place_of(image).native());
    return found.match == SampleIndex::Match::found ? found : index_.find_name(image.name);
  };
  return find_in_form(image.form, whole, [&] { return index_.find_stem(image.name); });
}

SampleIndex::Found SampleFinder::find_namesake(const SourceImage& image) const {
  const auto whole = [&] {
    if (const SampleIndex::Found inside = index_.find_name(image.name_in_layout);
        inside.match == SampleIndex::Match::found && !is_other_file(place_of(image), inside)) {
      return inside;
    }
    const SampleIndex::Found namesake = index_.find_basename_of(image.name);
    return is_other_file(place_of(image), namesake) ? SampleIndex::Found{} : namesake;
  };
  return find_in_form(image.form, whole, [&] { return index_.find_base_stem_of(image.name); });
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
