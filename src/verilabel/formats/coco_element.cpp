#include "verilabel/formats/coco_element.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/json_scan.h"
#include "verilabel/formats/json_stream.h"
#include "verilabel/formats/number_text.h"
#include "verilabel/formats/source_fields.h"

namespace verilabel {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(JsonStream::kPaddingBytes >= simdjson::SIMDJSON_PADDING);

constexpr double kMaxExactInteger = 9007199254740992.0;  // 2^53

[[noreturn]] void fail(RejectionReason reason, std::string_view field, std::string message) {
  throw CocoFault{reason, std::string(field), std::move(message)};
}

[[noreturn]] void fail_json(simdjson::error_code error, std::string_view field) {
  fail(RejectionReason::malformed, field, fmt::format("this is not valid JSON: {}", simdjson::error_message(error)));
}

void check(simdjson::error_code error, std::string_view field) {
  if (error != simdjson::SUCCESS) {
    fail_json(error, field);
  }
}

std::string_view trimmed(std::string_view token) {
  const auto last = token.find_last_not_of(" \t\r\n");
  return last == std::string_view::npos ? std::string_view() : token.substr(0, last + 1);
}

/// A token for a message: short, whatever the file holds.
std::string shown(ondemand::value value) {
  const std::string_view token = trimmed(value.raw_json_token());
  return token.size() <= 40 ? std::string(token) : fmt::format("{}…", token.substr(0, 37));
}

[[noreturn]] void fail_number(ondemand::value value, std::string_view field) {
  const std::string token = shown(value);
  const std::string_view digits = std::string_view(token).substr(token.starts_with('-') ? 1 : 0);
  if (digits.starts_with("NaN") || digits.starts_with("nan") || digits.starts_with("Inf") || digits.starts_with("inf")) {
    fail(RejectionReason::not_finite, field, fmt::format("{} is not a finite number", token));
  }
  if (is_json_number(trimmed(value.raw_json_token()))) {
    fail(RejectionReason::out_of_range, field, fmt::format("{} is not a number that can be represented", token));
  }
  fail(RejectionReason::malformed, field, fmt::format("{} is not a number", token));
}

/// Not by `get_double`: that of simdjson 3.0 gives a wrong number for more than 19 digits behind a leading zero.
double number(ondemand::value value, std::string_view field) {
  const std::string_view token = trimmed(value.raw_json_token());
  const NumberText result = read_number(token);
  if (!is_json_number(token) || result.is_too_large) {
    fail_number(value, field);
  }
  return result.value;
}

bool is_null(ondemand::value& value) {
  ondemand::json_type type;
  bool result = false;
  return value.type().get(type) == simdjson::SUCCESS && type == ondemand::json_type::null &&
         value.is_null().get(result) == simdjson::SUCCESS && result;
}

/// An integer, also when it is written as 17.0.
std::int64_t integer(ondemand::value value, std::string_view field) {
  std::int64_t result = 0;
  if (value.get_int64().get(result) == simdjson::SUCCESS) {
    return result;
  }
  const double real = number(value, field);
  if (real != std::floor(real)) {
    fail(RejectionReason::malformed, field, fmt::format("{} is not an integer", real));
  }
  if (std::abs(real) > kMaxExactInteger) {
    fail(RejectionReason::out_of_range, field, fmt::format("{} is too large for an id or a size", shown(value)));
  }
  return static_cast<std::int64_t>(real);
}

constexpr double kPowersOfTen[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/// Reads a list of plain decimals (`[12.5,-3, 0.25]`), of which polygons are made and polygons are most of a file; three times as
/// fast as one call of a parser for each. Digits that fit 2^53 over a power of ten that is a double give the nearest double in one
/// division (W. D. Clinger, "How to read floating point numbers accurately", 1990). False for anything else, valid or not.
bool read_plain_decimals(std::string_view list, std::vector<double>& numbers) {
  constexpr int kMaxDigits = 15;  // 10^15 < 2^53
  const char* at = list.data() + 1;
  const char* const end = list.data() + list.size();  // behind the closing bracket, which stops every loop
  for (;;) {
    at = skip_json_space(at, end);
    const bool is_negative = *at == '-';
    at += is_negative ? 1 : 0;
    const char* const first = at;
    std::int64_t digits = 0;
    for (; *at >= '0' && *at <= '9'; ++at) {
      digits = 10 * digits + (*at - '0');
      if (at - first >= kMaxDigits) {
        return false;
      }
    }
    const std::ptrdiff_t whole = at - first;
    if (whole == 0 || (whole > 1 && *first == '0')) {
      return false;
    }
    std::ptrdiff_t decimals = 0;
    if (*at == '.') {
      const char* const point = at++;
      for (; *at >= '0' && *at <= '9'; ++at) {
        digits = 10 * digits + (*at - '0');
        if (at - point + whole > kMaxDigits) {
          return false;
        }
      }
      decimals = at - point - 1;
      if (decimals == 0) {
        return false;
      }
    }
    const double magnitude = static_cast<double>(digits) / kPowersOfTen[decimals];
    numbers.push_back(is_negative ? -magnitude : magnitude);
    at = skip_json_space(at, end);
    if (*at == ']') {
      return at + 1 == end;
    }
    if (*at++ != ',') {
      return false;
    }
  }
}

/// The text between a key's quotes, escapes and all.
std::string_view raw_key(const ondemand::raw_json_string& key) {
  const char* const begin = key.raw();
  const char* end = begin;
  for (; *end != '"'; ++end) {
    end += *end == '\\' ? 1 : 0;
  }
  return {begin, static_cast<std::size_t>(end - begin)};
}

/// The id in front of the unknown fields.
std::string with_id(const CocoId& id, std::string_view fields) {
  std::string result = "{\"id\":";
  result += id.json();
  if (fields.empty()) {
    result += '}';
  } else {
    result += ',';
    result += fields.substr(1);
  }
  return result;
}

}  // namespace

std::string_view name_from_coco_url(std::string_view url) {
  const std::size_t last = url.rfind('/');
  const std::size_t before = last == std::string_view::npos || last == 0 ? std::string_view::npos : url.rfind('/', last - 1);
  return before == std::string_view::npos ? url.substr(last + 1) : url.substr(before + 1);
}

std::size_t CocoIdMap::slot_of(std::int64_t key) const {
  // Fibonacci hashing: neighbouring ids spread, and neighbouring ids are what files have.
  std::size_t slot = (static_cast<std::uint64_t>(key) * 0x9E3779B97F4A7C15U) & (slots_.size() - 1);
  slot = (slot ^ (slot >> 7)) & (slots_.size() - 1);
  while (slots_[slot].value != kEmpty && slots_[slot].key != key) {
    slot = (slot + 1) & (slots_.size() - 1);
  }
  return slot;
}

void CocoIdMap::grow() {
  std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(std::max<std::size_t>(64, 2 * slots_.size())));
  for (const Slot& slot : old) {
    if (slot.value != kEmpty) {
      slots_[slot_of(slot.key)] = slot;
    }
  }
}

std::optional<std::int64_t> CocoIdMap::insert(const CocoId& id, std::int64_t value) {
  if (!id.text.empty()) {
    const auto [at, is_new] = texts_.emplace(id.text, value);
    return is_new ? std::nullopt : std::optional(at->second);
  }
  if (3 * (used_ + 1) > 2 * slots_.size()) {
    grow();
  }
  Slot& slot = slots_[slot_of(id.number)];
  if (slot.value != kEmpty) {
    return slot.value;
  }
  slot = {id.number, value};
  ++used_;
  return std::nullopt;
}

std::optional<std::int64_t> CocoIdMap::find(const CocoId& id) const {
  if (!id.text.empty()) {
    const auto at = texts_.find(id.text);
    return at == texts_.end() ? std::nullopt : std::optional(at->second);
  }
  if (slots_.empty()) {
    return std::nullopt;
  }
  const Slot& slot = slots_[slot_of(id.number)];
  return slot.value == kEmpty ? std::nullopt : std::optional(slot.value);
}

struct CocoElementParser::Implementation {
  explicit Implementation(Keep what) : keep(what) {}

  /// Calls `on_field(raw key, value)` for each field; it returns whether it took the value, and the others go to `unknown`.
  template <typename OnField>
  void for_each_field(std::string_view element, VerbatimFields& unknown, OnField&& on_field) {
    auto document_result = parser.iterate(element.data(), element.size(), element.size() + simdjson::SIMDJSON_PADDING);
    ondemand::document document;
    check(std::move(document_result).get(document), "");
    ondemand::object object;
    if (document.get_object().get(object) != simdjson::SUCCESS) {
      fail(RejectionReason::malformed, "", "an object in braces is needed here");
    }
    for (auto field_result : object) {
      ondemand::field field;
      check(std::move(field_result).get(field), "");
      const std::string_view key = raw_key(field.key());
      ondemand::value value = field.value();
      if (!on_field(key, value) && keep == Keep::everything) {
        add_unknown(field, key, value, unknown);
      }
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      fail(RejectionReason::malformed, "", "this is not valid JSON: something follows the object");
    }
  }

  void add_unknown(ondemand::field& field, std::string_view key, ondemand::value value, VerbatimFields& unknown) {
    if (key.find('\\') != std::string_view::npos) {
      std::string_view unescaped;
      check(field.unescaped_key().get(unescaped), key);
    }
    unknown.add(key, verbatim(value, key));
  }

  /// Takes a list of texts; one of another shape, or without any, is an unknown field like others.
  void take_tags(ondemand::value value, std::string_view key, std::vector<std::string>& tags, VerbatimFields& unknown) {
    const std::string_view raw = verbatim(value, key);
    if (std::optional<std::vector<std::string>> texts = list_of_texts(raw)) {
      tags = std::move(*texts);
    } else {
      unknown.add(key, raw);
    }
  }

  /// Takes fields of the sample, likewise.
  void take_fields(ondemand::value value, std::string_view key, std::string& fields_json, VerbatimFields& unknown) {
    const std::string_view raw = verbatim(value, key);
    if (holds_sample_fields(raw)) {
      fields_json = raw;
    } else {
      unknown.add(key, raw);
    }
  }

  /// The bytes of a value, checked.
  std::string_view verbatim(ondemand::value value, std::string_view field) {
    ondemand::json_type type;
    check(value.type().get(type), field);
    std::string_view raw;
    switch (type) {
      case ondemand::json_type::object:
      case ondemand::json_type::array: {
        if (type == ondemand::json_type::object) {
          ondemand::object object;
          check(value.get_object().get(object), field);
          check(object.raw_json().get(raw), field);
        } else {
          ondemand::array array;
          check(value.get_array().get(array), field);
          check(array.raw_json().get(raw), field);
        }
        raw = trimmed(raw);
        if (const auto error = tree_parser.parse(raw.data(), raw.size()).error(); error != simdjson::SUCCESS) {
          if (const std::string_view too_large = first_too_large(raw); error == simdjson::NUMBER_ERROR && !too_large.empty()) {
            fail(RejectionReason::out_of_range, field,
                 fmt::format("{} is not a number that can be represented", JsonValue(too_large, {}).shown()));
          }
          fail_json(error, field);
        }
        return raw;
      }
      case ondemand::json_type::string: {
        raw = value.raw_json_token();
        std::string_view unescaped;
        check(value.get_string().get(unescaped), field);
        return trimmed(raw);
      }
      case ondemand::json_type::number: {
        number(value, field);
        return trimmed(value.raw_json_token());
      }
      case ondemand::json_type::boolean: {
        bool parsed = false;
        check(value.get_bool().get(parsed), field);
        return parsed ? "true" : "false";
      }
      case ondemand::json_type::null:
        if (!is_null(value)) {
          fail(RejectionReason::malformed, field, fmt::format("{} is not valid JSON", shown(value)));
        }
        return "null";
    }
    fail(RejectionReason::malformed, field, "this is not valid JSON");
  }

  CocoId id(ondemand::value value, std::string_view field) {
    ondemand::json_type type;
    if (value.type().get(type) == simdjson::SUCCESS && type == ondemand::json_type::string) {
      return {0, std::string(verbatim(value, field))};
    }
    return {integer(value, field), {}};
  }

  std::string text(ondemand::value value, std::string_view field) {
    std::string_view unescaped;
    const simdjson::error_code error = value.get_string().get(unescaped);
    if (error == simdjson::INCORRECT_TYPE) {
      fail(RejectionReason::malformed, field, fmt::format("{} is not a string", shown(value)));
    }
    check(error, field);
    return std::string(unescaped);
  }

  std::int32_t size(ondemand::value value, std::string_view field) {
    const std::int64_t pixels = integer(value, field);
    if (pixels <= 0 || pixels > std::numeric_limits<std::int32_t>::max()) {
      fail(RejectionReason::out_of_range, field, fmt::format("{} is not a size in pixels", pixels));
    }
    return static_cast<std::int32_t>(pixels);
  }

  /// False when the list is empty, which some tools write for "none".
  bool box(ondemand::value value, Box& box) {
    ondemand::array numbers;
    if (value.get_array().get(numbers) != simdjson::SUCCESS) {
      fail(RejectionReason::malformed, "bbox", fmt::format("a list of four numbers is needed, not {}", shown(value)));
    }
    read_numbers(numbers, "bbox");
    if (coordinates.empty()) {
      return false;
    }
    if (coordinates.size() != 4) {
      fail(RejectionReason::malformed, "bbox",
           fmt::format("four numbers x, y, width, height are needed, there are {}", coordinates.size()));
    }
    box = {coordinates[0], coordinates[1], coordinates[2], coordinates[3]};
    if (box.w < 0 || box.h < 0) {
      fail(RejectionReason::out_of_range, "bbox", fmt::format("width {} and height {} must not be negative", box.w, box.h));
    }
    return true;
  }

  std::vector<Polygon> polygons(ondemand::array rings) {
    std::vector<Polygon> result;
    for (auto element : rings) {
      ondemand::value entry;
      check(std::move(element).get(entry), "segmentation");
      ondemand::array ring;
      if (entry.get_array().get(ring) != simdjson::SUCCESS) {
        fail(RejectionReason::malformed, "segmentation",
             fmt::format("a list of polygons is needed, each a list of numbers; there is {}", shown(entry)));
      }
      read_numbers(ring, "segmentation");
      if (coordinates.size() < 6 || coordinates.size() % 2 != 0) {
        fail(RejectionReason::malformed, "segmentation",
             fmt::format("polygon {} has {} numbers; an even count of at least 6 is needed", result.size(), coordinates.size()));
      }
      result.emplace_back(coordinates.begin(), coordinates.end());
    }
    return result;
  }

  /// A list of numbers into `coordinates`.
  void read_numbers(ondemand::array list, std::string_view field) {
    coordinates.clear();
    std::string_view raw;
    check(list.raw_json().get(raw), field);
    if (read_plain_decimals(trimmed(raw), coordinates)) {
      return;
    }
    coordinates.clear();
    check(list.reset().error(), field);
    for (auto element : list) {
      ondemand::value entry;
      check(std::move(element).get(entry), field);
      coordinates.push_back(number(entry, field));
    }
  }

  std::vector<std::uint32_t> counts(ondemand::array list) {
    std::vector<std::uint32_t> result;
    for (auto element : list) {
      ondemand::value entry;
      check(std::move(element).get(entry), "segmentation.counts");
      const std::int64_t count = integer(entry, "segmentation.counts");
      if (count < 0 || count > std::numeric_limits<std::uint32_t>::max()) {
        fail(RejectionReason::out_of_range, "segmentation.counts", fmt::format("{} is not a length of a run", count));
      }
      result.push_back(static_cast<std::uint32_t>(count));
    }
    return result;
  }

  Mask run_lengths(ondemand::object object) {
    std::optional<std::pair<std::uint32_t, std::uint32_t>> size_hw;
    std::optional<std::vector<std::uint32_t>> list;
    std::optional<std::string> string;
    for (auto field_result : object) {
      ondemand::field field;
      check(std::move(field_result).get(field), "segmentation");
      const std::string_view key = raw_key(field.key());
      ondemand::value value = field.value();
      if (key == "size") {
        ondemand::array numbers;
        check(value.get_array().get(numbers), "segmentation.size");
        const std::vector<std::uint32_t> pixels = counts(numbers);
        if (pixels.size() != 2) {
          fail(RejectionReason::malformed, "segmentation.size", "height and width are needed");
        }
        size_hw.emplace(pixels[0], pixels[1]);
      } else if (key == "counts") {
        ondemand::json_type type;
        check(value.type().get(type), "segmentation.counts");
        if (type == ondemand::json_type::array) {
          ondemand::array numbers;
          check(value.get_array().get(numbers), "segmentation.counts");
          list = counts(numbers);
        } else {
          string = text(value, "segmentation.counts");
        }
      } else {
        fail(RejectionReason::malformed, "segmentation", fmt::format("run lengths have `size` and `counts`, not `{}`", key));
      }
    }
    if (!size_hw || (!list && !string)) {
      fail(RejectionReason::missing_field, "segmentation", "run lengths need `size` and `counts`");
    }
    try {
      Rle rle = list ? rle_from_counts(std::move(*list), size_hw->first, size_hw->second)
                     : rle_from_coco_string(*string, size_hw->first, size_hw->second);
      return {std::move(rle), string.has_value()};
    } catch (const Error& error) {
      fail(RejectionReason::malformed, "segmentation.counts", error.message());
    }
  }

  /// Nothing for an empty list, which is how tools that know boxes only fill the field.
  std::optional<Mask> mask(ondemand::value value) {
    ondemand::json_type type;
    check(value.type().get(type), "segmentation");
    if (type == ondemand::json_type::array) {
      ondemand::array rings;
      check(value.get_array().get(rings), "segmentation");
      std::vector<Polygon> parts = polygons(rings);
      return parts.empty() ? std::nullopt : std::optional(Mask{std::move(parts)});
    }
    if (type == ondemand::json_type::object) {
      ondemand::object object;
      check(value.get_object().get(object), "segmentation");
      return run_lengths(object);
    }
    fail(RejectionReason::malformed, "segmentation",
         fmt::format("a list of polygons or run lengths are needed, not {}", shown(value)));
  }

  bool flag(ondemand::value value, std::string_view field) {
    bool result = false;
    if (value.get_bool().get(result) == simdjson::SUCCESS) {
      return result;
    }
    const std::int64_t as_number = integer(value, field);
    if (as_number != 0 && as_number != 1) {
      fail(RejectionReason::out_of_range, field, fmt::format("{} is neither 0 nor 1", as_number));
    }
    return as_number == 1;
  }

  Keep keep;
  ondemand::parser parser;
  simdjson::dom::parser tree_parser;
  std::vector<double> coordinates;
};

namespace {

/// Keys that a field of the same element had before.
class SeenFields {
 public:
  void add(unsigned bit, std::string_view key) {
    if ((seen_ & (1U << bit)) != 0) {
      fail(RejectionReason::malformed, key, "the field stands twice in this element");
    }
    seen_ |= 1U << bit;
  }
  bool has(unsigned bit) const { return (seen_ & (1U << bit)) != 0; }

 private:
  unsigned seen_ = 0;
};

enum KnownField : unsigned {
  id_field,
  image_id,
  category_id,
  bbox,
  segmentation,
  area_field,
  iscrowd,
  score,
  attributes,
  tags_field
};

}  // namespace

CocoElementParser::CocoElementParser(Keep keep) : implementation_(std::make_unique<Implementation>(keep)) {}
CocoElementParser::~CocoElementParser() = default;

std::optional<CocoId> CocoElementParser::image_id_of(std::string_view element) {
  Implementation& parse = *implementation_;
  std::optional<CocoId> id;
  std::string others;
  VerbatimFields unknown(others);
  try {
    parse.for_each_field(element, unknown, [&](std::string_view key, ondemand::value& value) {
      const bool is_it = key == "image_id";
      if (is_it) {
        id = parse.id(value, key);
      }
      return is_it;
    });
  } catch (const CocoFault&) {
    return id;
  }
  return id;
}

bool CocoElementParser::is_valid(std::string_view json) {
  return implementation_->tree_parser.parse(json.data(), json.size()).error() == simdjson::SUCCESS;
}

void CocoElementParser::parse_annotation(std::string_view element, CocoAnnotation& annotation) {
  Implementation& parse = *implementation_;
  annotation.id.reset();
  annotation.has_box = false;
  annotation.tags.clear();
  Label& label = annotation.label = Label{};
  VerbatimFields unknown(label.source_json);
  SeenFields seen;
  parse.for_each_field(element, unknown, [&](std::string_view key, ondemand::value& value) {
    if (key == "segmentation") {
      seen.add(segmentation, key);
      if (parse.keep != Keep::boxes && !is_null(value)) {
        label.mask = parse.mask(value);
      }
    } else if (key == "bbox") {
      seen.add(bbox, key);
      annotation.has_box = !is_null(value) && parse.box(value, label.box_xywh_px);
    } else if (key == "image_id") {
      seen.add(image_id, key);
      annotation.image_id = parse.id(value, key);
    } else if (key == "category_id") {
      seen.add(category_id, key);
      annotation.category_id = parse.id(value, key);
    } else if (key == "id") {
      seen.add(id_field, key);
      annotation.id = parse.id(value, key);
    } else if (key == "iscrowd") {
      seen.add(iscrowd, key);
      label.is_crowd = !is_null(value) && parse.flag(value, key);
    } else if (key == "area") {
      seen.add(area_field, key);
      if (!is_null(value)) {
        label.area_px = number(value, key);
        if (*label.area_px < 0) {
          fail(RejectionReason::out_of_range, key, fmt::format("{} is negative", *label.area_px));
        }
      }
    } else if (key == "score" || key == "confidence") {
      seen.add(score, key);
      if (!is_null(value)) {
        label.confidence = number(value, key);
      }
    } else if (key == "attributes" && parse.keep == Keep::everything) {
      ondemand::json_type type;
      if (value.type().get(type) != simdjson::SUCCESS || type != ondemand::json_type::object) {
        return false;
      }
      seen.add(attributes, key);
      label.attributes_json = parse.verbatim(value, key);
      require_single_keys(JsonValue(label.attributes_json, "attributes"));
    } else if (key == "tags" && parse.keep == Keep::everything) {
      seen.add(tags_field, key);
      parse.take_tags(value, key, annotation.tags, unknown);
    } else {
      return false;
    }
    return true;
  });
  unknown.close();
  if (annotation.id) {
    label.source_json = with_id(*annotation.id, label.source_json);
  }
  if (!seen.has(image_id)) {
    fail(RejectionReason::missing_field, "image_id", "the annotation has no image_id");
  }
  if (!seen.has(category_id)) {
    fail(RejectionReason::missing_field, "category_id", "the annotation has no category_id");
  }
  const bool has_mask = label.mask.has_value() || (parse.keep == Keep::boxes && seen.has(segmentation));
  if (!annotation.has_box && !has_mask) {
    fail(RejectionReason::missing_field, "bbox", "the annotation has neither a box nor a mask");
  }
  if (label.mask) {
    label.kind = LabelKind::mask;
    if (!annotation.has_box) {
      label.box_xywh_px = mask_box(*label.mask);
    }
  }
  if (std::optional<std::string> fault = fault_of(label.box_xywh_px)) {
    fail(RejectionReason::out_of_range, annotation.has_box ? "bbox" : "segmentation", *std::move(fault));
  }
}

void CocoElementParser::parse_image(std::string_view element, CocoId& id, SourceImage& image, bool takes_urls) {
  Implementation& parse = *implementation_;
  image = {};
  std::string fields;
  VerbatimFields unknown(fields);
  enum : unsigned { image_id_field, file_name, width, height, split, labelled, tags_of_image, fields_of_image };
  SeenFields seen;
  parse.for_each_field(element, unknown, [&](std::string_view key, ondemand::value& value) {
    ondemand::json_type type;
    check(value.type().get(type), key);
    if (key == "id") {
      seen.add(image_id_field, key);
      id = parse.id(value, key);
    } else if (key == "file_name") {
      seen.add(file_name, key);
      image.name = parse.text(value, key);
    } else if (key == "width" || key == "height") {
      const bool is_width = key == "width";
      seen.add(is_width ? width : height, key);
      if (!is_null(value)) {
        (is_width ? image.width : image.height) = parse.size(value, key);
      }
    } else if (key == "split" && type == ondemand::json_type::string) {
      seen.add(split, key);
      image.split = parse.text(value, key);
    } else if (key == "labelled" && type == ondemand::json_type::boolean) {
      seen.add(labelled, key);
      image.is_labelled = parse.flag(value, key);
    } else if (key == "tags") {
      seen.add(tags_of_image, key);
      parse.take_tags(value, key, image.tags, unknown);
    } else if (key == "fields") {
      seen.add(fields_of_image, key);
      parse.take_fields(value, key, image.fields_json, unknown);
    } else {
      return false;
    }
    return true;
  });
  unknown.close();
  if (!seen.has(image_id_field)) {
    fail(RejectionReason::missing_field, "id", "the image has no id");
  }
  if (image.name.empty() && takes_urls) {
    if (const std::string_view url = source_field(fields, "coco_url"); !url.empty()) {
      image.name = name_from_coco_url(JsonValue(url, "coco_url").text());
    }
  }
  if (image.name.empty()) {
    fail(RejectionReason::missing_field, "file_name",
         takes_urls ? "the image has neither coco_url nor file_name" : "the image has no file_name");
  }
  if (image.name.find('\0') != std::string::npos) {
    fail(RejectionReason::malformed, "file_name", "the name holds a zero byte, which no file name can");
  }
  image.source_id = id.json();
  image.source_json = with_id(id, fields);
}

void CocoElementParser::parse_category(std::string_view element, CocoId& id, SourceClass& category) {
  Implementation& parse = *implementation_;
  category = {};
  std::string fields;
  VerbatimFields unknown(fields);
  enum : unsigned { category_id_field, name };
  SeenFields seen;
  parse.for_each_field(element, unknown, [&](std::string_view key, ondemand::value& value) {
    if (key == "id") {
      seen.add(category_id_field, key);
      id = parse.id(value, key);
    } else if (key == "name") {
      seen.add(name, key);
      category.name = parse.text(value, key);
    } else {
      return false;
    }
    return true;
  });
  unknown.close();
  if (!seen.has(category_id_field)) {
    fail(RejectionReason::missing_field, "id", "the category has no id");
  }
  if (category.name.empty()) {
    fail(RejectionReason::missing_field, "name", "the category has no name");
  }
  category.source_id = id.json();
  category.source_json = with_id(id, fields);
}

}  // namespace verilabel
