/**
 * What stands along the bottom of every chart: optimizer steps, tokens, the clock, or the time since the start. Each
 * axis belongs to one run; it places the points of that run's series, and finds the step that belongs to a place.
 */

import { localMs, offsetS } from "../format.js";
import { firstAtLeast } from "./series.js";

/** @typedef {import("./series.js").MetricSeries} Series */

/** From how many seconds on which unit, its sign and its seconds. */
const SPANS = [
  [3 * 86_400, "days", "d", 86_400],
  [3 * 3600, "hours", "h", 3600],
  [5 * 60, "minutes", "min", 60],
  [0, "seconds", "s", 1],
];

/** The value at `wanted` on the line through sorted points, continued beyond their ends. */
export function onLine(from, to, wanted) {
  if (from.length === 0) return 0;
  if (from.length === 1) return to[0] + (wanted - from[0]);
  const at = Math.min(Math.max(firstAtLeast(from, wanted), 1), from.length - 1);
  const share = (wanted - from[at - 1]) / (from[at] - from[at - 1] || 1);
  return to[at - 1] + share * (to[at] - to[at - 1]);
}

class Axis {
  /** @param {Series} pace the series that has a point at every step, and so tells when each was */
  constructor(pace) {
    this.pace = pace;
  }

  timeOf(step) {
    return onLine(this.pace.steps, this.pace.times, step);
  }

  stepOf(time) {
    return onLine(this.pace.times, this.pace.steps, time);
  }
}

class StepAxis extends Axis {
  title = "step";
  plotly = { type: "linear", tickformat: ",d", hoverformat: ",d", unifiedhovertitle: { text: "step %{x}" } };

  placesOf(series) {
    return series.steps;
  }

  placeOf(step) {
    return step;
  }

  stepAt(place) {
    return place;
  }
}

class TokenAxis extends Axis {
  title = "tokens";
  plotly = { type: "linear", tickformat: "~s", hoverformat: ".4~s", unifiedhovertitle: { text: "%{x} tokens" } };

  /** @param {Series} pace @param {Series} totals tokens up to each step */
  constructor(pace, totals) {
    super(pace);
    this.totals = totals;
  }

  placesOf(series) {
    return series.steps.map((step) => this.placeOf(step));
  }

  placeOf(step) {
    return step <= 0 ? 0 : Math.max(0, onLine(this.totals.steps, this.totals.values, step));
  }

  stepAt(place) {
    return onLine(this.totals.values, this.totals.steps, place);
  }
}

class ClockAxis extends Axis {
  title = "time";
  plotly = { type: "date", hoverformat: "%b %-d, %H:%M:%S", unifiedhovertitle: { text: "%{x}" } };

  /** Plotly shows dates as they are in UTC. */
  placesOf(series) {
    return series.times.map(localMs);
  }

  placeOf(step) {
    return localMs(this.timeOf(step));
  }

  stepAt(place) {
    return this.stepOf(place / 1000 + offsetS(place / 1000));
  }
}

class RelativeAxis extends Axis {
  /** Hours or minutes, by how many seconds the longest run of the page took. */
  constructor(pace, totals, span) {
    super(pace);
    this.start = pace.times[0] ?? 0;
    const [, unit, sign, divisor] = SPANS.find(([least]) => span >= least);
    this.title = `${unit} since the first step`;
    this.divisor = divisor;
    this.plotly = {
      type: "linear",
      tickformat: "~g",
      ticksuffix: ` ${sign}`,
      hoverformat: ".2~f",
      unifiedhovertitle: { text: "%{x} after the first step" },
    };
  }

  placesOf(series) {
    return series.times.map((time) => this.#placeOfTime(time));
  }

  placeOf(step) {
    return this.#placeOfTime(this.timeOf(step));
  }

  stepAt(place) {
    return this.stepOf(place * this.divisor + this.start);
  }

  #placeOfTime(time) {
    return (time - this.start) / this.divisor;
  }
}

/** By name in the URL. */
export const X_AXES = { step: StepAxis, tokens: TokenAxis, time: ClockAxis, relative: RelativeAxis };

/**
 * @param {keyof X_AXES} name
 * @param {(metric: string) => Series} seriesOf of one run
 * @param {number} [span] seconds that the longest run of the page took; by default this one
 */
export function xAxisOf(name, seriesOf, span = spanOf(seriesOf("loss"))) {
  const totals = seriesOf("total_tokens");
  // A run that does not tell its tokens keeps its steps.
  if (name === "tokens" && totals.length === 0) return new StepAxis(seriesOf("loss"));
  return new X_AXES[name](seriesOf("loss"), totals, span);
}

/** Seconds from the first point to the last. @param {Series} series */
export const spanOf = (series) => (series.times.at(-1) ?? 0) - (series.times[0] ?? 0);

/** A place as Plotly tells it: dates come as text. @param {number | string} place */
export const placeAsNumber = (place) =>
  (typeof place === "string" ? Date.parse(`${place.replace(" ", "T")}Z`) : place);
