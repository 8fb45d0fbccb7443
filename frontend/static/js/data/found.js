/** What was found in a file: its facts, and each kind of fault with what happens to such rows. */

import { count, size } from "../format.js";

/** @param {HTMLElement} place @param {any} report DatasetReport @param {(row: number) => string} [rowLink] */
export function showFound(place, report, rowLink) {
  place.replaceChildren(facts(report), report.faults.length ? faults(report.faults, rowLink) : clean(report));
}

/** @param {any} report @returns {[string, string][]} */
export function factsOf(report) {
  const packed = report.compression === "none" ? "" : `, ${report.compression}`;
  return [
    ["Shape", report.shape],
    ["Format", `${report.format}${packed}, ${size(report.size_bytes)}`],
    ["Rows", count(report.num_rows)],
    ["Trained", count(report.num_trainable_rows)],
    ["Left out", count(report.num_dropped_rows)],
    ["Cut", count(report.num_truncated_rows)],
    ["Turns", Object.entries(report.num_turns_by_role).map(([role, num]) => `${count(num)} ${role}`).join(", ") || "–"],
    ["Columns", report.columns.join(", ") || "–"],
  ];
}

function facts(report) {
  const list = document.createElement("dl");
  list.className = "fact-grid";
  for (const [name, value] of factsOf(report)) {
    const pair = document.createElement("div");
    pair.append(made("dt", name), made("dd", value));
    list.append(pair);
  }
  return list;
}

function clean(report) {
  const line = made("p", `No fault in ${count(report.num_rows)} rows.`);
  line.className = "verdict good";
  return line;
}

const WHAT_HAPPENS = { keep: "kept", drop: "left out", truncate: "cut", fail: "refuses the file" };

function faults(found, rowLink) {
  const frame = document.createElement("div");
  frame.className = "table-frame";
  const table = document.createElement("table");
  table.className = "list faults";
  const head = document.createElement("tr");
  for (const name of ["Fault", "Rows", "Such rows are", "For example"]) head.append(made("th", name));
  head.children[1].className = "num";
  const top = document.createElement("thead");
  top.append(head);
  const body = document.createElement("tbody");
  body.append(...found.map((fault) => faultRow(fault, rowLink)));
  table.append(top, body);
  frame.append(table);
  return frame;
}

function faultRow(fault, rowLink) {
  const row = document.createElement("tr");
  row.dataset.fault = fault.kind;
  const action = made("td", WHAT_HAPPENS[fault.action]);
  action.dataset.action = fault.action;
  const name = made("td", fault.kind.replaceAll("_", " "));
  name.className = "head";
  const examples = document.createElement("td");
  examples.className = "wide";
  examples.append(...fault.examples.slice(0, 3).map((example) => exampleLine(example, rowLink)));
  const number = made("td", count(fault.num_rows));
  number.className = "num";
  for (const [cell, label] of [[number, "Rows"], [action, "Such rows are"]]) cell.dataset.label = label;
  row.append(name, number, action, examples);
  return row;
}

function exampleLine({ row, message, mend }, rowLink) {
  const line = document.createElement("div");
  line.className = "small";
  line.title = mend;
  const where = rowLink ? made("a", `Row ${count(row)}`) : made("b", `Row ${count(row)}`);
  if (rowLink) where.href = rowLink(row);
  line.append(where, ` ${message}`);
  return line;
}

function made(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
