#include "verilabel/dataset/label.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

namespace verilabel {
namespace {

template <typename Enum, std::size_t Count>
using NameTable = std::array<std::pair<Enum, std::string_view>, Count>;

// One row for each enumerator, in its order.
constexpr NameTable<LabelKind, 3> kLabelKinds = {{
    {LabelKind::classification, "classification"},
    {LabelKind::box, "box"},
    {LabelKind::mask, "mask"},
}};
constexpr NameTable<Verdict, 5> kVerdicts = {{
    {Verdict::unreviewed, "unreviewed"},
    {Verdict::accepted, "accepted"},
    {Verdict::rejected, "rejected"},
    {Verdict::unsure, "unsure"},
    {Verdict::edited, "edited"},
}};
constexpr NameTable<LabelStatus, 4> kLabelStatuses = {{
    {LabelStatus::active, "active"},
    {LabelStatus::replaced, "replaced"},
    {LabelStatus::superseded, "superseded"},
    {LabelStatus::undone, "undone"},
}};
constexpr NameTable<SampleState, 3> kSampleStates = {{
    {SampleState::not_labelled, "not_labelled"},
    {SampleState::labelled_empty, "labelled_empty"},
    {SampleState::labelled, "labelled"},
}};

template <typename Enum, std::size_t Count>
constexpr std::string_view name_in(const NameTable<Enum, Count>& table, Enum value) {
  return table[static_cast<std::size_t>(value)].second;
}

template <typename Enum, std::size_t Count>
constexpr std::optional<Enum> value_in(const NameTable<Enum, Count>& table, std::string_view name) {
  for (const auto& [value, known] : table) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::optional<std::string> fault_of(const std::vector<Polygon>& polygons) {
  if (polygons.empty()) {
    return "the mask has no polygon";
  }
  for (std::size_t i = 0; i < polygons.size(); ++i) {
    const Polygon& polygon = polygons[i];
    if (polygon.size() < 6 || polygon.size() % 2 != 0) {
      return fmt::format("polygon {} of the mask has {} numbers; an even count of at least 6 is needed", i, polygon.size());
    }
    for (const double coordinate : polygon) {
      if (!std::isfinite(coordinate)) {
        return fmt::format("polygon {} of the mask holds {}, not a finite number", i, coordinate);
      }
    }
  }
  return std::nullopt;
}

std::optional<std::string> fault_of(const Rle& rle) {
  const std::uint64_t pixels = std::uint64_t{rle.height} * rle.width;
  std::uint64_t sum = 0;
  for (const std::uint32_t count : rle.counts) {
    sum += count;
  }
  if (sum != pixels) {
    return fmt::format("the runs of the mask add up to {} pixels; {} × {} are {}", sum, rle.height, rle.width, pixels);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(LabelKind kind) {
  return name_in(kLabelKinds, kind);
}
std::string_view name_of(Verdict verdict) {
  return name_in(kVerdicts, verdict);
}
std::string_view name_of(LabelStatus status) {
  return name_in(kLabelStatuses, status);
}
std::string_view name_of(SampleState state) {
  return name_in(kSampleStates, state);
}

std::optional<LabelKind> label_kind_from(std::string_view name) {
  return value_in(kLabelKinds, name);
}
std::optional<Verdict> verdict_from(std::string_view name) {
  return value_in(kVerdicts, name);
}
std::optional<LabelStatus> label_status_from(std::string_view name) {
  return value_in(kLabelStatuses, name);
}

std::optional<std::string> fault_of(const Box& box) {
  const std::pair<const char*, double> numbers[] = {{"x", box.x}, {"y", box.y}, {"w", box.w}, {"h", box.h}};
  for (const auto& [name, value] : numbers) {
    if (!std::isfinite(value)) {
      return fmt::format("{} of the box is {}, not a finite number", name, value);
    }
  }
  if (box.w < 0 || box.h < 0) {
    return fmt::format("the box has a negative side: {} × {}", box.w, box.h);
  }
  if (!std::isfinite(box.x + box.w) || !std::isfinite(box.y + box.h) || !std::isfinite(box.w * box.h)) {
    return fmt::format("the far corner or the area of the box is no finite number: {}, {}, {} × {}", box.x, box.y, box.w, box.h);
  }
  return std::nullopt;
}

std::optional<std::string> fault_of(const Label& label) {
  if (auto fault = fault_of(label.box_xywh_px)) {
    return fault;
  }
  if (label.kind == LabelKind::classification && label.box_xywh_px != Box{}) {
    return "a classification has a box; its numbers must all be zero";
  }
  if (label.confidence && !std::isfinite(*label.confidence)) {
    return fmt::format("the confidence is {}, not a finite number", *label.confidence);
  }
  if (label.area_px && !(std::isfinite(*label.area_px) && *label.area_px >= 0)) {
    return fmt::format("the area is {}; a finite number of at least 0 is needed", *label.area_px);
  }
  if (label.mask.has_value() != (label.kind == LabelKind::mask)) {
    return label.mask ? "the label has a mask but is not of kind mask" : "the label is of kind mask but has no mask";
  }
  if (label.mask) {
    return std::visit([](const auto& shape) { return fault_of(shape); }, label.mask->shape);
  }
  return std::nullopt;
}

}  // namespace verilabel
