/** The tools of one chart: logarithmic axis, the whole page for it, and what it shows as a file. */

import { byId } from "../dom.js";
import { figureOf } from "./figure.js";

const IMAGE = { width: 1200, height: 600 };

/**
 * @param {import("./grid.js").ChartGrid} grid
 * @param {{name: string, tableOf?: (metrics: string[]) => string}} run name for files, address of the points as CSV
 */
export function startTools(grid, run) {
  for (const chart of grid.charts) {
    const tool = (name) => chart.figure.querySelector(`[data-tool="${name}"]`);
    startLog(grid, chart, tool("log"));
    tool("expand").addEventListener("click", () => (grid.view.expanded ? close() : expand(grid, chart)));
    for (const format of ["png", "svg"]) {
      tool(format).addEventListener("click", (event) => {
        closeMenu(event);
        download(grid, chart, run.name, format);
      });
    }
    tool("csv").hidden = !run.tableOf;
    if (!run.tableOf) continue;
    tool("csv").addEventListener("click", closeMenu);
    tool("csv").href = run.tableOf(chart.metrics);
  }
  document.addEventListener("click", closeOtherMenus);
  const asked = grid.charts.find(({ name }) => name === grid.view.expanded);
  if (asked) expand(grid, asked);
}

function startLog(grid, chart, button) {
  const show = () => button.setAttribute("aria-pressed", String(grid.view.log.has(chart.name)));
  button.addEventListener("click", () => {
    const log = new Set(grid.view.log);
    if (!log.delete(chart.name)) log.add(chart.name);
    grid.change({ log });
    show();
  });
  show();
}

/** The chart moves into a dialog, which keeps the focus inside and closes with Escape, and moves back. */
function expand(grid, chart) {
  const dialog = byId("expanded-chart");
  const place = document.createElement("div");
  chart.figure.replaceWith(place);
  dialog.append(chart.figure);
  dialog.showModal();
  grid.change({ expanded: chart.name });
  dialog.addEventListener("close", () => {
    place.replaceWith(chart.figure);
    grid.change({ expanded: null });
  }, { once: true });
}

const close = () => byId("expanded-chart").close();

/** As it is seen, with title and legend, on the ground of the theme. */
function download(grid, chart, runName, format) {
  const view = grid.viewOf(chart);
  const { data, layout } = figureOf(chart.definition, chart.seriesOf, view);
  const dressed = {
    ...layout,
    title: { text: `${runName}: ${chart.title}`, font: { size: 15 }, x: 0.02, xanchor: "left" },
    xaxis: { ...layout.xaxis, title: { text: view.axisOf(chart.metrics[0]).title } },
    margin: { l: 64, r: 24, t: 48, b: 56 },
    paper_bgcolor: view.theme.surface,
    plot_bgcolor: view.theme.surface,
    showlegend: data.length > 1,
  };
  const filename = `${runName}-${chart.name}`;
  return Plotly.downloadImage({ data, layout: dressed }, { ...IMAGE, format, filename, scale: 2 });
}

const closeMenu = ({ currentTarget }) => currentTarget.closest("details").removeAttribute("open");

function closeOtherMenus({ target }) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
}
