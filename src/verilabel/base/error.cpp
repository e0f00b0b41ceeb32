#include "verilabel/base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace verilabel {
namespace {

constexpr std::array kErrorCodes = {
    ErrorCodeInfo{ErrorCode::wrong_use, "wrong_use", 2, 400, "ValueError"},
    ErrorCodeInfo{ErrorCode::not_found, "not_found", 3, 404, "FileNotFoundError"},
    ErrorCodeInfo{ErrorCode::bad_data, "bad_data", 4, 422, "ValueError"},
    ErrorCodeInfo{ErrorCode::bad_model, "bad_model", 5, 422, "ValueError"},
    ErrorCodeInfo{ErrorCode::unsupported, "unsupported", 6, 501, "NotImplementedError"},
    ErrorCodeInfo{ErrorCode::conflict, "conflict", 7, 409, "RuntimeError"},
    ErrorCodeInfo{ErrorCode::newer_version, "newer_version", 8, 409, "RuntimeError"},
    ErrorCodeInfo{ErrorCode::io, "io", 9, 500, "OSError"},
    ErrorCodeInfo{ErrorCode::engine, "engine", 10, 500, "RuntimeError"},
    ErrorCodeInfo{ErrorCode::interrupted, "interrupted", 130, 499, "KeyboardInterrupt"},
    ErrorCodeInfo{ErrorCode::internal, "internal", 11, 500, "RuntimeError"},
};

}  // namespace

std::span<const ErrorCodeInfo> error_codes() {
  return kErrorCodes;
}

const ErrorCodeInfo& info(ErrorCode code) {
  return kErrorCodes[static_cast<std::size_t>(code)];
}

Error::Error(ErrorCode code, std::string message, ErrorContext context)
    : code_(code), message_(std::move(message)), context_(std::move(context)), what_(message_) {
  for (std::size_t i = 0; i < context_.size(); ++i) {
    what_ += fmt::format("{}{}: {}", i == 0 ? " (" : ", ", context_[i].first, context_[i].second);
  }
  if (!context_.empty()) {
    what_ += ")";
  }
}

Error Error::with(std::string name, std::string value) const {
  ErrorContext context = context_;
  if (std::ranges::find(context, name, &ErrorContext::value_type::first) != context.end()) {
    return *this;
  }
  context.emplace(context.begin(), std::move(name), std::move(value));
  return {code_, message_, std::move(context)};
}

Error io_error(std::string_view what, std::string_view path, int system_errno) {
  const ErrorCode code = system_errno == ENOENT ? ErrorCode::not_found : ErrorCode::io;
  return {code, fmt::format("{}: {}", what, std::generic_category().message(system_errno)), {{"path", std::string(path)}}};
}

}  // namespace verilabel
