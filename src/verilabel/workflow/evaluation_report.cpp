#include "verilabel/workflow/evaluation_report.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/image/thumbnail.h"
#include "verilabel/workflow/evaluation_document.h"
#include "verilabel/workflow/report.h"

namespace verilabel {

bool is_report_json(const std::filesystem::path& file) {
  const std::filesystem::path extension = file.extension();
  if (extension == ".json") {
    return true;
  }
  if (extension != ".html" && extension != ".htm") {
    throw Error(ErrorCode::wrong_use, "a report is an HTML page or JSON: give it a name that ends in .html, .htm or .json",
                {{"file", file.native()}});
  }
  return false;
}

namespace {

std::string thumbnail_url(const JudgedImage& image) {
  if (image.path.empty()) {
    return "";
  }
  try {
    const std::string jpeg = thumbnail_jpeg(image.path);
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(jpeg.data()), jpeg.size());
    return "data:image/jpeg;base64," + base64_from_bytes(bytes);
  } catch (const Error&) {
    return "";  // moved, deleted or broken since: the page draws the boxes on an empty ground
  }
}

/// `document_with` gives the JSON document with such thumbnails.
template <typename Result, typename Document>
void write_report(const std::filesystem::path& file, const Result& result, const Document& document_with) {
  if (!result.details) {
    throw Error(ErrorCode::wrong_use, "a report shows the details of an evaluation: ask for them");
  }
  if (is_report_json(file)) {
    replace_file(file, document_with(std::function<std::string(const JudgedImage&)>()));
  } else {
    replace_file(file, report_page(document_with(&thumbnail_url)));
  }
}

}  // namespace

void write_evaluation_report(const std::filesystem::path& file, const SetEvaluation& result, const EvaluateSetsOptions& options) {
  write_report(file, result, [&](const auto& thumbnail_of) { return evaluation_json(result, options, thumbnail_of); });
}

void write_evaluation_report(const std::filesystem::path& file, const SetClassification& result,
                             const EvaluateSetsOptions& options) {
  write_report(file, result, [&](const auto& thumbnail_of) { return classification_json(result, options, thumbnail_of); });
}

}  // namespace verilabel
