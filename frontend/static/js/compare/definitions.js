/** Which metrics are compared, each in a chart with a line a run. */

import { CHARTS } from "../charts/definitions.js";
import { nameOf } from "./group_curves.js";
import { keyOf } from "./keys.js";

/** The run page's chart that tells how the numbers of a metric read. */
export const COMPARED = {
  loss: "loss",
  validation_loss: "validation_loss",
  tokens_per_s_per_gpu: "tokens_per_s",
  mfu: "mfu",
  grad_norm: "grad_norm",
  lr: "lr",
  step_time_s: "step_time_s",
  peak_memory_bytes: "memory",
  padding_share: "padding_share",
};

const NUM_COLOURS = 8;
const DASHES = ["solid", "dash", "dot", "dashdot"];

/** Colour and dash pattern number `place` of those that are told apart. @param {number} place */
export const styleOf = (place) => ({
  colour: place % NUM_COLOURS,
  dash: DASHES[Math.floor(place / NUM_COLOURS) % DASHES.length],
});

/**
 * A line a group, within the band of its runs.
 * @param {{label: string, place: number, runs: any[]}[]} groups
 * @returns {Record<string, import("../charts/definitions.js").ChartDefinition>}
 */
export function definitionsOfGroups(groups) {
  return Object.fromEntries(Object.entries(COMPARED).map(([metric, like]) => {
    const key = (number, part) => keyOf(nameOf(number, part), metric);
    const { smooth } = CHARTS[like].lines[0];
    const ours = groups.map(({ label, place }, number) => {
      const band = [key(number, "low"), key(number, "high")];
      return { metric: key(number, "mean"), band, label, smooth, ...styleOf(place) };
    });
    return [metric, { ...CHARTS[like], lines: ours }];
  }));
}

/**
 * @param {{id: string, label: string, place: number}[]} runs
 * @returns {Record<string, import("../charts/definitions.js").ChartDefinition>}
 */
export function definitionsOf(runs) {
  return Object.fromEntries(Object.entries(COMPARED).map(([metric, like]) => {
    const { lines, ...rest } = CHARTS[like];
    const { smooth, marks } = lines[0];
    const ours = runs.map(({ id, label, place }) => {
      return { metric: keyOf(id, metric), label, smooth, marks, ...styleOf(place) };
    });
    return [metric, { ...rest, lines: ours }];
  }));
}
