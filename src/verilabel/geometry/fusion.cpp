#include "verilabel/geometry/fusion.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

/// Beyond these the sums of weighted scores and edges are no numbers any more.
constexpr double kLeastWeight = 1e-6;
constexpr double kMostWeight = 1e6;

void require(bool holds, const std::string& message) {
  if (!holds) {
    throw Error(ErrorCode::wrong_use, message);
  }
}

double weight_of(const FusionOptions& options, std::size_t model) {
  return options.weights_of_model.empty() ? 1 : options.weights_of_model[model];
}

/// Places of the boxes of each class, by descending score; equal scores in the order given.
std::map<std::int32_t, std::vector<std::size_t>> by_class(std::span<const FusionBox> boxes, std::span<const double> scores) {
  std::map<std::int32_t, std::vector<std::size_t>> places;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    places[boxes[i].class_id].push_back(i);
  }
  for (auto& [class_id, of_class] : places) {
    std::ranges::stable_sort(of_class, std::ranges::greater{}, [&](std::size_t i) { return scores[i]; });
  }
  return places;
}

/// A fused box while members come in, by descending score: sums over them of score, of weight, and of weight times each edge.
struct Cluster {
  FusedBox fused;
  double score = 0;
  double weight = 0;
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  void add(std::size_t place, const Box& box, double weighted_score) {
    fused.members.push_back(place);
    score += weighted_score;
    const double own = score > 0 ? weighted_score : 1;  // members that are all of score 0 count alike
    weight += own;
    left += own * box.x;
    top += own * box.y;
    right += own * (box.x + box.w);
    bottom += own * (box.y + box.h);
    if (fused.members.size() == 1) {
      fused.box_xywh_px = box;
    } else {
      fused.box_xywh_px = {left / weight, top / weight, (right - left) / weight, (bottom - top) / weight};
    }
    fused.score = score / static_cast<double>(fused.members.size());
  }
};

void fuse_weighted(std::span<const FusionBox> boxes, std::span<const double> scores, std::span<const std::size_t> places,
                   const FusionOptions& options, std::span<const std::uint8_t> has_looked, std::vector<FusedBox>& result) {
  std::size_t looked = 0;
  double total = 0;
  for (std::size_t model = 0; model < has_looked.size(); ++model) {
    if (has_looked[model] != 0) {
      ++looked;
      total += weight_of(options, model);
    }
  }
  std::vector<Cluster> clusters;
  for (const std::size_t place : places) {
    Cluster* best = nullptr;
    double best_iou = options.iou;
    for (Cluster& cluster : clusters) {
      if (const double overlap = iou(cluster.fused.box_xywh_px, boxes[place].box_xywh_px); overlap > best_iou) {
        best = &cluster;
        best_iou = overlap;
      }
    }
    if (best == nullptr) {
      best = &clusters.emplace_back();
      best->fused.class_id = boxes[place].class_id;
    }
    best->add(place, boxes[place].box_xywh_px, scores[place]);
  }
  for (Cluster& cluster : clusters) {
    cluster.fused.score *= static_cast<double>(std::min(cluster.fused.members.size(), looked)) / total;
    result.push_back(std::move(cluster.fused));
  }
}

void suppress(std::span<const FusionBox> boxes, std::span<const double> scores, std::span<const std::size_t> places,
              const FusionOptions& options, std::vector<FusedBox>& result) {
  const std::size_t first = result.size();
  for (const std::size_t place : places) {
    FusedBox* cover = nullptr;
    double cover_iou = options.iou;
    for (std::size_t i = first; i < result.size(); ++i) {
      if (const double overlap = iou(result[i].box_xywh_px, boxes[place].box_xywh_px); overlap > cover_iou) {
        cover = &result[i];
        cover_iou = overlap;
      }
    }
    if (cover != nullptr) {
      cover->members.push_back(place);
    } else {
      result.push_back({boxes[place].box_xywh_px, scores[place], boxes[place].class_id, {place}});
    }
  }
}

void suppress_softly(std::span<const FusionBox> boxes, std::span<const double> scores, std::span<const std::size_t> places,
                     const FusionOptions& options, std::vector<FusedBox>& result) {
  struct Left {
    std::size_t place;
    double score;
  };
  std::vector<Left> left;
  for (const std::size_t place : places) {
    left.push_back({place, scores[place]});
  }
  while (!left.empty()) {
    const auto best = std::ranges::max_element(left, {}, &Left::score);
    const auto [place, score] = *best;
    left.erase(best);
    if (score < options.floor) {
      break;  // the others are not better
    }
    const Box& box = boxes[place].box_xywh_px;
    result.push_back({box, score, boxes[place].class_id, {place}});
    for (Left& other : left) {
      if (const double overlap = iou(box, boxes[other.place].box_xywh_px); overlap > 0) {
        other.score *= std::exp(-overlap * overlap / options.sigma);
      }
    }
  }
}

}  // namespace

void FusionOptions::validate(std::size_t models) const {
  require(iou >= 0 && iou <= 1, fmt::format("the overlap of fused boxes is {}; an IoU from 0 to 1 is needed", iou));
  require(sigma > 0 && std::isfinite(sigma), fmt::format("soft-NMS's sigma is {}; it must be above 0", sigma));
  require(floor >= 0 && floor <= 1, fmt::format("the floor is {}; a score from 0 to 1 is needed", floor));
  require(weights_of_model.empty() || weights_of_model.size() == models,
          fmt::format("there are {} weights for {} sets; give each its weight", weights_of_model.size(), models));
  for (const double weight : weights_of_model) {
    require(weight >= kLeastWeight && weight <= kMostWeight,
            fmt::format("a weight is {:g}; one from 0.000001 to 1000000 is needed", weight));
  }
}

std::vector<FusedBox> fuse(std::span<const FusionBox> boxes, std::span<const std::uint8_t> has_looked,
                           const FusionOptions& options) {
  return fuse(boxes, has_looked.size(), [&](std::int32_t /*class_id*/) { return has_looked; }, options);
}

std::vector<FusedBox> fuse(std::span<const FusionBox> boxes, std::size_t models, const HasLooked& has_looked,
                           const FusionOptions& options) {
  options.validate(models);
  const bool is_weighted = options.method == FusionMethod::wbf;
  double greatest = 0;
  for (std::size_t model = 0; model < models; ++model) {
    greatest = std::max(greatest, weight_of(options, model));
  }
  std::vector<double> scores;
  for (const FusionBox& box : boxes) {
    scores.push_back(box.score * weight_of(options, box.model) / (is_weighted ? 1 : greatest));
  }
  std::vector<FusedBox> fused;
  for (const auto& [class_id, places] : by_class(boxes, scores)) {
    switch (options.method) {
      case FusionMethod::nms:
        suppress(boxes, scores, places, options, fused);
        break;
      case FusionMethod::soft_nms:
        suppress_softly(boxes, scores, places, options, fused);
        break;
      case FusionMethod::wbf:
        fuse_weighted(boxes, scores, places, options, has_looked(class_id), fused);
        break;
    }
  }
  std::ranges::sort(fused, [](const FusedBox& a, const FusedBox& b) {
    return a.score != b.score ? a.score > b.score : a.members.front() < b.members.front();
  });
  return fused;
}

}  // namespace verilabel
