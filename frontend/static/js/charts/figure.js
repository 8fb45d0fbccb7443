/** From series to what Plotly draws: traces and layout. Nothing here touches the page. */

import { MARK_AXIS, markShapes, markTraces } from "./marks.js";
import { pointsBeyond, usualRange } from "./outliers.js";
import { firstAtLeast, gapsOf, withGaps } from "./series.js";
import { movingAverage } from "./smoothing.js";

/** More lines than that are drawn thinner: they are told apart, and a browser paints lines of a pixel five times as fast. */
const MOST_THICK = 8;

/**
 * @typedef {object} View how a chart is drawn now
 * @property {(metric: string) => ReturnType<import("./x_axis.js").xAxisOf>} axisOf
 * @property {[number, number]} range places on the x-axis between which it is looked at
 * @property {number} smoothing
 * @property {boolean} logY
 * @property {boolean} clips
 * @property {boolean} canDrag
 * @property {import("./marks.js").Mark[]} marks
 * @property {ReturnType<import("./theme.js").readTheme>} theme
 */

/**
 * @param {import("./definitions.js").ChartDefinition} definition
 * @param {(metric: string) => import("./series.js").MetricSeries} seriesOf
 * @param {View} view
 * @returns {{data: any[], layout: any}}
 */
export function figureOf(definition, seriesOf, view) {
  const data = tracesOf(definition, seriesOf, view);
  const layout = layoutOf(definition, view);
  const range = view.clips ? usualRange(data.map(({ y }) => y)) : null;
  if (range) {
    layout.yaxis.range = view.logY ? range.map((value) => Math.log10(Math.max(value, Number.MIN_VALUE))) : range;
    layout.yaxis.autorange = false;
    data.push(...edgeTraces(data, range));
  }
  if (view.marks.length) {
    const axis = view.axisOf(definition.lines[0].metric);
    data.push(...markTraces(view.marks, axis, view.theme));
    layout.shapes = markShapes(view.marks, axis, view.theme);
    layout.yaxis2 = MARK_AXIS;
  }
  return { data, layout };
}

function tracesOf(definition, seriesOf, view) {
  const { theme, smoothing } = view;
  const { divisor } = scaleOf(definition, seriesOf);
  const isComparison = definition.lines.filter(({ smooth }) => smooth).length > 1;
  const faint = [];
  const traces = definition.lines.flatMap((line) => {
    const series = seriesOf(line.metric);
    const allPlaces = view.axisOf(line.metric).placesOf(series);
    const seen = seenPart(allPlaces, view.range);
    const [steps, places] = [seen(series.steps), seen(allPlaces)];
    const values = divisor === 1
      ? series.values
      : series.values.map((value) => (value === null ? null : value / divisor));
    const common = traceOf(line, theme.series[line.colour], series.length, definition);
    if (line.band) return bandTraces(line, common, seriesOf, { seen, places, divisor, smoothing: line.smooth ? smoothing : 0 });
    if (line.marks) return [{ ...common, x: places, y: seen(values) }];
    const gaps = gapsOf(steps, series.isThinned, series.coarse);
    const raw = { ...common, ...withGaps(places, seen(values), gaps) };
    if (!line.smooth || smoothing === 0) return [raw];
    // The average knows what was before the part that is seen.
    const smoothed = withGaps(places, seen(movingAverage(values, smoothing)), gaps);
    // Without dashes: the average has them, and they are slow to paint.
    faint.push({ ...raw, line: { ...common.line, width: 1, dash: "solid" }, opacity: Number(theme.rawOpacity) });
    return [{ ...common, ...smoothed, name: `${line.label}, smoothed` }];
  });
  return [...(isComparison ? joinedByColour(faint.filter(({ x }) => x.length)) : faint), ...traces];
}

/**
 * Many faint lines as a trace for each colour, which Plotly draws in less time. Where many lines are compared, a hover box
 * or a legend with two entries of each could not be read.
 */
function joinedByColour(faint) {
  return [...Map.groupBy(faint, ({ line }) => line.color).values()].map((ours) => ({
    ...ours[0],
    mode: "lines",
    hoverinfo: "skip",
    hovertemplate: undefined, // with one Plotly 4.1 would tell them nevertheless
    showlegend: false,
    ...oneAfterTheOther(ours),
  }));
}

/** With an empty point behind each. */
function oneAfterTheOther(lines) {
  const x = [];
  const y = [];
  for (const line of lines) {
    for (let at = 0; at < line.x.length; at += 1) {
      x.push(line.x[at]);
      y.push(line.y[at]);
    }
    x.push(line.x.at(-1));
    y.push(null);
  }
  return { x, y };
}

/** The line of a group above the band in which its runs lie; all three have the same steps. */
function bandTraces(line, common, seriesOf, { seen, places, divisor, smoothing }) {
  const valuesOf = (metric) => seriesOf(metric).values.map((value) => value / divisor);
  const edge = {
    ...common,
    mode: "lines",
    x: places,
    line: { ...common.line, width: 0 },
    cliponaxis: true,
    hoverinfo: "skip",
    hovertemplate: undefined,
    showlegend: false,
  };
  const [low, high] = line.band.map((metric) => ({ ...edge, y: seen(valuesOf(metric)) }));
  const fill = { fill: "tonexty", fillcolor: `${common.line.color}40` };
  return [low, { ...high, ...fill }, { ...common, x: places, y: seen(movingAverage(valuesOf(line.metric), smoothing)) }];
}

/** Cuts a list of a series to the points between two places and one more on either side, so that y fits what is seen. */
function seenPart(places, [from, to]) {
  const begin = Math.max(0, firstAtLeast(places, from) - 1);
  let end = firstAtLeast(places, to);
  while (places[end] === to) end += 1; // several steps of one millisecond
  return (list) => list.slice(begin, end + 1);
}

/** What lies outside of the range, as triangles at its edge that still tell the value. */
function edgeTraces(traces, range) {
  return traces.flatMap((trace) => {
    const { x, y, symbols, values } = pointsBeyond(trace, range);
    if (!x.length || trace.opacity || trace.line.width === 0) return [];
    const marker = { ...trace.marker, symbol: symbols, size: 7 };
    const hovertemplate = trace.hovertemplate.replace("%{y", "%{customdata");
    return [{ ...trace, x, y, mode: "markers", marker, customdata: values, hovertemplate, name: `${trace.name}, beyond` }];
  });
}

function traceOf(line, colour, numPoints, definition) {
  return {
    name: line.label,
    type: "scatter",
    // A single point has no line.
    mode: line.marks ? "lines+markers" : numPoints === 1 ? "markers" : "lines",
    line: { color: colour, width: definition.lines.length > MOST_THICK ? 1 : 1.6, dash: line.dash ?? "solid" },
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

/** @param {View} view */
function layoutOf(definition, view) {
  const { theme } = view;
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
      ...view.axisOf(definition.lines[0].metric).plotly,
      nticks: 7,
      showspikes: true,
      spikemode: "across",
      spikethickness: 1,
      spikedash: "solid",
      spikecolor: theme.line,
      fixedrange: !view.canDrag,
      range: [...view.range],
      autorange: false,
    },
    yaxis: {
      ...axis,
      // They have room by the margin; to look whether they stick out takes a tenth of a drawing.
      ticklabeloverflow: "allow",
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
