#include "verilabel/dataset/view.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/dataset/view_expression.h"

namespace verilabel {
namespace {

/// Rows that are tested together: small enough for the masks of a deep expression to stay in the first-level cache.
constexpr std::size_t kBlockRows = 2048;

using Flags = std::vector<std::uint8_t>;
using Kind = ExpressionNode::Kind;

Flags flags_of_samples(const ExpressionNode& node, const View::Expression& expression, const Columns& columns);

bool asks_evaluation_at_all(const View::Expression& expression) {
  return expression.has_evaluation_terms || (expression.sort && expression.sort->column->asks_evaluation);
}

void require_evaluation(const View::Expression& expression, const Columns& columns) {
  if (asks_evaluation_at_all(expression) && !columns.evaluation) {
    throw Error(ErrorCode::wrong_use,
                "the view asks about an evaluation, and none is stored yet; make one with: verilabel evaluate",
                {{"view", expression.text}});
  }
}

/// A node whose every term is bound to the rows of labels.
struct LabelTest {
  Kind kind = Kind::all_of;
  RowTest test;  ///< of kind term
  std::vector<LabelTest> children;
};

LabelTest bind_to_labels(const ExpressionNode& node, const View::Expression& expression, const Columns& columns) {
  LabelTest bound;
  if (!node.asks_labels && node.asks_samples) {
    bound.kind = Kind::term;
    bound.test = [flags = flags_of_samples(node, expression, columns), samples = columns.labels.sample.rows()](RowRange rows,
                                                                                                               std::uint8_t* mask) {
      const std::uint8_t* is_selected = flags.data();
      const std::int32_t* sample_of_row = samples.data() + rows.begin;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        mask[i] &= is_selected[sample_of_row[i]];
      }
    };
    return bound;
  }
  bound.kind = node.kind;
  if (node.kind == Kind::term) {
    bound.test = node.term.definition->bind({node.term, columns});
  }
  for (const ExpressionNode& child : node.children) {
    bound.children.push_back(bind_to_labels(child, expression, columns));
  }
  return bound;
}

bool has_any(const std::uint8_t* mask, std::size_t size) {
  return std::memchr(mask, 1, size) != nullptr;
}

/// Clears `mask` where the test does not hold.
void refine(const LabelTest& bound, RowRange rows, std::uint8_t* mask) {
  switch (bound.kind) {
    case Kind::term:
      bound.test(rows, mask);
      return;
    case Kind::all_of:
      for (const LabelTest& child : bound.children) {
        if (!has_any(mask, rows.size())) {
          return;
        }
        refine(child, rows, mask);
      }
      return;
    case Kind::any_of: {
      std::uint8_t undecided[kBlockRows];
      std::uint8_t found[kBlockRows];
      std::copy_n(mask, rows.size(), undecided);
      for (const LabelTest& child : bound.children) {
        if (!has_any(undecided, rows.size())) {
          break;
        }
        std::copy_n(undecided, rows.size(), found);
        refine(child, rows, found);
        for (std::size_t i = 0; i < rows.size(); ++i) {
          undecided[i] ^= found[i];
        }
      }
      for (std::size_t i = 0; i < rows.size(); ++i) {
        mask[i] ^= undecided[i];
      }
      return;
    }
    case Kind::negation: {
      std::uint8_t found[kBlockRows];
      std::copy_n(mask, rows.size(), found);
      refine(bound.children.front(), rows, found);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        mask[i] ^= found[i];
      }
      return;
    }
  }
}

/// Calls `visit` with the selected rows of labels, block by block in increasing order, until it returns false.
template <typename Visit>
void visit_labels(const LabelTest& bound, const View::Expression& expression, const Columns& columns, Visit visit) {
  const auto status = columns.labels.status.rows();
  std::uint8_t mask[kBlockRows];
  std::uint32_t selected[kBlockRows];
  for (std::size_t begin = 0; begin < status.size(); begin += kBlockRows) {
    const RowRange rows{begin, std::min(begin + kBlockRows, status.size())};
    if (expression.sees_every_status) {
      std::fill_n(mask, rows.size(), std::uint8_t{1});
    } else {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        mask[i] = static_cast<std::uint8_t>(status[begin + i] == LabelStatus::active);
      }
    }
    refine(bound, rows, mask);
    if (!has_any(mask, rows.size())) {
      continue;
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      selected[count] = static_cast<std::uint32_t>(begin + i);
      count += mask[i];
    }
    if (!visit(std::span<const std::uint32_t>(selected, count))) {
      return;
    }
  }
}

/// Samples with a label for which every one of `parts` holds.
Flags samples_with_label(std::span<const ExpressionNode> parts, const View::Expression& expression, const Columns& columns) {
  LabelTest bound;
  for (const ExpressionNode& part : parts) {
    bound.children.push_back(bind_to_labels(part, expression, columns));
  }
  Flags flags(columns.samples.size(), 0);
  const auto samples = columns.labels.sample.rows();
  visit_labels(bound, expression, columns, [&](std::span<const std::uint32_t> rows) {
    for (const std::uint32_t row : rows) {
      flags[samples[row]] = 1;
    }
    return true;
  });
  return flags;
}

bool is_about_labels_only(const ExpressionNode& node) {
  return node.asks_labels && !node.asks_samples;
}

/// As a saved view that only says how to sort.
bool asks_nothing(const ExpressionNode& node) {
  return (node.kind == Kind::all_of && std::ranges::all_of(node.children, asks_nothing)) ||
         (node.kind == Kind::any_of && std::ranges::any_of(node.children, asks_nothing));
}

Flags flags_of_samples(const ExpressionNode& node, const View::Expression& expression, const Columns& columns) {
  if (is_about_labels_only(node)) {
    return samples_with_label({&node, 1}, expression, columns);
  }
  Flags flags(columns.samples.size(), 1);
  const auto combine = [&](const Flags& others, auto operation) {
    for (std::size_t i = 0; i < flags.size(); ++i) {
      flags[i] = static_cast<std::uint8_t>(operation(flags[i], others[i]));
    }
  };
  switch (node.kind) {
    case Kind::term:
      node.term.definition->bind({node.term, columns})({0, flags.size()}, flags.data());
      break;
    case Kind::all_of:
      for (auto child = node.children.begin(); child != node.children.end();) {
        const auto end = std::find_if_not(child, node.children.end(), [](const ExpressionNode& next) {
          return is_about_labels_only(next) || asks_nothing(next);
        });
        if (!is_about_labels_only(*child)) {
          combine(flags_of_samples(*child, expression, columns), std::bit_and<>());
          ++child;
        } else {
          combine(samples_with_label({child, end}, expression, columns), std::bit_and<>());
          child = end;
        }
      }
      break;
    case Kind::any_of:
      std::ranges::fill(flags, 0);
      for (const ExpressionNode& child : node.children) {
        combine(flags_of_samples(child, expression, columns), std::bit_or<>());
      }
      break;
    case Kind::negation:
      combine(flags_of_samples(node.children.front(), expression, columns), std::bit_xor<>());
      break;
  }
  return flags;
}

constexpr double kLast = std::numeric_limits<double>::infinity();

/// Something with its place in the order: smaller keys first, then smaller rows.
struct Place {
  double key = kLast;
  std::uint32_t row = 0;

  bool operator<(const Place& other) const { return key != other.key ? key < other.key : row < other.row; }
};

/// The first `limit` of the rows that are added, in order. Keeps some multiple of `limit` at most, so that the first hundred of
/// millions cost one pass.
class FirstInOrder {
 public:
  explicit FirstInOrder(std::size_t limit)
      : limit_(limit), capacity_(limit > kLargestBounded ? SIZE_MAX : 2 * limit + kBlockRows) {}

  void add(Place place) {
    if (has_bound_ && !(place < bound_)) {
      return;
    }
    places_.push_back(place);
    if (places_.size() >= capacity_) {
      drop_the_rest();
    }
  }

  std::vector<std::uint32_t> take() {
    drop_the_rest();
    std::ranges::sort(places_, std::less<>());
    std::vector<std::uint32_t> rows;
    rows.reserve(places_.size());
    for (const Place& place : places_) {
      rows.push_back(place.row);
    }
    return rows;
  }

 private:
  // Beyond it everything is kept and sorted once: a bound would reject little, and doubling the room could overflow.
  static constexpr std::size_t kLargestBounded = 1'000'000;

  void drop_the_rest() {
    if (places_.size() <= limit_) {
      return;
    }
    const auto end = places_.begin() + static_cast<std::ptrdiff_t>(limit_);
    std::nth_element(places_.begin(), end, places_.end());
    bound_ = *end;
    has_bound_ = true;
    places_.erase(end, places_.end());
  }

  std::size_t limit_;
  std::size_t capacity_;
  std::vector<Place> places_;
  Place bound_;
  bool has_bound_ = false;
};

double key_of(double value, bool is_descending) {
  if (std::isnan(value)) {
    return kLast;
  }
  return is_descending ? -value : value;
}

std::size_t limit_of(const View::Expression& expression, std::size_t row_count) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(expression.limit.value_or(row_count), row_count));
}

/// Of a label's row, whether the sort column is the label's or its sample's.
std::function<double(std::uint32_t row)> key_of_labels(const View::Expression& expression, const Columns& columns) {
  auto value = expression.sort->column->bind(columns, *expression.sort);
  const bool is_descending = expression.sort->is_descending;
  if (expression.sort->column->subject != TermSubject::sample) {
    return [value = std::move(value), is_descending](std::uint32_t row) { return key_of(value(row), is_descending); };
  }
  return [value = std::move(value), is_descending, samples = columns.labels.sample.rows()](std::uint32_t row) {
    return key_of(value(static_cast<std::uint32_t>(samples[row])), is_descending);
  };
}

std::vector<std::uint32_t> select_sorted_labels(const LabelTest& bound, const View::Expression& expression,
                                                const Columns& columns) {
  const auto key = key_of_labels(expression, columns);
  FirstInOrder first(limit_of(expression, columns.labels.size()));
  visit_labels(bound, expression, columns, [&](std::span<const std::uint32_t> rows) {
    for (const std::uint32_t row : rows) {
      first.add({key(row), row});
    }
    return true;
  });
  return first.take();
}

/// In the order of their first labels.
std::vector<std::uint32_t> samples_of_labels(std::span<const std::uint32_t> label_rows, const Columns& columns) {
  std::vector<std::uint32_t> rows;
  Flags is_seen(columns.samples.size(), 0);
  for (const std::uint32_t label_row : label_rows) {
    const auto sample = static_cast<std::uint32_t>(columns.labels.sample[label_row]);
    if (std::exchange(is_seen[sample], 1) == 0) {
      rows.push_back(sample);
    }
  }
  return rows;
}

std::vector<std::uint32_t> rows_with_flag(const Flags& flags) {
  std::vector<std::uint32_t> rows;
  for (std::size_t row = 0; row < flags.size(); ++row) {
    if (flags[row] != 0) {
      rows.push_back(static_cast<std::uint32_t>(row));
    }
  }
  return rows;
}

/// Sorts samples by the place that the first of their labels has.
void sort_by_labels(std::vector<std::uint32_t>& sample_rows, const View::Expression& expression, const Columns& columns) {
  const auto key = key_of_labels(expression, columns);
  const auto samples = columns.labels.sample.rows();
  std::vector<Place> first_label(columns.samples.size(), {kLast, std::numeric_limits<std::uint32_t>::max()});
  visit_labels(bind_to_labels(expression.root, expression, columns), expression, columns, [&](std::span<const std::uint32_t> rows) {
    for (const std::uint32_t row : rows) {
      Place& first = first_label[samples[row]];
      first = std::min(first, Place{key(row), row});
    }
    return true;
  });
  std::ranges::stable_sort(sample_rows, std::less<>(), [&](std::uint32_t row) { return first_label[row]; });
}

}  // namespace

View::View() : expression_(std::make_shared<const Expression>()) {}

View View::parse(std::string_view text, const SavedViews& saved) {
  View view;
  view.expression_ = std::make_shared<const Expression>(parse_view(text, saved));
  return view;
}

const std::string& View::text() const {
  return expression_->text;
}

bool View::has_label_terms() const {
  return expression_->root.asks_labels || (expression_->sort && expression_->sort->column->subject == TermSubject::label);
}

bool View::has_only_sample_terms() const {
  return !has_label_terms();
}

bool View::asks_evaluation() const {
  return asks_evaluation_at_all(*expression_);
}

std::optional<std::string> View::evaluation_key() const {
  return expression_->evaluation ? std::optional(expression_->evaluation->key) : std::nullopt;
}

Error View::unknown_evaluation(const std::vector<std::string_view>& existing) const {
  const NamedEvaluation& wanted = *expression_->evaluation;
  return view_error(*wanted.source, wanted.offset, unknown_name_message("evaluation", "the evaluations", wanted.key, existing));
}

std::vector<std::uint32_t> select_labels(const View& view, const Columns& columns) {
  const View::Expression& expression = *view.expression();
  require_evaluation(expression, columns);
  const LabelTest bound = bind_to_labels(expression.root, expression, columns);
  const std::size_t limit = limit_of(expression, columns.labels.size());
  if (expression.sort) {
    return select_sorted_labels(bound, expression, columns);
  }
  std::vector<std::uint32_t> selected;
  selected.reserve(limit);
  visit_labels(bound, expression, columns, [&](std::span<const std::uint32_t> rows) {
    const auto wanted = rows.first(std::min(rows.size(), limit - selected.size()));
    selected.insert(selected.end(), wanted.begin(), wanted.end());
    return selected.size() < limit;
  });
  return selected;
}

std::vector<std::uint32_t> select_samples(const View& view, const Columns& columns) {
  const View::Expression& expression = *view.expression();
  require_evaluation(expression, columns);
  if (expression.limit && view.has_label_terms()) {
    return samples_of_labels(select_labels(view, columns), columns);
  }
  std::vector<std::uint32_t> selected = rows_with_flag(flags_of_samples(expression.root, expression, columns));
  if (expression.sort && expression.sort->column->subject == TermSubject::label) {
    sort_by_labels(selected, expression, columns);
  } else if (expression.sort) {
    const auto value = expression.sort->column->bind(columns, *expression.sort);
    FirstInOrder first(limit_of(expression, selected.size()));
    for (const std::uint32_t row : selected) {
      first.add({key_of(value(row), expression.sort->is_descending), row});
    }
    return first.take();
  }
  selected.resize(limit_of(expression, selected.size()));
  return selected;
}

SelectedRows select_rows(const View& view, const Columns& columns) {
  SelectedRows rows{select_samples(view, columns), {}};
  Flags is_selected(columns.samples.size(), 0);
  for (const std::uint32_t row : rows.samples) {
    is_selected[row] = 1;
  }
  const auto samples = columns.labels.sample.rows();
  if (view.has_label_terms()) {
    rows.labels = select_labels(view, columns);
    std::erase_if(rows.labels, [&](std::uint32_t row) { return is_selected[static_cast<std::size_t>(samples[row])] == 0; });
    return rows;
  }
  const auto status = columns.labels.status.rows();
  for (std::uint32_t row = 0; row < samples.size(); ++row) {
    if (status[row] == LabelStatus::active && is_selected[static_cast<std::size_t>(samples[row])] != 0) {
      rows.labels.push_back(row);
    }
  }
  return rows;
}

}  // namespace verilabel
