/** From series to what Plotly draws: traces and layout. Nothing here touches the page. */

import { withGaps } from "./series.js";
import { movingAverage } from "./smoothing.js";

/**
 * @param {import("./definitions.js").ChartDefinition} definition
 * @param {(metric: string) => import("./series.js").MetricSeries} seriesOf
 * @param {number} smoothing
 * @param {import("./theme.js").readTheme} theme
 */
export function tracesOf(definition, seriesOf, smoothing, theme) {
  const { divisor } = scaleOf(definition, seriesOf);
  return definition.lines.flatMap((line) => {
    const series = seriesOf(line.metric);
    const values = series.values.map((value) => (value === null ? null : value / divisor));
    const common = traceOf(line, theme.series[line.colour], series.length, definition);
    if (line.marks) return [{ ...common, x: series.steps, y: values }];
    const raw = { ...common, ...withGaps(series.steps, values, series.isThinned) };
    if (!line.smooth || smoothing === 0) return [raw];
    const smoothed = withGaps(series.steps, movingAverage(values, smoothing), series.isThinned);
    const faint = { line: { ...common.line, width: 1 }, opacity: Number(theme.rawOpacity) };
    return [{ ...raw, ...faint }, { ...common, ...smoothed, name: `${line.label}, smoothed` }];
  });
}

function traceOf(line, colour, numPoints, definition) {
  return {
    name: line.label,
    type: "scatter",
    // A single point has no line.
    mode: line.marks ? "lines+markers" : numPoints === 1 ? "markers" : "lines",
    line: { color: colour, width: 1.6 },
    marker: { color: colour, size: 6 },
    connectgaps: false,
    cliponaxis: false,
    hovertemplate: `%{y:${definition.hover}}${definition.suffix ?? ""}`,
  };
}

/** @returns {{unit: string | null, divisor: number}} */
export function scaleOf(definition, seriesOf) {
  if (!definition.scale) return { unit: null, divisor: 1 };
  let largest = 0;
  for (const line of definition.lines) {
    for (const value of seriesOf(line.metric).values) largest = Math.max(largest, value ?? 0);
  }
  return definition.scale(largest);
}

/**
 * @param {{logY: boolean, xRange: [number, number], canDrag: boolean}} view
 */
export function layoutOf(definition, view, theme) {
  const axis = {
    gridcolor: theme.grid,
    zeroline: false,
    showline: false,
    ticks: "",
    tickfont: { size: 12, color: theme.muted },
    ticklabelstandoff: 5,
    automargin: true,
  };
  return {
    margin: { l: 48, r: 14, t: 6, b: 28 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: theme.font, size: 12, color: theme.text },
    showlegend: false,
    hovermode: "x unified",
    hoversort: "value descending",
    hoverlabel: { bgcolor: theme.hover, bordercolor: theme.line, font: { size: 12, color: theme.text } },
    dragmode: view.canDrag ? "zoom" : false,
    xaxis: {
      ...axis,
      showgrid: false,
      tickformat: ",d",
      // Plotly would label half steps when there are few.
      tick0: 0,
      nticks: 7,
      hoverformat: ",d",
      unifiedhovertitle: { text: "step %{x}" },
      showspikes: true,
      spikemode: "across",
      spikethickness: 1,
      spikedash: "solid",
      spikecolor: theme.line,
      fixedrange: !view.canDrag,
      range: [...view.xRange],
      autorange: false,
    },
    yaxis: {
      ...axis,
      type: view.logY ? "log" : "linear",
      tickformat: definition.ticks,
      exponentformat: "e",
      ticksuffix: definition.suffix ?? "",
      nticks: 5,
      fixedrange: true,
      autorange: true,
      rangemode: definition.fromZero && !view.logY ? "tozero" : "normal",
    },
  };
}
