#include "verilabel/formats/coco_annotation_list.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
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

/// What stands in one annotation, as far as evaluation asks.
struct Row {
  std::optional<std::int64_t> id;
  std::int64_t image_id = 0;
  std::int64_t category_id = 0;
  std::optional<Box> box_xywh_px;
  std::optional<double> area_px;
  std::optional<double> score;
  bool is_crowd = false;
  bool has_runs = false;
  Rle runs;
  std::vector<Polygon> polygons;

  bool has_mask() const { return has_runs || !polygons.empty(); }
  /// Keeps the memory of the runs.
  void clear() {
    std::vector<std::uint32_t> room = std::move(runs.counts);
    *this = {};
    runs.counts = std::move(room);
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
const char* read_polygons(const char* at, std::vector<Polygon>& polygons) {
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
    // As many numbers as commas and one, so that the polygon is allocated once.
    std::size_t count = 1;
    for (const char* c = at; *c != ']' && *c != '\0'; ++c) {
      count += *c == ',' ? 1 : 0;
    }
    Polygon& polygon = polygons.emplace_back();
    polygon.reserve(count);
    do {
      double number = 0;
      at = read_plain_decimal(after_space(at), number);
      if (at == nullptr) {
        return nullptr;
      }
      polygon.push_back(number);
      at = after_space(at);
    } while (*at++ == ',');
    if (at[-1] != ']' || polygon.size() < 6 || polygon.size() % 2 != 0) {
      return nullptr;
    }
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
  const char* const begin = ++at;
  const auto after_part = [](const char* part) { return part + std::strcspn(part, "\"\\"); };
  at = after_part(at);
  text = {begin, static_cast<std::size_t>(at - begin)};
  if (*at == '\\') {
    unescaped.assign(text);
    while (*at == '\\' && at[1] == '\\') {
      const char* const part = at + 1;
      at = after_part(at + 2);
      unescaped.append(part, at);
    }
    text = unescaped;
  }
  return *at == '"' ? at + 1 : nullptr;
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
const char* read_runs(const char* at, std::string& unescaped, Row& row) {
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
    at = is_size ? read_size(at, height, width) : read_run_string(at, unescaped, text.emplace());
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
  try {
    row.runs = rle_from_coco_string(*text, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width),
                                    std::move(row.runs.counts));
    row.has_runs = true;
  } catch (const Error&) {
    return nullptr;  // the reader that goes from element to element says where
  }
  return at + 1;
}

const char* read_value(const char* at, Field field, CocoMasks masks, std::string& unescaped, Row& row) {
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
      return *at == '{' ? read_runs(at, unescaped, row) : read_polygons(at, row.polygons);
  }
  return nullptr;
}

const char* read_plain_annotation(const char* at, CocoMasks masks, std::string& unescaped, Row& row) {
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
    at = read_value(after_space(at + 1), field, masks, unescaped, row);
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

/// A part of the list, by bytes of the file.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool is_begin_known = false;  ///< an element begins there, or at 0 the list; otherwise at the first that seems to behind it
  bool is_end_known = false;    ///< likewise; at the end of the file it does not matter
};

/// One piece of the list.
struct Piece {
  enum class End : std::uint8_t {
    at_element,  ///< in front of an element, at or behind where the piece was to end
    of_list,     ///< behind the closing bracket
    faulty,
  };
  CocoDetections rows;
  std::vector<std::int64_t> ids;
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
        has_area_(has_area_column(options.kind, options.masks)),
        file_(file),
        window_(file),
        parser_(options.masks == CocoMasks::read ? CocoElementParser::Keep::boxes_and_masks : CocoElementParser::Keep::boxes) {}

  /// `most_ahead`: how far behind the range to look for what began in it.
  Piece read(const Range& range, std::uint64_t most_ahead) {
    constexpr std::uint64_t kLeastAhead = 1024;
    for (std::uint64_t ahead = kLeastAhead;; ahead *= 4) {
      window_.show(range.begin, std::min(file_.size(), range.end + ahead));
      Piece piece = read_window(range);
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
  Piece read_window(const Range& range) {
    Piece piece;
    piece.started_at = range.begin;
    const char* const range_end = window_.begin() + (range.end - range.begin);
    const char* const stop = range.is_end_known ? range_end : likely_element(range_end, window_.end());
    const char* at = range.is_begin_known ? window_.begin() : likely_element(window_.begin(), window_.end());
    if (std::max(at, stop) == window_.end() && !window_.is_at_end_of_file()) {
      return piece;
    }
    piece.started_at = window_.offset_of(at);
    if (range.begin == 0 && range.is_begin_known) {
      if (*at != '[') {
        return piece;
      }
      at = after_space(at + 1);
      if (*at == ']') {
        return ended(std::move(piece), Piece::End::of_list, at + 1);
      }
    }
    if (at < stop) {
      return read_elements(std::move(piece), at, stop);
    }
    return ended(std::move(piece), Piece::End::at_element, at);
  }

  Piece ended(Piece piece, Piece::End end, const char* at) const {
    piece.end = end;
    piece.stopped_at = window_.offset_of(at);
    return piece;
  }

  /// From an element to the first that begins at `stop` or behind it.
  Piece read_elements(Piece piece, const char* at, const char* stop) {
    const char* const begin = at;
    for (;;) {
      const char* next = read_plain_annotation(at, masks_, unescaped_, row_);
      if (next == nullptr) {
        next = read_any_annotation(at);
      }
      if (next == nullptr || (kind_ == CocoListKind::results && !row_.score)) {
        return piece;
      }
      if (piece.rows.size() == 0) {
        // As if all were about as long as the first: growing step by step would touch twice the memory.
        const auto first_bytes = static_cast<std::size_t>(next - begin);
        reserve(piece.rows, static_cast<std::size_t>(stop - begin) / first_bytes * 5 / 4);
      }
      append(piece);
      next = after_space(next);
      if (*next == ']') {
        return ended(std::move(piece), Piece::End::of_list, next + 1);
      }
      if (*next != ',') {
        return piece;
      }
      at = after_space(next + 1);
      if (at >= stop) {
        return ended(std::move(piece), Piece::End::at_element, at);
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
    if (label.mask) {
      row_.has_runs = std::holds_alternative<Rle>(label.mask->shape);
      if (row_.has_runs) {
        row_.runs = std::get<Rle>(std::move(label.mask->shape));
      } else {
        row_.polygons = std::get<std::vector<Polygon>>(std::move(label.mask->shape));
      }
    }
    return end;
  }

  void append(Piece& piece) {
    CocoDetections& rows = piece.rows;
    rows.image_id.push_back(row_.image_id);
    rows.category_id.push_back(row_.category_id);
    const auto mask_box = [&] { return row_.has_runs ? tight_box(row_.runs) : box_around(row_.polygons); };
    const Box box = row_.box_xywh_px ? *row_.box_xywh_px : mask_box();
    rows.box_xywh_px.push_back(box);
    if (kind_ == CocoListKind::results) {
      rows.score.push_back(*row_.score);
    } else {
      rows.is_crowd.push_back(row_.is_crowd ? 1 : 0);
      if (row_.id) {
        piece.ids.push_back(*row_.id);
      }
    }
    if (has_area_) {
      rows.area_px.push_back(area_of(kind_, row_.box_xywh_px.has_value(), box, row_.area_px));
    }
    if (masks_ == CocoMasks::read) {
      rows.mask.push_back(row_.has_runs ? RleView(row_.runs) : RleView());
      rows.polygons.push_back(std::move(row_.polygons));
    }
  }

  void reserve(CocoDetections& rows, std::size_t count) const {
    rows.image_id.reserve(count);
    rows.category_id.reserve(count);
    rows.box_xywh_px.reserve(count);
    if (kind_ == CocoListKind::results) {
      rows.score.reserve(count);
    }
    if (has_area_) {
      rows.area_px.reserve(count);
    }
    if (masks_ == CocoMasks::read) {
      rows.mask.reserve(count);
      rows.polygons.reserve(count);
    }
  }

  CocoListKind kind_;
  CocoMasks masks_;
  bool has_area_;
  const FileTail& file_;
  FileWindow window_;
  CocoElementParser parser_;
  CocoAnnotation annotation_;
  Row row_;
  std::string unescaped_;
};

template <typename T>
void move_to_end(std::vector<T>& whole, std::vector<T>& part) {
  whole.insert(whole.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  std::vector<T>().swap(part);
}

void move_to_end(RleColumn& whole, RleColumn& part) {
  whole.append(std::move(part));
}

template <auto Column>
void join(CocoDetections& whole, std::span<Piece> pieces) {
  std::size_t rows = 0;
  for (const Piece& piece : pieces) {
    rows += (piece.rows.*Column).size();
  }
  (whole.*Column).reserve(rows);
  for (Piece& piece : pieces) {
    move_to_end(whole.*Column, piece.rows.*Column);
  }
}

using Join = void (*)(CocoDetections&, std::span<Piece>);
constexpr Join kJoins[] = {
    join<&CocoDetections::image_id>, join<&CocoDetections::category_id>, join<&CocoDetections::box_xywh_px>,
    join<&CocoDetections::area_px>,  join<&CocoDetections::score>,       join<&CocoDetections::is_crowd>,
    join<&CocoDetections::mask>,     join<&CocoDetections::polygons>,
};

}  // namespace

std::optional<CocoAnnotationList> read_coco_annotation_list(const std::filesystem::path& path, std::uint64_t byte_offset,
                                                            const CocoListOptions& options) {
  const FileTail file(path, byte_offset);
  const std::vector<std::size_t> ends = range_ends(file.size(), options.piece_bytes);
  std::vector<Piece> pieces(ends.size());
  std::atomic<std::size_t> next_piece = 0;
  const std::size_t readers = std::min<std::size_t>(thread_count(options.threads), pieces.size());
  for_each_in_parallel(readers, options.threads, [&](std::size_t /*reader*/) {
    PieceReader reader(options, file);
    for (std::size_t i = next_piece++; i < pieces.size(); i = next_piece++) {
      pieces[i] = reader.read({.begin = i == 0 ? 0 : ends[i - 1], .end = ends[i], .is_begin_known = i == 0}, kAheadOfPiece);
    }
  });

  std::vector<Piece> in_order;
  in_order.reserve(pieces.size());
  std::uint64_t at = 0;
  for (std::size_t i = 0;;) {
    while (i < pieces.size() && pieces[i].started_at < at) {
      ++i;
    }
    if (at >= file.size()) {
      return std::nullopt;
    }
    Piece piece;
    if (i < pieces.size() && pieces[i].started_at == at) {
      piece = std::move(pieces[i++]);
    }
    if (piece.end == Piece::End::faulty) {
      // A cut that was none, or an element longer than a piece: on from where the list really is, to the next cut.
      const std::uint64_t end = i < pieces.size() ? pieces[i].started_at : file.size();
      piece = PieceReader(options, file).read({at, end, true, true}, JsonStream::kMaxValueBytes);
    }
    if (piece.end == Piece::End::faulty) {
      return std::nullopt;
    }
    at = piece.stopped_at;
    const bool is_last = piece.end == Piece::End::of_list;
    in_order.push_back(std::move(piece));
    if (is_last) {
      break;
    }
  }

  CocoAnnotationList list;
  for_each_in_parallel(std::size(kJoins), options.threads, [&](std::size_t i) { kJoins[i](list.detections, in_order); });
  for (Piece& piece : in_order) {
    move_to_end(list.ids, piece.ids);
  }
  if (!list.ids.empty() && list.ids.size() != list.detections.size()) {
    return std::nullopt;
  }
  list.end_byte_offset = byte_offset + at;
  return list;
}

}  // namespace verilabel
