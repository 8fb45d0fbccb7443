/**
 * Plotly, which the page's head fetches ahead. It runs for some tenths of a second; as a script of the page itself it
 * would do so before the first points are asked for.
 */

/** @param {() => void} onReady */
export function loadPlotly(onReady) {
  const script = document.createElement("script");
  script.src = document.getElementById("plotly").href;
  script.addEventListener("load", onReady);
  document.head.append(script);
}
