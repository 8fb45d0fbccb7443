/** Whether the spec fits the memory of one device, as a bar of its parts: an estimate, made by the server. */

import { count, size } from "../format.js";

const NAMES = {
  weights: "Weights",
  gradients: "Gradients",
  optimizer: "Optimizer",
  activations: "Activations",
  loss: "Loss",
  update: "Update",
  runtime: "Runtime",
};

/**
 * @param {HTMLElement} place
 * @param {any} memory MemoryEstimate, null where the spec would not run
 * @param {any} resolved ResolvedSpec
 */
export function showFit(place, memory, resolved) {
  place.hidden = !memory;
  if (!memory) return;
  const shown = { ...memory, parts: memory.parts.filter((part) => part.bytes > 0) };
  place.replaceChildren(titleOf(memory, resolved), barOf(shown), legendOf(shown), adviceOf(memory, resolved));
  place.dataset.verdict = memory.verdict;
}

function titleOf(memory, { hardware }) {
  const of = hardware.device === "cuda" ? "per GPU" : "per process";
  const words = { fits: "Fits", tight: "Tight", does_not_fit: "Does not fit" }[memory.verdict];
  const title = element("p", "fit-title");
  title.append(
    element("strong", "", words),
    `: about ${size(memory.total_bytes)} of ${size(memory.capacity_bytes)} ${of}`,
  );
  return title;
}

function barOf({ parts, total_bytes, capacity_bytes }) {
  const bar = element("div", "fit-bar");
  const scale = Math.max(total_bytes, capacity_bytes);
  for (const part of parts) {
    const piece = element("span", "fit-part");
    piece.dataset.part = part.name;
    piece.style.width = `${(100 * part.bytes) / scale}%`;
    piece.title = `${NAMES[part.name]}: ${size(part.bytes)}`;
    bar.append(piece);
  }
  const edge = element("span", "fit-edge");
  edge.style.left = `${(100 * capacity_bytes) / scale}%`;
  bar.append(edge);
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", parts.map((part) => `${NAMES[part.name]} ${size(part.bytes)}`).join(", "));
  return bar;
}

function legendOf({ parts }) {
  const legend = element("ul", "fit-legend");
  for (const part of parts) {
    const item = element("li", "");
    item.dataset.part = part.name;
    item.append(`${NAMES[part.name]} `, element("span", "num", size(part.bytes)));
    legend.append(item);
  }
  return legend;
}

function adviceOf({ verdict, largest_max_tokens_per_gpu: largest }, { batching, hardware }) {
  if (verdict === "fits") return element("p", "fit-advice", "An estimate from the sizes of the model and the layout.");
  const more = hardware.device === "cuda" ? "share the model over more GPUs" : "take fewer processes";
  const advice = largest
    ? `Microbatches of up to ${count(largest)} tokens would fit (now ${count(batching.max_tokens_per_gpu)}).`
    : `Not even the model's state fits: ${more}, or recompute and offload.`;
  return element("p", "fit-advice", advice);
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
