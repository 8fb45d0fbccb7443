/** One chart of the page. It draws only when told to and only when something changed since it last did. */

import { layoutOf, scaleOf, tracesOf } from "./figure.js";

const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, doubleClick: false, scrollZoom: false };

export class Chart {
  /** @type {boolean} */ isVisible = false;
  /** @type {boolean} */ isDirty = true;
  #isDrawn = false;

  /**
   * @param {HTMLElement} figure
   * @param {import("./definitions.js").ChartDefinition} definition
   * @param {(metric: string) => import("./series.js").MetricSeries} seriesOf
   */
  constructor(figure, definition, seriesOf) {
    this.figure = figure;
    this.definition = definition;
    this.seriesOf = seriesOf;
    this.plot = figure.querySelector(".plot");
  }

  get hasPoints() {
    return this.definition.lines.some((line) => this.seriesOf(line.metric).length > 0);
  }

  get lastStep() {
    return Math.max(0, ...this.definition.lines.map((line) => this.seriesOf(line.metric).lastStep));
  }

  /** @param {{logY: boolean, xRange: [number, number], smoothing: number, canDrag: boolean, theme: any}} view */
  draw(view) {
    if (!this.hasPoints) return;
    this.isDirty = false;
    const traces = tracesOf(this.definition, this.seriesOf, view.smoothing, view.theme);
    Plotly.react(this.#place(), traces, layoutOf(this.definition, view, view.theme), CONFIG);
    this.#isDrawn = true;
    this.#describe();
  }

  #place() {
    this.plot.querySelector(".waiting")?.remove();
    return this.plot;
  }

  #describe() {
    const { unit } = scaleOf(this.definition, this.seriesOf);
    if (unit) this.figure.querySelector('[data-cell="unit"]').textContent = unit;
    const parts = this.definition.lines.map(({ metric, label }) => {
      const series = this.seriesOf(metric);
      return series.length ? `${label} ${series.latest()?.toPrecision(4)} at step ${series.lastStep}` : "";
    });
    const title = this.figure.querySelector(".title").textContent.trim();
    this.plot.setAttribute("aria-label", `${title} by step: ${parts.filter(Boolean).join(", ")}`);
  }

  resize() {
    if (this.#isDrawn) Plotly.Plots.resize(this.plot);
  }

  /** Show the hover box at `step`, or none. */
  hoverAt(step) {
    if (!this.#isDrawn || !this.isVisible) return;
    if (step === null) Plotly.Fx.unhover(this.plot);
    else Plotly.Fx.hover(this.plot, { xval: step, yval: 0 }, ["xy"]);
  }

  /** @param {{hover: (step: number | null) => void, zoom: (range: [number, number] | null) => void}} listeners */
  listen({ hover, zoom }) {
    if (!this.#isDrawn || this.plot.dataset.listens) return;
    this.plot.dataset.listens = "yes";
    this.plot.on("plotly_hover", (event) => event.event?.isTrusted && hover(event.points[0].x));
    this.plot.on("plotly_unhover", () => hover(null));
    this.plot.on("plotly_doubleclick", () => zoom(null));
    this.plot.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from !== undefined && to !== undefined) zoom([from, to]);
    });
  }
}
