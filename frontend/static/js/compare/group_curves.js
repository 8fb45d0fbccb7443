/**
 * Runs of one group as one curve: the mean over the runs, and between which values they lie. Runs are compared at stretches
 * of steps, few enough to be drawn; the smallest and the largest value of every run is within the band.
 */

import { MetricSeries } from "../charts/series.js";

const MOST_STRETCHES = 400;

export class GroupCurves {
  /** @type {{label: string, place: number, runs: import("./run_set.js").Run[]}[]} */ groups = [];
  #made = new Map();

  /** @param {{label: string, place: number, runs: any[]}[]} groups */
  define(groups) {
    this.groups = groups;
    this.#made.clear();
  }

  /** @param {string} name as nameOf made it @param {string} metric */
  seriesOf(name, metric) {
    const [, number, part] = name.split(":");
    const histories = this.groups[Number(number)].runs.map(({ history }) => history);
    const stamp = histories.map(({ version }) => version).join();
    const key = `${number}/${metric}`;
    if (this.#made.get(key)?.stamp !== stamp) {
      this.#made.set(key, { stamp, ...curvesOf(histories.map(({ seriesOf }) => seriesOf(metric))) });
    }
    return this.#made.get(key)[part];
  }

  /** The run whose steps are those of the group: its longest. */
  longestOf(name) {
    const { runs } = this.groups[Number(name.split(":")[1])];
    return runs.reduce((one, other) => (lastOf(other) > lastOf(one) ? other : one));
  }

  /** The number of the group that a run is in. @param {string} id */
  numberOf = (id) => this.groups.findIndex(({ runs }) => runs.some((run) => run.id === id));
}

const lastOf = ({ history }) => history.seriesOf("loss").lastStep;

/** What stands for a run's id in the key of a line. @param {number} number @param {"mean" | "low" | "high"} part */
export const nameOf = (number, part) => `group:${number}:${part}`;
export const isGroup = (name) => name.startsWith("group:");

/**
 * @param {MetricSeries[]} all of the runs of a group
 * @returns {{mean: MetricSeries, low: MetricSeries, high: MetricSeries}}
 */
export function curvesOf(all) {
  const known = all.filter(({ length }) => length > 0);
  const [first, last] = [Math.min(...known.map(({ steps }) => steps[0])), Math.max(...known.map((one) => one.lastStep))];
  const width = Math.max(1, Math.ceil((last - first + 1) / MOST_STRETCHES));
  const stretches = known.map((series) => stretchesOf(series, first, width));
  const curves = { mean: new MetricSeries(), low: new MetricSeries(), high: new MetricSeries() };
  for (let at = 0; known.length && at <= Math.floor((last - first) / width); at += 1) {
    const there = stretches.map((of) => of(at)).filter(Boolean);
    if (!there.length) continue;
    const step = Math.min(last, first + at * width + (width >> 1));
    curves.mean.append(step, there[0].time, there.reduce((sum, { mean }) => sum + mean, 0) / there.length);
    curves.low.append(step, there[0].time, Math.min(...there.map(({ low }) => low)));
    curves.high.append(step, there[0].time, Math.max(...there.map(({ high }) => high)));
  }
  // What lies between two stretches is no gap.
  if (width > 1) for (const series of Object.values(curves)) series.numPoints = last - first + 1;
  return curves;
}

/** Mean and extremes of a run within each stretch; between two of its points, which may be far apart, on their line. */
function stretchesOf({ steps, times, values }, first, width) {
  const found = new Map();
  steps.forEach((step, place) => {
    if (values[place] === null) return;
    const at = Math.floor((step - first) / width);
    const one = found.get(at) ?? { sum: 0, number: 0, low: Infinity, high: -Infinity, time: times[place] };
    one.sum += values[place];
    one.number += 1;
    one.low = Math.min(one.low, values[place]);
    one.high = Math.max(one.high, values[place]);
    found.set(at, one);
  });
  for (const one of found.values()) one.mean = one.sum / one.number;
  const places = [...found.keys()];
  let next = 0;
  return (at) => {
    while (next < places.length && places[next] < at) next += 1;
    if (next === places.length || (places[next] !== at && next === 0)) return null;
    const [before, after] = [found.get(places[Math.max(0, next - 1)]), found.get(places[next])];
    if (places[next] === at) return after;
    const share = (at - places[next - 1]) / (places[next] - places[next - 1]);
    const mean = before.mean + share * (after.mean - before.mean);
    return { mean, low: mean, high: mean, time: before.time };
  };
}
