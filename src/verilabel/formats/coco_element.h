#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "verilabel/dataset/label.h"
#include "verilabel/formats/import.h"
#include "verilabel/formats/json_element.h"

namespace verilabel {

using CocoFault = ElementFault;

/// The name that an LVIS image has by its URL: the last two parts, `val2017/000000397133.jpg`, or the only one.
std::string_view name_from_coco_url(std::string_view url);

/// An id as COCO files have it: nearly always an integer, in some files a string.
struct CocoId {
  std::int64_t number = 0;
  std::string text;  ///< the JSON string with its quotes; empty for an integer

  std::string json() const { return text.empty() ? std::to_string(number) : text; }
};

/// Ids and what they stand for.
class CocoIdMap {
 public:
  /// What the id stood for already, in which case nothing changes.
  std::optional<std::int64_t> insert(const CocoId& id, std::int64_t value);
  std::optional<std::int64_t> find(const CocoId& id) const;

 private:
  struct Slot {
    std::int64_t key = 0;
    std::int64_t value = kEmpty;
  };
  static constexpr std::int64_t kEmpty = INT64_MIN;

  std::size_t slot_of(std::int64_t key) const;
  void grow();

  std::vector<Slot> slots_;  // open addressing: labels come by the million, and 16 bytes each is what there is for them
  std::size_t used_ = 0;
  std::unordered_map<std::string, std::int64_t> texts_;
};

struct CocoAnnotation {
  std::optional<CocoId> id;
  CocoId image_id;
  CocoId category_id;
  bool has_box = false;
  Label label;  ///< without class
  std::vector<std::string> tags;
};

/// Parses the elements of a COCO file one at a time. Every byte of an element is checked, unknown fields included, because they are
/// written back as they came. `element` must have `JsonStream::kPaddingBytes` readable bytes behind it.
class CocoElementParser {
 public:
  enum class Keep : std::uint8_t {
    everything,
    boxes_and_masks,  ///< no unknown fields: for evaluation
    boxes,
  };

  explicit CocoElementParser(Keep keep);
  ~CocoElementParser();
  CocoElementParser(const CocoElementParser&) = delete;
  CocoElementParser& operator=(const CocoElementParser&) = delete;

  /// Throws `CocoFault`, as do the other two. An annotation must have a box or a mask, and keeps the invariants of a `Label`.
  void parse_annotation(std::string_view element, CocoAnnotation& annotation);
  /// An image without `file_name` is named by its `coco_url`, which stays among the unknown fields, when `takes_urls`.
  void parse_image(std::string_view element, CocoId& id, SourceImage& image, bool takes_urls = false);
  void parse_category(std::string_view element, CocoId& id, SourceClass& category);
  /// The image that an annotation belongs to which could not be parsed, if that much can be read. Throws nothing.
  std::optional<CocoId> image_id_of(std::string_view element);
  /// Whether these bytes are one valid JSON value.
  bool is_valid(std::string_view json);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace verilabel
