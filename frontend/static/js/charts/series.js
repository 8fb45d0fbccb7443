/** One metric over optimizer steps: three lists of equal length, steps strictly growing. A missing value is null. */

/** So many steps together are no wider than a pixel or two in any series that is long enough to be thinned. */
const LONGEST_STRETCH = 64;
/** Fresh points are thinned in parts of so many, so that few wait until a stretch is whole. */
const PART = 8;

export class MetricSeries {
  /** @type {number[]} */ steps = [];
  /** @type {number[]} */ times = [];
  /** @type {(number | null)[]} */ values = [];
  /** Points that the server holds, before it left some out. */
  numPoints = 0;
  /**
   * Where only a part is known at every step: behind which step points may be `limit` apart without a gap.
   * @type {{from: number, limit: number} | null}
   */
  coarse = null;
  /** From which place on points were appended one by one, and from which on none of them is left out yet. */
  #freshFrom = 0;
  #wholeFrom = 0;
  /** How many points there were between the two. */
  #numThinned = 0;

  /** @param {{steps: number[], times: number[], values: (number | null)[], num_points: number}} view */
  static fromView(view) {
    const series = new MetricSeries();
    series.steps = [...view.steps];
    series.times = [...view.times];
    series.values = [...view.values];
    series.numPoints = view.num_points;
    series.#freshFrom = series.length;
    series.#wholeFrom = series.length;
    return series;
  }

  get length() {
    return this.steps.length;
  }

  get lastStep() {
    return this.steps.at(-1) ?? -1;
  }

  get isThinned() {
    return this.numPoints > this.length;
  }

  /** Add a newer point. A step that is already there is left as it is. */
  append(step, time, value) {
    if (step <= this.lastStep) return false;
    this.steps.push(step);
    this.times.push(time);
    this.values.push(value);
    this.numPoints += 1;
    return true;
  }

  /**
   * Of a thinned series: leave out points that were appended, until they lie about as far apart as the others. The
   * smallest and the largest of each stretch stay, and so do stretches with a missing value.
   */
  thinFresh() {
    const stretch = Math.min(LONGEST_STRETCH, Math.floor(this.numPoints / this.length));
    if (!this.isThinned || stretch <= 2) return;
    const part = Math.min(PART, stretch);
    while (this.length - this.#wholeFrom > 2 * part) {
      this.#wholeFrom += this.#keepExtremes(this.#wholeFrom, part);
      this.#numThinned += part;
    }
    if (this.#numThinned < stretch) return;
    this.#freshFrom += this.#keepExtremes(this.#freshFrom, this.#wholeFrom - this.#freshFrom);
    this.#wholeFrom = this.#freshFrom;
    this.#numThinned = 0;
  }

  /** Leave out all others of `number` points from a place on. @returns {number} how many are left */
  #keepExtremes(from, number) {
    const kept = extremesOf(this.values, from, number);
    for (const list of [this.steps, this.times, this.values]) list.splice(from, number, ...kept.map((at) => list[at]));
    return kept.length;
  }

  /** Forget every point from `step` on: a later attempt does these steps again. Whether there was any. */
  cutFrom(step) {
    const at = firstAtLeast(this.steps, step);
    if (at === this.length) return false;
    this.#freshFrom = Math.min(this.#freshFrom, at);
    this.#wholeFrom = Math.min(this.#wholeFrom, at);
    this.numPoints -= this.length - at;
    for (const list of [this.steps, this.times, this.values]) list.length = at;
    return true;
  }

  /** The newest value that is known, or null. */
  latest() {
    return this.values.findLast((value) => value !== null) ?? null;
  }
}

/** Places of the smallest and the largest of `number` values from a place on; every one where a value is missing. */
function extremesOf(values, from, number) {
  const places = Array.from({ length: number }, (_, at) => from + at);
  if (places.some((at) => values[at] === null)) return places;
  const low = places.reduce((one, other) => (values[other] < values[one] ? other : one));
  const high = places.reduce((one, other) => (values[other] > values[one] ? other : one));
  return low === high ? [low] : [Math.min(low, high), Math.max(low, high)];
}

/** Index of the first entry of the sorted `list` that is at least `wanted`; its length if there is none. */
export function firstAtLeast(list, wanted) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Where steps are missing: each place before which a line must be broken, so that a gap is seen as a gap. In a thinned
 * series, whose distances are uneven, four times the median is still no gap.
 * @param {number[]} steps @param {boolean} isThinned @param {MetricSeries["coarse"]} [coarse]
 */
export function gapsOf(steps, isThinned, coarse = null) {
  const limit = isThinned ? thinnedLimit(steps) : 1;
  const limitOf = (step) => (coarse && step > coarse.from ? Math.max(limit, coarse.limit) : limit);
  const gaps = [];
  for (let at = 1; at < steps.length; at += 1) {
    const distance = steps[at] - steps[at - 1];
    if (distance > limit && distance > limitOf(steps[at])) gaps.push(at);
  }
  return gaps;
}

/** @param {number[]} steps of a thinned series */
export const thinnedLimit = (steps) => 4 * medianDistance(steps);

/**
 * The points for a line, with an empty point in each gap.
 * @param {any[]} places where each point lies on the x-axis
 * @param {(number | null)[]} values
 * @param {number[]} gaps
 */
export function withGaps(places, values, gaps) {
  if (!gaps.length) return { x: places, y: values };
  const x = [];
  const y = [];
  let from = 0;
  for (const gap of [...gaps, places.length]) {
    if (from) {
      x.push(places[from - 1]);
      y.push(null);
    }
    for (; from < gap; from += 1) {
      x.push(places[from]);
      y.push(values[from]);
    }
  }
  return { x, y };
}

function medianDistance(steps) {
  const distances = new Float64Array(Math.max(0, steps.length - 1));
  for (let at = 0; at < distances.length; at += 1) distances[at] = steps[at + 1] - steps[at];
  distances.sort();
  return Math.max(2, distances[distances.length >> 1] ?? 0);
}
