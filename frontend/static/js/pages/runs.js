/** The list of runs: rows change as their jobs speak; filter and search stand in the URL. */

import { get } from "../api.js";
import { byId, cell, copyOf, keepTimesFresh, pageData, setText } from "../dom.js";
import { showFault, showProgress, showState, sinceElement } from "../dom.js";
import { count, duration, number, percent, si, time } from "../format.js";
import { listenToKeys } from "../keyboard.js";
import { selectedIds, showBulk, startBulk, tick } from "../runs/bulk.js";
import { liveDots, Stream } from "../stream.js";

const SEARCH_AFTER_MS = 200;
const PAGE_SIZE = 50;
/** What a filter button stands for: a person who asks for running runs means those on their way too. */
const GROUPS = {
  queued: ["queued", "held", "draft"],
  running: ["placing", "starting", "running", "pausing", "stopping"],
};

const rows = new Map([...document.querySelectorAll("#runs [data-job]")].map((row) => [row.dataset.job, row]));
const jobs = new Map(pageData().jobs.items.map((job) => [job.id, job]));
let nextCursor = pageData().jobs.next_cursor;
let asked = 0;
/** What a run said after the answer under way was read from the database: it is newer than that answer. */
const heardWhileLoading = new Map();

const pressed = () => [...document.querySelectorAll('[data-filter-state][aria-pressed="true"]')];
const filterStates = () => pressed().map((button) => button.dataset.filterState);
const wantedStates = () => filterStates().flatMap((state) => GROUPS[state] ?? [state]);
const search = () => byId("search").value.trim();

function matches(job) {
  const states = wantedStates();
  const text = search().toLowerCase();
  const isFound = [job.name, job.model, job.dataset, job.id].some((part) => part.toLowerCase().includes(text));
  return (!states.length || states.includes(job.state)) && isFound;
}

function fill(row, job) {
  row.dataset.job = job.id;
  cell(row, "link").href = `/runs/${job.id}`;
  setText(cell(row, "link"), job.name);
  cell(row, "select").ariaLabel = `Select ${job.name}`;
  setText(cell(row, "about"), `${job.model} · ${job.dataset}`);
  showState(cell(row, "state"), job.state);
  showProgress(cell(row, "bar"), job.state, job.step, job.train_iters);
  setText(cell(row, "percent"), percent(job.step, job.train_iters));
  fillSteps(cell(row, "steps"), job);
  setText(cell(row, "eta"), duration(job.eta_s));
  setText(cell(row, "loss"), number(job.latest.loss));
  setText(cell(row, "validation_loss"), number(job.latest.validation_loss));
  setText(cell(row, "tokens_per_s"), si(job.latest.tokens_per_s));
  const started = job.started_at ?? job.created_at;
  if (cell(row, "started").querySelector("time")?.dataset.since !== String(started)) {
    cell(row, "started").replaceChildren(sinceElement(started));
  }
  return row;
}

function fillSteps(place, job) {
  const steps = job.train_iters ? `${count(job.step)} / ${count(job.train_iters)} steps` : job.phase || "waits";
  const wrong = job.fault?.message ?? job.conditions[0]?.sentence;
  const text = wrong ?? (job.next_try_at ? `next try at ${time(job.next_try_at)}` : steps);
  if (place.textContent === text) return;
  const line = document.createElement("span");
  line.className = job.fault ? "fault-line" : wrong ? "condition-line" : "";
  line.title = wrong ? text : "";
  line.textContent = text;
  place.replaceChildren(line);
}

function onJob({ payload: job }) {
  heardWhileLoading.set(job.id, job);
  jobs.set(job.id, job);
  if (rows.has(job.id)) fill(rows.get(job.id), job);
  else if (matches(job)) insert(job);
  showBulk(jobs);
  showCounts();
}

function showCounts() {
  const running = [...jobs.values()].filter((job) => GROUPS.running.includes(job.state)).length;
  const queued = [...jobs.values()].filter((job) => job.state === "queued").length;
  const parts = [running && `${running} running`, queued && `${queued} queued`];
  setText(byId("running-count"), parts.filter(Boolean).join(" · "));
  const isFiltered = Boolean(search() || filterStates().length);
  byId("runs-frame").hidden = rows.size === 0;
  byId("no-runs").hidden = rows.size > 0 || isFiltered;
  byId("no-match").hidden = rows.size > 0 || !isFiltered;
  byId("older").hidden = !nextCursor;
}

/** @param {string} cursor "" for the first page, which replaces the rows */
async function load(cursor) {
  const mine = (asked += 1);
  heardWhileLoading.clear();
  try {
    const page = await get("/jobs", { state: wantedStates(), q: search(), limit: PAGE_SIZE, cursor });
    if (mine !== asked) return;
    if (!cursor) {
      rows.clear();
      jobs.clear();
    }
    for (const job of page.items) {
      jobs.set(job.id, job);
      rows.set(job.id, fill(rows.get(job.id) ?? copyOf("run-row"), job));
    }
    const ticked = selectedIds();
    byId("runs").replaceChildren(...[...rows.values()].sort(newestFirst));
    tick(ticked);
    showBulk(jobs);
    nextCursor = page.next_cursor;
    for (const job of heardWhileLoading.values()) onJob({ payload: job });
    showFault(byId("list-fault"), null);
  } catch (error) {
    if (mine === asked) showFault(byId("list-fault"), error);
  }
  showCounts();
}

function filtersChanged() {
  const query = new URLSearchParams();
  if (search()) query.set("q", search());
  for (const state of filterStates()) query.append("state", state);
  history.replaceState(null, "", `/runs${query.size ? `?${query}` : ""}`);
  load("");
}

function readUrl() {
  const query = new URLSearchParams(location.search);
  byId("search").value = query.get("q") ?? "";
  const states = query.getAll("state");
  for (const button of document.querySelectorAll("[data-filter-state]")) {
    button.setAttribute("aria-pressed", String(states.includes(button.dataset.filterState)));
  }
  return Boolean(byId("search").value || states.length);
}

function startFilters() {
  let timer = 0;
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filtersChanged, SEARCH_AFTER_MS);
  });
  for (const button of document.querySelectorAll("[data-filter-state]")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      filtersChanged();
    });
  }
  byId("clear-filters").addEventListener("click", () => {
    byId("search").value = "";
    for (const button of document.querySelectorAll("[data-filter-state]")) button.setAttribute("aria-pressed", "false");
    filtersChanged();
  });
  byId("older").addEventListener("click", () => load(nextCursor));
}

listenToKeys();
keepTimesFresh();
startFilters();
startBulk(jobs);
if (readUrl()) load("");
else showCounts();
const stream = new Stream([], liveDots());
stream.on("job", onJob);
stream.on("reset", () => load(""));
let isFirstHello = true;
stream.on("hello", ({ resumed }) => {
  if (!isFirstHello && !resumed) load("");
  isFirstHello = false;
});
stream.open();
