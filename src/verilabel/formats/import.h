#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/base/progress.h"
#include "verilabel/dataset/label.h"

namespace verilabel {

/// A class as a file names it. In a file that refers to classes by id only (a COCO results list) the name is empty.
struct SourceClass {
  std::string name;
  std::string source_id;    ///< its id in the file as JSON text (`3`, `"car"`), or empty
  std::string source_json;  ///< a JSON object with the id and the unknown fields, verbatim, or empty
};

/// The `source_json` of a class that a file lists without saying more of it: exports list it too, be it without a label.
inline constexpr std::string_view kOnlyListed = "{}";

/// What the name of an image in a file may be.
enum class NameForm : std::uint8_t {
  whole,
  whole_or_stem,  ///< perhaps without its extension: `/a/1` fits `/a/1.jpg` where no image is called `/a/1`
  stem,           ///< without its extension (that of a label file stands in its place): `/a/1` fits `/a/1.jpg` first
};

/// An image as a file names it. In a file that refers to images by id only (a COCO results list) the name is empty.
struct SourceImage {
  std::string name;  ///< the bytes of the file: usually a path relative to the folder of images, or a basename
  NameForm form = NameForm::whole;
  std::string name_in_layout = {};  ///< without what the format puts in front (folders of its layout, digits), where it does
  bool is_only = false;     ///< no other file or element has labels of the image: one that turns out to be it is a `duplicate`
  std::string path;         ///< absolute, when the file says where the image is; the surest way to find it
  std::string source_id;    ///< its id in the file as JSON text, or empty
  std::string source_json;  ///< a JSON object with the id and the unknown fields, verbatim, or empty
  std::optional<std::int32_t> width;  ///< pixels, as the file states them
  std::optional<std::int32_t> height;
  std::string split;                   ///< train, val, test… or empty
  std::vector<std::string> tags = {};  ///< of the sample
  /// A JSON object of sample fields, all with names: texts, numbers, true, false, null, which takes the field away, or objects of
  /// these. Empty without any.
  std::string fields_json = {};
  bool is_labelled = true;  ///< labelled, perhaps as empty; false when the file says nothing about its labels
};

/// Whether the project has what a file refers to.
enum class Resolution : std::uint8_t {
  found,
  missing,    ///< the project takes it in as a name without a file; its labels are wanted
  unknown,    ///< there is no such thing, and labels of it are rejected: an id that no earlier import brought
  ambiguous,  ///< several fit, and labels of it are rejected
  duplicate,  ///< an earlier one was it, and is the only one that may have labels; those of this one are rejected
};

/// Why the labels of a `duplicate` are rejected.
inline constexpr std::string_view kLabelledElsewhere = "labels of the same image stand in another place; the first are taken";

struct ResolvedImage {
  Resolution resolution = Resolution::found;
  std::optional<std::int32_t> width;  ///< pixels of the upright image, when the project knows them
  std::optional<std::int32_t> height;
};

/// A label with the image and the class that it belongs to, by their place in the order in which the reader announced them.
struct ImportedLabel {
  std::int64_t image = 0;
  std::int32_t class_index = 0;
  Label label;  ///< without `class_id`; keeps the invariants of a `Label`
  std::vector<std::string> tags = {};
};

enum class RejectedKind : std::uint8_t { label, image, label_class, field, row };

enum class RejectionReason : std::uint8_t {
  malformed,  ///< not what the format calls for: wrong type, wrong number of numbers, broken JSON inside the element
  missing_field,
  not_finite,    ///< NaN or infinite
  out_of_range,  ///< negative size, coordinate outside the image where the format forbids it, integer too large
  duplicate_id,
  duplicate_name,  ///< two classes of one name: they become one, and the second id is not kept
  unknown_image,
  ambiguous_image,
  image_size_unknown,  ///< the format needs the size of the image and neither the project nor the file knows it
  unknown_class,
  unreadable_file,  ///< one file among many
  too_large,
  unsupported,  ///< understood, and of a kind that labels here do not have: a keypoint, a circle, a rotated box
};
std::string_view name_of(RejectionReason reason);
std::string_view name_of(RejectedKind kind);

/// One thing that was not taken in, and where it stands.
struct Rejection {
  RejectedKind kind = RejectedKind::label;
  RejectionReason reason = RejectionReason::malformed;
  std::string file;
  std::optional<std::uint64_t> line;             ///< from 1, for formats of lines
  std::optional<std::uint64_t> byte_offset;      ///< from 0, of the element's first byte, for formats without lines
  std::string field;                             ///< as the file calls it: `annotations[12].bbox`, `column 3`
  std::string image;                             ///< the image's name where it is known; it may be announced before or after
  std::optional<std::int64_t> image_index = {};  ///< its place among the announced images, for images that may lack a name
  std::string message;                           ///< what is wrong and what to do
};

/// Where a reader puts what it reads. Called from the reader's thread in the order of the file; a sink that writes to a store does
/// so on another thread, behind a bounded queue. An exception of the sink ends the reading.
class ImportSink {
 public:
  virtual ~ImportSink() = default;

  /// Classes, numbered from 0 in the order of all calls together. One answer each: `found` also for a class that is new and named;
  /// `unknown` for an id without a name that the project has never seen. Comes before the labels that refer to them.
  virtual std::vector<Resolution> on_classes(std::vector<SourceClass> classes) = 0;
  /// Images, likewise, some thousands at a time.
  virtual std::vector<ResolvedImage> on_images(std::vector<SourceImage> images) = 0;
  /// Labels, some thousands at a time; labels of one image need not come together.
  virtual void on_labels(std::vector<ImportedLabel> labels) = 0;
  virtual void on_rejected(Rejection rejection) = 0;
  /// What the file says about itself as a whole, as a JSON object to be kept for an export: `info`, `licenses` and unknown
  /// top-level fields of COCO, verbatim. At most once, after everything else.
  virtual void on_dataset_json(std::string json) = 0;
};

struct ReadOptions {
  std::string split;  ///< read this split only, where the format has splits; empty means all
  std::string field =
      {};                 ///< read the labels of this field, where samples have several (`Format::has_label_fields`); empty chooses
  std::string set = {};   ///< the label set that the labels go into: what a field that is not named may be called
  ProgressSink progress;  ///< of bytes, or of images for formats of many files
  const CancelToken* cancel = nullptr;  ///< polled; ends the reading with `interrupted`
};

/// What a reader handed over. Labels read are labels + labels_rejected.
struct ReadCounts {
  std::int64_t classes = 0;
  std::int64_t images = 0;
  std::int64_t images_labelled = 0;
  std::int64_t images_rejected = 0;
  std::int64_t labels = 0;
  std::int64_t labels_rejected = 0;
  std::int64_t others_rejected = 0;  ///< classes and fields
};

/// The id in a `source_json`, as JSON text (`17`, `"a"`), for finding images and classes by `source_id`; empty when there is none.
std::string source_id_of(std::string_view source_json);

}  // namespace verilabel
