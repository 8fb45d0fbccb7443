/**
 * What happened to a run, on each of its charts: a small sign at the foot for a checkpoint or an evaluation, a line
 * through the chart where an attempt began or the run was paused. The signs have a y-axis of their own, so that no scale moves them.
 */

/**
 * @typedef {object} Mark
 * @property {"checkpoint" | "evaluation" | "attempt" | "pause" | "alert"} kind
 * @property {number} step
 * @property {string} text
 */

export const MARK_AXIS = { overlaying: "y", range: [0, 1], visible: false, fixedrange: true };

// An evaluation often has the step of a checkpoint and stands above it.
const SIGNS = {
  checkpoint: { symbol: "diamond", colour: "muted", height: 0.015 },
  evaluation: { symbol: "circle-open", colour: "muted", height: 0.05 },
  attempt: { symbol: "triangle-up", colour: "attention", height: 0.015, hasLine: true },
  pause: { symbol: "square", colour: "attention", height: 0.015, hasLine: true },
  alert: { symbol: "x", colour: "failed", height: 0.015, hasLine: true },
};

/**
 * @typedef {ReturnType<import("./x_axis.js").xAxisOf>} Axis
 * @typedef {ReturnType<import("./theme.js").readTheme>} Theme
 */

/** @param {Mark[]} marks @param {Axis} axis @param {Theme} theme */
export function markTraces(marks, axis, theme) {
  return Object.entries(SIGNS).flatMap(([kind, { symbol, colour, height }]) => {
    const those = marks.filter((mark) => mark.kind === kind);
    if (!those.length) return [];
    return [{
      name: kind,
      type: "scatter",
      mode: "markers",
      yaxis: "y2",
      x: those.map(({ step }) => axis.placeOf(step)),
      y: those.map(() => height),
      text: those.map(({ text }) => text),
      hovertemplate: "%{text}<extra></extra>",
      marker: { symbol, size: 7, color: theme[colour], line: { width: 1, color: theme.surface } },
      cliponaxis: false,
    }];
  });
}

/** @param {Mark[]} marks @param {Axis} axis @param {Theme} theme */
export function markShapes(marks, axis, theme) {
  return marks.filter(({ kind }) => SIGNS[kind].hasLine).map(({ kind, step }) => {
    const place = axis.placeOf(step);
    const line = { width: 1, dash: "dot", color: theme[SIGNS[kind].colour] };
    return { type: "line", xref: "x", yref: "paper", x0: place, x1: place, y0: 0, y1: 1, line, layer: "below" };
  });
}
