"""Opens a dataset with somebody else's reader and prints what it saw, as JSON: read.py READER FORMAT PATH [IMAGES].

The answer is `{"classes": […], "images": {NAME: {"size": [w, h], "labels": [LABEL…]}}}`, where a LABEL has what the reader shows of
`class`, `box` (x, y, w, h in pixels), `polygons`, `mask` (COCO's counts, uncompressed), `crowd`, `confidence`, `attributes`.
`classes` is null and `size` missing where the reader does not know them. IMAGES is the folder of the images, for formats that do
not bring them. Every function imports its reader itself: one environment need not have all of them.
"""

import contextlib
import json
import pathlib
import sys


def counts_of(mask):
    """COCO's uncompressed run lengths of a 2-D array."""
    import numpy

    flat = numpy.asarray(mask, dtype=bool).ravel(order="F")
    edges = numpy.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = numpy.diff([0, *edges, flat.size]).tolist()
    return [0, *runs] if flat[0] else runs


def from_corners(x1, y1, x2, y2):
    return [float(x1), float(y1), float(x2) - float(x1), float(y2) - float(y1)]


def image_size(path):
    import PIL.Image

    with PIL.Image.open(path) as image:
        return list(image.size)


def folders_of_images(folder):
    """The folder and those below it that hold images themselves, for readers that do not look into folders."""
    files = [path for path in folder.rglob("*") if path.suffix in {".png", ".json", ".xml"}]
    return sorted({path.parent for path in files})


# --- pycocotools, lvis ---


def read_pycocotools(path, _images):
    from pycocotools.coco import COCO

    dataset = COCO(str(path))
    images = {}
    for image in dataset.loadImgs(dataset.getImgIds()):
        labels = []
        for annotation in dataset.loadAnns(dataset.getAnnIds(imgIds=image["id"])):
            label = {
                "class": dataset.loadCats(annotation["category_id"])[0]["name"],
                "box": annotation["bbox"],
                "crowd": bool(annotation["iscrowd"]),
                "confidence": annotation.get("score"),
                "attributes": annotation.get("attributes", {}),
            }
            if annotation.get("segmentation"):
                label["mask"] = counts_of(dataset.annToMask(annotation))
            labels.append(label)
        images[image["file_name"]] = {"size": [image["width"], image["height"]], "labels": labels}
    return {"classes": [category["name"] for category in dataset.loadCats(dataset.getCatIds())], "images": images}


def read_lvis(path, _images):
    from lvis import LVIS

    dataset = LVIS(str(path))
    images = {}
    for image in dataset.load_imgs(dataset.get_img_ids()):
        labels = []
        for annotation in dataset.load_anns(dataset.get_ann_ids(img_ids=[image["id"]])):
            label = {"class": dataset.load_cats([annotation["category_id"]])[0]["name"], "box": annotation["bbox"]}
            if annotation.get("segmentation"):
                label["mask"] = counts_of(dataset.ann_to_mask(annotation))
            labels.append(label)
        if not isinstance(image["neg_category_ids"], list) or not isinstance(image["not_exhaustive_category_ids"], list):
            raise ValueError(f"{image}: LVIS needs both lists")
        images[image["file_name"]] = {"size": [image["width"], image["height"]], "labels": labels}
    categories = dataset.load_cats(dataset.get_cat_ids())
    if any(category["frequency"] not in {"r", "c", "f"} for category in categories):
        raise ValueError("LVIS needs the frequency of each category")
    return {"classes": [category["name"] for category in categories], "images": images}


# --- supervision ---


def seen_by_supervision(dataset, root):
    images = {}
    for path, image, detections in dataset:
        labels = []
        for row in range(len(detections)):
            label = {
                "class": dataset.classes[detections.class_id[row]],
                "box": from_corners(*detections.xyxy[row]),
            }
            if detections.mask is not None and detections.mask[row].any():
                label["mask"] = counts_of(detections.mask[row])
            if "iscrowd" in detections.data:
                label["crowd"] = bool(detections.data["iscrowd"][row])
            labels.append(label)
        name = str(pathlib.Path(path).relative_to(root))
        images[name] = {"size": [image.shape[1], image.shape[0]], "labels": labels}
    return {"classes": list(dataset.classes), "images": images}


def merged(parts):
    """One answer out of those of several folders. The classes are those of the first where all agree, else unknown."""
    parts = list(parts)
    classes = parts[0]["classes"]
    images = {}
    for part in parts:
        images |= part["images"]
        if part["classes"] != classes:
            classes = None
    return {"classes": classes, "images": images}


def read_supervision_coco(path, images):
    import supervision

    return seen_by_supervision(supervision.DetectionDataset.from_coco(str(images), str(path), force_masks=True), images)


def read_supervision_yolo(path, _images):
    import supervision

    def read(split, folder):
        labels = path / "labels" / split / folder.relative_to(path / "images" / split)
        dataset = supervision.DetectionDataset.from_yolo(str(folder), str(labels), str(path / "data.yaml"))
        return seen_by_supervision(dataset, path / "images" / split)

    splits = [folder.name for folder in sorted((path / "images").iterdir())]
    return merged(read(split, folder) for split in splits for folder in folders_of_images(path / "images" / split))


def read_supervision_voc(path, _images):
    import supervision

    def read(folder):
        labels = path / "Annotations" / folder.relative_to(path / "JPEGImages")
        return seen_by_supervision(supervision.DetectionDataset.from_pascal_voc(str(folder), str(labels)), path / "JPEGImages")

    return merged(read(folder) for folder in folders_of_images(path / "JPEGImages"))


def read_supervision_labelme(path, _images):
    import supervision

    return merged(
        seen_by_supervision(supervision.DetectionDataset.from_labelme(str(folder), str(folder)), path)
        for folder in folders_of_images(path)
    )


# --- labelformat ---


def seen_by_labelformat(dataset):
    images = {}
    for entry in dataset.get_labels():
        labels = []
        for item in entry.objects:
            label = {"class": item.category.name}
            segmentation = getattr(item, "segmentation", None)
            if segmentation is None:
                label["box"] = from_corners(item.box.xmin, item.box.ymin, item.box.xmax, item.box.ymax)
            elif hasattr(segmentation, "polygons"):
                label["polygons"] = [[number for point in polygon for number in point] for polygon in segmentation.polygons]
            else:
                label["mask"] = counts_of(segmentation.get_binary_mask())
            if getattr(item, "confidence", None) is not None:
                label["confidence"] = item.confidence
            labels.append(label)
        if entry.image.filename in images:
            raise ValueError(f"{entry.image.filename} is there twice")
        images[entry.image.filename] = {"size": [entry.image.width, entry.image.height], "labels": labels}
    return {"classes": [category.name for category in dataset.get_categories()], "images": images}


def read_labelformat_coco(path, _images):
    from labelformat.formats.coco import COCOObjectDetectionInput

    return seen_by_labelformat(COCOObjectDetectionInput(path))


def read_labelformat_coco_segmentation(path, _images):
    from labelformat.formats.coco import COCOInstanceSegmentationInput

    return seen_by_labelformat(COCOInstanceSegmentationInput(path))


def read_labelformat_yolo(path, _images):
    from labelformat.formats.yolov8 import YOLOv8ObjectDetectionInput

    splits = [folder.name for folder in sorted((path / "images").iterdir())]
    return merged(seen_by_labelformat(YOLOv8ObjectDetectionInput(path / "data.yaml", split)) for split in splits)


def read_labelformat_yolo_segmentation(path, _images):
    from labelformat.formats.yolov8 import YOLOv8InstanceSegmentationInput

    splits = [folder.name for folder in sorted((path / "images").iterdir())]
    return merged(seen_by_labelformat(YOLOv8InstanceSegmentationInput(path / "data.yaml", split)) for split in splits)


def read_labelformat_voc(path, _images):
    import xml.etree.ElementTree

    from labelformat.formats.pascalvoc import PascalVOCObjectDetectionInput

    files = (path / "Annotations").rglob("*.xml")
    classes = sorted({name.text for file in files for name in xml.etree.ElementTree.parse(file).iterfind("object/name")})
    folders = folders_of_images(path / "Annotations")
    parts = [seen_by_labelformat(PascalVOCObjectDetectionInput(folder, ",".join(classes))) for folder in folders]
    return merged(parts) | {"classes": None}


def read_labelformat_kitti(path, _images):
    from labelformat.formats.kitti import KittiObjectDetectionInput

    lines = [line for file in (path / "label_2").rglob("*.txt") for line in file.read_text(encoding="utf-8").splitlines()]
    classes = sorted({line.split(" ")[0] for line in lines})
    dataset = KittiObjectDetectionInput(path / "label_2", ",".join(classes), "../image_2")
    return seen_by_labelformat(dataset) | {"classes": None}


def read_labelformat_cvat(path, _images):
    import os

    os.environ["FORCE_STD_XML"] = "true"  # with lxml it fails on any file that names its encoding, CVAT's own included
    from labelformat.formats.cvat import CVATObjectDetectionInput

    return seen_by_labelformat(CVATObjectDetectionInput(path))


# --- Datumaro ---


def seen_by_datumaro(dataset):
    from datumaro.components.annotation import AnnotationType

    names = [category.name for category in dataset.categories()[AnnotationType.label]]
    images = {}
    for item in dataset:
        labels = []
        groups = {}
        for annotation in item.annotations:
            kind = annotation.type
            if kind not in {AnnotationType.bbox, AnnotationType.polygon, AnnotationType.mask, AnnotationType.label}:
                raise ValueError(f"{item.id}: {kind}")
            label = {"class": names[annotation.label], "attributes": dict(annotation.attributes)}
            if "is_crowd" in annotation.attributes:
                label["crowd"] = annotation.attributes["is_crowd"]
            if "score" in annotation.attributes:
                label["confidence"] = annotation.attributes["score"]
            if kind == AnnotationType.bbox:
                label["box"] = [float(number) for number in annotation.get_bbox()]
            elif kind == AnnotationType.polygon:
                label["polygons"] = [[float(number) for number in annotation.points]]
            elif kind == AnnotationType.mask:
                label["mask"] = counts_of(annotation.image)
            # An outline's parts, then its box, have one group.
            earlier = groups.get(annotation.group) if annotation.group else None
            if earlier is not None and kind == AnnotationType.bbox:
                earlier["box"] = label["box"]
                continue
            if earlier is not None:
                earlier["polygons"] += label["polygons"]
                continue
            if annotation.group:
                groups[annotation.group] = label
            labels.append(label)
        if item.id in images:
            raise ValueError(f"{item.id} is there twice")
        images[item.id] = {"labels": labels}
        if item.media is not None and item.media.size is not None:
            images[item.id]["size"] = [item.media.size[1], item.media.size[0]]
    return {"classes": names, "images": images}


def read_datumaro(name, subsets=(None,)):
    def read(path, _images):
        import datumaro

        options = [{"subset": subset} if subset else {} for subset in subsets]
        return merged(seen_by_datumaro(datumaro.Dataset.import_from(str(path), name, **chosen)) for chosen in options)

    return read


# --- Ultralytics ---


def read_ultralytics(task):
    def read(path, _images):
        from ultralytics.cfg import get_cfg
        from ultralytics.data.build import build_yolo_dataset
        from ultralytics.data.utils import check_det_dataset

        data = check_det_dataset(str(path / "data.yaml"), autodownload=False)
        images = {}
        for split in ("train", "val", "test"):
            if split not in data or (split == "val" and data["val"] == data["train"]):
                continue
            dataset = build_yolo_dataset(
                get_cfg(overrides={"task": task, "imgsz": 64}), data[split], 1, data, mode="val", rect=False
            )
            for entry in dataset.labels:
                height, width = entry["shape"]
                labels = []
                for row, (x, y, w, h) in enumerate(entry["bboxes"].tolist()):
                    label = {
                        "class": data["names"][int(entry["cls"][row, 0])],
                        "box": [(x - w / 2) * width, (y - h / 2) * height, w * width, h * height],
                    }
                    if entry["segments"]:
                        label["polygons"] = [(entry["segments"][row] * [width, height]).ravel().tolist()]
                    labels.append(label)
                name = str(pathlib.Path(entry["im_file"]).relative_to(path / "images" / split))
                images[name] = {"size": [width, height], "labels": labels}
            for index in range(len(dataset)):  # what a trainer gets: nothing may fail on the way
                dataset[index]
        return {"classes": [data["names"][index] for index in range(data["nc"])], "images": images}

    return read


# --- Label Studio ---


def read_label_studio(path, _images):
    """Boxes and outlines through the converter's COCO, brushes through its run lengths. It reads annotations, no predictions."""
    import tempfile
    import urllib.parse

    from label_studio_sdk.converter import Converter
    from label_studio_sdk.converter.brush import decode_rle

    config = path.with_name(path.stem + ".config.xml").read_text(encoding="utf-8")
    prefix = "/data/local-files/?d="
    converter = Converter(config=config, project_dir=None, download_resources=False)
    with tempfile.TemporaryDirectory() as folder:
        converter.convert_to_coco(str(path), folder, is_dir=False)
        document = json.loads((pathlib.Path(folder) / "result.json").read_text(encoding="utf-8"))

    def place_of(image):
        """A path that it could open, or the address as it stands: it does not decode `%20`."""
        if image["file_name"].startswith(prefix):
            return "/" + urllib.parse.unquote(image["file_name"].removeprefix(prefix))
        return str((pathlib.Path(folder) / image["file_name"]).resolve())

    places = {image["id"]: place_of(image) for image in document["images"]}
    classes = {category["id"]: category["name"] for category in document["categories"]}
    images = {}
    for image in document["images"]:
        images[places[image["id"]]] = {"labels": []} | ({"size": [image["width"], image["height"]]} if image["width"] else {})
    for annotation in document["annotations"]:
        label = {"class": classes[annotation["category_id"]], "box": annotation["bbox"]}
        if annotation["segmentation"]:
            label["polygons"] = annotation["segmentation"]
        images[places[annotation["image_id"]]]["labels"].append(label)
    for task in converter.iter_from_json_file(str(path)):
        place = "/" + urllib.parse.unquote(task["input"]["image"].removeprefix(prefix))
        for value in (value for values in task["output"].values() for value in values if "brushlabels" in value):
            alpha = decode_rle(value["rle"]).reshape(value["original_height"], value["original_width"], 4)[:, :, 3]
            images[place]["labels"].append({"class": value["brushlabels"][0], "mask": counts_of(alpha > 0)})
    return {"classes": None, "images": images}


# --- labelme ---


def read_labelme(path, _images):
    import numpy
    from labelme._label_file import read_label_file

    images = {}
    for file in sorted(path.rglob("*.json")):
        document = read_label_file(str(file))
        place = (file.parent / document.image_path).relative_to(path)
        width, height = image_size(path / place)
        labels, groups = [], {}
        for shape in document.shapes:
            label = {"class": shape["label"], "attributes": shape["flags"] | shape["other_data"].get("attributes", {})}
            points = shape["points"]
            if shape["shape_type"] == "rectangle":
                label["box"] = from_corners(*points[0], *points[1])
            elif shape["shape_type"] == "mask":
                whole = numpy.zeros((height, width), dtype=bool)
                (left, top), (right, bottom) = [[int(number) for number in point] for point in points]
                whole[top : bottom + 1, left : right + 1] = shape["mask"]
                label["mask"] = counts_of(whole)
            else:
                label["polygons"] = [[number for point in points for number in point]]
            if shape["group_id"] in groups:
                groups[shape["group_id"]]["polygons"] += label["polygons"]
                continue
            if shape["group_id"] is not None:
                groups[shape["group_id"]] = label
            labels.append(label)
        images[str(place)] = {"size": [width, height], "labels": labels}
    return {"classes": None, "images": images}


# --- torchvision ---


def read_image_folders(path, _images):
    from torchvision.datasets import ImageFolder

    images = {}
    for split in sorted(path.iterdir()):
        dataset = ImageFolder(str(split))
        for index, (file, target) in enumerate(dataset.samples):
            image, _ = dataset[index]
            name = str(pathlib.Path(file).relative_to(split / dataset.classes[target]))
            images[name] = {"size": list(image.size), "labels": [{"class": dataset.classes[target]}]}
    return {"classes": None, "images": images}


# --- FiftyOne ---


def read_fiftyone(path, _images):
    """As far as the importer goes before it hands everything to the database: the documents, and the samples made of them."""
    import fiftyone
    import fiftyone.core.odm
    import numpy
    from fiftyone.utils.data import FiftyOneDatasetImporter

    importer = FiftyOneDatasetImporter(str(path))
    importer.setup()
    dataset = fiftyone.core.odm.DatasetDocument.from_dict(dict(importer._dataset_dict))
    fields = dataset.sample_fields
    kinds = {field.name: field.embedded_doc_type for field in fields}
    documents, _ = fiftyone.core.odm.import_collection(importer._samples_path, key="samples")
    images = {}
    for document in documents:
        document["filepath"] = str(path / document["filepath"])  # as the importer has it
        sample = fiftyone.Sample.from_dict(document)
        width, height = sample.metadata.width, sample.metadata.height
        labels = []
        for name, kind in kinds.items():
            if kind != "fiftyone.core.labels.Detections":
                continue
            for detection in sample[name].detections:
                x, y, w, h = detection.bounding_box
                label = {"class": detection.label}
                label["confidence"] = detection.confidence
                label["attributes"] = {key: detection[key] for key in ("occluded", "colour", "number") if detection.has_field(key)}
                label["crowd"] = bool(detection.has_field("iscrowd") and detection["iscrowd"])
                if detection.mask is None:
                    label["box"] = [x * width, y * height, w * width, h * height]
                else:
                    whole = numpy.zeros((height, width), dtype=bool)
                    left, top = round(x * width), round(y * height)
                    rows, columns = detection.mask.shape
                    whole[top : top + rows, left : left + columns] = detection.mask
                    label["mask"] = counts_of(whole)
                labels.append(label)
        images[str(pathlib.Path(sample.filepath).relative_to(path / "data"))] = {"size": [width, height], "labels": labels}
    return {"classes": list(dataset.classes["ground_truth"]), "images": images}


READERS = {
    ("pycocotools", "coco"): read_pycocotools,
    ("lvis", "lvis"): read_lvis,
    ("supervision", "coco"): read_supervision_coco,
    ("supervision", "yolo"): read_supervision_yolo,
    ("supervision", "voc"): read_supervision_voc,
    ("supervision", "labelme"): read_supervision_labelme,
    ("labelformat", "coco"): read_labelformat_coco,
    ("labelformat", "coco_segmentation"): read_labelformat_coco_segmentation,
    ("labelformat", "yolo"): read_labelformat_yolo,
    ("labelformat", "yolo_segmentation"): read_labelformat_yolo_segmentation,
    ("labelformat", "voc"): read_labelformat_voc,
    ("labelformat", "kitti"): read_labelformat_kitti,
    ("labelformat", "cvat"): read_labelformat_cvat,
    ("datumaro", "coco"): read_datumaro("coco_instances"),
    ("datumaro", "yolo"): read_datumaro("yolo"),
    ("datumaro", "voc"): read_datumaro("voc_detection"),
    ("datumaro", "kitti"): read_datumaro("kitti_detection"),
    ("datumaro", "cvat"): read_datumaro("cvat", ("train", "val")),
    ("datumaro", "open_images"): read_datumaro("open_images"),
    ("ultralytics", "yolo"): read_ultralytics("detect"),
    ("ultralytics", "yolo_segmentation"): read_ultralytics("segment"),
    ("label_studio_sdk", "label_studio"): read_label_studio,
    ("labelme", "labelme"): read_labelme,
    ("torchvision", "image_folders"): read_image_folders,
    ("fiftyone", "fiftyone"): read_fiftyone,
}


def main():
    reader, name, path, *images = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):  # readers print
        answer = READERS[reader, name](pathlib.Path(path), pathlib.Path(images[0]) if images else None)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
