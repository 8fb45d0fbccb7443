/** Lengths of the samples and how they pack, under a spec. */

import { finished, post } from "../api.js";
import { count, number } from "../format.js";

/** @param {any} spec JobSpec @param {(work: any) => void} onWork @returns {Promise<any>} DataForecast */
export async function forecastOf(spec, onWork) {
  return finished(await post("/jobs/forecast", spec), onWork);
}

/** @param {any} forecast @returns {[string, string][]} */
export function packingLines({ packing, num_rows: numRows, num_samples: numSamples }) {
  const { min_num_microbatches: least, max_num_microbatches: most } = packing;
  return [
    ["Samples", `${count(packing.num_samples)} trained, of ${count(numSamples)} in ${count(numRows)} rows`],
    ["Steps an epoch", count(packing.steps_per_epoch)],
    ["Microbatches a step and rank", `${number(packing.mean_num_microbatches)} (${count(least)} to ${count(most)})`],
    ["Tokens a step", count(packing.mean_tokens_per_step)],
    ["Padding", `${(100 * packing.padding_share).toFixed(1)}%`],
    ["Fullest rank", `${(100 * (packing.imbalance - 1)).toFixed(1)}% above the mean`],
    ["Longer than a microbatch", ownMicrobatches(packing.num_overlong_samples)],
  ];
}

function ownMicrobatches(num) {
  if (!num) return "none";
  return num === 1 ? "1 sample, in one of its own" : `${count(num)} samples, each in one of its own`;
}

/** The histogram as rows of bars: one row a doubling of length. @param {HTMLElement} place @param {any} forecast */
export function showHistogram(place, forecast) {
  const kinds = ["prompt", "trained", "total"];
  const bins = [...new Set(kinds.flatMap((kind) => forecast[kind].histogram.map((bin) => bin.upper)))].sort((a, b) => a - b);
  const most = Math.max(...kinds.flatMap((kind) => forecast[kind].histogram.map((bin) => bin.num_rows)));
  const table = document.createElement("table");
  table.className = "histogram";
  table.append(header(kinds, forecast));
  const body = document.createElement("tbody");
  bins.forEach((upper, index) => body.append(binRow(upper, bins[index - 1], kinds, forecast, most)));
  table.append(body);
  place.replaceChildren(table);
}

function header(kinds, forecast) {
  const head = document.createElement("thead");
  const row = document.createElement("tr");
  row.append(cellOf("th", "Tokens"));
  for (const kind of kinds) {
    const { p50, p90, maximum } = forecast[kind];
    const cell = cellOf("th", kind);
    const about = document.createElement("span");
    about.className = "muted small";
    about.textContent = ` half ≤ ${count(p50)}, 90% ≤ ${count(p90)}, longest ${count(maximum)}`;
    cell.append(about);
    row.append(cell);
  }
  head.append(row);
  return head;
}

function binRow(upper, before, kinds, forecast, most) {
  const row = document.createElement("tr");
  const from = before === undefined ? 0 : before + 1;
  const label = cellOf("th", `${count(from)}–${count(upper)}`);
  const cut = cutOff(from, upper, forecast);
  if (cut) {
    row.className = "cut";
    const mark = document.createElement("span");
    mark.className = "cut-mark small";
    mark.textContent = cut;
    label.append(mark);
  }
  row.append(label);
  for (const kind of kinds) {
    const found = forecast[kind].histogram.find((bin) => bin.upper === upper);
    row.append(barCell(found ? found.num_rows : 0, most, kind));
  }
  return row;
}

/** What of the spec cuts in this bin. */
function cutOff(from, upper, { capacity, max_position_embeddings: positions }) {
  const inside = (limit) => limit >= from && limit <= upper;
  const marks = [];
  if (inside(capacity)) marks.push(`microbatch ${count(capacity)}`);
  if (inside(positions)) marks.push(`model's positions ${count(positions)}`);
  return marks.join(", ");
}

function barCell(rows, most, kind) {
  const cell = document.createElement("td");
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.dataset.kind = kind;
  bar.style.setProperty("--share", String(most ? rows / most : 0));
  cell.append(bar, rows ? count(rows) : "");
  return cell;
}

function cellOf(tag, text) {
  const cell = document.createElement(tag);
  cell.textContent = text;
  return cell;
}
