/** The table of specs: a row a field, a column a run; by default only what was different. */

import { runLink } from "./run_link.js";
import { rowsOf } from "./differences.js";

/** @param {HTMLTableElement} table @param {import("./run_set.js").Run[]} runs @param {boolean} showsAll */
export function showConfiguration(table, runs, showsAll) {
  const rows = rowsOf(runs.map(({ id, job }) => ({ id, spec: job.resolved })));
  const shown = rows.filter(({ differs }) => showsAll || differs);
  table.tHead.replaceChildren(rowWith("th", ["Field", ...runs.map(runLink)]));
  table.tBodies[0].replaceChildren(...shown.map(({ path, values }) => rowWith("td", [path, ...values.values()])));
  return shown.length;
}

function rowWith(kind, contents) {
  const row = document.createElement("tr");
  row.append(...contents.map((content) => {
    const cell = document.createElement(kind);
    cell.append(content);
    return cell;
  }));
  row.firstElementChild.className = "mono";
  return row;
}
