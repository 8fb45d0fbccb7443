/**
 * One quantity of one device over the last minutes as a band of colour, with the newest value beside it. Under the
 * pointer, or with the arrow keys, it tells the value of any moment. To a screen reader it is a slider through time,
 * named by newest, mean and most.
 */

import { setText } from "../dom.js";
import { time } from "../format.js";
import { SHOWN_S } from "./history.js";

const NUM_COLOURS = 32;
// So many typical distances without a reading are a gap.
const GAP_FACTOR = 3;

/** The ramp of the theme as so many colours; its lightness rises or falls all the way, so no hue must be told apart. */
export function heatColours() {
  const style = getComputedStyle(document.documentElement);
  const stops = [0, 1, 2, 3, 4].map((at) => rgbOf(style.getPropertyValue(`--heat-${at}`).trim()));
  return Array.from({ length: NUM_COLOURS }, (_, at) => {
    const place = (at / (NUM_COLOURS - 1)) * (stops.length - 1);
    const below = Math.min(Math.floor(place), stops.length - 2);
    const mix = stops[below].map((part, n) => Math.round(part + (stops[below + 1][n] - part) * (place - below)));
    return `rgb(${mix.join(" ")})`;
  });
}

const rgbOf = (hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));

export class Strip {
  #times = [];
  #values = [];
  #drawn = "";
  /** The moment that is told, as a place in the values; -1: the newest. */ #told = -1;

  /** @param {string} device for screen readers @param {import("./quantities.js").Quantity} quantity */
  constructor(device, quantity) {
    this.device = device;
    this.quantity = quantity;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "slider");
    // In seconds before the newest reading.
    Object.assign(this.canvas, { tabIndex: -1, ariaValueMin: String(-SHOWN_S), ariaValueMax: "0", ariaValueNow: "0" });
    this.value = document.createElement("span");
    this.value.className = "reading";
    this.canvas.addEventListener("pointermove", ({ offsetX }) => this.#tell(this.#placeAt(offsetX)));
    this.canvas.addEventListener("pointerleave", () => this.#tell(-1));
    this.canvas.addEventListener("blur", () => this.#tell(-1));
  }

  /** @param {number[]} times @param {(number | null)[]} values @param {string[]} colours */
  show(times, values, colours) {
    const isLive = this.#told < 0;
    const toldTime = this.#times[this.#told];
    this.#times = times;
    this.#values = values;
    this.#draw(colours);
    this.#tell(isLive ? -1 : times.indexOf(toldTime));
    this.#describe();
  }

  /** By so many readings to the left or the right. */
  step(by) {
    const from = this.#told < 0 ? this.#values.length - 1 : this.#told;
    this.#tell(Math.min(this.#values.length - 1, Math.max(0, from + by)));
  }

  #draw(colours) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const newest = this.#times.at(-1) ?? 0;
    const state = [width, height, newest, this.#values.length, colours[0]].join();
    if (!width || state === this.#drawn) return;
    this.#drawn = state;
    const scale = devicePixelRatio;
    Object.assign(this.canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = this.canvas.getContext("2d");
    const perSecond = this.canvas.width / SHOWN_S;
    const longest = GAP_FACTOR * typicalDistance(this.#times);
    this.#values.forEach((value, at) => {
      if (value === null || value === undefined) return;
      const lasted = at ? Math.min(this.#times[at] - this.#times[at - 1], longest) : longest / GAP_FACTOR;
      const end = (this.#times[at] - newest + SHOWN_S) * perSecond;
      context.fillStyle = colours[this.#colourOf(value)];
      context.fillRect(Math.floor(end - lasted * perSecond), 0, Math.ceil(lasted * perSecond) + 1, this.canvas.height);
    });
  }

  #colourOf(value) {
    const [low, high] = this.quantity.range;
    return Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * (NUM_COLOURS - 1));
  }

  #placeAt(x) {
    const wanted = (this.#times.at(-1) ?? 0) - SHOWN_S * (1 - x / this.canvas.clientWidth);
    const distance = (at) => Math.abs(this.#times[at] - wanted);
    return this.#times.reduce((best, _, at) => (best < 0 || distance(at) < distance(best) ? at : best), -1);
  }

  #tell(place) {
    const isMoved = place !== this.#told;
    this.#told = place;
    const isNewest = place < 0;
    const value = this.quantity.text(isNewest ? this.#values.at(-1) : this.#values[place]);
    const text = isNewest ? value : `${value} at ${time(this.#times[place])}`;
    setText(this.value, text);
    this.value.classList.toggle("told", !isNewest);
    // A screen reader speaks each change of what has the focus: new readings every other second would never end.
    if (!isMoved && document.activeElement === this.canvas) return;
    this.canvas.ariaValueNow = String(isNewest ? 0 : Math.round(this.#times[place] - this.#times.at(-1)));
    this.canvas.ariaValueText = text;
  }

  #describe() {
    const known = this.#values.filter((value) => typeof value === "number");
    const { title, text } = this.quantity;
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const past = known.length ? `, mean ${text(mean)}, most ${text(Math.max(...known))}` : "";
    const label = `${title} of ${this.device}: now ${text(this.#values.at(-1))}${past}`;
    if (this.canvas.ariaLabel !== label) this.canvas.ariaLabel = label;
  }
}

function typicalDistance(times) {
  const distances = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? 2;
}
