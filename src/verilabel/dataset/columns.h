#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "verilabel/dataset/evaluation.h"
#include "verilabel/dataset/label.h"

namespace verilabel {

/// One value a row. Starts as a view of memory that somebody else owns (a mapped snapshot) and becomes a copy of its own at the
/// first change, so that opening costs nothing and catching up costs what changed.
template <typename T>
class Column {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;             // NOLINT(readability-identifier-naming): a container's, for algorithms and matchers
  using const_iterator = const T*;  // NOLINT(readability-identifier-naming)

  Column() = default;
  /// Rows in memory that must outlive the column (see `Columns::keep_alive`).
  static Column borrowed(std::span<const T> rows) {
    Column column;
    column.borrowed_ = rows;
    column.is_owned_ = false;
    return column;
  }
  static Column owned(std::vector<T> rows) {
    Column column;
    column.owned_ = std::move(rows);
    return column;
  }

  std::span<const T> rows() const { return is_owned_ ? std::span<const T>(owned_) : borrowed_; }
  std::size_t size() const { return rows().size(); }
  /// For a loop over many rows take `rows()` once.
  const T& operator[](std::size_t row) const { return rows()[row]; }
  const T* begin() const { return rows().data(); }
  const T* end() const { return rows().data() + size(); }

  void set(std::size_t row, T value) {
    own();
    owned_[row] = value;
  }
  void append(T value) {
    own();
    owned_.push_back(value);
  }
  void append(std::span<const T> values) {
    own();
    owned_.insert(owned_.end(), values.begin(), values.end());
  }

 private:
  void own() {
    if (!is_owned_) {
      owned_.reserve(borrowed_.size() + borrowed_.size() / 8);
      owned_.assign(borrowed_.begin(), borrowed_.end());
      borrowed_ = {};
      is_owned_ = true;
    }
  }

  std::span<const T> borrowed_;
  std::vector<T> owned_;
  bool is_owned_ = true;
};

/// One text a row, stored end to end.
class TextColumn {
 public:
  TextColumn() = default;
  /// `ends[i]` is where text i ends in `bytes`: never less than the one before, the last one equal to the size of `bytes`.
  static TextColumn borrowed(std::span<const std::uint64_t> ends, std::span<const char> bytes);

  std::size_t size() const { return ends_.size(); }
  /// Valid until the next `append`.
  std::string_view operator[](std::size_t row) const;
  void append(std::string_view text);
  std::span<const std::uint64_t> ends() const { return ends_.rows(); }
  std::span<const char> bytes() const { return bytes_.rows(); }

 private:
  Column<std::uint64_t> ends_;
  Column<char> bytes_;
};

/// Whether a side of a sample is known: it is 0 for an image that nobody has seen.
constexpr bool is_known_side(std::int32_t pixels) {
  return pixels > 0;
}

/// Samples in the order of their ids. A row is an index into each column.
struct SampleColumns {
  Column<std::int64_t> id;
  TextColumn path;             ///< absolute, the bytes of the file system
  TextColumn name;             ///< as the dataset calls it: relative to the folder it was imported from
  Column<std::int32_t> width;  ///< pixels of the upright image; see `is_known_side`
  Column<std::int32_t> height;
  Column<std::uint8_t> is_missing;  ///< 1 when labels named it and no file was there at import
  Column<std::int32_t> split;       ///< index into `Columns::splits`
  Column<double> modified;          ///< when the file was, in seconds since 1970 in UTC; NaN when it is missing

  std::size_t size() const { return id.size(); }
};

/// Effective labels of every status, in the order of their ids: class and geometry are what the last decision made of them.
struct LabelColumns {
  Column<std::int64_t> id;
  Column<std::int32_t> sample;       ///< row in `SampleColumns`
  Column<std::int32_t> set;          ///< index into `Columns::sets`
  Column<std::int32_t> class_index;  ///< index into `Columns::classes`
  Column<LabelKind> kind;
  Column<Verdict> verdict;
  Column<LabelStatus> status;
  Column<std::uint8_t> is_crowd;
  Column<double> x;  ///< of `box_xywh_px`; like the others of the box and like `area` 0 where the kind has none
  Column<double> y;
  Column<double> w;
  Column<double> h;
  Column<double> area;          ///< px²: as stated by the source, else of the box
  Column<double> confidence;    ///< NaN when there is none
  Column<double> decided;       ///< when the last decision that stands was made, in seconds since 1970 in UTC; NaN without one
  Column<std::int64_t> run;     ///< RunId, 0 when imported
  Column<std::int64_t> import;  ///< ImportId, 0 when from a run

  std::size_t size() const { return id.size(); }
  Box box_xywh_px(std::size_t row) const { return {x[row], y[row], w[row], h[row]}; }
};

struct NamedId {
  std::int64_t id = 0;
  std::string name;
};

/// (thing, tag) pairs in no order; `tag` is an index into the list of tag names.
struct TagColumns {
  Column<std::int32_t> row;
  Column<std::int32_t> tag;
};

/// Properties that only some rows have: the fields of samples, the attributes of labels. One entry for each row and name, by name
/// and then by row, so that whoever asks for one name passes over the entries of that name and no others.
struct PropertyColumns {
  std::vector<std::string> names;  ///< sorted; each has entries
  TextColumn texts;                ///< every text once
  Column<std::int32_t> name;       ///< index into `names`, like what follows one an entry
  Column<std::int32_t> row;
  Column<std::int32_t> text;  ///< index into `texts`; −1 when the value is a number
  Column<double> number;      ///< finite; 0 when the value is a text

  std::size_t size() const { return row.size(); }
  struct Entries {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  /// Of one of `names`; nothing when it has no such name.
  std::optional<Entries> entries_of(std::string_view name) const;
};

/// Everything that views, evaluation and statistics ask, held column by column. A plain value: built and brought up to date by
/// `store`, read by everyone. Reading from several threads is safe while nobody changes it.
struct Columns {
  std::int64_t change = 0;  ///< number of the newest change of the project that these columns contain
  std::vector<NamedId> sets;
  std::vector<NamedId> classes;
  std::vector<std::string> splits{""};  ///< the first is empty: no split
  SampleColumns samples;
  LabelColumns labels;
  /// (sample row, set index) of every sample that is labelled, or labelled empty, in a set; sorted by set, then sample.
  Column<std::int32_t> labelled_sample;
  Column<std::int32_t> labelled_set;
  std::vector<std::string> sample_tag_names;
  TagColumns sample_tags;  ///< rows of `samples`
  std::vector<std::string> label_tag_names;
  TagColumns label_tags;                        ///< rows of `labels`
  PropertyColumns sample_fields;                ///< rows of `samples`; true and false are the texts `true` and `false`
  PropertyColumns label_attributes;             ///< rows of `labels`, likewise
  std::optional<EvaluationColumns> evaluation;  ///< there when a view asks for it: see `Project::columns_for`
  std::shared_ptr<const void> keep_alive;       ///< owns what borrowed columns point into

  std::optional<std::int32_t> set_index(std::string_view name) const;
  std::optional<std::int32_t> class_index(std::string_view name) const;
  /// One flag a sample row: 1 when the sample is labelled or labelled empty in the set.
  std::vector<std::uint8_t> labelled_in(std::int32_t set_index) const;
};

}  // namespace verilabel
