#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "verilabel/dataset/glob.h"
#include "verilabel/dataset/view_expression.h"

namespace verilabel {
namespace {

// Tests over plain arrays. Loops without branches, and local copies of what the closures hold: a byte of the mask may alias
// anything but a local, and the compiler makes vector code only when it need not reload them.

template <typename T>
RowTest equals(std::span<const T> column, T wanted) {
  return [column, wanted](RowRange rows, std::uint8_t* mask) {
    const T* values = column.data() + rows.begin;
    const T value = wanted;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= static_cast<std::uint8_t>(values[i] == value);
    }
  };
}

/// `is_wanted` has a flag for each value that the column can hold.
template <typename T>
RowTest is_one_of(std::span<const T> column, std::vector<std::uint8_t> is_wanted) {
  const auto first = std::ranges::find(is_wanted, 1);
  if (first != is_wanted.end() && std::find(std::next(first), is_wanted.end(), 1) == is_wanted.end()) {
    return equals(column, static_cast<T>(first - is_wanted.begin()));
  }
  return [column, flags = std::move(is_wanted)](RowRange rows, std::uint8_t* mask) {
    const T* values = column.data() + rows.begin;
    const std::uint8_t* is_one = flags.data();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= is_one[static_cast<std::size_t>(values[i])];
    }
  };
}

template <typename T, typename Holds>
RowTest compares_with(std::span<const T> column, double number, Holds holds) {
  return [column, number, holds](RowRange rows, std::uint8_t* mask) {
    const T* values = column.data() + rows.begin;
    const double bound = number;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= static_cast<std::uint8_t>(holds(static_cast<double>(values[i]), bound));
    }
  };
}

/// Never holds for NaN, which means absent.
template <typename T>
RowTest compares(std::span<const T> column, const Term& term) {
  switch (term.comparison) {
    case Comparison::equal:
      return compares_with(column, term.number, [](double value, double number) { return value == number; });
    case Comparison::not_equal:
      return compares_with(column, term.number, [](double value, double number) { return (value < number) | (value > number); });
    case Comparison::less:
      return compares_with(column, term.number, [](double value, double number) { return value < number; });
    case Comparison::less_or_equal:
      return compares_with(column, term.number, [](double value, double number) { return value <= number; });
    case Comparison::greater:
      return compares_with(column, term.number, [](double value, double number) { return value > number; });
    case Comparison::greater_or_equal:
      break;
  }
  return compares_with(column, term.number, [](double value, double number) { return value >= number; });
}

RowTest has_flag(std::vector<std::uint8_t> flags) {
  return [flags = std::move(flags)](RowRange rows, std::uint8_t* mask) {
    const std::uint8_t* has = flags.data() + rows.begin;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= has[i];
    }
  };
}

// Names to indices.

std::vector<std::string_view> names_of(const std::vector<NamedId>& things) {
  std::vector<std::string_view> names;
  for (const NamedId& thing : things) {
    names.emplace_back(thing.name);
  }
  return names;
}

std::vector<std::string_view> names_of(const std::vector<std::string>& things) {
  return {things.begin(), things.end()};
}

/// One flag for each of `existing`.
std::vector<std::uint8_t> wanted_among(const std::vector<std::string_view>& existing, std::span<const TermValue> values,
                                       std::string_view what, std::string_view plural, std::string_view view_text) {
  std::vector<std::uint8_t> is_wanted(existing.size(), 0);
  for (const TermValue& value : values) {
    const auto found = std::ranges::find(existing, value.text);
    if (found == existing.end()) {
      throw view_error(view_text, value.offset, unknown_name_message(what, plural, value.text, existing));
    }
    is_wanted[found - existing.begin()] = 1;
  }
  return is_wanted;
}

std::vector<std::uint8_t> wanted_sets(const BoundTerm& bound, std::span<const TermValue> values) {
  return wanted_among(names_of(bound.columns.sets), values, "set", "the sets", bound.view_text);
}

std::vector<std::uint8_t> wanted_classes(const BoundTerm& bound, std::span<const TermValue> values) {
  return wanted_among(names_of(bound.columns.classes), values, "class", "the classes", bound.view_text);
}

/// The enumerators of `Enum` are the indices of the term's choices.
template <typename Enum>
RowTest is_choice(const Column<Enum>& column, const Term& term) {
  const std::vector<std::string_view> choices = term.definition->choices();
  std::vector<std::uint8_t> is_wanted(choices.size(), 0);
  for (const TermValue& value : term.values) {
    is_wanted[std::ranges::find(choices, value.text) - choices.begin()] = 1;
  }
  return is_one_of(column.rows(), std::move(is_wanted));
}

template <typename Enum>
std::vector<std::string_view> names_of_all(std::initializer_list<Enum> values) {
  std::vector<std::string_view> names;
  for (const Enum value : values) {
    names.push_back(name_of(value));
  }
  return names;
}

RowTest has_tag(const TagColumns& tags, const std::vector<std::string>& tag_names, std::size_t row_count, const BoundTerm& bound,
                std::string_view what, std::string_view plural) {
  const auto is_wanted = wanted_among(names_of(tag_names), bound.term.values, what, plural, bound.view_text);
  std::vector<std::uint8_t> flags(row_count, 0);
  const auto rows = tags.row.rows();
  const auto tag_of_rows = tags.tag.rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    flags[rows[i]] |= is_wanted[tag_of_rows[i]];
  }
  return has_flag(std::move(flags));
}

/// `ids` are sorted, and so is the column.
RowTest has_id(std::span<const std::int64_t> column, std::span<const std::int64_t> ids) {
  std::vector<std::uint8_t> flags(column.size(), 0);
  for (const std::int64_t id : ids) {
    const auto found = std::ranges::lower_bound(column, id);
    if (found != column.end() && *found == id) {
      flags[found - column.begin()] = 1;
    }
  }
  return has_flag(std::move(flags));
}

RowTest is_of_run(std::span<const std::int64_t> column, const std::vector<std::int64_t>& ids) {
  if (ids.size() == 1) {
    return equals(column, ids.front());
  }
  return [column, ids](RowRange rows, std::uint8_t* mask) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= static_cast<std::uint8_t>(std::ranges::binary_search(ids, column[rows.begin + i]));
    }
  };
}

/// The patterns of a term; those without wildcards cost one look-up together.
class PatternSet {
 public:
  explicit PatternSet(std::span<const TermValue> values) {
    for (const TermValue& value : values) {
      Glob glob(value.text, value.is_literal);
      if (glob.has_no_wildcard()) {
        names_.insert(value.text);
      } else {
        globs_.push_back(std::move(glob));
      }
    }
  }

  bool matches(std::string_view text) const {
    return names_.contains(text) || std::ranges::any_of(globs_, [&](const Glob& glob) { return glob.matches(text); });
  }

 private:
  std::unordered_set<std::string_view> names_;
  std::vector<Glob> globs_;
};

RowTest matches_path(const BoundTerm& bound) {
  const SampleColumns& samples = bound.columns.samples;
  return [&samples, patterns = PatternSet(bound.term.values)](RowRange rows, std::uint8_t* mask) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::size_t row = rows.begin + i;
      mask[i] =
          static_cast<std::uint8_t>(mask[i] != 0 && (patterns.matches(samples.path[row]) || patterns.matches(samples.name[row])));
    }
  };
}

RowTest matches_name(const BoundTerm& bound) {
  const SampleColumns& samples = bound.columns.samples;
  return [&samples, patterns = PatternSet(bound.term.values)](RowRange rows, std::uint8_t* mask) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] = static_cast<std::uint8_t>(mask[i] != 0 && patterns.matches(samples.name[rows.begin + i]));
    }
  };
}

RowTest counts(const BoundTerm& bound) {
  const LabelColumns& labels = bound.columns.labels;
  const std::span<const TermValue> values = bound.term.values;
  const RowTest is_active = equals(labels.status.rows(), LabelStatus::active);
  const RowTest is_in_set = is_one_of(labels.set.rows(), wanted_sets(bound, values.first(1)));
  RowTest is_of_class;
  if (values.size() > 1) {
    is_of_class = is_one_of(labels.class_index.rows(), wanted_classes(bound, values.subspan(1)));
  }
  std::vector<std::int32_t> count_of_sample(bound.columns.samples.size(), 0);
  const auto sample_of_label = labels.sample.rows();
  constexpr std::size_t block_rows = 2048;
  std::uint8_t mask[block_rows];
  for (std::size_t begin = 0; begin < labels.size(); begin += block_rows) {
    const RowRange rows{begin, std::min(begin + block_rows, labels.size())};
    std::fill_n(mask, rows.size(), std::uint8_t{1});
    is_active(rows, mask);
    is_in_set(rows, mask);
    if (is_of_class) {
      is_of_class(rows, mask);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      count_of_sample[sample_of_label[begin + i]] += mask[i];
    }
  }
  std::vector<std::uint8_t> flags(count_of_sample.size(), 1);
  compares(std::span<const std::int32_t>(count_of_sample), bound.term)({0, flags.size()}, flags.data());
  return has_flag(std::move(flags));
}

RowTest is_labelled(const BoundTerm& bound) {
  const Columns& columns = bound.columns;
  const auto is_wanted = wanted_sets(bound, bound.term.values);
  std::vector<std::uint8_t> flags(columns.samples.size(), 0);
  for (std::size_t i = 0; i < columns.labelled_sample.size(); ++i) {
    flags[columns.labelled_sample[i]] |= is_wanted[columns.labelled_set[i]];
  }
  return has_flag(std::move(flags));
}

constexpr auto kLabel = TermSubject::label;
constexpr auto kSample = TermSubject::sample;
constexpr auto kWhole = TermSubject::whole;

/// The language. A new term is a new row.
constexpr TermDefinition kTerms[] = {
    {{"set", kLabel, "set:NAME,…", "the label is in one of these label sets", "set:auto"},
     TermForm::names,
     [](const BoundTerm& b) { return is_one_of(b.columns.labels.set.rows(), wanted_sets(b, b.term.values)); }},
    {{"class", kLabel, "class:NAME,…", "the label is of one of these classes", "class:car,\"traffic light\""},
     TermForm::names,
     [](const BoundTerm& b) { return is_one_of(b.columns.labels.class_index.rows(), wanted_classes(b, b.term.values)); }},
    {{"confidence", kLabel, "confidence>=X", "the label's confidence; never holds for a label without one", "confidence>=0.3"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares(b.columns.labels.confidence.rows(), b.term); }},
    {{"verdict", kLabel, "verdict:NAME,…", "what a person's last decision on the label was", "verdict:accepted,edited"},
     TermForm::choices,
     [](const BoundTerm& b) { return is_choice(b.columns.labels.verdict, b.term); },
     [] { return names_of_all({Verdict::unreviewed, Verdict::accepted, Verdict::rejected, Verdict::unsure, Verdict::edited}); }},
    {{"status", kLabel, "status:NAME,…", "whether the label counts; without this term only active labels are seen",
      "status:replaced"},
     TermForm::choices,
     [](const BoundTerm& b) { return is_choice(b.columns.labels.status, b.term); },
     [] { return names_of_all({LabelStatus::active, LabelStatus::replaced, LabelStatus::superseded, LabelStatus::undone}); }},
    {{"kind", kLabel, "kind:NAME,…", "what the label consists of", "kind:mask"},
     TermForm::choices,
     [](const BoundTerm& b) { return is_choice(b.columns.labels.kind, b.term); },
     [] { return names_of_all({LabelKind::classification, LabelKind::box, LabelKind::mask}); }},
    {{"area", kLabel, "area<X", "area of the label in square pixels, as its source states it, else of its box", "area<1024"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares(b.columns.labels.area.rows(), b.term); }},
    {{"box_width", kLabel, "box_width>=X", "width of the label's box in pixels", "box_width>=8"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares(b.columns.labels.w.rows(), b.term); }},
    {{"box_height", kLabel, "box_height>=X", "height of the label's box in pixels", "box_height>=8"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares(b.columns.labels.h.rows(), b.term); }},
    {{"label_tag", kLabel, "label_tag:NAME,…", "the label has one of these tags", "label_tag:ask"},
     TermForm::names,
     [](const BoundTerm& b) {
       return has_tag(b.columns.label_tags, b.columns.label_tag_names, b.columns.labels.size(), b, "label tag", "the label tags");
     }},
    {{"run", kLabel, "run:ID,…", "one of these runs wrote the label; 0 for labels that no run wrote", "run:3"},
     TermForm::ids,
     [](const BoundTerm& b) { return is_of_run(b.columns.labels.run.rows(), b.term.ids); }},
    {{"id", kLabel, "id:ID,…", "the label is one of these", "id:17,18"},
     TermForm::ids,
     [](const BoundTerm& b) { return has_id(b.columns.labels.id.rows(), b.term.ids); }},
    {{"tag", kSample, "tag:NAME,…", "the sample has one of these tags", "tag:night"},
     TermForm::names,
     [](const BoundTerm& b) {
       return has_tag(b.columns.sample_tags, b.columns.sample_tag_names, b.columns.samples.size(), b, "tag", "the tags");
     }},
    {{"path", kSample, "path:PATTERN,…", "the whole path or the name matches; * is any text, / included, ? one character",
      "path:*/street/*"},
     TermForm::patterns,
     matches_path},
    {{"name", kSample, "name:PATTERN,…", "the name, relative to the folder imported, matches", "name:street/*.jpg"},
     TermForm::patterns,
     matches_name},
    {{"width", kSample, "width>=X", "width of the upright image in pixels", "width>=640"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares(b.columns.samples.width.rows(), b.term); }},
    {{"height", kSample, "height>=X", "height of the upright image in pixels", "height>=480"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares(b.columns.samples.height.rows(), b.term); }},
    {{"count", kSample, "count(SET,CLASS,…)>X", "how many active labels of these classes, or of all, the sample has in the set",
      "count(auto,person)>3"},
     TermForm::count,
     counts},
    {{"labelled", kSample, "labelled:SET,…", "the sample is labelled, or labelled empty, in one of these sets",
      "labelled:ground_truth"},
     TermForm::names,
     is_labelled},
    {{"missing", kSample, "missing:yes|no", "labels named the sample, but there was no file at import", "missing:yes"},
     TermForm::choices,
     [](const BoundTerm& b) { return is_choice(b.columns.samples.is_missing, b.term); },
     [] { return std::vector<std::string_view>{"no", "yes"}; }},
    {{"sample", kSample, "sample:ID,…", "the sample is one of these", "sample:4,8"},
     TermForm::ids,
     [](const BoundTerm& b) { return has_id(b.columns.samples.id.rows(), b.term.ids); }},
    {{"sort", kWhole, "sort:COLUMN", "order of the answer, ascending; -sort:COLUMN descends; by id without it", "-sort:confidence"},
     TermForm::sort},
    {{"limit", kWhole, "limit:N", "the first N: labels when a label term or a label's sort column is there, else samples",
      "limit:100"},
     TermForm::limit},
};

using RowValue = std::function<double(std::uint32_t row)>;

template <typename T>
RowValue value_of(const Column<T>& column) {
  return [rows = column.rows()](std::uint32_t row) { return static_cast<double>(rows[row]); };
}

/// Equal texts have equal ranks.
RowValue rank_of(const TextColumn& column) {
  std::vector<std::uint32_t> order(column.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<std::uint32_t>(i);
  }
  std::ranges::sort(order, {}, [&](std::uint32_t row) { return column[row]; });
  std::vector<std::uint32_t> ranks(order.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    ranks[order[i]] = ranks[order[i - 1]] + (column[order[i]] == column[order[i - 1]] ? 0 : 1);
  }
  return [ranks = std::move(ranks)](std::uint32_t row) { return static_cast<double>(ranks[row]); };
}

}  // namespace

std::span<const SortColumn> sort_columns() {
  static constexpr SortColumn table[] = {
      {"confidence", kLabel, [](const Columns& c) { return value_of(c.labels.confidence); }},
      {"area", kLabel, [](const Columns& c) { return value_of(c.labels.area); }},
      {"box_width", kLabel, [](const Columns& c) { return value_of(c.labels.w); }},
      {"box_height", kLabel, [](const Columns& c) { return value_of(c.labels.h); }},
      {"width", kSample, [](const Columns& c) { return value_of(c.samples.width); }},
      {"height", kSample, [](const Columns& c) { return value_of(c.samples.height); }},
      {"path", kSample, [](const Columns& c) { return rank_of(c.samples.path); }},
      {"name", kSample, [](const Columns& c) { return rank_of(c.samples.name); }},
      {"id", kWhole, [](const Columns&) -> RowValue { return [](std::uint32_t row) { return static_cast<double>(row); }; }},
  };
  return table;
}

const TermDefinition* find_term(std::string_view name) {
  const auto* found = std::ranges::find(kTerms, name, [](const TermDefinition& row) { return row.about.name; });
  return found == std::end(kTerms) ? nullptr : found;
}

std::span<const ViewTerm> view_terms() {
  static const std::vector<ViewTerm> terms = [] {
    std::vector<ViewTerm> all;
    for (const TermDefinition& row : kTerms) {
      all.push_back(row.about);
    }
    return all;
  }();
  return terms;
}

}  // namespace verilabel
