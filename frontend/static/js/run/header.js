/** What the run page says of its job in its first line: state, progress, ETA, what can be done; and the fault. */

import { byId, cell, copyOf, setText, showProgress, showState } from "../dom.js";
import { count, duration, percent, scene, time } from "../format.js";
import { showActions } from "./actions.js";
import { showOverview } from "./overview.js";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);

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
  showOverview(job);
  document.title = `${hasEnded(job) ? job.state : percent(job.step, job.train_iters)} · ${job.name} · Tunedeck`;
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
