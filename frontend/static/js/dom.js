/** What every page does with elements: read the page's data, fill cells, show a state, an icon, a fault. */

import { ago, clock, share } from "./format.js";

/** Beside this file, so that it comes from the same folder, which the browser may keep. */
const ICONS = new URL("../icons.svg", import.meta.url).pathname;

/** The data that the server put into the page. */
export function pageData() {
  return JSON.parse(document.getElementById("page-data").textContent);
}

/** Show `query` as that of the page's address, with hash and history as they are. @param {URLSearchParams} query */
export function replaceQuery(query) {
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%7E", "~");
  history.replaceState(null, "", `${location.pathname}${text ? `?${text}` : ""}${location.hash}`);
}

export const byId = (id) => document.getElementById(id);

/** A copy of the only element inside a template. */
export function copyOf(templateId) {
  return byId(templateId).content.firstElementChild.cloneNode(true);
}

/** Write only what changed: a row that is told the same again must not repaint. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

export const cell = (root, name) => root.querySelector(`[data-cell="${name}"]`);

/** @param {Element} badge an element of the macro `state` */
export function showState(badge, state) {
  if (badge.dataset.state === state && badge.lastElementChild.textContent === state) return;
  badge.dataset.state = state;
  badge.querySelector("use").setAttribute("href", `${ICONS}#${state}`);
  badge.lastElementChild.textContent = state;
}

/** @param {HTMLElement} bar an element of the macro `progress` */
export function showProgress(bar, state, done, total) {
  bar.dataset.state = state;
  bar.setAttribute("aria-valuenow", String(Math.floor(100 * share(done, total))));
  bar.firstElementChild.style.setProperty("--done", String(share(done, total)));
}

/**
 * A row of a table that stacks on a narrow screen, where each cell shows its label.
 * @param {[string, string | Node, string?][]} cells label, content, class
 */
export function tableRow(cells) {
  const row = document.createElement("tr");
  for (const [label, content, kind] of cells) {
    const cell = document.createElement("td");
    cell.dataset.label = label;
    if (kind) cell.className = kind;
    cell.append(content);
    row.append(cell);
  }
  return row;
}

/** A time element that `keepTimesFresh` keeps up to date. */
export function sinceElement(unixSeconds) {
  const element = document.createElement("time");
  if (!unixSeconds) return document.createTextNode("–");
  element.dateTime = new Date(unixSeconds * 1000).toISOString();
  element.dataset.since = String(unixSeconds);
  element.title = clock(unixSeconds);
  element.textContent = ago(unixSeconds);
  return element;
}

export function keepTimesFresh() {
  const refresh = () => {
    for (const element of document.querySelectorAll("time[data-since]")) {
      setText(element, ago(Number(element.dataset.since)));
      element.title ||= clock(Number(element.dataset.since));
    }
  };
  for (const element of document.querySelectorAll("time[data-clock]")) {
    setText(element, clock(Number(element.dataset.clock)));
  }
  refresh();
  setInterval(refresh, 5000);
}

/** Show an ApiError, or nothing, in `place`. */
export function showFault(place, error) {
  if (!error) return place.replaceChildren();
  const notice = document.createElement("div");
  notice.className = "notice bad";
  notice.setAttribute("role", "alert");
  const message = document.createElement("strong");
  message.textContent = error.message;
  const mend = document.createElement("p");
  mend.textContent = error.mend ?? "";
  notice.append(icon("failed"), message, mend);
  return place.replaceChildren(notice);
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}
