#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "verilabel/geometry/tiling.h"
#include "verilabel/image/image.h"
#include "verilabel/models/labeller.h"
#include "verilabel/models/segmenter.h"
#include "verilabel/pipeline/label_run.h"
#include "verilabel/pipeline/object_crop.h"

// Private to the module.
namespace verilabel {

/// What one part of an image became in the stage where the image is.
struct PartResult {
  InputTransform transform;
  std::vector<Candidate> candidates;
};

/// One image on its way through the stages of a run.
struct ImageJob {
  LabelTask task;
  Image image;               ///< upright
  bool holds_image = false;  ///< until no stage looks at it any more
  bool holds_place = false;  ///< among those that are encoded, or will be
  bool is_dropped = false;   ///< given up, so that no more work is begun
  int width = 0;
  int height = 0;
  std::vector<Candidate> candidates;  ///< that the stages so far have made
  std::vector<std::vector<float>> vectors;
  std::optional<TaskFailure> failure;

  std::vector<Tile> tiles;  ///< through which the proposer looks at it
  // Of the stage where it is.
  std::size_t stage = 0;
  std::vector<PartResult> parts;
  std::size_t unwritten = 0;  ///< parts that are to be written
  std::size_t unread = 0;     ///< parts whose outputs are to be read
  // Between the stages of a segmenter.
  EncodedImage encoded;
  std::vector<std::size_t> outlined;  ///< candidates that get a mask
};

/// One graph of a run: how an image is cut into parts of inferences, and what becomes of their outputs. A stage is the same for all
/// images; parts of one image may be written and read by several threads at a time.
class RunStage {
 public:
  virtual ~RunStage() = default;

  virtual const GraphUse& graph() const = 0;
  /// Whether parts are written from the image's pixels.
  virtual bool looks_at_image() const = 0;
  /// Whether parts are written from what an encoder made of the image, which takes memory until this stage is done with it.
  virtual bool looks_at_encoding() const { return false; }
  /// How many parts the image has here; 0 when it passes by. What goes before the first part is done here.
  virtual std::size_t begin(ImageJob& job) const = 0;
  /// Writes a part's share of every input.
  virtual void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const = 0;
  /// Takes what the graph gave for a part.
  virtual void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const = 0;
  /// All parts were read.
  virtual void finish(ImageJob& job) const = 0;
};

/// A model that looks at the whole image, or at its tiles, and proposes candidates. A part is one pass over one tile.
class ProposeStage final : public RunStage {
 public:
  ProposeStage(const Labeller& labeller, const LabelRunOptions& options)
      : labeller_(labeller), options_(options.candidates), tiling_(options.tiles) {}

  const GraphUse& graph() const override { return labeller_.graph(); }
  bool looks_at_image() const override { return true; }
  std::size_t begin(ImageJob& job) const override;
  void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const override;
  void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const override;
  void finish(ImageJob& job) const override;

 private:
  std::size_t passes() const { return static_cast<std::size_t>(labeller_.passes()); }
  std::vector<Candidate> candidates_of_tile(ImageJob& job, std::size_t tile) const;

  const Labeller& labeller_;
  const CandidateOptions& options_;
  const std::optional<TilingOptions>& tiling_;
};

/// A segmenter's first graph: once an image, where there are boxes, or whatever there is.
class EncodeStage final : public RunStage {
 public:
  EncodeStage(const Segmenter& segmenter, bool needs_boxes) : segmenter_(segmenter), needs_boxes_(needs_boxes) {}

  const GraphUse& graph() const override { return segmenter_.encoder(); }
  bool looks_at_image() const override { return true; }
  std::size_t begin(ImageJob& job) const override;
  void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const override;
  void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const override;
  void finish(ImageJob& job) const override;

 private:
  const Segmenter& segmenter_;
  bool needs_boxes_;
};

/// A segmenter's second graph: some boxes of one image at a time.
class OutlineStage final : public RunStage {
 public:
  explicit OutlineStage(const Segmenter& segmenter) : segmenter_(segmenter), use_(segmenter.decoder(PromptKind::box)) {}

  const GraphUse& graph() const override { return use_.graph; }
  bool looks_at_image() const override { return false; }
  bool looks_at_encoding() const override { return true; }
  std::size_t begin(ImageJob& job) const override;
  void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const override;
  void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const override;
  void finish(ImageJob& job) const override;

 private:
  std::span<const std::size_t> candidates_of(const ImageJob& job, std::size_t part) const;

  const Segmenter& segmenter_;
  const DecoderUse& use_;
};

/// A segmenter's second graph: some points of a grid at a time. What it finds are the candidates, all of class 0.
class EverythingStage final : public RunStage {
 public:
  EverythingStage(const Segmenter& segmenter, const EverythingOptions& options, double floor)
      : segmenter_(segmenter), use_(segmenter.decoder(PromptKind::point)), options_(options), floor_(floor) {}

  const GraphUse& graph() const override { return use_.graph; }
  bool looks_at_image() const override { return false; }
  bool looks_at_encoding() const override { return true; }
  std::size_t begin(ImageJob& job) const override;
  void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const override;
  void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const override;
  void finish(ImageJob& job) const override;

 private:
  std::vector<Point> points_of(const ImageJob& job, std::size_t part) const;

  const Segmenter& segmenter_;
  const DecoderUse& use_;
  const EverythingOptions& options_;
  double floor_;
};

/// A model that makes a vector of the image, or of each of the objects that came with the task.
class EmbedStage final : public RunStage {
 public:
  EmbedStage(const Embedder& embedder, const LabelRunOptions& options) : embedder_(embedder), options_(options) {}

  const GraphUse& graph() const override { return embedder_.graph(); }
  bool looks_at_image() const override { return true; }
  std::size_t begin(ImageJob& job) const override;
  void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const override;
  void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const override;
  void finish(ImageJob& job) const override;

 private:
  const Embedder& embedder_;
  const LabelRunOptions& options_;
};

/// A classifier that looks at each object alone and gives it its class. Of candidates that are the same after that, the best is
/// kept.
class RenameStage final : public RunStage {
 public:
  /// Keeps what scores above `floor` in the end.
  RenameStage(const Labeller& classifier, const LabelRunOptions& options);

  const GraphUse& graph() const override { return classifier_.graph(); }
  bool looks_at_image() const override { return true; }
  std::size_t begin(ImageJob& job) const override;
  void write(ImageJob& job, std::size_t part, std::span<const InputView> inputs, Image& scratch) const override;
  void read(ImageJob& job, std::size_t part, std::span<const OutputView> outputs) const override;
  void finish(ImageJob& job) const override;

 private:
  const Labeller& classifier_;
  const CropOptions& crop_;
  double floor_;
  CandidateOptions best_;
};

}  // namespace verilabel
