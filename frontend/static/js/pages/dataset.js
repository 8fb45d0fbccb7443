/** The page of one data set: rows, tokens, lengths and packing, checks, how it is read, versions. */

import { finished, get, post, remove } from "../api.js";
import { conversationOf } from "../data/conversation.js";
import { forecastOf, packingLines, showHistogram } from "../data/forecast.js";
import { showFound } from "../data/found.js";
import { progressLine } from "../data/progress_line.js";
import { fillReading, readingOf, showColumnsOf } from "../data/reading_form.js";
import { startTokenView } from "../data/token_view.js";
import { byId, keepTimesFresh, pageData, showFault } from "../dom.js";
import { showSummary } from "../form/summary.js";
import { inOrder } from "../in_order.js";
import { listenToKeys } from "../keyboard.js";
import { startTabs } from "../tabs.js";

const PAGE = 10;
const { item } = pageData();
const ADDRESS = `/datasets/${encodeURIComponent(item.name)}`;
const state = new URLSearchParams(location.search);

/** What is looked at stands in the address, so that it can be sent to somebody. */
function remember(key, value) {
  state.set(key, String(value));
  history.replaceState(null, "", `${location.pathname}?${state}${location.hash}`);
}

const tokensLink = (row) => `?${new URLSearchParams({ ...Object.fromEntries(state), row: String(row) })}#tokens`;
const rowLink = (row) => `?${new URLSearchParams({ ...Object.fromEntries(state), first: String(row) })}#rows`;

const askRows = inOrder();

async function showRows(first) {
  const from = Math.min(Math.max(1, first), Math.max(1, item.num_rows));
  showFault(byId("rows-fault"), null);
  const isNewest = askRows();
  try {
    const { rows, has_more: hasMore } = await get(`${ADDRESS}/rows`, { first: from, limit: PAGE, version: item.version });
    if (!isNewest()) return;
    byId("rows").replaceChildren(...rows.map((row) => conversationOf(row, tokensLink(row.row))));
    byId("first-row").value = String(from);
    byId("earlier").disabled = from <= 1;
    byId("later").disabled = !hasMore;
    if (from > 1 || state.has("first")) remember("first", from);
  } catch (error) {
    if (isNewest()) showFault(byId("rows-fault"), error);
  }
}

function listenToRows() {
  const first = () => Number(byId("first-row").value) || 1;
  byId("pager").addEventListener("submit", (event) => { event.preventDefault(); showRows(first()); });
  byId("first-row").addEventListener("change", () => showRows(first()));
  byId("earlier").addEventListener("click", () => showRows(first() - PAGE));
  byId("later").addEventListener("click", () => showRows(first() + PAGE));
}

function startTokens() {
  const show = startTokenView(byId("token-view"));
  const update = async () => {
    const row = Math.min(Math.max(1, Number(byId("t-row").value) || 1), item.num_rows);
    byId("t-row").value = String(row);
    for (const [key, value] of [["row", row], ["model", byId("t-model").value], ["mask", byId("t-mask").value]]) remember(key, value);
    showFault(byId("tokens-fault"), null);
    try {
      await show({ dataset: item.name, version: item.version, row, model: byId("t-model").value, mask: byId("t-mask").value });
    } catch (error) {
      showFault(byId("tokens-fault"), error);
    }
  };
  const step = (by) => { byId("t-row").value = String(Number(byId("t-row").value) + by); update(); };
  byId("token-form").addEventListener("change", update);
  byId("token-form").addEventListener("submit", (event) => { event.preventDefault(); update(); });
  byId("row-back").addEventListener("click", () => step(-1));
  byId("row-next").addEventListener("click", () => step(1));
  for (const [id, key] of [["t-row", "row"], ["t-model", "model"], ["t-mask", "mask"]]) if (state.get(key)) byId(id).value = state.get(key);
  let isShown = false;
  return () => { if (!isShown) { isShown = true; update(); } };
}

function startLengths() {
  let work = null;
  const line = progressLine(byId("length-progress"), () => { if (work) post(`/works/${work.id}/cancel`); });
  const spec = () => ({
    name: "forecast",
    model: byId("l-model").value,
    dataset: item.name,
    data: { loss_mask_type: byId("l-mask").value, dataset_version: item.version },
    batching: {
      max_tokens_per_gpu: Number(byId("l-max_tokens_per_gpu").value),
      global_batch_size: Number(byId("l-global_batch_size").value),
    },
    resources: { num_devices: Number(byId("l-num_devices").value) },
  });
  let numAsked = 0;
  const show = async () => {
    numAsked += 1;
    const mine = numAsked;
    showFault(byId("lengths-fault"), null);
    line.begin("Tokenizing");
    try {
      const forecast = await forecastOf(spec(), (next) => { work = next; line.showWork("Tokenizing", next); });
      if (mine !== numAsked) return; // another one is under way, of the form as it is now
      byId("lengths").hidden = false;
      byId("lengths-hint").hidden = true;
      showHistogram(byId("histogram"), forecast);
      showSummary(byId("packing"), packingLines(forecast));
    } catch (error) {
      if (mine === numAsked) showFault(byId("lengths-fault"), error);
    } finally {
      if (mine === numAsked) {
        work = null;
        line.end();
      }
    }
  };
  byId("length-form").addEventListener("submit", (event) => { event.preventDefault(); show(); });
  const isAsked = () => !byId("lengths").hidden || !byId("length-progress").hidden;
  byId("length-form").addEventListener("change", () => { if (isAsked()) show(); });
}

/** The file of a version is read again: one of ours by its path, which lies in the folder of data sets. */
function startReading() {
  let work = null;
  const form = byId("reading");
  const line = progressLine(byId("reading-progress"), () => { if (work) post(`/works/${work.id}/cancel`); });
  const run = async (title, call, body) => {
    showFault(byId("reading-fault"), null);
    line.begin(title);
    try {
      const onWork = (next) => { work = next; line.showWork(title, next); };
      return await finished(await post(call, { path: item.path, reading: readingOf(form), ...body }), onWork);
    } catch (error) {
      showFault(byId("reading-fault"), error);
      return null;
    } finally {
      work = null;
      line.end();
    }
  };
  fillReading(form, item.reading, item.report?.columns ?? [], item.shape);
  form.addEventListener("change", () => { showColumnsOf(form); byId("save").disabled = true; });
  byId("check").addEventListener("click", async () => {
    const report = await run("Checking rows", "/datasets/check", {});
    if (!report) return;
    showFound(byId("found"), report);
    byId("save").disabled = false;
  });
  byId("save").addEventListener("click", async () => {
    const added = await run("Saving", "/datasets", { name: item.name, new_version: true });
    if (added) location.assign(`/data/${encodeURIComponent(item.name)}?version=${added.version}#versions`);
  });
}

async function change(action) {
  try {
    await action();
    location.assign("/data");
  } catch (error) {
    showFault(byId("page-fault"), error);
  }
}

listenToKeys();
keepTimesFresh();
listenToRows();
startReading();
if (item.report && byId("checks")) showFound(byId("checks"), item.report, rowLink);
const onTokens = byId("token-form") ? startTokens() : () => {};
if (byId("length-form")) startLengths();
byId("delete")?.addEventListener("click", () => change(() => remove(ADDRESS)));
byId("restore")?.addEventListener("click", () => change(() => post(`${ADDRESS}/restore`)));
let areRowsShown = false;
startTabs(byId("tabs"), {
  rows: () => { if (!areRowsShown) { areRowsShown = true; showRows(Number(state.get("first")) || 1); } },
  tokens: onTokens,
});
