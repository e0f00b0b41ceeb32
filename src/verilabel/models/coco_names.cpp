#include <algorithm>
#include <array>

#include "verilabel/models/family.h"

namespace verilabel {

const std::vector<std::string>& coco_class_names() {
  static const std::vector<std::string> kNames = {
      "person",         "bicycle",    "car",           "motorcycle",    "airplane",     "bus",           "train",
      "truck",          "boat",       "traffic light", "fire hydrant",  "stop sign",    "parking meter", "bench",
      "bird",           "cat",        "dog",           "horse",         "sheep",        "cow",           "elephant",
      "bear",           "zebra",      "giraffe",       "backpack",      "umbrella",     "handbag",       "tie",
      "suitcase",       "frisbee",    "skis",          "snowboard",     "sports ball",  "kite",          "baseball bat",
      "baseball glove", "skateboard", "surfboard",     "tennis racket", "bottle",       "wine glass",    "cup",
      "fork",           "knife",      "spoon",         "bowl",          "banana",       "apple",         "sandwich",
      "orange",         "broccoli",   "carrot",        "hot dog",       "pizza",        "donut",         "cake",
      "chair",          "couch",      "potted plant",  "bed",           "dining table", "toilet",        "tv",
      "laptop",         "mouse",      "remote",        "keyboard",      "cell phone",   "microwave",     "oven",
      "toaster",        "sink",       "refrigerator",  "book",          "clock",        "vase",          "scissors",
      "teddy bear",     "hair drier", "toothbrush",
  };
  return kNames;
}

std::vector<std::string> coco_names_by_category() {
  constexpr std::array kWithout = {0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83};
  constexpr int kCategories = 91;
  std::vector<std::string> names;
  auto next = coco_class_names().begin();
  for (int category = 0; category < kCategories; ++category) {
    const bool has_class = std::ranges::find(kWithout, category) == kWithout.end();
    names.push_back(has_class ? *next++ : std::string());
  }
  return names;
}

}  // namespace verilabel
