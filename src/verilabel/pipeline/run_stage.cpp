#include "verilabel/pipeline/run_stage.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "verilabel/geometry/mask.h"
#include "verilabel/geometry/nms.h"
#include "verilabel/geometry/tile_merge.h"

namespace verilabel {
namespace {

Rle mask_in_image(const Mask& mask, const Tile& tile, const ImageJob& job) {
  return placed(rasterised(mask, static_cast<std::uint32_t>(tile.h), static_cast<std::uint32_t>(tile.w)),
                static_cast<std::uint32_t>(tile.x), static_cast<std::uint32_t>(tile.y), static_cast<std::uint32_t>(job.height),
                static_cast<std::uint32_t>(job.width));
}

}  // namespace

std::size_t ProposeStage::begin(ImageJob& job) const {
  job.tiles = {{0, 0, job.width, job.height}};
  if (tiling_) {
    job.tiles = plan_tiles(job.width, job.height, labeller_.input_width(), labeller_.input_height(), *tiling_);
  }
  return job.tiles.size() * passes();
}

void ProposeStage::write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const {
  const Tile& tile = job.tiles[part / passes()];
  const int pass = static_cast<int>(part % passes());
  if (tile.w == job.width && tile.h == job.height) {
    job.parts[part].transform = labeller_.preprocess(job.image, inputs, scratch, pass);
    return;
  }
  Image pixels;
  crop_object(job.image,
              {static_cast<double>(tile.x), static_cast<double>(tile.y), static_cast<double>(tile.w), static_cast<double>(tile.h)},
              std::nullopt, {}, pixels);
  job.parts[part].transform = labeller_.preprocess(pixels, inputs, scratch, pass);
}

void ProposeStage::read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const {
  PartResult& result = job.parts[part];
  result.candidates = labeller_.decode(outputs, result.transform, options_);
}

std::vector<Candidate> ProposeStage::candidates_of_tile(ImageJob& job, std::size_t tile) const {
  const std::span<PartResult> parts = std::span(job.parts).subspan(tile * passes(), passes());
  if (parts.size() == 1) {
    return std::move(parts.front().candidates);
  }
  std::vector<std::vector<Candidate>> of_passes;
  for (PartResult& part : parts) {
    of_passes.push_back(std::move(part.candidates));
  }
  return labeller_.merge(std::move(of_passes), options_);
}

void ProposeStage::finish(ImageJob& job) const {
  if (job.tiles.size() == 1) {
    job.candidates = candidates_of_tile(job, 0);
    return;
  }
  std::vector<Candidate> all;
  std::vector<TileBox> boxes;
  for (std::size_t i = 0; i < job.tiles.size(); ++i) {
    for (Candidate& candidate : candidates_of_tile(job, i)) {
      candidate.box_xywh_px.x += job.tiles[i].x;
      candidate.box_xywh_px.y += job.tiles[i].y;
      boxes.push_back({candidate.box_xywh_px, candidate.score, candidate.class_index, i});
      all.push_back(std::move(candidate));
    }
  }
  job.candidates.clear();
  for (const TileObject& object : merge_tiles(boxes, job.tiles, job.width, job.height)) {
    Candidate& candidate = job.candidates.emplace_back(std::move(all[object.members.front()]));
    candidate.box_xywh_px = object.box_xywh_px;
    candidate.score = object.score;
    if (candidate.mask) {
      std::vector<Rle> pieces = {mask_in_image(*candidate.mask, job.tiles[boxes[object.members.front()].tile], job)};
      for (std::size_t i = 1; i < object.members.size(); ++i) {
        if (const std::optional<Mask>& mask = all[object.members[i]].mask) {
          pieces.push_back(mask_in_image(*mask, job.tiles[boxes[object.members[i]].tile], job));
        }
      }
      candidate.mask->shape = union_of(pieces);
    }
  }
}

std::size_t EncodeStage::begin(ImageJob& job) const {
  job.outlined.clear();
  for (std::size_t i = 0; i < job.candidates.size(); ++i) {
    if (has_box(job.candidates[i].kind)) {
      job.outlined.push_back(i);
    }
  }
  return needs_boxes_ && job.outlined.empty() ? 0 : 1;
}

void EncodeStage::write(ImageJob& job, std::size_t, std::span<const InputView> inputs, Image& scratch) const {
  job.encoded.transform = segmenter_.preprocess(job.image, inputs, scratch);
}

void EncodeStage::read(ImageJob& job, std::size_t, std::span<const OutputView> outputs) const {
  job.encoded.outputs.clear();
  for (const OutputView& output : outputs) {
    job.encoded.outputs.emplace_back(output.values.begin(), output.values.end());
  }
}

void EncodeStage::finish(ImageJob&) const {}

std::span<const std::size_t> OutlineStage::candidates_of(const ImageJob& job, std::size_t part) const {
  const std::size_t each = use_.prompts_per_inference;
  return std::span(job.outlined).subspan(part * each, std::min(each, job.outlined.size() - part * each));
}

std::size_t OutlineStage::begin(ImageJob& job) const {
  const std::size_t each = use_.prompts_per_inference;
  return (job.outlined.size() + each - 1) / each;
}

void OutlineStage::write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image&) const {
  std::vector<Box> boxes_xywh_px;
  for (const std::size_t candidate : candidates_of(job, part)) {
    boxes_xywh_px.push_back(job.candidates[candidate].box_xywh_px);
  }
  segmenter_.write_boxes(job.encoded, boxes_xywh_px, inputs);
}

void OutlineStage::read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const {
  const std::span<const std::size_t> candidates = candidates_of(job, part);
  std::vector<std::optional<Mask>> masks = segmenter_.masks_of_boxes(outputs, job.encoded, candidates.size());
  assert(masks.size() == candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    job.candidates[candidates[i]].mask = std::move(masks[i]);
  }
}

void OutlineStage::finish(ImageJob& job) const {
  job.encoded = {};
  for (const std::size_t i : job.outlined) {
    Candidate& candidate = job.candidates[i];
    candidate.kind = candidate.mask ? LabelKind::mask : LabelKind::box;
    if (candidate.mask) {
      candidate.box_xywh_px = mask_box(*candidate.mask);
    }
  }
}

std::vector<Point> EverythingStage::points_of(const ImageJob& job, std::size_t part) const {
  const auto side = static_cast<std::size_t>(options_.points_per_side);
  const std::size_t first = part * use_.prompts_per_inference;
  std::vector<Point> points_px;
  for (std::size_t i = first; i < std::min(first + use_.prompts_per_inference, side * side); ++i) {
    const auto middle = [&](std::size_t cell, int pixels) {
      return (static_cast<double>(cell) + 0.5) / options_.points_per_side * pixels;
    };
    points_px.push_back({middle(i % side, job.width), middle(i / side, job.height)});
  }
  return points_px;
}

std::size_t EverythingStage::begin(ImageJob&) const {
  const auto side = static_cast<std::size_t>(options_.points_per_side);
  return (side * side + use_.prompts_per_inference - 1) / use_.prompts_per_inference;
}

void EverythingStage::write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image&) const {
  segmenter_.write_points(job.encoded, points_of(job, part), inputs);
}

void EverythingStage::read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const {
  for (MaskProposal& proposal : segmenter_.masks_of_points(outputs, job.encoded, points_of(job, part).size(), options_)) {
    if (proposal.iou > floor_) {
      const Box box_xywh_px = tight_box(proposal.mask);
      job.parts[part].candidates.push_back({0, box_xywh_px, proposal.iou, Mask{std::move(proposal.mask), true}, LabelKind::mask});
    }
  }
}

void EverythingStage::finish(ImageJob& job) const {
  job.encoded = {};
  std::vector<Candidate> all;
  for (PartResult& part : job.parts) {
    std::ranges::move(part.candidates, std::back_inserter(all));
  }
  std::vector<float> boxes_xyxy;
  std::vector<float> scores;
  for (const Candidate& candidate : all) {
    const Box& box = candidate.box_xywh_px;
    // From the first to the last pixel inside, as the reference has it: a side shorter than the box.
    for (const double edge : {box.x, box.y, box.x + box.w - 1, box.y + box.h - 1}) {
      boxes_xyxy.push_back(static_cast<float>(edge));
    }
    scores.push_back(static_cast<float>(candidate.score));
  }
  const NmsOptions suppression{.iou_threshold = options_.nms_iou,
                               .is_class_aware = false,
                               .max_detections = options_.max_masks ? static_cast<std::size_t>(*options_.max_masks) : SIZE_MAX};
  job.candidates.clear();
  for (const std::uint32_t i : nms({boxes_xyxy, scores, {}}, suppression)) {
    job.candidates.push_back(std::move(all[i]));
  }
}

std::size_t EmbedStage::begin(ImageJob& job) const {
  job.vectors.resize(options_.embeds_objects ? job.candidates.size() : 1);
  return job.vectors.size();
}

void EmbedStage::write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const {
  if (!options_.embeds_objects) {
    embedder_.preprocess(job.image, inputs, scratch);
    return;
  }
  const Candidate& candidate = job.candidates[part];
  Image object;
  crop_object(job.image, candidate.box_xywh_px, candidate.mask, options_.crop, object);
  embedder_.preprocess(object, inputs, scratch);
}

void EmbedStage::read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const {
  job.vectors[part] = embedder_.decode(outputs);
}

void EmbedStage::finish(ImageJob&) const {}

RenameStage::RenameStage(const Labeller& classifier, const LabelRunOptions& options)
    : classifier_(classifier), crop_(options.crop), floor_(options.candidates.floor), best_(classifier.default_options()) {
  best_.floor = 0;
  best_.max_detections = 1;
  best_.is_class_wanted = options.is_name_wanted;
}

std::size_t RenameStage::begin(ImageJob& job) const {
  return job.candidates.size();
}

void RenameStage::write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const {
  const Candidate& candidate = job.candidates[part];
  Image object;
  crop_object(job.image, candidate.box_xywh_px, candidate.mask, crop_, object);
  job.parts[part].transform = classifier_.preprocess(object, inputs, scratch, 0);
}

void RenameStage::read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const {
  PartResult& result = job.parts[part];
  result.candidates = classifier_.decode(outputs, result.transform, best_);
}

void RenameStage::finish(ImageJob& job) const {
  std::vector<Candidate> renamed;
  for (std::size_t i = 0; i < job.parts.size(); ++i) {
    if (job.parts[i].candidates.empty()) {
      continue;  // no class of the classifier has any share in it, or one that only competes
    }
    const Candidate& name = job.parts[i].candidates.front();
    Candidate& candidate = job.candidates[i];
    candidate.class_index = name.class_index;
    candidate.score *= name.score;
    if (candidate.score > floor_) {
      renamed.push_back(std::move(candidate));
    }
  }
  // A model may propose one object by two names, which are now the same.
  job.candidates.clear();
  for (Candidate& candidate : best_first(std::move(renamed))) {
    const bool is_there = std::ranges::any_of(job.candidates, [&](const Candidate& other) {
      return other.class_index == candidate.class_index && other.box_xywh_px == candidate.box_xywh_px &&
             other.mask == candidate.mask;
    });
    if (!is_there) {
      job.candidates.push_back(std::move(candidate));
    }
  }
}

}  // namespace verilabel
