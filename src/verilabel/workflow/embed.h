#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/progress.h"
#include "verilabel/models/embedder.h"
#include "verilabel/pipeline/object_crop.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// Which vectors are to be made.
struct EmbedOptions {
  std::string model;  ///< as `locate_model` takes it: a file, a folder, or a name on the hub
  std::string name;   ///< what the vectors are called: letters, digits, - and _
  std::string set;    ///< vectors of this set's objects that stand; empty for vectors of whole images
  std::string where;  ///< which samples, and with a set which labels; empty for all
  Pooling pooling = Pooling::usual;
  CropOptions crop{.margin = 0, .is_masked = false};  ///< how an object is cut out
  std::string engine = "openvino";
  std::string device = "cpu";
  int batch = 0;  ///< images that go through the model together; 0 for what suits it

  /// Throws `wrong_use`.
  void validate() const;
};

struct EmbedFailure {
  std::string path;
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// asked = there before + added + failed + left when it was interrupted.
struct EmbedReport {
  std::string name;
  std::string subject;  ///< samples or labels
  std::size_t dimensions = 0;
  std::int64_t asked = 0;
  std::int64_t unchanged = 0;  ///< that had a vector before
  std::int64_t added = 0;
  std::int64_t failed = 0;
  std::vector<EmbedFailure> failures;  ///< by image
  double images_per_second = 0;
  std::string device;
  std::vector<std::string> notes;
  bool is_interrupted = false;
};

/// Makes a vector of each image of a view, or of each object of a set, and adds it to the project's file of that name; what has one
/// keeps it, so that a run that was stopped goes on when it is asked for again. Throws `conflict` for a name whose vectors come
/// from another model, `not_found`, and what the model cannot do.
EmbedReport embed(Project& project, const EmbedOptions& options, const ProgressSink& progress, const CancelToken& cancel);

}  // namespace verilabel
