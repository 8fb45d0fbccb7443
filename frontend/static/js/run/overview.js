/** The run at a glance: eight numbers, each with a note and a way to its chart, and what is wrong in a sentence. */

import { showConditions } from "../conditions.js";
import { byId, cell, setText, sinceElement } from "../dom.js";
import { count, hours, money, number, percent, seconds, si, size } from "../format.js";

/** Of the newest step; the charts tell them as they come. */
const MEASURED = { loss: number, tokens_per_s_per_gpu: si, step_time_s: seconds, peak_memory_bytes: size };
export const MEASURED_NAMES = Object.keys(MEASURED);

const tile = (name, part) => cell(document.querySelector(`[data-number="${name}"]`), part);
const show = (name, value, note) => {
  setText(tile(name, "value"), value);
  setText(tile(name, "note"), note);
};

/** @param {string} name @param {number | null | undefined} value */
export function showNumber(name, value) {
  if (MEASURED[name] && value !== undefined) setText(tile(name, "value"), MEASURED[name](value));
}

/** @param {any} job JobView or JobDetail */
export function showOverview(job) {
  for (const name of MEASURED_NAMES) showNumber(name, job.latest[name]);
  setText(tile("loss", "note"), job.latest.lr === undefined ? "" : `lr ${number(job.latest.lr)}`);
  showThroughput(job.latest);
  setText(tile("peak_memory_bytes", "note"), memoryNote(job));
  show("best_validation_loss", number(job.best_validation_loss), validationNote(job));
  show("num_tokens", si(job.num_tokens), job.total_tokens ? `of about ${si(job.total_tokens)}` : "");
  showUsage(job.usage);
  showCheckpoint(job);
  showConditions(byId("run-conditions"), job.conditions);
}

function showThroughput({ mfu, tokens_per_s: all, data_time_s: waiting }) {
  const note = mfu ? `MFU ${percent(mfu, 1)}` : all ? `${si(all)} in all` : "";
  setText(tile("tokens_per_s_per_gpu", "note"), note);
  setText(tile("step_time_s", "note"), waiting === undefined || waiting === null ? "" : `${seconds(waiting)} for data`);
}

function memoryNote({ latest, memory_capacity_bytes: capacity }) {
  const peak = latest.peak_memory_bytes;
  return capacity && peak ? `${percent(peak, capacity)} of ${size(capacity)}` : "largest rank";
}

function validationNote({ latest }) {
  return latest.validation_loss === undefined ? "" : `now ${number(latest.validation_loss)}`;
}

/** Money where there is a price, else the hours alone. */
function showUsage({ device, device_hours: held, cost, currency }) {
  const unit = device === "cuda" ? "GPU-hours" : "core-hours";
  setText(tile("usage", "name"), cost === null ? `${unit[0].toUpperCase()}${unit.slice(1)}` : "Cost so far");
  if (cost === null) return show("usage", held ? hours(held) : "–", held ? "all attempts" : "");
  return show("usage", `${money(cost)} ${currency}`, `${hours(held)} ${unit}`);
}

function showCheckpoint({ checkpoint_step: step, checkpoint_at: at }) {
  setText(tile("checkpoint", "value"), step === null ? "–" : `step ${count(step)}`);
  const note = tile("checkpoint", "note");
  if (!at) return setText(note, "none yet");
  if (note.querySelector("time")?.dataset.since === String(at)) return undefined;
  return note.replaceChildren(sinceElement(at));
}
