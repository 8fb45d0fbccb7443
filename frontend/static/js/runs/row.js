/** One run as a row of the list. */

import { cell, copyOf, setText, showProgress, showState, sinceElement } from "../dom.js";
import { count, duration, number, percent, si, time } from "../format.js";
import { drawSparkline } from "./sparkline.js";

/** @param {any} job JobView */
export const newRow = (job) => fillRow(copyOf("run-row"), job);

/** @param {HTMLTableRowElement} row @param {any} job JobView */
export function fillRow(row, job) {
  row.dataset.job = job.id;
  cell(row, "link").href = `/runs/${job.id}`;
  setText(cell(row, "link"), job.name);
  cell(row, "select").ariaLabel = `Select ${job.name}`;
  setText(cell(row, "about"), `${job.model} · ${job.dataset}`);
  fillTags(cell(row, "tags"), job.tags ?? []);
  cell(row, "archived").hidden = !job.archived_at;
  showState(cell(row, "state"), job.state);
  showProgress(cell(row, "bar"), job.state, job.step, job.train_iters);
  setText(cell(row, "percent"), percent(job.step, job.train_iters));
  fillSteps(cell(row, "steps"), job);
  setText(cell(row, "eta"), duration(job.eta_s));
  drawSparkline(cell(row, "curve"), job.loss_curve ?? []);
  setText(cell(row, "loss"), number(job.latest.loss));
  setText(cell(row, "validation_loss"), number(job.latest.validation_loss));
  setText(cell(row, "tokens_per_s"), si(job.latest.tokens_per_s));
  fillStarted(cell(row, "started"), job.started_at ?? job.created_at);
  return row;
}

function fillSteps(place, job) {
  const steps = job.train_iters ? `${count(job.step)} / ${count(job.train_iters)} steps` : job.phase || "waits";
  const wrong = job.fault?.message ?? job.conditions?.[0]?.sentence;
  const text = wrong ?? (job.next_try_at ? `next try at ${time(job.next_try_at)}` : steps);
  if (place.textContent === text) return;
  const line = document.createElement("span");
  line.className = job.fault ? "fault-line" : wrong ? "condition-line" : "";
  line.title = wrong ? text : "";
  line.textContent = text;
  place.replaceChildren(line);
}

/** A tag is a button that searches for it. */
function fillTags(place, tags) {
  if ([...place.children].map((tag) => tag.textContent).join(" ") === tags.join(" ")) return;
  place.replaceChildren(...tags.map((tag) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "tag";
    button.textContent = tag;
    button.title = `Search for tag=${tag}`;
    return button;
  }));
}

function fillStarted(place, started) {
  if (place.querySelector("time")?.dataset.since === String(started)) return;
  place.replaceChildren(sinceElement(started));
}
