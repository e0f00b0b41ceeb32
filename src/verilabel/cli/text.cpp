#include "verilabel/cli/text.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace verilabel::cli {
namespace {

/// Columns a text takes on a terminal: its characters, near enough.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      line += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += (out.empty() ? "" : "\n") + line;
  }
  return out;
}

std::string number_text(std::optional<double> number) {
  return number && std::isfinite(*number) ? fmt::format("{:.4f}", *number) : "-";
}

std::vector<std::string> names_from(std::string_view comma_separated) {
  std::vector<std::string> names;
  std::string name;
  bool is_quoted = false;
  bool was_quoted = false;
  const auto end_name = [&] {
    const std::string_view whole = was_quoted ? std::string_view(name) : trimmed(name);
    if (!whole.empty()) {
      names.emplace_back(whole);
    }
    name.clear();
    was_quoted = false;
  };
  for (const char c : comma_separated) {
    if (c == '"') {
      if (!is_quoted) {
        name.clear();
      }
      is_quoted = !is_quoted;
      was_quoted = true;
    } else if (c == ',' && !is_quoted) {
      end_name();
    } else if (is_quoted || !was_quoted) {
      name += c;
    }
  }
  end_name();
  return names;
}

}  // namespace verilabel::cli
