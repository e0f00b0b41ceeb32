#include "verilabel/formats/coco_annotation_list.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "verilabel/base/error.h"
#include "verilabel/base/parallel.h"
#include "verilabel/formats/coco_element.h"
#include "verilabel/formats/json_scan.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/plain_decimal.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

constexpr std::size_t kReadBytes = std::size_t{4} << 20;

/// The bytes of a file from an offset on, with zeros behind them, so that scanning stops without counting.
class FileTail {
 public:
  FileTail(const std::filesystem::path& path, std::uint64_t byte_offset, unsigned threads) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      throw io_error("cannot open the file", path.native(), errno);
    }
    try {
      struct stat status{};
      if (::fstat(descriptor, &status) != 0) {
        throw io_error("cannot ask the file's size", path.native(), errno);
      }
      const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
      size_ = file_bytes > byte_offset ? file_bytes - byte_offset : 0;
      bytes_ = std::make_unique_for_overwrite<char[]>(size_ + JsonStream::kPaddingBytes);
      std::memset(bytes_.get() + size_, 0, JsonStream::kPaddingBytes);
      // New memory costs as much as copying into it: that, too, is spread over the processors.
      const std::vector<std::size_t> ends = range_ends(size_, kReadBytes);
      for_each_in_parallel(ends.size(), threads,
                           [&](std::size_t i) { read(descriptor, i == 0 ? 0 : ends[i - 1], ends[i], byte_offset, path); });
    } catch (...) {
      ::close(descriptor);
      throw;
    }
    ::close(descriptor);
  }

  const char* begin() const { return bytes_.get(); }
  const char* end() const { return bytes_.get() + size_; }

 private:
  void read(int descriptor, std::size_t begin, std::size_t end, std::uint64_t byte_offset, const std::filesystem::path& path) {
    while (begin < end) {
      const ssize_t got = ::pread(descriptor, bytes_.get() + begin, end - begin, static_cast<off_t>(byte_offset + begin));
      if (got < 0 && errno != EINTR) {
        throw io_error("cannot read the file", path.native(), errno);
      }
      if (got == 0) {
        throw Error(ErrorCode::io, "the file became shorter while it was read", {{"path", path.native()}});
      }
      begin += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
  }

  std::unique_ptr<char[]> bytes_;
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
  std::optional<Mask> mask;
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
const char* read_runs(const char* at, std::string& unescaped, Rle& rle) {
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
    rle = rle_from_coco_string(*text, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width));
  } catch (const Error&) {
    return nullptr;  // the reader that goes from element to element says where
  }
  return at + 1;
}

const char* read_mask(const char* at, std::string& unescaped, std::optional<Mask>& mask) {
  if (*at == '{') {
    Rle rle;
    at = read_runs(at, unescaped, rle);
    mask.emplace(std::move(rle));
    return at;
  }
  std::vector<Polygon> polygons;
  at = read_polygons(at, polygons);
  if (!polygons.empty()) {
    mask.emplace(std::move(polygons));
  }
  return at;
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
      return masks == CocoMasks::skip ? skip_numbers(at) : read_mask(at, unescaped, row.mask);
  }
  return nullptr;
}

const char* read_plain_annotation(const char* at, CocoMasks masks, std::string& unescaped, Row& row) {
  row = Row{};
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
  return (seen & kNeeded) == kNeeded && (row.box_xywh_px || row.mask) ? at + 1 : nullptr;
}

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
  const char* stopped_at = nullptr;
};

class PieceReader {
 public:
  PieceReader(const CocoListOptions& options, const char* file_end)
      : kind_(options.kind),
        masks_(options.masks),
        has_area_(has_area_column(options.kind, options.masks)),
        file_end_(file_end),
        parser_(options.masks == CocoMasks::read ? CocoElementParser::Keep::boxes_and_masks : CocoElementParser::Keep::boxes) {}

  /// From an element to the first that begins at `stop` or behind it.
  Piece read(const char* at, const char* stop) {
    Piece piece;
    Row row;
    const char* const begin = at;
    for (;;) {
      const char* next = read_plain_annotation(at, masks_, unescaped_, row);
      if (next == nullptr) {
        next = read_any_annotation(at, row);
      }
      if (next == nullptr || (kind_ == CocoListKind::results && !row.score)) {
        return piece;
      }
      if (piece.rows.size() == 0) {
        // As if all were about as long as the first: growing step by step would touch twice the memory.
        const auto first_bytes = static_cast<std::size_t>(next - begin);
        reserve(piece.rows, static_cast<std::size_t>(stop - begin) / first_bytes * 5 / 4);
      }
      append(piece, row);
      next = after_space(next);
      if (*next == ']') {
        piece.end = Piece::End::of_list;
        piece.stopped_at = next + 1;
        return piece;
      }
      if (*next != ',') {
        return piece;
      }
      at = after_space(next + 1);
      if (at >= stop) {
        piece.end = Piece::End::at_element;
        piece.stopped_at = at;
        return piece;
      }
    }
  }

 private:
  const char* read_any_annotation(const char* at, Row& row) {
    JsonValueScan scan;
    const char* const end = scan.run(at, file_end_);
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
    row.id = annotation_.id ? std::optional(annotation_.id->number) : std::nullopt;
    row.image_id = annotation_.image_id.number;
    row.category_id = annotation_.category_id.number;
    row.box_xywh_px = annotation_.has_box || !label.mask ? std::optional(label.box_xywh_px) : std::nullopt;
    row.area_px = label.area_px;
    row.score = label.confidence;
    row.is_crowd = label.is_crowd;
    row.mask = std::move(label.mask);
    return end;
  }

  void append(Piece& piece, Row& row) const {
    CocoDetections& rows = piece.rows;
    rows.image_id.push_back(row.image_id);
    rows.category_id.push_back(row.category_id);
    const Box box = row.box_xywh_px ? *row.box_xywh_px : mask_box(*row.mask);
    rows.box_xywh_px.push_back(box);
    if (kind_ == CocoListKind::results) {
      rows.score.push_back(*row.score);
    } else {
      rows.is_crowd.push_back(row.is_crowd ? 1 : 0);
      if (row.id) {
        piece.ids.push_back(*row.id);
      }
    }
    if (has_area_) {
      rows.area_px.push_back(area_of(kind_, row.box_xywh_px.has_value(), box, row.area_px));
    }
    if (masks_ == CocoMasks::read) {
      rows.mask.push_back(row.mask ? std::move(*row.mask) : Mask{});
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
    }
  }

  CocoListKind kind_;
  CocoMasks masks_;
  bool has_area_;
  const char* file_end_;
  CocoElementParser parser_;
  CocoAnnotation annotation_;
  std::string unescaped_;
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

template <typename T>
void move_to_end(std::vector<T>& whole, std::vector<T>& part) {
  whole.insert(whole.end(), std::make_move_iterator(part.begin()), std::make_move_iterator(part.end()));
  std::vector<T>().swap(part);
}

void move_to_end(CocoDetections& whole, CocoDetections& part) {
  move_to_end(whole.image_id, part.image_id);
  move_to_end(whole.category_id, part.category_id);
  move_to_end(whole.box_xywh_px, part.box_xywh_px);
  move_to_end(whole.area_px, part.area_px);
  move_to_end(whole.score, part.score);
  move_to_end(whole.is_crowd, part.is_crowd);
  move_to_end(whole.mask, part.mask);
}

void reserve(CocoDetections& whole, std::span<const Piece> pieces) {
  const auto reserve_column = [&](auto column) {
    std::size_t rows = 0;
    for (const Piece& piece : pieces) {
      rows += (piece.rows.*column).size();
    }
    (whole.*column).reserve(rows);
  };
  reserve_column(&CocoDetections::image_id);
  reserve_column(&CocoDetections::category_id);
  reserve_column(&CocoDetections::box_xywh_px);
  reserve_column(&CocoDetections::area_px);
  reserve_column(&CocoDetections::score);
  reserve_column(&CocoDetections::is_crowd);
  reserve_column(&CocoDetections::mask);
}

}  // namespace

std::optional<CocoAnnotationList> read_coco_annotation_list(const std::filesystem::path& path, std::uint64_t byte_offset,
                                                            const CocoListOptions& options) {
  const FileTail tail(path, byte_offset, options.threads);
  const char* const begin = tail.begin();
  if (*begin != '[') {
    return std::nullopt;
  }
  CocoAnnotationList list;
  const auto offset_of = [&](const char* at) { return byte_offset + static_cast<std::uint64_t>(at - begin); };
  const char* const first = after_space(begin + 1);
  if (*first == ']') {
    list.end_byte_offset = offset_of(first + 1);
    return list;
  }

  std::vector<const char*> starts = {first};
  for (const std::size_t end : range_ends(static_cast<std::size_t>(tail.end() - begin), options.piece_bytes)) {
    const char* const start = likely_element(std::max(begin + end, starts.back() + 1), tail.end());
    if (start == tail.end()) {
      break;
    }
    starts.push_back(start);
  }
  std::vector<Piece> pieces(starts.size());
  for_each_in_parallel(starts.size(), options.threads, [&](std::size_t i) {
    const char* const stop = i + 1 < starts.size() ? starts[i + 1] : tail.end();
    pieces[i] = PieceReader(options, tail.end()).read(starts[i], stop);
  });

  reserve(list.detections, pieces);
  const char* at = first;
  for (std::size_t i = 0;;) {
    Piece piece;
    if (i < starts.size() && at == starts[i]) {
      piece = std::move(pieces[i++]);
    } else {
      // A cut that was none: on from where the list really is, to the next cut.
      while (i < starts.size() && starts[i] <= at) {
        ++i;
      }
      piece = PieceReader(options, tail.end()).read(at, i < starts.size() ? starts[i] : tail.end());
    }
    if (piece.end == Piece::End::faulty) {
      return std::nullopt;
    }
    move_to_end(list.detections, piece.rows);
    move_to_end(list.ids, piece.ids);
    at = piece.stopped_at;
    if (piece.end == Piece::End::of_list) {
      break;
    }
  }
  if (!list.ids.empty() && list.ids.size() != list.detections.size()) {
    return std::nullopt;
  }
  list.end_byte_offset = offset_of(at);
  return list;
}

}  // namespace verilabel
