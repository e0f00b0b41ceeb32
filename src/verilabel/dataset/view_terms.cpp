#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/dataset/glob.h"
#include "verilabel/dataset/properties.h"
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

/// One flag for each value that a column of `Enum` can hold; the enumerators are the indices of the term's choices.
std::vector<std::uint8_t> wanted_choices(const Term& term) {
  const std::vector<std::string_view> choices = term.definition->choices();
  std::vector<std::uint8_t> is_wanted(choices.size(), 0);
  for (const TermValue& value : term.values) {
    is_wanted[std::ranges::find(choices, value.text) - choices.begin()] = 1;
  }
  return is_wanted;
}

/// Never holds for NaN, which means absent.
template <typename T>
RowTest compares(std::span<const T> column, const Term& term) {
  switch (*term.comparison) {
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
                                       std::string_view what, std::string_view plural, const ViewSource& source) {
  std::vector<std::uint8_t> is_wanted(existing.size(), 0);
  for (const TermValue& value : values) {
    const auto found = std::ranges::find(existing, value.text);
    if (found == existing.end()) {
      throw view_error(source, value.offset, unknown_name_message(what, plural, value.text, existing));
    }
    is_wanted[found - existing.begin()] = 1;
  }
  return is_wanted;
}

std::vector<std::uint8_t> wanted_sets(const BoundTerm& bound, std::span<const TermValue> values) {
  return wanted_among(names_of(bound.columns.sets), values, "set", "the sets", *bound.term.source);
}

std::vector<std::uint8_t> wanted_classes(const BoundTerm& bound, std::span<const TermValue> values) {
  return wanted_among(names_of(bound.columns.classes), values, "class", "the classes", *bound.term.source);
}

template <typename Enum>
RowTest is_choice(const Column<Enum>& column, const Term& term) {
  return is_one_of(column.rows(), wanted_choices(term));
}

RowTest has_outcome(const BoundTerm& bound) {
  std::vector<std::uint8_t> is_wanted = wanted_choices(bound.term);
  is_wanted.resize(EvaluationColumns::kNoOutcome + 1, 0);
  return is_one_of(std::span<const std::uint8_t>(bound.columns.evaluation->outcome), std::move(is_wanted));
}

/// The choices of `error` leave out `none`, the first enumerator.
RowTest has_error(const BoundTerm& bound) {
  std::vector<std::uint8_t> is_wanted = wanted_choices(bound.term);
  is_wanted.insert(is_wanted.begin(), 0);
  return is_one_of(std::span<const ErrorKind>(bound.columns.evaluation->error), std::move(is_wanted));
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
  const auto is_wanted = wanted_among(names_of(tag_names), bound.term.values, what, plural, *bound.term.source);
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

/// Whether a moment stands to a stretch of time as the term says: equal means within it. Never holds for NaN.
bool compares_in_time(double moment, const TimeSpan& time, Comparison comparison) {
  switch (comparison) {
    case Comparison::equal:
      return moment >= time.begin && moment < time.end;
    case Comparison::not_equal:
      return moment < time.begin || moment >= time.end;
    case Comparison::less:
      return moment < time.begin;
    case Comparison::less_or_equal:
      return moment < time.end;
    case Comparison::greater:
      return moment >= time.end;
    case Comparison::greater_or_equal:
      break;
  }
  return moment >= time.begin;
}

RowTest is_at(std::span<const double> column, const Term& term) {
  return [column, time = term.time, comparison = *term.comparison](RowRange rows, std::uint8_t* mask) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= static_cast<std::uint8_t>(compares_in_time(column[rows.begin + i], time, comparison));
    }
  };
}

bool compares_number(double value, double number, Comparison comparison) {
  switch (comparison) {
    case Comparison::equal:
      return value == number;
    case Comparison::not_equal:
      return value != number;
    case Comparison::less:
      return value < number;
    case Comparison::less_or_equal:
      return value <= number;
    case Comparison::greater:
      return value > number;
    case Comparison::greater_or_equal:
      break;
  }
  return value >= number;
}

/// Whether the value of a property stands to a word of the view as its term says. A number compares with a number and a date with a
/// date; beyond that there is only the same text, and another.
class PropertyTest {
 public:
  PropertyTest(const TermValue& word, Comparison comparison)
      : text_(word.text), number_(number_from(word.text)), time_(time_span_from(word.text)), comparison_(comparison) {}

  bool holds(double value) const { return number_ ? compares_number(value, *number_, comparison_) : is_unequal(); }

  bool holds(std::string_view value) const {
    const auto time = time_ ? time_span_from(value) : std::nullopt;
    if (time) {
      return compares_in_time(time->begin, *time_, comparison_);
    }
    return comparison_ == Comparison::equal ? value == text_ : is_unequal() && value != text_;
  }

 private:
  bool is_unequal() const { return comparison_ == Comparison::not_equal; }

  std::string_view text_;
  std::optional<double> number_;
  std::optional<TimeSpan> time_;
  Comparison comparison_;
};

struct PropertyKind {
  std::string_view what;
  std::string_view plural;
};
constexpr PropertyKind kFields{"field", "the fields"};
constexpr PropertyKind kAttributes{"attribute", "the attributes"};

PropertyColumns::Entries wanted_entries(const PropertyColumns& properties, const PropertyKind& kind, const TermValue& name,
                                        const ViewSource& source) {
  const auto entries = properties.entries_of(name.text);
  if (!entries) {
    throw view_error(source, name.offset, unknown_name_message(kind.what, kind.plural, name.text, names_of(properties.names)));
  }
  return *entries;
}

/// One pass over the entries of the name, and one look at each text that occurs among them.
RowTest has_property(const PropertyColumns& properties, std::size_t row_count, const BoundTerm& bound, const PropertyKind& kind) {
  const Term& term = bound.term;
  const auto entries = wanted_entries(properties, kind, term.property, *term.source);
  std::vector<std::uint8_t> flags(row_count, 0);
  std::vector<PropertyTest> tests;
  for (const TermValue& word : term.values) {
    tests.emplace_back(word, *term.comparison);
  }
  const auto holds = [&](const auto& value) {
    const auto test_holds = [&](const PropertyTest& test) { return test.holds(value); };
    if (!term.comparison) {
      return true;
    }
    // Other than each of the words, but equal to any of them.
    return term.comparison == Comparison::not_equal ? std::ranges::all_of(tests, test_holds)
                                                    : std::ranges::any_of(tests, test_holds);
  };
  enum class Answer : std::uint8_t { unknown, no, yes };
  std::vector<Answer> answer_of_text(properties.texts.size(), Answer::unknown);
  const auto rows = properties.row.rows();
  const auto texts = properties.text.rows();
  const auto numbers = properties.number.rows();
  for (std::size_t i = entries.begin; i < entries.end; ++i) {
    bool is_wanted = false;
    if (texts[i] < 0) {
      is_wanted = holds(numbers[i]);
    } else {
      Answer& answer = answer_of_text[static_cast<std::size_t>(texts[i])];
      if (answer == Answer::unknown) {
        answer = holds(properties.texts[static_cast<std::size_t>(texts[i])]) ? Answer::yes : Answer::no;
      }
      is_wanted = answer == Answer::yes;
    }
    flags[static_cast<std::size_t>(rows[i])] = static_cast<std::uint8_t>(is_wanted);
  }
  return has_flag(std::move(flags));
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

RowTest has_text(const BoundTerm& bound) {
  std::vector<std::string> words;
  for (const TermValue& value : bound.term.values) {
    words.push_back(in_lower_case(value.text));
  }
  const SampleColumns& samples = bound.columns.samples;
  return [&samples, words = std::move(words)](RowRange rows, std::uint8_t* mask) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (mask[i] == 0) {
        continue;
      }
      const std::string path = in_lower_case(samples.path[rows.begin + i]);
      const std::string name = in_lower_case(samples.name[rows.begin + i]);
      mask[i] = static_cast<std::uint8_t>(std::ranges::any_of(words, [&](const std::string& word) {
        return path.find(word) != std::string::npos || name.find(word) != std::string::npos;
      }));
    }
  };
}

RowTest is_of_split(const BoundTerm& bound) {
  const Columns& columns = bound.columns;
  std::vector<std::uint8_t> is_wanted(columns.splits.size(), 0);
  for (const TermValue& value : bound.term.values) {
    const auto found = std::ranges::find(columns.splits, value.text);
    if (found == columns.splits.end() && !value.text.empty()) {
      std::vector<std::string_view> names;
      std::ranges::copy_if(columns.splits, std::back_inserter(names), [](const std::string& name) { return !name.empty(); });
      std::ranges::sort(names);
      throw view_error(*bound.term.source, value.offset, unknown_name_message("split", "the splits", value.text, names));
    }
    if (found != columns.splits.end()) {
      is_wanted[static_cast<std::size_t>(found - columns.splits.begin())] = 1;
    }
  }
  return is_one_of(columns.samples.split.rows(), std::move(is_wanted));
}

/// Never holds for a label without a box.
RowTest compares_of_box(const BoundTerm& bound, const Column<double>& column) {
  return [test = compares(column.rows(), bound.term), kinds = bound.columns.labels.kind.rows()](RowRange rows, std::uint8_t* mask) {
    test(rows, mask);
    const LabelKind* kind = kinds.data() + rows.begin;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= static_cast<std::uint8_t>(has_box(kind[i]));
    }
  };
}

/// Never holds where the size is not known.
RowTest compares_of_image(const BoundTerm& bound, const Column<std::int32_t>& pixels) {
  return [test = compares(pixels.rows(), bound.term), sizes = pixels.rows()](RowRange rows, std::uint8_t* mask) {
    test(rows, mask);
    const std::int32_t* size = sizes.data() + rows.begin;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      mask[i] &= static_cast<std::uint8_t>(is_known_side(size[i]));
    }
  };
}

using EvaluationNumbers = std::vector<double> EvaluationColumns::*;

template <EvaluationNumbers Numbers>
RowTest compares_evaluated(const BoundTerm& bound) {
  return compares(std::span<const double>((*bound.columns.evaluation).*Numbers), bound.term);
}

/// Of samples; NaN where it is not known. Throws `wrong_use` where it is known of none.
/// `offset` is where the source asks for it.
std::vector<double> brightness_of(const Columns& columns, const ViewSource& source, std::size_t offset) {
  const PropertyColumns& fields = columns.sample_fields;
  const auto entries = fields.entries_of(kBrightnessField);
  if (!entries) {
    throw view_error(source, offset, "how bright the images are is not known yet; measure it with: verilabel import --brightness");
  }
  std::vector<double> brightness(columns.samples.size(), std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = entries->begin; i < entries->end; ++i) {
    if (fields.text[i] < 0) {
      brightness[static_cast<std::size_t>(fields.row[i])] = fields.number[i];
    }
  }
  return brightness;
}

RowTest is_as_bright(const BoundTerm& bound) {
  const std::vector<double> brightness = brightness_of(bound.columns, *bound.term.source, bound.term.offset);
  std::vector<std::uint8_t> flags(brightness.size(), 1);
  compares(std::span<const double>(brightness), bound.term)({0, flags.size()}, flags.data());
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
    {{"area", kLabel, "area<X",
      "area of the label in square pixels, as its source states it, else of its box; never holds for a label without a box",
      "area<1024"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares_of_box(b, b.columns.labels.area); }},
    {{"box_width", kLabel, "box_width>=X", "width of the label's box in pixels, likewise", "box_width>=8"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares_of_box(b, b.columns.labels.w); }},
    {{"box_height", kLabel, "box_height>=X", "height of the label's box in pixels, likewise", "box_height>=8"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares_of_box(b, b.columns.labels.h); }},
    {{"label_tag", kLabel, "label_tag:NAME,…", "the label has one of these tags", "label_tag:ask"},
     TermForm::names,
     [](const BoundTerm& b) {
       return has_tag(b.columns.label_tags, b.columns.label_tag_names, b.columns.labels.size(), b, "label tag", "the label tags");
     }},
    {{"attribute", kLabel, "attribute:NAME=VALUE,…",
      "the label has the attribute, with such a value; also != < <= > >=, or no value", "attribute:occluded=true"},
     TermForm::property,
     [](const BoundTerm& b) { return has_property(b.columns.label_attributes, b.columns.labels.size(), b, kAttributes); }},
    {{"decided", kLabel, "decided>=DATE", "when the last decision on the label was made; never holds for a label without one",
      "decided>=2026-11-01"},
     TermForm::date,
     [](const BoundTerm& b) { return is_at(b.columns.labels.decided.rows(), b.term); }},
    {{"run", kLabel, "run:ID,…", "one of these runs wrote the label; 0 for labels that no run wrote", "run:3"},
     TermForm::ids,
     [](const BoundTerm& b) { return is_of_run(b.columns.labels.run.rows(), b.term.ids); }},
    {{"id", kLabel, "id:ID,…", "the label is one of these", "id:17,18"},
     TermForm::ids,
     [](const BoundTerm& b) { return has_id(b.columns.labels.id.rows(), b.term.ids); }},
    {{"outcome", kLabel, "outcome:NAME,…", "what the evaluation says of the label, at its threshold", "outcome:fp,fn"},
     TermForm::choices,
     has_outcome,
     [] { return names_of_all({Outcome::tp, Outcome::fp, Outcome::fn, Outcome::ignored}); },
     true},
    {{"error", kLabel, "error:NAME,…", "why the evaluation says that the label is wrong", "error:localization"},
     TermForm::choices,
     has_error,
     [] {
       return names_of_all({ErrorKind::classification, ErrorKind::localization, ErrorKind::both, ErrorKind::duplicate,
                            ErrorKind::background, ErrorKind::missed});
     },
     true},
    {{"iou", kLabel, "iou<X", "the label's overlap, in the evaluation, with its partner or with what its error is about",
      "iou<0.5"},
     TermForm::comparison,
     compares_evaluated<&EvaluationColumns::iou>,
     nullptr,
     true},
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
    {{"text", kSample, "text:WORDS,…", "the path or the name contains this; upper and lower case of a to z do not differ",
      "text:\"main street\""},
     TermForm::names,
     has_text},
    {{"split", kSample, "split:NAME,…", "the sample belongs to one of these splits; \"\" is none", "split:train,val"},
     TermForm::names,
     is_of_split},
    {{"field", kSample, "field:NAME=VALUE,…", "the sample has the field, with such a value; also != < <= > >=, or no value",
      "field:scene=night"},
     TermForm::property,
     [](const BoundTerm& b) { return has_property(b.columns.sample_fields, b.columns.samples.size(), b, kFields); }},
    {{"modified", kSample, "modified<DATE", "when the file was last changed, as of its import; never holds for a missing one",
      "modified<2024-01-01"},
     TermForm::date,
     [](const BoundTerm& b) { return is_at(b.columns.samples.modified.rows(), b.term); }},
    {{"width", kSample, "width>=X", "width of the upright image in pixels; never holds where it is not known", "width>=640"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares_of_image(b, b.columns.samples.width); }},
    {{"height", kSample, "height>=X", "height of the upright image in pixels, likewise", "height>=480"},
     TermForm::comparison,
     [](const BoundTerm& b) { return compares_of_image(b, b.columns.samples.height); }},
    {{"brightness", kSample, "brightness<X",
      "how bright the image is on average, 0 to 255, as `import --brightness` measures it; never holds where it is not known",
      "brightness<40"},
     TermForm::comparison,
     is_as_bright},
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
    {{"tp", kSample, "tp>=X", "how many truths of the sample were found, in the evaluation, at its threshold", "tp>=1"},
     TermForm::comparison,
     compares_evaluated<&EvaluationColumns::tp>,
     nullptr,
     true},
    {{"fp", kSample, "fp>=X", "how many predictions on the sample are wrong, likewise", "fp>=3"},
     TermForm::comparison,
     compares_evaluated<&EvaluationColumns::fp>,
     nullptr,
     true},
    {{"fn", kSample, "fn>=X", "how many truths of the sample were missed, likewise", "fn>=1"},
     TermForm::comparison,
     compares_evaluated<&EvaluationColumns::fn>,
     nullptr,
     true},
    {{"f1", kSample, "f1<X", "F1 of the sample, likewise; never holds where there is nothing to find and nothing found", "f1<0.5"},
     TermForm::comparison,
     compares_evaluated<&EvaluationColumns::f1>,
     nullptr,
     true},
    {{"view", TermSubject::saved, "view:NAME,…", "one of these saved views holds, as if its text stood here in parentheses",
      "view:unsure_cars"},
     TermForm::saved},
    {{"sort", kWhole, "sort:COLUMN", "order of the answer, ascending; -sort:COLUMN descends; by id without it", "-sort:confidence"},
     TermForm::sort},
    {{"limit", kWhole, "limit:N",
      "the first N: labels when a label term or a label's sort column is there, or labels are what is asked for, else samples",
      "limit:100"},
     TermForm::limit},
    {{"eval", kWhole, "eval:KEY", "which evaluation outcome, error, iou, tp, fp, fn and f1 are about; the newest without it",
      "outcome:fp eval:latest"},
     TermForm::evaluation},
};

using RowValue = std::function<double(std::uint32_t row)>;

template <EvaluationNumbers Numbers>
RowValue evaluated_value(const Columns& columns, const Sort& /*sort*/) {
  return [values = std::span<const double>((*columns.evaluation).*Numbers)](std::uint32_t row) { return values[row]; };
}

template <typename T>
RowValue value_of(const Column<T>& column) {
  return [rows = column.rows()](std::uint32_t row) { return static_cast<double>(rows[row]); };
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

RowValue value_of_box(const Columns& columns, const Column<double>& column) {
  return [rows = column.rows(), kinds = columns.labels.kind.rows()](std::uint32_t row) {
    return has_box(kinds[row]) ? rows[row] : kNone;
  };
}

RowValue value_of_image(const Column<std::int32_t>& pixels) {
  return [rows = pixels.rows()](std::uint32_t row) { return is_known_side(rows[row]) ? rows[row] : kNone; };
}

/// Equal texts have equal ranks.
template <typename Texts>
RowValue rank_of(const Texts& column) {
  std::vector<std::uint32_t> order(column.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<std::uint32_t>(i);
  }
  std::ranges::sort(order, {}, [&](std::uint32_t row) { return std::string_view(column[row]); });
  std::vector<std::uint32_t> ranks(order.size());
  for (std::size_t i = 1; i < order.size(); ++i) {
    ranks[order[i]] = ranks[order[i - 1]] + (column[order[i]] == column[order[i - 1]] ? 0 : 1);
  }
  return [ranks = std::move(ranks)](std::uint32_t row) { return static_cast<double>(ranks[row]); };
}

RowValue rank_of_split(const Columns& columns) {
  return [rank = rank_of(columns.splits), splits = columns.samples.split.rows(), &columns](std::uint32_t row) {
    const auto split = static_cast<std::uint32_t>(splits[row]);
    return columns.splits[split].empty() ? kNone : rank(split);
  };
}

/// Numbers by their size, behind them texts.
RowValue rank_of_property(const PropertyColumns& properties, std::size_t row_count, const Sort& sort, const PropertyKind& kind) {
  const auto entries = wanted_entries(properties, kind, sort.property, *sort.source);
  std::vector<std::uint32_t> order;
  for (std::size_t i = entries.begin; i < entries.end; ++i) {
    order.push_back(static_cast<std::uint32_t>(i));
  }
  const auto key = [&](std::uint32_t entry) {
    const std::int32_t text = properties.text[entry];
    return std::tuple(text >= 0, properties.number[entry],
                      text >= 0 ? properties.texts[static_cast<std::size_t>(text)] : std::string_view());
  };
  std::ranges::sort(order, {}, key);
  std::vector<double> rank_of_row(row_count, kNone);
  double rank = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    rank += i > 0 && key(order[i]) != key(order[i - 1]) ? 1 : 0;
    rank_of_row[static_cast<std::size_t>(properties.row[order[i]])] = rank;
  }
  return [ranks = std::move(rank_of_row)](std::uint32_t row) { return ranks[row]; };
}

}  // namespace

std::span<const SortColumn> sort_columns() {
  static constexpr SortColumn table[] = {
      {"confidence", kLabel, [](const Columns& c, const Sort&) { return value_of(c.labels.confidence); }},
      {"area", kLabel, [](const Columns& c, const Sort&) { return value_of_box(c, c.labels.area); }},
      {"box_width", kLabel, [](const Columns& c, const Sort&) { return value_of_box(c, c.labels.w); }},
      {"box_height", kLabel, [](const Columns& c, const Sort&) { return value_of_box(c, c.labels.h); }},
      {"decided", kLabel, [](const Columns& c, const Sort&) { return value_of(c.labels.decided); }},
      {"attribute", kLabel,
       [](const Columns& c, const Sort& sort) { return rank_of_property(c.label_attributes, c.labels.size(), sort, kAttributes); },
       true},
      {"iou", kLabel, evaluated_value<&EvaluationColumns::iou>, false, true},
      {"width", kSample, [](const Columns& c, const Sort&) { return value_of_image(c.samples.width); }},
      {"height", kSample, [](const Columns& c, const Sort&) { return value_of_image(c.samples.height); }},
      {"brightness", kSample,
       [](const Columns& c, const Sort& sort) -> RowValue {
         return [values = brightness_of(c, *sort.source, sort.offset)](std::uint32_t row) { return values[row]; };
       }},
      {"path", kSample, [](const Columns& c, const Sort&) { return rank_of(c.samples.path); }},
      {"name", kSample, [](const Columns& c, const Sort&) { return rank_of(c.samples.name); }},
      {"split", kSample, [](const Columns& c, const Sort&) { return rank_of_split(c); }},
      {"modified", kSample, [](const Columns& c, const Sort&) { return value_of(c.samples.modified); }},
      {"field", kSample,
       [](const Columns& c, const Sort& sort) { return rank_of_property(c.sample_fields, c.samples.size(), sort, kFields); }, true},
      {"tp", kSample, evaluated_value<&EvaluationColumns::tp>, false, true},
      {"fp", kSample, evaluated_value<&EvaluationColumns::fp>, false, true},
      {"fn", kSample, evaluated_value<&EvaluationColumns::fn>, false, true},
      {"f1", kSample, evaluated_value<&EvaluationColumns::f1>, false, true},
      {"id", kWhole,
       [](const Columns&, const Sort&) -> RowValue { return [](std::uint32_t row) { return static_cast<double>(row); }; }},
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
