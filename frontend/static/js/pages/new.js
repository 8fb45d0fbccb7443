/**
 * The new-run form. Each change is checked by the server; what it would train, or what is wrong, stands beside it.
 */

import { ApiError, post } from "../api.js";
import { copyable } from "../copy_text.js";
import { byId, pageData, showFault } from "../dom.js";
import { startFinding } from "../form/find_field.js";
import { showFit } from "../form/fit.js";
import { showPresetValues } from "../form/preset_values.js";
import { focusField, listProblems, showAtFields } from "../form/problems.js";
import { readSpec } from "../form/read_spec.js";
import { startSample } from "../form/sample.js";
import { showSummary, summaryOf } from "../form/summary.js";
import { listenToKeys } from "../keyboard.js";
import { specForms } from "../spec_text.js";

const CHECK_AFTER_MS = 300;

const form = byId("new-run");
let spec = readSpec(form);
let checking = new AbortController();
let timer = 0;

const showSpec = copyable(byId("spec-forms"), byId("spec-text"), specForms(() => spec));
const showSample = startSample(() => spec);
const NEEDED = { name: "a name", model: "a model", dataset: "a data set" };

/** A name does not change what would be trained, so a spec that lacks only its name is checked too. */
async function check() {
  checking.abort();
  if (!spec.model || !spec.dataset) return showVerdict([], null);
  checking = new AbortController();
  const { signal } = checking;
  try {
    const checked = await post("/jobs/check", { ...spec, name: spec.name ?? "untitled" }, signal);
    showVerdict(checked.problems, checked);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.problems.length) showVerdict(error.problems, null);
    else showWaiting(`${error.message} ${error.mend ?? ""}`);
  }
}

/** @param {any} checked CheckedSpec, null where there is none */
function showVerdict(problems, checked) {
  const missing = Object.keys(NEEDED).filter((field) => !spec[field]);
  showAtFields(form, problems);
  listProblems(byId("problems"), form, problems);
  showFit(byId("fit"), checked?.memory ?? null, checked?.resolved);
  showSummary(byId("summary"), checked?.resolved ? summaryOf(checked.resolved) : []);
  if (problems.length > 1) verdict("bad", `${problems.length} things to mend`);
  else if (problems.length) verdict("bad", "One thing to mend");
  else if (missing.length) verdict("wait", `Still needed: ${missing.map((field) => NEEDED[field]).join(", ")}.`);
  else if (checked?.memory?.verdict === "does_not_fit") verdict("doubt", "Could start, but would run out of memory");
  else verdict("good", "Ready to start");
}

function showWaiting(text) {
  listProblems(byId("problems"), form, []);
  verdict("wait", text);
}

function verdict(kind, text) {
  const place = byId("verdict");
  place.className = `verdict ${kind}`;
  if (place.textContent !== text) place.textContent = text;
}

function changed() {
  spec = readSpec(form);
  showSample();
  showSpec();
  showPreset();
  clearTimeout(timer);
  timer = setTimeout(check, CHECK_AFTER_MS);
}

function showPreset() {
  const preset = pageData().presets.items.find((item) => item.name === spec.preset);
  byId("f-preset-hint").textContent = preset ? preset.explanation : "Fields that you fill in win over it.";
  showPresetValues(form, preset?.values);
}

async function submit(event) {
  event.preventDefault();
  clearTimeout(timer);
  // What it says would hide why the run was refused.
  checking.abort();
  spec = readSpec(form);
  const missing = Object.keys(NEEDED).filter((field) => !spec[field]);
  if (missing.length) return refused({ problems: missing.map(neededAt) });
  const isDraft = event.submitter?.id === "draft";
  for (const id of ["submit", "draft"]) byId(id).disabled = true;
  byId("submit-note").textContent = "Sending";
  try {
    const job = await post(isDraft ? "/jobs?draft=true" : "/jobs", spec);
    location.assign(`/runs/${job.id}`);
  } catch (error) {
    for (const id of ["submit", "draft"]) byId(id).disabled = false;
    byId("submit-note").textContent = "Nothing was started.";
    refused(error);
  }
}

const neededAt = (field) => ({ field, value: "", message: `The run needs ${NEEDED[field]}`, mend: "" });

function refused(error) {
  showFault(byId("form-fault"), error.problems?.length ? null : error);
  if (!error.problems?.length) return;
  showVerdict(error.problems, null);
  focusField(form, error.problems[0].field);
}

listenToKeys();
form.addEventListener("input", changed);
form.addEventListener("change", changed);
form.addEventListener("submit", submit);
// Before the form hears of the change: the unit decides which field the number is.
byId("f-length-unit").addEventListener("change", () => { byId("f-length").name = byId("f-length-unit").value; });
startFinding(byId("all-fields"));
showPreset();
showSample();
check();
