#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace verilabel::cli {

/// A table of text: the first column to the left, the others to the right, as wide as they must be.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  /// As many cells as the header has.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.size() == 1; }
  /// Without a line break at the end.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// The text in lines of at most so many columns, broken at blanks; words that are longer stay whole. What belongs to a line begins
/// where the line does, or, of an entry of a list, "name  what it is", below what it is.
std::string wrapped(std::string_view text, std::size_t columns);

/// Four decimals, or a dash for what is undefined.
std::string number_text(std::optional<double> number);

/// "1 truth", "2 truths"; of other nouns than with an s, `many` says all but one.
std::string counted(std::int64_t count, std::string_view one, std::string_view many = {});

/// The words as one line that a shell takes for them again, with single quotes where they are needed.
std::string shell_line(std::span<const std::string> words);

/// "car, bus, \"traffic light\"" as a list of names, without blanks around them. Throws `wrong_use`, naming the option and the
/// place, for an empty name, a quote inside a name and one that is not closed.
std::vector<std::string> names_from(std::string_view comma_separated, std::string_view option);

}  // namespace verilabel::cli
