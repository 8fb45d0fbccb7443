/** Beside the new-run form: the tokens of a sample under the spec, and on request the lengths and packing of all. */

import { post } from "../api.js";
import { forecastOf, packingLines } from "../data/forecast.js";
import { progressLine } from "../data/progress_line.js";
import { startTokenView } from "../data/token_view.js";
import { byId, showFault } from "../dom.js";
import { showSummary } from "./summary.js";

const DEFAULT_MASK = "qwen";
const AFTER_MS = 300;

/** @param {() => any} specOf @returns {() => void} to be called when the spec has changed */
export function startSample(specOf) {
  const view = startTokenView(byId("sample-view"));
  let row = 1;
  let shown = "";
  let timer = 0;

  const asked = () => {
    const { model, dataset, data = {} } = specOf();
    return { dataset, version: data.dataset_version, row, model, mask: data.loss_mask_type ?? DEFAULT_MASK };
  };
  const show = async () => {
    const now = asked();
    byId("sample").hidden = !now.model || !now.dataset;
    if (byId("sample").hidden || JSON.stringify(now) === shown) return;
    shown = JSON.stringify(now);
    byId("sample-row").textContent = `Row ${row}`;
    byId("sample-more").href = addressOf(now);
    showFault(byId("sample-fault"), null);
    try {
      await view(now);
    } catch (error) {
      if (shown === JSON.stringify(now)) showFault(byId("sample-fault"), error);
    }
  };
  const step = (by) => { row = Math.max(1, row + by); show(); };
  byId("sample-back").addEventListener("click", () => step(-1));
  byId("sample-next").addEventListener("click", () => step(1));
  startForecast(specOf);
  return () => {
    showSummary(byId("forecast-summary"), []);
    clearTimeout(timer);
    timer = setTimeout(show, AFTER_MS);
  };
}

const addressOf = ({ dataset, row, model, mask }) =>
  `/data/${encodeURIComponent(dataset)}?${new URLSearchParams({ row, model, mask })}#tokens`;

function startForecast(specOf) {
  let work = null;
  const line = progressLine(byId("forecast-progress"), () => { if (work) post(`/works/${work.id}/cancel`); });
  byId("forecast").addEventListener("click", async () => {
    const spec = specOf();
    showFault(byId("sample-fault"), null);
    line.begin("Tokenizing");
    try {
      const onWork = (next) => { work = next; line.showWork("Tokenizing", next); };
      const forecast = await forecastOf({ ...spec, name: spec.name ?? "untitled" }, onWork);
      // A spec that has changed meanwhile packs otherwise.
      const isCurrent = JSON.stringify(specOf()) === JSON.stringify(spec);
      if (isCurrent) showSummary(byId("forecast-summary"), packingLines(forecast));
    } catch (error) {
      showFault(byId("sample-fault"), error);
    } finally {
      work = null;
      line.end();
    }
  });
}
