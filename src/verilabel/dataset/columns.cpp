#include "verilabel/dataset/columns.h"

#include <algorithm>

namespace verilabel {
namespace {

std::optional<std::int32_t> index_of(const std::vector<NamedId>& names, std::string_view name) {
  const auto found = std::ranges::find(names, name, &NamedId::name);
  if (found == names.end()) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(found - names.begin());
}

}  // namespace

TextColumn TextColumn::borrowed(std::span<const std::uint64_t> ends, std::span<const char> bytes) {
  TextColumn column;
  column.ends_ = Column<std::uint64_t>::borrowed(ends);
  column.bytes_ = Column<char>::borrowed(bytes);
  return column;
}

std::string_view TextColumn::operator[](std::size_t row) const {
  const std::uint64_t begin = row == 0 ? 0 : ends_[row - 1];
  return {bytes_.begin() + begin, ends_[row] - begin};
}

void TextColumn::append(std::string_view text) {
  bytes_.append(std::span<const char>(text));
  ends_.append(bytes_.size());
}

std::optional<PropertyColumns::Entries> PropertyColumns::entries_of(std::string_view wanted_name) const {
  const auto found = std::ranges::lower_bound(names, wanted_name);
  if (found == names.end() || *found != wanted_name) {
    return std::nullopt;
  }
  const auto name_of_rows = name.rows();
  const auto [first, last] = std::ranges::equal_range(name_of_rows, static_cast<std::int32_t>(found - names.begin()));
  return Entries{static_cast<std::size_t>(first - name_of_rows.begin()), static_cast<std::size_t>(last - name_of_rows.begin())};
}

std::optional<std::int32_t> Columns::set_index(std::string_view name) const {
  return index_of(sets, name);
}

std::optional<std::int32_t> Columns::class_index(std::string_view name) const {
  return index_of(classes, name);
}

std::vector<std::uint8_t> Columns::labelled_in(std::int32_t wanted_set) const {
  std::vector<std::uint8_t> flags(samples.size(), 0);
  const auto sets_of_rows = labelled_set.rows();
  const auto [first, last] = std::ranges::equal_range(sets_of_rows, wanted_set);
  for (auto row = first; row != last; ++row) {
    flags[labelled_sample[row - sets_of_rows.begin()]] = 1;
  }
  return flags;
}

}  // namespace verilabel
