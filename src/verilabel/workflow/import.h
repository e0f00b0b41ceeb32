#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "verilabel/base/error.h"
#include "verilabel/base/ids.h"
#include "verilabel/base/progress.h"
#include "verilabel/formats/import.h"
#include "verilabel/store/project.h"
#include "verilabel/workflow/class_map.h"

namespace verilabel {

struct ImportOptions {
  std::optional<std::filesystem::path> images;  ///< a folder, walked whole; images stay where they are
  std::optional<std::filesystem::path> labels;  ///< file or folder, as the format calls for
  std::string format;                           ///< needed with `labels`
  std::string set = "ground_truth";             ///< the label set that the labels go into; made when it does not exist
  /// Of labels, for formats whose samples may have several; empty takes the one called like `set`, or the only one.
  std::string field;
  std::string split;   ///< given to the images, and the only split read from the labels; empty for none, and all
  ClassMap class_map;  ///< from names in the labels to names in the project
  std::optional<std::filesystem::path> metadata;  ///< a file of fields of samples
  std::string metadata_format;                    ///< empty goes by the name of the file
  std::string metadata_key;                       ///< the column that names the image; empty finds it by its name
  bool exif = false;                              ///< also the EXIF of the images: of those under `images`, else of every sample
  bool brightness = false;                        ///< also how bright they are, likewise

  /// Throws `wrong_use`.
  void validate() const;
};

/// A file that should be an image and is none that can be used.
struct FileFailure {
  std::string path;
  ErrorCode code = ErrorCode::bad_data;
  std::string message;
};

/// What is damaged in the EXIF of an image that is used all the same.
struct ExifNote {
  std::string path;
  std::string message;
};

/// A class whose name came with another id before, which it keeps: a results list cannot name it by this one.
struct ClassIdNotKept {
  std::string class_name;
  std::string source_id;  ///< as JSON text
};

/// What an import did. files = added + unchanged + ignored + failed, and failed is the number of `failures`.
struct ImportReport {
  std::int64_t files = 0;      ///< found under `images`
  std::int64_t added = 0;      ///< new samples
  std::int64_t unchanged = 0;  ///< images that the project had already
  std::int64_t ignored = 0;    ///< files that are no images
  std::int64_t failed = 0;
  std::vector<FileFailure> failures;

  std::optional<ImportId> import;         ///< of the labels; what `imports undo` takes
  std::int64_t images_listed = 0;         ///< by the labels
  std::int64_t images_missing = 0;        ///< of those, new ones without a file: kept as missing samples
  std::int64_t images_of_other_size = 0;  ///< of those, ones whose upright size is not the one that the labels state
  std::int64_t labels = 0;                ///< added
  std::int64_t labels_unchanged = 0;      ///< there already, from an earlier import
  std::int64_t labels_rejected = 0;
  std::vector<RunId> beside_runs;    ///< whose labels the set holds, too: imported ones count beside them
  std::int64_t others_rejected = 0;  ///< images, classes and fields of the labels file
  /// Names of images of which labels were rejected and that have no other: nobody knows whether they are empty, and so they are not
  /// labelled. In the order of the project.
  std::vector<std::string> left_unlabelled;
  std::vector<ClassIdNotKept> class_ids_not_kept;
  std::vector<std::string> class_map_unused;  ///< names that the map of classes has and the labels do not, sorted

  std::int64_t metadata_rows = 0;  ///< the sum of the next three
  std::int64_t metadata_changed = 0;
  std::int64_t metadata_unchanged = 0;  ///< said what was known
  std::int64_t metadata_rejected = 0;
  std::int64_t fields = 0;           ///< values of fields that were read for samples, known or new, from metadata and EXIF
  std::int64_t fields_rejected = 0;  ///< values of metadata that no field can hold

  std::vector<FileFailure> image_failures;  ///< of `images_missing`, files that are there and cannot be read; none of `failures`

  std::int64_t exif_images = 0;            ///< whose EXIF was asked for, and whose files are there
  std::int64_t exif_found = 0;             ///< of those, ones that had any
  std::int64_t exif_missing = 0;           ///< samples without a file
  std::int64_t exif_noted = 0;             ///< images with something in `exif_notes`
  std::vector<ExifNote> exif_notes;        ///< the first `kMaxRejectionsKept`
  std::vector<FileFailure> exif_failures;  ///< files that cannot be read any more

  std::int64_t brightness_images = 0;            ///< that were looked at
  std::int64_t brightness_missing = 0;           ///< samples without a file
  std::vector<FileFailure> brightness_failures;  ///< of those looked at, files that cannot be decoded

  std::vector<Rejection> rejections;  ///< the first `kMaxRejectionsKept`; the counts have them all

  bool has_failures() const {
    return failed > 0 || !image_failures.empty() || labels_rejected > 0 || others_rejected > 0 || metadata_rejected > 0 ||
           fields_rejected > 0 || !exif_failures.empty() || !brightness_failures.empty();
  }
};

inline constexpr std::size_t kMaxRejectionsKept = 10'000;

/// Images into the project, then labels, EXIF, brightness and metadata onto them, in this order. A label or a row of metadata finds
/// its image by where it lies, by its name in the project, else by a basename that occurs once, unless another file lies where the
/// labels say. Repeating an import changes nothing, and so completes one that was cut off. Throws what keeps the whole import from
/// going on; what was stored until then stays.
ImportReport import_dataset(Project& project, const ImportOptions& options, const ProgressSink& progress,
                            const CancelToken& cancel);

}  // namespace verilabel
