#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/json_writer.h"
#include "verilabel/base/utf8.h"
#include "verilabel/formats/image_files.h"
#include "verilabel/formats/json_element.h"
#include "verilabel/formats/label_files.h"
#include "verilabel/formats/number_text.h"
#include "verilabel/formats/reading_progress.h"
#include "verilabel/formats/voc.h"
#include "verilabel/formats/xml_json.h"
#include "verilabel/formats/xml_label.h"
#include "verilabel/formats/xml_stream.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBatch = 256;
constexpr std::size_t kLabelBatch = 1024;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kBatchBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kMaxListBytes = std::uint64_t{1} << 30;

/// The lists that the devkit has, in the order in which they win; the rest come between.
constexpr std::string_view kFirstSplits[] = {"train", "val", "test"};
constexpr std::string_view kLastSplit = "trainval";

bool is_xml(const fs::path& path) {
  return has_extension(path, ".xml");
}

std::string without_extension(const fs::path& path) {
  return (path.parent_path() / path.stem()).native();
}

/// The image of a line that says whether one shows a class, by 1, 0 or -1 at its end; empty for other lines.
std::string_view before_mark(std::string_view line) {
  const std::size_t space = std::min(line.find_last_of(" \t"), line.size());
  const std::string_view mark = line.substr(std::min(space + 1, line.size()));
  return mark == "1" || mark == "0" || mark == "-1" ? trimmed_xml(line.substr(0, space)) : std::string_view();
}

/// What annotations call the file.
std::string stem_in(const fs::path& folder, const fs::path& file) {
  return without_extension(file.lexically_relative(folder));
}

/// A line of a file of `ImageSets/Main`.
struct ListedImage {
  std::string split;
  fs::path list;
  std::uint64_t line = 0;
};

/// A folder with `Annotations/`, or one of annotations only.
struct VocFolder {
  fs::path images;                                     ///< JPEGImages; empty when there is none
  std::vector<fs::path> image_files;                   ///< all in it
  std::unordered_map<std::string, fs::path> image_of;  ///< the first of each stem
  std::map<std::string, ListedImage> listed;           ///< by stem, where it is listed first
  std::unordered_set<std::string> annotated;           ///< stems
  std::vector<std::string> labelmap;
};

struct VocFile {
  fs::path file;
  std::string stem;  ///< relative to Annotations, or to the folder that was named
  VocFolder* folder = nullptr;
};

/// What one file says, between reading it and knowing its image.
struct Document {
  const VocFile* file = nullptr;
  SourceImage image;
  std::vector<XmlElement> objects;
  bool is_duplicate = false;
  fs::path named_in = {};  ///< of an image without annotations: itself, or the list with its line
  std::optional<std::uint64_t> line = {};
};

std::string source_json_of(const XmlElement& element, std::span<const XmlElement* const> unknown) {
  std::string out;
  if (unknown.empty() && element.attributes.empty()) {
    return out;
  }
  JsonWriter json(out);
  json.begin_object();
  if (!unknown.empty()) {
    json.key("voc").begin_array();
    for (const XmlElement* const child : unknown) {
      append_xml_json(json, *child);
    }
    json.end_array();
  }
  if (!element.attributes.empty()) {
    json.key("voc_attributes").begin_object();
    for (const auto& [name, value] : element.attributes) {
      json.field(name, value);
    }
    json.end_object();
  }
  json.end_object();
  return out;
}

Box box_of(const XmlElement& bndbox) {
  static constexpr std::string_view kCorners[] = {"xmin", "ymin", "xmax", "ymax"};
  std::array<std::string_view, 4> corners;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const std::string field = fmt::format("bndbox.{}", kCorners[i]);
    const XmlElement* const corner = single_child(bndbox, kCorners[i], "bndbox.");
    if (corner == nullptr) {
      throw XmlFault{RejectionReason::missing_field, field, "the box lacks this corner"};
    }
    corners[i] = corner->text;
    xml_number(corners[i], field);
  }
  return box_between(corners[0], corners[1], corners[2], corners[3], "bndbox");
}

/// x1, y1, x2, y2, … in any order of the elements.
Polygon polygon_of(const XmlElement& element) {
  const std::size_t count = element.children.size();
  if (count < 6 || count % 2 != 0) {
    throw XmlFault{RejectionReason::malformed, "polygon",
                   fmt::format("an outline has x1, y1, x2, y2, … of at least three points; this has {} numbers", count)};
  }
  Polygon polygon(count);
  std::vector<bool> is_set(count);
  for (const XmlElement& child : element.children) {
    const std::string field = fmt::format("polygon.{}", child.name);
    const bool is_x = child.name.starts_with('x');
    const std::string_view digits = std::string_view(child.name).substr(child.name.empty() ? 0 : 1);
    const std::optional<std::int32_t> number = xml_pixels(digits);
    const auto point = static_cast<std::size_t>(number.value_or(0));
    if ((!is_x && !child.name.starts_with('y')) || !number || point > count / 2) {
      throw XmlFault{RejectionReason::malformed, field,
                     fmt::format("the {} points of an outline are x1, y1 to x{}, y{}", count / 2, count / 2, count / 2)};
    }
    const std::size_t at = 2 * (point - 1) + (is_x ? 0 : 1);
    if (is_set[at]) {
      throw XmlFault{RejectionReason::malformed, field, "the coordinate stands twice"};
    }
    is_set[at] = true;
    polygon[at] = xml_number(child.text, field);
  }
  return polygon;
}

/// What CVAT, Datumaro and FiftyOne write: a list of names and values. Gives false for a name that was there before.
bool add_listed_attribute(const XmlElement& element, AttributeObject& attributes) {
  const XmlElement* const name = single_child(element, "name", "attributes.attribute.");
  const XmlElement* const value = single_child(element, "value", "attributes.attribute.");
  if (name == nullptr || value == nullptr || trimmed_xml(name->text).empty()) {
    throw XmlFault{RejectionReason::missing_field, "attributes.attribute", "an attribute has a name and a value"};
  }
  const std::string_view key = trimmed_xml(name->text);
  const std::string_view type = attribute_of(*value, "type").value_or("");
  if (type == "text") {
    return attributes.add_text(key, value->text);
  }
  const std::string_view text = trimmed_xml(value->text);
  if (type == "json") {
    if (!nlohmann::json::accept(text)) {
      if (const std::string_view number = first_too_large(text); !number.empty()) {
        xml_number(number, "attributes.attribute.value");
      }
      throw XmlFault{RejectionReason::malformed, "attributes.attribute.value", fmt::format("`{}` is no JSON", shown_xml(text))};
    }
    try {
      require_single_keys(JsonValue(text, "attributes.attribute.value"));
    } catch (const ElementFault& fault) {
      throw XmlFault{fault.reason, fault.field, fault.message};
    }
    return attributes.add_json(key, text);
  }
  if (text == "true" || text == "True") {
    return attributes.add_json(key, "true");
  }
  if (text == "false" || text == "False") {
    return attributes.add_json(key, "false");
  }
  if (!is_json_number(text)) {
    return attributes.add_text(key, text);
  }
  xml_number(text, "attributes.attribute.value");
  return attributes.add_json(key, text);
}

class VocReader {
 public:
  VocReader(const fs::path& path, const ReadOptions& options, ImportSink& sink)
      : path_(fs::absolute(path).lexically_normal()), options_(options), sink_(sink) {
    if (!path_.has_filename()) {
      path_ = path_.parent_path();
    }
  }

  ReadCounts read() {
    find_files();
    check_split();
    for (const auto& [root, folder] : folders_) {
      for (const std::string& name : folder.labelmap) {
        class_of(name, std::string(kOnlyListed));
      }
    }
    total_ = static_cast<std::int64_t>(files_.size());
    for (const VocFile& file : files_) {
      if (is_wanted(*file.folder, file.stem)) {
        read_file_into_batch(file);
      }
      ++done_;
    }
    announce();
    for (auto& [root, folder] : folders_) {
      announce_unlabelled(folder);
    }
    announce();
    hand_over();
    report_images_read(options_, path_, done_, total_);
    return counts_;
  }

 private:
  void find_files() {
    if (!fs::exists(path_)) {
      throw Error(ErrorCode::not_found, "there is no such file or folder; name a folder of .xml files or one .xml file",
                  {{"path", path_.native()}});
    }
    is_single_ = !fs::is_directory(path_);
    if (is_single_ && !is_xml(path_)) {
      throw Error(ErrorCode::wrong_use, "VOC labels are a folder of .xml files or one .xml file, and this is neither",
                  {{"path", path_.native()}});
    }
    std::vector<fs::path> files = is_single_ ? std::vector<fs::path>{path_} : files_under(path_);
    put_outer_first(files);
    find_unlabelled(files);
    for (const fs::path& file : files) {
      if (is_image_name(file)) {
        places_of_images_.insert(file.parent_path());
      }
    }
    std::erase_if(files, [](const fs::path& file) { return !is_xml(file); });
    for (fs::path& file : files) {
      const fs::path root = root_of(file);
      const fs::path base = !root.empty() ? root / "Annotations" : is_single_ ? path_.parent_path() : path_;
      if (!is_single_ && is_in_hidden_folder((root.empty() ? file : root / "file").lexically_relative(path_))) {
        continue;
      }
      VocFolder& folder = folder_at(root.empty() ? base : root, !root.empty());
      std::string stem = stem_in(base, file);
      folder.annotated.insert(stem);
      files_.push_back({std::move(file), std::move(stem), &folder});
    }
    if (files_.empty() && folders_.empty()) {
      throw Error(ErrorCode::bad_data, "there is no .xml file in this folder, and no Annotations beside lists in ImageSets/Main",
                  {{"path", path_.native()}});
    }
  }

  /// The folder whose Annotations the file is in, wherever in the path that stands; empty when there is none. Of several it is the
  /// outermost beside which the rest of the layout is, since an image may lie in a folder of that name; else the innermost.
  static fs::path root_of(const fs::path& file) {
    fs::path root;
    fs::path above;
    for (const fs::path& part : file.parent_path()) {
      if (part == "Annotations") {
        root = above;
        if (fs::is_directory(root / "ImageSets") || fs::is_directory(root / "JPEGImages")) {
          break;
        }
      }
      above /= part;
    }
    return root;
  }

  /// Folders with lists of images, none of which may be labelled: their Annotations is there, and may be empty.
  void find_unlabelled(const std::vector<fs::path>& files) {
    const auto add = [&](const fs::path& root) {
      if (fs::is_directory(root / "Annotations")) {
        folder_at(root, true);
      }
    };
    const fs::path own = path_.filename() == "Annotations" ? path_.parent_path() : path_;
    if (!is_single_ && fs::is_directory(own / "ImageSets" / "Main")) {
      add(own);
    }
    for (const fs::path& file : files) {
      const fs::path lists = file.parent_path();
      if (has_extension(file, ".txt") && lists.filename() == "Main" && lists.parent_path().filename() == "ImageSets") {
        add(lists.parent_path().parent_path());
      }
    }
  }

  VocFolder& folder_at(const fs::path& root, bool has_layout) {
    const auto [at, is_new] = folders_.try_emplace(root);
    VocFolder& folder = at->second;
    if (!is_new || !has_layout) {
      return folder;
    }
    if (fs::is_directory(root / "JPEGImages")) {
      folder.images = root / "JPEGImages";
      folder.image_files = files_under(folder.images, is_image_name);
      for (const fs::path& image : folder.image_files) {
        folder.image_of.emplace(stem_in(folder.images, image), image);
      }
    }
    read_splits(root / "ImageSets" / "Main", folder);
    read_labelmap(root / "labelmap.txt", folder);
    return folder;
  }

  void read_splits(const fs::path& lists, VocFolder& folder) {
    if (!fs::is_directory(lists)) {
      return;
    }
    std::map<std::pair<int, std::string>, fs::path> ordered;
    for (const fs::path& file : files_under(lists, [](const fs::path& path) { return has_extension(path, ".txt"); })) {
      const std::string name = file.stem().native();
      const auto* const first = std::find(std::begin(kFirstSplits), std::end(kFirstSplits), name);
      const int rank = name == kLastSplit ? 4 : static_cast<int>(first - std::begin(kFirstSplits));
      ordered.emplace(std::pair(rank, name), file);
    }
    for (const auto& [rank_and_name, file] : ordered) {
      const std::string& split = rank_and_name.second;
      const std::vector<std::pair<std::uint64_t, std::string>> stems = listed_stems(file, split);
      if (stems.empty() && split.find('_') != std::string::npos) {
        continue;  // which images show a class, not which belong to a set
      }
      splits_.insert(split);
      for (const auto& [line, stem] : stems) {
        const auto [at, is_new] = folder.listed.try_emplace(stem, ListedImage{split, file, line});
        const ListedImage& first = at->second;
        if (!is_new && first.list == file) {
          reject(RejectedKind::field, file, line, {},
                 {RejectionReason::duplicate_id, split,
                  fmt::format("the image `{}` is in this list twice, first on line {}", printable(stem), first.line)});
        } else if (!is_new && split != kLastSplit) {
          reject(RejectedKind::field, file, line, {},
                 {RejectionReason::duplicate_id, split,
                  fmt::format("the image `{}` is in the list `{}` too (line {}), where it stays", printable(stem), first.split,
                              first.line)});
        }
      }
    }
  }

  /// The lines of a list with their numbers; none for the lists of one class, whose lines end with 1, 0 or -1.
  static std::vector<std::pair<std::uint64_t, std::string>> listed_stems(const fs::path& file, const std::string& split) {
    const std::string text = verilabel::read_file(file, kMaxListBytes);
    std::vector<std::pair<std::uint64_t, std::string>> stems;
    bool is_of_class = split.find('_') != std::string::npos;
    for_each_line(text, [&](std::uint64_t number, std::string_view line) {
      const std::string_view stem = trimmed_xml(line);
      if (stem.empty()) {
        return;
      }
      is_of_class = is_of_class && !before_mark(stem).empty();
      stems.emplace_back(number, stem);
    });
    return is_of_class ? std::vector<std::pair<std::uint64_t, std::string>>() : stems;
  }

  /// Names of classes before the first colon of a line, as Datumaro and CVAT write them.
  static void read_labelmap(const fs::path& file, VocFolder& folder) {
    if (!fs::is_regular_file(file)) {
      return;
    }
    const std::string text = verilabel::read_file(file, kMaxFileBytes);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = std::string_view(text).substr(begin, end - begin);
      const std::string_view name = trimmed_xml(line.substr(0, line.find(':')));
      if (!name.empty() && !name.starts_with('#')) {
        folder.labelmap.emplace_back(name);
      }
      begin = end + 1;
    }
  }

  void check_split() const {
    if (!options_.split.empty() && !splits_.contains(options_.split)) {
      throw Error(ErrorCode::wrong_use,
                  splits_.empty() ? fmt::format("there is no split `{}`: the folder has no ImageSets/Main", options_.split)
                                  : fmt::format("there is no split `{}`; there is {}", options_.split, fmt::join(splits_, ", ")),
                  {{"path", path_.native()}});
    }
  }

  static std::string split_of(const VocFolder& folder, const std::string& stem) {
    const auto at = folder.listed.find(stem);
    return at == folder.listed.end() ? std::string() : at->second.split;
  }

  bool is_wanted(const VocFolder& folder, const std::string& stem) const {
    return options_.split.empty() || split_of(folder, stem) == options_.split;
  }

  /// A file that cannot be read is one among many, unless it is the only one.
  void read_file_into_batch(const VocFile& file) {
    try {
      std::error_code error;
      const std::uintmax_t bytes = fs::file_size(file.file, error);
      if (!error && bytes > kMaxFileBytes) {
        reject_image(file.file, {}, file.stem, {RejectionReason::too_large, "", "the file is larger than 64 MB"});
        return;
      }
      Document document = read_document(file);
      if (batch_.size() == kBatch || batch_bytes_ > kBatchBytes) {
        announce();
      }
      batch_bytes_ += error ? 0 : bytes;
      batch_.push_back(std::move(document));
    } catch (const Error& error) {
      if (is_single_) {
        throw;
      }
      std::optional<std::uint64_t> line;
      for (const auto& [name, value] : error.context()) {
        line = name == "line" ? std::optional<std::uint64_t>(std::stoull(value)) : line;
      }
      reject_image(file.file, line, file.stem, {RejectionReason::unreadable_file, "", error.message()});
      // What is known of its image is not that nobody has labelled it.
      if (const auto image = file.folder->image_of.find(file.stem); image != file.folder->image_of.end()) {
        seen_images_.insert(image->second.native());
      }
    }
  }

  Document read_document(const VocFile& file) {
    XmlStream stream(file.file);
    const XmlElement root = stream.root();
    if (root.name != "annotation") {
      throw Error(ErrorCode::bad_data,
                  fmt::format("the file begins with <{}>, and VOC files begin with <annotation>{}", shown_xml(root.name),
                              root.name == "annotations" ? "; this may be CVAT" : ""),
                  {{"file", printable(file.file.native())}, {"line", std::to_string(root.line)}});
    }
    Document document;
    document.file = &file;
    std::vector<XmlElement> others;
    while (std::optional<XmlElement> element = stream.next()) {
      (element->name == "object" ? document.objects : others).push_back(std::move(*element));
    }
    document.image.split = split_of(*file.folder, file.stem);
    describe(root, others, document);
    return document;
  }

  /// Name, path, size and the rest of what stands about the image.
  void describe(const XmlElement& root, std::vector<XmlElement>& others, Document& document) {
    std::vector<const XmlElement*> unknown;
    std::string filename;
    std::string stated_path;
    std::set<std::string_view> seen;
    for (XmlElement& element : others) {
      const bool is_single = element.name == "filename" || element.name == "path" || element.name == "size";
      if (is_single && !seen.insert(element.name).second) {
        reject_doubled(element, element.name, document);
      } else if (element.name == "filename") {
        filename = trimmed_xml(element.text);
      } else if (element.name == "path") {
        stated_path = trimmed_xml(element.text);
      } else if (element.name == "size") {
        read_size(element, document);
        unknown.push_back(&element);
      } else {
        unknown.push_back(&element);
      }
    }
    std::erase_if(unknown, [](const XmlElement* element) { return element->name == "size" && element->children.empty(); });
    document.image.source_json = source_json_of(root, unknown);
    find_image(filename, stated_path, document);
  }

  /// What stands about the image and may stand once.
  void reject_doubled(const XmlElement& element, const std::string& field, const Document& document) {
    reject(RejectedKind::field, document.file->file, element.line, document.file->stem,
           {RejectionReason::malformed, field, "the element stands twice; the first is taken"});
  }

  /// Takes width and height out of the element, so that what is left of it is unknown.
  void read_size(XmlElement& size, Document& document) {
    std::set<std::string_view> seen;
    for (const XmlElement& child : size.children) {
      std::optional<std::int32_t>* const pixels = child.name == "width"    ? &document.image.width
                                                  : child.name == "height" ? &document.image.height
                                                                           : nullptr;
      if (pixels == nullptr) {
        continue;
      }
      if (!seen.insert(child.name).second) {
        reject_doubled(child, "size." + child.name, document);
        continue;
      }
      *pixels = xml_pixels(child.text);
      // LabelImg and others write 0 when they do not know.
      if (!*pixels && trimmed_xml(child.text) != "0") {
        reject(RejectedKind::field, document.file->file, child.line, document.file->stem,
               {RejectionReason::malformed, "size." + child.name,
                fmt::format("`{}` is not a size in pixels; the size is taken from the image", shown_xml(child.text))});
      }
    }
    std::erase_if(size.children, [](const XmlElement& child) { return child.name == "width" || child.name == "height"; });
  }

  void find_image(const std::string& filename, const std::string& stated_path, Document& document) const {
    const VocFile& file = *document.file;
    const VocFolder& folder = *file.folder;
    const fs::path stem_folder = fs::path(file.stem).parent_path();
    const fs::path name = filename.empty()                          ? fs::path(file.stem)
                          : filename.find('/') != std::string::npos ? fs::path(filename)
                                                                    : stem_folder / filename;
    SourceImage& image = document.image;
    image.name = name.native();
    image.is_only = true;
    image.form = is_image_name(name) ? NameForm::whole : filename.empty() ? NameForm::stem : NameForm::whole_or_stem;
    const auto take = [&](const fs::path& path) {
      std::error_code ignored;
      if (!image.path.empty() || path == file.file || !fs::is_regular_file(path, ignored)) {
        return;
      }
      image.path = path.lexically_normal().native();
      if (path.filename() == name.filename()) {
        image.form = NameForm::whole;
      }
    };
    const fs::path beside = file.file.parent_path();
    if (image.form != NameForm::stem && stays_inside(name)) {
      if (!folder.images.empty()) {
        take(folder.images / name);
        take(folder.images / name.filename());
      }
      take(beside / name.filename());
    }
    if (image.path.empty()) {
      if (const auto at = folder.image_of.find(file.stem); at != folder.image_of.end()) {
        image.path = at->second.native();
        // A name without an extension, or of a file that was renamed with its annotations.
        if (image.form != NameForm::whole || stays_inside(name)) {
          image.name = at->second.lexically_relative(folder.images).native();
          image.form = NameForm::whole;
        }
      }
    }
    if (fs::path(stated_path).is_absolute()) {
      take(stated_path);
    }
    const bool may_be_beside = is_single_ || places_of_images_.contains(beside);
    if (image.path.empty() && may_be_beside && (image.form != NameForm::whole || stays_inside(name))) {
      if (const std::optional<fs::path> called_alike = image_with_stem_of(file.file)) {
        image.path = called_alike->native();
        image.name = (stem_folder / called_alike->filename()).native();
        image.form = NameForm::whole;
      }
    }
  }

  void announce() {
    if (batch_.empty()) {
      return;
    }
    report_images_read(options_, path_, done_, total_);
    std::vector<SourceImage> images;
    for (Document& document : batch_) {
      const std::string& key = document.image.path.empty() ? document.image.name : document.image.path;
      document.is_duplicate = document.image.is_labelled && !seen_images_.insert(key).second;
      if (document.is_duplicate) {
        reject_image(document.file->file, {}, document.image.name,
                     {RejectionReason::duplicate_id, "filename", std::string(kLabelledElsewhere)});
        continue;
      }
      images.push_back(document.image);
    }
    const std::vector<ResolvedImage> resolved = images.empty() ? std::vector<ResolvedImage>() : sink_.on_images(std::move(images));
    std::size_t next = 0;
    for (const Document& document : batch_) {
      if (document.is_duplicate) {
        read_objects(document, XmlFault{RejectionReason::duplicate_id, "", std::string(kLabelledElsewhere)});
        continue;
      }
      assert(next < resolved.size());
      const Resolution resolution = resolved[next++].resolution;
      std::optional<XmlFault> fault;
      if (resolution == Resolution::ambiguous) {
        fault = {RejectionReason::ambiguous_image, "", "the name of the image fits several images of the project"};
      } else if (resolution == Resolution::unknown) {
        fault = {RejectionReason::unknown_image, "", "the project has no such image"};
      } else if (resolution == Resolution::duplicate) {
        fault = {RejectionReason::duplicate_id, "", std::string(kLabelledElsewhere)};
        reject_image(document.file->file, {}, document.image.name, *fault);
      }
      if (document.image.is_labelled) {
        read_objects(document, fault);
        ++counts_.images_labelled;
      } else if (fault) {
        reject_image(document.named_in, document.line, document.image.name, *fault);
      }
      ++counts_.images;
    }
    batch_.clear();
    batch_bytes_ = 0;
  }

  /// Images beside the annotations, and names in the lists, that have none.
  void announce_unlabelled(const VocFolder& folder) {
    for (const fs::path& image : folder.image_files) {
      const std::string stem = stem_in(folder.images, image);
      if (!seen_images_.contains(image.native()) && is_wanted(folder, stem)) {
        Document document;
        document.image.name = image.lexically_relative(folder.images).native();
        document.image.path = image.native();
        document.image.split = split_of(folder, stem);
        document.named_in = image;
        add_unlabelled(std::move(document));
      }
    }
    for (const auto& [stem, listed] : folder.listed) {
      if (is_known(folder, stem) || !is_wanted(folder, stem)) {
        continue;
      }
      if (const std::string_view marked = before_mark(stem); is_known(folder, std::string(marked))) {
        reject(RejectedKind::field, listed.list, listed.line, std::string(marked),
               {RejectionReason::malformed, listed.split,
                fmt::format("`{}` ends like a line about one class, and this is a list of images; leave the name alone on the line",
                            printable(stem))});
      } else {
        Document document;
        document.image.name = stem;
        document.image.form = NameForm::stem;
        document.image.split = listed.split;
        document.named_in = listed.list;
        document.line = listed.line;
        add_unlabelled(std::move(document));
      }
    }
    announce();
  }

  static bool is_known(const VocFolder& folder, const std::string& stem) {
    return folder.annotated.contains(stem) || folder.image_of.contains(stem);
  }

  void add_unlabelled(Document document) {
    document.image.is_labelled = false;
    if (batch_.size() == kBatch) {
      announce();
    }
    batch_.push_back(std::move(document));
  }

  /// The labels of one file; all of them rejected when there is a fault.
  void read_objects(const Document& document, const std::optional<XmlFault>& fault) {
    std::size_t index = 0;
    for (const XmlElement& object : document.objects) {
      const std::string place = fmt::format("object[{}]", index++);
      try {
        if (object.is_too_large) {
          throw XmlFault{RejectionReason::too_large, "", "the element is larger than 64 MB"};
        }
        ImportedLabel imported;
        imported.label = label_of(object, document, place);
        if (fault) {
          throw XmlFault(*fault);
        }
        imported.image = counts_.images;
        imported.class_index = class_of(std::string(trimmed_xml(child_of(object, "name")->text)));
        labels_.push_back(std::move(imported));
      } catch (const XmlFault& found) {
        reject(RejectedKind::label, document.file->file, object.line, document.image.name,
               {found.reason, found.field.empty() ? place : fmt::format("{}.{}", place, found.field), found.message});
      }
    }
    if (labels_.size() >= kLabelBatch) {
      hand_over();
    }
  }

  Label label_of(const XmlElement& object, const Document& document, const std::string& place) {
    static constexpr std::string_view kFlags[] = {"truncated", "difficult", "occluded"};
    const XmlElement* const name = single_child(object, "name");
    if (name == nullptr || trimmed_xml(name->text).empty()) {
      throw XmlFault{RejectionReason::missing_field, "name", "the object has no name of a class"};
    }
    if (child_of(object, "robndbox") != nullptr) {
      throw XmlFault{RejectionReason::malformed, "robndbox", "the box is rotated, and labels have no angle"};
    }
    Label label;
    AttributeObject attributes;
    std::vector<Polygon> outlines;
    std::vector<const XmlElement*> unknown;
    const auto is_duplicate = [&](const XmlElement& element, std::string_view what) {
      reject(RejectedKind::field, document.file->file, element.line, document.image.name,
             {RejectionReason::duplicate_name, fmt::format("{}.{}", place, what), "the attribute stands twice; the first is kept"});
    };
    std::set<std::string_view> seen;
    for (const XmlElement& child : object.children) {
      const std::string_view text = trimmed_xml(child.text);
      if (child.name == "name" || child.name == "bndbox") {
        continue;
      }
      const bool is_flag = std::find(std::begin(kFlags), std::end(kFlags), child.name) != std::end(kFlags);
      if ((is_flag || child.name == "pose") && !seen.insert(child.name).second) {
        is_duplicate(child, child.name);
        continue;
      }
      if (child.name == "polygon") {
        // Annotation tools write an empty one for a box.
        if (!child.children.empty()) {
          outlines.push_back(polygon_of(child));
        }
      } else if (is_flag) {
        if (text == "1" || text == "true" || text == "True") {
          if (!attributes.add_json(child.name, "true")) {
            is_duplicate(child, child.name);
          }
        } else if (text != "0" && text != "false" && text != "False" && !text.empty() && text != "Unspecified") {
          unknown.push_back(&child);
        }
      } else if (child.name == "pose") {
        if (!text.empty() && text != "Unspecified" && !attributes.add_text("pose", text)) {
          is_duplicate(child, child.name);
        }
      } else if (child.name == "attributes") {
        read_attributes(child, attributes, document, place);
      } else {
        unknown.push_back(&child);
      }
    }
    const XmlElement* const box = single_child(object, "bndbox");
    if (box == nullptr && outlines.empty()) {
      throw XmlFault{RejectionReason::missing_field, "bndbox", "the object has neither a box nor an outline"};
    }
    if (!outlines.empty()) {
      label.kind = LabelKind::mask;
      label.mask = Mask{std::move(outlines)};
    }
    label.box_xywh_px = box != nullptr ? box_of(*box) : mask_box(*label.mask);
    label.attributes_json = attributes.take();
    label.source_json = source_json_of(object, unknown);
    if (const std::optional<std::string> wrong = fault_of(label)) {
      throw XmlFault{RejectionReason::malformed, "", *wrong};
    }
    return label;
  }

  void read_attributes(const XmlElement& list, AttributeObject& attributes, const Document& document, const std::string& place) {
    for (const XmlElement& element : list.children) {
      std::optional<XmlFault> fault;
      try {
        if (element.name != "attribute") {
          throw XmlFault{RejectionReason::malformed, "attributes",
                         fmt::format("a list of <attribute> has no <{}>", shown_xml(element.name))};
        }
        if (!add_listed_attribute(element, attributes)) {
          fault = {RejectionReason::duplicate_name, "attributes.attribute", "the attribute stands twice; the first is kept"};
        }
      } catch (const XmlFault& found) {
        fault = found;
      }
      if (fault) {
        fault->field = fmt::format("{}.{}", place, fault->field);
        reject(RejectedKind::field, document.file->file, element.line, document.image.name, std::move(*fault));
      }
    }
  }

  std::int32_t class_of(const std::string& name, std::string source_json = {}) {
    const auto [at, is_new] = class_index_.try_emplace(name, static_cast<std::int32_t>(counts_.classes));
    if (is_new) {
      ++counts_.classes;
      sink_.on_classes({{name, {}, std::move(source_json)}});
    }
    return at->second;
  }

  void hand_over() {
    if (!labels_.empty()) {
      counts_.labels += static_cast<std::int64_t>(labels_.size());
      sink_.on_labels(std::exchange(labels_, {}));
    }
  }

  void reject_image(const fs::path& file, std::optional<std::uint64_t> line, const std::string& image, XmlFault fault) {
    reject(RejectedKind::image, file, line, image, std::move(fault));
  }
  void reject(RejectedKind kind, const fs::path& file, std::optional<std::uint64_t> line, const std::string& image,
              XmlFault fault) {
    (kind == RejectedKind::label   ? counts_.labels_rejected
     : kind == RejectedKind::image ? counts_.images_rejected
                                   : counts_.others_rejected) += 1;
    sink_.on_rejected({.kind = kind,
                       .reason = fault.reason,
                       .file = file.native(),
                       .line = line,
                       .byte_offset = {},
                       .field = std::move(fault.field),
                       .image = image,
                       .message = std::move(fault.message)});
  }

  fs::path path_;
  const ReadOptions& options_;
  ImportSink& sink_;
  bool is_single_ = false;
  std::map<fs::path, VocFolder> folders_;
  std::vector<VocFile> files_;
  std::set<fs::path> places_of_images_;  ///< folders that hold one
  std::set<std::string> splits_;
  std::vector<Document> batch_;
  std::uint64_t batch_bytes_ = 0;
  std::unordered_set<std::string> seen_images_;
  std::unordered_map<std::string, std::int32_t> class_index_;
  std::vector<ImportedLabel> labels_;
  ReadCounts counts_;
  std::int64_t done_ = 0;
  std::int64_t total_ = 0;
};

}  // namespace

ReadCounts read_voc(const fs::path& path, const ReadOptions& options, ImportSink& sink) {
  return VocReader(path, options, sink).read();
}

}  // namespace verilabel
