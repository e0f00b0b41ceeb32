#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace verilabel {

/// Why an operation ended. One table (`error_codes()`) maps each to its name, exit status, HTTP status and Python exception.
enum class ErrorCode : std::uint8_t {
  wrong_use,      ///< the caller asked for something that cannot be asked: bad option, unknown class, bad view text
  not_found,      ///< a file, project, set, run or model that does not exist
  bad_data,       ///< a file, or an answer of a hub, that is not what it claims to be: truncated, mistyped, out of range
  bad_model,      ///< a model file that cannot be read, or whose graph fits no known family
  unsupported,    ///< understood, but deliberately not handled
  conflict,       ///< true state forbids it now: a run that is alive, a project that exists already, terms that were not accepted
  newer_version,  ///< written by a newer verilabel
  io,             ///< the operating system or the network refused: full disk, read-only folder, no permission, no connection
  engine,         ///< the inference engine failed, or did not use the device that was asked for
  interrupted,    ///< the user stopped it
  internal,       ///< a broken promise of ours; please report
};

struct ErrorCodeInfo {
  ErrorCode code;
  std::string_view name;  ///< as in JSON
  int exit_status;
  int http_status;
  std::string_view python_exception;
};

/// One row for each `ErrorCode`, in its order.
std::span<const ErrorCodeInfo> error_codes();
const ErrorCodeInfo& info(ErrorCode code);

/// Where it happened, as (name, value) pairs in the order of interest: file, line, field, sample, …
using ErrorContext = std::vector<std::pair<std::string, std::string>>;

/// The one exception of the library. Thrown for what ends an operation, caught only at the edges. The message names what is wrong
/// and what to do about it; the context names where.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, ErrorContext context = {});

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const ErrorContext& context() const { return context_; }
  /// The same error with one more pair in front of its context; used where an outer layer knows the file or the sample.
  Error with(std::string name, std::string value) const;
  /// The message followed by the context in parentheses.
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  ErrorContext context_;
  std::string what_;
};

/// An `io` error for `what` at `path` that carries the system's reason for `system_errno`; `not_found` for ENOENT.
Error io_error(std::string_view what, std::string_view path, int system_errno);

}  // namespace verilabel
