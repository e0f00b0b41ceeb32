#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"

namespace verilabel {

/// Shares of images and of labels that are made faulty on purpose, each from 0 to 0.2.
struct DemoFaults {
  double exact_duplicates = 0.02;  ///< of images: an earlier file again, byte for byte
  double near_duplicates = 0.03;   ///< of images: an earlier picture recompressed, cropped, brightened or halved
  double dark = 0.02;              ///< of images
  double blurred = 0.02;           ///< of images
  double mislabelled = 0.04;       ///< of the human's labels
  double missing = 0.04;
  double shifted = 0.04;
  double doubled = 0.02;

  /// Throws `wrong_use`.
  void validate() const;
};

struct DemoOptions {
  std::int64_t images = 400;
  std::uint64_t seed = 1;
  int long_side_px = 640;            ///< the longest that an image has; from 160 to 2048
  std::vector<std::string> only;     ///< conditions: of a field that is named here, no other values
  std::vector<std::string> without;  ///< conditions, kinds ("bus"), and kinds in a color ("red car") that there shall be none of
  std::vector<std::string> classes;  ///< what asked.json is about: kinds and kinds in a color; empty for no such file
  DemoFaults faults;
  double val_share = 0.2;  ///< of images that are in the split `val`; the others are in `train`
  unsigned threads = 0;    ///< 0: one for each processor

  /// Throws `wrong_use`.
  void validate() const;
};

/// What was made.
struct DemoReport {
  std::filesystem::path folder;
  std::int64_t images = 0;
  std::int64_t labels = 0;                                         ///< in truth.json
  std::int64_t human_labels = 0;                                   ///< in human.json
  std::int64_t asked_labels = 0;                                   ///< in asked.json
  std::vector<std::pair<std::string_view, std::int64_t>> planted;  ///< how many of each, in the order of the manifest
};

/// Draws a world of images with exact truth, a human's faulty labels and a manifest of all faults into `folder`, which must not
/// exist or be empty; docs/demo.md says what is in it. The same options give the same pixels and the same texts, whatever the
/// number of threads; with more images the first ones stay as they are. The folder is put in place when it is complete. Throws
/// `wrong_use`, `conflict` for a folder with something in it, `io`, and `interrupted`, after which nothing is left.
DemoReport create_demo(const std::filesystem::path& folder, const DemoOptions& options, const ProgressSink& progress = {},
                       const CancelToken& cancel = {});

/// For help texts: the names of all kinds of object, and "scene: street, park, ..." for each field of conditions.
std::vector<std::string_view> demo_kinds();
std::vector<std::string> demo_conditions();

}  // namespace verilabel
