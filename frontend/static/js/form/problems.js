/**
 * Problems at their fields. A field is found by its dotted path; a problem without a field stands only in the list.
 */

import { showAll } from "./find_field.js";

/** @typedef {import("../api.js").Problem} Problem */

const holderOf = (form, path) => form.querySelector(`[data-field~="${CSS.escape(path)}"]`);

/**
 * Show at each field its own problem and clear the others.
 * @param {HTMLFormElement} form
 * @param {Problem[]} problems
 */
export function showAtFields(form, problems) {
  for (const holder of form.querySelectorAll("[data-field]")) {
    const paths = holder.dataset.field.split(" ");
    const mine = problems.filter((problem) => paths.includes(problem.field));
    showAt(holder, mine);
  }
}

function showAt(holder, problems) {
  const fault = holder.querySelector(".fault");
  const input = holder.querySelector("input, select");
  fault.textContent = problems.map(sentence).join(" ");
  fault.hidden = problems.length === 0;
  if (problems.length) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

const sentence = ({ message, mend }) => [message, capital(mend ?? "")].filter(Boolean).map(withStop).join(" ");
// A mend is an order and begins with a verb; the name of a field stays as it is written in a spec.
const capital = (text) => (/^[a-z]+\b(?![._])/.test(text) ? text[0].toUpperCase() + text.slice(1) : text);
const withStop = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** The list of all problems; each leads to its field. @param {HTMLElement} list */
export function listProblems(list, form, problems) {
  list.replaceChildren(...problems.map((problem) => {
    const row = document.createElement("li");
    row.append(sentence(problem));
    if (holderOf(form, problem.field)) row.prepend(linkTo(form, problem.field));
    return row;
  }));
}

function linkTo(form, path) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet small mono";
  button.textContent = path;
  button.addEventListener("click", () => focusField(form, path));
  return button;
}

/** Bring a field into view, opening the part that hides it. */
export function focusField(form, path) {
  const holder = holderOf(form, path);
  if (!holder) return;
  const part = holder.closest("details");
  part?.setAttribute("open", "");
  if (holder.closest("[hidden]")) showAll(part);
  holder.querySelector("input, select").focus();
  holder.scrollIntoView({ block: "center" });
}
