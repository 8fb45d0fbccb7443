/** What the engine reported when it started: the few that matter most in one line, all of them beside the spec. */

import { byId } from "../dom.js";
import { count, number } from "../format.js";

const IN_LINE = [
  "num_training_samples", "num_dropped_rows", "num_overlong_samples", "num_ranks", "params_dtype", "fp8",
];

/** @param {any} job JobDetail */
export function showFacts(job) {
  const { host, attempt, model, dataset, facts } = job;
  const own = { host, attempt: attempt > 1 ? attempt : "", model, data: dataset };
  const inLine = IN_LINE.filter((name) => name in facts).map((name) => [name, facts[name]]);
  const told = [...Object.entries(own), ...inLine].filter(([, value]) => value !== "");
  byId("facts").replaceChildren(...told.map(([name, value]) => pair("span", "span", "b", name, value)));
  byId("engine-facts").replaceChildren(
    ...Object.entries(facts).map(([name, value]) => pair("div", "dt", "dd", name, value)),
  );
  byId("engine-facts").closest(".panel").hidden = Object.keys(facts).length === 0;
}

function pair(outer, term, detail, name, value) {
  const [holder, label, text] = [outer, term, detail].map((tag) => document.createElement(tag));
  label.textContent = `${name.replaceAll("_", " ").replace(/^num /, "")} `;
  text.textContent = textOf(value);
  holder.append(label, text);
  return holder;
}

function textOf(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
