/**
 * Cluster: health, queue and hosts as the server drew them, asked for again every few seconds while the page is seen;
 * and what the devices do, pushed as it is read.
 */

import { post } from "../api.js";
import { filterHosts, startHostFilter } from "../cluster/host_list.js";
import { LiveStrips } from "../cluster/live_strips.js";
import { dialogOf } from "../dialog.js";
import { byId, keepTimesFresh, setText, showFault } from "../dom.js";
import { clock } from "../format.js";
import { inOrder } from "../in_order.js";
import { listenToKeys } from "../keyboard.js";

const REFRESH_MS = 5000;
const PARTS = ["health", "celery", "queue", "num-hosts", "hosts-part"];

const strips = new LiveStrips();
const ask = inOrder();

async function refresh() {
  if (document.visibilityState !== "visible") return;
  const isNewest = ask();
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return;
  const text = await response.text().catch(() => null);
  if (text === null || !isNewest()) return;
  const fresh = new DOMParser().parseFromString(text, "text/html");
  // What is replaced would lose the focus of who is about to press it.
  const focused = PARTS.find((id) => byId(id).contains(document.activeElement));
  for (const id of PARTS) if (id !== focused) replace(byId(id), document.adoptNode(fresh.getElementById(id)));
  showMoments();
  showHosts();
}

/** What a reader has unfolded stays unfolded. */
function replace(part, fresh) {
  for (const fold of part.querySelectorAll("details[data-fold][open]")) {
    const same = fresh.querySelector(`details[data-fold="${CSS.escape(fold.dataset.fold)}"]`);
    if (same) same.open = true;
  }
  part.replaceWith(fresh);
}

/** Times of day in the reader's own time zone, with the date where it is not today. */
function showMoments() {
  const today = clock(Date.now() / 1000).slice(0, 10);
  for (const element of document.querySelectorAll("time[data-moment]")) {
    const text = clock(Number(element.dataset.moment));
    element.title = text;
    setText(element, text.startsWith(today) ? text.slice(11, 16) : text.slice(0, 16));
  }
}

function showHosts() {
  const isEmpty = byId("hosts") === null;
  for (const id of ["find-host", "devices"]) byId(id).hidden = isEmpty;
  filterHosts();
  strips.show();
}

const hostOf = (button) => button.closest("[data-host]").dataset.host;
const pathOf = (host) => `/hosts/${encodeURIComponent(host)}`;

/** Does it at once, then shows what came of it, or why not. */
async function act(path) {
  const fault = await post(path).then(() => null, (error) => error);
  showFault(byId("action-fault"), fault);
  if (fault) return;
  document.activeElement?.blur();
  await refresh();
}

function onClick({ target }) {
  const button = target.closest("button");
  if (!button) return;
  if ("drain" in button.dataset) askToDrain(hostOf(button));
  if ("undrain" in button.dataset) act(`${pathOf(hostOf(button))}/undrain`);
  if ("release" in button.dataset) act(`${pathOf(hostOf(button))}/devices/${button.dataset.release}/release`);
}

const openDrainDialog = dialogOf("drain", async () => {
  const asked = { why: byId("drain-why").value.trim(), pause: byId("drain-pause").checked };
  await post(`${pathOf(byId("drain-host").textContent)}/drain`, asked);
  await refresh();
});

function askToDrain(host) {
  setText(byId("drain-host"), host);
  byId("drain-why").value = "";
  byId("drain-pause").checked = false;
  openDrainDialog();
}

listenToKeys();
keepTimesFresh();
showMoments();
filterHosts();
startHostFilter(showHosts);
strips.start();
byId("content").addEventListener("click", onClick);
setInterval(refresh, REFRESH_MS);
