#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "verilabel/evaluate/bootstrap.h"
#include "verilabel/evaluate/classification.h"
#include "verilabel/evaluate/input.h"
#include "verilabel/evaluate/outcome.h"

namespace verilabel {

/// What is told of a part of the data, or compared between two sets of predictions: all at one IoU.
template <typename Number>
struct PointNumbers {
  /// Mean over the classes with truth, over predictions of every score: of overlaps at 101 points of recall, of classes of whole
  /// images that of `ClassificationOfClass`.
  Number ap{};
  Number precision{};
  Number recall{};
  Number f1{};
  // Of classes of whole images only.
  Number roc_auc{};  ///< as of `ClassificationOfClass`; of all classes together the mean over those that have one
  // Shares of the images; of all classes together only.
  Number accuracy{};
  Number top_2{};
  Number top_3{};
  Number top_4{};
  Number top_5{};
  Number exact_match{};
};
/// Every number, in an order that does not depend on its type.
template <typename Number>
inline constexpr std::array<Number PointNumbers<Number>::*, 11> kPointNumbers = {
    &PointNumbers<Number>::ap,    &PointNumbers<Number>::precision,   &PointNumbers<Number>::recall,
    &PointNumbers<Number>::f1,    &PointNumbers<Number>::roc_auc,     &PointNumbers<Number>::accuracy,
    &PointNumbers<Number>::top_2, &PointNumbers<Number>::top_3,       &PointNumbers<Number>::top_4,
    &PointNumbers<Number>::top_5, &PointNumbers<Number>::exact_match,
};
using PointMetrics = PointNumbers<std::optional<double>>;
using PointMetricIntervals = PointNumbers<std::optional<Interval>>;

/// Of all classes together, and of each in the order of the input's classes, where AP is that of the class.
template <typename Number>
struct PointNumbersByClass {
  PointNumbers<Number> overall;
  std::vector<PointNumbers<Number>> per_class;
};
using PointMetricsByClass = PointNumbersByClass<std::optional<double>>;
using PointMetricIntervalsByClass = PointNumbersByClass<std::optional<Interval>>;

/// One evaluation, ready to be counted again over images drawn with replacement.
class ResampledMetrics {
 public:
  /// `outcomes` are those of predictions of every score; precision, recall and F1 count those of at least `threshold`.
  ResampledMetrics(const EvaluationInput& input, const Outcomes& outcomes, std::optional<double> threshold);
  /// Of classes of whole images. `of_images` has a row an image, or none: then no share of the images is told.
  ResampledMetrics(const ClassificationInput& input, const ClassificationOutcomes& outcomes, std::optional<double> threshold,
                   ClassifiedImages of_images);

  std::size_t images() const { return images_; }
  std::size_t classes() const { return classes_.size(); }
  /// With each image counted that many times.
  PointMetricsByClass over(std::span<const std::uint32_t> times_of_image) const;
  /// With each image counted once.
  PointMetricsByClass once() const;

 private:
  struct Scored {
    double score;
    std::uint32_t image;
    bool is_right;
  };
  struct Rows {
    std::vector<Scored> predictions;  ///< from the highest score down; of one score by image, then the order of their file
    std::vector<std::uint32_t> truth_images;
  };
  static std::vector<Rows> rows_of(const EvaluationInput& input, const Outcomes& outcomes);
  struct Areas {
    std::optional<double> roc_auc;
    std::optional<double> average_precision;
  };
  static Areas one_against_all(const Rows& rows, std::span<const std::uint32_t> times_of_image);
  void add_shares(std::span<const std::uint32_t> times_of_image, PointMetrics& overall) const;

  std::size_t images_;
  std::optional<double> threshold_;
  std::vector<Rows> classes_;
  std::vector<Rows> one_against_all_;  ///< empty where overlaps are compared
  ClassifiedImages of_images_;
};

/// Where each number falls when the images are drawn anew. Nothing where it is undefined on every resample, and for one image,
/// which says nothing of others. Throws `wrong_use`.
PointMetricIntervals bootstrap_metrics(const ResampledMetrics& metrics, const BootstrapOptions& options);

/// Likewise of each class too, for which the numbers of every class on every resample are kept in memory at a time.
PointMetricIntervalsByClass bootstrap_metrics_by_class(const ResampledMetrics& metrics, const BootstrapOptions& options);

/// Where `first` less `second` falls, in all and by class, both counted on the same images each time. Throws `wrong_use`, for
/// metrics of different images or numbers of classes too.
PointMetricIntervalsByClass bootstrap_differences(const ResampledMetrics& first, const ResampledMetrics& second,
                                                  const BootstrapOptions& options);

}  // namespace verilabel
