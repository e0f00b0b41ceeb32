#pragma once

#include "verilabel/evaluate/calibration.h"
#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/confusion.h"
#include "verilabel/evaluate/details.h"
#include "verilabel/evaluate/score_curve.h"

namespace verilabel {

/// How classes of whole images go wrong.
struct ClassificationDetails {
  /// At the threshold. One class an image: the class of the image and what it is called, background where it is called nothing; an
  /// image of several classes that is called by none of them counts for each. Several classes an image: one that is missed stands
  /// with the background, and so does one that is wrongly taken, since nothing says which of them belong together.
  ConfusionMatrix confusion{0};
  /// Of what images are called, over all scores; see `ClassificationOutcomes::calls`.
  ScoreCurves curves;
  Calibration calibration;
  Distribution scores;
};

/// `result` comes from `input`, for one class an image or several.
ClassificationDetails classification_details(const ClassificationInput& input, const ClassificationResult& result,
                                             bool is_multi_label);

}  // namespace verilabel
