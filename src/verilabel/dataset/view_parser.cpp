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

/// Terms that other tools or later versions have: an answer that says so beats "unknown".
constexpr std::array<std::string_view, 6> kReservedTerms = {"outcome", "error", "iou", "eval", "brightness", "field"};

std::string list_of_terms() {
  std::string names;
  for (const ViewTerm& term : view_terms()) {
    names += names.empty() ? "" : ", ";
    names += term.name;
  }
  return names;
}

/// Recursive descent:
///   any_of = all_of { "|" all_of }
///   all_of = factor { space factor }
///   factor = [ "-" ] ( term | "(" any_of ")" )
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  View::Expression parse() {
    require_utf8();
    result_.text = text_;
    skip_spaces();
    result_.root = any_of(0);
    if (!at_end()) {
      fail(at_, "this ) closes nothing; remove it, or quote the name that holds it");
    }
    return std::move(result_);
  }

 private:
  [[noreturn]] void fail(std::size_t offset, std::string message) const { throw view_error(text_, offset, std::move(message)); }

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
      if (depth == kMaxDepth) {
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
    if (++term_count_ > kMaxTerms) {
      fail(begin, fmt::format("more than {} terms; join values of one term with commas, as in class:car,bus", kMaxTerms));
    }
    if (definition->about.subject == TermSubject::whole) {
      whole_term(*definition, begin, depth, is_negated);
      return std::nullopt;
    }
    ExpressionNode node;
    node.kind = ExpressionNode::Kind::term;
    node.asks_labels = definition->about.subject == TermSubject::label;
    node.asks_samples = definition->about.subject == TermSubject::sample;
    node.term.definition = definition;
    read_operand(node.term);
    result_.sees_every_status |= definition->about.name == "status";
    return node;
  }

  static std::string unknown_term(std::string_view name) {
    if (std::ranges::find(kReservedTerms, name) != kReservedTerms.end()) {
      return fmt::format("the term \"{}\" is not available yet; the terms are {}", name, list_of_terms());
    }
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
      case TermForm::count:
        read_count(term);
        break;
      case TermForm::sort:
      case TermForm::limit:
        break;
    }
  }

  void whole_term(const TermDefinition& definition, std::size_t begin, int depth, bool is_negated) {
    const bool is_sort = definition.form == TermForm::sort;
    const std::string_view name = definition.about.name;
    if (depth > 0) {
      fail(begin, fmt::format("{} is about the whole answer; expected it outside the parentheses", name));
    }
    if (is_sort ? result_.sort != nullptr : result_.limit.has_value()) {
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
    const TermValue wanted = value(fmt::format("one of {}", fmt::join(names, ", ")));
    const auto found = std::ranges::find(sort_columns(), wanted.text, &SortColumn::name);
    if (found == sort_columns().end()) {
      fail(wanted.offset, unknown_name_message("sort column", "expected one of", wanted.text, names));
    }
    result_.sort = &*found;
    result_.is_descending = is_negated;
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
  TermValue value(std::string_view what) {
    TermValue result;
    result.offset = at_;
    while (!at_end() && !ends_value(text_[at_])) {
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

  void read_comparison(Term& term) {
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

  std::string_view text_;
  std::size_t at_ = 0;
  int term_count_ = 0;
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

Error view_error(std::string_view view_text, std::size_t offset, std::string message) {
  const auto is_first_byte = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80; };
  const auto before = std::ranges::count_if(view_text.substr(0, offset), is_first_byte);
  return Error(ErrorCode::wrong_use, std::move(message), {{"position", std::to_string(before + 1)}});
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

View::Expression parse_view(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace verilabel
