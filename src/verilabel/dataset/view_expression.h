#pragma once

// The parsed form of a view; private to this module.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/columns.h"
#include "verilabel/dataset/time.h"
#include "verilabel/dataset/view.h"

namespace verilabel {

/// A name, choice or pattern as it was written, without its quotes and backslashes.
struct TermValue {
  std::string text;
  std::string is_literal;  ///< for each byte of `text`, 1 when a backslash stood before it
  std::size_t offset = 0;  ///< of its first byte in the view's text
};

enum class Comparison : std::uint8_t { equal, not_equal, less, less_or_equal, greater, greater_or_equal };

struct TermDefinition;

/// The text that a term stands in: the view's own, or that of a saved view which it names, at any remove.
struct ViewSource {
  std::string text;
  std::string saved_as;                            ///< empty for the view's own text
  std::shared_ptr<const ViewSource> used_in = {};  ///< nothing for the view's own text
  std::size_t used_at = 0;                         ///< offset of the name there
};
using ViewSourcePointer = std::shared_ptr<const ViewSource>;

struct Term {
  const TermDefinition* definition = nullptr;
  ViewSourcePointer source;
  std::size_t offset = 0;         ///< of its first byte in the source, a `-` before it included
  std::vector<TermValue> values;  ///< of names, choices, patterns; of count: the set, then the classes; of a property: its values
  std::vector<std::int64_t> ids;  ///< sorted
  TermValue property;             ///< name of a field or attribute
  std::optional<Comparison> comparison;  ///< always there but for a property that is only asked to exist
  double number = 0;
  TimeSpan time;  ///< of a comparison with a date
};

/// A term bound to columns.
struct BoundTerm {
  const Term& term;
  const Columns& columns;
};

struct RowRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
};

/// Keeps 1 in `mask` (one byte a row of the range, each 0 or 1) where the term holds, and clears the rest.
using RowTest = std::function<void(RowRange rows, std::uint8_t* mask)>;

/// What stands behind the name of a term.
enum class TermForm : std::uint8_t {
  names,
  choices,
  patterns,
  ids,
  comparison,
  date,
  count,
  property,
  saved,
  sort,
  limit,
  evaluation
};

/// One row of the table of terms. `bind` makes the test over rows of labels or of samples, as `about.subject` says, and throws for
/// names that do not exist; view, sort, limit and eval have none.
struct TermDefinition {
  ViewTerm about;
  TermForm form;
  RowTest (*bind)(const BoundTerm&) = nullptr;
  std::vector<std::string_view> (*choices)() = nullptr;  ///< of that form
  bool asks_evaluation = false;                          ///< needs `Columns::evaluation`
};

/// Nothing when no such term exists.
const TermDefinition* find_term(std::string_view name);

struct SortColumn;

/// What an answer is sorted by.
struct Sort {
  const SortColumn* column = nullptr;
  ViewSourcePointer source;
  std::size_t offset = 0;  ///< of the column's name in the source
  TermValue property;      ///< name of the field or attribute, for the columns that take one
  bool is_descending = false;
};

/// A column that `sort` knows. `bind` reads a label's row or a sample's, as `subject` says, NaN for none; `whole` is the row
/// itself, whatever is asked for, because rows stand in the order of ids.
struct SortColumn {
  std::string_view name;
  TermSubject subject;
  std::function<double(std::uint32_t row)> (*bind)(const Columns&, const Sort&);
  bool takes_property = false;  ///< as in sort:field:NAME
  bool asks_evaluation = false;
};
std::span<const SortColumn> sort_columns();

struct ExpressionNode {
  enum class Kind : std::uint8_t { term, all_of, any_of, negation };
  Kind kind = Kind::all_of;
  bool asks_labels = false;              ///< it or anything below it
  bool asks_samples = false;             ///< likewise
  Term term;                             ///< of kind term
  std::vector<ExpressionNode> children;  ///< of the other kinds; one of a negation
};

/// The evaluation that a text asks for.
struct NamedEvaluation {
  std::string key;
  ViewSourcePointer source;
  std::size_t offset = 0;  ///< of the key in the source
};

struct View::Expression {
  std::string text;
  ExpressionNode root;  ///< all of nothing, which holds, when the text has no term
  bool sees_every_status = false;
  std::optional<Sort> sort;
  std::optional<std::uint64_t> limit;
  bool has_evaluation_terms = false;          ///< eval, or those about it
  std::optional<NamedEvaluation> evaluation;  ///< the newest when none is named
};

/// `wrong_use` at a byte of a view's text; the position in its context is counted in characters from 1. A mistake in a saved view
/// is told by its place there and by the position of the term that names the view.
Error view_error(const ViewSource& source, std::size_t offset, std::string message);

/// Nothing unless all of the text is a finite number.
std::optional<double> number_from(std::string_view text);

/// "unknown WHAT "NAME"", then the existing name that looks most like it, if any does, then those that exist.
std::string unknown_name_message(std::string_view what, std::string_view plural, std::string_view name,
                                 const std::vector<std::string_view>& existing);

View::Expression parse_view(std::string_view text, const SavedViews& saved);

}  // namespace verilabel
