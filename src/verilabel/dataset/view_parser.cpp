#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>

#include "verilabel/base/utf8.h"
#include "verilabel/dataset/view_expression.h"

namespace verilabel {
namespace {

// Both keep a hostile text from using up the stack or the machine; no text that a person or a page writes comes near.
constexpr int kMaxDepth = 100;
constexpr int kMaxTerms = 10'000;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool ends_value(char c) {
  return is_space(c) || c == ',' || c == '|' || c == '(' || c == ')';
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool begins_comparison(char c) {
  return c == '=' || c == '!' || c == '<' || c == '>';
}

/// Recursive descent:
///   any_of = all_of { "|" all_of }
///   all_of = factor { space factor }
///   factor = [ "-" ] ( term | "(" any_of ")" )
class Parser {
 public:
  /// `depth` and `term_count` are those of the text that names this one: saved views inside each other are bounded as one text is.
  Parser(ViewSourcePointer source, const SavedViews& saved, int depth, int& term_count)
      : source_(std::move(source)), saved_(saved), outer_depth_(depth), term_count_(term_count), text_(source_->text) {}

  View::Expression parse() {
    require_utf8();
    result_.text = text_;
    skip_spaces();
    result_.root = any_of(0);
    if (!at_end()) {
      fail(at_, "this ) closes nothing; remove it, or quote the name that holds it");
    }
    place_saved_sort_and_limit();
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(std::size_t offset, std::string message) const { throw view_error(*source_, offset, std::move(message)); }

  /// "expected WHAT, found …"
  [[noreturn]] void fail_expecting(std::string_view what) const {
    if (at_end()) {
      fail(at_, fmt::format("expected {}, found the end of the text", what));
    }
    std::size_t length = 1;
    while (at_ + length < text_.size() && (static_cast<unsigned char>(text_[at_ + length]) & 0xC0U) == 0x80) {
      ++length;
    }
    const std::string_view found = text_.substr(at_, length);
    const std::string shown = is_space(found.front()) ? "a space" : fmt::format("\"{}\"", printable(found));
    fail(at_, fmt::format("expected {}, found {}", what, shown));
  }

  void require_utf8() const {
    constexpr std::size_t longest_character = 4;
    std::size_t good = 0;
    while (good < text_.size()) {
      std::size_t length = 1;
      while (!is_utf8(text_.substr(good, length))) {
        if (++length > longest_character) {
          fail(good, "expected UTF-8, found a byte that is not");
        }
      }
      good += length;
    }
  }

  bool at_end() const { return at_ == text_.size(); }
  bool next_is(char c) const { return !at_end() && text_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) {
      return false;
    }
    ++at_;
    return true;
  }
  void skip_spaces() {
    while (!at_end() && is_space(text_[at_])) {
      ++at_;
    }
  }

  ExpressionNode any_of(int depth) {
    ExpressionNode first = all_of(depth);
    if (!next_is('|')) {
      if (first.children.empty() && depth > 0) {
        fail_expecting("a term");
      }
      return simplest(std::move(first));
    }
    ExpressionNode node;
    node.kind = ExpressionNode::Kind::any_of;
    while (true) {
      if (first.children.empty()) {
        fail_expecting("a term on each side of |");
      }
      adopt(node, simplest(std::move(first)));
      if (!take('|')) {
        return node;
      }
      first = all_of(depth);
    }
  }

  /// Up to `|`, `)` or the end, behind any spaces. Without children when there was no term.
  ExpressionNode all_of(int depth) {
    ExpressionNode node;
    skip_spaces();
    while (!at_end() && !next_is('|') && !next_is(')')) {
      if (auto child = factor(depth)) {
        adopt(node, std::move(*child));
      }
      if (!at_end() && !is_space(text_[at_]) && !next_is('|') && !next_is(')')) {
        fail_expecting("a space, | or ) after a term (quote a value that holds one of ( ) , | or a space)");
      }
      skip_spaces();
    }
    return node;
  }

  /// Nothing for sort and limit, which are kept aside.
  std::optional<ExpressionNode> factor(int depth) {
    const std::size_t begin = at_;
    const bool is_negated = take('-');
    std::optional<ExpressionNode> node;
    if (next_is('(')) {
      if (outer_depth_ + depth == kMaxDepth) {
        fail(at_, fmt::format("more than {} parentheses inside each other; write a flatter view", kMaxDepth));
      }
      const std::size_t opening = at_++;
      node = any_of(depth + 1);
      if (!take(')')) {
        fail(opening, "this ( is never closed; expected ) after its last term");
      }
    } else {
      node = term(begin, depth, is_negated);
    }
    if (node && is_negated) {
      ExpressionNode negation;
      negation.kind = ExpressionNode::Kind::negation;
      adopt(negation, std::move(*node));
      return negation;
    }
    return node;
  }

  std::optional<ExpressionNode> term(std::size_t begin, int depth, bool is_negated) {
    const std::size_t name_offset = at_;
    while (!at_end() && is_name_character(text_[at_])) {
      ++at_;
    }
    const std::string_view name = text_.substr(name_offset, at_ - name_offset);
    if (name.empty()) {
      fail_expecting(is_negated ? "a term or ( directly after -" : "a term such as class:car, or one of - (");
    }
    const TermDefinition* definition = find_term(name);
    if (definition == nullptr) {
      fail(name_offset, unknown_term(name));
    }
    if (definition->about.subject == TermSubject::saved) {
      return saved_views(*definition, depth);
    }
    count_term(begin);
    if (definition->about.subject == TermSubject::whole) {
      whole_term(*definition, begin, depth, is_negated);
      return std::nullopt;
    }
    ExpressionNode node;
    node.kind = ExpressionNode::Kind::term;
    node.asks_labels = definition->about.subject == TermSubject::label;
    node.asks_samples = definition->about.subject == TermSubject::sample;
    node.term.definition = definition;
    node.term.source = source_;
    node.term.offset = begin;
    read_operand(node.term);
    result_.sees_every_status |= definition->about.name == "status";
    result_.has_evaluation_terms |= definition->asks_evaluation;
    return node;
  }

  void count_term(std::size_t offset) {
    if (++term_count_ > kMaxTerms) {
      fail(offset, fmt::format("more than {} terms; join values of one term with commas, as in class:car,bus", kMaxTerms));
    }
  }

  /// Each view that is named, as a parenthesis with its text would be. Each counts as a term.
  ExpressionNode saved_views(const TermDefinition& definition, int depth) {
    expect_colon(definition);
    ExpressionNode node;
    node.kind = ExpressionNode::Kind::any_of;
    do {
      adopt(node, saved_view(value("the name of a saved view"), depth));
    } while (take(','));
    // With one name too it stays a node of its own: by that a text that is nothing but a name is told.
    return node;
  }

  ExpressionNode saved_view(const TermValue& name, int depth) {
    count_term(name.offset);
    const auto found = std::ranges::find(saved_, name.text, &SavedView::name);
    if (found == saved_.end()) {
      std::vector<std::string_view> names;
      for (const SavedView& view : saved_) {
        names.push_back(view.name);
      }
      fail(name.offset, unknown_name_message("saved view", "the saved views", name.text, names));
    }
    std::string way = found->name;
    for (const ViewSource* source = source_.get(); source != nullptr && !source->saved_as.empty(); source = source->used_in.get()) {
      way = fmt::format("{} → {}", source->saved_as, way);
      if (source->saved_as == found->name) {
        fail(name.offset, fmt::format("a saved view cannot contain itself: {}", printable(way)));
      }
    }
    if (outer_depth_ + depth == kMaxDepth) {
      fail(name.offset, fmt::format("more than {} saved views and parentheses inside each other; write a flatter view", kMaxDepth));
    }
    auto source = std::make_shared<const ViewSource>(ViewSource{found->text, found->name, source_, name.offset});
    View::Expression saved = Parser(std::move(source), saved_, outer_depth_ + depth + 1, term_count_).parse();
    result_.sees_every_status |= saved.sees_every_status;
    result_.has_evaluation_terms |= saved.has_evaluation_terms;
    if (saved.evaluation) {
      use_evaluation(name.offset, *std::move(saved.evaluation));
    }
    named_.push_back({name.offset, std::move(saved.sort), saved.limit});
    return std::move(saved.root);
  }

  /// A view that is nothing but the name of another is the other. Beside other terms the limit of a saved view would mean something
  /// else, and its order nothing.
  void place_saved_sort_and_limit() {
    const bool is_only_name =
        named_.size() == 1 && result_.root.kind == ExpressionNode::Kind::any_of && result_.root.children.size() == 1;
    const bool is_alone = is_only_name && !result_.sort && !result_.limit;
    for (NamedView& named : named_) {
      if (named.limit && !is_alone) {
        fail(named.offset,
             "this saved view has a limit, which means something else beside other terms; save it without limit:, or use it alone");
      }
      if (is_only_name && !result_.sort) {
        result_.sort = std::move(named.sort);
      }
      if (is_alone) {
        result_.limit = named.limit;
      }
    }
  }

  static std::string unknown_term(std::string_view name) {
    std::vector<std::string_view> names;
    for (const ViewTerm& known : view_terms()) {
      names.push_back(known.name);
    }
    return unknown_name_message("term", "the terms", name, names);
  }

  void read_operand(Term& term) {
    const TermDefinition& definition = *term.definition;
    switch (definition.form) {
      case TermForm::names:
        expect_colon(definition);
        read_values(term, "a name");
        break;
      case TermForm::patterns:
        expect_colon(definition);
        read_values(term, "a path or pattern");
        break;
      case TermForm::choices:
        expect_colon(definition);
        read_choices(term);
        break;
      case TermForm::ids:
        expect_colon(definition);
        read_values(term, "an id");
        for (const TermValue& value : term.values) {
          term.ids.push_back(whole_number<std::int64_t>(value, "an id (a whole number)"));
        }
        std::ranges::sort(term.ids);
        break;
      case TermForm::comparison:
        read_comparison(term);
        break;
      case TermForm::date:
        read_operator(term);
        read_date(term);
        break;
      case TermForm::property:
        expect_colon(definition);
        read_property(term);
        break;
      case TermForm::count:
        read_count(term);
        break;
      case TermForm::saved:
      case TermForm::sort:
      case TermForm::limit:
      case TermForm::evaluation:
        break;
    }
  }

  /// All terms of a view, and of the saved views in it, ask the same evaluation.
  void use_evaluation(std::size_t offset, NamedEvaluation evaluation) {
    if (result_.evaluation && evaluation.key != result_.evaluation->key) {
      fail(offset, fmt::format("a second evaluation, \"{}\" beside \"{}\"; expected one at most", printable(evaluation.key),
                               printable(result_.evaluation->key)));
    }
    result_.evaluation = std::move(evaluation);
  }

  void whole_term(const TermDefinition& definition, std::size_t begin, int depth, bool is_negated) {
    const bool is_sort = definition.form == TermForm::sort;
    const std::string_view name = definition.about.name;
    if (depth > 0) {
      fail(begin, fmt::format("{} is about the whole answer; expected it outside the parentheses", name));
    }
    if (definition.form == TermForm::evaluation) {
      if (is_negated) {
        fail(begin, "eval cannot be negated; expected eval:KEY");
      }
      expect_colon(definition);
      const TermValue key = value("the key of an evaluation");
      use_evaluation(key.offset, {key.text, source_, key.offset});
      result_.has_evaluation_terms = true;
      return;
    }
    if (is_sort ? result_.sort.has_value() : result_.limit.has_value()) {
      fail(begin, fmt::format("a second {}; expected one at most", name));
    }
    if (is_negated && !is_sort) {
      fail(begin, "limit cannot be negated; expected limit:N");
    }
    expect_colon(definition);
    Term term;
    term.definition = &definition;
    if (!is_sort) {
      term.values.push_back(value("a whole number"));
      result_.limit = whole_number<std::uint64_t>(term.values.front(), "a whole number");
      return;
    }
    std::vector<std::string_view> names;
    for (const SortColumn& column : sort_columns()) {
      names.push_back(column.name);
    }
    const TermValue wanted =
        value(fmt::format("one of {}", fmt::join(names, ", ")), [](char c) { return ends_value(c) || c == ':'; });
    const auto found = std::ranges::find(sort_columns(), wanted.text, &SortColumn::name);
    if (found == sort_columns().end()) {
      fail(wanted.offset, unknown_name_message("sort column", "expected one of", wanted.text, names));
    }
    Sort sort{&*found, source_, wanted.offset, {}, is_negated};
    if (found->takes_property) {
      if (!take(':')) {
        fail_expecting(fmt::format("\":\" and a name directly after {0}, as in sort:{0}:NAME", found->name));
      }
      sort.property = value("a name");
    }
    result_.sort = std::move(sort);
  }

  void expect_colon(const TermDefinition& definition) {
    if (!take(':')) {
      fail_expecting(fmt::format("\":\" directly after {}, as in {}", definition.about.name, definition.about.usage));
    }
  }

  void read_values(Term& term, std::string_view what) {
    do {
      term.values.push_back(value(what));
    } while (take(','));
  }

  void read_choices(Term& term) {
    const std::vector<std::string_view> choices = term.definition->choices();
    read_values(term, fmt::format("one of {}", fmt::join(choices, ", ")));
    for (const TermValue& value : term.values) {
      if (std::ranges::find(choices, value.text) == choices.end()) {
        fail(value.offset, unknown_name_message(term.definition->about.name, "expected one of", value.text, choices));
      }
    }
  }

  /// One word; parts of it may stand in double quotes, and a backslash takes any next character as it is.
  TermValue value(std::string_view what, bool (*is_end)(char) = ends_value) {
    TermValue result;
    result.offset = at_;
    while (!at_end() && !is_end(text_[at_])) {
      if (next_is('"')) {
        const std::size_t opening = at_++;
        while (!next_is('"')) {
          if (at_end()) {
            fail(opening, "this quote is never closed; expected \" after the value");
          }
          take_character(result);
        }
        ++at_;
      } else {
        take_character(result);
      }
    }
    if (at_ == result.offset) {
      fail_expecting(what);
    }
    return result;
  }

  void take_character(TermValue& result) {
    const bool is_escaped = take('\\');
    if (at_end()) {
      fail(at_ - 1, "expected a character after this backslash (write \\\\ for a backslash itself)");
    }
    result.text += text_[at_++];
    result.is_literal += static_cast<char>(is_escaped);
  }

  template <typename Number>
  Number whole_number(const TermValue& value, std::string_view what) const {
    Number number = 0;
    const char* end = value.text.data() + value.text.size();
    const auto [parsed, error] = std::from_chars(value.text.data(), end, number);
    if (error == std::errc::result_out_of_range) {
      fail(value.offset, fmt::format("expected {}, and \"{}\" is too large", what, shortened(value.text)));
    }
    if (error != std::errc() || parsed != end || number < Number{0}) {
      fail(value.offset, fmt::format("expected {}, found \"{}\"", what, shortened(value.text)));
    }
    return number;
  }

  void read_operator(Term& term) {
    constexpr std::array<std::pair<std::string_view, Comparison>, 6> operators = {{
        {"!=", Comparison::not_equal},
        {"<=", Comparison::less_or_equal},
        {">=", Comparison::greater_or_equal},
        {"=", Comparison::equal},
        {"<", Comparison::less},
        {">", Comparison::greater},
    }};
    const auto found = std::ranges::find_if(operators, [&](const auto& row) { return text_.substr(at_).starts_with(row.first); });
    if (found == operators.end()) {
      fail_expecting(fmt::format("one of = != < <= > >= directly after {}", term.definition->about.name));
    }
    at_ += found->first.size();
    term.comparison = found->second;
  }

  void read_comparison(Term& term) {
    read_operator(term);
    const TermValue written = value("a number");
    const char* end = written.text.data() + written.text.size();
    const auto [parsed, error] = std::from_chars(written.text.data(), end, term.number);
    if (error == std::errc::result_out_of_range) {
      fail(written.offset, fmt::format("expected a number, and \"{}\" is out of range", shortened(written.text)));
    }
    if (error != std::errc() || parsed != end || !std::isfinite(term.number)) {
      fail(written.offset, fmt::format("expected a number, found \"{}\"", shortened(written.text)));
    }
  }

  void read_date(Term& term) {
    constexpr std::string_view what = "a date such as 2024-05-01 or 2024-05-01T10:30:00Z";
    const TermValue written = value(what);
    const auto time = time_span_from(written.text);
    if (!time) {
      fail(written.offset, fmt::format("expected {}, found \"{}\"", what, shortened(written.text)));
    }
    term.time = *time;
  }

  /// NAME, NAME=VALUE,… or NAME<X, where X is a number or a date.
  void read_property(Term& term) {
    term.property = value("a name", [](char c) { return ends_value(c) || begins_comparison(c); });
    if (at_end() || !begins_comparison(text_[at_])) {
      return;
    }
    read_operator(term);
    if (term.comparison == Comparison::equal || term.comparison == Comparison::not_equal) {
      read_values(term, "a value");
      return;
    }
    term.values.push_back(value("a number or a date"));
    if (!number_from(term.values.front().text) && !time_span_from(term.values.front().text)) {
      fail(term.values.front().offset,
           fmt::format("expected a number or a date such as 2024-05-01, found \"{}\"", shortened(term.values.front().text)));
    }
  }

  void read_count(Term& term) {
    if (!take('(')) {
      fail_expecting("( directly after count, as in count(auto,person)>3");
    }
    do {
      skip_spaces();
      term.values.push_back(value(term.values.empty() ? "the name of a set" : "the name of a class"));
      skip_spaces();
    } while (take(','));
    if (!take(')')) {
      fail_expecting(", or ) in count(SET,CLASS,…)");
    }
    read_comparison(term);
  }

  static std::string shortened(std::string_view text) {
    constexpr std::size_t enough = 40;
    return text.size() <= enough ? printable(text) : printable(text.substr(0, enough)) + "…";
  }

  static void adopt(ExpressionNode& parent, ExpressionNode child) {
    parent.asks_labels |= child.asks_labels;
    parent.asks_samples |= child.asks_samples;
    parent.children.push_back(std::move(child));
  }

  /// A parenthesis around one thing is that thing.
  static ExpressionNode simplest(ExpressionNode node) {
    if (node.children.size() != 1) {
      return node;
    }
    ExpressionNode only = std::move(node.children.front());
    return only;
  }

  /// A saved view that this text names.
  struct NamedView {
    std::size_t offset = 0;
    std::optional<Sort> sort;
    std::optional<std::uint64_t> limit;
  };

  ViewSourcePointer source_;
  const SavedViews& saved_;
  int outer_depth_;
  int& term_count_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<NamedView> named_;
  View::Expression result_;
};

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

}  // namespace

Error view_error(const ViewSource& source, std::size_t offset, std::string message) {
  const auto is_first_byte = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80; };
  const auto before = std::ranges::count_if(std::string_view(source.text).substr(0, offset), is_first_byte);
  if (source.used_in != nullptr) {
    const ViewSource* outermost = &source;
    std::size_t used_at = 0;
    while (outermost->used_in != nullptr) {
      used_at = outermost->used_at;
      outermost = outermost->used_in.get();
    }
    return view_error(*outermost, used_at,
                      fmt::format("in the saved view \"{}\", at {}: {}", printable(source.saved_as), before + 1, message));
  }
  return Error(ErrorCode::wrong_use, std::move(message), {{"position", std::to_string(before + 1)}});
}

std::optional<double> number_from(std::string_view text) {
  const std::string word(text);
  double number = 0;
  const char* end = word.data() + word.size();
  const auto [parsed, error] = std::from_chars(word.data(), end, number);
  return error == std::errc() && parsed == end && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::string unknown_name_message(std::string_view what, std::string_view plural, std::string_view name,
                                 const std::vector<std::string_view>& existing) {
  constexpr std::size_t longest_shown = 60;
  constexpr std::size_t most_listed = 20;
  std::string message =
      fmt::format("unknown {} \"{}{}\"", what, printable(name.substr(0, longest_shown)), name.size() > longest_shown ? "…" : "");
  std::string_view nearest;
  std::size_t nearest_distance = std::min<std::size_t>(2, name.size() / 2) + 1;
  const std::string lower_name = lower_case(name);
  for (const std::string_view candidate : existing) {
    if (name.size() > longest_shown || candidate.size() > 2 * longest_shown) {
      continue;
    }
    const std::size_t distance = edit_distance(lower_name, lower_case(candidate));
    if (distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  if (!nearest.empty()) {
    message += fmt::format("; did you mean \"{}\"?", printable(nearest));
  }
  if (existing.empty()) {
    return message + fmt::format("; {}: none exists yet", plural);
  }
  message += fmt::format("; {}:", plural);
  for (std::size_t i = 0; i < std::min(existing.size(), most_listed); ++i) {
    message += fmt::format("{} {}", i == 0 ? "" : ",", printable(existing[i]));
  }
  if (existing.size() > most_listed) {
    message += fmt::format(" and {} more", existing.size() - most_listed);
  }
  return message;
}

View::Expression parse_view(std::string_view text, const SavedViews& saved) {
  int term_count = 0;
  return Parser(std::make_shared<const ViewSource>(ViewSource{std::string(text), "", nullptr, 0}), saved, 0, term_count).parse();
}

std::string view_value(std::string_view name) {
  const bool is_plain = !name.empty() && std::ranges::none_of(name, [](char c) { return ends_value(c) || c == '"' || c == '\\'; });
  if (is_plain) {
    return std::string(name);
  }
  std::string quoted = "\"";
  for (const char c : name) {
    quoted += c == '"' || c == '\\' ? fmt::format("\\{}", c) : std::string(1, c);
  }
  return quoted + '"';
}

}  // namespace verilabel
