/**
 * Plotly, which the page's head fetches ahead. It runs for some tenths of a second, so it does not before a chart is to be
 * seen: a script of the page itself would do so before the first points are asked for, and before a log is shown.
 */

let isAsked = false;

/** The first call counts. @param {() => void} onReady */
export function loadPlotly(onReady) {
  if (isAsked) return;
  isAsked = true;
  const script = document.createElement("script");
  script.src = document.getElementById("plotly").href;
  script.addEventListener("load", onReady);
  document.head.append(script);
}
