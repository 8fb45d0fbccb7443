/** The small forms of the data and models pages: send, show faults at their fields, keep what was typed. */

import { showFault } from "../dom.js";
import { showAtFields } from "./problems.js";

/**
 * @param {HTMLFormElement} form
 * @param {(form: HTMLFormElement) => Promise<any>} send
 * @param {(answer: any) => void} onDone
 */
export function startForm(form, send, onDone) {
  const fault = form.querySelector("[data-fault]");
  const button = form.querySelector("button:not([type])");
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const missing = missingIn(form);
    showAtFields(form, missing);
    showFault(fault, null);
    if (missing.length) return;
    button.disabled = true;
    try {
      onDone(await send(form));
      form.reset();
    } catch (error) {
      showRefusal(form, fault, error);
    } finally {
      button.disabled = false;
    }
  });
}

function missingIn(form) {
  return [...form.querySelectorAll("[required]")]
    .filter((input) => input.value.trim() === "")
    .map((input) => ({ field: input.name, value: "", message: "This is needed", mend: "" }));
}

/** A problem whose field is not in the form is shown with the message of the whole. */
function showRefusal(form, fault, error) {
  const problems = error.problems ?? [];
  showAtFields(form, problems);
  const isPlaced = ({ field }) => form.querySelector(`[data-field~="${CSS.escape(field)}"]`);
  showFault(fault, problems.length > 0 && problems.every(isPlaced) ? null : error);
}

/** The last part of a path as a name of the registry. @param {string} path */
export function suggestedName(path) {
  const last = path.replace(/[\\/]+$/, "").split(/[\\/]/).at(-1) ?? "";
  const bare = last.replace(/\.(gz|zst)$/i, "").replace(/\.(jsonl?|ndjson|csv|tsv|parquet|arrow|feather)$/i, "");
  return bare.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 80);
}

/** @param {HTMLInputElement} source @param {HTMLInputElement} target */
export function suggestName(source, target) {
  let suggested = "";
  source.addEventListener("input", () => {
    if (target.value && target.value !== suggested) return;
    suggested = suggestedName(source.value);
    target.value = suggested;
  });
}
