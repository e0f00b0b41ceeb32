"""Random boxes, polygons and bitmaps with pycocotools' answers, for mask_reference_test.cpp: mask_reference.py SEED CASES.

One record a line, words separated by spaces, doubles in hexadecimal notation:
    boxes AX AY AW AH BX BY BW BH IOU CROWD_IOU
    polygons HEIGHT WIDTH COUNT (NUMBERS NUMBER...)... STRING AREA X Y W H
    masks HEIGHT WIDTH STRING_A STRING_B STRING_UNION IOU CROWD_IOU
Exit status 77 when pycocotools is missing.
"""

import sys

try:
    import numpy as np
    from pycocotools import mask as coco
except ImportError as missing:
    print(missing)
    sys.exit(77)


def words(*values):
    return " ".join(float(v).hex() if isinstance(v, float) else str(v) for v in values)


def floats(array):
    return [float(v) for v in np.asarray(array).ravel()]


def boxes(rng):
    a, b = rng.uniform(-20, 100, (2, 4))
    a[2:], b[2:] = abs(a[2:]), abs(b[2:])
    if rng.random() < 0.3:
        a, b = a.round(), b.round()
    if rng.random() < 0.2:
        b = a + rng.normal(0, 1e-9, 4).clip(0)
    pair = np.array([a]), np.array([b])
    return words("boxes", *floats(a), *floats(b), float(coco.iou(*pair, [0])[0, 0]), float(coco.iou(*pair, [1])[0, 0]))


def ring(rng, height, width):
    count = int(rng.integers(3, 40))
    style = rng.integers(5)
    if style == 0:  # a scribble, partly outside
        points = rng.uniform([-0.4 * width, -0.4 * height], [1.4 * width, 1.4 * height], (count, 2))
    elif style == 1:  # whole numbers, many vertical and horizontal edges, repeated points
        points = rng.integers([-2, -2], [width + 3, height + 3], (count, 2)).astype(float)
    elif style == 2:  # on the fifths of a pixel where rounding decides
        points = rng.integers([-5, -5], [5 * width + 5, 5 * height + 5], (count, 2)) / 5 + rng.choice([0, 0.1, -0.1])
    elif style == 3:  # a star around a middle, two decimals, as people draw
        angle, radius = np.sort(rng.uniform(0, 2 * np.pi, count)), rng.uniform(0.1, 0.7, count)
        points = np.stack([width * (0.5 + radius * np.cos(angle)), height * (0.5 + radius * np.sin(angle))], 1).round(2)
    else:  # thin and far away
        points = rng.normal([width / 2, height / 2], [rng.uniform(0.1, 3 * width), rng.uniform(0.1, 3 * height)], (count, 2))
    return floats(points)


def polygons(rng):
    height, width = (int(v) for v in rng.integers(1, 90, 2))
    rings = [ring(rng, height, width) for _ in range(int(rng.integers(1, 4)))]
    rle = coco.merge(coco.frPyObjects(rings, height, width))
    parts = [word for r in rings for word in [len(r), *r]]
    return words(
        "polygons", height, width, len(rings), *parts, rle["counts"].decode(), int(coco.area(rle)), *floats(coco.toBbox(rle))
    )


def masks(rng):
    height, width = (int(v) for v in rng.integers(1, 40, 2))
    coarse = rng.random((2, 8, 8)) < rng.uniform(0.05, 0.95)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    a, b = (coco.encode(np.asfortranarray(grid[rows][:, columns].astype(np.uint8))) for grid in coarse)
    if rng.random() < 0.2:
        b = a
    union = coco.merge([a, b])
    ious = (float(coco.iou([a], [b], [crowd])[0, 0]) for crowd in (0, 1))
    return words("masks", height, width, *(r["counts"].decode() for r in (a, b, union)), *ious)


rng = np.random.default_rng(int(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    print(boxes(rng), polygons(rng), masks(rng), sep="\n")
