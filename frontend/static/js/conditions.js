/** What is wrong with a run, as the server says it: the gravest first. */

import { icon } from "./dom.js";

/** @param {HTMLElement} place @param {{code: string, sentence: string}[]} conditions */
export function showConditions(place, conditions) {
  const said = [...place.querySelectorAll(".condition")].map((line) => line.textContent.trim());
  if (said.join("\n") === conditions.map(({ sentence }) => sentence).join("\n")) return;
  place.replaceChildren(...conditions.map(conditionLine));
}

export function conditionLine({ code, sentence }) {
  const line = document.createElement("p");
  line.className = "condition";
  line.dataset.condition = code;
  const text = document.createElement("span");
  text.textContent = sentence;
  line.append(icon("attention"), text);
  return line;
}
