/** Which metrics are compared, each in a chart with a line a run. */

import { CHARTS } from "../charts/definitions.js";
import { keyOf } from "./keys.js";

/** By the names in data-chart; `like` is the run page's chart that tells how its numbers read. */
export const COMPARED = {
  loss: { metric: "loss", like: "loss" },
  validation_loss: { metric: "validation_loss", like: "validation_loss" },
  tokens_per_s_per_gpu: { metric: "tokens_per_s_per_gpu", like: "tokens_per_s" },
  mfu: { metric: "mfu", like: "mfu" },
  grad_norm: { metric: "grad_norm", like: "grad_norm" },
  lr: { metric: "lr", like: "lr" },
  step_time_s: { metric: "step_time_s", like: "step_time_s" },
  peak_memory_bytes: { metric: "peak_memory_bytes", like: "memory" },
  padding_share: { metric: "padding_share", like: "padding_share" },
};

const NUM_COLOURS = 8;
const DASHES = ["solid", "dash", "dot", "dashdot"];

/** Colour and dash pattern number `place` of those that are told apart. @param {number} place */
export const styleOf = (place) => ({
  colour: place % NUM_COLOURS,
  dash: DASHES[Math.floor(place / NUM_COLOURS) % DASHES.length],
});

/**
 * @param {{id: string, label: string, place: number}[]} runs
 * @returns {Record<string, import("../charts/definitions.js").ChartDefinition>}
 */
export function definitionsOf(runs) {
  return Object.fromEntries(Object.entries(COMPARED).map(([name, { metric, like }]) => {
    const { lines, ...rest } = CHARTS[like];
    const { smooth, marks } = lines[0];
    const ours = runs.map(({ id, label, place }) => {
      return { metric: keyOf(id, metric), label, smooth, marks, ...styleOf(place) };
    });
    return [name, { ...rest, lines: ours }];
  }));
}
