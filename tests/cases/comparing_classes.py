"""Classes of whole images against a count of everything by hand: random images, labels and ties, each number worked out anew from
its definition, without the program's cumulative sums, searches and weights."""

import json
import random
from fractions import Fraction

from harness import ProgramCase, write_bitmap

RESAMPLES = 30
SHARES = ("accuracy", "top_2", "top_3", "top_4", "top_5")
MASK = (1 << 64) - 1


def split_mix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def drawn_images(images, resample):
    """As many of `images` (ascending ids) as there are, drawn with replacement: see `resample_counts` in bootstrap.h."""
    numbers = split_mix(next(split_mix(resample * 0xD1B54A32D192ED03 & MASK)))
    return [images[(next(numbers) >> 32) * len(images) >> 32] for _ in images]


def interval(values):
    """The middle 95 %, as numpy.quantile has it; None without values."""
    values = sorted(value for value in values if value is not None)
    if not values:
        return None

    def quantile(part):
        at = part * (len(values) - 1)
        low = int(at)
        high = min(low + 1, len(values) - 1)
        return values[low] + (at - low) * (values[high] - values[low])

    return [quantile((1 - 0.95) / 2), quantile((1 + 0.95) / 2)]


def ratio(part, whole):
    return part / whole if whole else None


class World:
    """Truths and predictions by image, and what follows from them by one protocol."""

    def __init__(self, truths, predictions, protocol):
        self.is_multi = protocol == "multi_label"
        self.truths = {image: set(classes) for image, classes in truths.items() if classes or self.is_multi}
        self.images = sorted(self.truths)
        self.best = {}  # of an image its classes with their best score, best first
        for image in self.images:
            ranked = sorted(predictions.get(image, []), key=lambda row: -row[1])  # stable: of equals the first
            self.best[image] = [row for i, row in enumerate(ranked) if row[0] not in {other for other, _ in ranked[:i]}]
        self.classes = sorted({name for classes in truths.values() for name in classes} |
                              {name for rows in predictions.values() for name, _ in rows})  # fmt: skip

    def called(self, image):
        return self.best[image] if self.is_multi else self.best[image][:1]

    def asked(self, image):
        first = {name for name, _ in self.best[image][:1]} & self.truths[image]
        return self.truths[image] if self.is_multi or not first else first

    def counts(self, images, threshold, classes=None, truths=None, predictions=None):
        """tp, fp and fn of these classes; of these labels alone where functions of image and class say which."""
        tp = fp = fn = 0
        for image in images:
            hits = {name for name, score in self.called(image) if threshold is None or score >= threshold}
            for name in self.classes if classes is None else classes:
                is_true = name in self.asked(image)
                if is_true and truths and not truths(image, name):
                    continue
                if is_true:
                    tp += name in hits
                    fn += name not in hits
                elif name in hits and (predictions is None or predictions(image, name)):
                    fp += 1
        return tp, fp, fn

    def thresholds(self, images, classes=None):
        return sorted({score for image in images for name, score in self.called(image) if classes is None or name in classes},
                      reverse=True)  # fmt: skip

    def choose(self, images, goal, classes=None):
        """The threshold that achieves a goal, with its counts; None where none does."""
        kind, value = goal
        best = None
        for threshold in self.thresholds(images, classes):
            tp, fp, fn = self.counts(images, threshold, classes)
            if kind == "f":
                weight = Fraction(value) ** 2
                reached = (1 + weight) * tp / ((1 + weight) * tp + weight * fn + fp)
                if reached > 0 and (best is None or reached > best[2]):
                    best = (threshold, (tp, fp, fn), reached)
            elif kind == "precision":
                if tp > 0 and tp / (tp + fp) >= value:
                    best = (threshold, (tp, fp, fn))
            elif best is None and tp + fn > 0 and tp / (tp + fn) >= value:
                best = (threshold, (tp, fp, fn))
        return best

    def average_precision(self, images, name):
        """Over the distinct scores of the class, one that is missing below all others."""
        positives = sum(name in self.truths[image] for image in images)
        if positives == 0:
            return None
        scores = [dict(self.best[image]).get(name, float("-inf")) for image in images]
        area = found = 0
        for level in sorted(set(scores), reverse=True):
            chosen = [image for image, score in zip(images, scores, strict=True) if score >= level]
            right = sum(name in self.truths[image] for image in chosen)
            area += (right - found) / positives * right / len(chosen)
            found = right
        return area

    def roc_auc(self, images, name):
        """How often an image of the class has a higher score than one of none, of level ones every other time."""
        scores = [(dict(self.best[image]).get(name, float("-inf")), name in self.truths[image]) for image in images]
        pairs = [(a, b) for a, is_true in scores if is_true for b, other in scores if not other]
        return ratio(sum((a > b) + (a == b) / 2 for a, b in pairs), len(pairs))

    def is_exact(self, image, threshold):
        called = {name for name, score in self.called(image) if threshold is None or score >= threshold}
        return called == self.truths[image]

    def is_right_within(self, image, k):
        return any(name in self.truths[image] for name, _ in self.best[image][:k])

    def numbers(self, images, threshold, classes=None):
        """As the program names them; `images` may repeat."""
        tp, fp, fn = self.counts(images, threshold, classes)

        def mean(area_of):
            areas = [area_of(images, name) for name in (self.classes if classes is None else classes)]
            areas = [area for area in areas if area is not None]
            return ratio(sum(areas), len(areas))

        numbers = {
            "average_precision": mean(self.average_precision),
            "roc_auc": mean(self.roc_auc),
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, tp + fn),
            "f1": ratio(2 * tp, 2 * tp + fp + fn),
        }
        if classes is None:
            numbers["exact_match"] = ratio(sum(self.is_exact(image, threshold) for image in images), len(images))
            for k, name in enumerate(SHARES, 1):
                numbers[name] = ratio(sum(self.is_right_within(image, k) for image in images), len(images))
        return numbers

    def intervals(self, images, threshold, classes=None):
        drawn = [self.numbers(drawn_images(images, i), threshold, classes) for i in range(RESAMPLES)]
        return {name: interval([one[name] for one in drawn]) if len(images) > 1 else None for name in drawn[0]}


class Random(ProgramCase):
    def make(self, seed):
        """Some images without any label, classes on one side only, scores that are equal, classes that are proposed twice."""
        rng = random.Random(seed)
        names = [f"c{i}" for i in range(rng.randint(2, 5))]
        images = list(range(rng.choice([6, 25, 40])))
        digits = rng.choice([1, 1, 3])
        self.project = self.scratch / f"project{seed}"
        folder = self.scratch / f"images{seed}"
        self.init()
        truths = {image: [] for image in images}
        first, other = {}, {}
        for image in images:
            write_bitmap(folder / f"{image:02}.bmp")
            for name in [*names, "only_true"]:
                if rng.random() < 0.3:
                    truths[image].append(name)
            for predictions, skill in ((first, 0.7), (other, 0.4)):
                rows = predictions.setdefault(image, [])
                for name in rng.sample([*names, "only_predicted"], len(names) + 1):
                    for _ in range(rng.choice([0, 1, 1, 2])):
                        is_good = name in truths[image] and rng.random() < skill
                        rows.append((name, round(rng.random() / 2 + (0.5 if is_good else 0), digits)))
        self.add_set("ground_truth", folder, [(image, name, "") for image in images for name in truths[image] or [""]])
        for label_set, predictions in (("auto", first), ("before", other)):
            self.add_set(label_set, folder, [(image, *row) for image in images for row in predictions[image]])
        return images, truths, first, other

    def add_set(self, name, folder, rows):
        table = self.scratch / f"{name}.csv"
        table.write_text("image,class,confidence\n" + "".join(f"{image:02}.bmp,{label},{score}\n" for image, label, score in rows))
        answer = self.run_program("import", "--images", folder, "--labels", table, "--format", "csv", "--set", name).json
        self.assertEqual(answer["labels"], sum(label != "" for _, label, _ in rows))

    def same(self, actual, expected, what):
        if isinstance(expected, dict):
            self.assertEqual(set(actual), set(expected), what)
            for name, value in expected.items():
                self.same(actual[name], value, f"{what}.{name}")
        elif isinstance(expected, list):
            for one, value in zip(actual, expected, strict=True):
                self.assertAlmostEqual(one, value, 12, what)
        elif expected is None or isinstance(expected, int):
            self.assertEqual(actual, expected, what)
        else:
            self.assertAlmostEqual(actual, expected, 12, what)

    def sets(self, protocol):
        return ("--predictions", "auto", "--truth", "ground_truth", "--protocol", protocol, "--resamples", RESAMPLES)

    def test_thresholds(self):
        goals = [
            (("f", "1"), ()),
            (("f", "2"), ("--metric", "f2")),
            (("f", "0.5"), ("--metric", "f0.5")),
            (("precision", 0.8), ("--precision", 0.8)),
            (("recall", 0.6), ("--recall", 0.6)),
        ]
        for seed, protocol in ((1, "multi_label"), (2, "classification"), (3, "classification"), (4, "multi_label")):
            _, truths, predictions, _ = self.make(seed)
            world = World(truths, predictions, protocol)
            for goal, words in goals:
                with self.subTest(seed=seed, protocol=protocol, goal=goal):
                    answer = self.run_program("threshold", *self.sets(protocol), *words).json
                    self.expect_point(answer, world, goal, None)
                    for name in world.classes:
                        asked = sum(name in world.asked(image) for image in world.images)
                        called = any(name == one for image in world.images for one, _ in world.called(image))
                        is_there = asked > 0 or called or any(name in world.truths[image] for image in world.images)
                        self.assertEqual(name in answer["per_class"], is_there, name)
                        if is_there:
                            self.expect_point(answer["per_class"][name], world, goal, [name])

    def expect_point(self, answer, world, goal, classes):
        best = world.choose(world.images, goal, classes)
        asked = sum(name in world.asked(image) for image in world.images for name in (classes or world.classes))
        self.assertEqual((answer["truths"], answer["few_truths"]), (asked, asked < 30))
        self.assertEqual(answer.get("unattainable", False), best is None)
        self.same(answer["threshold"], best and best[0], "threshold")
        if best is None:
            return
        tp, fp, fn = best[1]
        expected = {"precision": ratio(tp, tp + fp), "recall": ratio(tp, tp + fn), "f1": ratio(2 * tp, 2 * tp + fp + fn)}
        self.same({name: answer[name] for name in expected}, expected, "point")
        again = [world.choose(drawn_images(world.images, i), goal, classes) for i in range(RESAMPLES)]
        self.same(answer["intervals"]["threshold"], interval([point and point[0] for point in again]), "interval")
        if classes is None:
            intervals = world.intervals(world.images, best[0])
            for name in expected:
                self.same(answer["intervals"][name], intervals[name], f"interval of {name}")

    def test_scenarios_intervals_and_comparison(self):
        for seed, protocol, words in (
            (5, "multi_label", ()),
            (6, "classification", ()),
            (7, "multi_label", ("--threshold", 0.6)),
            (8, "classification", ("--threshold", 0.7)),
        ):
            images, truths, predictions, before = self.make(seed)
            world, other = (World(truths, rows, protocol) for rows in (predictions, before))
            with self.subTest(seed=seed, protocol=protocol):
                views = (
                    "--scenario",
                    "some=path:*3.bmp|path:*1.bmp",
                    "--scenario",
                    "one=class:c1",
                    "--scenario",
                    "none=width>1000",
                )
                parts = ("--intervals", "--compare", "before", *views)
                report = self.scratch / f"report{seed}.json"
                answer = self.run_program("evaluate", *self.sets(protocol), *words, *parts, "--report", report).json
                self.assertEqual(json.loads(report.read_text())["scenarios"], answer["scenarios"])

                def threshold_of(side, words=words):
                    if words:
                        return words[1]
                    best = side.choose(side.images, ("f", "1")) if side.is_multi else None
                    return best and best[0]

                threshold = threshold_of(world)
                self.same(answer["evaluation"]["threshold"], threshold, "threshold")
                numbers = world.numbers(world.images, threshold)
                overall = answer["intervals"]["overall"]
                self.same(overall["metrics"], numbers, "metrics")
                self.same(overall["intervals"], world.intervals(world.images, threshold), "intervals")
                self.same(answer["averages"]["micro"]["f1"], numbers["f1"], "micro")
                self.same(answer["averages"]["macro"]["average_precision"], numbers["average_precision"], "macro")
                self.same(answer["averages"]["macro"]["roc_auc"], numbers["roc_auc"], "macro")
                for name in SHARES:
                    self.same(answer["metrics"][name], numbers[name], name)
                self.same(answer["exact_match"], numbers["exact_match"], "exact match")
                for name in world.classes:
                    of_class = answer["intervals"]["per_class"][name]
                    self.same(of_class["metrics"], world.numbers(world.images, threshold, [name]), name)
                    self.same(of_class["intervals"], world.intervals(world.images, threshold, [name]), name)
                    best = world.choose(world.images, ("f", "1"), [name])
                    self.same(answer["per_class"][name]["best_threshold"], best and best[0], name)
                self.expect_scenarios(answer["scenarios"], world, threshold, images)
                self.expect_comparison(answer["comparison"], world, other, threshold, threshold_of(other))

    def expect_scenarios(self, scenarios, world, threshold, images):
        some = [image for image in world.images if image % 10 in (1, 3)]
        self.assertEqual([one["name"] for one in scenarios], ["some", "one", "none"])
        self.assertEqual((scenarios[0]["samples"], scenarios[2]["samples"]), (len(some), 0))
        self.assertLess(len(some), len(images))
        self.same(scenarios[0]["metrics"], world.numbers(some, threshold), "some")
        self.same(scenarios[0]["intervals"], world.intervals(some, threshold), "intervals of some")
        self.assertEqual(set(scenarios[2]["metrics"].values()), {None})
        # The labels of one class alone: its own numbers, and no image is right or wrong as a whole.
        right = dict.fromkeys((*SHARES, "exact_match"))
        self.same(scenarios[1]["metrics"], world.numbers(world.images, threshold, ["c1"]) | right, "class")
        self.same(scenarios[1]["intervals"], world.intervals(world.images, threshold, ["c1"]) | right, "intervals of a class")

    def expect_comparison(self, comparison, world, other, threshold, other_threshold):
        self.same(comparison["threshold"], other_threshold, "threshold")

        def expect(answer, classes):
            mine, theirs = world.numbers(world.images, threshold, classes), other.numbers(other.images, other_threshold, classes)
            drawn = [drawn_images(world.images, i) for i in range(RESAMPLES)]
            pairs = [(world.numbers(d, threshold, classes), other.numbers(d, other_threshold, classes)) for d in drawn]
            for name, number in answer.items():
                both = mine[name] is not None and theirs[name] is not None
                differences = [a[name] - b[name] for a, b in pairs if a[name] is not None and b[name] is not None]
                expected = {
                    "this": mine[name],
                    "other": theirs[name],
                    "difference": mine[name] - theirs[name] if both else None,
                    "interval": interval(differences),
                }
                self.same(number, expected, name)

        self.assertEqual(len(comparison["metrics"]), 11)
        expect(comparison["metrics"], None)
        for name in world.classes:
            self.assertEqual(set(comparison["per_class"][name]), {"average_precision", "roc_auc", "f1"})
            expect(comparison["per_class"][name], [name])
