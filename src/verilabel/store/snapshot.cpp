#include "verilabel/store/snapshot.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <type_traits>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"

namespace verilabel::store {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = {'v', 'l', 'c', 'o', 'l', 's', '\x05', '\n'};
constexpr std::size_t kUuidBytes = 32;
constexpr std::size_t kAlignment = 64;

struct Header {
  char magic[8];
  char uuid[kUuidBytes];
  std::int64_t change;
  std::int64_t mark;
  std::uint64_t sections;
  std::uint64_t file_bytes;
  std::uint64_t sum;
};

struct Section {
  std::uint64_t offset;
  std::uint64_t bytes;
};

std::size_t aligned(std::size_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

/// A sum over blocks of 64 bytes in eight lanes, so that it takes little longer than reading the memory. Each word goes into its
/// lane by steps that can be undone, so that no change of one word is lost on the way.
class Sum {
 public:
  void add(std::span<const std::byte> blocks) {
    assert(blocks.size() % kAlignment == 0);
    std::array<std::uint64_t, kLanes> lanes = lanes_;
    for (std::size_t at = 0; at < blocks.size(); at += kAlignment) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::uint64_t word;
        std::memcpy(&word, blocks.data() + at + lane * sizeof(word), sizeof(word));
        lanes[lane] = mixed(lanes[lane] ^ word);
      }
    }
    lanes_ = lanes;
  }
  std::uint64_t value() const {
    std::uint64_t value = 0;
    for (const std::uint64_t lane : lanes_) {
      value = mixed(value ^ lane);
    }
    return value;
  }

 private:
  static constexpr std::size_t kLanes = kAlignment / sizeof(std::uint64_t);
  static std::uint64_t mixed(std::uint64_t value) {
    value *= 0x9E3779B97F4A7C15;  // 2^64 over the golden ratio
    return value ^ (value >> 32);
  }
  std::array<std::uint64_t, kLanes> lanes_ = {1, 2, 3, 4, 5, 6, 7, 8};
};

/// Of a whole file, which is blocks that begin with a header.
std::uint64_t sum_of(std::span<const std::byte> file) {
  constexpr std::size_t kFirst = (sizeof(Header) + kAlignment - 1) / kAlignment * kAlignment;
  std::array<std::byte, kFirst> first{};
  std::memcpy(first.data(), file.data(), std::min(file.size(), kFirst));
  std::memset(first.data() + offsetof(Header, sum), 0, sizeof(Header::sum));
  Sum sum;
  sum.add(first);
  sum.add(file.subspan(std::min(file.size(), kFirst)));
  return sum.value();
}

/// Short lists of names as one section: id, length, bytes for each.
std::string packed(const std::vector<NamedId>& names) {
  std::string out;
  for (const NamedId& name : names) {
    const std::uint64_t length = name.name.size();
    out.append(reinterpret_cast<const char*>(&name.id), sizeof(name.id));
    out.append(reinterpret_cast<const char*>(&length), sizeof(length));
    out += name.name;
  }
  return out;
}

std::optional<std::vector<NamedId>> unpacked(std::span<const std::byte> bytes) {
  std::vector<NamedId> names;
  while (!bytes.empty()) {
    NamedId name;
    std::uint64_t length = 0;
    if (bytes.size() < sizeof(name.id) + sizeof(length)) {
      return std::nullopt;
    }
    std::memcpy(&name.id, bytes.data(), sizeof(name.id));
    std::memcpy(&length, bytes.data() + sizeof(name.id), sizeof(length));
    bytes = bytes.subspan(sizeof(name.id) + sizeof(length));
    if (bytes.size() < length) {
      return std::nullopt;
    }
    name.name.assign(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<NamedId> without_ids(const std::vector<std::string>& names) {
  std::vector<NamedId> out;
  for (const std::string& name : names) {
    out.push_back({0, name});
  }
  return out;
}

std::vector<std::string> names_of(const std::vector<NamedId>& names) {
  std::vector<std::string> out;
  for (const NamedId& name : names) {
    out.push_back(name.name);
  }
  return out;
}

/// Hands every section to `archive`, in the order of the file: the one list that writing and opening share.
template <typename Archive, typename SomeColumns>
void visit_sections(Archive& archive, SomeColumns& columns) {
  archive.names(columns.sets);
  archive.names(columns.classes);
  archive.texts(columns.sample_tag_names);
  archive.texts(columns.label_tag_names);
  archive.column(columns.samples.id);
  archive.text(columns.samples.path);
  archive.text(columns.samples.name);
  archive.column(columns.samples.width);
  archive.column(columns.samples.height);
  archive.column(columns.samples.is_missing);
  archive.texts(columns.splits);
  archive.column(columns.samples.split);
  archive.column(columns.samples.modified);
  archive.column(columns.labels.id);
  archive.column(columns.labels.sample);
  archive.column(columns.labels.set);
  archive.column(columns.labels.class_index);
  archive.column(columns.labels.kind);
  archive.column(columns.labels.verdict);
  archive.column(columns.labels.status);
  archive.column(columns.labels.is_crowd);
  archive.column(columns.labels.x);
  archive.column(columns.labels.y);
  archive.column(columns.labels.w);
  archive.column(columns.labels.h);
  archive.column(columns.labels.area);
  archive.column(columns.labels.confidence);
  archive.column(columns.labels.decided);
  archive.column(columns.labels.run);
  archive.column(columns.labels.import);
  archive.column(columns.labelled_sample);
  archive.column(columns.labelled_set);
  archive.column(columns.sample_tags.row);
  archive.column(columns.sample_tags.tag);
  archive.column(columns.label_tags.row);
  archive.column(columns.label_tags.tag);
  for (auto* properties : {&columns.sample_fields, &columns.label_attributes}) {
    archive.texts(properties->names);
    archive.text(properties->texts);
    archive.column(properties->name);
    archive.column(properties->row);
    archive.column(properties->text);
    archive.column(properties->number);
  }
}

class Writing {
 public:
  template <typename T>
  void column(const Column<T>& column) {
    add(std::as_bytes(column.rows()));
  }
  void text(const TextColumn& text) {
    add(std::as_bytes(text.ends()));
    add(std::as_bytes(text.bytes()));
  }
  void names(const std::vector<NamedId>& names) {
    packed_.push_back(std::make_unique<std::string>(packed(names)));
    add(std::as_bytes(std::span(*packed_.back())));
  }
  void texts(const std::vector<std::string>& texts) { names(without_ids(texts)); }
  const std::vector<std::span<const std::byte>>& sections() const { return sections_; }

 private:
  void add(std::span<const std::byte> bytes) { sections_.push_back(bytes); }
  std::vector<std::span<const std::byte>> sections_;
  std::vector<std::unique_ptr<std::string>> packed_;
};

class Opening {
 public:
  Opening(std::span<const std::byte> file, std::span<const Section> sections) : file_(file), sections_(sections) {}
  template <typename T>
  void column(Column<T>& column) {
    column = Column<T>::borrowed(next<T>());
  }
  void text(TextColumn& text) {
    const auto ends = next<std::uint64_t>();
    const auto bytes = next<char>();
    is_good_ = is_good_ && (ends.empty() ? bytes.empty() : ends.back() == bytes.size());
    text = TextColumn::borrowed(ends, bytes);
  }
  void names(std::vector<NamedId>& names) {
    auto list = unpacked(next<std::byte>());
    is_good_ = is_good_ && list;
    names = list ? std::move(*list) : std::vector<NamedId>{};
  }
  void texts(std::vector<std::string>& texts) {
    std::vector<NamedId> list;
    names(list);
    texts = names_of(list);
  }
  bool is_good() const { return is_good_ && next_ == sections_.size(); }

 private:
  template <typename T>
  std::span<const T> next() {
    if (next_ >= sections_.size()) {
      is_good_ = false;
      return {};
    }
    const Section section = sections_[next_++];
    if (section.offset > file_.size() || section.bytes > file_.size() - section.offset || section.offset % kAlignment != 0 ||
        section.bytes % sizeof(T) != 0) {
      is_good_ = false;
      return {};
    }
    return {reinterpret_cast<const T*>(file_.data() + section.offset), section.bytes / sizeof(T)};
  }

  std::span<const std::byte> file_;
  std::span<const Section> sections_;
  std::size_t next_ = 0;
  bool is_good_ = true;
};

bool has_entries_of_one_length(const PropertyColumns& properties) {
  const std::size_t entries = properties.row.size();
  return properties.name.size() == entries && properties.text.size() == entries && properties.number.size() == entries;
}

bool has_columns_of_one_length(const Columns& columns) {
  const std::size_t samples = columns.samples.id.size();
  const std::size_t labels = columns.labels.id.size();
  const auto& l = columns.labels;
  const auto& s = columns.samples;
  const std::size_t lengths[] = {l.sample.size(),     l.set.size(),    l.class_index.size(), l.kind.size(),
                                 l.verdict.size(),    l.status.size(), l.is_crowd.size(),    l.x.size(),
                                 l.y.size(),          l.w.size(),      l.h.size(),           l.area.size(),
                                 l.confidence.size(), l.run.size(),    l.import.size(),      l.decided.size()};
  for (const std::size_t length : lengths) {
    if (length != labels) {
      return false;
    }
  }
  return s.path.size() == samples && s.name.size() == samples && s.width.size() == samples && s.height.size() == samples &&
         s.is_missing.size() == samples && s.split.size() == samples && s.modified.size() == samples &&
         has_entries_of_one_length(columns.sample_fields) && has_entries_of_one_length(columns.label_attributes) &&
         columns.labelled_sample.size() == columns.labelled_set.size() &&
         columns.sample_tags.row.size() == columns.sample_tags.tag.size() &&
         columns.label_tags.row.size() == columns.label_tags.tag.size();
}

// The checks look at all rows without a branch, in sums whose highest bit says that something was wrong, so that they take as long
// as reading the memory.

template <typename Number>
bool has_highest_bit(Number number) {
  return (number >> (std::numeric_limits<Number>::digits - 1)) != 0;
}

/// Whether every value is at least `first`, 0 or −1, and below `limit`, which is at most half of what the type holds.
template <typename T>
bool is_below(const Column<T>& column, std::size_t limit, int first = 0) {
  using Number = std::make_unsigned_t<T>;
  limit -= static_cast<std::size_t>(first);
  const auto last = static_cast<Number>(limit - 1);
  Number faults = 0;
  for (const T value : column.rows()) {
    const auto number = static_cast<Number>(static_cast<Number>(value) - static_cast<Number>(first));
    faults = static_cast<Number>(faults | number | static_cast<Number>(last - number));
  }
  return column.size() == 0 || (limit > 0 && !has_highest_bit(last) && !has_highest_bit(faults));
}

/// Whether no value is negative, and each exceeds the one before by at least `step`.
template <typename T>
bool is_increasing(std::span<const T> values, std::uint64_t step) {
  static_assert(sizeof(T) == sizeof(std::uint64_t));
  std::uint64_t faults = values.empty() ? 0 : static_cast<std::uint64_t>(values[0]);
  for (std::size_t i = 1; i < values.size(); ++i) {
    const auto value = static_cast<std::uint64_t>(values[i]);
    faults |= value | (value - static_cast<std::uint64_t>(values[i - 1]) - step);
  }
  return !has_highest_bit(faults);
}

bool has_increasing_ids(const std::vector<NamedId>& names) {
  return std::ranges::is_sorted(names, std::ranges::less_equal{}, &NamedId::id);
}

/// By the one, then by the other, without doubles; none is negative.
bool has_sorted_pairs(std::span<const std::int32_t> ones, std::span<const std::int32_t> others) {
  const auto pair = [&](std::size_t i) {
    return (static_cast<std::uint64_t>(ones[i]) << 32) | static_cast<std::uint64_t>(others[i]);
  };
  std::uint64_t faults = 0;
  for (std::size_t i = 1; i < ones.size(); ++i) {
    faults |= pair(i) - pair(i - 1) - 1;
  }
  return !has_highest_bit(faults);
}

bool is_sound(const PropertyColumns& properties, std::size_t row_count) {
  return is_increasing(properties.texts.ends(), 0) && is_below(properties.name, properties.names.size()) &&
         is_below(properties.row, row_count) && is_below(properties.text, properties.texts.size(), -1) &&
         has_sorted_pairs(properties.name.rows(), properties.row.rows()) && std::ranges::is_sorted(properties.names);
}

bool is_sound(const Columns& columns) {
  const LabelColumns& labels = columns.labels;
  const std::size_t samples = columns.samples.size();
  return columns.change >= 0 && has_increasing_ids(columns.sets) && has_increasing_ids(columns.classes) &&
         is_increasing(columns.samples.id.rows(), 1) && is_increasing(columns.samples.path.ends(), 0) &&
         is_increasing(columns.samples.name.ends(), 0) && is_below(columns.samples.is_missing, 2) &&
         is_increasing(labels.id.rows(), 1) && is_below(labels.sample, samples) && is_below(labels.set, columns.sets.size()) &&
         is_below(labels.class_index, columns.classes.size()) &&
         is_below(labels.kind, static_cast<std::size_t>(LabelKind::mask) + 1) &&
         is_below(labels.verdict, static_cast<std::size_t>(Verdict::edited) + 1) &&
         is_below(labels.status, static_cast<std::size_t>(LabelStatus::undone) + 1) && is_below(labels.is_crowd, 2) &&
         is_below(columns.labelled_sample, samples) && is_below(columns.labelled_set, columns.sets.size()) &&
         has_sorted_pairs(columns.labelled_set.rows(), columns.labelled_sample.rows()) &&
         is_below(columns.sample_tags.row, samples) && is_below(columns.sample_tags.tag, columns.sample_tag_names.size()) &&
         is_below(columns.label_tags.row, labels.size()) && is_below(columns.label_tags.tag, columns.label_tag_names.size()) &&
         is_below(columns.samples.split, columns.splits.size()) && is_sound(columns.sample_fields, samples) &&
         is_sound(columns.label_attributes, labels.size());
}

}  // namespace

std::optional<Snapshot> open_snapshot(const std::filesystem::path& path) {
  std::shared_ptr<MappedFile> file;
  try {
    file = std::make_shared<MappedFile>(MappedFile::open(path));
  } catch (const Error&) {
    return std::nullopt;
  }
  const auto bytes = file->bytes();
  Header header;
  if (bytes.size() < sizeof(header)) {
    return std::nullopt;
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, kMagic, sizeof(kMagic)) != 0 || header.file_bytes != bytes.size() ||
      header.sections > (bytes.size() - sizeof(header)) / sizeof(Section) || bytes.size() % kAlignment != 0 ||
      header.sum != sum_of(bytes)) {
    return std::nullopt;
  }
  Snapshot snapshot;
  snapshot.stamp = {std::string(header.uuid, kUuidBytes), header.change, header.mark};
  Columns& columns = snapshot.columns;
  columns.change = header.change;
  Opening opening(bytes, {reinterpret_cast<const Section*>(bytes.data() + sizeof(header)), header.sections});
  visit_sections(opening, columns);
  if (!opening.is_good() || !has_columns_of_one_length(columns) || !is_sound(columns)) {
    return std::nullopt;
  }
  columns.keep_alive = std::move(file);
  return snapshot;
}

void write_snapshot(const std::filesystem::path& path, const SnapshotStamp& stamp, const Columns& columns) {
  Writing writing;
  visit_sections(writing, columns);
  std::vector<Section> table;
  std::size_t offset = aligned(sizeof(Header) + writing.sections().size() * sizeof(Section));
  for (const auto& section : writing.sections()) {
    table.push_back({offset, section.size()});
    offset = aligned(offset + section.size());
  }
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  std::memcpy(header.uuid, stamp.project_uuid.data(), std::min(stamp.project_uuid.size(), kUuidBytes));
  header.change = stamp.change;
  header.mark = stamp.mark;
  header.sections = table.size();
  header.file_bytes = offset;
  // The header and the table fill blocks of their own, as each section does with what is put behind it.
  std::string front(aligned(sizeof(Header) + table.size() * sizeof(Section)), '\0');
  std::memcpy(front.data() + sizeof(header), table.data(), table.size() * sizeof(Section));
  const auto for_each_part = [&](auto&& take) {
    take(std::as_bytes(std::span(front)));
    for (const auto& section : writing.sections()) {
      const std::size_t whole = section.size() / kAlignment * kAlignment;
      std::array<std::byte, kAlignment> last{};
      std::ranges::copy(section.subspan(whole), last.begin());
      take(section.first(whole));
      take(std::span<const std::byte>(last).first(aligned(section.size()) - whole));
    }
  };
  std::memcpy(front.data(), &header, sizeof(header));
  Sum sum;
  for_each_part([&](std::span<const std::byte> part) { sum.add(part); });
  header.sum = sum.value();
  std::memcpy(front.data(), &header, sizeof(header));
  replace_file(path,
               [&](int descriptor) { for_each_part([&](std::span<const std::byte> part) { write_all(descriptor, part, path); }); });
}

void correct_sum(std::span<std::byte> file) {
  if (file.size() >= sizeof(Header)) {
    const std::uint64_t sum = sum_of(file.first(file.size() / kAlignment * kAlignment));
    std::memcpy(file.data() + offsetof(Header, sum), &sum, sizeof(sum));
  }
}

}  // namespace verilabel::store
