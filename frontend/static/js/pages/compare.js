/** The compare page: any number of runs, live, in the same charts and tables. */

import { startBar } from "../charts/bar.js";
import { ChartGrid } from "../charts/grid.js";
import { startTools } from "../charts/tools.js";
import { Chooser } from "../compare/chooser.js";
import { showConfiguration } from "../compare/configuration.js";
import { definitionsOf, definitionsOfGroups, styleOf } from "../compare/definitions.js";
import { rowsOf } from "../compare/differences.js";
import { GroupCurves, isGroup, nameOf } from "../compare/group_curves.js";
import { keyOf, partsOf } from "../compare/keys.js";
import { Results } from "../compare/results.js";
import { swatch } from "../compare/run_link.js";
import { RunSet } from "../compare/run_set.js";
import { byId, replaceQuery, showFault } from "../dom.js";
import { listenToKeys } from "../keyboard.js";
import { startReportDialog } from "../report_dialog.js";
import { startSavedViews } from "../saved_views.js";
import { liveDots, Stream } from "../stream.js";
import { startTabs } from "../tabs.js";

const RESULTS_EVERY_MS = 2000;

const runs = new RunSet((run, metrics) => {
  if (grid.view.range && (!metrics || run.detail.isOutdated)) showDetail([run]);
  const name = drawsGroups() ? nameOf(curves.numberOf(run.id), "mean") : run.id;
  if (metrics) grid.mark(metrics.map((metric) => keyOf(name, metric)));
  else grid.markAll();
});
const curves = new GroupCurves();
const drawsGroups = () => byId("draw").value === "groups";
const source = {
  definitions: definitionsOf([]),
  seriesOf: (key) => {
    const [name, metric] = partsOf(key);
    return isGroup(name) ? curves.seriesOf(name, metric) : runs.seriesOf(key);
  },
  axisOf: (key, x) => {
    const [name, metric] = partsOf(key);
    return runs.axisOf(isGroup(name) ? keyOf(curves.longestOf(name).id, metric) : key, x);
  },
  marksOf: () => [],
  // What is one step on one run is another on the next, so a zoom cannot be kept.
  movedTo: () => null,
};
const grid = new ChartGrid(byId("charts"), source, (range) => {
  byId("reset-zoom").hidden = !range;
  showDetail(runs.all);
});
const results = new Results(byId("results"));
const chooser = new Chooser({ has: runs.has, addAll, remove });
const dots = liveDots();
let stream = null;

/** A part of thinned runs is fetched finer. Groups are drawn at stretches of their whole length. */
function showDetail(some) {
  const { range, x } = grid.view;
  runs.showDetail(some, drawsGroups() ? null : range, x).then(() => grid.markAll());
}

/** A run that cannot be had is told, and hides no other. */
const fetchRun = (id) => runs.add(id).catch((error) => showFault(byId("compare-fault"), error));

async function addAll(ids) {
  showFault(byId("compare-fault"), null);
  await Promise.all(ids.map(fetchRun));
  changed();
}

function remove(id) {
  runs.remove(id);
  changed();
}

/** Other runs, or other colours: everything is shown anew, and one stream hears all of them. */
function changed() {
  runs.writeUrl();
  stream?.close();
  stream = runs.all.length ? new Stream(runs.all.map(({ id }) => id), dots) : null;
  if (stream) {
    runs.follow(stream);
    stream.on("job", followGroups);
    stream.open();
  }
  showGroups();
  show();
}

/** What may change of a run that trains and may be what it is grouped by. */
const LIVE_FIELDS = ["state", "tags"];
const liveValues = () => JSON.stringify(runs.all.map(({ job }) => LIVE_FIELDS.map((name) => job[name])));
let shownValues = "";

function followGroups() {
  if (LIVE_FIELDS.includes(byId("group-by").value) && liveValues() !== shownValues) show();
}

function show() {
  shownValues = liveValues();
  const all = dressed();
  byId("nothing-chosen").hidden = all.length > 0;
  byId("compared").hidden = all.length === 0;
  chooser.show(all);
  const groups = groupsFrom(all);
  curves.define(groups);
  grid.define(drawsGroups() ? definitionsOfGroups(groups) : definitionsOf(all));
  showLegend(groups);
  grid.expect(all.flatMap(({ id, job }) => Object.keys(job.latest).map((metric) => keyOf(id, metric))));
  results.show(all);
  showSpecs(all);
}

function showSpecs(all) {
  const numShown = showConfiguration(byId("configuration"), all, byId("all-fields").checked);
  byId("no-difference").hidden = numShown > 0;
}

/** The runs with label, and with the colour of their group. */
function dressed() {
  const names = runs.all.map(({ job }) => job.name);
  const groups = groupsOf(byId("group-by").value);
  return runs.all.map((run) => {
    const isTwice = names.indexOf(run.job.name) !== names.lastIndexOf(run.job.name);
    const label = isTwice ? `${run.job.name} · ${run.id.slice(-4)}` : run.job.name;
    const place = groups.get(run.id);
    return { ...run, label, place, style: styleOf(place) };
  });
}

/** The number of each run's group: of those with the same value of a field; without a field each is its own. */
function groupsOf(path) {
  if (!path) return new Map(runs.all.map(({ id }, place) => [id, place]));
  const { values } = fieldRows().find((row) => row.path === path);
  const known = [...new Set(values.values())];
  return new Map([...values].map(([id, value]) => [id, known.indexOf(value)]));
}

const fieldRows = () => rowsOf(runs.all.map(({ id, job: { state, tags, resolved } }) => (
  { id, spec: { state, tags: tags.join(" "), ...resolved } }
)));

/** What the runs can be coloured by: the fields in which they differ. */
function showGroups() {
  const select = byId("group-by");
  const chosen = select.value || new URLSearchParams(location.search).get("group") || "";
  const paths = fieldRows().filter(({ path, differs }) => differs && path !== "name").map(({ path }) => path);
  select.replaceChildren(new Option("run", ""), ...paths.map((path) => new Option(path, path)));
  select.value = paths.includes(chosen) ? chosen : "";
}

/** The runs by their groups, in the order of the colours. */
function groupsFrom(all) {
  const path = byId("group-by").value;
  const values = path ? fieldRows().find((row) => row.path === path).values : new Map();
  const places = [...new Set(all.map(({ place }) => place))];
  return places.map((place) => {
    const ours = all.filter((run) => run.place === place);
    return { label: path ? `${path.split(".").at(-1)} ${values.get(ours[0].id)}` : ours[0].label, place, runs: ours };
  });
}

function showLegend(groups) {
  byId("legend").replaceChildren(...(byId("group-by").value ? groups : []).map(({ label, place, runs: ours }) => {
    const item = document.createElement("li");
    item.append(swatch(styleOf(place)), `${label} · ${ours.length} ${ours.length === 1 ? "run" : "runs"}`);
    return item;
  }));
}

function regroup() {
  const query = new URLSearchParams(location.search);
  const put = (key, value) => (value ? query.set(key, value) : query.delete(key));
  put("group", byId("group-by").value);
  put("draw", byId("draw").value);
  replaceQuery(query);
  show();
  if (grid.view.range) showDetail(runs.all);
}

listenToKeys();
startBar(grid);
startTools(grid, { name: "comparison" });
const reportAddress = () => `/compare/report.html?${new URLSearchParams(runs.all.map(({ id }) => ["run", id]))}`;
startReportDialog(reportAddress, "comparison.html");
startTabs(byId("tabs"), { charts: () => grid.markAll() });
byId("draw").value = new URLSearchParams(location.search).get("draw") === "groups" ? "groups" : "";
for (const id of ["group-by", "draw"]) byId(id).addEventListener("change", regroup);
startSavedViews("compare");
byId("all-fields").addEventListener("change", () => showSpecs(dressed()));
setInterval(() => runs.all.length && document.visibilityState === "visible" && results.show(dressed()), RESULTS_EVERY_MS);
await Promise.all(RunSet.idsOfUrl().map(fetchRun));
changed();
