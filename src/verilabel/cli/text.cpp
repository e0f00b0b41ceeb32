#include "verilabel/cli/text.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "verilabel/base/error.h"

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

std::string wrapped(std::string_view text, std::size_t columns) {
  std::string out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const std::size_t start = std::min(line.find_first_not_of(' '), line.size());
    const std::size_t gap = line.find("  ", start);
    const std::string_view entry = line.substr(0, gap == std::string_view::npos ? start : line.find_first_not_of(' ', gap));
    const std::size_t indent = width_of(entry);
    out += (begin == 0 ? "" : "\n") + std::string(entry);
    std::size_t column = indent;
    for (std::size_t word_begin = entry.size(); word_begin < line.size();) {
      const std::size_t word_end = std::min(line.find(' ', word_begin), line.size());
      const std::string_view word = line.substr(word_begin, word_end - word_begin);
      if (column > indent && column + 1 + width_of(word) > columns) {
        out += "\n" + std::string(indent, ' ');
        column = indent;
      }
      out += (column > indent ? " " : "") + std::string(word);
      column += width_of(word) + (column > indent ? 1 : 0);
      word_begin = word_end + 1;
    }
    begin = end + 1;
  }
  return out;
}

std::string number_text(std::optional<double> number) {
  return number && std::isfinite(*number) ? fmt::format("{:.4f}", *number) : "-";
}

std::string counted(std::int64_t count, std::string_view one, std::string_view many) {
  const std::string more = many.empty() ? fmt::format("{}s", one) : std::string(many);
  return fmt::format("{} {}", count, count == 1 ? one : more);
}

std::string shell_line(std::span<const std::string> words) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,@%=";
  std::string line;
  for (const std::string& word : words) {
    line += line.empty() ? "" : " ";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) {
      line += c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1);
    }
    line += '\'';
  }
  return line;
}

std::vector<std::string> names_from(std::string_view comma_separated, std::string_view option) {
  std::vector<std::string> names;
  const auto require = [&](bool holds, std::string_view fault) {
    if (!holds) {
      throw Error(ErrorCode::wrong_use, fmt::format("{} {}", option, fault),
                  {{"name", fmt::format("number {}", names.size() + 1)}});
    }
  };
  const auto add = [&](std::string_view name) {
    const bool is_quoted = name.size() > 1 && name.starts_with('"') && name.ends_with('"');
    name = is_quoted ? name.substr(1, name.size() - 2) : name;
    require(name.find('"') == std::string_view::npos, "has a quote inside a name; put quotes around the whole name");
    require(!trimmed(name).empty(), "has an empty name; a comma too many?");
    names.emplace_back(name);
  };
  std::size_t begin = 0;
  bool is_quoted = false;
  for (std::size_t i = 0; i < comma_separated.size(); ++i) {
    if (comma_separated[i] == '"') {
      is_quoted = !is_quoted;
    } else if (comma_separated[i] == ',' && !is_quoted) {
      add(trimmed(comma_separated.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  require(!is_quoted, "has a quote that is not closed");
  add(trimmed(comma_separated.substr(begin)));
  return names;
}

}  // namespace verilabel::cli
