/** A curve of a few dozen values in the height of a line of text: its shape and nothing else. */

import { number } from "../format.js";

const WIDTH = 96;
const HEIGHT = 24;
/** Room for the thickness of the line. */
const MARGIN = 2;

/** @param {SVGElement} svg with one path @param {(number | null)[]} values */
export function drawSparkline(svg, values) {
  const path = pathOf(values);
  const line = svg.firstElementChild;
  if (line.getAttribute("d") === path) return;
  line.setAttribute("d", path);
  svg.setAttribute("aria-label", describe(values));
}

/** As SVG wants it; a value that is missing leaves a gap. */
export function pathOf(values) {
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (at) => MARGIN + (at * (WIDTH - 2 * MARGIN)) / Math.max(1, values.length - 1);
  const y = (value) => MARGIN + ((high - value) / (high - low || 1)) * (HEIGHT - 2 * MARGIN);
  let isDown = false;
  return values.map((value, at) => {
    if (value === null) {
      isDown = false;
      return "";
    }
    const place = `${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    // A line to itself shows a point that stands alone.
    const part = isDown ? `L${place}` : `M${place}L${place}`;
    isDown = true;
    return part;
  }).join("");
}

function describe(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? `training loss from ${number(known[0])} to ${number(known.at(-1))}` : "no training loss yet";
}
