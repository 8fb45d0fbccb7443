/**
 * All charts of a run: one clock draws those that are seen and changed, at most twice a second; one hover and one zoom
 * for all. Zoom, smoothing and the log axis stand in the URL.
 */

import { Chart } from "./chart.js";
import { CHARTS } from "./definitions.js";
import { onThemeChange, readTheme } from "./theme.js";

const REDRAW_MS = 500;
const DEFAULT_SMOOTHING = 0.6;

export class ChartGrid {
  #view = {
    logY: false,
    xRange: null,
    smoothing: DEFAULT_SMOOTHING,
    // A finger that drags means to scroll the page.
    canDrag: matchMedia("(pointer: fine)").matches,
    theme: readTheme(),
  };
  /** @type {Chart[]} */ #charts;
  #onZoom;

  /**
   * @param {HTMLElement} root
   * @param {(metric: string) => import("./series.js").MetricSeries} seriesOf
   * @param {(range: [number, number] | null) => void} onZoom
   */
  constructor(root, seriesOf, onZoom) {
    this.#onZoom = onZoom;
    const figures = [...root.querySelectorAll("[data-chart]")];
    this.#charts = figures.map((figure) => new Chart(figure, CHARTS[figure.dataset.chart], seriesOf));
    this.#readUrl();
    this.#watchVisibility();
    onThemeChange(() => {
      this.#view.theme = readTheme();
      this.markAll();
    });
    setInterval(() => this.#tick(), REDRAW_MS);
    document.addEventListener("visibilitychange", () => this.#tick());
  }

  get smoothing() {
    return this.#view.smoothing;
  }

  get logY() {
    return this.#view.logY;
  }

  get xRange() {
    return this.#view.xRange;
  }

  /** New points have come for these metrics. @param {Iterable<string>} metrics */
  mark(metrics) {
    const changed = new Set(metrics);
    for (const chart of this.#charts) {
      if (chart.definition.lines.some((line) => changed.has(line.metric))) chart.isDirty = true;
    }
    this.#reveal();
  }

  markAll() {
    for (const chart of this.#charts) chart.isDirty = true;
    this.#reveal();
    this.#tick();
  }

  /** Charts of what not every machine can tell are hidden until there is something, and so is a group of only such. */
  #reveal() {
    for (const chart of this.#charts) {
      if (!chart.figure.hidden || !chart.hasPoints) continue;
      chart.figure.hidden = false;
      chart.figure.closest(".chart-group").hidden = false;
    }
  }

  setSmoothing(smoothing) {
    this.#change({ smoothing });
  }

  setLogY(logY) {
    this.#change({ logY });
  }

  /** @param {[number, number] | null} xRange */
  zoom(xRange) {
    this.#change({ xRange });
    this.#onZoom(xRange);
  }

  #change(part) {
    Object.assign(this.#view, part);
    this.#writeUrl();
    this.markAll();
  }

  #tick() {
    if (document.visibilityState !== "visible" || !window.Plotly) return;
    const xRange = this.#view.xRange ?? this.#wholeRun();
    for (const chart of this.#charts) {
      if (!chart.isDirty || !chart.isVisible) continue;
      chart.draw({ ...this.#view, xRange, logY: this.#view.logY && chart.figure.dataset.chart === "loss" });
      chart.listen({ hover: (step) => this.#hover(chart, step), zoom: (range) => this.zoom(range) });
    }
  }

  /** The same for all charts, so that one step stands at one place everywhere. */
  #wholeRun() {
    const last = Math.max(1, ...this.#charts.map((chart) => chart.lastStep));
    return [0, last];
  }

  #hover(source, step) {
    for (const chart of this.#charts) if (chart !== source) chart.hoverAt(step);
  }

  #watchVisibility() {
    const chartOf = (element) => this.#charts.find((chart) => chart.figure.contains(element));
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) chartOf(entry.target).isVisible = entry.isIntersecting;
      this.#tick();
    }, { rootMargin: "120px" });
    const sized = new ResizeObserver((entries) => {
      for (const entry of entries) if (entry.contentRect.width) chartOf(entry.target).resize();
    });
    for (const chart of this.#charts) {
      seen.observe(chart.figure);
      sized.observe(chart.plot);
    }
  }

  #readUrl() {
    const query = new URLSearchParams(location.search);
    const range = (query.get("x") ?? "").split("-").map(Number);
    if (range.length === 2 && range[1] > range[0]) this.#view.xRange = range;
    const smoothing = Number(query.get("smooth") ?? DEFAULT_SMOOTHING) || 0;
    this.#view.smoothing = Math.min(0.99, Math.max(0, smoothing));
    this.#view.logY = query.get("log") === "1";
  }

  #writeUrl() {
    const query = new URLSearchParams(location.search);
    const { xRange, smoothing, logY } = this.#view;
    const put = (key, value) => (value === null ? query.delete(key) : query.set(key, value));
    put("x", xRange ? xRange.map((step) => Math.max(0, Math.round(step))).join("-") : null);
    put("smooth", smoothing === DEFAULT_SMOOTHING ? null : String(smoothing));
    put("log", logY ? "1" : null);
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
  }
}
