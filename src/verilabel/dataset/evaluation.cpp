#include "verilabel/dataset/evaluation.h"

#include <array>

namespace verilabel {
namespace {

constexpr std::array<std::string_view, kOutcomes> kOutcomeNames = {"tp", "fp", "fn", "ignored"};
constexpr std::array<std::string_view, kErrorKinds> kErrorNames = {"none",      "classification", "localization", "both",
                                                                   "duplicate", "background",     "missed"};

}  // namespace

std::string_view name_of(Outcome outcome) {
  return kOutcomeNames[static_cast<std::size_t>(outcome)];
}

std::string_view name_of(ErrorKind kind) {
  return kErrorNames[static_cast<std::size_t>(kind)];
}

}  // namespace verilabel
