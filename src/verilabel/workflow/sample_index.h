#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "verilabel/base/ids.h"

namespace verilabel {

/// Finds the sample that a labels file means: by its path, by the whole name, or by the last part of the name where that occurs
/// once, or by as many parts of its end as it takes. A name may be given with or without its extension. Private to import.
class SampleIndex {
 public:
  struct Entry {
    SampleId sample;  ///< none while it is not stored yet
    std::int32_t width = 0;
    std::int32_t height = 0;
    std::int64_t announced = -1;  ///< place in the order in which the labels file names images; −1 while it has not
    bool is_named = false;        ///< the labels file calls it by its whole name
  };
  enum class Match : std::uint8_t { found, none, ambiguous };
  struct Found {
    Match match = Match::none;
    std::size_t entry = 0;
  };

  std::size_t add(std::string_view name, std::string_view path, Entry entry);
  Found find_path(std::string_view path) const;
  Found find_name(std::string_view name) const;
  /// By the last part of the name. Where several have that, by the longest end of the name that is the end of a path: `night/1.jpg`
  /// is the one of `/a/day/1.jpg` and `/a/night/1.jpg`.
  Found find_basename_of(std::string_view name) const;
  /// `stem` is a name without its extension.
  Found find_stem(std::string_view stem) const;
  /// Likewise.
  Found find_base_stem_of(std::string_view stem) const;

  Entry& entry(std::size_t index) { return entries_[index]; }
  const Entry& entry(std::size_t index) const { return entries_[index]; }
  const std::string& path(std::size_t index) const { return *paths_[index]; }

 private:
  /// Entries under one key; beyond the second it does not matter how many.
  struct Slot {
    std::uint32_t first = 0;
    bool is_ambiguous = false;
  };
  using Slots = std::unordered_map<std::string, Slot>;
  /// Gives back the key where it is kept.
  static const std::string& note(Slots& slots, std::string_view key, std::size_t entry);
  static Found look_up(const Slots& slots, std::string_view key);

  /// Paths backwards, so that those of one end are neighbours. Few labels files need it, so it is made when one does.
  struct Ends {
    bool is_made = false;
    std::set<std::pair<std::string, std::uint32_t>> entry_of_end;
  };
  /// The one whose path has more parts of the end of `name` than any other, and more than the last.
  Found find_end(Ends& ends, std::string_view name, std::string_view (*part_of_path)(std::string_view)) const;

  std::vector<Entry> entries_;
  std::vector<const std::string*> paths_;  ///< keys of by_path_
  Slots by_path_;
  Slots by_name_;
  Slots by_basename_;
  Slots by_stem_;
  Slots by_base_stem_;
  mutable Ends ends_;
  mutable Ends stem_ends_;
};

}  // namespace verilabel
