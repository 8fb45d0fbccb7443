/**
 * All charts of a run: one clock draws those that are seen and changed, at most twice a second; one hover, one zoom and
 * one view for all.
 */

import { Chart } from "./chart.js";
import { CHARTS } from "./definitions.js";
import { onThemeChange, readTheme } from "./theme.js";
import { ViewState } from "./view_state.js";
import { xAxisOf } from "./x_axis.js";

const REDRAW_MS = 500;

export class ChartGrid {
  view = ViewState.fromUrl();
  /** @type {Chart[]} */ charts;
  #theme = readTheme();
  // A finger that drags means to scroll the page.
  #canDrag = matchMedia("(pointer: fine)").matches;
  #seriesOf;
  #marksOf;
  #onZoom;

  /**
   * @param {HTMLElement} root
   * @param {object} sources
   * @param {(metric: string) => import("./series.js").MetricSeries} sources.seriesOf
   * @param {() => import("./marks.js").Mark[]} sources.marksOf
   * @param {(range: [number, number] | null) => void} onZoom told the steps
   */
  constructor(root, { seriesOf, marksOf }, onZoom) {
    this.#seriesOf = seriesOf;
    this.#marksOf = marksOf;
    this.#onZoom = onZoom;
    const figures = [...root.querySelectorAll("[data-chart]")];
    this.charts = figures.map((figure) => new Chart(figure, CHARTS[figure.dataset.chart], seriesOf));
    this.#watchVisibility();
    onThemeChange(() => {
      this.#theme = readTheme();
      this.markAll();
    });
    setInterval(() => this.#tick(), REDRAW_MS);
    document.addEventListener("visibilitychange", () => this.#tick());
  }

  /** New points have come for these metrics. @param {Iterable<string>} metrics */
  mark(metrics) {
    const changed = new Set(metrics);
    for (const chart of this.charts) {
      if (chart.metrics.some((metric) => changed.has(metric))) chart.isDirty = true;
    }
    this.#reveal();
  }

  markAll() {
    for (const chart of this.charts) chart.isDirty = true;
    this.#reveal();
    this.#tick();
  }

  /** Look at the charts otherwise. @param {Partial<ViewState>} part */
  change(part) {
    Object.assign(this.view, part);
    this.view.writeUrl();
    this.markAll();
    if ("range" in part) this.#onZoom(this.view.range);
  }

  /** How a chart is drawn now. @param {Chart} chart @returns {import("./figure.js").View} */
  viewOf(chart) {
    const { x, smoothing, log, clips, marks } = this.view;
    return {
      axis: xAxisOf(x, this.#seriesOf),
      steps: this.view.range ?? this.#wholeRun(),
      smoothing,
      logY: log.has(chart.name),
      clips,
      canDrag: this.#canDrag,
      marks: marks ? this.#marksOf() : [],
      theme: this.#theme,
    };
  }

  /** Charts of what not every machine can tell are hidden until there is something, and so is a group of only such. */
  #reveal() {
    for (const chart of this.charts) {
      if (!chart.figure.hidden || !chart.hasPoints) continue;
      chart.figure.hidden = false;
      chart.figure.closest(".chart-group").hidden = false;
    }
  }

  #tick() {
    if (document.visibilityState !== "visible" || !window.Plotly) return;
    for (const chart of this.charts) {
      if (!chart.isDirty || !chart.isVisible) continue;
      const view = this.viewOf(chart);
      chart.draw(view);
      chart.listen({
        hover: (place) => this.#hover(chart, place),
        zoom: (range) => this.change({ range: range && this.#steps(range) }),
      });
    }
  }

  /** From places on the axis of now to steps. */
  #steps(range) {
    const axis = xAxisOf(this.view.x, this.#seriesOf);
    const [from, to] = range.map((place) => axis.stepAt(place));
    return [Math.max(0, Math.floor(from)), Math.max(1, Math.ceil(to))];
  }

  /** The same for all charts, so that one step stands at one place everywhere. */
  #wholeRun() {
    const last = Math.max(1, ...this.charts.map((chart) => chart.lastStep));
    return [0, last];
  }

  #hover(source, place) {
    for (const chart of this.charts) if (chart !== source) chart.hoverAt(place);
  }

  #watchVisibility() {
    const chartOf = (element) => this.charts.find((chart) => chart.figure.contains(element));
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) chartOf(entry.target).isVisible = entry.isIntersecting;
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
