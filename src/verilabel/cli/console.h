#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "verilabel/base/error.h"
#include "verilabel/base/progress.h"

namespace verilabel::cli {

/// What a command says, and where: the answer on standard output, everything else on standard error. With `--json` the answer is
/// one document and nothing else.
class Console {
 public:
  explicit Console(bool is_json);
  /// For a command that another one runs as a part of itself: with `is_json` the answer is added to `json`, which must outlive the
  /// console, and hints are left out.
  Console(bool is_json, std::string& json);

  bool is_json() const { return is_json_; }
  /// The answer for people; silent with `--json`.
  void say(std::string_view line);
  /// What may be typed next, for people.
  void hint(std::string_view line);
  /// The answer for programs; silent without `--json`. Call once, or in parts that make one document.
  void write_json(std::string_view json);
  /// Something to know that is not the answer.
  void note(std::string_view line);
  void fail(const Error& error);
  /// Brings out what was said. Throws `io` when standard output took less than that, unless whoever read it has gone.
  void finish();

  /// A line that rewrites itself on a terminal: what is done, failed and left, the rate and the time left. Elsewhere a line every
  /// few seconds. The console must outlive the sink.
  ProgressSink progress();
  /// Ends the progress line, so that what follows starts on a line of its own. Keeps what it showed last.
  void end_progress();

 private:
  void show(const Progress& progress);
  void put(std::string_view text);

  bool is_json_;
  std::string* json_ = nullptr;  ///< where the answer for programs goes instead of standard output
  bool is_terminal_;
  bool has_open_line_ = false;
  int output_errno_ = 0;  ///< of the first write that failed
  std::string stage_;
  std::int64_t first_count_ = 0;
  std::chrono::steady_clock::time_point stage_started_;
  std::chrono::steady_clock::time_point last_shown_;
};

/// The text of a progress line: "labelling: 120 done, 3 failed of 492 images, 35.2 images/s, 10 s left". `seconds` have passed
/// since `first_count` items were finished.
std::string progress_text(const Progress& progress, std::int64_t first_count, double seconds);

/// "512 bytes", "4.2 kB", "1.3 GB": a thousand to the next.
std::string bytes_text(double bytes);

/// "8 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace verilabel::cli
