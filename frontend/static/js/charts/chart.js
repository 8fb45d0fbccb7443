/** One chart of the page. It draws only when told to and only when something changed since it last did. */

import { figureOf, scaleOf } from "./figure.js";
import { placeAsNumber } from "./x_axis.js";

const CONFIG = { displayModeBar: false, displaylogo: false, responsive: false, doubleClick: false, scrollZoom: false };

export class Chart {
  /** @type {boolean} */ isVisible = false;
  /** @type {boolean} */ isDirty = true;
  #isDrawn = false;
  /** @type {ReturnType<typeof figureOf> | null} what the next drawing shows */ #prepared = null;
  /** @type {Promise<any> | null} of the drawing that is to be finished */ #drawing = null;
  #mayGoOn = () => {};
  #hoverAgain = null;
  /**
   * Between working out and drawing Plotly waits for the promises of its graph (fonts, formulas), so one more keeps it
   * from doing both in one task. They stand in its own list; there is no option for it (plotly.js 4.1).
   */
  #hold = () => {
    this.plot._promises = [new Promise((goOn) => { this.#mayGoOn = goOn; })];
  };

  /**
   * @param {HTMLElement} figure
   * @param {import("./definitions.js").ChartDefinition} definition
   * @param {(metric: string) => import("./series.js").MetricSeries} seriesOf
   */
  constructor(figure, definition, seriesOf) {
    this.figure = figure;
    this.name = figure.dataset.chart;
    this.definition = definition;
    this.seriesOf = seriesOf;
    this.plot = figure.querySelector(".plot");
  }

  get title() {
    return this.figure.querySelector(".title").textContent.replaceAll(/\s+/g, " ").trim();
  }

  get metrics() {
    return this.definition.lines.map(({ metric }) => metric);
  }

  get hasPoints() {
    return this.metrics.some((metric) => this.seriesOf(metric).length > 0);
  }

  /** The first third of a drawing, which the page does not show yet. @param {import("./figure.js").View} view */
  prepare(view) {
    if (!this.hasPoints) return;
    this.isDirty = false;
    this.#prepared = figureOf(this.definition, this.seriesOf, view);
  }

  /** The second third: Plotly works out what it will draw. */
  draw() {
    if (!this.#prepared) return;
    const { data, layout } = this.#prepared;
    this.#prepared = null;
    this.plot.querySelector(".waiting")?.remove();
    this.#hoverAgain = this.#takeRehover();
    // The first drawing makes the graph, which hears nothing before.
    this.plot.on?.("plotly_beforeplot", this.#hold);
    try {
      this.#drawing = Plotly.react(this.plot, data, layout, CONFIG);
    } finally {
      this.plot.removeListener?.("plotly_beforeplot", this.#hold);
    }
  }

  /** The last third. @returns {Promise<(() => void) | null>} what is left: the hover box, where the pointer is on this chart */
  async finish() {
    const drawing = this.#drawing;
    if (!drawing) return null;
    this.#drawing = null;
    this.#mayGoOn();
    await drawing;
    this.#isDrawn = true;
    this.#describe();
    return this.#hoverAgain;
  }

  /**
   * Plotly makes the hover box anew within each drawing, which doubles the drawing of twenty lines. What it would do
   * stands in its own layout; there is no option for it (plotly.js 4.1).
   */
  #takeRehover() {
    const drawn = this.plot._fullLayout;
    const rehover = drawn?._rehover;
    if (!rehover) return null;
    drawn._rehover = null;
    return () => {
      // A pointer that has moved meanwhile has left a newer one.
      this.plot._fullLayout._rehover ??= rehover;
      this.plot._fullLayout._rehover();
    };
  }

  #describe() {
    const { unit } = scaleOf(this.definition, this.seriesOf);
    if (unit) this.figure.querySelector('[data-cell="unit"]').textContent = unit;
    const parts = this.definition.lines.map(({ metric, label }) => {
      const series = this.seriesOf(metric);
      return series.length ? `${label} ${series.latest()?.toPrecision(4)} at step ${series.lastStep}` : "";
    });
    this.plot.setAttribute("aria-label", `${this.title}: ${parts.filter(Boolean).join(", ")}`);
  }

  resize() {
    if (this.#isDrawn) Plotly.Plots.resize(this.plot);
  }

  /** Show the hover box at `place` on the x-axis, or none. */
  hoverAt(place) {
    if (!this.#isDrawn || !this.isVisible) return;
    if (place === null) Plotly.Fx.unhover(this.plot);
    else Plotly.Fx.hover(this.plot, { xval: place, yval: 0 }, ["xy"]);
  }

  /** @param {{hover: (place: number | null) => void, zoom: (range: [number, number] | null) => void}} listeners */
  listen({ hover, zoom }) {
    if (!this.#isDrawn || this.plot.dataset.listens) return;
    this.plot.dataset.listens = "yes";
    this.plot.on("plotly_hover", (event) => event.event?.isTrusted && hover(event.xvals[0]));
    this.plot.on("plotly_unhover", () => hover(null));
    this.plot.on("plotly_doubleclick", () => zoom(null));
    this.plot.on("plotly_relayout", (change) => {
      const [from, to] = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (from !== undefined && to !== undefined) zoom([from, to].map(placeAsNumber));
    });
  }
}
