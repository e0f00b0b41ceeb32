#include "verilabel/cli/help.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "verilabel/cli/text.h"

namespace verilabel::cli {
namespace {

constexpr std::size_t kColumns = 120;
/// An option that excludes more others than these says so in its description.
constexpr std::size_t kMostExcluded = 4;

/// "(needs --a, --b)" with a blank before it, of those of the options that the text does not name; else nothing.
std::string remark(std::string_view text, std::string_view what, const std::set<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (const CLI::Option* option : options) {
    if (text.find(option->get_name()) == std::string_view::npos) {
      names.push_back(option->get_name());
    }
  }
  std::ranges::sort(names);  // the set is in the order of addresses
  return names.empty() ? "" : fmt::format(" ({} {})", what, fmt::join(names, ", "));
}

class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
};

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) {
    return "";
  }
  // "INT:INT in [0 - 9]" with a check of CLI11, ":{one,two}" with a choice of words.
  std::string text = option->get_type_name();
  text = text.starts_with(':') ? text.substr(1) : text.substr(0, text.find(':'));
  if (!option->get_default_str().empty()) {
    text += "=" + option->get_default_str();
  }
  if (option->get_expected_max() == CLI::detail::expected_max_vector_size) {
    text += " ...";
  }
  return " " + text + (option->get_required() ? " REQUIRED" : "");
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  const std::string& text = option->get_description();
  std::set<CLI::Option*> excluded = option->get_excludes();
  if (excluded.size() > kMostExcluded) {
    excluded.clear();
  }
  std::erase_if(excluded, [](const CLI::Option* other) { return other->get_excludes().size() > kMostExcluded; });
  const std::string remarks = remark(text, "needs", option->get_needs()) + remark(text, "not with", excluded);
  return wrapped(text + remarks, kColumns - get_column_width());
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::string lines;
  const std::string text = wrapped(command->get_description(), kColumns - get_column_width());
  std::string name = fmt::format("  {}", command->get_name());
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines += fmt::format("{:<{}}{}\n", name, get_column_width(), text.substr(begin, end - begin));
    name.clear();
    begin = end + 1;
  }
  return lines;
}

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  return std::make_shared<HelpFormatter>();
}

}  // namespace verilabel::cli
