#include "verilabel/demo/world.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "verilabel/base/digest.h"
#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/base/parallel.h"
#include "verilabel/demo/planted.h"
#include "verilabel/geometry/box.h"
#include "verilabel/image/brightness.h"
#include "verilabel/image/decode.h"
#include "verilabel/image/testing_data.h"

namespace verilabel {
namespace {

namespace fs = std::filesystem;
using namespace demo;
using nlohmann::json;

/// A world with every fault, often, read back from its files.
class PlantedWorld : public ::testing::Test {
 protected:
  static constexpr std::int64_t kImages = 150;

  static void SetUpTestSuite() {
    world_folder = new TemporaryFolder;
    world_options.images = kImages;
    world_options.seed = 21;
    world_options.long_side_px = 640;
    world_options.faults = {0.08, 0.12, 0.06, 0.06, 0.08, 0.08, 0.08, 0.06};
    world_report = create_demo(world(), world_options);
    truth_file = json::parse(read_file(world() / "truth.json"));
    human_file = json::parse(read_file(world() / "human.json"));
    planted_file = json::parse(read_file(world() / "planted.json"));
    for (const json& image : truth_file["images"]) {
      number_by_name[image["file_name"]] = image["id"].get<std::size_t>() - 1;
    }
  }
  static void TearDownTestSuite() {
    delete world_folder;
    world_folder = nullptr;
  }

  static fs::path world() { return world_folder->path() / "world"; }
  static fs::path file_of(const json& name) { return world() / "images" / name.get<std::string>(); }
  static Image pixels_of(const json& name) {
    Image image;
    decode(file_of(name), image);
    return image;
  }
  static std::uint64_t number_of(const json& name) { return number_by_name.at(name); }
  static const json& image_of(const json& name) { return truth_file["images"][number_of(name)]; }
  static Box box_of(const json& label) {
    const json& box = label["bbox"];
    return {box[0], box[1], box[2], box[3]};
  }
  /// By id, which are 1, 2, 3, ...
  static const json& label_of(const json& document, const json& id) { return document["annotations"][id.get<std::size_t>() - 1]; }
  static std::string class_of(const json& label) {
    return truth_file["categories"][label["category_id"].get<std::size_t>() - 1]["name"];
  }
  static json labels_of(const json& document, const json& name) {
    json labels = json::array();
    for (json label : document["annotations"]) {
      if (label["image_id"] == number_of(name) + 1) {
        label.erase("id");
        label.erase("image_id");
        labels.push_back(std::move(label));
      }
    }
    return labels;
  }

  static TemporaryFolder* world_folder;
  static DemoOptions world_options;
  static DemoReport world_report;
  static json truth_file, human_file, planted_file;
  static std::map<std::string, std::size_t> number_by_name;
};

TemporaryFolder* PlantedWorld::world_folder = nullptr;
DemoOptions PlantedWorld::world_options;
DemoReport PlantedWorld::world_report;
json PlantedWorld::truth_file, PlantedWorld::human_file, PlantedWorld::planted_file;
std::map<std::string, std::size_t> PlantedWorld::number_by_name;

double mean_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width(), b.width());
  EXPECT_EQ(a.height(), b.height());
  double sum = 0;
  for (std::size_t i = 0; i < a.pixels().size(); ++i) {
    sum += std::abs(a.pixels()[i] - b.pixels()[i]);
  }
  return sum / static_cast<double>(a.pixels().size());
}

TEST_F(PlantedWorld, HasEachKindOfFaultAndTheReportCountsThem) {
  ASSERT_EQ(world_report.planted.size(), 10);
  for (const auto& [name, count] : world_report.planted) {
    EXPECT_EQ(planted_file[std::string(name)].size(), static_cast<std::size_t>(count)) << name;
    EXPECT_GE(count, 1) << name;
  }
  EXPECT_EQ(truth_file["annotations"].size(), static_cast<std::size_t>(world_report.labels));
  EXPECT_EQ(human_file["annotations"].size(), static_cast<std::size_t>(world_report.human_labels));
}

TEST_F(PlantedWorld, ExactDuplicatesHaveTheSameBytesAndTruthAndNothingElseDoes) {
  std::set<std::string> duplicates;
  for (const json& entry : planted_file["exact_duplicates"]) {
    EXPECT_EQ(read_file(file_of(entry["image"])), read_file(file_of(entry["of"])));
    EXPECT_EQ(labels_of(truth_file, entry["image"]), labels_of(truth_file, entry["of"]));
    EXPECT_LT(number_of(entry["of"]), number_of(entry["image"]));
    duplicates.insert(entry["image"]);
  }
  std::set<std::string> contents;
  for (const json& image : truth_file["images"]) {
    if (!duplicates.contains(image["file_name"])) {
      EXPECT_TRUE(contents.insert(sha256_of_file(file_of(image["file_name"]))).second) << image["file_name"];
    }
  }
}

TEST_F(PlantedWorld, NearDuplicatesAreTheFirstPictureChangedAsIsSaid) {
  std::set<std::string> changes;
  for (const json& entry : planted_file["near_duplicates"]) {
    const Image changed = pixels_of(entry["image"]);
    Image first = pixels_of(entry["of"]);
    const std::string change = entry["change"];
    changes.insert(change);
    EXPECT_NE(read_file(file_of(entry["image"])), read_file(file_of(entry["of"])));
    if (change == "cropped") {
      const json& crop = entry["crop_xywh_px"];
      Image part(crop[2].get<int>(), crop[3].get<int>());
      for (int y = 0; y < part.height(); ++y) {
        std::copy_n(first.row(y + crop[1].get<int>()) + 3 * crop[0].get<std::ptrdiff_t>(), part.stride_bytes(), part.row(y));
      }
      EXPECT_GE(part.width(), 0.9 * first.width());
      first.swap(part);
    } else if (change == "halved") {
      Image half(first.width() / 2, first.height() / 2);
      for (int y = 0; y < half.height(); ++y) {
        for (int i = 0; i < half.width() * 3; ++i) {
          const int at = i / 3 * 6 + i % 3;
          half.row(y)[i] = static_cast<std::uint8_t>(
              (first.row(2 * y)[at] + first.row(2 * y)[at + 3] + first.row(2 * y + 1)[at] + first.row(2 * y + 1)[at + 3]) / 4);
        }
      }
      first.swap(half);
    } else if (change == "brightened") {
      EXPECT_GE(std::abs(entry["gain"].get<double>() - 1), 0.09);
      for (std::uint8_t& value : first.pixels()) {
        value = static_cast<std::uint8_t>(std::min(255.0, value * entry["gain"].get<double>()));
      }
    }
    EXPECT_LE(mean_difference(changed, first), 9) << change;
    EXPECT_EQ(image_of(entry["image"])["width"], changed.width());
    EXPECT_EQ(image_of(entry["image"])["height"], changed.height());
  }
  EXPECT_EQ(changes.size(), 4);
}

TEST_F(PlantedWorld, DarkImagesAreDarkByOurOwnMeasureAndNoOthers) {
  std::set<std::string> dark;
  for (const json& entry : planted_file["dark"]) {
    const double luma = mean_luma(pixels_of(entry["image"]));
    EXPECT_LE(luma, 22);
    EXPECT_NEAR(luma, entry["mean_luma"], 0.001);
    EXPECT_EQ(image_of(entry["image"])["fields"]["exposure"], "dark");
    dark.insert(entry["image"]);
  }
  for (const json& image : truth_file["images"]) {
    if (!dark.contains(image["file_name"])) {
      EXPECT_GE(mean_luma(pixels_of(image["file_name"])), 26) << image["file_name"];
    }
  }
}

TEST_F(PlantedWorld, BlurredImagesHaveLostTheirDetailAgainstThemselves) {
  for (const json& entry : planted_file["blurred"]) {
    PictureOptions options{.long_side_px = world_options.long_side_px, .selection = {}};
    const double sharp = laplacian_variance(draw_picture(world_options.seed, number_of(entry["image"]), options).image);
    EXPECT_LE(laplacian_variance(pixels_of(entry["image"])), 0.25 * sharp) << entry["image"];
    EXPECT_EQ(image_of(entry["image"])["fields"]["blur"], "blurred");
  }
}

TEST_F(PlantedWorld, RareConditionsAndTheRareClassAreWhereTheManifestSaysAndNowhereElse) {
  std::map<std::string, std::string> rare;
  for (const json& entry : planted_file["rare_conditions"]) {
    rare[entry["image"]] = entry["value"];
  }
  std::map<std::string, std::int64_t> with_kite;
  for (const json& entry : planted_file["rare_class_images"]) {
    with_kite[entry["image"]] = entry["labels"];
  }
  EXPECT_EQ(planted_file["rare_class"], "kite");
  for (const json& image : truth_file["images"]) {
    const std::string name = image["file_name"];
    const std::string weather = image["fields"].value("weather", "");
    EXPECT_EQ(rare.contains(name) ? rare[name] : "", weather == "fog" || weather == "snow" ? weather : "") << name;
    std::int64_t kites = 0;
    for (const json& label : labels_of(truth_file, name)) {
      kites += class_of(label) == "kite" ? 1 : 0;
    }
    EXPECT_EQ(with_kite.contains(name) ? with_kite[name] : 0, kites) << name;
  }
}

TEST_F(PlantedWorld, LabelFaultsAreWhatTheyAreSaidToBe) {
  const auto boxes = [&](const json& entry) {
    const json& human = label_of(human_file, entry["human_id"]);
    const json& truth = label_of(truth_file, entry["truth_id"]);
    EXPECT_EQ(human["image_id"], truth["image_id"]);
    EXPECT_EQ(human["image_id"], number_of(entry["image"]) + 1);
    return std::pair(box_of(human), box_of(truth));
  };
  for (const json& entry : planted_file["mislabelled"]) {
    const auto [human, truth] = boxes(entry);
    EXPECT_EQ(class_of(label_of(human_file, entry["human_id"])), entry["class"].get<std::string>());
    EXPECT_EQ(class_of(label_of(truth_file, entry["truth_id"])), entry["true_class"].get<std::string>());
    EXPECT_NE(entry["class"], entry["true_class"]);
    EXPECT_GE(iou(human, truth), kCarefulIou);
  }
  for (const json& entry : planted_file["shifted"]) {
    const auto [human, truth] = boxes(entry);
    EXPECT_NEAR(iou(human, truth), entry["iou"], 1e-4);
    EXPECT_GE(iou(human, truth), kShiftedIou[0]);
    EXPECT_LE(iou(human, truth), kShiftedIou[1]);
    EXPECT_EQ(class_of(label_of(human_file, entry["human_id"])), class_of(label_of(truth_file, entry["truth_id"])));
  }
  for (const json& entry : planted_file["doubled"]) {
    const auto [human, truth] = boxes(entry);
    const json& first = label_of(human_file, entry["doubles_human_id"]);
    EXPECT_NE(entry["human_id"], entry["doubles_human_id"]);
    EXPECT_NEAR(iou(human, box_of(first)), entry["iou"], 1e-4);
    EXPECT_GE(iou(human, box_of(first)), kDoubledIou[0]);
    EXPECT_LE(iou(human, box_of(first)), kDoubledIou[1]);
    EXPECT_EQ(first["category_id"], label_of(human_file, entry["human_id"])["category_id"]);
  }
  for (const json& entry : planted_file["missing"]) {
    EXPECT_EQ(class_of(label_of(truth_file, entry["truth_id"])), entry["true_class"].get<std::string>());
    EXPECT_EQ(label_of(truth_file, entry["truth_id"])["image_id"], number_of(entry["image"]) + 1);
  }
}

TEST_F(PlantedWorld, TheHumanMadeNoOtherMistakes) {
  std::set<std::int64_t> faulty;
  std::set<std::int64_t> missing;
  for (const char* list : {"mislabelled", "shifted", "doubled"}) {
    for (const json& entry : planted_file[list]) {
      faulty.insert(entry["human_id"].get<std::int64_t>());
    }
  }
  for (const json& entry : planted_file["missing"]) {
    missing.insert(entry["truth_id"].get<std::int64_t>());
  }
  // Labels come in the order of the truth, a second box behind its first.
  std::size_t at = 0;
  std::set<std::int64_t> doubled;
  for (const json& entry : planted_file["doubled"]) {
    doubled.insert(entry["human_id"].get<std::int64_t>());
  }
  for (const json& truth : truth_file["annotations"]) {
    if (missing.contains(truth["id"])) {
      continue;
    }
    ASSERT_LT(at, human_file["annotations"].size());
    const json& human = human_file["annotations"][at++];
    EXPECT_EQ(human["image_id"], truth["image_id"]);
    if (!faulty.contains(human["id"])) {
      EXPECT_EQ(human["category_id"], truth["category_id"]);
      EXPECT_GE(iou(box_of(human), box_of(truth)), kCarefulIou);
    }
    while (at < human_file["annotations"].size() && doubled.contains(human_file["annotations"][at]["id"])) {
      ++at;
    }
  }
  EXPECT_EQ(at, human_file["annotations"].size());
}

TEST_F(PlantedWorld, TruthOfChangedPicturesStaysExact) {
  for (const json& image : truth_file["images"]) {
    std::vector<Rle> masks;
    std::uint64_t sum = 0;
    for (const json& label : labels_of(truth_file, image["file_name"])) {
      const json& mask = label["segmentation"];
      ASSERT_EQ(mask["size"], (json{image["height"], image["width"]}));
      masks.push_back(rle_from_coco_string(mask["counts"].get<std::string>(), mask["size"][0], mask["size"][1]));
      EXPECT_EQ(tight_box(masks.back()), box_of(label));
      EXPECT_EQ(area(masks.back()), label["area"].get<std::uint64_t>());
      sum += area(masks.back());
    }
    EXPECT_EQ(masks.empty() ? 0 : area(union_of(masks)), sum);
  }
}

TEST(Statistics, OfThreeHundredImagesAreThoseThatAreStated) {
  constexpr std::size_t kCount = 300;
  std::vector<Picture> pictures(kCount);
  for_each_in_parallel(kCount, 0, [&](std::size_t i) {
    pictures[i] = draw_picture(1, i, {});
    pictures[i].image = Image(pictures[i].image.width(), pictures[i].image.height());
  });
  double objects = 0;
  double occluded = 0;
  int not_by_day = 0;
  std::vector<double> sides;
  std::set<std::size_t> kinds_seen;
  std::set<std::pair<int, int>> sizes;
  for (const Picture& picture : pictures) {
    not_by_day += picture.conditions.light != Light::day ? 1 : 0;
    sizes.emplace(picture.image.width(), picture.image.height());
    for (const SeenObject& object : picture.objects) {
      ++objects;
      occluded += object.hidden() >= kOccluded ? 1 : 0;
      kinds_seen.insert(object.kind);
      sides.push_back(std::max(object.box_xywh_px.w, object.box_xywh_px.h) /
                      std::max(picture.image.width(), picture.image.height()));
    }
  }
  std::ranges::nth_element(sides, sides.begin() + static_cast<std::ptrdiff_t>(sides.size() / 2));
  EXPECT_GE(objects / kCount, 6);
  EXPECT_GE(occluded / objects, 0.3);
  EXPECT_LE(sides[sides.size() / 2], 0.15);
  EXPECT_GE(not_by_day, 0.4 * kCount);
  EXPECT_EQ(kinds_seen.size(), kinds().size());
  EXPECT_GE(kinds().size(), 24);
  EXPECT_GE(sizes.size(), 15);
  RecordProperty("objects_per_image", std::to_string(objects / kCount));
}

TEST(CreateDemo, ThreadsAndMoreImagesChangeNothing) {
  const TemporaryFolder folder;
  DemoOptions options;
  options.images = 12;
  options.seed = 9;
  options.long_side_px = 240;
  options.faults.exact_duplicates = 0.2;
  options.threads = 3;
  create_demo(folder.path() / "more", options);
  options.images = 8;
  options.threads = 1;
  create_demo(folder.path() / "fewer", options);
  const json more = json::parse(read_file(folder.path() / "more/truth.json"));
  const json fewer = json::parse(read_file(folder.path() / "fewer/truth.json"));
  for (std::size_t i = 0; i < fewer["images"].size(); ++i) {
    EXPECT_EQ(more["images"][i], fewer["images"][i]);
    const std::string name = fewer["images"][i]["file_name"];
    EXPECT_EQ(read_file(folder.path() / "more/images" / name), read_file(folder.path() / "fewer/images" / name));
  }
  for (std::size_t i = 0; i < fewer["annotations"].size(); ++i) {
    EXPECT_EQ(more["annotations"][i], fewer["annotations"][i]);
  }
}

/// Whoever changes what is drawn puts the new hashes here: models are trained on these pictures.
TEST(CreateDemo, DrawsTheSamePixelsAndWritesTheSameTruthOnEveryMachine) {
  const TemporaryFolder folder;
  DemoOptions options;
  options.images = 16;
  options.seed = 77;
  options.long_side_px = 240;
  options.faults.near_duplicates = 0.2;
  create_demo(folder.path() / "world", options);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder.path() / "world" / "images")) {
    files.push_back(entry.path());
  }
  std::ranges::sort(files);
  Digest pixels(Digest::Kind::sha256);
  for (const fs::path& file : files) {
    Image image;
    decode(file, image);
    pixels.add({reinterpret_cast<const char*>(image.pixels().data()), image.pixels().size()});
  }
  EXPECT_EQ(pixels.finish(), "f9cb8dbb2fe4d61df711bf27d217c079eabfa580e1ea65c87c00e41f55c7d4ec");
  EXPECT_EQ(sha256_of_file(folder.path() / "world" / "truth.json"),
            "9765c93e3a47cedf4742fa993420abda7bb257082d5737e132c61a00d7fd683f");
  EXPECT_EQ(sha256_of_file(folder.path() / "world" / "human.json"),
            "c8f731a95188b332d5def39d5dad93082a07c4471bd62c8e6b48f89bfcca898d");
}

TEST(Docs, NameEveryKindAndEveryCondition) {
  const std::string page = read_file(fs::path(VERILABEL_SOURCE_DIR) / "docs" / "demo.md");
  std::string list;
  for (const std::string_view kind : demo_kinds()) {
    list += (list.empty() ? "" : ", ") + std::string(kind);
  }
  EXPECT_NE(page.find("\n" + list + "."), std::string::npos) << list;
  for (const ConditionInfo& condition : condition_table()) {
    const std::size_t line = page.find(fmt::format("\n| `{}` |", condition.field));
    ASSERT_NE(line, std::string::npos) << condition.field;
    EXPECT_NE(page.substr(line, page.find('\n', line + 1) - line).find(condition.name), std::string::npos) << condition.name;
  }
}

ErrorCode code_of(const fs::path& folder, const DemoOptions& options, const CancelToken& cancel = {}) {
  try {
    create_demo(folder, options, {}, cancel);
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::internal;
}

TEST(CreateDemo, LeavesWhatIsThereAloneAndNothingHalfWritten) {
  const TemporaryFolder folder;
  replace_file(folder.path() / "kept", "kept");
  EXPECT_EQ(code_of(folder.path(), {}), ErrorCode::conflict);
  EXPECT_EQ(read_file(folder.path() / "kept"), "kept");
  CancelToken cancel;
  cancel.request();
  EXPECT_EQ(code_of(folder.path() / "world", {}, cancel), ErrorCode::interrupted);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(CreateDemo, RefusesOptionsThatMakeNoWorld) {
  const TemporaryFolder folder;
  const auto refused = [&](auto change) {
    DemoOptions options;
    change(options);
    return code_of(folder.path() / "world", options) == ErrorCode::wrong_use;
  };
  EXPECT_TRUE(refused([](DemoOptions& options) { options.images = 0; }));
  EXPECT_TRUE(refused([](DemoOptions& options) { options.long_side_px = 100; }));
  EXPECT_TRUE(refused([](DemoOptions& options) { options.val_share = 1.5; }));
  EXPECT_TRUE(refused([](DemoOptions& options) { options.faults.missing = 0.3; }));
  EXPECT_TRUE(refused([](DemoOptions& options) { options.faults.dark = std::nan(""); }));
  EXPECT_TRUE(refused([](DemoOptions& options) { options.only = {"hail"}; }));
}

TEST(CreateDemo, CountsImagesForWhoeverWaits) {
  const TemporaryFolder folder;
  DemoOptions options;
  options.images = 5;
  options.long_side_px = 160;
  Progress last;
  create_demo(folder.path() / "world", options, [&](const Progress& progress) { last = progress; });
  EXPECT_EQ(last.done, 5);
  EXPECT_EQ(last.total, 5);
}

}  // namespace
}  // namespace verilabel
