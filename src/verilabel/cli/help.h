#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}

namespace verilabel::cli {

/// Help in lines of at most 120 columns, examples and longer words aside. What an option needs, and what it does not go together
/// with, stands behind its description; one that goes together with hardly any other says so itself.
std::shared_ptr<CLI::FormatterBase> help_formatter();

}  // namespace verilabel::cli
