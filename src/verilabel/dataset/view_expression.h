#pragma once

// The parsed form of a view; private to this module.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/columns.h"
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

struct Term {
  const TermDefinition* definition = nullptr;
  std::vector<TermValue> values;  ///< of names, choices, patterns; of count: the set, then the classes
  std::vector<std::int64_t> ids;  ///< sorted
  Comparison comparison = Comparison::equal;
  double number = 0;
};

/// A term bound to columns.
struct BoundTerm {
  const Term& term;
  const Columns& columns;
  std::string_view view_text;
};

struct RowRange {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
};

/// Keeps 1 in `mask` (one byte a row of the range, each 0 or 1) where the term holds, and clears the rest.
using RowTest = std::function<void(RowRange rows, std::uint8_t* mask)>;

/// What stands behind the name of a term.
enum class TermForm : std::uint8_t { names, choices, patterns, ids, comparison, count, sort, limit };

/// One row of the table of terms. `bind` makes the test over rows of labels or of samples, as `about.subject` says, and throws for
/// names that do not exist; sort and limit have none.
struct TermDefinition {
  ViewTerm about;
  TermForm form;
  RowTest (*bind)(const BoundTerm&) = nullptr;
  std::vector<std::string_view> (*choices)() = nullptr;  ///< of that form
};

/// Nothing when no such term exists.
const TermDefinition* find_term(std::string_view name);

/// A column that `sort` knows. `bind` reads a label's row or a sample's, as `subject` says; `whole` is the row itself, whatever
/// is asked for, because rows stand in the order of ids.
struct SortColumn {
  std::string_view name;
  TermSubject subject;
  std::function<double(std::uint32_t row)> (*bind)(const Columns&);
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

struct View::Expression {
  std::string text;
  ExpressionNode root;  ///< all of nothing, which holds, when the text has no term
  bool sees_every_status = false;
  const SortColumn* sort = nullptr;
  bool is_descending = false;
  std::optional<std::uint64_t> limit;
};

/// `wrong_use` at a byte of the view's text; the position in its context is counted in characters from 1.
Error view_error(std::string_view view_text, std::size_t offset, std::string message);

/// "unknown WHAT "NAME"", then the existing name that looks most like it, if any does, then those that exist.
std::string unknown_name_message(std::string_view what, std::string_view plural, std::string_view name,
                                 const std::vector<std::string_view>& existing);

View::Expression parse_view(std::string_view text);

}  // namespace verilabel
