#include "verilabel/workflow/sample_index.h"

namespace verilabel {
namespace {

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
  return index;
}

SampleIndex::Found SampleIndex::find_path(std::string_view path) const {
  return look_up(by_path_, path);
}

SampleIndex::Found SampleIndex::find_name(std::string_view name) const {
  return look_up(by_name_, name);
}

SampleIndex::Found SampleIndex::find_basename_of(std::string_view name) const {
  return look_up(by_basename_, basename_of(name));
}

SampleIndex::Found SampleIndex::find_stem(std::string_view stem) const {
  return look_up(by_stem_, stem);
}

SampleIndex::Found SampleIndex::find_base_stem_of(std::string_view stem) const {
  return look_up(by_base_stem_, basename_of(stem));
}

}  // namespace verilabel
