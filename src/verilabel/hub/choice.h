#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "verilabel/hub/cache.h"

namespace verilabel {

/// How the weights of a graph are stored, as transformers.js names it; each has an ending of the file's name.
enum class GraphDtype : std::uint8_t { fp32, fp16, int8, uint8, q8, q4, q4f16, bnb4 };

struct GraphDtypeInfo {
  GraphDtype dtype;
  std::string_view name;
  std::string_view ending;  ///< in front of ".onnx"
};
/// One row a dtype, in its order.
std::span<const GraphDtypeInfo> graph_dtypes();

/// What a graph's name says: onnx/text_model_fp16.onnx is part "text_model" in folder "onnx" as fp16.
struct GraphName {
  std::string folder;  ///< empty at the top
  std::string part;
  GraphDtype dtype = GraphDtype::fp32;
};
/// Nothing for a path that does not end in .onnx.
std::optional<GraphName> parse_graph_name(std::string_view path);

/// Whether the file holds weights of the graph by its name: model.onnx_data, model.onnx_data_1, model.onnx.data beside model.onnx.
bool is_external_data_of(std::string_view path, std::string_view graph);

struct FileChoice {
  GraphDtype dtype = GraphDtype::fp32;
  std::vector<std::string> globs = {};   ///< when there are any: the graphs and other files that match one, whatever their dtype
  std::vector<std::string> graphs = {};  ///< fp32 names of the graphs wanted; empty for what the layout says
};

/// The files of a repository that a model needs, by path: graphs, their external weights, and all configuration, processors,
/// tokenizers, model card and licence at the top, beside the graphs and one folder up from them.
///
/// Without globs, graphs are taken from `onnx/`, else from the top, else from the only folder that has any. There, the parts that
/// models are usually cut into (`model`, or `text_model` and `vision_model`, `vision_encoder` and `prompt_encoder_mask_decoder`…)
/// are all taken in the dtype; without any of them, the only graph.
///
/// Throws `not_found` when there is no graph, when a part is not there in the dtype (listing the dtypes that it has), and for a
/// glob that matches nothing; `wrong_use` for several graphs whose names say nothing, listing them.
std::vector<HubFile> choose_files(std::span<const HubFile> files, const FileChoice& choice);

/// Files beside a model's graphs that programs look for and that the repository lacks, at the top.
std::vector<std::string> absent_companions(std::span<const HubFile> files);

}  // namespace verilabel
