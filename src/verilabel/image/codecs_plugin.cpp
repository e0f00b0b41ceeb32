#include <fmt/format.h>

#include <cstring>
#include <exception>
#include <iostream>
#include <limits>
#include <opencv2/core/utility.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <streambuf>
#include <string>

#include "verilabel/image/codecs.h"

namespace verilabel {
namespace {

/// imgcodecs reports failures by writing to std::cerr. This buffer keeps what the decoding thread writes and passes on all the
/// rest.
class CapturingBuffer : public std::streambuf {
 public:
  explicit CapturingBuffer(std::streambuf* original) : original_(original) {}

  static thread_local std::string* captured;

 protected:
  int_type overflow(int_type symbol) override {
    if (traits_type::eq_int_type(symbol, traits_type::eof())) {
      return traits_type::not_eof(symbol);
    }
    if (captured == nullptr) {
      return original_->sputc(traits_type::to_char_type(symbol));
    }
    captured->push_back(traits_type::to_char_type(symbol));
    return symbol;
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    if (captured == nullptr) {
      return original_->sputn(text, size);
    }
    captured->append(text, static_cast<std::size_t>(size));
    return size;
  }
  int sync() override { return captured == nullptr ? original_->pubsync() : 0; }

 private:
  std::streambuf* original_;
};

thread_local std::string* CapturingBuffer::captured = nullptr;

/// Captures for its lifetime, on this thread.
class Capture {
 public:
  explicit Capture(std::string& text) { CapturingBuffer::captured = &text; }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() { CapturingBuffer::captured = nullptr; }
};

/// OpenCV's "file:line: error: (-2:…) reason in function …" down to the reason.
std::string reason_of(std::string_view report) {
  if (const std::size_t start = report.find("error: ("); start != std::string_view::npos) {
    report.remove_prefix(start + 7);
    if (const std::size_t end = report.find(") "); end != std::string_view::npos) {
      report.remove_prefix(end + 2);
    }
  }
  report = report.substr(0, report.find(" in function"));
  report = report.substr(0, report.find('\n'));
  return std::string(report);
}

void put_message(const std::string& text, char* message, std::size_t message_bytes) {
  const std::size_t size = std::min(text.size(), message_bytes - 1);
  std::memcpy(message, text.data(), size);
  message[size] = '\0';
}

bool decode_content(const std::uint8_t* content, std::size_t content_bytes, int width, int height, std::uint8_t* bgr, char* message,
                    std::size_t message_bytes) {
  std::string report;
  try {
    if (content_bytes > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      put_message("the file is larger than 2 GiB", message, message_bytes);
      return false;
    }
    const cv::Mat input(1, static_cast<int>(content_bytes), CV_8UC1, const_cast<std::uint8_t*>(content));
    cv::Mat output(height, width, CV_8UC3, bgr);
    cv::Mat decoded;
    {
      const Capture capture(report);
      decoded = cv::imdecode(input, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION, &output);
    }
    if (decoded.empty()) {
      put_message(reason_of(report), message, message_bytes);
      return false;
    }
    if (decoded.cols != width || decoded.rows != height || decoded.type() != CV_8UC3) {
      put_message(fmt::format("the decoder gives {} x {} pixels", decoded.cols, decoded.rows), message, message_bytes);
      return false;
    }
    if (decoded.data != bgr) {
      decoded.copyTo(cv::Mat(height, width, CV_8UC3, bgr));
    }
    return true;
  } catch (const std::exception& error) {
    put_message(reason_of(error.what()), message, message_bytes);
    return false;
  }
}

}  // namespace
}  // namespace verilabel

/// Called once by the host, before any other thread may use the table.
extern "C" __attribute__((visibility("default"))) const verilabel::CodecTable* verilabel_codecs() {
  static const verilabel::CodecTable kTable{verilabel::CodecTable::kVersion, verilabel::decode_content};
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  cv::setNumThreads(0);
  // Never taken out again: another thread may be writing through it. The plug-in is never unloaded either.
  static verilabel::CapturingBuffer* const kBuffer = [] {
    auto* buffer = new verilabel::CapturingBuffer(std::cerr.rdbuf());
    std::cerr.rdbuf(buffer);
    return buffer;
  }();
  static_cast<void>(kBuffer);
  return &kTable;
}
