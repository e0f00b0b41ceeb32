#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/formats/export.h"
#include "verilabel/formats/format_holds.h"

namespace verilabel {

/// Counts of what an export loses, by what, in the order of first occurrence.
class LossCounts {
 public:
  void add(std::string_view what, std::int64_t count = 1);
  const std::vector<Loss>& list() const { return losses_; }

 private:
  std::vector<Loss> losses_;
};

/// Why the format cannot tell a label at all, so that it is left out: its kind, or that it is a crowd. Nothing when it can; a mask
/// is then at least a box.
std::optional<std::string_view> reason_to_leave_out(const FormatHolds& holds, const Label& label);

/// Why a label is left out whose box a reader would not take: see `fault_of(Box)`.
inline constexpr std::string_view kBeyondNumbers = "labels whose corners or area would be beyond all numbers are left out";
/// Whether a reader that knows two corners of the box takes it.
bool has_sound_corners(const Box& box_xywh_px);

/// Whether the pixels of the image can be counted: its size is known and below the 2^32 pixels of masks.
bool has_countable_pixels(const ExportImage& image);
/// Why a label is left out of which the pixels are needed.
inline constexpr std::string_view kTooManyPixels = "labels whose mask needs the pixels of an image of 2^32 or more are left out";

/// Whether the run lengths are of the size of their image, so that they mean its pixels.
bool is_of_size(const Rle& rle, const ExportImage& image);

/// What the dataset as a whole, an image, a label (that is not left out) have and the format has no room for, in the same words for
/// every format.
void count_dataset_losses(const FormatHolds& holds, ExportSource& source, LossCounts& losses);
/// For formats that know classes by their names alone.
void count_class_losses(std::span<const ExportClass> classes, LossCounts& losses);
void count_image_losses(const FormatHolds& holds, const ExportImage& image, const WriteOptions& options, LossCounts& losses);
void count_label_losses(const FormatHolds& holds, const ExportLabel& exported, const ExportImage& image, LossCounts& losses);

/// Whether options leave this image out of the export.
inline bool is_left_out(const ExportImage& image, const WriteOptions& options) {
  return image.state == SampleState::not_labelled && !options.with_unlabelled;
}

/// Whether the image has to be copied or linked and there is no file.
inline bool lacks_file(const ExportImage& image, const WriteOptions& options) {
  return image.is_missing && options.images != ImageTransfer::reference;
}

/// For an export that is one file, "a COCO export" say, with the ending `extension`: throws `wrong_use` when images are to be
/// brought into it, and for a folder.
void check_export_file(const std::filesystem::path& path, const WriteOptions& options, std::string_view what,
                       std::string_view extension);

/// The split under which a format that needs one has the image.
std::string split_of(const ExportImage& image, const WriteOptions& options);

/// An image that cannot be brought into the export: it is left out, and so are its labels.
void add_failure(WriteReport& report, ExportSource& source, std::int64_t index, const ExportImage& image, std::string message);

/// Throws `interrupted` when the user asked to stop.
void throw_if_stopped(const WriteOptions& options);
/// Tells progress and throws `interrupted` when the user asked to stop; cheap enough for every image.
void report_image(const WriteOptions& options, std::string_view stage, std::int64_t done, std::int64_t total);

}  // namespace verilabel
