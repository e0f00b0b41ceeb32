#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "verilabel/base/ids.h"
#include "verilabel/geometry/box.h"
#include "verilabel/geometry/mask.h"

namespace verilabel {

enum class LabelKind : std::uint8_t { classification, box, mask };

/// What the last decision made of a label.
enum class Verdict : std::uint8_t { unreviewed, accepted, rejected, unsure, edited };

/// Whether a label counts. Only `active` ones are seen by views that do not ask for another status, by evaluation and by export.
enum class LabelStatus : std::uint8_t {
  active,
  replaced,    ///< undecided, and a later run in the same set was asked for its class on its sample, or fusion by fusion
  superseded,  ///< a candidate of a run or fusion, of the class and place of a label that was decided, or that its run keeps: see
               ///< lifecycle.h
  undone,      ///< undecided, and its run or import was undone
};

/// Three different things, everywhere.
enum class SampleState : std::uint8_t { not_labelled, labelled_empty, labelled };

/// Whether a label of this kind says where the object is. A classification is of the whole image: it has no box and no area.
constexpr bool has_box(LabelKind kind) {
  return kind != LabelKind::classification;
}

std::string_view name_of(LabelKind kind);
std::string_view name_of(Verdict verdict);
std::string_view name_of(LabelStatus status);
std::string_view name_of(SampleState state);
/// The inverse of `name_of`; nothing when no such name exists.
std::optional<LabelKind> label_kind_from(std::string_view name);
std::optional<Verdict> verdict_from(std::string_view name);
std::optional<LabelStatus> label_status_from(std::string_view name);

/// One label as a run or an import wrote it, or as a person's edit made it. Sample and set are its context.
struct Label {
  LabelKind kind = LabelKind::box;
  ClassId class_id;
  Box box_xywh_px;                   ///< all zero for a classification; the mask's box for a mask
  std::optional<double> confidence;  ///< absent for human truth; finite
  std::optional<double> area_px;     ///< as the source states it (COCO: of the mask); absent means that of the box
  bool is_crowd = false;
  std::optional<Mask> mask;     ///< present if and only if kind is mask
  std::string attributes_json;  ///< a JSON object of attributes that users see, or empty
  std::string source_json;      ///< a JSON object with the id and the unknown fields of the file it came from, or empty

  friend bool operator==(const Label&, const Label&) = default;
};

/// Nothing when all numbers of the box, those of its far corner and its area are finite and no side is negative, otherwise what is
/// wrong, to be completed by where.
std::optional<std::string> fault_of(const Box& box_xywh_px);

/// Nothing when the label keeps its invariants, otherwise what is wrong, to be completed by where. The invariants: all numbers are
/// finite; sides and area are not negative (a side of zero is legal: real datasets hold such boxes); the box of a classification is
/// all zero; a mask is there if and only if the kind is mask; it has at least one polygon, each of at least three points, or an Rle
/// whose runs add up. Confidence may lie outside [0, 1]: results files hold logits. Whether the class exists is the store's
/// question.
std::optional<std::string> fault_of(const Label& label);

}  // namespace verilabel
