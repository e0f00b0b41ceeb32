#include "verilabel/pipeline/run_stage.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <numeric>
#include <utility>

#include "verilabel/geometry/mask.h"

namespace verilabel {
namespace {

// By descending score; of equal ones the earlier first.
std::vector<Candidate> best_first(std::vector<Candidate> candidates) {
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return candidates[i].score; });
  std::vector<Candidate> sorted;
  sorted.reserve(candidates.size());
  for (const std::size_t i : order) {
    sorted.push_back(std::move(candidates[i]));
  }
  return sorted;
}

}  // namespace

std::size_t ProposeStage::begin(ImageJob&) const {
  return static_cast<std::size_t>(labeller_.passes());
}

void ProposeStage::write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const {
  job.parts[part].transform = labeller_.preprocess(job.image, inputs, scratch, static_cast<int>(part));
}

void ProposeStage::read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const {
  PartResult& result = job.parts[part];
  result.candidates = labeller_.decode(outputs, result.transform, options_);
}

void ProposeStage::finish(ImageJob& job) const {
  if (job.parts.size() == 1) {
    job.candidates = std::move(job.parts.front().candidates);
    return;
  }
  std::vector<Candidate> all;
  for (PartResult& part : job.parts) {
    std::ranges::move(part.candidates, std::back_inserter(all));
  }
  job.candidates = best_first(std::move(all));
  job.candidates.resize(std::min(job.candidates.size(), static_cast<std::size_t>(options_.max_detections)));
}

std::size_t EncodeStage::begin(ImageJob& job) const {
  job.outlined.clear();
  for (std::size_t i = 0; i < job.candidates.size(); ++i) {
    if (job.candidates[i].kind == LabelKind::box) {
      job.outlined.push_back(i);
    }
  }
  return job.outlined.empty() ? 0 : 1;
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
  const std::size_t each = segmenter_.boxes_per_inference();
  return std::span(job.outlined).subspan(part * each, std::min(each, job.outlined.size() - part * each));
}

std::size_t OutlineStage::begin(ImageJob& job) const {
  const std::size_t each = segmenter_.boxes_per_inference();
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
  std::vector<std::optional<Mask>> masks = segmenter_.decode(outputs, job.encoded, candidates.size());
  assert(masks.size() == candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    job.candidates[candidates[i]].mask = std::move(masks[i]);
  }
}

void OutlineStage::finish(ImageJob& job) const {
  job.encoded = {};
  for (const std::size_t i : job.outlined) {
    Candidate& candidate = job.candidates[i];
    if (candidate.mask) {
      candidate.kind = LabelKind::mask;
      candidate.box_xywh_px = mask_box(*candidate.mask);
    }
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
