#include "verilabel/cli/console.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <iterator>

#include <fmt/format.h>
#include <unistd.h>

#include "verilabel/base/json_writer.h"

namespace verilabel::cli {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval{100};
constexpr std::chrono::seconds kLogInterval{5};

void write_line(std::FILE* stream, std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stream);
  std::fputc('\n', stream);
}

}  // namespace

Console::Console(bool is_json) : is_json_(is_json), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Console::Console(bool is_json, std::string& json) : Console(is_json) {
  json_ = &json;
}

void Console::say(std::string_view line) {
  if (!is_json_) {
    end_progress();
    put(line);
    put("\n");
  }
}

void Console::hint(std::string_view line) {
  if (json_ == nullptr) {
    say(line);
  }
}

void Console::write_json(std::string_view json) {
  if (!is_json_) {
    return;
  }
  if (json_ != nullptr) {
    *json_ += json;
  } else {
    put(json);
  }
}

void Console::put(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && output_errno_ == 0) {
    output_errno_ = errno;
  }
}

void Console::finish() {
  end_progress();
  if (std::fflush(stdout) != 0 && output_errno_ == 0) {
    output_errno_ = errno;
  }
  if (output_errno_ != 0 && output_errno_ != EPIPE) {
    throw io_error("the answer could not be written", "standard output", output_errno_);
  }
}

void Console::note(std::string_view line) {
  end_progress();
  std::fflush(stdout);  // so that both are in order where they go to one place; `finish` tells of a failure
  write_line(stderr, line);
}

void Console::fail(const Error& error) {
  end_progress();
  if (is_json_) {
    std::string out;
    JsonWriter json(out);
    json.begin_object().key("error").begin_object().field("code", info(error.code()).name).field("message", error.message());
    json.key("context").begin_object();
    for (const auto& [name, value] : error.context()) {
      json.field(name, value);
    }
    json.end_object().end_object().end_object();
    write_line(stdout, out);
  }
  std::string text = fmt::format("verilabel: {}", error.message());
  for (const auto& [name, value] : error.context()) {
    fmt::format_to(std::back_inserter(text), "\n  {}: {}", name, value);
  }
  write_line(stderr, text);
}

ProgressSink Console::progress() {
  return [this](const Progress& progress) { show(progress); };
}

void Console::show(const Progress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (stage_ != progress.stage) {
    stage_ = progress.stage;
    stage_started_ = now;
    first_count_ = progress.done + progress.failed;
    last_shown_ = is_terminal_ ? std::chrono::steady_clock::time_point{} : now;
  }
  const bool is_last = progress.total > 0 && progress.done + progress.failed >= progress.total;
  if (now - last_shown_ < (is_terminal_ ? std::chrono::nanoseconds(kTerminalInterval) : kLogInterval) &&
      !(is_last && is_terminal_)) {
    return;
  }
  last_shown_ = now;
  const std::string text = progress_text(progress, first_count_, std::chrono::duration<double>(now - stage_started_).count());
  if (is_terminal_) {
    fmt::print(stderr, "\r\033[K{}", text);
    std::fflush(stderr);
    has_open_line_ = true;
  } else {
    write_line(stderr, text);
  }
}

void Console::end_progress() {
  if (has_open_line_) {
    std::fputc('\n', stderr);
    has_open_line_ = false;
  }
}

std::string progress_text(const Progress& progress, std::int64_t first_count, double seconds) {
  const bool is_bytes = progress.unit == "bytes";
  const auto count_text = [&](std::int64_t count) {
    return is_bytes ? bytes_text(static_cast<double>(count)) : std::to_string(count);
  };
  const std::int64_t finished = progress.done + progress.failed;
  std::string text = fmt::format("{}: {} done", progress.stage, count_text(progress.done));
  if (progress.failed > 0) {
    text += fmt::format(", {} failed", progress.failed);
  }
  if (progress.total > 0) {
    text += fmt::format(" of {}", count_text(progress.total));
  }
  if (!is_bytes) {
    text += fmt::format(" {}", progress.unit);
  }
  const std::int64_t since = finished - first_count;
  if (since > 0 && seconds > 0) {
    const double rate = static_cast<double>(since) / seconds;
    text += is_bytes ? fmt::format(", {}/s", bytes_text(rate)) : fmt::format(", {:.1f} {}/s", rate, progress.unit);
    if (progress.total > finished) {
      text += fmt::format(", {} left", duration_text(static_cast<double>(progress.total - finished) / rate));
    }
  }
  return text;
}

std::string bytes_text(double bytes) {
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB"};
  constexpr double kStep = 1000;
  if (bytes < kStep) {
    return fmt::format("{:.0f} bytes", bytes);
  }
  std::size_t unit = 0;
  bytes /= kStep;
  while (bytes >= kStep && unit + 1 < kUnits.size()) {
    bytes /= kStep;
    ++unit;
  }
  return fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole < 60) {
    return fmt::format("{} s", whole);
  }
  if (whole < 3600) {
    return fmt::format("{} min {} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace verilabel::cli
