/** Cluster: queue and hosts as the server drew them; the page asks again every few seconds while it is seen. */

import { post } from "../api.js";
import { byId, keepTimesFresh, setText, showFault } from "../dom.js";
import { clock } from "../format.js";
import { listenToKeys } from "../keyboard.js";

const REFRESH_MS = 5000;
const PARTS = ["health", "queue", "hosts-part"];

async function refresh() {
  if (document.visibilityState !== "visible") return;
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  // What is replaced would lose the focus of who is about to press it.
  const focused = PARTS.find((id) => byId(id).contains(document.activeElement));
  for (const id of PARTS) {
    if (id !== focused) byId(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
  }
  showMoments();
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

const hostOf = (button) => button.closest("[data-host]").dataset.host;
const pathOf = (host) => `/hosts/${encodeURIComponent(host)}`;

/** Does it, then shows what came of it, or why not. @param {HTMLElement} faultPlace */
async function act(path, body, faultPlace) {
  try {
    await post(path, body);
    showFault(faultPlace, null);
    document.activeElement?.blur();
    await refresh();
    return true;
  } catch (error) {
    showFault(faultPlace, error);
    return false;
  }
}

function onClick({ target }) {
  const button = target.closest("button");
  if (!button) return;
  if ("drain" in button.dataset) return askToDrain(hostOf(button));
  if ("undrain" in button.dataset) return act(`${pathOf(hostOf(button))}/undrain`, undefined, byId("action-fault"));
  if ("release" in button.dataset) {
    return act(`${pathOf(hostOf(button))}/devices/${button.dataset.release}/release`, undefined, byId("action-fault"));
  }
}

function askToDrain(host) {
  setText(byId("drain-host"), host);
  byId("drain-why").value = "";
  byId("drain-pause").checked = false;
  showFault(byId("drain-fault"), null);
  byId("drain-dialog").showModal();
}

async function onDrain(event) {
  event.preventDefault();
  const asked = { why: byId("drain-why").value.trim(), pause: byId("drain-pause").checked };
  byId("drain-now").disabled = true;
  const path = `${pathOf(byId("drain-host").textContent)}/drain`;
  if (await act(path, asked, byId("drain-fault"))) byId("drain-dialog").close();
  byId("drain-now").disabled = false;
}

listenToKeys();
keepTimesFresh();
showMoments();
byId("content").addEventListener("click", onClick);
byId("drain-form").addEventListener("submit", onDrain);
byId("drain-keep").addEventListener("click", () => byId("drain-dialog").close());
setInterval(refresh, REFRESH_MS);
