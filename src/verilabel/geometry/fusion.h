#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "verilabel/geometry/box.h"

namespace verilabel {

/// A box that one of several models found in an image.
struct FusionBox {
  Box box_xywh_px;
  double score = 1;  ///< not below 0
  std::int32_t class_id = 0;
  std::size_t model = 0;  ///< which of the models
};

/// How the boxes of several models become one answer. Boxes of different classes never meet.
enum class FusionMethod : std::uint8_t {
  nms,       ///< the best of those that overlap
  soft_nms,  ///< all, the weaker for what a better one covers: Bodla et al., Soft-NMS, 2017, with a Gaussian
  wbf,       ///< their mean, weighted by score: Solovyev et al., Weighted boxes fusion, 2021
};

struct FusionOptions {
  FusionMethod method = FusionMethod::wbf;
  double iou = 0.55;                     ///< boxes that overlap by more are the same object
  double sigma = 0.5;                    ///< of soft-NMS's Gaussian
  double floor = 0;                      ///< of soft-NMS: what falls below it is dropped
  std::vector<double> weights_of_model;  ///< that scores are multiplied by; empty for 1 each

  /// Throws `wrong_use` for an IoU outside of 0 to 1, a sigma that is not positive, a weight outside of 1e-6 to 1e6, a number of
  /// weights other than that of the models.
  void validate(std::size_t models) const;
};

/// One object of the answer.
struct FusedBox {
  Box box_xywh_px;
  double score = 0;
  std::int32_t class_id = 0;
  std::vector<std::size_t> members;  ///< boxes that it stands for, by their place in the input, the best first
};

/// One a model, of a class.
using HasLooked = std::function<std::span<const std::uint8_t>(std::int32_t class_id)>;

/// The boxes of one image as one answer, by descending score; of equal scores the one with the earlier best member first.
///
/// `has_looked` says of each of so many models whether it was asked for the class on this image: one that was not has no boxes of
/// it, and no part in the share.
///
/// Weighted fusion, by class and descending weighted score: a box joins the fused box that it overlaps most, if by more than `iou`,
/// which then is the mean of its members weighted by their scores (the plain mean while these are all 0), and has their mean score;
/// in the end that is multiplied by min(members, models that looked) / sum of their weights, so that what only one of three models
/// saw counts a third: Solovyev et al., as their package ensemble-boxes has it (`conf_type` avg, without `allows_overflow`). NMS
/// and soft-NMS work on scores times weight over the greatest weight of all models.
std::vector<FusedBox> fuse(std::span<const FusionBox> boxes, std::size_t models, const HasLooked& has_looked,
                           const FusionOptions& options);
/// With models that were asked for all classes, or not at all.
std::vector<FusedBox> fuse(std::span<const FusionBox> boxes, std::span<const std::uint8_t> has_looked,
                           const FusionOptions& options);

}  // namespace verilabel
