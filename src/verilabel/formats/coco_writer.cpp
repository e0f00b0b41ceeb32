#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/buffered_file.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/export_pass.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

constexpr std::string_view kClassifications = "labels that are classifications, which COCO cannot hold, are left out";
constexpr std::string_view kImageIds = "images get a new id, because theirs is not a number or occurs twice";
constexpr std::string_view kClassIds = "classes get a new id, because theirs is not a number or occurs twice";
constexpr std::string_view kLabelIds = "labels get a new id, because theirs is not a number or occurs twice";
constexpr std::string_view kCrowds = "crowd labels, which LVIS cannot tell from single objects, are left out";
constexpr std::string_view kNames = "image names that are not UTF-8 are written with \\xNN for a byte";

/// Ids of one kind in an export: one that came with the source stays when it is an integer and the first of its value, and the
/// others get numbers above the largest.
class ExportIds {
 public:
  /// The source's id when it can stay.
  std::optional<std::int64_t> keep(std::string_view source_json) {
    const std::vector<SourceField> fields = source_fields(source_json);
    const std::optional<std::int64_t> id = integer_id(fields);
    has_unusable_ = !id && std::any_of(fields.begin(), fields.end(), [](const SourceField& field) { return field.key == "id"; });
    if (!id) {
      return std::nullopt;
    }
    if (*id == std::numeric_limits<std::int64_t>::max() || kept_.insert({*id, {}}, 0)) {
      has_unusable_ = true;
      return std::nullopt;
    }
    largest_ = std::max(largest_, *id);
    return id;
  }
  /// Whether the last `keep` met an id that cannot stay, as opposed to none.
  bool lost_one() const { return has_unusable_; }
  /// After all that can be kept are known.
  std::int64_t assign() { return ++largest_; }

 private:
  CocoIdMap kept_;
  std::int64_t largest_ = 0;
  bool has_unusable_ = false;
};

/// The ids of all images, or of all classes, in their order.
class NumberedIds {
 public:
  void add(std::string_view source_json, LossCounts& losses, std::string_view loss) {
    ids_.push_back(known_.keep(source_json));
    losses.add(loss, known_.lost_one() ? 1 : 0);
  }
  void number_the_rest() {
    for (std::optional<std::int64_t>& id : ids_) {
      if (!id) {
        id = known_.assign();
      }
    }
  }
  std::int64_t operator[](std::size_t index) const { return *ids_[index]; }

 private:
  ExportIds known_;
  std::vector<std::optional<std::int64_t>> ids_;
};

/// Text set aside until the end, in a file without a name that goes when this goes.
class Spool {
 public:
  explicit Spool(const std::filesystem::path& beside) : path_(beside) {
    std::string name = beside.native() + ".XXXXXX";
    descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (descriptor_ < 0) {
      throw io_error("cannot create a file", name, errno);
    }
    ::unlink(name.c_str());
  }
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool() { ::close(descriptor_); }

  /// `line` must hold no newline, which JSON as we write it never does: source fields are put on one line first.
  void add(std::string_view line) {
    pending_.append(line).push_back('\n');
    if (pending_.size() >= BufferedFile::kPieceBytes) {
      write_all(descriptor_, std::as_bytes(std::span(pending_)), path_);
      pending_.clear();
      is_on_disk_ = true;
    }
  }

  template <typename Take>
  void for_each_line(Take&& take) {
    if (!is_on_disk_) {
      take_lines(pending_, take);
      return;
    }
    write_all(descriptor_, std::as_bytes(std::span(pending_)), path_);
    if (::lseek(descriptor_, 0, SEEK_SET) < 0) {
      throw io_error("cannot go back in the file", path_.native(), errno);
    }
    std::string text;
    std::string chunk(BufferedFile::kPieceBytes, '\0');
    for (;;) {
      const ssize_t got = ::read(descriptor_, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        throw io_error("cannot read back what was written", path_.native(), errno);
      }
      if (got == 0) {
        return;
      }
      text.append(chunk, 0, static_cast<std::size_t>(got));
      text.erase(0, take_lines(text, take));
    }
  }

 private:
  template <typename Take>
  static std::size_t take_lines(std::string_view text, Take&& take) {
    std::size_t begin = 0;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', begin)) {
      take(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return begin;
  }

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::string pending_;
  bool is_on_disk_ = false;
};

void add_mask(JsonWriter& json, const Mask& mask) {
  if (const auto* polygons = std::get_if<std::vector<Polygon>>(&mask.shape)) {
    json.begin_array();
    for (const Polygon& polygon : *polygons) {
      json.begin_array();
      for (const double coordinate : polygon) {
        json.value(coordinate);
      }
      json.end_array();
    }
    json.end_array();
    return;
  }
  const Rle& rle = std::get<Rle>(mask.shape);
  json.begin_object().key("size").begin_array().value(rle.height).value(rle.width).end_array().key("counts");
  if (mask.is_compressed) {
    json.value(coco_string_from_rle(rle));
  } else {
    json.begin_array();
    for (const std::uint32_t count : rle.counts) {
      json.value(count);
    }
    json.end_array();
  }
  json.end_object();
}

void add_tags(JsonWriter& json, const std::vector<std::string>& tags) {
  json.key("tags").begin_array();
  for (const std::string& tag : tags) {
    json.value(tag);
  }
  json.end_array();
}

/// What the outlines enclose, each for itself; at most the area of their box.
double area_of_outlines(const std::vector<Polygon>& outlines, const Box& box) {
  double sum = 0;
  for (const Polygon& outline : outlines) {
    double twice = 0;
    for (std::size_t i = 2; i + 3 < outline.size(); i += 2) {
      twice +=
          (outline[i] - outline[0]) * (outline[i + 3] - outline[1]) - (outline[i + 2] - outline[0]) * (outline[i + 1] - outline[1]);
    }
    sum += std::abs(twice) / 2;
  }
  return std::isfinite(sum) ? std::min(sum, area(box)) : area(box);
}

/// As stated; else the pixels of the mask where those of the image can be counted, or what its outlines enclose where there are too
/// many; else the box.
double area_of(const Label& label, const ExportImage& image) {
  if (label.area_px) {
    return *label.area_px;
  }
  if (label.mask) {
    if (const auto* rle = std::get_if<Rle>(&label.mask->shape)) {
      return static_cast<double>(area(*rle));
    }
    if (has_countable_pixels(image)) {
      return mask_area(*label.mask, static_cast<std::uint32_t>(image.height), static_cast<std::uint32_t>(image.width));
    }
    if (image.width > 0 && image.height > 0) {
      return area_of_outlines(std::get<std::vector<Polygon>>(label.mask->shape), mask_box(*label.mask));
    }
  }
  return area(label.box_xywh_px);
}

/// Everything of an annotation but `{"id":…`, closing brace included.
std::string annotation_tail(const ExportLabel& exported, const ExportImage& image, std::int64_t image_id,
                            std::int64_t category_id) {
  const Label& label = exported.label;
  std::vector<std::string_view> ours = {"id", "image_id", "category_id", "bbox", "area", "iscrowd", "score", "segmentation"};
  std::string out;
  JsonWriter json(out);
  const Box& box = label.box_xywh_px;
  json.begin_object().field("image_id", image_id).field("category_id", category_id);
  json.key("bbox").begin_array().value(box.x).value(box.y).value(box.w).value(box.h).end_array();
  json.field("area", area_of(label, image)).field("iscrowd", label.is_crowd ? 1 : 0).key("segmentation");
  if (label.mask) {
    add_mask(json, *label.mask);
  } else {
    json.begin_array().end_array();
  }
  if (label.confidence) {
    json.field("score", *label.confidence);
  }
  if (!label.attributes_json.empty()) {
    std::string attributes = label.attributes_json;
    std::replace(attributes.begin(), attributes.end(), '\n', ' ');
    json.key("attributes").raw(attributes);
    ours.push_back("attributes");
  }
  if (!exported.tags.empty()) {
    add_tags(json, exported.tags);
    ours.push_back("tags");
  }
  add_source_fields(out, label.source_json, ours);
  out += '}';
  out.front() = ',';
  return out;
}

enum class Dialect : std::uint8_t { coco, lvis };

/// How often a class of LVIS is seen: `r`are on at most 10 images, `c`ommon on at most 100, `f`requent.
std::string_view frequency_of(std::int64_t image_count) {
  constexpr std::int64_t kMaxRare = 10;
  constexpr std::int64_t kMaxCommon = 100;
  return image_count <= kMaxRare ? "r" : image_count <= kMaxCommon ? "c" : "f";
}

/// Whether LVIS's readers find the name of the image by its `coco_url`.
bool is_named_by_url(const ExportImage& image) {
  const std::string_view url = source_field(image.source_json, "coco_url");
  return url.size() > 1 && url.front() == '"' && name_from_coco_url(url.substr(1, url.size() - 2)) == image.name;
}

class CocoWriter {
 public:
  CocoWriter(ExportSource& source, const WriteOptions& options, Dialect dialect)
      : source_(source), options_(options), dialect_(dialect), classes_(source.classes()) {}

  /// Ids of images and classes, before anything is written.
  void number() {
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "preparing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image)) {
        image_ids_.add({}, losses_, kImageIds);
        continue;
      }
      image_ids_.add(image.source_json, losses_, kImageIds);
      losses_.add(kNames, is_utf8(image.name) ? 0 : 1);
    }
    for (const ExportClass& exported : classes_) {
      class_ids_.add(exported.source_json, losses_, kClassIds);
    }
    image_ids_.number_the_rest();
    class_ids_.number_the_rest();
    if (dialect_ == Dialect::lvis) {
      count_images_of_classes();
    }
  }

  std::vector<Loss> losses() {
    number();
    const std::int64_t count = source_.image_count();
    ExportIds label_ids;
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "checking", index, count);
      if (is_left_out(source_.image(index))) {
        continue;
      }
      for (const ExportLabel& exported : source_.labels(index)) {
        if (is_left_out(exported.label)) {
          continue;
        }
        label_ids.keep(exported.label.source_json);
        losses_.add(kLabelIds, label_ids.lost_one() ? 1 : 0);
      }
    }
    return losses_.list();
  }

  WriteReport write(int descriptor, const std::filesystem::path& path) {
    number();
    BufferedFile file(descriptor, path);
    write_head(file.text());
    write_images(file);
    write_annotations(file, path);
    file.text() += "]}\n";
    file.flush();
    report_.losses = losses_.list();
    return std::move(report_);
  }

 private:
  std::optional<std::string_view> reason_to_leave_out(const Label& label) const {
    if (label.kind == LabelKind::classification) {
      return kClassifications;
    }
    return label.is_crowd && dialect_ == Dialect::lvis ? std::optional(kCrowds) : std::nullopt;
  }
  /// Counts the label when it is left out.
  bool is_left_out(const Label& label) {
    const std::optional<std::string_view> reason = reason_to_leave_out(label);
    if (reason) {
      losses_.add(*reason);
    }
    return reason.has_value();
  }
  bool is_left_out(const ExportImage& image) const { return verilabel::is_left_out(image, options_); }

  void count_images_of_classes() {
    images_of_class_.assign(classes_.size(), 0);
    std::vector<std::int64_t> last_image(classes_.size(), -1);
    const std::int64_t count = source_.image_count();
    for (std::int64_t index = 0; index < count; ++index) {
      if (is_left_out(source_.image(index))) {
        continue;
      }
      for (const ExportLabel& exported : source_.labels(index)) {
        if (reason_to_leave_out(exported.label)) {
          continue;
        }
        const auto class_index = static_cast<std::size_t>(exported.class_index);
        images_of_class_[class_index] += std::exchange(last_image[class_index], index) == index ? 0 : 1;
      }
    }
  }

  void write_head(std::string& out) {
    const std::string dataset = source_.dataset_json();
    const std::vector<SourceField> fields = source_fields(dataset);
    const auto has = [&](std::string_view key) {
      return std::any_of(fields.begin(), fields.end(), [&](const SourceField& field) { return field.key == key; });
    };
    // Readers of COCO, pycocotools among them, expect both.
    out += '{';
    JsonWriter json(out);
    if (!has("info")) {
      json.key("info").begin_object().end_object();
    }
    if (!has("licenses")) {
      json.key("licenses").begin_array().end_array();
    }
    for (const SourceField& field : fields) {
      if (field.key != "images" && field.key != "categories" && field.key != "annotations") {
        json.raw(std::string("\"").append(field.key).append("\":").append(field.json));
      }
    }
    static constexpr std::string_view kOurs[] = {"id", "name"};
    json.key("categories").begin_array();
    for (std::size_t i = 0; i < classes_.size(); ++i) {
      json.begin_object().field("id", class_ids_[i]).field("name", classes_[i].name);
      add_source_fields(out, classes_[i].source_json, kOurs);
      if (dialect_ == Dialect::lvis && source_field(classes_[i].source_json, "frequency").empty()) {
        json.field("frequency", frequency_of(images_of_class_[i]));
      }
      json.end_object();
    }
    json.end_array();
  }

  void write_images(BufferedFile& file) {
    const std::int64_t count = source_.image_count();
    file.text() += ",\n\"images\":[";
    for (std::int64_t index = 0; index < count; ++index) {
      const ExportImage image = source_.image(index);
      if (is_left_out(image)) {
        ++report_.images_left_out;
        continue;
      }
      file.text() += report_.images == 0 ? "\n" : ",\n";
      std::vector<std::string_view> ours = {"id", "file_name", "width", "height"};
      JsonWriter json(file.text());
      json.begin_object().field("id", image_ids_[static_cast<std::size_t>(index)]);
      if (dialect_ == Dialect::coco || !is_named_by_url(image)) {
        json.field("file_name", image.name);
      }
      if (image.width > 0 && image.height > 0) {
        json.field("width", image.width).field("height", image.height);
      }
      if (!image.split.empty()) {
        json.field("split", image.split);
        ours.push_back("split");
      }
      if (image.state == SampleState::not_labelled) {
        json.field("labelled", false);
        ours.push_back("labelled");
        ++report_.images_unlabelled;
      }
      if (!image.tags.empty()) {
        add_tags(json, image.tags);
        ours.push_back("tags");
      }
      if (!image.fields_json.empty()) {
        json.key("fields").raw(image.fields_json);
        ours.push_back("fields");
      }
      if (dialect_ == Dialect::lvis) {
        for (const std::string_view list : {"neg_category_ids", "not_exhaustive_category_ids"}) {
          if (source_field(image.source_json, list).empty()) {
            json.key(list).begin_array().end_array();
          }
        }
      }
      add_source_fields(file.text(), image.source_json, ours);
      json.end_object();
      ++report_.images;
      file.flush_when_full();
    }
    file.text() += "],\n\"annotations\":[";
  }

  void write_annotations(BufferedFile& file, const std::filesystem::path& path) {
    const std::int64_t count = source_.image_count();
    ExportIds ids;
    // Labels without an id of their own come last: only then is the largest id known that they are numbered after.
    Spool without_id(path);
    const auto write = [&](std::int64_t id, std::string_view tail) {
      file.text() += report_.labels == 0 ? "\n" : ",\n";
      file.text().append("{\"id\":").append(std::to_string(id)).append(tail);
      ++report_.labels;
      file.flush_when_full();
    };
    for (std::int64_t index = 0; index < count; ++index) {
      report_image(options_, "writing", index, count);
      const ExportImage image = source_.image(index);
      if (is_left_out(image)) {
        continue;
      }
      for (const ExportLabel& exported : source_.labels(index)) {
        if (is_left_out(exported.label)) {
          ++report_.labels_left_out;
          continue;
        }
        const std::string tail = annotation_tail(exported, image, image_ids_[static_cast<std::size_t>(index)],
                                                 class_ids_[static_cast<std::size_t>(exported.class_index)]);
        const std::optional<std::int64_t> id = ids.keep(exported.label.source_json);
        losses_.add(kLabelIds, ids.lost_one() ? 1 : 0);
        if (id) {
          write(*id, tail);
        } else {
          without_id.add(tail);
        }
      }
    }
    without_id.for_each_line([&](std::string_view tail) { write(ids.assign(), tail); });
    report_image(options_, "writing", count, count);
  }

  ExportSource& source_;
  const WriteOptions& options_;
  Dialect dialect_;
  std::vector<ExportClass> classes_;
  std::vector<std::int64_t> images_of_class_;  // for LVIS only
  NumberedIds image_ids_;
  NumberedIds class_ids_;
  LossCounts losses_;
  WriteReport report_;
};

std::vector<Loss> losses(ExportSource& source, const WriteOptions& options, Dialect dialect) {
  return CocoWriter(source, options, dialect).losses();
}

WriteReport write(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options, Dialect dialect) {
  check_coco(path, options);
  WriteReport report;
  CocoWriter writer(source, options, dialect);
  replace_file(path, [&](int descriptor) { report = writer.write(descriptor, path); });
  return report;
}

}  // namespace

void check_coco(const std::filesystem::path& path, const WriteOptions& options) {
  check_export_file(path, options, "a COCO export", ".json");
}

std::vector<Loss> losses_of_coco(ExportSource& source, const WriteOptions& options) {
  return losses(source, options, Dialect::coco);
}

WriteReport write_coco(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options) {
  return write(path, source, options, Dialect::coco);
}

std::vector<Loss> losses_of_lvis(ExportSource& source, const WriteOptions& options) {
  return losses(source, options, Dialect::lvis);
}

WriteReport write_lvis(const std::filesystem::path& path, ExportSource& source, const WriteOptions& options) {
  return write(path, source, options, Dialect::lvis);
}

}  // namespace verilabel
