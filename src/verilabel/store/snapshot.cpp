#include "verilabel/store/snapshot.h"

#include <algorithm>
#include <bit>
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

constexpr char kMagic[8] = {'v', 'l', 'c', 'o', 'l', 's', '\x03', '\n'};
constexpr std::size_t kUuidBytes = 32;
constexpr std::size_t kAlignment = 64;

struct Header {
  char magic[8];
  char uuid[kUuidBytes];
  std::int64_t change;
  std::int64_t mark;
  std::uint64_t sections;
  std::uint64_t file_bytes;
};

struct Section {
  std::uint64_t offset;
  std::uint64_t bytes;
};

std::size_t aligned(std::size_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
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
      header.sections > (bytes.size() - sizeof(header)) / sizeof(Section)) {
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
  replace_file(path, [&](int descriptor) {
    constexpr std::byte kZeros[kAlignment] = {};
    std::size_t written = 0;
    const auto put = [&](std::span<const std::byte> bytes) {
      write_all(descriptor, bytes, path);
      written += bytes.size();
    };
    const auto pad = [&] { put(std::span(kZeros).first(aligned(written) - written)); };
    put(std::as_bytes(std::span(&header, 1)));
    put(std::as_bytes(std::span(table)));
    pad();
    for (const auto& section : writing.sections()) {
      put(section);
      pad();
    }
  });
}

}  // namespace verilabel::store
