#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/base/progress.h"

namespace verilabel {

struct VerifyOptions {
  std::string model;                              ///< as `locate_model` takes it
  std::optional<std::filesystem::path> manifest;  ///< instead of the one beside the model
  std::string engine = "openvino";
  std::string device = "cpu";
  int batch = 0;       ///< images that go through the model together; 0 for what suits model and device
  double seconds = 3;  ///< how long it is made to work

  /// Throws `wrong_use`.
  void validate() const;
};

struct VerifyReport {
  struct Check {
    std::string name;  ///< "files", "load", "device", "run", "answer", "repeat"
    bool is_good = false;
    std::string message;  ///< what was found
  };
  std::string name;  ///< of the model, as a run remembers it
  std::string family;
  std::string engine;
  std::string engine_version;  ///< of its library; empty when it did not start
  std::string device;          ///< that really ran; empty when nothing did
  std::int64_t images = 0;
  double images_per_second = 0;         ///< end to end, from a JPEG file to what the model says
  std::uint64_t peak_memory_bytes = 0;  ///< of the whole process
  std::vector<Check> checks;            ///< in their order; what builds on a check that failed is left out
  std::vector<std::string> notes;

  bool is_good() const;
};

/// Tries a model on this machine: that files from the hub have the hashes they were fetched by, that the graph loads on the device
/// and is of a family that is known, that it runs on an image made for the purpose, and that what it says is possible (finite
/// scores from 0 to 1, boxes within the image, vectors of length 1) and the same each time. What goes wrong is in the report.
/// Throws `not_found` for a model that is not there, and `wrong_use`.
VerifyReport verify_model(const VerifyOptions& options, const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
