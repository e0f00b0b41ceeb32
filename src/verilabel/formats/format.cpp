#include "verilabel/formats/format.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/image_folders.h"
#include "verilabel/formats/kitti.h"
#include "verilabel/formats/open_images.h"
#include "verilabel/formats/yolo.h"

namespace verilabel {
namespace {

// The table. A new format is its reader, its writer and one row.
constexpr Format kFormats[] = {
    {
        .name = "coco",
        .summary = "COCO: one JSON file of boxes, polygons and run-length masks; results lists can be read",
        .path = "a .json file",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = true,
                  .classifications = false,
                  .crowds = true,
                  .confidence = true,
                  .attributes = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_coco,
        .losses = losses_of_coco,
        .write = write_coco,
    },
    {
        .name = "yolo",
        .summary = "YOLO as Ultralytics has it: data.yaml, images/<split> and labels/<split> with one text file an image",
        .path = "data.yaml or its folder",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = false,
                  .classifications = false,
                  .crowds = false,
                  .confidence = true,
                  .attributes = false,
                  .ids_and_unknown_fields = false,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = false,
                  .sample_tags = false,
                  .sample_fields = false},
        .read = read_yolo,
        .losses = losses_of_yolo,
        .write = write_yolo,
    },
    {
        .name = "kitti",
        .summary = "KITTI object detection: one text file an image, with the degrees of truncation and occlusion and the 3D box",
        .path = "a folder with label_2/ (or labels/) and image_2/ (or images/)",
        .holds = {.boxes = true,
                  .masks = false,
                  .run_length_masks = false,
                  .classifications = false,
                  .crowds = false,
                  .confidence = true,
                  .attributes = false,
                  .ids_and_unknown_fields = false,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = false,
                  .sample_tags = false,
                  .sample_fields = false},
        .read = read_kitti,
        .losses = losses_of_kitti,
        .write = write_kitti,
    },
    {
        .name = "open_images",
        .summary = "Open Images: tables of boxes and of labels of images, with the names of the classes beside them",
        .path = "the folder of the tables, or the table of boxes",
        .holds = {.boxes = true,
                  .masks = false,
                  .run_length_masks = false,
                  .classifications = true,
                  .crowds = true,
                  .confidence = true,
                  .attributes = false,
                  .ids_and_unknown_fields = false,
                  .unlabelled_images = false,
                  .splits = true,
                  .label_tags = false,
                  .sample_tags = false,
                  .sample_fields = false},
        .read = read_open_images,
        .losses = losses_of_open_images,
        .write = write_open_images,
    },
    {
        .name = "csv",
        .summary = "a table with one row a label and named columns, as spreadsheets have it",
        .path = "a .csv file",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = true,
                  .classifications = true,
                  .crowds = true,
                  .confidence = true,
                  .attributes = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_csv,
        .losses = losses_of_csv,
        .write = write_csv,
    },
    {
        .name = "image_folders",
        .summary = "images in a folder for each class, as ImageNet and torchvision have them: CLASS/ or SPLIT/CLASS/",
        .path = "the folder of the class folders, or of the splits",
        .holds = {.boxes = false,
                  .masks = false,
                  .run_length_masks = false,
                  .classifications = true,
                  .crowds = false,
                  .confidence = false,
                  .attributes = false,
                  .ids_and_unknown_fields = false,
                  .unlabelled_images = false,
                  .splits = true,
                  .label_tags = false,
                  .sample_tags = false,
                  .sample_fields = false},
        .read = read_image_folders,
        .losses = losses_of_image_folders,
        .write = write_image_folders,
    },
};

}  // namespace

std::span<const Format> formats() {
  return kFormats;
}

const Format& format(std::string_view name) {
  const auto* const at =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& row) { return row.name == name; });
  if (at != std::end(kFormats)) {
    return *at;
  }
  std::string names;
  for (const Format& row : kFormats) {
    names.append(names.empty() ? "" : ", ").append(row.name);
  }
  throw Error(ErrorCode::wrong_use, fmt::format("there is no format `{}`; there is {}", name, names));
}

}  // namespace verilabel
