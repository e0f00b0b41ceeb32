"""Intervals of the best threshold by plain NumPy: reference_bootstrap.py DATA, for bootstrap_test.cpp.

DATA holds: images, truths, predictions, resamples, confidence; the image of each truth; image, score and 1 for right of each
prediction; then for each resample how often each image stands in it. Prints low and high of threshold, precision, recall and F1 at
the threshold of greatest F1. Exit status 3 without NumPy.
"""

import sys

try:
    import numpy as np
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

words = iter(open(sys.argv[1]).read().split())
images, truths, predictions, resamples = (int(next(words)) for _ in range(4))
confidence = float(next(words))
truth_image = np.array([int(next(words)) for _ in range(truths)])
rows = np.array([[float(next(words)) for _ in range(3)] for _ in range(predictions)])
image, score, right = rows[:, 0].astype(int), rows[:, 1], rows[:, 2] == 1

found = []
for _ in range(resamples):
    weight = np.array([int(next(words)) for _ in range(images)])
    asked = weight[truth_image].sum()
    best = None
    for threshold in sorted(set(score[weight[image] > 0]), reverse=True):
        chosen = score >= threshold
        tp = weight[image][chosen & right].sum()
        fp = weight[image][chosen & ~right].sum()
        f1 = 2 * tp / (2 * tp + fp + asked - tp)
        if tp > 0 and (best is None or f1 > best[3]):
            best = (threshold, tp / (tp + fp), tp / asked, f1)
    if best:
        found.append(best)
for column in np.array(found).T:
    print(*(repr(float(np.quantile(column, q))) for q in ((1 - confidence) / 2, (1 + confidence) / 2)))
print(len(found))
