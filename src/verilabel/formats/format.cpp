#include "verilabel/formats/format.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/formats/coco.h"
#include "verilabel/formats/csv.h"
#include "verilabel/formats/cvat.h"
#include "verilabel/formats/export_folder.h"
#include "verilabel/formats/fiftyone.h"
#include "verilabel/formats/image_folders.h"
#include "verilabel/formats/kitti.h"
#include "verilabel/formats/label_studio.h"
#include "verilabel/formats/labelme.h"
#include "verilabel/formats/open_images.h"
#include "verilabel/formats/voc.h"
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
                  .crowds = true,
                  .confidence = true,
                  .attributes = true,
                  .areas = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_coco,
        .check = check_coco,
        .losses = losses_of_coco,
        .write = write_coco,
    },
    {
        .name = "yolo",
        .summary = "YOLO as Ultralytics has it: data.yaml, images/<split> and labels/<split> with one text file an image",
        .path = "data.yaml or its folder",
        .holds = {.boxes = true, .masks = true, .confidence = true, .unlabelled_images = true, .splits = true},
        .confidence_is_asked_for = true,
        .needs_splits = true,
        .read = read_yolo,
        .check = check_yolo,
        .losses = losses_of_yolo,
        .write = write_yolo,
    },
    {
        .name = "voc",
        .summary = "Pascal VOC: Annotations/ with one .xml file an image, ImageSets/Main, JPEGImages",
        .path = "a folder of .xml files, or one",
        .holds = {.boxes = true,
                  .masks = true,
                  .attributes = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true},
        .needs_splits = true,
        .read = read_voc,
        .check = check_voc,
        .losses = losses_of_voc,
        .write = write_voc,
    },
    {
        .name = "cvat",
        .summary = "CVAT for images 1.1: boxes, polygons, masks and tags in one XML file, alone or in a .zip",
        .path = "an .xml file, a .zip, or a folder with annotations.xml",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = true,
                  .classifications = true,
                  .attributes = true,
                  .ids_and_unknown_fields = true,
                  .splits = true},
        .read = read_cvat,
        .check = check_cvat,
        .losses = losses_of_cvat,
        .write = write_cvat,
    },
    {
        .name = "kitti",
        .summary = "KITTI object detection: one text file an image, with the degrees of truncation and occlusion and the 3D box",
        .path = "a folder with label_2/ (or labels/) and image_2/ (or images/)",
        .holds = {.boxes = true, .confidence = true, .unlabelled_images = true, .splits = true},
        .confidence_is_asked_for = true,
        .read = read_kitti,
        .check = check_export_folder,
        .losses = losses_of_kitti,
        .write = write_kitti,
    },
    {
        .name = "open_images",
        .summary = "Open Images: tables of boxes and of labels of images, with the names of the classes beside them",
        .path = "the folder of the tables, or the table of boxes",
        .holds = {.boxes = true, .classifications = true, .crowds = true, .confidence = true, .splits = true},
        .read = read_open_images,
        .check = check_export_folder,
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
                  .areas = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_csv,
        .check = check_csv,
        .losses = losses_of_csv,
        .write = write_csv,
    },
    {
        .name = "image_folders",
        .summary = "images in a folder for each class, as ImageNet and torchvision have them: CLASS/ or SPLIT/CLASS/",
        .path = "the folder of the class folders, or of the splits",
        .holds = {.classifications = true, .splits = true},
        .needs_splits = true,
        .read = read_image_folders,
        .check = check_export_folder,
        .losses = losses_of_image_folders,
        .write = write_image_folders,
    },
    {
        .name = "lvis",
        .summary = "LVIS: COCO's JSON with images named by coco_url, frequencies, and classes known to be absent",
        .path = "a .json file",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = true,
                  .confidence = true,
                  .attributes = true,
                  .areas = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_lvis,
        .check = check_coco,
        .losses = losses_of_lvis,
        .write = write_lvis,
    },
    {
        .name = "labelme",
        .summary = "labelme: one JSON file an image with rectangles, polygons and masks",
        .path = "a folder of .json files, or one of them",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = true,
                  .confidence = true,
                  .attributes = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_labelme,
        .check = check_export_folder,
        .losses = losses_of_labelme,
        .write = write_labelme,
    },
    {
        .name = "label_studio",
        .summary = "Label Studio: its JSON export with annotations or predictions; a labelling interface is written beside it",
        .path = "a .json file",
        .holds = {.boxes = true,
                  .masks = true,
                  .run_length_masks = true,
                  .classifications = true,
                  .confidence = true,
                  .attributes = true,
                  .ids_and_unknown_fields = true,
                  .unlabelled_images = true,
                  .splits = true,
                  .label_tags = true,
                  .sample_tags = true,
                  .sample_fields = true},
        .read = read_label_studio,
        .check = check_label_studio,
        .losses = losses_of_label_studio,
        .write = write_label_studio,
    },
    {
        .name = "fiftyone",
        .summary = "FiftyOneDataset: FiftyOne's own export, with metadata.json, samples.json and data/",
        .path = "the folder of the export",
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
        .has_label_fields = true,
        .read = read_fiftyone,
        .check = check_export_folder,
        .losses = losses_of_fiftyone,
        .write = write_fiftyone,
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
