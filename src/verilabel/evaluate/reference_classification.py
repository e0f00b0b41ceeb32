"""Random classes of whole images and what scikit-learn 1.7 makes of them: reference_classification.py OUT [COUNT].

Wrote classification_reference.txt, which classification_test.cpp reads: words and numbers separated by white space, nan where
there is no figure. It is kept, because nothing else here asks for scikit-learn. A score that is missing is replaced by one below
the lowest that there is. Ranks are scikit-learn's where every score is there (it prefers the later of equal classes, so they are
written in that order), and counted here where some are missing: a class without a score is never among the best. Thresholds are
chosen by trying every score that an image is called by: precision, recall and F of what reaches it are scikit-learn's.
"""

import sys
import warnings

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

warnings.simplefilter("ignore")
THRESHOLD = 0.5
GOALS = (("f", 1.0), ("f", 2.0), ("f", 0.5), ("precision", 0.8), ("recall", 0.6))


def dataset(seed):
    """Truth as 0 and 1, scores with nan for those that are missing: images × classes."""
    rng = np.random.default_rng(seed)
    is_multi = seed % 2 == 1
    images = int(rng.integers(1, 60))
    classes = 1 if seed % 11 == 0 else int(rng.integers(2, 9))
    true_classes = max(1, classes - int(rng.integers(0, 3)))  # the last may be only predicted
    if is_multi:
        truth = (rng.random((images, classes)) < rng.choice([0.1, 0.4, 0.9])).astype(int)
        truth[:, true_classes:] = 0
    else:
        truth = np.eye(classes, dtype=int)[rng.integers(0, true_classes, images)]
    if seed % 13 == 0:
        truth[:, 0] = 1 if is_multi else truth[:, 0]
    scores = rng.random((images, classes)) * 0.7 + 0.3 * truth * (rng.random((images, classes)) < 0.8)
    scores = np.round(scores, int(rng.choice([0, 1, 15])))  # ties everywhere, many, none
    if seed % 5 == 0:
        scores = scores - 0.6  # below 0, too
    missing = rng.choice([0, 0, 0.3, 0.95])
    scores[rng.random((images, classes)) < missing] = np.nan
    if seed % 17 == 0:
        scores[:] = np.nan
    return is_multi, truth, scores


def defined(function, truth, scores):
    """ROC AUC needs both kinds, average precision at least one positive."""
    both = 0 < truth.sum() < truth.size if function is roc_auc_score else truth.sum() > 0
    return float(function(truth, scores)) if both else np.nan


def areas(truth, scores):
    """Of each class, then micro, macro and weighted: pairs of ROC AUC and average precision."""
    known = scores[~np.isnan(scores)]
    filled = np.where(np.isnan(scores), known.min() - 1 if known.size else 0, scores)
    columns = []
    for function in (roc_auc_score, average_precision_score):
        per_class = np.array([defined(function, truth[:, k], filled[:, k]) for k in range(truth.shape[1])])
        have = np.flatnonzero(~np.isnan(per_class))
        averages = []
        for average in ("macro", "weighted"):
            if len(have) > 1:
                averages.append(float(function(truth[:, have], filled[:, have], average=average)))
            else:
                averages.append(per_class[have[0]] if len(have) else np.nan)
        columns.append([*per_class, defined(function, truth.ravel(), filled.ravel()), *averages])
    return np.array(columns).T


def choose(goal, points):
    """Of (threshold, precision, recall, F), highest threshold first, the one that achieves the goal; of nan where none does."""
    kind, value = goal
    best = (np.nan,) * 4
    for point in points:
        _, precision, recall, f = point
        if kind == "f" and f > 0 and not f <= best[3] + 1e-12:
            best = point
        elif kind == "precision" and recall > 0 and precision >= value:
            best = point
        elif kind == "recall" and recall >= value and np.isnan(best[0]):
            best = point
    return best


def chosen(is_multi, truth, scores, ranks):
    """For all classes together, then for each: what achieves each goal."""
    images, classes = truth.shape
    filled = np.nan_to_num(scores, nan=-np.inf)
    if is_multi:
        of_class = [sorted(set(filled[np.isfinite(filled[:, k]), k]), reverse=True) for k in range(classes)]
    else:
        best = np.array([rank[0] if rank else classes for rank in ranks])
        best_score = np.array([filled[i, rank[0]] if rank else -np.inf for i, rank in enumerate(ranks)])
        of_class = [sorted(set(best_score[best == k]), reverse=True) for k in range(classes)]

    def figures(threshold, beta, average):
        if is_multi and classes == 1:  # see below
            given, labels = (truth[:, 0], (filled[:, 0] >= threshold).astype(int)), [1]
        elif is_multi:
            given, labels = (truth, (filled >= threshold).astype(int)), list(range(classes))
        else:
            given, labels = (truth.argmax(1), np.where(best_score >= threshold, best, classes)), list(range(classes))
        return precision_recall_fscore_support(*given, labels=labels, beta=beta, average=average, zero_division=np.nan)[:3]

    rows = []
    for k in range(-1, classes):
        thresholds = sorted(set().union(*of_class), reverse=True) if k < 0 else of_class[k]
        row = []
        for goal in GOALS:
            beta = goal[1] if goal[0] == "f" else 1.0
            points = []
            for threshold in thresholds:
                if k < 0:
                    points.append((threshold, *figures(threshold, beta, "micro")))
                else:
                    points.append((threshold, *(figure[k] for figure in figures(threshold, beta, None))))
            row += choose(goal, points)
        rows.append(row)
    return rows


def write(seed, out):
    is_multi, truth, scores = dataset(seed)
    images, classes = truth.shape

    def line(*words):
        out.write(" ".join(repr(float(w)) if isinstance(w, float) else str(w) for w in words) + "\n")

    line("dataset", int(is_multi), images, classes)
    ranks = []
    for image in range(images):
        line(int(truth[image].sum()), *np.flatnonzero(truth[image]).tolist())
        proposed = [k for k in reversed(range(classes)) if not np.isnan(scores[image, k])]
        line(len(proposed), *(word for k in proposed for word in (k, float(scores[image, k]))))
        ranks.append(sorted(proposed, key=lambda k: -scores[image, k]))
    if is_multi:
        called = (np.nan_to_num(scores, nan=-np.inf) >= THRESHOLD).astype(int)
        given = (truth, called)
        exact = accuracy_score(truth, called)
    else:
        best = np.array([rank[0] if rank else classes for rank in ranks])
        given = (truth.argmax(1), best)
        exact = accuracy_score(*given)
    within = [np.mean([bool(set(rank[:k]) & set(np.flatnonzero(truth[i]))) for i, rank in enumerate(ranks)]) for k in range(1, 6)]
    if not is_multi and classes > 2 and not np.isnan(scores).any():
        peer = [top_k_accuracy_score(truth.argmax(1), scores, k=min(k, classes), labels=range(classes)) for k in range(1, 6)]
        assert np.allclose(within, peer, rtol=0, atol=1e-15)
    line(float(exact), *map(float, within))
    curves = areas(truth, scores)
    labels = list(range(classes))
    if is_multi and classes == 1:  # which scikit-learn takes for a yes or no of every image
        given, labels = (truth[:, 0], called[:, 0]), [1]
    of_each = precision_recall_fscore_support(*given, labels=labels, average=None, zero_division=np.nan)
    for k in range(classes):
        line(*(float(figure[k]) for figure in of_each[:3]), *map(float, curves[k]))
    for i, average in enumerate(("micro", "macro", "weighted")):
        figures = precision_recall_fscore_support(*given, labels=labels, average=average, zero_division=np.nan)[:3]
        if average == "weighted":  # scikit-learn falls back on the mean where no class with a figure weighs anything
            figures = [v if of_each[3][~np.isnan(e)].sum() > 0 else np.nan for v, e in zip(figures, of_each)]
        line(*map(float, figures), *map(float, curves[classes + i]))
    for row in chosen(is_multi, truth, scores, ranks):
        line(*map(float, row))


def main():
    with open(sys.argv[1], "w") as out:
        for seed in range(int(sys.argv[2]) if len(sys.argv) > 2 else 90):
            write(seed, out)


if __name__ == "__main__":
    main()
