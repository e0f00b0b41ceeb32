#include "verilabel/workflow/sample_index.h"

#include <iterator>

namespace verilabel {
namespace {

std::string backwards(std::string_view text) {
  return {text.rbegin(), text.rend()};
}

std::string_view whole_of(std::string_view name) {
  return name;
}

std::string_view basename_of(std::string_view name) {
  return name.substr(name.find_last_of('/') + 1);
}

std::string_view stem_of(std::string_view name) {
  const auto dot = name.find_last_of('.');
  const auto slash = name.find_last_of('/');
  const bool has_extension = dot != std::string_view::npos && dot != 0 && (slash == std::string_view::npos || dot > slash + 1);
  return has_extension ? name.substr(0, dot) : name;
}

}  // namespace

const std::string& SampleIndex::note(Slots& slots, std::string_view key, std::size_t entry) {
  const auto [slot, is_new] = slots.try_emplace(std::string(key), Slot{static_cast<std::uint32_t>(entry), false});
  slot->second.is_ambiguous = slot->second.is_ambiguous || !is_new;
  return slot->first;
}

SampleIndex::Found SampleIndex::look_up(const Slots& slots, std::string_view key) {
  const auto slot = slots.find(std::string(key));
  if (slot == slots.end()) {
    return {};
  }
  return {slot->second.is_ambiguous ? Match::ambiguous : Match::found, slot->second.first};
}

std::size_t SampleIndex::add(std::string_view name, std::string_view path, Entry entry) {
  const std::size_t index = entries_.size();
  paths_.push_back(&note(by_path_, path, index));
  note(by_name_, name, index);
  note(by_basename_, basename_of(name), index);
  note(by_stem_, stem_of(name), index);
  note(by_base_stem_, stem_of(basename_of(name)), index);
  entries_.push_back(entry);
  const auto note_end = [&](Ends& ends, std::string_view end) {
    if (ends.is_made) {
      ends.entry_of_end.emplace(backwards(end), static_cast<std::uint32_t>(index));
    }
  };
  note_end(ends_, path);
  note_end(stem_ends_, stem_of(path));
  return index;
}

SampleIndex::Found SampleIndex::find_end(Ends& ends, std::string_view name,
                                         std::string_view (*part_of_path)(std::string_view)) const {
  if (!ends.is_made) {
    for (std::uint32_t i = 0; i < paths_.size(); ++i) {
      ends.entry_of_end.emplace(backwards(part_of_path(*paths_[i])), i);
    }
    ends.is_made = true;
  }
  const Found ambiguous{Match::ambiguous, 0};
  // From the longest end, `a/b/1.jpg`, to the last that is more than the basename, `b/1.jpg`.
  for (std::size_t from = 0; name.find('/', from) != std::string_view::npos; from = name.find('/', from) + 1) {
    const std::string end = backwards(name.substr(from)) + "/";
    const auto first = ends.entry_of_end.lower_bound({end, 0});
    if (first == ends.entry_of_end.end() || !first->first.starts_with(end)) {
      continue;
    }
    const auto second = std::next(first);
    const bool is_one = second == ends.entry_of_end.end() || !second->first.starts_with(end);
    return is_one ? Found{Match::found, first->second} : ambiguous;
  }
  return ambiguous;
}

SampleIndex::Found SampleIndex::find_path(std::string_view path) const {
  return look_up(by_path_, path);
}

SampleIndex::Found SampleIndex::find_name(std::string_view name) const {
  return look_up(by_name_, name);
}

SampleIndex::Found SampleIndex::find_basename_of(std::string_view name) const {
  const Found found = look_up(by_basename_, basename_of(name));
  return found.match == Match::ambiguous ? find_end(ends_, name, whole_of) : found;
}

SampleIndex::Found SampleIndex::find_stem(std::string_view stem) const {
  return look_up(by_stem_, stem);
}

SampleIndex::Found SampleIndex::find_base_stem_of(std::string_view stem) const {
  const Found found = look_up(by_base_stem_, basename_of(stem));
  return found.match == Match::ambiguous ? find_end(stem_ends_, stem, stem_of) : found;
}

}  // namespace verilabel
