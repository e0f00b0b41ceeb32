"""Intervals of AP, precision, recall and F1 by plain NumPy: reference_intervals.py DATA, for resampled_metrics_test.cpp.

DATA holds: images, classes, truths, predictions, resamples, confidence, threshold; image and class of each truth; image, class,
score and 1 for right of each prediction; then for each resample how often each image stands in it. Prints a line of low and high of
the four for each class and then for all together, nan where there is none. Exit status 3 without NumPy.
"""

import sys

try:
    import numpy as np
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

words = iter(open(sys.argv[1]).read().split())
images, classes, truths, predictions, resamples = (int(next(words)) for _ in range(5))
confidence, threshold = float(next(words)), float(next(words))
truth_image, truth_class = np.array([[int(next(words)) for _ in range(2)] for _ in range(truths)]).T
rows = np.array([[float(next(words)) for _ in range(4)] for _ in range(predictions)])
image, category, score, right = rows[:, 0].astype(int), rows[:, 1].astype(int), rows[:, 2], rows[:, 3] == 1


def ratio(part, whole):
    return part / whole if whole > 0 else np.nan


def ratios(tp, fp, fn):
    return [ratio(tp, tp + fp), ratio(tp, tp + fn), ratio(2 * tp, 2 * tp + fp + fn)]


def average_precision(copies, asked):
    """`copies`: rows of image, which copy of it, prediction; one for each prediction on each image drawn."""
    if asked == 0:
        return np.nan
    drawn, copy, row = copies.T
    order = np.lexsort((row, copy, drawn, -score[row]))
    hits = right[row[order]]
    tp = np.cumsum(hits)
    precision = np.maximum.accumulate((tp / np.arange(1, len(tp) + 1))[::-1])[::-1]
    at = np.searchsorted(tp / asked, np.linspace(0, 1, 101), side="left")
    return np.where(at < len(tp), np.append(precision, 0)[np.minimum(at, len(tp))], 0).mean()


found = []
for _ in range(resamples):
    times = np.array([int(next(words)) for _ in range(images)])
    numbers, counts = [], []
    for k in range(classes):
        asked = times[truth_image[truth_class == k]].sum()
        mine = np.flatnonzero(category == k)
        copies = np.array([(image[i], copy, i) for i in mine for copy in range(times[image[i]])], int).reshape(-1, 3)
        counted = mine[score[mine] >= threshold]
        tp = times[image[counted[right[counted]]]].sum()
        fp = times[image[counted[~right[counted]]]].sum()
        counts.append((tp, fp, asked - tp))
        numbers.append([average_precision(copies, asked), *ratios(*counts[-1])])
    defined = [row[0] for row in numbers if not np.isnan(row[0])]
    numbers.append([np.mean(defined) if defined else np.nan, *ratios(*np.sum(counts, axis=0))])
    found.append(numbers)
found = np.array(found)
for k in range(classes + 1):
    line = []
    for column in found[:, k].T:
        kept = column[~np.isnan(column)]
        for q in ((1 - confidence) / 2, (1 + confidence) / 2):
            line.append(repr(float(np.quantile(kept, q))) if len(kept) else "nan")
    print(*line)
