#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include "verilabel/base/file.h"
#include "verilabel/engine/engine.h"
#include "verilabel/image/image.h"
#include "verilabel/models/labeller.h"

// For tests that compare with what tests/parity made of reference implementations.
namespace verilabel {

inline std::filesystem::path fixtures() {
  return std::filesystem::path(VERILABEL_SOURCE_DIR) / "tests/parity/fixtures";
}

/// A labeller ready to run, one image at a time unless the graph wants more, and what it makes of images.
class Runner {
 public:
  explicit Runner(const std::filesystem::path& model, const LoadOptions& options = {}, std::string_view engine = "openvino")
      : engine_(open_engine(engine)), labeller_(load_labeller(*engine_, model, options)) {
    const GraphUse& graph = labeller_->graph();
    batch_ = static_cast<std::size_t>(std::max(1, graph.fixed_batch));
    CompileOptions compile;
    compile.input_shapes = input_shapes_of(graph, static_cast<int>(batch_));
    compile.outputs = graph.outputs;
    compiled_ = engine_->compile(graph.file, compile);
    request_ = compiled_->create_request();
  }

  const Labeller& labeller() const { return *labeller_; }

  /// Fills the inputs; gives the tensor of the image.
  std::span<const float> prepare(const Image& image, int pass = 0) {
    std::vector<InputView> views;
    for (std::size_t i = 0; i < labeller_->graph().inputs.size(); ++i) {
      const InputPart& part = labeller_->graph().inputs[i];
      views.push_back(part.is_i64 ? InputView{{}, request_->input_i64(i).first(part.size())}
                                  : InputView{request_->input(i).first(part.size()), {}});
    }
    transform_ = labeller_->preprocess(image, views, scratch_, pass);
    for (const InputView& view : views) {
      if (view.f32.size() == static_cast<std::size_t>(3 * labeller_->input_width() * labeller_->input_height())) {
        return view.f32;
      }
    }
    return {};
  }

  /// The memory of an input of whole numbers, by its place in the graph.
  std::span<std::int64_t> numbers(std::size_t input) { return request_->input_i64(input); }
  /// Writes a number all over an input of either kind.
  void fill(std::size_t input, int number) {
    if (labeller_->graph().inputs[input].is_i64) {
      std::ranges::fill(request_->input_i64(input), number);
    } else {
      std::ranges::fill(request_->input(input), static_cast<float>(number));
    }
  }

  /// Of what was prepared.
  std::vector<Candidate> candidates(const CandidateOptions& options) {
    request_->run();
    std::vector<std::vector<std::int64_t>> shapes;
    std::vector<OutputView> outputs;
    for (std::size_t i = 0; i < compiled_->output_count(); ++i) {
      const auto shape = request_->output_shape(i);
      shapes.emplace_back(shape.begin() + 1, shape.end());
    }
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::span<const float> all = request_->output(i);
      outputs.push_back({all.first(all.size() / batch_), shapes[i]});
    }
    return labeller_->decode(outputs, transform_, options);
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Labeller> labeller_;
  std::unique_ptr<CompiledModel> compiled_;
  std::unique_ptr<InferRequest> request_;
  std::size_t batch_ = 1;
  InputTransform transform_;
  Image scratch_;
};

inline std::string sha256_of_floats(std::span<const float> values) {
  return sha256_of({reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

// ---- Detections side by side ----

constexpr double kScoreTolerance = 1e-3;
constexpr double kEdgeTolerancePx = 0.5;

struct DetectionMatches {
  int partners = 0;   ///< of one class, with scores and edges within tolerance
  int lacking = 0;    ///< detections of either side without a partner that are not within tolerance of the floor
  int off_masks = 0;  ///< of detections that have a partner
};

/// `expected_json` as the exporters write it: a list of class, score, box_xyxy_px and perhaps mask, in an image of that size.
DetectionMatches match_detections(const std::string& expected_json, int width, int height, double floor,
                                  const std::vector<Candidate>& ours);

// ---- Faults that a comparison must find ----

using ImageChange = std::function<void(Image&)>;

inline void swap_red_and_blue(Image& image) {
  for (std::size_t i = 0; i < image.pixels().size(); i += Image::kChannels) {
    std::swap(image.pixels()[i], image.pixels()[i + 2]);
  }
}

inline void shift_by_a_pixel(Image& image) {
  for (int y = 0; y < image.height(); ++y) {
    std::uint8_t* row = image.row(y);
    std::copy_backward(row, row + image.stride_bytes() - Image::kChannels, row + image.stride_bytes());
  }
}

/// An image of the fixtures by its file's name, changed where that is asked for.
Image fixture_image(const std::string& file_name, const ImageChange& change = {});

/// Replaces what must occur in a file.
void replace_in(const std::filesystem::path& file, const std::string& text, const std::string& by);

/// A copy of a fixture in which keys of its preprocessing, or of another of its files, are replaced by values in JSON.
class FaultyModel {
 public:
  explicit FaultyModel(const std::filesystem::path& folder);
  FaultyModel(const std::filesystem::path& folder, const std::string& key, const std::string& value_json,
              const char* file_name = "preprocessor_config.json")
      : FaultyModel(folder) {
    set(key, value_json, file_name);
  }
  FaultyModel(const FaultyModel&) = delete;
  FaultyModel& operator=(const FaultyModel&) = delete;
  ~FaultyModel() { std::filesystem::remove_all(path_); }
  /// The file is made where there is none.
  void set(const std::string& key, const std::string& value_json, const char* file_name = "preprocessor_config.json") const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The error, its code first, with which a copy of a fixture does not load after something was changed in its folder, when every
/// graph in it were the one stated.
std::string loading_fault(const std::filesystem::path& fixture, const std::function<void(const std::filesystem::path&)>& change,
                          GraphInfo stated, const Prompts& prompts);

}  // namespace verilabel
