/** Cluster: hosts as the server drew them; the page asks again every few seconds while it is seen. */

import { keepTimesFresh } from "../dom.js";
import { listenToKeys } from "../keyboard.js";

const REFRESH_MS = 5000;

async function refresh() {
  if (document.visibilityState !== "visible") return;
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ["health", "hosts-frame", "no-hosts"]) {
    document.getElementById(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
  }
}

listenToKeys();
keepTimesFresh();
setInterval(refresh, REFRESH_MS);
