/**
 * All points of a run that the page holds, from two sources: the metrics call (up to its cursor) and the stream (after
 * it). It knows which of both to believe: an event that the call has already covered is dropped, an event of an older
 * attempt too, and a newer attempt overrides from its first step on. It never asks the server.
 */

import { MetricSeries } from "../charts/series.js";

export class RunHistory {
  /** @type {Map<string, MetricSeries>} */ #series = new Map();
  /** Feed id up to which everything is held. */
  cursor = 0;
  attempt = 0;
  /** Grows with every change of any point. */
  version = 0;
  /** Grows when points that were held no longer count, because an attempt has gone back behind them. */
  numTakenBack = 0;
  #isOutline;

  /** @param {{isOutline?: boolean}} [kind] isOutline: what comes to a thinned series is thinned like the rest of it */
  constructor({ isOutline = false } = {}) {
    this.#isOutline = isOutline;
  }

  /** @param {string} metric */
  seriesOf = (metric) => this.#series.get(metric) ?? new MetricSeries();

  /** Take what the metrics call answered in place of all that was held. */
  load(view) {
    this.#series = new Map(Object.entries(view.series).map(([name, series]) => [name, MetricSeries.fromView(series)]));
    this.cursor = Number(view.cursor) || 0;
    this.version += 1;
  }

  /**
   * Take one message of kind step, eval or plan.
   * @param {{id: string, attempt: number, kind: string, t: number, payload: any}} event
   * @returns {{metrics: string[], isGap: boolean}} which metrics changed, and whether steps before it are missing
   */
  apply(event) {
    const id = Number(event.id);
    if (id <= this.cursor || event.attempt < this.attempt) return { metrics: [], isGap: false };
    this.cursor = id;
    this.version += 1;
    if (event.attempt > this.attempt) this.#beginAttempt(event);
    if (event.kind === "plan") return { metrics: [...this.#series.keys()], isGap: false };
    return this.#append(event);
  }

  #beginAttempt(event) {
    this.attempt = event.attempt;
    const { kind, payload } = event;
    // A validation after step s comes before step s + 1: it leaves step s as it is.
    const firstStep = kind === "plan" ? payload.first_step : kind === "eval" ? payload.step + 1 : payload.step;
    let hasCut = false;
    for (const [name, series] of this.#series) {
      if (series.cutFrom(kind === "eval" && name in payload.metrics ? payload.step : firstStep)) hasCut = true;
    }
    if (hasCut) this.numTakenBack += 1;
  }

  #append({ kind, t, payload }) {
    let isGap = false;
    for (const [name, value] of Object.entries(payload.metrics)) {
      const series = this.#series.get(name) ?? new MetricSeries();
      this.#series.set(name, series);
      if (kind === "step") isGap ||= series.length > 0 && payload.step > series.lastStep + 1;
      series.append(payload.step, t, value);
      if (this.#isOutline) series.thinFresh();
    }
    if (kind === "step") this.#countTokens(payload, t);
    return { metrics: Object.keys(payload.metrics), isGap };
  }

  /** What the server counts in its answer goes on here, if it is known up to the step before. */
  #countTokens({ step, metrics }, t) {
    const totals = this.#series.get("total_tokens") ?? new MetricSeries();
    if (totals.lastStep !== step - 1 && step !== 1) return;
    this.#series.set("total_tokens", totals);
    totals.append(step, t, (totals.latest() ?? 0) + (metrics.num_tokens ?? 0));
    if (this.#isOutline) totals.thinFresh();
  }

  /** The longest series, in points: what decides when to fetch thinned ones again. */
  get numHeld() {
    return Math.max(0, ...[...this.#series.values()].map((series) => series.length));
  }

  get isThinned() {
    return [...this.#series.values()].some((series) => series.isThinned);
  }
}
