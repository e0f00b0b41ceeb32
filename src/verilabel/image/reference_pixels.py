"""Pixels that Pillow and OpenCV make, for resize_test and decode_test.

reference_pixels.py resize FOLDER       reads IN-<i>.bgr and cases.txt (lines KIND METHOD WIDTH HEIGHT NEW_WIDTH NEW_HEIGHT),
                                        writes OUT-<i>.bgr
reference_pixels.py decode LIST FOLDER  reads paths from LIST, one a line; writes <i>.bgr, upright, after a line "WIDTH HEIGHT"
"""

import sys
from pathlib import Path

import cv2
import numpy
import PIL
from PIL import Image

PILLOW = {name: getattr(Image.Resampling, name.upper()) for name in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")}
OPENCV = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}


def resize_pillow(image: Image.Image, size: tuple[int, int], method: str) -> Image.Image:
    """In the order of Pillow 12: 13 starts with the vertical pass more often, so that each axis is a call of its own there."""
    if int(PIL.__version__.split(".")[0]) >= 13:
        is_tall = image.height > 100 * image.width and size[1] < image.height
        image = image.resize((image.width, size[1]) if is_tall else (size[0], image.height), PILLOW[method])
    return image.resize(size, PILLOW[method])


def resize(folder: Path) -> None:
    for index, line in enumerate((folder / "cases.txt").read_text().splitlines()):
        kind, method, *numbers = line.split()
        width, height, new_width, new_height = map(int, numbers)
        pixels = numpy.fromfile(folder / f"IN-{index}.bgr", numpy.uint8).reshape(height, width, 3)
        if kind == "pillow":
            result = numpy.asarray(resize_pillow(Image.fromarray(pixels), (new_width, new_height), method))
        else:
            result = cv2.resize(pixels, (new_width, new_height), interpolation=OPENCV[method])
        numpy.ascontiguousarray(result).tofile(folder / f"OUT-{index}.bgr")


def decode(listing: Path, folder: Path) -> None:
    for index, path in enumerate(listing.read_text().splitlines()):
        pixels = cv2.imread(path, cv2.IMREAD_COLOR)
        if pixels is not None:
            height, width = pixels.shape[:2]
            (folder / f"{index}.bgr").write_bytes(f"{width} {height}\n".encode() + pixels.tobytes())


if __name__ == "__main__":
    if sys.argv[1] == "resize":
        resize(Path(sys.argv[2]))
    else:
        decode(Path(sys.argv[2]), Path(sys.argv[3]))
