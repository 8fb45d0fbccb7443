/** The hosts of the page as its table says them, which of them are looked for, and how many are shown at once. */

import { byId } from "../dom.js";
import { count } from "../format.js";

let showsAll = false;

/**
 * @typedef {object} Host
 * @property {string} name
 * @property {"cpu" | "cuda"} kind
 * @property {string} device name of its GPUs
 * @property {number} deviceBytes memory of one GPU
 * @property {number} memoryBytes
 * @property {boolean} isAlive
 * @property {boolean} isRay
 * @property {Map<string, string>} runs names by id
 */

/** @returns {Host[]} those that are looked for and shown */
export const shownHosts = () => rows().filter((row) => !row.hidden).map(hostOf);

const rows = () => [...document.querySelectorAll("#hosts [data-host]")];

function hostOf(row) {
  const { host, kind, device, deviceBytes, memoryBytes, state, launcher } = row.dataset;
  const runs = new Map([...row.querySelectorAll("[data-run]")].map((link) => [link.dataset.run, link.textContent]));
  return {
    name: host, kind, device, runs, deviceBytes: Number(deviceBytes), memoryBytes: Number(memoryBytes),
    isAlive: state !== "silent", isRay: launcher === "ray",
  };
}

/** Hide what is not looked for, and what is too much; say how much that is. */
export function filterHosts() {
  const wanted = byId("find-host").value.trim().toLowerCase();
  const found = rows().filter((row) => row.textContent.toLowerCase().includes(wanted));
  const most = Number(byId("more-hosts").dataset.most);
  const shown = new Set(showsAll ? found : found.slice(0, most));
  for (const row of rows()) row.hidden = !shown.has(row);
  const numMore = found.length - shown.size;
  byId("more-hosts").hidden = !numMore;
  byId("more-hosts").textContent = `${count(shown.size)} of ${count(found.length)} hosts: show all`;
  byId("no-such-host").hidden = found.length > 0 || !wanted;
}

/** @param {() => void} onChange */
export function startHostFilter(onChange) {
  byId("find-host").addEventListener("input", () => {
    showsAll = false;
    onChange();
  });
  byId("more-hosts").addEventListener("click", () => {
    showsAll = true;
    onChange();
  });
}
