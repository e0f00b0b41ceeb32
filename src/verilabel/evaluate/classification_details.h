#pragma once

#include "verilabel/evaluate/calibration.h"
#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/confusion.h"
#include "verilabel/evaluate/details.h"
#include "verilabel/evaluate/score_curve.h"

namespace verilabel {

/// How classes of whole images go wrong.
struct ClassificationDetails {
  /// One class an image: the class of the image and what it is called, background where it is called nothing; an image of several
  /// classes that is called by none of them counts for each. Several classes an image: one that is missed stands with the
  /// background, and so does one that is wrongly taken, since nothing says which of them belong together.
  ConfusionMatrix confusion{0};
  /// Of what an image is called, which is each class with a prediction where it may be called by several: all scores for the
  /// curves, so that they also say what a threshold would do. An image of several classes that is called rightly by one of them
  /// counts once.
  ScoreCurves curves;
  Calibration calibration;
  Distribution scores;
};

/// `result` comes from `input` and `options`.
ClassificationDetails classification_details(const ClassificationInput& input, const ClassificationResult& result,
                                             const ClassificationOptions& options);

}  // namespace verilabel
