/**
 * All points between two steps, where the whole run is held thinned. The whole run stays as it is beside it; points
 * that come after the detail was fetched are taken from there. A detail that an attempt has gone back behind is forgotten.
 */

import { get } from "../api.js";
import { firstAtLeast, MetricSeries, thinnedLimit } from "../charts/series.js";

/** Of each metric; as many as a chart has pixels, and a few more. */
const FETCHED_POINTS = 1500;

export class Detail {
  /** @type {Map<string, MetricSeries>} */ #series = new Map();
  #asked = 0;
  #range = "";
  #numTakenBack = 0;

  /** @param {string} jobId @param {import("./history.js").RunHistory} history the whole run */
  constructor(jobId, history) {
    this.jobId = jobId;
    this.history = history;
  }

  /** Whether points of it may have been taken back since it was asked for. */
  get isOutdated() {
    return this.#numTakenBack !== this.history.numTakenBack;
  }

  /**
   * Fetch what lies in `range`; null forgets it. Until the answer comes, what was fetched of the same range stays.
   * @param {[number, number] | null} range @param {string[]} metrics @param {number} [points] of each metric
   */
  async show(range, metrics, points = FETCHED_POINTS) {
    const mine = (this.#asked += 1);
    if (this.isOutdated || String(range) !== this.#range) this.#series = new Map();
    this.#range = String(range);
    this.#numTakenBack = this.history.numTakenBack;
    if (!range) return;
    const steps = { from_step: Math.max(0, Math.floor(range[0])), to_step: Math.max(0, Math.ceil(range[1])) };
    const view = await get(`/jobs/${this.jobId}/metrics`, { name: metrics, max_points: points, ...steps });
    if (mine !== this.#asked) return;
    this.#series = new Map(Object.entries(view.series).map(([name, series]) => [name, MetricSeries.fromView(series)]));
  }

  /** The detail and what came after it, or the whole run where there is no detail. */
  seriesOf = (metric) => {
    const whole = this.history.seriesOf(metric);
    const fine = this.#series.get(metric);
    if (!fine?.length) return whole;
    const joined = new MetricSeries();
    const at = firstAtLeast(whole.steps, fine.lastStep + 1);
    joined.steps = [...fine.steps, ...whole.steps.slice(at)];
    joined.times = [...fine.times, ...whole.times.slice(at)];
    joined.values = [...fine.values, ...whole.values.slice(at)];
    joined.numPoints = joined.length + fine.numPoints - fine.length;
    if (whole.isThinned) joined.coarse = { from: fine.lastStep, limit: thinnedLimit(whole.steps) };
    return joined;
  };
}
