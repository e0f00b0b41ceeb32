#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/dataset/label.h"

namespace verilabel {

struct ExportClass {
  std::string name;
  std::string source_json;  ///< as imported, or empty
};

struct ExportImage {
  std::string name;            ///< as the dataset calls it, unique in the project; `/` between folders
  std::filesystem::path path;  ///< absolute; where the file is
  std::int32_t width = 0;      ///< pixels of the upright image; 0 when unknown
  std::int32_t height = 0;
  std::string split;        ///< empty when it has none
  std::string source_json;  ///< as imported, or empty
  SampleState state = SampleState::labelled;
  bool is_missing = false;  ///< there is no file at `path`
  std::vector<std::string> tags = {};
  std::string fields_json = {};  ///< a JSON object of sample fields, whose values are texts, numbers, true and false; or empty
};

struct ExportLabel {
  std::int32_t class_index = 0;  ///< into `ExportSource::classes`
  Label label;                   ///< effective; `class_id` is not looked at
  std::vector<std::string> tags = {};
};

/// What is to be exported. Writers ask for images by index in increasing order, and may start over.
class ExportSource {
 public:
  virtual ~ExportSource() = default;
  virtual std::vector<ExportClass> classes() = 0;
  /// As given to `ImportSink::on_dataset_json`, or empty.
  virtual std::string dataset_json() = 0;
  virtual std::int64_t image_count() = 0;
  virtual ExportImage image(std::int64_t index) = 0;
  /// The labels of that image in the order in which they are to be written; none unless its state is `labelled`.
  virtual std::vector<ExportLabel> labels(std::int64_t index) = 0;
};

/// How image files get into an export that has a folder for them.
enum class ImageTransfer : std::uint8_t {
  reference,  ///< not at all: the export names the files where they are
  copy,
  hard_link,      ///< needs the same file system
  symbolic_link,  ///< with an absolute target
  relative_link,  ///< symbolic, with a target relative to the link, so that both can move together
};
std::string_view name_of(ImageTransfer transfer);

struct WriteOptions {
  ImageTransfer images = ImageTransfer::reference;
  bool with_unlabelled = false;  ///< also list images that are not labelled, which most trainers take for empty ones
  bool with_confidence = false;  ///< where it is one more column (YOLO, KITTI), which trainers do not read; others always keep it
  std::optional<std::string> default_split =
      {};                               ///< of images without a split, for formats that need one; nothing: `kDefaultSplit`
  ProgressSink progress;                ///< of images
  const CancelToken* cancel = nullptr;  ///< polled; ends the writing with `interrupted`, and nothing is left behind
};
inline constexpr std::string_view kDefaultSplit = "train";

/// One kind of thing that the format cannot hold, and how often it occurs.
struct Loss {
  std::string what;  ///< a plural phrase that completes "4 …": "labels lose their attributes"
  std::int64_t count = 0;
};

/// An image whose file could not be brought into the export; its labels are left out too.
struct ImageFailure {
  std::string name;
  std::string message;
};

/// What a writer wrote. images + images_left_out + failures is `image_count`.
struct WriteReport {
  std::int64_t images = 0;
  std::int64_t images_unlabelled = 0;  ///< of those written
  std::int64_t images_left_out = 0;
  std::int64_t labels = 0;
  std::int64_t labels_left_out = 0;
  std::vector<Loss> losses;
  std::vector<ImageFailure> failures;
};

}  // namespace verilabel
