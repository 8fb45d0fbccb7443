/** Which charts a run has, which metrics each draws, and how their numbers read. */

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/**
 * @typedef {object} Line
 * @property {string} metric name in the catalogue
 * @property {string} label in the hover box
 * @property {number} colour which series colour, from 0
 * @property {boolean} [smooth] raw line faint, its moving average on top
 * @property {boolean} [marks] points are far apart: join them and mark each
 *
 * @typedef {object} ChartDefinition
 * @property {Line[]} lines
 * @property {string} ticks d3 format of the axis
 * @property {string} hover d3 format in the hover box
 * @property {string} [suffix]
 * @property {boolean} [fromZero]
 * @property {(largest: number) => {unit: string, divisor: number}} [scale] unit of the title, chosen by the data
 */

/** @type {Record<string, ChartDefinition>} */
export const CHARTS = {
  loss: {
    lines: [
      { metric: "loss", label: "training", colour: 0, smooth: true },
      { metric: "validation_loss", label: "validation", colour: 1, marks: true },
    ],
    ticks: "~g",
    hover: ".4~g",
  },
  tokens_per_s: {
    lines: [{ metric: "tokens_per_s", label: "tokens/s", colour: 0, smooth: true }],
    ticks: "~s",
    hover: ".3~s",
    fromZero: true,
  },
  grad_norm: {
    lines: [{ metric: "grad_norm", label: "norm", colour: 0, smooth: true }],
    ticks: "~g",
    hover: ".4~g",
    fromZero: true,
  },
  lr: {
    lines: [{ metric: "lr", label: "rate", colour: 0 }],
    ticks: "",
    hover: ".3~e",
    fromZero: true,
  },
  memory: {
    lines: [
      { metric: "memory_bytes", label: "in use", colour: 0 },
      { metric: "peak_memory_bytes", label: "peak", colour: 1 },
    ],
    ticks: "~g",
    hover: ".4~g",
    fromZero: true,
    scale: (largest) => (largest >= GIB ? { unit: "GiB", divisor: GIB } : { unit: "MiB", divisor: MIB }),
  },
  step_time_s: {
    lines: [
      { metric: "step_time_s", label: "step", colour: 0, smooth: true },
      { metric: "data_time_s", label: "waiting for data", colour: 1 },
    ],
    ticks: "~s",
    hover: ".3~s",
    suffix: "s",
    fromZero: true,
  },
};

/** Every metric that some chart draws. */
export const METRIC_NAMES = Object.values(CHARTS).flatMap(({ lines }) => lines.map(({ metric }) => metric));
