/** Which charts a run has, which metrics each draws, and how their numbers read. */

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/**
 * @typedef {object} Line
 * @property {string} metric name in the catalogue; where several runs are drawn, behind a run's id and a slash
 * @property {string} label in the hover box
 * @property {number} colour which series colour, from 0
 * @property {string} [dash] Plotly's name of a dash pattern
 * @property {boolean} [smooth] raw line faint, its moving average on top
 * @property {boolean} [marks] points are far apart: join them and mark each
 * @property {[string, string]} [band] metrics between which a band is drawn, of the same steps
 *
 * @typedef {object} ChartDefinition
 * @property {Line[]} lines
 * @property {string} ticks d3 format of the axis
 * @property {string} hover d3 format in the hover box
 * @property {string} [suffix]
 * @property {boolean} [fromZero]
 * @property {(largest: number) => {unit: string, divisor: number}} [scale] unit of the title, chosen by the data
 */

const BYTES = {
  ticks: "~g",
  hover: ".4~g",
  fromZero: true,
  scale: (largest) => (largest >= GIB ? { unit: "GiB", divisor: GIB } : { unit: "MiB", divisor: MIB }),
};
const SHARE = { ticks: "~%", hover: ".3~%", fromZero: true };
/** Ranks that get a line of their own; a chart of more could not be read. */
const RANKS = [0, 1, 2, 3, 4, 5, 6, 7];

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
  validation_loss: {
    lines: [{ metric: "validation_loss", label: "validation", colour: 1, marks: true }],
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
      { metric: "reserved_memory_bytes", label: "reserved", colour: 2 },
    ],
    ...BYTES,
  },
  rank_memory: {
    lines: RANKS.map((rank) => ({ metric: `peak_memory_bytes.rank${rank}`, label: `rank ${rank}`, colour: rank })),
    ...BYTES,
  },
  step_time_s: {
    lines: [
      { metric: "step_time_s", label: "step", colour: 0, smooth: true },
      { metric: "forward_backward_time_s", label: "forward and backward", colour: 1 },
      { metric: "optimizer_time_s", label: "optimizer", colour: 2 },
      { metric: "data_time_s", label: "waiting for data", colour: 3 },
      { metric: "wait_time_s", label: "other ranks, reporting", colour: 4 },
      { metric: "checkpoint_time_s", label: "held up by checkpoints before it", colour: 5 },
    ],
    ticks: "~s",
    hover: ".3~s",
    suffix: "s",
    fromZero: true,
  },
  tflops_per_gpu: {
    lines: [{ metric: "tflops_per_gpu", label: "TFLOP/s", colour: 0, smooth: true }],
    ticks: "~g",
    hover: ".4~g",
    fromZero: true,
  },
  mfu: { lines: [{ metric: "mfu", label: "utilisation", colour: 0, smooth: true }], ...SHARE },
  padding_share: { lines: [{ metric: "padding_share", label: "padding", colour: 0 }], ...SHARE },
  tokens: {
    lines: [
      { metric: "num_tokens", label: "tokens", colour: 0 },
      { metric: "num_trained_tokens", label: "of them trained", colour: 1 },
    ],
    ticks: "~s",
    hover: ",d",
    fromZero: true,
  },
  gpu_utilization: { lines: [{ metric: "gpu_utilization", label: "busy", colour: 0 }], ...SHARE },
  power_w: { lines: [{ metric: "power_w", label: "power", colour: 0 }], ticks: "~g", hover: ".4~g", fromZero: true },
  temperature_c: { lines: [{ metric: "temperature_c", label: "warmest", colour: 0 }], ticks: "~g", hover: ".3~g" },
  load_balancing_loss: {
    lines: [{ metric: "load_balancing_loss", label: "1 is even", colour: 0, smooth: true }],
    ticks: "~g",
    hover: ".4~g",
  },
  z_loss: { lines: [{ metric: "z_loss", label: "z-loss", colour: 0, smooth: true }], ticks: "~g", hover: ".4~g" },
  fp8_amax: {
    lines: [{ metric: "fp8_largest_amax", label: "largest magnitude", colour: 0 }],
    ticks: "~g",
    hover: ".4~g",
    fromZero: true,
  },
  fp8_saturated_share: {
    lines: [{ metric: "fp8_saturated_share", label: "beyond their scale", colour: 0 }],
    ...SHARE,
  },
};

/** Every metric that some chart draws, and the one that an x-axis is made of. */
export const METRIC_NAMES = [
  ...new Set(Object.values(CHARTS).flatMap(({ lines }) => lines.map(({ metric }) => metric))),
  "total_tokens",
];
