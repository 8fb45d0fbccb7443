/**
 * All charts of a page: one clock draws those that are seen and changed, in turns, so that the page stays quick to
 * answer; one hover, one zoom and one view for all. What comes after a pause is drawn at once, but never do the charts
 * take more than a third of the time: few lines move five times a second, twenty runs on eight charts once.
 */

import { Chart } from "./chart.js";
import { loadPlotly } from "./library.js";
import { onThemeChange, readTheme } from "./theme.js";
import { Turns } from "./turns.js";
import { ViewState } from "./view_state.js";

const LOOK_MS = 50;
const SHORTEST_ROUND_MS = 200;
// With what the look may come late, a second.
const LONGEST_ROUND_MS = 900;
const REST = 2;

/**
 * @typedef {object} Source what the charts draw
 * @property {Record<string, import("./definitions.js").ChartDefinition>} definitions by the names in data-chart
 * @property {(metric: string) => import("./series.js").MetricSeries} seriesOf
 * @property {(metric: string, x: string) => ReturnType<import("./x_axis.js").xAxisOf>} axisOf
 * @property {() => import("./marks.js").Mark[]} marksOf
 * @property {(range: [number, number], from: string, to: string) => [number, number] | null} movedTo a zoom on another axis
 */

export class ChartGrid {
  view = ViewState.fromUrl();
  /** @type {Chart[]} */ charts;
  #theme = readTheme();
  // A finger that drags means to scroll the page.
  #canDrag = matchMedia("(pointer: fine)").matches;
  #source;
  #onZoom;
  #turns = new Turns();
  /** Charts that this round has yet to draw; each once, so that one that changes all the time holds up no other. */
  #numToDraw = 0;
  #roundBegan = 0;
  #nextRound = 0;

  /**
   * @param {HTMLElement} root
   * @param {Source} source
   * @param {(range: [number, number] | null) => void} onZoom
   */
  constructor(root, source, onZoom) {
    this.#source = source;
    this.#onZoom = onZoom;
    const figures = [...root.querySelectorAll("[data-chart]")];
    const { definitions, seriesOf } = source;
    this.charts = figures.map((figure) => new Chart(figure, definitions[figure.dataset.chart], seriesOf));
    this.#watchVisibility();
    // Once the page has chosen its tab. Where that is another, the library waits until a chart is seen.
    setTimeout(() => root.closest('[role="tabpanel"][hidden]') || this.#load());
    onThemeChange(() => {
      this.#theme = readTheme();
      this.markAll();
    });
    setInterval(() => performance.now() >= this.#nextRound && this.#tick(), LOOK_MS);
    document.addEventListener("visibilitychange", () => this.#tick());
  }

  #load() {
    loadPlotly(() => this.#tick());
  }

  /** Make room for the charts of these metrics before their points come, so that nothing moves then. */
  expect(metrics) {
    const known = new Set(metrics);
    this.#show(this.charts.filter((chart) => chart.metrics.some((metric) => known.has(metric))));
  }

  /** Draw other lines from now on. @param {Source["definitions"]} definitions */
  define(definitions) {
    for (const chart of this.charts) chart.definition = definitions[chart.name];
    this.markAll();
  }

  /** New points have come for these metrics. @param {Iterable<string>} metrics */
  mark(metrics) {
    const changed = new Set(metrics);
    for (const chart of this.charts) {
      if (chart.metrics.some((metric) => changed.has(metric))) chart.isDirty = true;
    }
    this.#reveal();
  }

  /** Everything is drawn anew, and as soon as may be: a reader waits for it. */
  markAll() {
    for (const chart of this.charts) chart.isDirty = true;
    this.#nextRound = 0;
    this.#reveal();
    this.#tick();
  }

  /** Look at the charts otherwise. @param {Partial<ViewState>} part */
  change(part) {
    const { x, range } = this.view;
    if (part.x && range) part = { ...part, range: this.#source.movedTo(range, x, part.x) };
    Object.assign(this.view, part);
    this.view.writeUrl();
    this.markAll();
    if ("range" in part) this.#onZoom(this.view.range);
  }

  /** How a chart is drawn now. @param {Chart} chart @returns {import("./figure.js").View} */
  viewOf(chart) {
    const { x, range, smoothing, log, clips, marks } = this.view;
    return {
      axisOf: (metric) => this.#source.axisOf(metric, x),
      range: range ?? this.#wholeRange(),
      smoothing,
      logY: log.has(chart.name),
      clips,
      canDrag: this.#canDrag,
      marks: marks ? this.#source.marksOf() : [],
      theme: this.#theme,
    };
  }

  /** Charts of what not every machine can tell are hidden until there is something, and so is a group of only such. */
  #reveal() {
    this.#show(this.charts.filter(({ hasPoints }) => hasPoints));
  }

  /** @param {Chart[]} charts */
  #show(charts) {
    for (const chart of charts) {
      if (!chart.figure.hidden) continue;
      chart.figure.hidden = false;
      const group = chart.figure.closest(".chart-group");
      if (group) group.hidden = false;
    }
  }

  #tick() {
    if (this.#numToDraw || document.visibilityState !== "visible" || !window.Plotly) return;
    const due = this.charts.filter(({ isDirty, isVisible, hasPoints }) => isDirty && isVisible && hasPoints);
    if (!due.length) return;
    this.#roundBegan = performance.now();
    this.#numToDraw = due.length;
    for (const chart of due) {
      this.#turns.add(`prepare ${chart.name}`, () => chart.prepare(this.viewOf(chart)));
      this.#turns.add(`draw ${chart.name}`, () => chart.draw());
      this.#turns.add(`finish ${chart.name}`, () => this.#finish(chart));
    }
  }

  /** @param {Chart} chart */
  async #finish(chart) {
    try {
      const hoverAgain = await chart.finish();
      if (hoverAgain) this.#turns.add(`hover ${chart.name}`, hoverAgain);
      chart.listen({
        hover: (place) => this.#hover(chart, place),
        zoom: (range) => this.change({ range }),
      });
    } finally {
      this.#numToDraw -= 1;
      if (!this.#numToDraw) this.#rest();
    }
  }

  /** From the end of a round on, twice as long as it took. */
  #rest() {
    const now = performance.now();
    const soonest = Math.max(this.#roundBegan + SHORTEST_ROUND_MS, now + REST * (now - this.#roundBegan));
    this.#nextRound = Math.min(this.#roundBegan + LONGEST_ROUND_MS, soonest);
  }

  /** The same for all charts, so that one step stands at one place everywhere. */
  #wholeRange() {
    const { x } = this.view;
    const ends = this.charts.flatMap(({ metrics }) => metrics.flatMap((metric) => {
      const { length, lastStep } = this.#source.seriesOf(metric);
      const axis = this.#source.axisOf(metric, x);
      return length ? [axis.placeOf(0), axis.placeOf(Math.max(1, lastStep))] : [];
    }));
    return [Math.min(...ends), Math.max(...ends)];
  }

  #hover(source, place) {
    for (const chart of this.charts) {
      if (chart !== source) this.#turns.add(`hover ${chart.name}`, () => chart.hoverAt(place));
    }
  }

  #watchVisibility() {
    const chartOf = (element) => this.charts.find((chart) => chart.figure.contains(element));
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) chartOf(entry.target).isVisible = entry.isIntersecting;
      if (entries.some(({ isIntersecting }) => isIntersecting)) this.#load();
      this.#tick();
    }, { rootMargin: "120px" });
    const sized = new ResizeObserver((entries) => {
      for (const entry of entries) if (entry.contentRect.width) chartOf(entry.target).resize();
    });
    for (const chart of this.charts) {
      seen.observe(chart.figure);
      sized.observe(chart.plot);
    }
  }
}
