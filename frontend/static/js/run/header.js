/** What the run page says of its job above the tabs: state, progress, ETA, the five numbers, the fault. */

import { byId, cell, copyOf, setText, showProgress, showState } from "../dom.js";
import { count, duration, number, percent, scene, seconds, si, size, time } from "../format.js";
import { showActions } from "./actions.js";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const NUMBERS = {
  loss: number,
  validation_loss: number,
  tokens_per_s: si,
  step_time_s: seconds,
  peak_memory_bytes: size,
};

export const hasEnded = (job) => FINAL.has(job.state);

/** @param {any} job JobView or JobDetail */
export function showJob(job) {
  showState(cell(byId("run-state"), "state"), job.state);
  const progress = byId("run-progress");
  showProgress(cell(progress, "bar"), job.state, job.step, job.train_iters);
  setText(cell(progress, "percent"), percent(job.step, job.train_iters));
  setText(cell(progress, "when"), whenText(job));
  showActions(job);
  showFaultOf(job);
  for (const name of Object.keys(NUMBERS)) showNumber(name, job.latest[name]);
  showNotes(job);
  document.title = `${hasEnded(job) ? job.state : percent(job.step, job.train_iters)} · ${job.name} · Tunedeck`;
}

/** @param {string} name @param {number | null | undefined} value */
export function showNumber(name, value) {
  if (!NUMBERS[name] || value === undefined) return;
  setText(cell(document.querySelector(`[data-number="${name}"]`), "value"), NUMBERS[name](value));
}

function stepsText(job) {
  return job.train_iters ? `${count(job.step)} / ${count(job.train_iters)} steps` : job.phase || "waits for a host";
}

function whenText(job) {
  const steps = stepsText(job);
  if (hasEnded(job)) return job.started_at ? `${steps} · took ${duration(job.ended_at - job.started_at)}` : steps;
  if (job.state === "paused") return `${steps} · its devices are free`;
  if (job.next_try_at) return `${steps} · next try at ${time(job.next_try_at)}`;
  if (job.state !== "running") return [steps, job.train_iters ? job.phase : ""].filter(Boolean).join(" · ");
  return `${steps} · ${job.eta_s === null ? "ETA –" : `${duration(job.eta_s)} left`}`;
}

function showNotes(job) {
  const note = (name, text) => setText(cell(document.querySelector(`[data-number="${name}"]`), "note"), text);
  if (job.best_validation_loss !== null) {
    note("validation_loss", `best ${number(job.best_validation_loss)} · first ${number(job.first_validation_loss)}`);
  }
  const trained = job.latest.num_trained_tokens;
  if (trained) note("tokens_per_s", `${si(trained)} trained tokens a step`);
  if (job.latest.lr !== undefined) note("loss", `lr ${number(job.latest.lr)}`);
  const waiting = job.latest.data_time_s;
  if (waiting !== undefined && waiting !== null) note("step_time_s", `${seconds(waiting)} of it waiting for data`);
  note("peak_memory_bytes", job.latest.memory_bytes ? `${size(job.latest.memory_bytes)} in use` : "largest rank");
}

function showFaultOf(job) {
  const place = byId("run-fault");
  if (!job.fault) return place.replaceChildren();
  if (place.childElementCount) return;
  const notice = copyOf("fault-template");
  setText(notice.querySelector("strong"), job.fault.message);
  setText(notice.querySelector("p"), job.fault.mend);
  setText(cell(notice, "code"), job.fault.code);
  setText(cell(notice, "scene"), scene(job.fault.scene));
  setText(notice.querySelector("pre"), job.fault.log_tail.join("\n"));
  notice.querySelector("details").hidden = job.fault.log_tail.length === 0;
  place.replaceChildren(notice);
}
