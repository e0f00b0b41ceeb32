#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/dataset/columns.h"

namespace verilabel {

/// Whom a term of a view asks.
enum class TermSubject : std::uint8_t {
  label,
  sample,
  saved,  ///< whom the saved view asks that it names
  whole,  ///< nobody: sort and limit say something about the answer, eval about other terms
};

/// One term of the view language, for help texts and for completion.
struct ViewTerm {
  std::string_view name;
  TermSubject subject;
  std::string_view usage;    ///< as "class:NAME,…"
  std::string_view meaning;  ///< one sentence without a full stop
  std::string_view example;  ///< a view text that parses
};

/// Every term that exists, labels' terms first.
std::span<const ViewTerm> view_terms();

/// A name as a view's text has it behind the colon of a term: in quotes unless it is plain.
std::string view_value(std::string_view name);

/// A view that has a name, for use in others.
struct SavedView {
  std::string name;
  std::string text;
  std::string saved_at;  ///< ISO 8601
};
using SavedViews = std::vector<SavedView>;

/// A filter over samples and labels, parsed from text (docs/views.md has the language). An immutable value, cheap to copy.
///
/// Meaning. A term is about a label, about a sample (`view_terms()` says which), or about the whole (sort, limit, eval). Asked for
/// labels, the expression must hold for the label and its sample together. Asked for samples, each run of neighbouring label terms
/// holds when one label of the sample satisfies all of them; a parenthesis with label terms only counts as one of them, `-` before
/// such a term or parenthesis asks for a label that is otherwise, and `-` before a parenthesis that also asks about the sample
/// selects the other samples. Labels that are not active are seen only by an expression with a `status:` term. A comparison with a
/// confidence that is absent never holds; `sort` puts it last in both directions.
class View {
 public:
  /// Every sample and every active label.
  View();
  /// `saved` are the views that `view:NAME` may name; they become part of this one as they are now. Throws `wrong_use` with context
  /// `position` (1-based, in characters) and what was expected there; for a mistake inside a saved view, the position of the term
  /// that names it. Names of sets, classes, tags, splits, fields and attributes are not checked here: see `select_labels`.
  static View parse(std::string_view text, const SavedViews& saved = {});

  const std::string& text() const;
  /// Whether any term is about labels, or `sort` names a label column: `limit` then counts labels.
  bool has_label_terms() const;
  /// Whether every term is about samples: what an evaluation's `--where` may hold.
  bool has_only_sample_terms() const;
  /// Whether any term is about a stored evaluation, which `select_labels` and `select_samples` then expect in the columns.
  bool asks_evaluation() const;
  /// The key of that evaluation; nothing for the newest.
  std::optional<std::string> evaluation_key() const;
  /// `wrong_use` with the position of that key, for when it is none of `existing`, which the message lists. There must be one.
  Error unknown_evaluation(const std::vector<std::string_view>& existing) const;

  struct Expression;  // private to the module
  const Expression* expression() const { return expression_.get(); }

 private:
  std::shared_ptr<const Expression> expression_;
};

/// Rows of `columns.labels` that the view selects, sorted and limited as it asks; by id otherwise and among equals. Throws
/// `wrong_use` with the position for the name of a set, class, tag, split, field or attribute that does not exist, and lists those
/// that do; likewise where the columns lack the evaluation that is asked for.
std::vector<std::uint32_t> select_labels(const View& view, const Columns& columns);

/// Rows of `columns.samples`, likewise. When `limit` counts labels, the samples of the selected labels in order of first
/// appearance. When `sort` names a label column without a limit, each sample stands where the first of its selected labels stands;
/// samples without one come last.
std::vector<std::uint32_t> select_samples(const View& view, const Columns& columns);

/// Samples with their labels, as a data set has them.
struct SelectedRows {
  std::vector<std::uint32_t> samples;
  std::vector<std::uint32_t> labels;
};

/// Samples as `select_samples` gives them; labels as `select_labels` does, of those samples alone, except that a view which says
/// nothing about labels has all active labels of its samples, whatever its limit.
SelectedRows select_rows(const View& view, const Columns& columns);

}  // namespace verilabel
