#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "verilabel/demo/planted.h"

// The texts of a world. Private to the module.
namespace verilabel::demo {

/// All that is remembered of an image once its file is written.
struct WorldImage {
  std::string file_name;
  int width = 0;
  int height = 0;
  bool is_val = false;
  Conditions conditions;
  std::vector<SeenObject> objects;
  std::vector<HumanLabel> human;
  Plan plan;
  ChangeDone change;     ///< of near duplicates
  double mean_luma = 0;  ///< of the files of dark images, as `import --brightness` measures it

  std::int64_t written_human_labels() const;
};

std::string truth_json(const std::vector<WorldImage>& images);
/// Truth about classes alone that were asked for, each a kind or a kind in a color; an object that is several of them is there as
/// each.
struct AskedTruth {
  std::string json;
  std::int64_t labels = 0;
};
AskedTruth asked_json(const std::vector<WorldImage>& images, const std::vector<std::string>& classes);
std::string human_json(const std::vector<WorldImage>& images);
std::string metadata_csv(const std::vector<WorldImage>& images);
/// The manifest, and how many there are of each kind of fault.
struct Manifest {
  std::string json;
  std::vector<std::pair<std::string_view, std::int64_t>> counts;
};
Manifest planted_json(const std::vector<WorldImage>& images, const DemoOptions& options);
std::string readme_text(const DemoOptions& options);

}  // namespace verilabel::demo
