/** Colours and type of the charts: the style sheet's custom properties, read again when the theme changes. */

const NAMES = {
  text: "--text",
  muted: "--text-2",
  grid: "--chart-grid",
  line: "--hairline",
  hover: "--chart-hover",
  surface: "--surface",
  attention: "--attention",
  failed: "--failed",
  font: "--sans",
  rawOpacity: "--raw-opacity",
};

/** @returns {Record<keyof typeof NAMES, string> & {series: string[]}} */
export function readTheme() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const theme = Object.fromEntries(Object.entries(NAMES).map(([key, name]) => [key, read(name)]));
  return { ...theme, series: [1, 2, 3, 4, 5, 6, 7, 8].map((at) => read(`--series-${at}`)) };
}

/** @param {() => void} listener */
export function onThemeChange(listener) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}
