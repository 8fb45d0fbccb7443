/** One action for the rows that are ticked: sent for those that it applies to, answered for each. */

import { post } from "../api.js";
import { byId, cell, setText, showFault } from "../dom.js";
import { startTagDialog } from "./tag_dialog.js";

const DONE = {
  cancel: "cancelled",
  pause: "paused",
  resume: "resumed",
  retry: "tried again",
  hold: "held",
  release: "released",
  archive: "archived",
  unarchive: "out of the archive",
  tag: "tagged",
};

const boxes = () => [...document.querySelectorAll('#runs [data-cell="select"]')];
const idOf = (box) => box.closest("[data-job]").dataset.job;

/** The ids of the ticked rows, in their order. */
export const selectedIds = () => boxes().filter((box) => box.checked).map(idOf);

/** @param {(id: string) => any} jobOf the JobView of an id */
export function startBulk(jobOf) {
  const show = () => showBulk(jobOf);
  byId("runs").addEventListener("change", show);
  byId("select-all").addEventListener("change", () => {
    tick(byId("select-all").checked ? boxes().map(idOf) : []);
  });
  byId("clear-selection").addEventListener("click", () => tick([]));
  for (const button of document.querySelectorAll("[data-bulk]")) {
    button.addEventListener("click", () => ask(button.dataset.bulk, jobOf));
  }
  byId("compare").addEventListener("click", compare);
  byId("bulk-cancel-now").addEventListener("click", () => {
    byId("bulk-cancel-dialog").close();
    send({ action: "cancel", checkpoint: byId("bulk-checkpoint").checked }, jobOf);
  });
  startTagDialog(() => selectedIds().map(jobOf), async (action) => {
    const chosen = selectedIds();
    tell("tag", chosen, await resultsOf(chosen, action));
  });
}

/** The ticked runs side by side. */
function compare() {
  location.assign(`/compare?${selectedIds().map((id) => `run=${id}`).join("&")}`);
}

/** The bar above the list: how many are ticked, and to how many of them each action applies. */
export function showBulk(jobOf) {
  const ids = selectedIds();
  byId("bulk").hidden = ids.length === 0;
  setText(byId("bulk-count"), `${ids.length} selected`);
  byId("select-all").checked = ids.length > 0 && ids.length === boxes().length;
  for (const button of document.querySelectorAll("[data-bulk]")) {
    const number = applicable(button.dataset.bulk, jobOf).length;
    button.disabled = number === 0;
    setText(cell(button, "number"), number ? String(number) : "");
  }
  document.querySelector('[data-bulk="unarchive"]').hidden = applicable("unarchive", jobOf).length === 0;
}

const applicable = (action, jobOf) => selectedIds().filter((id) => jobOf(id)?.actions.includes(action));

function ask(action, jobOf) {
  if (action !== "cancel") return send({ action }, jobOf);
  const number = applicable("cancel", jobOf).length;
  byId("bulk-cancel-title").textContent = number === 1 ? "Cancel one run?" : `Cancel ${number} runs?`;
  byId("bulk-cancel-dialog").showModal();
}

async function send(action, jobOf) {
  const chosen = selectedIds();
  const ids = applicable(action.action, jobOf);
  for (const button of document.querySelectorAll("[data-bulk]")) button.disabled = true;
  try {
    tell(action.action, chosen, await resultsOf(ids, action));
  } catch (error) {
    showFault(byId("bulk-fault"), error);
  }
  showBulk(jobOf);
}

const resultsOf = async (ids, action) => (await post("/jobs/actions", { jobs: ids, action })).results;

/**
 * Of the chosen rows those stay ticked where something was refused, so that the next click is about them; and so does
 * what was ticked while the answer was awaited.
 */
function tell(action, chosen, results) {
  const refused = results.filter((result) => result.error);
  const done = results.length - refused.length;
  setText(byId("bulk-note"), `${done} ${done === 1 ? "run" : "runs"} ${DONE[action]}`);
  const refusedIds = refused.map((result) => result.job_id);
  tick(selectedIds().filter((id) => refusedIds.includes(id) || !chosen.includes(id)));
  const [first] = refused;
  const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : "";
  showFault(byId("bulk-fault"), first ? { message: first.error.message + more, mend: first.error.mend } : null);
}

/** Tick the rows of these jobs and no others, which is told as if somebody had done it. @param {string[]} ids */
function tick(ids) {
  const wanted = new Set(ids);
  for (const box of boxes()) box.checked = wanted.has(idOf(box));
  byId("runs").dispatchEvent(new Event("change"));
}
