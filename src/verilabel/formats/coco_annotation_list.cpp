#include "verilabel/formats/coco_annotation_list.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/input_file.h"
#include "verilabel/formats/json_scan.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/plain_decimal.h"
#include "verilabel/geometry/coco_string.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

/// How far behind a piece to look for the next element; what is longer is read afterwards.
constexpr std::uint64_t kAheadOfPiece = std::uint64_t{4} << 20;

/// The bytes of a file from an offset on, for several threads.
class FileTail {
 public:
  FileTail(const std::filesystem::path& path, std::uint64_t byte_offset) : file_(path), byte_offset_(byte_offset) {}

  std::uint64_t size() const { return file_.bytes() > byte_offset_ ? file_.bytes() - byte_offset_ : 0; }
  void read(std::uint64_t begin, std::span<char> bytes) const { file_.read_at(byte_offset_ + begin, bytes); }

 private:
  InputFile file_;
  std::uint64_t byte_offset_;
};

/// A part of the file at a time, with zeros behind it, so that scanning stops without counting.
class FileWindow {
 public:
  explicit FileWindow(const FileTail& file) : file_(file) {}

  void show(std::uint64_t begin, std::uint64_t end) {
    const auto wanted = static_cast<std::size_t>(end - begin);
    const std::size_t had = begin == begin_ ? std::min(size_, wanted) : 0;
    if (bytes_.size() < wanted + JsonStream::kPaddingBytes) {
      bytes_.resize(wanted + JsonStream::kPaddingBytes);
    }
    begin_ = begin;
    size_ = 0;  // until it is read
    file_.read(begin + had, std::span(bytes_).subspan(had, wanted - had));
    size_ = wanted;
    std::memset(bytes_.data() + size_, 0, JsonStream::kPaddingBytes);
  }

  const char* begin() const { return bytes_.data(); }
  const char* end() const { return bytes_.data() + size_; }
  bool is_at_end_of_file() const { return begin_ + size_ == file_.size(); }
  std::uint64_t offset_of(const char* at) const { return begin_ + static_cast<std::uint64_t>(at - begin()); }

 private:
  const FileTail& file_;
  std::vector<char> bytes_;
  std::uint64_t begin_ = 0;
  std::size_t size_ = 0;
};

/// COCO's character string of a mask, unescaped and not looked at yet.
struct CocoRunString {
  std::string_view text;
  std::uint32_t height = 0;
  std::uint32_t width = 0;
};

/// What stands in one annotation, as far as evaluation asks.
struct Row {
  std::optional<std::int64_t> id;
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  std::optional<Box> box_xywh_px;
  std::optional<double> area_px;
  std::optional<double> score;
  bool is_crowd = false;
  std::optional<CocoRunString> run_string;
  std::optional<Rle> runs;  ///< in place of the string
  std::vector<double> polygons_xy_px;
  std::vector<std::uint32_t> polygon_ends;  ///< of each polygon in the numbers
  std::string unescaped;                    ///< what the string may lie in

  bool has_mask() const { return run_string || runs || !polygon_ends.empty(); }
  /// Keeps memory for the next one.
  void clear() {
    id.reset();
    box_xywh_px.reset();
    area_px.reset();
    score.reset();
    is_crowd = false;
    run_string.reset();
    runs.reset();
    polygons_xy_px.clear();
    polygon_ends.clear();
  }
};

enum class Field : unsigned { id, image_id, category_id, bbox, area, iscrowd, score, segmentation };

struct KnownKey {
  std::string_view quoted;
  Field field;
};
constexpr KnownKey kKnownKeys[] = {
    {"\"image_id\"", Field::image_id},
    {"\"category_id\"", Field::category_id},
    {"\"bbox\"", Field::bbox},
    {"\"score\"", Field::score},
    {"\"id\"", Field::id},
    {"\"area\"", Field::area},
    {"\"iscrowd\"", Field::iscrowd},
    {"\"segmentation\"", Field::segmentation},
};

// Reading the plain form, which is what files of detections consist of. All of these give the place behind what they read, or null
// when it is anything else; they may look at bytes behind the end of the file, which are zero.

const char* after_space(const char* at) {
  while (is_json_space(*at)) {
    ++at;
  }
  return at;
}

const char* read_key(const char* at, Field& field) {
  for (const KnownKey& key : kKnownKeys) {
    if (std::memcmp(at, key.quoted.data(), key.quoted.size()) == 0) {
      field = key.field;
      return at + key.quoted.size();
    }
  }
  return nullptr;
}

const char* read_box(const char* at, Box& box) {
  if (*at != '[') {
    return nullptr;
  }
  ++at;
  for (double* const number : {&box.x, &box.y, &box.w, &box.h}) {
    at = read_plain_decimal(after_space(at), *number);
    if (at == nullptr) {
      return nullptr;
    }
    at = after_space(at);
    if (*at != (number == &box.h ? ']' : ',')) {
      return nullptr;
    }
    ++at;
  }
  return box.w >= 0 && box.h >= 0 ? at : nullptr;
}

const char* read_flag(const char* at, bool& flag) {
  std::int64_t number = 0;
  at = read_plain_integer(at, number);
  flag = number == 1;
  return number == 0 || number == 1 ? at : nullptr;
}

/// Lists of numbers, however deep: polygons that nobody asks for.
const char* skip_numbers(const char* at) {
  if (*at != '[') {
    return nullptr;
  }
  int depth = 0;
  do {
    const char c = *at++;
    depth += c == '[' ? 1 : 0;
    depth -= c == ']' ? 1 : 0;
    const bool is_plain = c == '[' || c == ']' || c == ',' || c == '.' || c == '-' || (c >= '0' && c <= '9') || is_json_space(c);
    if (!is_plain) {
      return nullptr;
    }
  } while (depth > 0);
  return at;
}

template <typename Number>
const char* read_into(std::optional<Number>& target, const char* at) {
  Number number = 0;
  if constexpr (std::is_integral_v<Number>) {
    at = read_plain_integer(at, number);
  } else {
    at = read_plain_decimal(at, number);
  }
  target = number;
  return at;
}

/// A list of polygons of at least three points each.
const char* read_polygons(const char* at, Row& row) {
  if (*at != '[') {
    return nullptr;
  }
  at = after_space(at + 1);
  if (*at == ']') {
    return at + 1;
  }
  for (;;) {
    if (*at != '[') {
      return nullptr;
    }
    ++at;
    const std::size_t begin = row.polygons_xy_px.size();
    do {
      double number = 0;
      at = read_plain_decimal(after_space(at), number);
      if (at == nullptr) {
        return nullptr;
      }
      row.polygons_xy_px.push_back(number);
      at = after_space(at);
    } while (*at++ == ',');
    const std::size_t numbers = row.polygons_xy_px.size() - begin;
    if (at[-1] != ']' || numbers < 6 || numbers % 2 != 0) {
      return nullptr;
    }
    row.polygon_ends.push_back(static_cast<std::uint32_t>(row.polygons_xy_px.size()));
    at = after_space(at);
    if (*at == ']') {
      return at + 1;
    }
    if (*at != ',') {
      return nullptr;
    }
    at = after_space(at + 1);
  }
}

/// A string whose only escape is that of the backslash, which is a character of COCO's run-length strings; `unescaped` serves it.
const char* read_run_string(const char* at, std::string& unescaped, std::string_view& text) {
  if (*at != '"') {
    return nullptr;
  }
  const char* const begin = at + 1;
  const char* const end = std::strchr(begin, '"');
  if (end == nullptr) {
    return nullptr;
  }
  const auto find_backslash = [end](const char* from) {
    const void* const found = std::memchr(from, '\\', static_cast<std::size_t>(end - from));
    return found == nullptr ? end : static_cast<const char*>(found);
  };
  const char* part_end = find_backslash(begin);
  text = {begin, static_cast<std::size_t>(part_end - begin)};
  if (part_end != end) {
    unescaped.assign(text);
    while (part_end != end) {
      if (part_end[1] != '\\') {
        return nullptr;
      }
      const char* const part = part_end + 1;  // the second of the two is the first of what follows
      part_end = find_backslash(part + 1);
      unescaped.append(part, part_end);
    }
    text = unescaped;
  }
  return end + 1;
}

const char* read_size(const char* at, std::int64_t& height, std::int64_t& width) {
  for (std::int64_t* const number : {&height, &width}) {
    if (*at != (number == &height ? '[' : ',')) {
      return nullptr;
    }
    at = read_plain_integer(after_space(at + 1), *number);
    if (at == nullptr) {
      return nullptr;
    }
    at = after_space(at);
  }
  return *at == ']' ? at + 1 : nullptr;
}

/// `size` and `counts`, in either order, the counts as a string.
const char* read_runs(const char* at, Row& row) {
  constexpr std::string_view kSize = "\"size\"";
  constexpr std::string_view kCounts = "\"counts\"";
  std::int64_t height = -1;
  std::int64_t width = -1;
  std::optional<std::string_view> text;
  for (const char last : {',', '}'}) {
    at = after_space(at + 1);
    const bool is_size = std::memcmp(at, kSize.data(), kSize.size()) == 0;
    if ((!is_size && std::memcmp(at, kCounts.data(), kCounts.size()) != 0) || (is_size ? height >= 0 : text.has_value())) {
      return nullptr;
    }
    at = after_space(at + (is_size ? kSize : kCounts).size());
    if (*at != ':') {
      return nullptr;
    }
    at = after_space(at + 1);
    at = is_size ? read_size(at, height, width) : read_run_string(at, row.unescaped, text.emplace());
    if (at == nullptr) {
      return nullptr;
    }
    at = after_space(at);
    if (*at != last) {
      return nullptr;
    }
  }
  constexpr std::int64_t kGreatest = std::numeric_limits<std::uint32_t>::max();
  if (height < 0 || width < 0 || height > kGreatest || width > kGreatest) {
    return nullptr;
  }
  row.run_string = {*text, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width)};
  return at + 1;
}

const char* read_value(const char* at, Field field, CocoMasks masks, Row& row) {
  switch (field) {
    case Field::id:
      return read_into(row.id, at);
    case Field::image_id:
      return read_plain_integer(at, row.image_id);
    case Field::category_id:
      return read_plain_integer(at, row.category_id);
    case Field::bbox:
      return read_box(at, row.box_xywh_px.emplace());
    case Field::area:
      at = read_into(row.area_px, at);
      return *row.area_px >= 0 ? at : nullptr;
    case Field::score:
      return read_into(row.score, at);
    case Field::iscrowd:
      return read_flag(at, row.is_crowd);
    case Field::segmentation:
      if (masks == CocoMasks::skip) {
        return skip_numbers(at);
      }
      return *at == '{' ? read_runs(at, row) : read_polygons(at, row);
  }
  return nullptr;
}

const char* read_plain_annotation(const char* at, CocoMasks masks, Row& row) {
  row.clear();
  if (*at != '{') {
    return nullptr;
  }
  at = after_space(at + 1);
  unsigned seen = 0;
  for (;;) {
    Field field{};
    at = read_key(at, field);
    if (at == nullptr) {
      return nullptr;
    }
    at = after_space(at);
    const unsigned bit = 1U << static_cast<unsigned>(field);
    if (*at != ':' || (seen & bit) != 0) {
      return nullptr;
    }
    seen |= bit;
    at = read_value(after_space(at + 1), field, masks, row);
    if (at == nullptr) {
      return nullptr;
    }
    at = after_space(at);
    if (*at == '}') {
      break;
    }
    if (*at != ',') {
      return nullptr;
    }
    at = after_space(at + 1);
  }
  constexpr unsigned kNeeded = (1U << static_cast<unsigned>(Field::image_id)) | (1U << static_cast<unsigned>(Field::category_id));
  return (seen & kNeeded) == kNeeded && (row.box_xywh_px || row.has_mask()) ? at + 1 : nullptr;
}

/// A part of the list, by bytes of the file: what begins in it.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool is_begin_known = false;  ///< an element begins there, or at 0 the list; otherwise at the first that seems to behind it
};

/// What was read of a range.
struct Piece {
  enum class End : std::uint8_t {
    at_element,  ///< in front of an element, at or behind where the range ends
    of_list,     ///< behind the closing bracket
    faulty,
  };
  CocoAnnotationList list;
  End end = End::faulty;
  std::uint64_t started_at = 0;
  std::uint64_t stopped_at = 0;
};

/// Where an element seems to begin, at `at` or behind it; `end` when nowhere.
const char* likely_element(const char* at, const char* end) {
  for (; at < end; ++at) {
    at = static_cast<const char*>(std::memchr(at, '}', static_cast<std::size_t>(end - at)));
    if (at == nullptr) {
      break;
    }
    const char* const comma = after_space(at + 1);
    if (const char* const brace = after_space(comma + 1); *comma == ',' && brace < end && *brace == '{') {
      return brace;
    }
  }
  return end;
}

/// Reads one piece after the other; what it allocates serves them all.
class PieceReader {
 public:
  PieceReader(const CocoListOptions& options, const FileTail& file)
      : kind_(options.kind),
        masks_(options.masks),
        file_(file),
        window_(file),
        parser_(options.masks == CocoMasks::read ? CocoElementParser::Keep::boxes_and_masks : CocoElementParser::Keep::boxes) {}

  /// `most_ahead`: how far behind the range to look for what began in it. The piece's memory is used again.
  Piece read(const Range& range, std::uint64_t most_ahead, Piece piece) {
    constexpr std::uint64_t kLeastAhead = 1024;
    for (std::uint64_t ahead = kLeastAhead;; ahead *= 4) {
      window_.show(range.begin, std::min(file_.size(), range.end + ahead));
      read_window(range, piece);
      const bool is_cut_off = piece.end == Piece::End::faulty || piece.stopped_at == window_.offset_of(window_.end());
      if (!is_cut_off || window_.is_at_end_of_file()) {
        return piece;
      }
      if (ahead >= most_ahead) {
        piece.end = Piece::End::faulty;
        return piece;
      }
    }
  }

 private:
  void read_window(const Range& range, Piece& piece) {
    piece.list.clear();
    piece.end = Piece::End::faulty;
    piece.started_at = range.begin;
    const char* const stop = likely_element(window_.begin() + (range.end - range.begin), window_.end());
    const char* at = range.is_begin_known ? window_.begin() : likely_element(window_.begin(), window_.end());
    if (std::max(at, stop) == window_.end() && !window_.is_at_end_of_file()) {
      return;
    }
    piece.started_at = window_.offset_of(at);
    if (range.begin == 0 && range.is_begin_known) {
      if (*at != '[') {
        return;
      }
      at = after_space(at + 1);
      if (*at == ']') {
        end(piece, Piece::End::of_list, at + 1);
        return;
      }
    }
    at < stop ? read_elements(piece, at, stop) : end(piece, Piece::End::at_element, at);
  }

  void end(Piece& piece, Piece::End how, const char* at) const {
    piece.end = how;
    piece.stopped_at = window_.offset_of(at);
  }

  /// From an element to the first that begins at `stop` or behind it.
  void read_elements(Piece& piece, const char* at, const char* stop) {
    for (;;) {
      const char* next = read_plain_annotation(at, masks_, row_);
      if (next == nullptr) {
        next = read_any_annotation(at);
      }
      if (next == nullptr || !append(piece.list)) {
        return;
      }
      next = after_space(next);
      if (*next == ']') {
        end(piece, Piece::End::of_list, next + 1);
        return;
      }
      if (*next != ',') {
        return;
      }
      at = after_space(next + 1);
      if (at >= stop) {
        end(piece, Piece::End::at_element, at);
        return;
      }
    }
  }

  const char* read_any_annotation(const char* at) {
    JsonValueScan scan;
    const char* const end = scan.run(at, window_.end());
    if (end == nullptr || end == at || static_cast<std::size_t>(end - at) > JsonStream::kMaxValueBytes) {
      return nullptr;
    }
    try {
      parser_.parse_annotation({at, static_cast<std::size_t>(end - at)}, annotation_);
    } catch (const CocoFault&) {
      return nullptr;
    }
    const bool has_text_ids = !annotation_.image_id.text.empty() || !annotation_.category_id.text.empty() ||
                              (annotation_.id && !annotation_.id->text.empty());
    if (has_text_ids) {
      return nullptr;
    }
    Label& label = annotation_.label;
    row_.clear();
    row_.id = annotation_.id ? std::optional(annotation_.id->number) : std::nullopt;
    row_.image_id = annotation_.image_id.number;
    row_.category_id = annotation_.category_id.number;
    row_.box_xywh_px = annotation_.has_box || !label.mask ? std::optional(label.box_xywh_px) : std::nullopt;
    row_.area_px = label.area_px;
    row_.score = label.confidence;
    row_.is_crowd = label.is_crowd;
    if (label.mask && std::holds_alternative<Rle>(label.mask->shape)) {
      row_.runs = std::get<Rle>(std::move(label.mask->shape));
    } else if (label.mask) {
      for (const Polygon& polygon : std::get<std::vector<Polygon>>(label.mask->shape)) {
        row_.polygons_xy_px.insert(row_.polygons_xy_px.end(), polygon.begin(), polygon.end());
        row_.polygon_ends.push_back(static_cast<std::uint32_t>(row_.polygons_xy_px.size()));
      }
    }
    return end;
  }

  /// Whether the row is one of such a list; otherwise nothing can be made of the list any more.
  bool append(CocoAnnotationList& list) {
    CocoDetections& rows = list.detections;
    const bool is_result = kind_ == CocoListKind::results;
    if ((is_result && !row_.score) || (masks_ == CocoMasks::read && !append_mask(rows))) {
      return false;
    }
    if (is_result && masks_ == CocoMasks::read && !row_.box_xywh_px) {
      rows.boxless_rows.push_back(static_cast<std::uint32_t>(rows.size()));
    }
    const Box box = row_.box_xywh_px ? *row_.box_xywh_px : box_of_mask();
    rows.image_id.push_back(row_.image_id);
    rows.category_id.push_back(row_.category_id);
    rows.box_xywh_px.push_back(box);
    if (is_result) {
      rows.score.push_back(*row_.score);
    } else {
      rows.area_px.push_back(row_.area_px.value_or(box.w * box.h));
      rows.is_crowd.push_back(row_.is_crowd ? 1 : 0);
      if (row_.id) {
        list.ids.push_back(*row_.id);
      }
    }
    return true;
  }

  bool append_mask(CocoDetections& rows) {
    if (row_.run_string) {
      const auto& [text, height, width] = *row_.run_string;
      try {
        rows.mask.push_back_coco_string(text, height, width, run_reader_);
      } catch (const Error&) {
        return false;  // the reader that goes from element to element says where
      }
      return true;
    }
    rows.mask.push_back(row_.runs ? RleView(*row_.runs) : RleView());
    if (!row_.polygon_ends.empty()) {
      if (rows.polygons.empty()) {
        rows.polygons.emplace_back();
      }
      rows.polygons.back().push_back(static_cast<std::uint32_t>(rows.size()), row_.polygons_xy_px, row_.polygon_ends);
    }
    return true;
  }

  Box box_of_mask() {
    if (row_.run_string) {
      return tight_box(run_reader_.read(row_.run_string->text, row_.run_string->height, row_.run_string->width));
    }
    return row_.runs ? tight_box(*row_.runs) : box_around(row_.polygons_xy_px);
  }

  CocoListKind kind_;
  CocoMasks masks_;
  const FileTail& file_;
  FileWindow window_;
  CocoElementParser parser_;
  CocoAnnotation annotation_;
  Row row_;
  CocoStringReader run_reader_;
};

template <typename T>
void append_column(std::vector<T>& whole, const std::vector<T>& part) {
  whole.insert(whole.end(), part.begin(), part.end());
}

/// Puts the pieces together in the order of the file, as they come in.
class Assembly {
 public:
  Assembly(const CocoListOptions& options, const FileTail& file, std::span<const std::size_t> range_ends)
      : options_(options), file_(file), range_ends_(range_ends) {}

  /// Whether no further piece is wanted.
  bool is_over() const { return is_over_; }

  /// Takes in what was read of a range, or keeps it until those in front are there. Gives back one to be filled again.
  Piece exchange(std::size_t range, Piece piece) {
    const std::lock_guard lock(mutex_);
    waiting_.emplace(range, std::move(piece));
    for (auto first = waiting_.begin(); first != waiting_.end() && first->first == next_ && !is_over_; first = waiting_.begin()) {
      take_in(first->second);
      ++next_;
      spare_.push_back(std::move(first->second));
      waiting_.erase(first);
    }
    if (spare_.empty()) {
      return {};
    }
    Piece again = std::move(spare_.back());
    spare_.pop_back();
    return again;
  }

  /// Once all are in: the list and where it ends in the file, unless something in it is not as it must be.
  std::optional<CocoAnnotationList> take() {
    if (!has_end_ || (!list_.ids.empty() && list_.ids.size() != list_.detections.size())) {
      return std::nullopt;
    }
    list_.end_byte_offset = at_;
    return std::move(list_);
  }

 private:
  /// The piece of range `next_`.
  void take_in(Piece& piece) {
    const std::uint64_t range_end = range_ends_[next_];
    if (piece.end == Piece::End::faulty || piece.started_at != at_) {
      if (at_ >= range_end) {
        return;  // an element reaches over all of the range
      }
      // A cut that was none, or an element longer than what was looked at: on from where the list really is.
      PieceReader reader(options_, file_);
      piece = reader.read({at_, range_end, true}, JsonStream::kMaxValueBytes, std::move(piece));
    }
    if (piece.end != Piece::End::faulty) {
      append(piece);
      at_ = piece.stopped_at;
      has_end_ = piece.end == Piece::End::of_list;
    }
    is_over_ = piece.end != Piece::End::at_element;
  }

  void append(Piece& piece) {
    CocoDetections& rows = list_.detections;
    CocoDetections& part = piece.list.detections;
    const auto first_row = static_cast<std::uint32_t>(rows.size());
    if (first_row == 0 && part.size() > 0) {
      // As if all of the file were like this: growing step by step would touch twice the memory.
      const double per_byte = static_cast<double>(part.size()) / static_cast<double>(piece.stopped_at - piece.started_at);
      reserve(static_cast<std::size_t>(per_byte * static_cast<double>(file_.size()) * 1.1));
    }
    append_column(rows.image_id, part.image_id);
    append_column(rows.category_id, part.category_id);
    append_column(rows.box_xywh_px, part.box_xywh_px);
    append_column(rows.area_px, part.area_px);
    append_column(rows.score, part.score);
    append_column(rows.is_crowd, part.is_crowd);
    append_column(list_.ids, piece.list.ids);
    rows.mask.take_from(part.mask);
    for (const std::uint32_t row : part.boxless_rows) {
      rows.boxless_rows.push_back(first_row + row);
    }
    for (CocoPolygons& polygons : part.polygons) {
      polygons.move_rows(first_row);
      rows.polygons.push_back(std::move(polygons));
    }
  }

  void reserve(std::size_t count) {
    CocoDetections& rows = list_.detections;
    rows.image_id.reserve(count);
    rows.category_id.reserve(count);
    rows.box_xywh_px.reserve(count);
    if (options_.kind == CocoListKind::results) {
      rows.score.reserve(count);
    } else {
      rows.area_px.reserve(count);
      rows.is_crowd.reserve(count);
      list_.ids.reserve(count);
    }
    if (options_.masks == CocoMasks::read) {
      rows.mask.reserve(count);
    }
  }

  const CocoListOptions& options_;
  const FileTail& file_;
  std::span<const std::size_t> range_ends_;
  std::atomic<bool> is_over_ = false;
  std::mutex mutex_;
  std::map<std::size_t, Piece> waiting_;
  std::vector<Piece> spare_;
  CocoAnnotationList list_;
  std::size_t next_ = 0;  ///< the range whose piece comes next
  std::uint64_t at_ = 0;  ///< how far the list goes up to now
  bool has_end_ = false;
};

}  // namespace

void CocoAnnotationList::clear() {
  detections.image_id.clear();
  detections.category_id.clear();
  detections.box_xywh_px.clear();
  detections.area_px.clear();
  detections.score.clear();
  detections.is_crowd.clear();
  detections.boxless_rows.clear();
  detections.mask.clear();
  detections.polygons.clear();
  ids.clear();
}

std::optional<CocoAnnotationList> read_coco_annotation_list(const std::filesystem::path& path, std::uint64_t byte_offset,
                                                            const CocoListOptions& options) {
  const FileTail file(path, byte_offset);
  const std::vector<std::size_t> ends = range_ends(file.size(), options.piece_bytes);
  Assembly assembly(options, file, ends);
  std::atomic<std::size_t> next_range = 0;
  const std::size_t readers = std::min<std::size_t>(thread_count(options.threads), ends.size());
  for_each_in_parallel(readers, options.threads, [&](std::size_t /*reader*/) {
    PieceReader reader(options, file);
    Piece piece;
    for (std::size_t i = next_range++; i < ends.size() && !assembly.is_over(); i = next_range++) {
      piece = reader.read({.begin = i == 0 ? 0 : ends[i - 1], .end = ends[i], .is_begin_known = i == 0}, kAheadOfPiece,
                          std::move(piece));
      piece = assembly.exchange(i, std::move(piece));
    }
  });
  std::optional<CocoAnnotationList> list = assembly.take();
  if (list) {
    list->end_byte_offset += byte_offset;
  }
  return list;
}

}  // namespace verilabel
