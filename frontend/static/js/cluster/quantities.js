/** What is read of a GPU, and of a host: how each reads as text, and between which values its strip runs. */

import { size, UNKNOWN } from "../format.js";

/**
 * @typedef {object} Quantity
 * @property {string} name as in the readings
 * @property {string} title
 * @property {[number, number]} range of the strip's colours
 * @property {(value: number | null | undefined) => string} text
 */

const isKnown = (value) => typeof value === "number";
const known = (text) => (value) => (isKnown(value) ? text(value) : UNKNOWN);

export const percentText = known((value) => `${Math.round(100 * value)}%`);
const ofTotal = (unit, total) => (isKnown(total) ? ` of ${total} ${unit}` : ` ${unit}`);
const gib = (bytes) => Math.round(bytes / 2 ** 30);

/** Colder than this a GPU does nothing; at the hotter end data-centre GPUs begin to slow down. */
const TEMPERATURES = [25, 90];

/** @param {number} memoryBytes of one GPU @param {number | null} powerLimitW @returns {Quantity[]} */
export const ofGpu = (memoryBytes, powerLimitW) => [
  { name: "utilization", title: "Utilisation", range: [0, 1], text: percentText },
  memoryOf(memoryBytes),
  {
    name: "power_w",
    title: "Power",
    range: [0, powerLimitW ?? 700],
    text: known((value) => Math.round(value) + ofTotal("W", powerLimitW)),
  },
  { name: "temperature_c", title: "Temperature", range: TEMPERATURES, text: known((value) => `${Math.round(value)} °C`) },
];

/** @param {number} memoryBytes of the host @returns {Quantity[]} */
export const ofHost = (memoryBytes) => [
  { name: "processor", title: "Processor", range: [0, 1], text: percentText },
  memoryOf(memoryBytes),
];

function memoryOf(total) {
  const text = total < 16 * 2 ** 30
    ? known((value) => `${size(value)} of ${size(total)}`)
    : known((value) => gib(value) + ofTotal("GiB", gib(total)));
  return { name: "memory_bytes", title: "Memory", range: [0, total], text };
}
