// Draws one evaluation from the JSON document in the page. Everything that comes from the document becomes text nodes, attributes
// and numbers, never markup.
//
// What is read of the document; any number may be null (undefined), any list empty, any part missing:
//   evaluation     predictions, truth, protocol, iou_type, iou, where, name, made_at; no iou_type means classes of whole images, for
//                  which threshold is that of the evaluation
//   metrics        numbers by name; threshold is the one that precision, recall and f1 stand for
//   averages       of classes of whole images, by name: precision, recall, f1, roc_auc, average_precision
//   per_class      by name: AP, AP_50, precision, recall, f1, tp, fp, fn, truths, predictions, best_threshold, best_f1, roc_auc,
//                  average_precision
//   coverage       counts by name
//   errors         average precision at the IoU, threshold, kinds {name: {predictions, truths, ap_cost}}, false_positive_cost, false_negative_cost
//   confusion      threshold, iou, classes [name], cells [[truth, predicted, count]]; the index after the last class is background
//   calibration    bins [{from, to, predictions, mean_score, accuracy}], expected_error, greatest_error, scores_outside
//   curves         overall and per_class {name}: truths, threshold [falling], tp [], fp [] with every score at or above
//   distributions  confidence and iou: from, to, tp [counts], fp [counts]
//   intervals      threshold, confidence, resamples, overall {metrics, intervals {name: [low, high]}}, per_class by name likewise
//                  (average precision at the IoU is called AP_50, AP_75, …, by COCO's rules beside others coco_AP_50; of classes of
//                  whole images average_precision, beside roc_auc, and of all classes together accuracy, top_2 to top_5, exact_match)
//   scenarios      [{name, where, samples, truths, predictions, metrics, intervals {name: [low, high]}}]
//   comparison     predictions, metrics {name: {this, other, difference, interval}}, per_class {name: {AP, AP_50, f1}} likewise
//   worst          [{sample, name, width, height, tp, fp, fn, f1, thumbnail, labels [{role, class, box, score, outcome, error, iou}]}]
"use strict";

// ---- Elements -----------------------------------------------------------------------------------------------------------------

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/** Sets attributes; `on` holds listeners, `style` properties; what is null, undefined or false is left out. */
function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name === "on") {
      Object.entries(value).forEach(([event, listener]) => element.addEventListener(event, listener));
    } else if (name === "style") {
      Object.entries(value).forEach(([property, text]) => element.style.setProperty(property, text));
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
}

/** An HTML element; children are nodes or texts, and null is left out. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  setAttributes(element, attributes);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** Likewise an SVG element. */
function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG_NAMESPACE, name);
  setAttributes(element, attributes);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

// ---- Numbers and words --------------------------------------------------------------------------------------------------------

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const decimal = (value, digits = 3) => (isNumber(value) ? value.toFixed(digits) : "undefined");
const count = (value) => (isNumber(value) ? value.toLocaleString("en-US") : "undefined");
const percent = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "undefined");
const signed = (value) =>
  isNumber(value) ? `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.abs(value).toFixed(3)}` : "undefined";
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
const words = (name) => name.replaceAll("_", " ");
const rounded = (value) => Math.round(value * 10) / 10;
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** A number as it is shown: an undefined one is a dash that says so. */
function shown(value, format = decimal) {
  return isNumber(value) ? document.createTextNode(format(value)) : h("span", { class: "undefined", title: "undefined" }, "–");
}

function empty(text) {
  return h("p", { class: "empty" }, text);
}

/** An object of the document as a map, because names like "constructor" are names like any other. */
const entriesOf = (object) => new Map(Object.entries(object ?? {}));

// ---- The document -------------------------------------------------------------------------------------------------------------

const precisionOf = ({ tp, fp }) => (tp + fp > 0 ? tp / (tp + fp) : null);
const recallOf = ({ tp, fn }) => (tp + fn > 0 ? tp / (tp + fn) : null);
const f1Of = ({ tp, fp, fn }) => (2 * tp + fp + fn > 0 ? (2 * tp) / (2 * tp + fp + fn) : null);
const withRatios = (counts) => ({
  ...counts,
  precision: precisionOf(counts),
  recall: recallOf(counts),
  f1: f1Of(counts),
});

/** What is right and wrong at every score threshold. */
class Curve {
  constructor({ truths, threshold, tp, fp }) {
    this.truths = truths ?? 0;
    this.points = (threshold ?? []).map((t, i) => ({
      threshold: t,
      ...withRatios({ tp: tp[i], fp: fp[i], fn: this.truths - tp[i] }),
    }));
  }

  /** With every score of at least `threshold`; null means all of them. */
  at(threshold) {
    let low = 0;
    let high = this.points.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (threshold === null || this.points[middle].threshold >= threshold) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low > 0 ? this.points[low - 1] : withRatios({ tp: 0, fp: 0, fn: this.truths });
  }
}

/** The document with its maps and curves made, and what the reader has chosen. */
class Report {
  constructor(json) {
    this.json = json;
    this.evaluation = json.evaluation ?? {};
    this.metrics = entriesOf(json.metrics);
    this.classes = entriesOf(json.per_class);
    this.overallCurve = json.curves?.overall ? new Curve(json.curves.overall) : null;
    this.curveJson = entriesOf(json.curves?.per_class);
    this.curves = new Map();
    this.isOfImages = !this.evaluation.iou_type;
    this.ownThreshold = this.metrics.get("threshold") ?? this.evaluation.threshold ?? null;
    this.threshold = this.ownThreshold;
    this.chosenClass = null; // null: all together
    this.listeners = [];
    this.isDue = false;
  }

  /** The curve of a class, or of all together for null; null when there is none. */
  curveOf(name) {
    if (name === null) {
      return this.overallCurve;
    }
    if (!this.curves.has(name) && this.curveJson.has(name)) {
      this.curves.set(name, new Curve(this.curveJson.get(name)));
    }
    return this.curves.get(name) ?? null;
  }

  get isOwnThreshold() {
    return this.threshold === this.ownThreshold;
  }

  /** Counts and ratios of a class at the chosen threshold: the evaluation's own, exact numbers where that is chosen. */
  pointOf(name) {
    if (this.isOwnThreshold) {
      return this.classes.get(name);
    }
    return this.curveOf(name)?.at(this.threshold) ?? {};
  }

  overallPoint() {
    if (!this.isOwnThreshold || this.classes.size === 0) {
      return this.overallCurve?.at(this.threshold) ?? {};
    }
    const of = (name) => sum([...this.classes.values()].map((numbers) => numbers[name] ?? 0));
    return {
      tp: of("tp"),
      fp: of("fp"),
      fn: of("fn"),
      ...this.ownRatios,
    };
  }

  /** Precision, recall and F1 of the evaluation itself, all classes together. */
  get ownRatios() {
    const numbers = this.isOfImages ? entriesOf(this.json.averages?.micro) : this.metrics;
    return { precision: numbers.get("precision"), recall: numbers.get("recall"), f1: numbers.get("f1") };
  }

  /** From the lowest to the highest score worth choosing. */
  get scoreRange() {
    const points = this.overallCurve?.points ?? [];
    return points.length === 0
      ? null
      : { from: Math.min(0, points[points.length - 1].threshold), to: Math.max(1, points[0].threshold) };
  }

  /** The threshold of best F1 among the evaluation's own and the points of the overall curve. */
  get bestThreshold() {
    const own = { threshold: this.ownThreshold, f1: this.ownRatios.f1 ?? -1 };
    return (this.overallCurve?.points ?? []).reduce((best, point) => ((point.f1 ?? -1) > best.f1 ? point : best), own).threshold;
  }

  choose(change) {
    Object.assign(this, change);
    if (!this.isDue) {
      this.isDue = true;
      requestAnimationFrame(() => {
        this.isDue = false;
        this.listeners.forEach((listener) => listener());
      });
    }
  }
}

// ---- The text that follows the pointer and the focus --------------------------------------------------------------------------

const tip = {
  element: null,
  show(text, x, y) {
    this.element.textContent = text;
    this.element.hidden = false;
    const box = this.element.getBoundingClientRect();
    const left = Math.min(x + 14, document.documentElement.clientWidth - box.width - 8);
    const top = y + 18 + box.height > window.innerHeight ? y - box.height - 12 : y + 18;
    this.element.style.left = `${Math.max(8, left)}px`;
    this.element.style.top = `${Math.max(8, top)}px`;
  },
  hide() {
    this.element.hidden = true;
  },
};

/** Whatever has the attribute data-tip shows it. */
function followPointer() {
  tip.element = document.getElementById("tip");
  const wanted = (event) => (event.target instanceof Element ? event.target.closest("[data-tip]") : null);
  const follow = (event) => {
    const element = wanted(event);
    if (element) {
      tip.show(element.dataset.tip, event.clientX, event.clientY);
    } else if (!event.target.closest?.("[data-own-tip]")) {
      tip.hide();
    }
  };
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerdown", follow); // a finger does not move first
  document.addEventListener("focusin", (event) => {
    const element = wanted(event);
    if (element) {
      const box = element.getBoundingClientRect();
      tip.show(element.dataset.tip, box.left, box.bottom - 10);
    }
  });
  document.addEventListener("focusout", () => tip.hide());
  document.addEventListener("keydown", (event) => event.key === "Escape" && tip.hide());
  document.addEventListener("scroll", () => tip.hide(), { passive: true });
}

// ---- Charts -------------------------------------------------------------------------------------------------------------------

const LEAST_WIDTH = 240; // narrower places shrink the drawing

/** A place that draws itself anew when its width changes, and when asked to with `redraw`. */
function responsive(draw) {
  const host = h("div", { class: "host" });
  let width = 0;
  host.redraw = () => width > 0 && host.replaceChildren(draw(Math.max(width, LEAST_WIDTH)));
  new ResizeObserver(() => {
    const now = Math.floor(host.clientWidth);
    if (now !== width && now > 0) {
      width = now;
      host.redraw();
    }
  }).observe(host);
  return host;
}

/** Round values from `from` to `to`, about `wanted` of them. */
function ticksOf(from, to, wanted) {
  const rough = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const ticks = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + 1e-9 * step; ++i) {
    ticks.push(i * step);
  }
  return ticks;
}

const tickText = (value) => (Math.abs(value) >= 1000 ? count(value) : String(Number(value.toPrecision(6))));

/** Axes and grid. `x` and `y` are {from, to, title, ticks?, text?, at?}; gives back the drawing and how values become places. */
function plot({ width, height, x, y, label }) {
  const yTicks = (y.ticks ?? ticksOf(y.from, y.to, 5)).map((value) => [value, (y.text ?? tickText)(value)]);
  const longest = Math.max(...yTicks.map(([, text]) => text.length));
  const margin = { left: 26 + 7 * longest, right: 12, top: 10, bottom: 38 };
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
  const share = (axis, value) => (axis.at ? axis.at(value) : (value - axis.from) / (axis.to - axis.from));
  const px = (value) => rounded(margin.left + inner.width * share(x, value));
  const py = (value) => rounded(margin.top + inner.height * (1 - share(y, value)));
  const svg = s("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  const bottom = margin.top + inner.height;
  for (const value of x.ticks ?? ticksOf(x.from, x.to, inner.width < 300 ? 4 : 8)) {
    svg.append(
      s("line", { class: "grid", x1: px(value), x2: px(value), y1: margin.top, y2: bottom }),
      s("text", { class: "tick", x: px(value), y: bottom + 15, "text-anchor": "middle" }, (x.text ?? tickText)(value)),
    );
  }
  for (const [value, text] of yTicks) {
    svg.append(
      s("line", { class: "grid", x1: margin.left, x2: margin.left + inner.width, y1: py(value), y2: py(value) }),
      s("text", { class: "tick", x: margin.left - 6, y: py(value) + 4, "text-anchor": "end" }, text),
    );
  }
  const middle = margin.top + inner.height / 2;
  svg.append(
    s("text", { class: "axis", x: margin.left + inner.width / 2, y: height - 5, "text-anchor": "middle" }, x.title),
    s("text", { class: "axis", "text-anchor": "middle", transform: `translate(11 ${middle}) rotate(-90)` }, y.title),
  );
  const valueAt = (event) => {
    const box = svg.getBoundingClientRect();
    const inside = ((event.clientX - box.left) * width) / box.width - margin.left;
    return x.from + Math.min(1, Math.max(0, inside / inner.width)) * (x.to - x.from);
  };
  return { svg, px, py, top: margin.top, bottom, valueAt };
}

/** A line through the points whose values are defined, broken where they are not. */
function linePath(points, px, py) {
  let isDrawing = false;
  return points
    .map(([x, y]) => {
      if (!isNumber(x) || !isNumber(y)) {
        isDrawing = false;
        return "";
      }
      const command = isDrawing ? "L" : "M";
      isDrawing = true;
      return `${command}${px(x)} ${py(y)}`;
    })
    .join("");
}

function legend(...items) {
  return h(
    "p",
    { class: "legend" },
    items.map(([name, text]) => h("span", {}, h("i", { class: `key ${name}` }), text)),
  );
}

function figure(title, note, ...content) {
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, h("h3", {}, title), note ? h("p", { class: "note" }, note) : null),
    content,
  );
}

// ---- Tables -------------------------------------------------------------------------------------------------------------------

const FEW_ROWS = 25;
const MANY_ROWS = 100; // as many as follow the threshold without a pause

/** Undefined values last, whichever way one sorts. */
function compareValues(a, b, direction) {
  const isMissing = (value) => value === null || value === undefined;
  if (isMissing(a) || isMissing(b)) {
    return isMissing(a) - isMissing(b);
  }
  return direction * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
}

/**
 * A table that sorts by any column and shows some rows of many at a time. Columns are {title, tip?, value(row), cell?(row), isText?};
 * `name` (one, many) is what a row is; without `sortBy`, the index of a column, rows keep their order at first; with `canSearch` the
 * first column is searched. Rows are read again by `refresh`.
 */
function dataTable({ caption, columns, rows, name, sortBy, isDescending = true, canSearch = false }) {
  const state = { column: columns[sortBy] ?? null, direction: isDescending ? -1 : 1, first: 0, limit: FEW_ROWS, search: "" };
  const body = h("tbody");
  const footer = h("p", { class: "more" });
  const headers = columns.map((column) => headerOf(column));

  function headerOf(column) {
    const sort = () => {
      const isSame = state.column === column;
      state.direction = isSame ? -state.direction : column.isText ? 1 : -1;
      state.column = column;
      state.first = 0;
      refresh();
    };
    const button = h("button", { type: "button", title: column.tip, on: { click: sort } }, column.title);
    return h("th", { scope: "col", class: column.isText ? "text" : null }, button);
  }

  function rowOf(row) {
    return h(
      "tr",
      {},
      columns.map((column, i) => {
        const content = column.cell
          ? column.cell(row)
          : column.isText
            ? column.value(row)
            : shown(column.value(row), column.format);
        return h(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : null, class: column.isText ? "text" : null }, content);
      }),
    );
  }

  function showRange(found) {
    const last = Math.min(found, state.first + state.limit);
    const button = (text, isPossible, change) =>
      h("button", { type: "button", disabled: !isPossible, on: { click: () => (Object.assign(state, change), refresh()) } }, text);
    const among = found < rows.length ? ` found among ${count(rows.length)}` : "";
    const more = found > MANY_ROWS ? `Show ${MANY_ROWS} at a time` : `Show all ${found}`;
    footer.hidden = found === rows.length && found <= FEW_ROWS;
    footer.replaceChildren(
      h(
        "span",
        {},
        found === 0 ? `None${among}` : `${count(state.first + 1)} to ${count(last)} of ${plural(found, ...name)}${among}`,
      ),
      ...(found > state.limit
        ? [
            button("Previous", state.first > 0, { first: Math.max(0, state.first - state.limit) }),
            button("Next", last < found, { first: last }),
          ]
        : []),
      ...(found > FEW_ROWS && state.limit < MANY_ROWS ? [button(more, true, { first: 0, limit: MANY_ROWS })] : []),
    );
  }

  function refresh() {
    const wanted = state.search.toLocaleLowerCase("en");
    const found = rows.filter((row) => columns[0].value(row).toLocaleLowerCase("en").includes(wanted));
    if (state.column) {
      const values = new Map(found.map((row) => [row, state.column.value(row)]));
      found.sort((a, b) => compareValues(values.get(a), values.get(b), state.direction));
    }
    body.replaceChildren(...found.slice(state.first, state.first + state.limit).map(rowOf));
    headers.forEach((header, i) => {
      const isSorted = columns[i] === state.column;
      header.setAttribute("aria-sort", isSorted ? (state.direction > 0 ? "ascending" : "descending") : "none");
    });
    showRange(found.length);
  }

  const onSearch = (event) => {
    state.search = event.target.value.trim();
    state.first = 0;
    refresh();
  };
  const search = h("input", { type: "search", placeholder: `Search ${name[1] ?? `${name[0]}s`}`, on: { input: onSearch } });
  const element = h(
    "div",
    {},
    canSearch ? h("label", { class: "search" }, h("span", { class: "hidden" }, `Search ${name[1]}`), search) : null,
    scroller(caption, h("table", {}, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, headers)), body)),
    footer,
  );
  refresh();
  return { element, refresh };
}

/** What may be wider than the page scrolls by itself, by keyboard too. */
function scroller(label, content) {
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": label }, content);
}

/** A number between 0 and 1 over a bar of that length. */
function barCell(value, kind = "") {
  if (!isNumber(value)) {
    return shown(value);
  }
  const width = `${rounded(100 * Math.min(1, Math.max(0, value)))}%`;
  return h("span", { class: "bar" }, h("i", { class: kind, style: { width } }), h("b", {}, decimal(value)));
}

/** A name may be empty, and still has to be seen. */
const nameText = (name) => (name === "" ? "(no name)" : name);
const nameCell = (name) => h("span", { class: "name", title: name }, nameText(name));

// ---- Head ---------------------------------------------------------------------------------------------------------------------

/** What each count of the coverage says in words; the first five stand in the sentence before. */
const COVERAGE = new Map([
  ["samples", null],
  ["samples_reviewed", null],
  ["truths", null],
  ["truths_counted", null],
  ["predictions", null],
  ["not_labelled_in_truth", (n) => `${plural(n, "sample is", "samples are")} not labelled in the truth and left out.`],
  ["without_class_in_truth", (n) => `${plural(n, "sample has", "samples have")} no class in the truth: left out.`],
  ["truths_repeated", (n) => `${plural(n, "truth repeats", "truths repeat")} another of the same sample: counted once.`],
  ["predictions_not_best", (n) => `${plural(n, "prediction is", "predictions are")} not the best of the sample: in top-k and areas only.`],
  [
    "predictions_repeated",
    (n) => `${plural(n, "prediction is", "predictions are")} of a class that the sample has with a better score: not counted.`,
  ],
  ["without_prediction", (n) => `${plural(n, "sample is", "samples are")} not called anything at the threshold.`],
  ["labels_of_absence", (n) => `${plural(n, "label says", "labels say")} that a class is absent: left out.`],
  [
    "not_labelled_in_predictions",
    (n) => `${plural(n, "sample is", "samples are")} not labelled in the predictions: taken as empty.`,
  ],
  [
    "labelled_in_predictions_only",
    (n) => `${plural(n, "sample is", "samples are")} labelled in the predictions only and left out.`,
  ],
  ["predictions_outside", (n) => `${plural(n, "prediction")} on samples without truth left out.`],
  ["predictions_without_score", (n) => `${plural(n, "prediction")} without a score: taken as 1.`],
  ["predictions_beyond_limit", (n) => `${plural(n, "prediction")} beyond the number that the protocol takes of an image left out.`],
  ["predictions_of_unknown_images", (n) => `${plural(n, "prediction")} on images that the truth does not list left out.`],
  ["predictions_of_unknown_classes", (n) => `${plural(n, "prediction")} of classes that the truth does not list left out.`],
  ["truths_rejected", (n) => `${plural(n, "truth")} rejected by a person left out.`],
  ["predictions_rejected", (n) => `${plural(n, "prediction")} rejected by a person left out.`],
  ["labels_of_other_kinds", (n) => `${plural(n, "label")} of another kind left out.`],
  ["imports_cut_off", (n) => `${plural(n, "import")} cut off: labels may be missing.`],
  ["labels_of_cut_off_imports", (n) => `${plural(n, "label")} compared from imports that were cut off.`],
]);

function coverageText(coverage) {
  const of = (name) => coverage.get(name);
  const counting = of("truths_counted");
  const those =
    isNumber(counting) && counting !== of("truths")
      ? ` (${count(counting)} of them ${counting === 1 ? "counts" : "count"}; ${
          coverage.has("truths_repeated")
            ? "repeated ones, and further classes of a sample that is called by one,"
            : "crowds, difficult and ignored ones"
        } do not)`
      : "";
  const parts = [];
  if (of("samples") === 0) {
    parts.push("No sample was compared: none is labelled in the truth.");
  } else if (isNumber(of("samples"))) {
    const labels =
      isNumber(of("truths")) && isNumber(of("predictions"))
        ? `: ${plural(of("truths"), "truth")}${those} against ${plural(of("predictions"), "prediction")}`
        : "";
    parts.push(`${plural(of("samples"), "sample")} compared${labels}.`);
    if (isNumber(of("samples_reviewed"))) {
      parts.push(
        of("samples_reviewed") === 0
          ? "None of them was verified by a person: the truth is as good as where it came from."
          : `${count(of("samples_reviewed"))} of them (${percent(of("samples_reviewed"), of("samples"))}) verified by a person.`,
      );
    }
  }
  return parts.join(" ");
}

function leftOut(coverage) {
  return [...coverage]
    .filter(([name, n]) => isNumber(n) && n > 0 && COVERAGE.get(name) !== null)
    .map(([name, n]) => COVERAGE.get(name)?.(n) ?? `${words(name)}: ${count(n)}.`);
}

function drawHead(report) {
  const { predictions, truth, protocol, iou_type: iouType, iou, where, name, made_at: madeAt } = report.evaluation;
  const coverage = entriesOf(report.json.coverage);
  const facts = [
    ["protocol", protocol],
    ["compared", report.isOfImages ? "classes of whole images" : iouType === "mask" ? "masks" : "boxes"],
    ["a hit from IoU", isNumber(iou) ? String(iou) : null],
    ["samples", where === "" ? "all" : where],
    ["kept as", name],
    ["made", madeAt ? madeAt.replace(/^(\S+)T(\d\d:\d\d)\S*Z$/, "$1 $2 UTC") : null],
  ];
  const notes = leftOut(coverage);
  document.title = `${predictions ?? "predictions"} against ${truth ?? "truth"}`;
  document.getElementById("head").append(
    h("p", { class: "kind" }, "Evaluation"),
    h("h1", {}, h("bdi", {}, predictions ?? "predictions"), h("small", {}, " against "), h("bdi", {}, truth ?? "truth")),
    h(
      "dl",
      { class: "facts" },
      facts.filter(([, value]) => value).map(([title, value]) => h("div", {}, h("dt", {}, title), h("dd", {}, value))),
    ),
    h("p", { class: "coverage" }, coverageText(coverage)),
    notes.length > 0
      ? h(
          "ul",
          { class: "left-out" },
          notes.map((note) => h("li", {}, note)),
        )
      : coverage.size > 0
        ? h("p", { class: "note" }, "Nothing was left out.")
        : null,
    h(
      "nav",
      { "aria-label": "Parts of this page" },
      sectionsOf(report).map(({ id, title }) => h("a", { href: `#${id}` }, title)),
    ),
  );
}

// ---- The threshold ------------------------------------------------------------------------------------------------------------

const whyNoCurves = (report) =>
  report.overallCurve === null ? "This evaluation has no score curves" : "No predictions at all that count";

function drawOperating(report) {
  const host = document.getElementById("operating");
  const range = report.scoreRange;
  if (range === null) {
    host.append(empty(`${whyNoCurves(report)}, so there is no threshold to choose.`));
    return;
  }
  const step = (range.to - range.from) / 1000;
  const set = (value) => isNumber(value) && report.choose({ threshold: value });
  const bounds = { min: range.from, max: range.to };
  const slider = h("input", {
    id: "threshold",
    type: "range",
    ...bounds,
    step,
    on: { input: () => set(slider.valueAsNumber) },
  });
  const exact = h("input", {
    type: "number",
    "aria-label": "Score threshold, typed",
    ...bounds,
    step: "any",
    on: { change: () => set(exact.valueAsNumber) },
  });
  const button = (text, title, value) =>
    h("button", { type: "button", title, on: { click: () => report.choose({ threshold: value() }) } }, text);
  const numbers = h("dl", { id: "operating-numbers", class: "numbers", "aria-live": "off" });
  const back = button("as evaluated", "Back to the threshold of the evaluation", () => report.ownThreshold);
  const best = button("best F1", "The threshold of best F1, all classes together", () => report.bestThreshold);
  host.append(
    h("div", { class: "choose" }, h("label", { for: "threshold" }, "Score at least"), slider, exact, best, back),
    numbers,
  );
  const update = () => {
    const at = report.threshold ?? range.from;
    slider.value = at;
    slider.setAttribute("aria-valuetext", `scores of at least ${decimal(at)}`);
    exact.value = decimal(at);
    back.disabled = report.isOwnThreshold;
    const point = report.overallPoint();
    const rows = [
      ["Precision", point.precision, decimal],
      ["Recall", point.recall, decimal],
      ["F1", point.f1, decimal],
      ["TP", point.tp, count, "True positives: predictions that are right"],
      ["FP", point.fp, count, "False positives: predictions that are wrong"],
      ["FN", point.fn, count, "False negatives: truths that were missed"],
    ];
    numbers.replaceChildren(
      ...rows.map(([title, value, format, text]) =>
        h("div", { title: text }, h("dt", {}, title), h("dd", {}, shown(value, format))),
      ),
    );
  };
  report.listeners.push(update);
  update();
}

// ---- Numbers ------------------------------------------------------------------------------------------------------------------

const METRICS = new Map([
  ["mAP", "Average precision, mean over classes and IoU 0.50 to 0.95"],
  ["mAP_50", "Average precision at IoU 0.50, mean over classes"],
  ["mAP_75", "Average precision at IoU 0.75, mean over classes"],
  ["mAP_small", "mAP of truths below 32 × 32 pixels"],
  ["mAP_medium", "mAP of truths from 32 × 32 to 96 × 96 pixels"],
  ["mAP_large", "mAP of truths above 96 × 96 pixels"],
  ["AR_1", "Average recall with the best prediction an image and class"],
  ["AR_10", "Average recall with the best 10 an image and class"],
  ["AR_100", "Average recall with the best 100 an image and class"],
  ["AR_small", "Average recall of truths below 32 × 32 pixels"],
  ["AR_medium", "Average recall of truths from 32 × 32 to 96 × 96 pixels"],
  ["AR_large", "Average recall of truths above 96 × 96 pixels"],
  ["AP", "Average precision, mean over IoU 0.50 to 0.95"],
  ["accuracy", "Share of samples whose best prediction is right"],
  ["exact_match", "Share of samples that are called by all their classes and no other"],
  ...[2, 3, 4, 5].map((k) => [`top_${k}`, `Share of samples with a right class among their best ${k}`]),
  ["roc_auc", "Area under the ROC curve: how often a sample of the class has the higher score of two"],
  ["average_precision", "Mean precision over the samples of the class, by falling score"],
  ["precision", "Share of the predictions that are right"],
  ["recall", "Share of the truths that are found"],
  ["f1", "Harmonic mean of precision and recall"],
  ["threshold", "Least score that counts in precision, recall and F1"],
]);

/** The name of average precision as intervals, scenarios, comparison and errors have it: at the one IoU, or of whole images. */
const apNameIn = (numbers) =>
  Object.keys(numbers ?? {}).find((name) => /^(coco_)?AP_[\d.]+$/.test(name) || name === "average_precision");

/** What a number means; average precision is another thing in other protocols. */
function meaningOf(report, name) {
  const [, ofCoco, percents] = /^(coco_)?AP_([\d.]+)$/.exec(name) ?? [];
  if (percents) {
    const rules = ofCoco ? ", by COCO's rules, which precision, recall and F1 follow too" : "";
    return `Average precision at IoU ${(percents / 100).toFixed(2)}${rules}`;
  }
  const isOther = /^m?AP/.test(name) && !["coco", "lvis"].includes(report.evaluation.protocol);
  return isOther ? "Average precision as the protocol defines it" : (METRICS.get(name) ?? "");
}

const HEADLINES = ["mAP", "mAP_50", "accuracy", "precision", "recall", "f1"];
const CAPITALS = new Map([
  ["roc_auc", "ROC AUC"],
  ...["precision", "recall", "f1", "threshold", "accuracy"].map((name) => [name, name[0].toUpperCase() + name.slice(1)]),
]);
const metricTitle = (name) => CAPITALS.get(name) ?? words(name);

const AVERAGES = new Map([
  ["micro", "all decisions together"],
  ["macro", "mean over classes"],
  ["weighted", "mean over classes by their truths"],
]);

function averagesTable(report) {
  const averages = entriesOf(report.json.averages);
  const number = (title, key) => ({
    title,
    tip: METRICS.get(key),
    value: (name) => averages.get(name)[key],
    cell: (name) => barCell(averages.get(name)[key], key === "average_precision" || key === "roc_auc" ? "ap" : key),
  });
  return dataTable({
    caption: "Means over the classes",
    columns: [
      {
        title: "Mean",
        isText: true,
        value: (name) => name,
        cell: (name) => [name, h("span", { class: "note" }, ` ${AVERAGES.get(name) ?? ""}`)],
      },
      number("Precision", "precision"),
      number("Recall", "recall"),
      number("F1", "f1"),
      number("ROC AUC", "roc_auc"),
      number("Average precision", "average_precision"),
    ],
    rows: [...averages.keys()],
    name: ["mean"],
  }).element;
}

function drawMetrics(report) {
  const metrics = new Map(report.metrics);
  if (report.json.exact_match !== undefined) {
    metrics.set("exact_match", report.json.exact_match);
  }
  if (metrics.size === 0) {
    return [empty("The evaluation has no numbers.")];
  }
  const isCounting = (name) => ["precision", "recall", "f1"].includes(name);
  const card = (name) =>
    h(
      "div",
      { class: "card" },
      h("dt", {}, metricTitle(name)),
      h("dd", {}, shown(metrics.get(name))),
      h("p", {}, meaningOf(report, name), isCounting(name) ? `, ${atThreshold(report.ownThreshold)}` : ""),
    );
  const rest = [...metrics.keys()].filter((name) => !HEADLINES.includes(name));
  return [
    h("dl", { class: "cards" }, HEADLINES.filter((name) => metrics.has(name)).map(card)),
    h(
      "dl",
      { class: "rest" },
      rest.map((name) =>
        h("div", { title: meaningOf(report, name) }, h("dt", {}, metricTitle(name)), h("dd", {}, shown(metrics.get(name)))),
      ),
    ),
    report.json.averages ? averagesTable(report) : null,
  ];
}

const atThreshold = (threshold) => (isNumber(threshold) ? `at scores of at least ${decimal(threshold)}` : "at any score");

// ---- Curves -------------------------------------------------------------------------------------------------------------------

const UNIT = { from: 0, to: 1 };
const CHART_HEIGHT = 290;

function pointText(point) {
  return [
    `score at least ${decimal(point.threshold)}`,
    `precision ${decimal(point.precision)}, recall ${decimal(point.recall)}, F1 ${decimal(point.f1)}`,
    `TP ${count(point.tp)}, FP ${count(point.fp)}, FN ${count(point.fn)}`,
  ].join("\n");
}

/** Hovering shows the nearest point, pressing and dragging chooses its threshold. */
function pickPoints(report, svg, nearest) {
  const choose = (event) => report.choose({ threshold: nearest(event).threshold });
  setAttributes(svg, {
    "data-own-tip": true,
    class: "plot pick",
    on: {
      pointermove: (event) => {
        const point = nearest(event);
        tip.show(pointText(point), event.clientX, event.clientY);
        if (event.buttons === 1) {
          choose(event);
        }
      },
      pointerleave: () => tip.hide(),
      click: choose,
    },
  });
}

const nearestOf = (points, distance) => points.reduce((best, point) => (distance(point) < distance(best) ? point : best));

function drawThresholdPlot(report, curve, width) {
  const { points } = curve;
  const x = { ...report.scoreRange, title: "score threshold" };
  const chart = plot({
    width,
    height: CHART_HEIGHT,
    x,
    y: { ...UNIT, title: "share" },
    label: "Precision, recall and F1 against the score threshold",
  });
  for (const name of ["precision", "recall", "f1"]) {
    const line = points.map((point) => [point.threshold, point[name]]);
    chart.svg.append(s("path", { class: `line ${name}`, d: linePath(line, chart.px, chart.py) }));
  }
  if (report.threshold !== null) {
    const at = chart.px(report.threshold);
    chart.svg.append(s("line", { class: "marker", x1: at, x2: at, y1: chart.top, y2: chart.bottom }));
  }
  pickPoints(report, chart.svg, (event) => {
    const value = chart.valueAt(event);
    return nearestOf(points, (point) => Math.abs(point.threshold - value));
  });
  return chart.svg;
}

function drawPrecisionRecallPlot(report, curve, width) {
  const { points } = curve;
  const axes = { x: { ...UNIT, title: "recall" }, y: { ...UNIT, title: "precision" } };
  const chart = plot({ width, height: CHART_HEIGHT, ...axes, label: "Precision against recall" });
  chart.svg.append(
    s("path", {
      class: "line pr",
      d: linePath(
        points.map((p) => [p.recall, p.precision]),
        chart.px,
        chart.py,
      ),
    }),
  );
  const point = report.chosenClass === null ? report.overallPoint() : (report.pointOf(report.chosenClass) ?? {});
  if (isNumber(point.recall) && isNumber(point.precision)) {
    chart.svg.append(s("circle", { class: "dot", cx: chart.px(point.recall), cy: chart.py(point.precision), r: 6 }));
  }
  pickPoints(report, chart.svg, (event) => {
    const box = chart.svg.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) * width) / box.width, ((event.clientY - box.top) * CHART_HEIGHT) / box.height];
    return nearestOf(points, (p) => Math.hypot(chart.px(p.recall ?? 0) - x, chart.py(p.precision ?? 0) - y));
  });
  return chart.svg;
}

function drawCurves(report) {
  if (!report.overallCurve?.points.length) {
    return [empty(`${whyNoCurves(report)}, so there is nothing to draw.`)];
  }
  const whenDrawable = (draw) => (width) => {
    const curve = report.curveOf(report.chosenClass);
    return curve?.points.length ? draw(report, curve, width) : empty("No predictions of this class that count.");
  };
  const plots = [responsive(whenDrawable(drawThresholdPlot)), responsive(whenDrawable(drawPrecisionRecallPlot))];
  const names = [...report.curveJson.keys()];
  const option = (name) => h("option", { value: names.indexOf(name), title: name }, shortName(nameText(name), 60));
  const select = h(
    "select",
    { id: "curve-class", on: { change: () => report.choose({ chosenClass: names[select.value] ?? null }) } },
    h("option", { value: -1 }, "all classes together"),
    [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true })).map(option),
  );
  report.listeners.push(() => {
    select.value = report.chosenClass === null ? -1 : names.indexOf(report.chosenClass);
    plots.forEach((host) => host.redraw());
  });
  return [
    h("label", { class: "control" }, "Class ", select),
    h(
      "div",
      { class: "pair" },
      figure(
        "Against the threshold",
        "Press in either chart to choose the threshold there.",
        plots[0],
        legend(["precision", "precision"], ["recall", "recall"], ["f1", "F1"]),
      ),
      figure("Precision and recall", "The dot is the chosen threshold.", plots[1]),
    ),
  ];
}

const shortName = (name, length) => {
  const letters = [...name];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : name;
};

// ---- Classes ------------------------------------------------------------------------------------------------------------------

function drawClasses(report) {
  const occurs = ({ truths, predictions }) => truths !== 0 || predictions !== 0;
  const rows = [...report.classes.keys()].filter((name) => occurs(report.classes.get(name)));
  if (rows.length === 0) {
    return [empty("The evaluation has no classes with truths or predictions.")];
  }
  const absent = report.classes.size - rows.length;
  const fixed = (title, key, text, extra = {}) => ({ title, tip: text, value: (name) => report.classes.get(name)[key], ...extra });
  const live = (title, key, text, extra = {}) => ({ title, tip: text, value: (name) => report.pointOf(name)[key], ...extra });
  const bars = (column, kind) => ({ ...column, cell: (name) => barCell(column.value(name), kind) });
  const chooseClass = (name) =>
    h(
      "button",
      {
        type: "button",
        class: "name link",
        title: `${name}: show its curves`,
        on: {
          click: () => {
            report.choose({ chosenClass: name });
            document.getElementById("curves").scrollIntoView();
          },
        },
      },
      nameText(name),
    );
  const canChoose = (name) => report.curveJson.has(name);
  const all = [
    { title: "Class", isText: true, value: (name) => name, cell: (name) => (canChoose(name) ? chooseClass(name) : nameCell(name)) },
    fixed("Truths", "truths", "How often the class is in the truth", { format: count }),
    fixed("Predictions", "predictions", "Predictions of any score", { format: count }),
    bars(fixed("AP", "AP", meaningOf(report, "AP")), "ap"),
    bars(fixed("AP 50", "AP_50", meaningOf(report, "AP_50")), "ap"),
    bars(live("Precision", "precision", "Share of the predictions that are right, at the chosen threshold"), "precision"),
    bars(live("Recall", "recall", "Share of the truths that are found, at the chosen threshold"), "recall"),
    bars(live("F1", "f1", "Harmonic mean of both, at the chosen threshold"), "f1"),
    live("TP", "tp", "True positives: predictions that are right, at the chosen threshold", { format: count }),
    live("FP", "fp", "False positives: predictions that are wrong, at the chosen threshold", { format: count }),
    live("FN", "fn", "False negatives: truths that were missed, at the chosen threshold", { format: count }),
    bars(fixed("ROC AUC", "roc_auc", METRICS.get("roc_auc")), "ap"),
    bars(fixed("Average precision", "average_precision", METRICS.get("average_precision")), "ap"),
    fixed("Best threshold", "best_threshold", "Where the F1 of this class is best"),
    fixed("Best F1", "best_f1", "F1 at that threshold"),
  ];
  const has = (column) => rows.some((name) => column.value(name) !== undefined);
  const table = dataTable({
    caption: "Numbers of each class",
    columns: all.filter(has),
    rows,
    name: ["class", "classes"],
    sortBy: 1,
    canSearch: true,
  });
  report.listeners.push(table.refresh);
  return [
    h(
      "p",
      { class: "note" },
      "Precision to FN follow the threshold chosen above; away from the evaluation's own they are read from curves of a few hundred points a class.",
      absent > 0 ? ` ${plural(absent, "class has", "classes have")} neither truths nor predictions and no row.` : "",
    ),
    table.element,
  ];
}

// ---- Confusion ----------------------------------------------------------------------------------------------------------------

const CONFUSION_SIZES = [10, 20, 40, 80];
const TOP_CONFUSIONS = 15;

/** Counts by truth and prediction, background last; sums of rows and columns; errors of each class. */
function confusionOf({ classes, cells }) {
  const background = classes.length;
  const zeros = () => new Array(background + 1).fill(0);
  const result = { classes, cells, background, ofTruth: zeros(), ofPrediction: zeros(), errors: zeros() };
  for (const [truth, predicted, n] of cells) {
    result.ofTruth[truth] += n;
    result.ofPrediction[predicted] += n;
    if (truth !== predicted) {
      result.errors[truth] += n;
      result.errors[predicted] += n;
    }
  }
  return result;
}

/** The `size` classes with most errors, in their order; then all others as one, where there are any; then the background. */
function confusionLines(confusion, size) {
  const ranked = confusion.classes.map((_, i) => i).sort((a, b) => confusion.errors[b] - confusion.errors[a] || a - b);
  const kept = ranked.slice(0, size);
  const lines = kept.map((index) => ({ name: nameText(confusion.classes[index]), isClass: true }));
  const lineOf = new Array(confusion.background + 1);
  kept.forEach((index, line) => (lineOf[index] = line));
  if (ranked.length > size) {
    ranked.slice(size).forEach((index) => (lineOf[index] = lines.length));
    lines.push({ name: `the other ${count(ranked.length - size)}`, isClass: false });
  }
  lineOf[confusion.background] = lines.length;
  lines.push({ name: "background", isClass: false, isBackground: true });
  const counts = lines.map(() => new Array(lines.length).fill(0));
  confusion.cells.forEach(([truth, predicted, n]) => (counts[lineOf[truth]][lineOf[predicted]] += n));
  return { lines, counts, ofTruth: counts.map(sum) };
}

function cellText({ lines, counts, ofTruth }, row, column) {
  const n = counts[row][column];
  const what = lines[row].isBackground
    ? `nothing there, predicted as ${lines[column].name}`
    : lines[column].isBackground
      ? `${lines[row].name}, not found`
      : `${lines[row].name}, predicted as ${lines[column].name}`;
  return `${what}\n${count(n)} · ${percent(n, ofTruth[row])} of the row`;
}

/** Moves a cursor over the cells by pointer and by arrow keys. */
function cellCursor(svg, grid, place, size) {
  const cursor = s("rect", { class: "cursor", width: size, height: size, visibility: "hidden" });
  const last = grid.lines.length - 1;
  const at = { row: 0, column: 0 };
  const point = (row, column, x, y) => {
    Object.assign(at, { row, column });
    setAttributes(cursor, { x: place.x(column), y: place.y(row), visibility: "visible" });
    tip.show(cellText(grid, row, column), x, y);
  };
  const pointByKey = () => {
    point(at.row, at.column, 0, 0);
    const box = cursor.getBoundingClientRect();
    tip.show(cellText(grid, at.row, at.column), box.right, box.bottom);
  };
  const hide = () => {
    cursor.setAttribute("visibility", "hidden");
    tip.hide();
  };
  const within = (value) => Math.min(last, Math.max(0, value));
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  svg.append(cursor);
  setAttributes(svg, {
    on: {
      pointermove: (event) => {
        const box = svg.getBoundingClientRect();
        const column = place.index(event.clientX - box.left - place.left);
        const row = place.index(event.clientY - box.top - place.top);
        if (row === null || column === null) {
          hide();
        } else {
          point(row, column, event.clientX, event.clientY);
        }
      },
      pointerleave: hide,
      blur: hide,
      keydown: (event) => {
        const move = moves[event.key];
        if (move) {
          event.preventDefault();
          [at.row, at.column] = [within(at.row + move[0]), within(at.column + move[1])];
          pointByKey();
        }
      },
    },
  });
}

const LABEL_LETTERS = 18;
const BACKGROUND_GAP = 5;
const LEAST_SIZE_WITH_TEXT = 26;

function drawHeatMap(grid, isShare, width) {
  const { lines, counts, ofTruth } = grid;
  const left = Math.min(130, Math.floor(width * 0.31));
  const top = 118;
  const size = Math.max(9, Math.min(34, Math.floor((width - left - BACKGROUND_GAP - 2) / lines.length)));
  const letters = Math.floor(Math.min(LABEL_LETTERS, left / 6.6));
  const offset = (i) => i * size + (lines[i].isBackground ? BACKGROUND_GAP : 0);
  const extent = lines.length * size + BACKGROUND_GAP;
  const place = {
    left,
    top,
    x: (column) => left + offset(column),
    y: (row) => top + offset(row),
    index: (distance) => {
      const i = lines.findIndex((_, k) => distance >= offset(k) && distance < offset(k) + size);
      return i < 0 ? null : i;
    },
  };
  const svg = s("svg", {
    class: "heat",
    width: left + extent,
    height: top + extent,
    tabindex: "0",
    role: "img",
    "data-own-tip": true,
    "aria-label":
      "Confusion matrix: rows are truths, columns predictions. Arrow keys read the cells; the most frequent confusions are listed beside it.",
  });
  svg.append(s("rect", { class: "ground", x: left, y: top, width: extent, height: extent }));
  const greatest = Math.max(1, ...counts.map((row) => Math.max(...row)));
  counts.forEach((row, i) =>
    row.forEach((n, k) => {
      if (n === 0) {
        return;
      }
      const strength = isShare ? n / ofTruth[i] : Math.log1p(n) / Math.log1p(greatest);
      const kind = i === k && lines[i].isClass ? "right" : !lines[i].isClass && i === k ? "mixed" : "wrong";
      const box = { x: place.x(k), y: place.y(i), width: size - 1, height: size - 1 };
      svg.append(s("rect", { class: kind, ...box, "fill-opacity": rounded(10 * (0.08 + 0.92 * Math.sqrt(strength))) / 10 }));
      if (size >= LEAST_SIZE_WITH_TEXT) {
        const text = isShare ? (strength < 0.005 ? "<1" : Math.round(100 * strength)) : n > 9999 ? `${Math.round(n / 1000)}k` : n;
        const middle = { x: box.x + size / 2 - 0.5, y: box.y + size / 2 + 3.5 };
        svg.append(
          s("text", { class: strength > 0.3 ? "value strong" : "value", "text-anchor": "middle", ...middle }, String(text)),
        );
      }
    }),
  );
  lines.forEach((line, i) => {
    const middle = offset(i) + size / 2 + 3.5;
    const attributes = { class: line.isClass ? null : "special", style: { "font-size": `${Math.min(11, size)}px` } };
    svg.append(
      s("text", { ...attributes, x: left - 5, y: top + middle, "text-anchor": "end" }, shortName(line.name, letters)),
      s(
        "text",
        { ...attributes, transform: `translate(${left + middle} ${top - 5}) rotate(-90)` },
        shortName(line.name, LABEL_LETTERS),
      ),
    );
  });
  svg.append(s("text", { class: "axis", x: 0, y: top - 8 }, "truth ↓"), s("text", { class: "axis", x: 0, y: 12 }, "predicted →"));
  cellCursor(svg, grid, place, size - 1);
  return svg;
}

function topConfusions(confusion) {
  const { classes, background } = confusion;
  const wrong = confusion.cells.filter(
    ([truth, predicted]) => truth !== predicted && truth !== background && predicted !== background,
  );
  if (wrong.length === 0) {
    return empty("No class is taken for another.");
  }
  const top = [...wrong].sort((a, b) => b[2] - a[2]).slice(0, TOP_CONFUSIONS);
  const item = ([truth, predicted, n]) =>
    h(
      "li",
      {},
      h(
        "span",
        { class: "pair-name" },
        nameCell(classes[truth]),
        h("span", { "aria-label": "taken for" }, " → "),
        nameCell(classes[predicted]),
      ),
      h("span", { class: "amount" }, `${count(n)} · ${percent(n, confusion.ofTruth[truth])}`),
    );
  return h(
    "div",
    {},
    h("h3", {}, "Most frequent confusions"),
    h(
      "p",
      { class: "note" },
      `Truth → prediction, how often, and of how many truths of that class. ${count(top.length)} of ${plural(wrong.length, "pair")}.`,
    ),
    h("ol", { class: "confusions" }, top.map(item)),
  );
}

function drawConfusion(report) {
  const { confusion: json } = report.json;
  if (!json?.classes?.length || !json.cells?.length) {
    return [empty("Nothing to confuse: there are neither truths nor predictions at this threshold.")];
  }
  const confusion = confusionOf(json);
  const total = confusion.classes.length;
  const choice = { size: Math.min(20, total), isShare: true };
  const grids = new Map();
  const gridOf = (size) => grids.get(size) ?? grids.set(size, confusionLines(confusion, size)).get(size);
  const host = responsive((width) => drawHeatMap(gridOf(choice.size), choice.isShare, width));
  const sizes = [...CONFUSION_SIZES.filter((size) => size < total), ...(total <= 80 ? [total] : [])];
  const sizeText = (size) => (size === total ? `all ${count(size)}` : `${size} of ${count(total)} with most errors`);
  const size = h(
    "select",
    { on: { change: () => ((choice.size = Number(size.value)), host.redraw()) } },
    sizes.map((n) => h("option", { value: n, selected: n === choice.size }, sizeText(n))),
  );
  const colour = h(
    "select",
    { on: { change: () => ((choice.isShare = colour.value === "share"), host.redraw()) } },
    h("option", { value: "share" }, "share of the row, in %"),
    h("option", { value: "count" }, "count"),
  );
  const found = sum(json.cells.filter(([t, p]) => t === p).map(([, , n]) => n));
  return [
    h(
      "p",
      { class: "note" },
      report.isOfImages
        ? `What images are and what they are called, ${atThreshold(json.threshold)}: ${count(found)} rightly, ` +
            `${count(sum(json.cells.map(([, , n]) => n)) - found)} errors. ` +
            (report.evaluation.protocol === "multi_label"
              ? "The last row is classes that images are wrongly called, the last column classes that were missed."
              : "The last column is images that are called nothing.")
        : "The truths and predictions that count in precision and recall, paired whatever their class " +
            `from IoU ${json.iou ?? "–"}, ${atThreshold(json.threshold)}: ${count(found)} pairs of one class, ${count(sum(json.cells.map(([, , n]) => n)) - found)} errors. ` +
            "The last row is predictions where there is nothing, the last column truths that were not found.",
    ),
    h(
      "div",
      { class: "controls" },
      h("label", { class: "control" }, "Classes ", size),
      h("label", { class: "control" }, "Colour ", colour),
    ),
    h("div", { class: "heat-and-list" }, scroller("Confusion matrix", host), topConfusions(confusion)),
  ];
}

// ---- Errors -------------------------------------------------------------------------------------------------------------------

const ERRORS = new Map([
  [
    "classification",
    ["Well placed, wrong class.", "See the confusions above: sharpen or merge classes, or add examples of the pairs."],
  ],
  [
    "localization",
    ["Right class, but the place is off.", "See how tightly the truth is drawn; try a larger input or tiles for small objects."],
  ],
  ["both", ["On some truth, but wrong in class and place.", "Mend the two kinds above first; these often go with them."]],
  ["duplicate", ["Once more on a truth that was found already.", "Suppress overlaps more strictly: a lower --nms when labelling."]],
  [
    "background",
    [
      "On nothing that the truth knows.",
      "Look at some: the truth may lack them. If not, raise the threshold or train on such images as empty.",
    ],
  ],
  [
    "missed",
    ["A truth that no prediction comes near.", "Label with a lower --floor, a larger input or tiles; train on more such examples."],
  ],
]);

function drawErrors(report) {
  const { errors } = report.json;
  const kinds = [...entriesOf(errors?.kinds)].sort(([, a], [, b]) => (b.ap_cost ?? 0) - (a.ap_cost ?? 0));
  if (kinds.length === 0) {
    return [empty("Errors were not told apart by kind in this evaluation.")];
  }
  if (kinds.every(([, kind]) => !kind.predictions && !kind.truths)) {
    return [empty("No errors at all at this threshold.")];
  }
  const ap = apNameIn(errors) ?? "AP";
  const greatest = Math.max(1e-9, ...kinds.map(([, kind]) => kind.ap_cost ?? 0));
  const row = ([name, kind]) => {
    const [meaning, remedy] = ERRORS.get(name) ?? ["", ""];
    const width = `${rounded((100 * (kind.ap_cost ?? 0)) / greatest)}%`;
    return h(
      "li",
      {},
      h("h3", {}, words(name)),
      h(
        "div",
        { class: "cost" },
        h("span", { class: "bar wide" }, h("i", { class: "fp", style: { width } })),
        h("b", {}, shown(kind.ap_cost), ` ${words(ap)}`),
      ),
      h("p", { class: "amount" }, `${plural(kind.predictions ?? 0, "prediction")}, ${plural(kind.truths ?? 0, "truth")}`),
      h("p", {}, h("strong", {}, meaning), " ", remedy),
    );
  };
  return [
    h(
      "p",
      { class: "note" },
      `What ${words(ap)} (now ${decimal(errors[ap])}), which counts predictions of every score, would gain if one kind of error, `,
      "whatever its score, and nothing else were mended. ",
      ap.startsWith("coco_") ? `${meaningOf(report, ap)}. ` : "",
      `Without any false positive it would gain ${decimal(errors.false_positive_cost)}, with nothing missed ${decimal(errors.false_negative_cost)}. `,
      `How many predictions are wrong and truths lost is counted ${atThreshold(errors.threshold)}.`,
    ),
    h("ul", { class: "errors" }, kinds.map(row)),
  ];
}

// ---- Scores -------------------------------------------------------------------------------------------------------------------

function drawReliabilityPlot(bins, width) {
  const axes = { x: { ...UNIT, title: "score" }, y: { ...UNIT, title: "share that is right" } };
  const chart = plot({ width, height: CHART_HEIGHT, ...axes, label: "Share of right predictions against their score" });
  const most = Math.max(1, ...bins.map((bin) => bin.predictions));
  const place = chart;
  chart.svg.append(s("line", { class: "diagonal", x1: place.px(0), y1: place.py(0), x2: place.px(1), y2: place.py(1) }));
  for (const bin of bins.filter(({ accuracy, mean_score: score }) => isNumber(accuracy) && isNumber(score))) {
    const text =
      `scores ${tickText(bin.from)} to ${tickText(bin.to)}: ${plural(bin.predictions, "prediction")}\n` +
      `mean score ${decimal(bin.mean_score)}, ${decimal(bin.accuracy)} right`;
    const [left, right] = [place.px(bin.from) + 1, place.px(bin.to) - 1];
    const at = place.py(bin.accuracy);
    const dot = { cx: place.px(bin.mean_score), cy: at, r: rounded(3 + 7 * Math.sqrt(bin.predictions / most)) };
    chart.svg.append(
      s(
        "g",
        { "data-tip": text },
        s("rect", { class: "reach", x: left, y: place.top, width: right - left, height: place.bottom - place.top }),
        s("rect", { class: "column", x: left, y: at, width: right - left, height: place.bottom - at }),
        s("line", { class: "gap", x1: dot.cx, x2: dot.cx, y1: at, y2: place.py(bin.mean_score) }),
        s("circle", { class: "dot", ...dot }),
      ),
    );
  }
  return chart.svg;
}

function calibrationFigure(calibration) {
  const bins = calibration?.bins ?? [];
  const predictions = sum(bins.map((bin) => bin.predictions ?? 0));
  if (predictions === 0) {
    return figure("Reliability", null, empty("No predictions with a score between 0 and 1."));
  }
  const filled = bins.filter((bin) => isNumber(bin.accuracy) && isNumber(bin.mean_score));
  const lean = sum(filled.map((bin) => bin.predictions * (bin.mean_score - bin.accuracy))) / predictions;
  const verdict =
    Math.abs(lean) < 0.02
      ? "On the whole scores are neither too high nor too low."
      : `Scores are too ${lean > 0 ? "high" : "low"} by ${decimal(Math.abs(lean))} on average.`;
  const outside =
    calibration.scores_outside > 0
      ? ` ${plural(calibration.scores_outside, "score lies", "scores lie")} outside 0 to 1 and in no bin.`
      : "";
  return figure(
    "Do scores mean what they say?",
    `Of predictions with a score of 0.7, seven in ten should be right: dots on the diagonal, the larger the more predictions. Expected calibration error ${decimal(calibration.expected_error)}, greatest ${decimal(calibration.greatest_error)}. ${verdict}${outside}`,
    responsive((width) => drawReliabilityPlot(bins, width)),
  );
}

function drawHistogram({ from, to, tp, fp }, xTitle, isLogarithmic, width) {
  const greatest = Math.max(1, ...tp, ...fp);
  const x = { from, to, title: xTitle };
  const logTicks = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7].filter((value) => value <= greatest);
  const y = isLogarithmic
    ? { title: "predictions", ticks: [0, ...logTicks], at: (value) => Math.log1p(value) / Math.log1p(greatest) }
    : { from: 0, to: greatest, title: "predictions" };
  const chart = plot({
    width,
    height: CHART_HEIGHT,
    x,
    y,
    label: `How often each ${xTitle} occurs among right and false predictions`,
  });
  const step = (to - from) / tp.length;
  tp.forEach((right, i) => {
    const [least, most] = [from + i * step, from + (i + 1) * step];
    const [left, end] = [chart.px(least) + 1, chart.px(most) - 1];
    const half = (end - left) / 2;
    const text = `${xTitle} ${tickText(least)} to ${tickText(most)}\n${count(right)} right, ${count(fp[i])} false`;
    const column = (kind, value, at) => {
      const y1 = chart.py(value);
      return s("rect", { class: kind, x: rounded(at), y: y1, width: rounded(half), height: rounded(chart.bottom - y1) });
    };
    chart.svg.append(
      s(
        "g",
        { "data-tip": text },
        s("rect", { class: "reach", x: left - 1, y: chart.top, width: end - left + 2, height: chart.bottom - chart.top }),
        column("tp", right, left),
        column("fp", fp[i], left + half),
      ),
    );
  });
  return chart.svg;
}

function histogramFigure(title, note, histogram, xTitle, choice) {
  if (!histogram?.tp?.length || sum(histogram.tp) + sum(histogram.fp) === 0) {
    return { element: figure(title, note, empty("No predictions at all.")), redraw: () => {} };
  }
  const host = responsive((width) => drawHistogram(histogram, xTitle, choice.isLogarithmic, width));
  return { element: figure(title, note, host, legend(["tp", "true positives"], ["fp", "false positives"])), redraw: host.redraw };
}

function drawScores(report) {
  const { calibration, distributions } = report.json;
  const choice = { isLogarithmic: false };
  const histograms = [
    histogramFigure(
      "Scores of right and false predictions",
      "The further apart, the better a threshold separates them.",
      distributions?.confidence,
      "score",
      choice,
    ),
    ...(report.isOfImages
      ? []
      : [
          histogramFigure(
            "Overlap with the truth",
            "Just below the IoU of a hit lie the near misses.",
            distributions?.iou,
            "IoU",
            choice,
          ),
        ]),
  ];
  const toggle = h("input", {
    type: "checkbox",
    on: {
      change: () => {
        choice.isLogarithmic = toggle.checked;
        histograms.forEach(({ redraw }) => redraw());
      },
    },
  });
  return [
    h("label", { class: "control" }, toggle, " Logarithmic counts"),
    h(
      "div",
      { class: "pair three" },
      calibrationFigure(calibration),
      histograms.map(({ element }) => element),
    ),
  ];
}

// ---- Intervals and scenarios --------------------------------------------------------------------------------------------------

/** A value between 0 and 1 on a line, with its interval as a whisker. */
function whiskerCell(value, interval, kind) {
  if (!isNumber(value)) {
    return shown(value);
  }
  const at = (v) => rounded(4 + 72 * Math.min(1, Math.max(0, v)));
  const text = interval
    ? `${decimal(value)}, interval ${decimal(interval[0])} to ${decimal(interval[1])}`
    : `${decimal(value)}, no interval`;
  const whisker = interval
    ? [
        s("line", { class: `whisker ${kind}`, x1: at(interval[0]), x2: at(interval[1]), y1: 9, y2: 9 }),
        ...interval.map((end) => s("line", { class: `whisker ${kind}`, x1: at(end), x2: at(end), y1: 5, y2: 13 })),
      ]
    : [];
  return h(
    "span",
    { class: "whisker-cell", "data-tip": text },
    decimal(value),
    s(
      "svg",
      { width: 80, height: 18, role: "img", "aria-label": text },
      s("line", { class: "grid", x1: 4, x2: 76, y1: 9, y2: 9 }),
      whisker,
      s("circle", { class: `point ${kind}`, cx: at(value), cy: 9, r: 3.5 }),
    ),
  );
}

/** The share of the samples that says most. */
const mainShare = (report) => (report.evaluation.protocol === "multi_label" ? "exact_match" : "accuracy");

/** The other shares of the samples, with their intervals. */
function sharesText(report, { metrics, intervals }) {
  const others = ["accuracy", "exact_match", "top_2", "top_3", "top_4", "top_5"].filter(
    (name) => name !== mainShare(report) && isNumber(metrics?.[name]),
  );
  const text = (name) => {
    const interval = intervals?.[name];
    const ends = interval ? ` (${decimal(interval[0])} to ${decimal(interval[1])})` : "";
    return `${metricTitle(name)} ${decimal(metrics[name])}${ends}`;
  };
  return others.length > 0 ? h("p", {}, `All classes together: ${others.map(text).join(", ")}.`) : null;
}

/** Columns of rows that have `metrics` and `intervals`, called as in `numbers`. */
function pointColumns(report, numbers, metricOf) {
  const ap = apNameIn(numbers) ?? "AP_50";
  const ofImages = [mainShare(report)].filter((name) => name in (numbers ?? {}));
  const ofRanking = ["roc_auc"].filter((name) => name in (numbers ?? {}));
  return [...ofImages, ap, ...ofRanking, "precision", "recall", "f1"].map((key) => ({
    title: metricTitle(key),
    tip: meaningOf(report, key),
    value: (row) => metricOf(row)?.metrics?.[key],
    cell: (row) =>
      whiskerCell(
        metricOf(row)?.metrics?.[key],
        metricOf(row)?.intervals?.[key],
        ["precision", "recall", "f1"].includes(key) ? key : "ap",
      ),
  }));
}

function drawIntervals(report) {
  const { intervals } = report.json;
  if (!intervals) {
    return [empty("No intervals were asked for. They say how much the numbers of each class would change with other images.")];
  }
  const ofClass = (name) => (name === null ? intervals.overall : intervals.per_class[name]);
  const isInteresting = (name) => Object.values(ofClass(name).metrics ?? {}).some(isNumber);
  const table = dataTable({
    caption: "Numbers of each class with their intervals",
    columns: [
      {
        title: "Class",
        isText: true,
        value: (name) => name ?? "",
        cell: (name) => (name === null ? h("strong", {}, "all classes together") : nameCell(name)),
      },
      { title: "Truths", value: (name) => (name === null ? null : report.classes.get(name)?.truths), format: count },
      ...pointColumns(report, intervals.overall?.metrics, ofClass),
    ],
    rows: [null, ...Object.keys(intervals.per_class ?? {}).filter(isInteresting)],
    name: ["row"],
    canSearch: true,
  });
  return [
    h(
      "p",
      { class: "note" },
      `${rounded(100 * (intervals.confidence ?? 0))} % intervals from ${count(intervals.resamples)} draws of the images with ` +
        `replacement, ${atThreshold(intervals.threshold)}. A class of few images has wide ones, and one on a ` +
        "single image one without width, since nothing else can be drawn: their numbers say little yet.",
    ),
    table.element,
    sharesText(report, intervals.overall ?? {}),
  ].filter((node) => node !== null);
}

function drawScenarios(report) {
  const rows = report.json.scenarios ?? [];
  if (rows.length === 0) {
    return [empty("No scenarios were asked for. A scenario is a view of the samples or labels, measured on its own.")];
  }
  const table = dataTable({
    caption: "Numbers of each scenario",
    columns: [
      {
        title: "Scenario",
        isText: true,
        value: (row) => row.name,
        cell: (row) => [nameCell(row.name), h("code", { class: "where" }, row.where)],
      },
      { title: "Samples", value: (row) => row.samples, format: count },
      { title: "Truths", value: (row) => row.truths, format: count },
      { title: "Predictions", value: (row) => row.predictions, format: count },
      ...(rows.some((row) => row.metrics?.mAP !== undefined)
        ? [{ title: "mAP", value: (row) => row.metrics?.mAP, cell: (row) => whiskerCell(row.metrics?.mAP, null, "ap") }]
        : []),
      ...pointColumns(report, rows[0].metrics, (row) => row),
    ],
    rows,
    name: ["scenario"],
  });
  return [
    h("p", { class: "note" }, "At the evaluation's threshold. Where two whiskers overlap widely, the difference may be chance."),
    table.element,
  ];
}

// ---- Comparison ---------------------------------------------------------------------------------------------------------------

const differenceCell = (value) =>
  isNumber(value) ? h("span", { class: value > 0 ? "better" : value < 0 ? "worse" : "same" }, signed(value)) : shown(value);

function certainty({ difference, interval }) {
  if (!interval || !isNumber(difference)) {
    return "";
  }
  const isClear = interval[0] > 0 || interval[1] < 0;
  return isClear ? (difference > 0 ? "clearly better" : "clearly worse") : "may be chance";
}

function drawComparison(report) {
  const { comparison } = report.json;
  if (!comparison) {
    return [empty("Nothing was compared with. Another set of predictions can be measured on the same samples.")];
  }
  const of = (title, value, extra = {}) => ({ title, value, ...extra });
  const interval = ([, row]) => (row.interval ? `${signed(row.interval[0])} to ${signed(row.interval[1])}` : shown(null));
  const difference = (title, value) => of(title, value, { cell: (row) => differenceCell(value(row)) });
  /** The difference with its interval. */
  const ofDrawn = (title, key) =>
    of(title, ([, row]) => row[key]?.difference, {
      cell: ([, row]) => [
        differenceCell(row[key]?.difference),
        row[key]?.interval
          ? h("span", { class: "note" }, ` ${signed(row[key].interval[0])} to ${signed(row[key].interval[1])}`)
          : "",
      ],
    });
  const metrics = dataTable({
    caption: "Numbers of both sets",
    columns: [
      of("Number", ([name]) => metricTitle(name), {
        isText: true,
        cell: ([name]) => h("span", { title: meaningOf(report, name) }, metricTitle(name)),
      }),
      of("This", ([, row]) => row.this),
      of("Other", ([, row]) => row.other),
      difference("Difference", ([, row]) => row.difference),
      of("Interval", ([, row]) => row.interval?.[0], { cell: interval }),
      of("Verdict", ([, row]) => certainty(row), { isText: true }),
    ],
    rows: Object.entries(comparison.metrics ?? {}),
    name: ["number"],
  });
  const classes = Object.entries(comparison.per_class ?? {});
  const ap = apNameIn(comparison.metrics);
  const atIou = classes.some(([, row]) => row[ap] !== undefined)
    ? [
        of(`${words(ap)}, this`, ([, row]) => row[ap]?.this),
        of(`${words(ap)}, other`, ([, row]) => row[ap]?.other),
        ofDrawn(`${words(ap)}, difference`, ap),
      ]
    : [];
  const ofClass = (title, key, part) => of(title, ([, row]) => row[key]?.[part]);
  const perClass = dataTable({
    caption: "Both sets, class by class",
    columns: [
      of("Class", ([name]) => name, { isText: true, cell: ([name]) => nameCell(name) }),
      ...(report.isOfImages
        ? []
        : [
            ofClass("AP, this", "AP", "this"),
            ofClass("AP, other", "AP", "other"),
            difference("AP, difference", ([, row]) => row.AP?.difference),
          ]),
      ...atIou,
      ofClass("F1, this", "f1", "this"),
      ofClass("F1, other", "f1", "other"),
      ofDrawn("F1, difference", "f1"),
    ],
    rows: classes,
    name: ["class", "classes"],
    sortBy: 3,
    isDescending: false,
    canSearch: true,
  });
  return [
    h(
      "p",
      { class: "note" },
      "This set, ",
      h("strong", {}, report.evaluation.predictions ?? "predictions"),
      ", less the other, ",
      h("strong", {}, comparison.predictions ?? "predictions"),
      ", on the same samples: above 0 this one is better. Intervals come from drawing the images anew" +
        (report.isOfImages
          ? "."
          : ", on which only numbers at the evaluation's one IoU are counted again; average precision over several IoUs, or by " +
            "another protocol's rules, has none."),
    ),
    metrics.element,
    classes.length > 0
      ? h("div", {}, h("h3", {}, "Class by class, losses first"), perClass.element)
      : empty("No class was compared."),
  ];
}

// ---- Worst images -------------------------------------------------------------------------------------------------------------

/** What a label can be: its key, its name, whether it is shown at first. */
const LABEL_KINDS = [
  { key: "fp", title: "false positives", text: "false positive", isShown: true },
  { key: "fn", title: "missed truths", text: "missed truth", isShown: true },
  { key: "tp", title: "true positives", text: "true positive", isShown: true },
  { key: "truth", title: "truths that were found", text: "truth that was found", isShown: false },
  { key: "ignored", title: "not counted", text: "not counted", isShown: true },
];

function labelKind({ role, outcome }) {
  const key = outcome === "ignored" ? "ignored" : role === "truth" && outcome === "tp" ? "truth" : outcome;
  return LABEL_KINDS.find((kind) => kind.key === key) ?? LABEL_KINDS.at(-1);
}

function labelText(label) {
  const parts = [
    `${nameText(label.class)} – ${labelKind(label).text}`,
    isNumber(label.score) ? `score ${decimal(label.score)}` : null,
    isNumber(label.iou) ? `IoU ${decimal(label.iou)}` : null,
    label.error ? `error: ${words(label.error)}` : null,
  ];
  return parts.filter(Boolean).join("\n");
}

/** Boxes over an image; the smaller ones on top, so that all can be pointed at. */
function overlay(image, canFocus) {
  const area = (label) => label.box[2] * label.box[3];
  const boxes = image.labels
    .filter((label) => label.box)
    .sort((a, b) => area(b) - area(a))
    .map((label) => {
      const [x, y, width, height] = label.box;
      const text = labelText(label);
      const box = { x, y, width, height };
      return s(
        "g",
        {
          class: `box ${labelKind(label).key}`,
          "data-tip": text,
          tabindex: canFocus ? "0" : null,
          role: "img",
          "aria-label": text.replaceAll("\n", ", "),
        },
        s("rect", { class: "halo", ...box }),
        s("rect", { class: "edge", ...box }),
      );
    });
  return s("svg", { class: "overlay", viewBox: `0 0 ${image.width} ${image.height}`, preserveAspectRatio: "none" }, boxes);
}

function picture(image, canFocus) {
  const isUsable = typeof image.thumbnail === "string" && image.thumbnail.startsWith("data:image/");
  return [
    isUsable ? h("img", { src: image.thumbnail, alt: "", decoding: "async" }) : h("span", { class: "no-picture" }, "no picture"),
    image.width > 0 && image.height > 0 ? overlay(image, canFocus) : null,
  ];
}

const ratioOf = (image) => (image.width > 0 && image.height > 0 ? image.width / image.height : 4 / 3);
const imageSummary = (image) => `${count(image.fp)} false, ${count(image.fn)} missed, ${count(image.tp)} right`;

function openViewer(image) {
  const viewer = document.getElementById("viewer");
  const labels = [...image.labels].sort((a, b) => LABEL_KINDS.indexOf(labelKind(a)) - LABEL_KINDS.indexOf(labelKind(b)));
  const row = (label) =>
    h(
      "tr",
      {},
      h("td", { class: "text" }, h("i", { class: `key box-key ${labelKind(label).key}` }), labelKind(label).text),
      h("td", { class: "text" }, nameCell(label.class)),
      h("td", {}, shown(label.score)),
      h("td", {}, shown(label.iou)),
      h("td", { class: "text" }, label.error ? words(label.error) : ""),
    );
  const head = ["what", "class", "score", "IoU", "error"].map((title, i) =>
    h("th", { scope: "col", class: i < 2 || i > 3 ? "text" : null }, title),
  );
  viewer.replaceChildren(
    h(
      "div",
      { class: "viewer-head" },
      h("h3", {}, image.name),
      h("button", { type: "button", autofocus: true, on: { click: () => viewer.close() } }, "Close"),
    ),
    h(
      "div",
      { class: "shot large", style: { "aspect-ratio": ratioOf(image), "max-width": `calc(${ratioOf(image)} * 70vh)` } },
      picture(image, true),
    ),
    h("p", { class: "note" }, `${imageSummary(image)} · F1 `, shown(image.f1)),
    labels.length > 0
      ? scroller("Labels of the image", h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, labels.map(row))))
      : empty("No labels."),
  );
  viewer.append(tip.element); // what is outside an open dialog lies below it
  viewer.showModal();
}

const ROW_HEIGHT = 215;

/** Of a label of the whole image. */
const callText = ({ role, class: name, score }) =>
  role === "truth" ? `is ${nameText(name)}` : `called ${nameText(name)}${isNumber(score) ? ` ${decimal(score, 2)}` : ""}`;

function imageCard(image) {
  const open = () => openViewer(image);
  const openByKey = (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
    }
  };
  // A row of images that grow by their ratios has one height.
  const ratio = Math.min(3, Math.max(0.6, ratioOf(image)));
  return h(
    "figure",
    { class: "image", style: { "flex-grow": ratio, "flex-basis": `${Math.round(ratio * ROW_HEIGHT)}px` } },
    h(
      "div",
      {
        class: "shot",
        role: "button",
        tabindex: "0",
        "aria-label": `${image.name}: ${imageSummary(image)}. Open.`,
        style: { "aspect-ratio": ratioOf(image) },
        on: { click: open, keydown: openByKey },
      },
      picture(image, false),
    ),
    h(
      "figcaption",
      {},
      h("span", { class: "name", title: image.name }, image.name),
      image.labels.some((label) => label.box)
        ? h("span", { class: "note" }, `${imageSummary(image)} · F1 `, shown(image.f1))
        : image.labels.map((label) => h("span", { class: "note", title: labelText(label) }, callText(label))),
    ),
  );
}

function drawWorst(report) {
  const images = report.json.worst ?? [];
  if (images.length === 0) {
    return [empty("No images to show: no sample was compared, or every one is right.")];
  }
  const grid = h("div", { class: "images" }, images.map(imageCard));
  const viewer = document.getElementById("viewer");
  const show = (key, isShown) => [grid, viewer].forEach((place) => place.classList.toggle(`without-${key}`, !isShown));
  const toggles = LABEL_KINDS.map(({ key, title, isShown }) => {
    show(key, isShown);
    const box = h("input", { type: "checkbox", checked: isShown, on: { change: () => show(key, box.checked) } });
    return h("label", { class: "control" }, box, h("i", { class: `key box-key ${key}` }), title);
  });
  viewer.addEventListener("close", () => {
    document.body.append(tip.element);
    tip.hide();
  });
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  return [
    h(
      "p",
      { class: "note" },
      report.isOfImages
        ? `The ${count(images.length)} with most errors, the surest first. Press an image to enlarge it.`
        : `The ${count(images.length)} with most errors, at the evaluation's threshold. Point at a box for its class, score and overlap; press an image to enlarge it.`,
    ),
    report.isOfImages ? null : h("div", { class: "controls", role: "group", "aria-label": "Boxes to show" }, toggles),
    grid,
  ];
}

// ---- The page -----------------------------------------------------------------------------------------------------------------

const SECTIONS = [
  { id: "metrics", title: "Numbers", draw: drawMetrics },
  { id: "curves", title: "Curves", draw: drawCurves },
  { id: "classes", title: "Classes", draw: drawClasses },
  { id: "confusion", title: "Confusion", draw: drawConfusion },
  { id: "errors", title: "Errors by kind", draw: drawErrors },
  { id: "scores", title: "Scores", draw: drawScores },
  { id: "intervals", title: "Intervals", draw: drawIntervals },
  { id: "scenarios", title: "Scenarios", draw: drawScenarios },
  { id: "comparison", title: "Comparison", draw: drawComparison },
  { id: "worst", title: "Worst images", draw: drawWorst },
];

/** Without overlaps there are no kinds of error. */
const sectionsOf = (report) => SECTIONS.filter(({ id }) => !report.isOfImages || id !== "errors");

function drawPage() {
  const report = new Report(JSON.parse(document.getElementById("document").textContent));
  followPointer();
  drawHead(report);
  drawOperating(report);
  const main = document.getElementById("main");
  for (const { id, title, draw } of sectionsOf(report)) {
    main.append(h("section", { id, "aria-labelledby": `${id}-title` }, h("h2", { id: `${id}-title` }, title), draw(report)));
  }
}

drawPage();
