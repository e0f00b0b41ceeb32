#include "verilabel/formats/coco_detections.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco_annotation_list.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/json_stream.h"

namespace verilabel {
namespace {

/// Reads elements of one file, where the first fault is the end.
class DetectionReader {
 public:
  DetectionReader(const std::filesystem::path& path, CocoMasks masks)
      : path_(path),
        masks_(masks),
        stream_(path),
        parser_(masks == CocoMasks::read ? CocoElementParser::Keep::boxes_and_masks : CocoElementParser::Keep::boxes) {}

  CocoTruth read_truth() {
    if (stream_.peek() != '{') {
      stream_.fail(stream_.byte_offset(), "a COCO truth file is needed: an object with `images`, `annotations` and `categories`");
    }
    CocoTruth truth;
    std::optional<std::uint64_t> annotations_at;
    std::optional<CocoAnnotationList> list;
    bool has_images = false;
    bool has_categories = false;
    stream_.enter_object();
    while (const auto key = stream_.next_key()) {
      if (*key == "images" && !has_images) {
        has_images = true;
        read_images(truth);
      } else if (*key == "categories" && !has_categories) {
        has_categories = true;
        read_categories(truth);
      } else if (*key == "annotations" && !annotations_at) {
        annotations_at = stream_.byte_offset();
        list = read_coco_annotation_list(path_, *annotations_at, {.kind = CocoListKind::truth, .masks = masks_});
        list ? stream_.seek(list->end_byte_offset) : stream_.skip_value();
      } else if (*key == "images" || *key == "categories" || *key == "annotations") {
        stream_.fail(stream_.byte_offset(), fmt::format("`{}` stands twice in the file", *key));
      } else {
        stream_.skip_value();
      }
    }
    stream_.finish();
    if (!has_images || !has_categories || !annotations_at) {
      stream_.fail(0, fmt::format("a COCO truth file needs the list `{}`", !has_images       ? "images"
                                                                           : !has_categories ? "categories"
                                                                                             : "annotations"));
    }
    if (list && is_sound(*list)) {
      truth.detections = std::move(list->detections);
    } else {
      // Something is wrong in it, or is not as usual: element by element, to say what and where.
      stream_.seek(*annotations_at);
      read_annotations(truth.detections);
    }
    return truth;
  }

  CocoDetections read_results() {
    if (stream_.peek() != '[') {
      stream_.fail(stream_.byte_offset(), "a COCO results list is needed: an array of detections");
    }
    if (auto list = read_coco_annotation_list(path_, stream_.byte_offset(), {.kind = CocoListKind::results, .masks = masks_})) {
      stream_.seek(list->end_byte_offset);
      stream_.finish();
      return std::move(list->detections);
    }
    CocoDetections detections;
    CocoAnnotation annotation;
    read_list("", [&](const JsonSlice& slice) {
      parser_.parse_annotation(slice.text, annotation);
      if (!annotation.label.confidence) {
        throw CocoFault{RejectionReason::missing_field, "score", "a detection of a results list needs a score"};
      }
      detections.score.push_back(*annotation.label.confidence);
      append(CocoListKind::results, detections, annotation);
    });
    stream_.finish();
    return detections;
  }

 private:
  template <typename Take>
  void read_list(std::string_view name, Take&& take) {
    if (stream_.peek() != '[') {
      stream_.fail(stream_.byte_offset(), fmt::format("`{}` must be a list", name));
    }
    std::size_t index = 0;
    stream_.enter_array();
    while (const auto slice = stream_.next_element()) {
      try {
        if (slice->is_too_large) {
          throw CocoFault{RejectionReason::too_large, "", "the element is larger than 64 MB"};
        }
        take(*slice);
      } catch (const CocoFault& fault) {
        ErrorContext context = {{"file", path_.native()},
                                {"byte", fmt::to_string(slice->byte_offset)},
                                {"field", fmt::format("{}[{}]{}{}", name, index, fault.field.empty() ? "" : ".", fault.field)}};
        if (const auto image = slice->is_too_large ? std::nullopt : parser_.image_id_of(slice->text)) {
          context.emplace_back("image_id", image->json());
        }
        throw Error(ErrorCode::bad_data, fault.message, std::move(context));
      }
      ++index;
    }
  }

  static std::int64_t integer_id(const CocoId& id, std::string_view field) {
    if (!id.text.empty()) {
      throw CocoFault{RejectionReason::malformed, std::string(field),
                      fmt::format("evaluation needs integer ids, this is {}", id.text)};
    }
    return id.number;
  }

  void read_images(CocoTruth& truth) {
    read_list("images", [&](const JsonSlice& slice) {
      CocoId id;
      SourceImage image;
      source_parser_.parse_image(slice.text, id, image, true);
      if (images_.insert(id, 0)) {
        throw CocoFault{RejectionReason::duplicate_id, "id", fmt::format("another image has the id {}", id.json())};
      }
      truth.images.push_back({integer_id(id, "id"), std::move(image.name), image.width.value_or(0), image.height.value_or(0),
                              image.is_labelled, std::move(image.source_json)});
    });
  }

  void read_categories(CocoTruth& truth) {
    read_list("categories", [&](const JsonSlice& slice) {
      CocoId id;
      SourceClass category;
      source_parser_.parse_category(slice.text, id, category);
      if (categories_.insert(id, 0)) {
        throw CocoFault{RejectionReason::duplicate_id, "id", fmt::format("another category has the id {}", id.json())};
      }
      truth.categories.push_back({integer_id(id, "id"), std::move(category.name), std::move(category.source_json)});
    });
  }

  /// Whether every image and category is known and no id stands twice.
  bool is_sound(const CocoAnnotationList& list) const {
    const CocoDetections& rows = list.detections;
    CocoIdMap ids;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool is_known = images_.find({rows.image_id[i], {}}) && categories_.find({rows.category_id[i], {}});
      if (!is_known || (!list.ids.empty() && ids.insert({list.ids[i], {}}, 0))) {
        return false;
      }
    }
    return true;
  }

  void read_annotations(CocoDetections& detections) {
    CocoAnnotation annotation;
    CocoIdMap annotation_ids;
    read_list("annotations", [&](const JsonSlice& slice) {
      parser_.parse_annotation(slice.text, annotation);
      if (annotation.id && annotation_ids.insert(*annotation.id, 0)) {
        throw CocoFault{RejectionReason::duplicate_id, "id",
                        fmt::format("another annotation has the id {}", annotation.id->json())};
      }
      if (!images_.find(annotation.image_id)) {
        throw CocoFault{RejectionReason::unknown_image, "image_id",
                        fmt::format("no image of the file has the id {}", annotation.image_id.json())};
      }
      if (!categories_.find(annotation.category_id)) {
        throw CocoFault{RejectionReason::unknown_class, "category_id",
                        fmt::format("no category of the file has the id {}", annotation.category_id.json())};
      }
      detections.is_crowd.push_back(annotation.label.is_crowd ? 1 : 0);
      append(CocoListKind::truth, detections, annotation);
    });
  }

  void append(CocoListKind kind, CocoDetections& detections, CocoAnnotation& annotation) {
    Label& label = annotation.label;
    const auto row = static_cast<std::uint32_t>(detections.size());
    detections.image_id.push_back(integer_id(annotation.image_id, "image_id"));
    detections.category_id.push_back(integer_id(annotation.category_id, "category_id"));
    detections.box_xywh_px.push_back(label.box_xywh_px);
    if (kind == CocoListKind::truth) {
      detections.area_px.push_back(label.area_px.value_or(label.box_xywh_px.w * label.box_xywh_px.h));
    }
    if (masks_ == CocoMasks::skip) {
      return;
    }
    if (kind == CocoListKind::results && !annotation.has_box && label.mask) {
      detections.boxless_rows.push_back(row);
    }
    const Rle* const runs = label.mask ? std::get_if<Rle>(&label.mask->shape) : nullptr;
    detections.mask.push_back(runs != nullptr ? RleView(*runs) : RleView());
    if (label.mask && runs == nullptr) {
      std::vector<double> xy_px;
      std::vector<std::uint32_t> ends;
      for (const Polygon& polygon : std::get<std::vector<Polygon>>(label.mask->shape)) {
        xy_px.insert(xy_px.end(), polygon.begin(), polygon.end());
        ends.push_back(static_cast<std::uint32_t>(xy_px.size()));
      }
      if (detections.polygons.empty()) {
        detections.polygons.emplace_back();
      }
      detections.polygons.back().push_back(row, xy_px, ends);
    }
  }

  std::filesystem::path path_;
  CocoMasks masks_;
  JsonStream stream_;
  CocoElementParser parser_;                                              ///< of annotations
  CocoElementParser source_parser_{CocoElementParser::Keep::everything};  ///< of images and categories
  CocoIdMap images_;
  CocoIdMap categories_;
};

}  // namespace

std::span<const double> CocoPolygons::xy_px(std::size_t i) const {
  return std::span(xy_px_).subspan(xy_begin_[i], xy_begin_[i + 1] - xy_begin_[i]);
}

std::span<const std::uint32_t> CocoPolygons::ends(std::size_t i) const {
  return std::span(ends_).subspan(ends_begin_[i], ends_begin_[i + 1] - ends_begin_[i]);
}

void CocoPolygons::push_back(std::uint32_t row, std::span<const double> xy_px, std::span<const std::uint32_t> ends) {
  rows_.push_back(row);
  xy_px_.insert(xy_px_.end(), xy_px.begin(), xy_px.end());
  ends_.insert(ends_.end(), ends.begin(), ends.end());
  xy_begin_.push_back(xy_px_.size());
  ends_begin_.push_back(ends_.size());
}

void CocoPolygons::move_rows(std::uint32_t by) {
  for (std::uint32_t& row : rows_) {
    row += by;
  }
}

void CocoPolygons::keep_rows(std::span<const std::uint32_t> kept) {
  CocoPolygons some;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto at = std::ranges::lower_bound(kept, rows_[i]);
    if (at != kept.end() && *at == rows_[i]) {
      some.push_back(static_cast<std::uint32_t>(at - kept.begin()), xy_px(i), ends(i));
    }
  }
  *this = std::move(some);
}

bool is_coco_results_list(const std::filesystem::path& path) {
  JsonStream stream(path);
  const char first = stream.peek();
  if (first != '[' && first != '{') {
    stream.fail(stream.byte_offset(), "this is neither a COCO truth file (an object) nor a results list (an array)");
  }
  return first == '[';
}

CocoTruth read_coco_truth(const std::filesystem::path& path, CocoMasks masks) {
  return DetectionReader(path, masks).read_truth();
}

ErrorContext place_of_coco_annotation(const std::filesystem::path& path, std::uint64_t index) {
  JsonStream stream(path);
  std::string list;
  if (stream.peek() == '{') {
    list = "annotations";
    stream.enter_object();
    for (auto key = stream.next_key(); key && *key != list; key = stream.next_key()) {
      stream.skip_value();
    }
  }
  stream.enter_array();
  auto slice = stream.next_element();
  for (std::uint64_t i = 0; slice && i < index; ++i) {
    slice = stream.next_element();
  }
  if (!slice) {
    stream.fail(stream.byte_offset(), fmt::format("the list has no element {}", index));
  }
  ErrorContext context = {{"file", path.native()},
                          {"byte", fmt::to_string(slice->byte_offset)},
                          {"field", fmt::format("{}[{}].segmentation", list, index)}};
  CocoElementParser parser(CocoElementParser::Keep::boxes_and_masks);
  CocoAnnotation annotation;
  parser.parse_annotation(slice->text, annotation);
  if (annotation.id) {
    context.emplace_back("annotation_id", annotation.id->json());
  }
  return context;
}

CocoDetections read_coco_results(const std::filesystem::path& path, CocoMasks masks) {
  return DetectionReader(path, masks).read_results();
}

}  // namespace verilabel
