/** Data: add a file by upload, path or hub, see what is in it first, and the list of data sets. */

import { finished, post, remove } from "../api.js";
import { byId, keepTimesFresh, pageData, showFault } from "../dom.js";
import { showFound } from "../data/found.js";
import { progressLine } from "../data/progress_line.js";
import { readingOf, resetReading, showColumnsFound, showColumnsOf } from "../data/reading_form.js";
import { showAtFields } from "../form/problems.js";
import { suggestedName } from "../form/send.js";
import { listenToKeys } from "../keyboard.js";
import { startTabs } from "../tabs.js";
import { sendFile } from "../upload/tus.js";
import { showUnfinished } from "../upload/unfinished.js";

/** What is looked at: the part of a RegisterDataset that says where the rows are. */
let source = null;
let numChecks = 0;
const DOING = { check: "Checking", registration: "Adding", statistics: "Tokenizing" };
let stopping = new AbortController();
let work = null;
const line = progressLine(byId("progress"), stop);

function stop() {
  stopping.abort();
  if (work) post(`/works/${work.id}/cancel`);
}

async function attempt(title, action) {
  stopping.abort();
  const mine = new AbortController();
  stopping = mine;
  showFault(byId("source-fault"), null);
  line.begin(title);
  try {
    return await action();
  } catch (error) {
    if (mine === stopping) showFault(byId("source-fault"), error);
    return null;
  } finally {
    if (mine === stopping) {
      work = null;
      line.end();
    }
  }
}

function showWork(next) {
  work = next;
  line.showWork(`${DOING[next.kind]} ${next.title.split("/").at(-1)}`, next);
}

async function upload(file) {
  byId("looked").hidden = true;
  const id = await attempt(`Sending ${file.name}`, () => sendFile(file, {
    signal: stopping.signal,
    onSent: (sent, total) => line.show(`Sending ${file.name}`, sent, total, "bytes"),
    onWaiting: (waiting) => { if (waiting) line.say("The connection is gone. Trying again; nothing is lost."); },
  }));
  if (id) await look({ upload: id }, file.name);
  await listUnfinished();
}

/** Look into another file, as it is usually read. */
async function look(asked, name) {
  source = asked;
  resetReading(byId("reading"));
  byId("looked-title").textContent = name;
  byId("u-name").value = suggestedName(name);
  await check();
}

/** Show what is in the file, read as the form says; nothing is stored by that. */
async function check() {
  const name = byId("looked-title").textContent;
  const reading = readingOf(byId("reading"));
  numChecks += 1;
  const mine = numChecks;
  byId("looked").hidden = false;
  const report = await attempt(`Looking into ${name}`, async () => {
    return finished(await post("/datasets/check", { ...source, reading }), showWork);
  });
  if (mine !== numChecks) return; // the form has changed since, and another check is under way
  byId("found").replaceChildren();
  if (!report) {
    // Perhaps its columns have other names, which the form can say.
    byId("reading-details").open = true;
    return;
  }
  showFound(byId("found"), report);
  showColumnsFound(byId("reading"), report.columns, report.shape);
}

async function add(event) {
  event.preventDefault();
  const form = byId("add");
  const name = byId("u-name").value.trim();
  showAtFields(form, name ? [] : [{ field: "name", value: "", message: "This is needed", mend: "" }]);
  if (!name || !source) return;
  const added = await attempt(`Adding ${name}`, async () => {
    return finished(await post("/datasets", { ...source, name, reading: readingOf(byId("reading")) }), showWork);
  });
  if (added) location.assign(`/data/${encodeURIComponent(added.name)}`);
}

function forget() {
  source = null;
  byId("looked").hidden = true;
  byId("u-name").value = "";
  byId("u-file").value = "";
  listUnfinished();
}

async function listUnfinished() {
  await showUnfinished(byId("unfinished"), (id, name) => look({ upload: id }, name), source?.upload);
}

function listenToSources() {
  const drop = byId("drop");
  byId("u-file").addEventListener("change", ({ target }) => { if (target.files[0]) upload(target.files[0]); });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
    });
  }
  drop.addEventListener("drop", ({ dataTransfer }) => { if (dataTransfer.files[0]) upload(dataTransfer.files[0]); });
  byId("panel-server").addEventListener("submit", (event) => {
    event.preventDefault();
    const path = byId("r-path").value.trim();
    if (path) look({ path }, path);
  });
  byId("panel-hub").addEventListener("submit", (event) => {
    event.preventDefault();
    const { hub, split, config } = event.target.elements;
    const id = hub.value.trim();
    if (id) look({ hub: { id, split: split.value.trim() || "train", config: config.value.trim() } }, id);
  });
}

listenToKeys();
keepTimesFresh();
startTabs(byId("sources"), {});
listenToSources();
listUnfinished();
byId("reading").addEventListener("change", () => {
  showColumnsOf(byId("reading"));
  if (source) check();
});
byId("add").noValidate = true;
byId("add").addEventListener("submit", add);
byId("forget").addEventListener("click", forget);
byId("trash")?.addEventListener("click", async ({ target }) => {
  const name = target.closest("[data-restore]")?.dataset.restore;
  if (!name) return;
  await post(`/datasets/${encodeURIComponent(name)}/restore`);
  location.reload();
});
byId("kept-tokens")?.addEventListener("click", async ({ target }) => {
  const key = target.closest("[data-forget]")?.dataset.forget;
  if (!key) return;
  await remove(`/datasets/-/cache/${key}`);
  location.reload();
});
window.addEventListener("beforeunload", (event) => { if (!byId("progress").hidden && !work) event.preventDefault(); });
// Work that was begun before the page was left goes on; what it makes will be in the list.
const running = pageData().works.items.find((one) => !one.ended_at);
if (running) attempt(running.title, () => finished(running, showWork)).then((made) => { if (made?.name) location.reload(); });
