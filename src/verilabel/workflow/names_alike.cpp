#include "verilabel/workflow/names_alike.h"

#include <cstdint>
#include <unordered_map>

#include "verilabel/dataset/row_flags.h"
#include "verilabel/text/letter_case.h"

namespace verilabel {
namespace {

std::string plain_name(const std::string& name) {
  std::string plain = lowercase(name);
  std::erase_if(plain, [](char c) { return c == ' ' || c == '-' || c == '_'; });
  return plain;
}

}  // namespace

std::vector<NamesAlike> names_alike(const EvaluationInput& input) {
  const std::vector<std::string>& names = input.classes.name;
  const std::vector<std::uint8_t> has_truths = flags_of(input.truths.category, names.size());
  const std::vector<std::uint8_t> has_predictions = flags_of(input.predictions.category, names.size());
  std::unordered_map<std::string, std::vector<std::size_t>> by_plain_name;
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (has_truths[k] != 0 || has_predictions[k] != 0) {
      by_plain_name[plain_name(names[k])].push_back(k);
    }
  }
  std::vector<NamesAlike> alike;
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (has_truths[k] == 0) {
      continue;
    }
    for (const std::size_t other : by_plain_name.at(plain_name(names[k]))) {
      const bool is_apart = has_predictions[k] == 0 || has_truths[other] == 0;
      if (other != k && has_predictions[other] != 0 && is_apart) {
        alike.push_back({names[k], names[other]});
      }
    }
  }
  return alike;
}

}  // namespace verilabel
