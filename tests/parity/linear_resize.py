"""What linear resizing of floats without antialiasing makes of made-up pixels, by the formula of PyTorch's `interpolate` (bilinear,
align_corners=False), in NumPy alone: linear_resize.py OUT [--check]

Writes OUT/linear-resize.json, for `models_test`: for each pair of sizes the tensor, RGB divided by 255, channel by channel. The
pixel of channel c (red 0) at x, y is (37 x + 101 y + 59 c + 7 x y) % 256. With --check also compares with torch.
"""

import json
import sys
from pathlib import Path

import numpy as np

SIZES_WH = [
    ((5, 7), (9, 4)),
    ((7, 5), (3, 11)),
    ((1, 1), (4, 3)),
    ((2, 9), (2, 3)),
    ((40, 23), (6, 7)),
    ((6, 4), (6, 4)),
    ((97, 3), (5, 8)),
]


def pixels(width, height):
    c, y, x = np.meshgrid(range(3), range(height), range(width), indexing="ij")
    return ((37 * x + 101 * y + 59 * c + 7 * x * y) % 256).astype(np.float64) / 255


def taps(source, target):
    place = np.maximum(0, (np.arange(target) + 0.5) * source / target - 0.5)
    first = np.floor(place).astype(int)
    return first, np.minimum(first + 1, source - 1), place - first


def resized(image, width, height):
    left, right, across = taps(image.shape[2], width)
    upper, lower, down = taps(image.shape[1], height)
    rows = (1 - across) * image[:, :, left] + across * image[:, :, right]
    down = down[:, None]
    return (1 - down) * rows[:, upper] + down * rows[:, lower]


def check(image, result):
    import torch

    size = result.shape[1:]
    reference = torch.nn.functional.interpolate(torch.from_numpy(image).float()[None], size=size, mode="bilinear")[0].numpy()
    assert np.abs(reference - result).max() < 1e-5, (image.shape, size)


def main():
    cases = []
    for (width, height), (new_width, new_height) in SIZES_WH:
        image = pixels(width, height)
        result = resized(image, new_width, new_height)
        if "--check" in sys.argv:
            check(image, result)
        values = [round(float(value), 7) for value in result.flatten()]
        cases.append({"size_wh": [width, height], "to_wh": [new_width, new_height], "values": values})
    (Path(sys.argv[1]) / "linear-resize.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
