/** The run page: one stream feeds the header, the charts, the log, the checkpoints and the timeline. */

import { get, tableAddress } from "../api.js";
import { startBar } from "../charts/bar.js";
import { CHARTS, METRIC_NAMES } from "../charts/definitions.js";
import { ChartGrid } from "../charts/grid.js";
import { startTools } from "../charts/tools.js";
import { xAxisOf } from "../charts/x_axis.js";
import { copyable } from "../copy_text.js";
import { byId, keepTimesFresh, pageData } from "../dom.js";
import { count } from "../format.js";
import { listenToKeys } from "../keyboard.js";
import { startReportDialog } from "../report_dialog.js";
import { startActions } from "../run/actions.js";
import { ArtifactList } from "../run/artifacts.js";
import { CheckpointList } from "../run/checkpoints.js";
import { Detail } from "../run/detail.js";
import { showFacts } from "../run/facts.js";
import { RunFeed } from "../run/feed.js";
import { showJob } from "../run/header.js";
import { RunHistory } from "../run/history.js";
import { LogTab } from "../run/log/tab.js";
import { RunMarks } from "../run/marks.js";
import { Notes } from "../run/notes.js";
import { showTags, startTags } from "../run/tags.js";
import { MEASURED_NAMES, showNumber } from "../run/overview.js";
import { showTimeline } from "../run/timeline.js";
import { specForms } from "../spec_text.js";
import { liveDots, Stream } from "../stream.js";
import { startTabs } from "../tabs.js";

let { job } = pageData();
const notes = new Notes(job.id, pageData().notes);
const history = new RunHistory();
const feed = new RunFeed(job.id, history, onPoints);
const detail = new Detail(job.id, history);
const marks = new RunMarks(job.id, history.seriesOf, () => grid.markAll());
const axisOf = (metric, x) => xAxisOf(x, history.seriesOf);
const movedTo = (range, from, to) => range.map((at) => axisOf("loss", to).placeOf(axisOf("loss", from).stepAt(at)));
const source = { definitions: CHARTS, seriesOf: detail.seriesOf, axisOf, marksOf: marks.all, movedTo };
const grid = new ChartGrid(byId("charts"), source, onZoom);
const stream = new Stream([job.id], liveDots());
const logs = new LogTab(job);
const checkpoints = new CheckpointList(job.id);
const artifacts = new ArtifactList(job.id);

/** @param {string[] | null} metrics */
function onPoints(metrics) {
  if (grid.view.range && (!metrics || detail.isOutdated)) showDetail(grid.view.range);
  if (metrics) grid.mark(metrics);
  else grid.markAll();
  for (const metric of metrics ?? MEASURED_NAMES) {
    const series = history.seriesOf(metric);
    if (series.length) showNumber(metric, series.latest());
  }
  const thinned = `${count(history.seriesOf("loss").numPoints)} points, thinned; no extreme is lost`;
  byId("chart-note").textContent = history.isThinned ? thinned : "";
}

function onZoom(range) {
  byId("reset-zoom").hidden = !range;
  showDetail(range);
}

/** A part of a thinned run is fetched point by point; until it comes, or if it does not, the thinned points stay. */
function showDetail(range) {
  const steps = range?.map((place) => axisOf("loss", grid.view.x).stepAt(place));
  detail.show(history.isThinned ? steps : null, METRIC_NAMES).then(() => grid.markAll(), () => {});
}

let numAsked = 0;
/** What was heard since the newest question: its answer may have left before. */
let heardSince = {};

function onJob(event) {
  const changedState = event.payload.state !== job.state || event.payload.attempt !== job.attempt;
  heardSince = event.payload;
  job = { ...job, ...event.payload };
  showJob(job);
  showTags(job);
  if (changedState) refreshJob();
}

/** What a JobView lacks: transitions and facts. The rest of an answer gives way to what was heard meanwhile. */
async function refreshJob() {
  const asked = (numAsked += 1);
  heardSince = {};
  const fresh = await get(`/jobs/${job.id}`).catch(() => null);
  if (!fresh || asked !== numAsked) return;
  job = { ...fresh, ...heardSince };
  showJob(job);
  showTags(job);
  showFacts(job);
  showTimeline(job);
  marks.showJob(job);
  logs.showJob(job);
}

/** Without an answer the charts have no marks until the next connection; the live dot says that the server is away. */
const loadMarks = () => marks.load().catch(() => {});
const refreshAll = () => Promise.all([refreshJob(), notes.refresh(), loadMarks()]);

listenToKeys();
keepTimesFresh();
showJob(job);
showFacts(job);
marks.showJob(job);
startBar(grid);
startTools(grid, { name: job.name, tableOf: (metrics) => tableAddress(job.id, metrics) });
copyable(byId("spec-forms"), byId("spec-text"), specForms(() => job.spec));
startReportDialog(() => `/jobs/${job.id}/report.html`, `${job.id}.html`);
startTabs(byId("tabs"), {
  logs: () => logs.open(),
  checkpoints: () => checkpoints.open(),
  artifacts: () => artifacts.open(),
  notes: () => notes.refresh(),
});
// What an action answers may be older than what was heard meanwhile, so it is asked for like everything else.
startActions(() => job, refreshJob);
startTags(() => job, refreshJob);

feed.follow(stream);
logs.listen(stream);
checkpoints.listen(stream);
marks.listen(stream);
stream.on("job", onJob);
stream.on("plan", refreshJob);
stream.on("reset", refreshAll);
stream.on("hello", ({ resumed }) => resumed || refreshAll());
stream.open();
feed.reload();
