/** Keys of every page: `/` search, `n` new run, `c` compare, `j` and `k` rows, `?` help. Never while something is typed. */

import { byId } from "./dom.js";

const isTyping = (target) => target.closest?.("input, select, textarea, [contenteditable]");

export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

const ACTIONS = {
  "/": () => (byId("search") ? byId("search").focus() : location.assign("/runs")),
  n: () => location.assign("/new"),
  // The list of runs compares those that are ticked.
  c: () => (byId("bulk")?.hidden === false ? byId("compare").click() : location.assign("/compare")),
  j: () => chooseRow(1),
  k: () => chooseRow(-1),
  "?": () => byId("help").showModal(),
};

/** The chosen row is the one whose link has the focus, so that Enter opens it without any code of ours. */
function chooseRow(step) {
  const links = [...document.querySelectorAll("tr a.whole, tr [data-preview]")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))];
  next.focus();
  next.closest("tr").scrollIntoView({ block: "nearest" });
}
