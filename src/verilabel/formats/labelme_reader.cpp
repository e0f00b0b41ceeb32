#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/base64.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/import_batch.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/labelme.h"
#include "verilabel/formats/mask_crop.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/image/header.h"
#include "verilabel/image/png.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

/// With the image itself in `imageData`, which labelme embeds unless told not to.
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{512} << 20;
constexpr std::uint64_t kMaxMaskPixels = std::uint64_t{1} << 28;
constexpr std::int64_t kFilesBetweenReports = 256;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  text.remove_prefix(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first, last + 1 - first);
}

/// One flat object of two.
std::string merged(const std::string& first, const std::string& second) {
  return first.empty() || second.empty() ? first + second
                                         : first.substr(0, first.rfind('}')) + "," + second.substr(second.find('{') + 1);
}

/// The pixels of a mask shape, which lie from one point to the other, both included.
MaskCrop crop_from_png(const JsonValue& mask, std::span<const double> points) {
  const std::optional<std::vector<std::uint8_t>> png = bytes_from_base64(mask.text());
  if (!png) {
    mask.fail(RejectionReason::malformed, "this is not base64");
  }
  MaskCrop crop;
  try {
    const auto content = std::as_bytes(std::span(*png));
    const ImageHeader header = read_header(content);
    if (header.format != ImageFormat::png || header.orientation != 1) {
      mask.fail(RejectionReason::malformed, "the mask is no PNG file as labelme writes it");
    }
    if (std::uint64_t{static_cast<std::uint32_t>(header.width)} * static_cast<std::uint32_t>(header.height) > kMaxMaskPixels) {
      mask.fail(RejectionReason::too_large, fmt::format("the mask has {} × {} pixels", header.width, header.height));
    }
    Image image(header.width, header.height);
    decode_png(content, image);
    crop.width = static_cast<std::uint32_t>(header.width);
    crop.height = static_cast<std::uint32_t>(header.height);
    crop.pixels.reserve(image.pixels().size() / Image::kChannels);
    for (std::size_t i = 0; i < image.pixels().size(); i += Image::kChannels) {
      const std::span<const std::uint8_t> pixel = image.pixels().subspan(i, Image::kChannels);
      crop.pixels.push_back(std::any_of(pixel.begin(), pixel.end(), [](std::uint8_t value) { return value != 0; }) ? 1 : 0);
    }
  } catch (const Error& error) {
    mask.fail(RejectionReason::malformed, error.message());
  }
  const Box box = box_around(points);
  if (box.x < 0 || box.y < 0 || box.x + box.w > std::numeric_limits<std::int32_t>::max() ||
      box.y + box.h > std::numeric_limits<std::int32_t>::max()) {
    mask.fail(RejectionReason::out_of_range, "the points of the mask do not lie within the image");
  }
  // labelme cuts the coordinates off to integers.
  crop.x = static_cast<std::uint32_t>(box.x);
  crop.y = static_cast<std::uint32_t>(box.y);
  const std::uint32_t width = static_cast<std::uint32_t>(box.x + box.w) - crop.x + 1;
  const std::uint32_t height = static_cast<std::uint32_t>(box.y + box.h) - crop.y + 1;
  if (width != crop.width || height != crop.height) {
    mask.fail(RejectionReason::malformed,
              fmt::format("the mask has {} × {} pixels, and its points ask for {} × {}", crop.width, crop.height, width, height));
  }
  return crop;
}

struct Shape {
  PendingLabel label;
  std::optional<std::int64_t> group;  ///< of a polygon
};

class LabelmeReader {
 public:
  LabelmeReader(const fs::path& path, const ReadOptions& options, ImportSink& sink) : options_(options), batch_(sink, options) {
    if (!fs::exists(path)) {
      throw Error(ErrorCode::not_found, "there is no such file or folder; name a labelme file or a folder of them",
                  {{"path", path.native()}});
    }
    const fs::path place = fs::absolute(path).lexically_normal();
    if (fs::is_directory(place)) {
      root_ = place.has_filename() ? place : place.parent_path();
      files_ = files_under(root_, [](const fs::path& file) { return file.extension() == ".json"; });
      put_outer_first(files_);
      if (files_.empty()) {
        throw Error(ErrorCode::bad_data, "the folder has no .json file", {{"path", path.native()}});
      }
    } else {
      root_ = place.parent_path();
      files_ = {place};
      is_one_file_ = true;
    }
  }

  ReadCounts read() {
    announce_listed_classes();
    for (const fs::path& file : files_) {
      report_progress();
      read_file_of_image(file);
      ++files_done_;
    }
    const ReadCounts counts = batch_.finish(root_.native());
    report_progress();
    return counts;
  }

 private:
  /// `labels.txt` in the folder or beside it. Its first lines are names that labelme's exporters give to what is no object.
  void announce_listed_classes() {
    for (const fs::path& file : {root_ / "labels.txt", root_.parent_path() / "labels.txt"}) {
      if (!fs::is_regular_file(file)) {
        continue;
      }
      const std::string text = read_file(file, kMaxFileBytes);
      for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string name(trimmed(std::string_view(text).substr(begin, end - begin)));
        if (is_labelme_class_line(name)) {
          batch_.class_index(name);
        }
        begin = end + 1;
      }
      return;
    }
  }

  void read_file_of_image(const fs::path& file) {
    std::string text;
    try {
      text = read_file(file, kMaxFileBytes);
      batch_.add(image_of(file, text));
    } catch (ElementFault& fault) {
      const SourcePlace place = place_of(fault.at, file, text);
      if (is_one_file_) {
        throw Error(ErrorCode::bad_data, fault.message,
                    {{"file", file.native()}, {"byte", fmt::to_string(*place.byte_offset)}, {"field", fault.field}});
      }
      batch_.reject(RejectedKind::image, place, {}, std::move(fault));
    } catch (const Error& error) {
      if (is_one_file_) {
        throw;
      }
      batch_.reject(RejectedKind::image, {file.native()}, {}, {RejectionReason::unreadable_file, "", error.message()});
    }
  }

  /// Of a part of the text, or of all of it.
  static SourcePlace place_of(std::string_view part, const fs::path& file, std::string_view text) {
    const char* const at = part.data();
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const bool is_inside = !std::less<>()(at, begin) && !std::less<>()(end, at);
    return {file.native(), static_cast<std::uint64_t>(is_inside ? at - begin : 0)};
  }

  PendingImage image_of(const fs::path& file, std::string_view text) {
    JsonObject object{JsonValue(trimmed(text), "")};
    PendingImage pending{.image = {}, .place = {file.native(), 0}, .key = {}};
    SourceImage& image = pending.image;
    const std::optional<JsonValue> shapes = object.take("shapes");
    if (!shapes) {
      throw ElementFault{RejectionReason::missing_field, "shapes", "there is no list `shapes`: this is no labelme file"};
    }
    locate(file, object.take("imagePath"), image);
    pending.key = image.path.empty() ? image.name : image.path;
    constexpr std::int64_t kMaxSide = std::numeric_limits<std::int32_t>::max();
    if (const auto width = object.take("imageWidth")) {
      image.width = static_cast<std::int32_t>(width->integer(1, kMaxSide));
    }
    if (const auto height = object.take("imageHeight")) {
      image.height = static_cast<std::int32_t>(height->integer(1, kMaxSide));
    }
    object.take("imageData");  // the image once more, perhaps not upright: the file is what counts
    image.fields_json = merged(take_flags(object), object.take_fields("fields"));
    image.tags = object.take_tags("tags");
    if (const auto split = object.take("split", JsonKind::text)) {
      image.split = split->text();
    }
    if (const auto is_labelled = object.take("labelled", JsonKind::flag)) {
      image.is_labelled = is_labelled->flag();
    }
    image.source_json = object.rest();
    for (const JsonValue& shape : shapes->elements()) {
      const SourcePlace place = place_of(shape.raw(), file, text);
      try {
        Shape taken = shape_of(shape);
        taken.label.byte_offset = place.byte_offset;
        take_in(std::move(taken), pending);
      } catch (ElementFault& fault) {
        batch_.reject(RejectedKind::label, place, image.name, std::move(fault));
      }
    }
    group_places_.clear();
    return pending;
  }

  /// The image's name within the folder that is read, and where it is when it is there.
  void locate(const fs::path& file, const std::optional<JsonValue>& image_path, SourceImage& image) const {
    std::string named = image_path ? image_path->text() : "";
    std::replace(named.begin(), named.end(), '\\', '/');  // as labelme does with files from Windows
    if (named.empty() || fs::path(named).filename().empty()) {
      throw ElementFault{RejectionReason::missing_field, "imagePath", "the file does not say which image it is about"};
    }
    if (named.find('\0') != std::string::npos) {
      throw ElementFault{RejectionReason::malformed, "imagePath", "the path holds a zero byte, which no path can"};
    }
    const fs::path path = (file.parent_path() / named).lexically_normal();
    if (fs::exists(path)) {
      image.path = path.native();
    }
    fs::path within = path.lexically_relative(root_);
    if (within.begin() != within.end() && *within.begin() == "..") {
      // An image elsewhere has the place of its labels, when it is called like them.
      within = path.stem() == file.stem() ? (file.parent_path() / path.filename()).lexically_relative(root_) : path.filename();
    }
    image.name = within.native();
    image.is_only = true;
  }

  /// Flags of an image or a shape; nothing when there are none, which is how labelme writes most.
  static std::string take_flags(JsonObject& object) {
    const JsonValue* const flags = object.peek("flags");
    if (flags != nullptr && flags->kind() == JsonKind::object && JsonObject(*flags).fields().empty()) {
      object.take("flags");
      return {};
    }
    if (flags != nullptr && flags->is_null()) {
      object.take("flags");
    }
    return object.take_fields("flags");
  }

  Shape shape_of(const JsonValue& json) {
    JsonObject object(json);
    Shape shape;
    Label& label = shape.label.label;
    shape.label.field = json.field();
    const auto missing = [&](std::string_view key, std::string message) {
      return ElementFault{RejectionReason::missing_field, fmt::format("{}.{}", json.field(), key), std::move(message)};
    };
    const std::optional<JsonValue> name = object.take("label");
    if (!name || name->text().empty()) {
      throw missing("label", "the shape has no label");
    }
    const std::optional<JsonValue> points = object.take("points");
    if (!points) {
      throw missing("points", "the shape has no points");
    }
    const std::optional<JsonValue> type = object.take("shape_type");
    const std::string type_name = type ? type->text() : "polygon";  // files of old versions know polygons only
    if (type_name == "rectangle") {
      place_rectangle(*points, label);
    } else if (type_name == "polygon") {
      place_polygon(*points, label);
    } else if (type_name == "mask") {
      const std::optional<JsonValue> mask = object.take("mask");
      if (!mask) {
        throw missing("mask", "the shape is called a mask and has none");
      }
      place_mask(*points, *mask, shape.label);
    } else {
      type->fail(RejectionReason::unsupported,
                 fmt::format("a shape of the type `{}` is neither a rectangle nor a polygon nor a mask", printable(type_name)));
    }
    label.attributes_json = merged_attributes(object);
    shape.label.tags = object.take_tags("tags");
    if (const auto score = object.take("score", JsonKind::number)) {
      label.confidence = score->number();
    }
    drop_defaults(object);
    const JsonValue* const group = object.peek("group_id");
    if (group != nullptr && !group->is_null() && type_name == "polygon") {
      shape.group = group->integer(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
    }
    label.source_json = object.rest();
    shape.label.class_index = batch_.class_index(name->text());
    return shape;
  }

  static std::string merged_attributes(JsonObject& object) {
    const std::string flags = take_flags(object);
    const JsonValue* const attributes = object.peek("attributes");
    if (attributes == nullptr || attributes->kind() != JsonKind::object || JsonObject(*attributes).fields().empty()) {
      return flags;
    }
    return merged(flags, std::string(object.take("attributes")->verbatim()));
  }

  /// What labelme writes for "none", and writers of labelme's files write again.
  static void drop_defaults(JsonObject& object) {
    for (const std::string_view key : {"group_id", "description", "mask"}) {
      const JsonValue* const value = object.peek(key);
      if (value != nullptr && (value->is_null() || value->raw() == "\"\"")) {
        object.take(key);
      }
    }
  }

  static void place_rectangle(const JsonValue& points, Label& label) {
    const std::vector<double> corners = points.points();
    if (corners.size() != 4 && !are_corners_in_order(corners)) {
      points.fail(RejectionReason::malformed,
                  corners.size() == 8 ? "the four points are not the corners of an upright rectangle, one after the other"
                                      : fmt::format("a rectangle has two opposite corners, not {} points", corners.size() / 2));
    }
    label.box_xywh_px = box_around(corners);
  }

  /// As X-AnyLabeling writes rectangles: all four corners, in either direction.
  static bool are_corners_in_order(std::span<const double> c) {
    return c.size() == 8 && ((c[1] == c[3] && c[2] == c[4] && c[5] == c[7] && c[6] == c[0]) ||
                             (c[0] == c[2] && c[3] == c[5] && c[4] == c[6] && c[7] == c[1]));
  }

  static void place_polygon(const JsonValue& points, Label& label) {
    std::vector<double> outline = points.points();
    if (outline.size() < 6) {
      points.fail(RejectionReason::malformed, fmt::format("a polygon has at least three points, not {}", outline.size() / 2));
    }
    label.kind = LabelKind::mask;
    label.mask = Mask{std::vector<Polygon>{std::move(outline)}};
    label.box_xywh_px = mask_box(*label.mask);
  }

  static void place_mask(const JsonValue& points, const JsonValue& mask, PendingLabel& pending) {
    const std::vector<double> corners = points.points();
    if (corners.size() != 4) {
      points.fail(RejectionReason::malformed, fmt::format("a mask has two opposite corners, not {} points", corners.size() / 2));
    }
    pending.label.kind = LabelKind::mask;
    pending.place = [crop = crop_from_png(mask, corners), field = mask.field()](Label& label, std::int32_t width,
                                                                                std::int32_t height) {
      const auto columns = static_cast<std::uint32_t>(width);
      const auto rows = static_cast<std::uint32_t>(height);
      if (std::uint64_t{crop.x} + crop.width > columns || std::uint64_t{crop.y} + crop.height > rows ||
          std::uint64_t{columns} * rows > std::numeric_limits<std::uint32_t>::max()) {
        throw ElementFault{RejectionReason::out_of_range, field,
                           fmt::format("the mask reaches beyond its image of {} × {} pixels", width, height)};
      }
      label.mask = Mask{rle_from_crop(crop, rows, columns)};
      label.box_xywh_px = mask_box(*label.mask);
    };
  }

  /// Polygons of one group and one class are parts of one object.
  void take_in(Shape shape, PendingImage& pending) {
    if (!shape.group) {
      pending.labels.push_back(std::move(shape.label));
      return;
    }
    const auto [at, is_first] = group_places_.emplace(std::pair(shape.label.class_index, *shape.group), pending.labels.size());
    if (is_first) {
      pending.labels.push_back(std::move(shape.label));
      return;
    }
    PendingLabel& whole = pending.labels[at->second];
    auto& parts = std::get<std::vector<Polygon>>(whole.label.mask->shape);
    parts.push_back(std::move(std::get<std::vector<Polygon>>(shape.label.label.mask->shape).front()));
    whole.label.box_xywh_px = mask_box(*whole.label.mask);
    if (shape.label.label.attributes_json != whole.label.attributes_json || shape.label.tags != whole.tags ||
        shape.label.label.confidence != whole.label.confidence || shape.label.label.source_json != whole.label.source_json) {
      batch_.reject(RejectedKind::field, {pending.place.file, shape.label.byte_offset}, pending.image.name,
                    {RejectionReason::duplicate_id, shape.label.field,
                     fmt::format("the polygons of group {} are one object and differ in more than their points; what stands at the "
                                 "first of them is kept",
                                 *shape.group)});
    }
  }

  void report_progress() const {
    const auto total = static_cast<std::int64_t>(files_.size());
    if (files_done_ % kFilesBetweenReports == 0 || files_done_ == total) {
      report_images_read(options_, root_, files_done_, total);
    } else {
      check_not_stopped(options_, root_);
    }
  }

  const ReadOptions& options_;
  ImportBatch batch_;
  fs::path root_;
  std::vector<fs::path> files_;
  bool is_one_file_ = false;
  std::int64_t files_done_ = 0;
  std::map<std::pair<std::int32_t, std::int64_t>, std::size_t> group_places_;  // in the image that is read
};

}  // namespace

ReadCounts read_labelme(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return LabelmeReader(path, options, sink).read();
}

}  // namespace verilabel
