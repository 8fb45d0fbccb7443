/**
 * The runs that are compared: which they are (it stands in the URL), what is known of each, and its points, which one
 * stream keeps fresh.
 */

import { get } from "../api.js";
import { spanOf, xAxisOf } from "../charts/x_axis.js";
import { replaceQuery } from "../dom.js";
import { Detail } from "../run/detail.js";
import { RunFeed } from "../run/feed.js";
import { RunHistory } from "../run/history.js";
import { COMPARED } from "./definitions.js";
import { keyOf, partsOf } from "./keys.js";

const NAMES = [...Object.keys(COMPARED), "total_tokens"];
/**
 * So many are still drawn within a twentieth of a second. The lines of a chart share them, so that few are as fine as on
 * a run's own page; no extreme is among those left out.
 */
const POINTS_OF_A_CHART = 6000;
const FEWEST_POINTS = 150;
const MOST_POINTS = 1000;

/** @typedef {{id: string, job: any, history: RunHistory, detail: Detail, feed: RunFeed}} Run */

export class RunSet {
  /** @type {Map<string, Run>} In the order in which they were chosen, which is that of their colours. */ #runs = new Map();

  /** @param {(run: Run, metrics: string[] | null) => void} onPoints */
  constructor(onPoints) {
    this.onPoints = onPoints;
  }

  /** Those of which the job is known: what was just chosen is still being fetched. */
  get all() {
    return [...this.#runs.values()].filter(({ job }) => job);
  }

  has = (id) => this.#runs.has(id);

  /** Ids of the URL, each once. */
  static idsOfUrl() {
    return [...new Set(new URLSearchParams(location.search).getAll("run"))];
  }

  /** Fetch a run and its points. Raises ApiError. @param {string} id */
  async add(id) {
    if (this.#runs.has(id)) return;
    // Twenty runs that grow with every step would soon be too much to draw.
    const history = new RunHistory({ isOutline: true });
    const run = { id, job: null, history, detail: new Detail(id, history), feed: null };
    run.feed = new RunFeed(id, history, (metrics) => this.onPoints(run, metrics), { names: NAMES, points: MOST_POINTS });
    this.#runs.set(id, run);
    try {
      run.job = await get(`/jobs/${id}`);
    } catch (error) {
      if (this.#runs.get(id) === run) this.#runs.delete(id);
      throw error;
    }
    this.#share();
    run.feed.reload();
  }

  remove(id) {
    this.#runs.delete(id);
    this.#share();
  }

  get #points() {
    return Math.min(MOST_POINTS, Math.max(FEWEST_POINTS, Math.floor(POINTS_OF_A_CHART / this.#runs.size)));
  }

  /** One more line leaves the others fewer points, one less more. */
  #share() {
    for (const { feed } of this.#runs.values()) feed.want(this.#points);
  }

  /**
   * Fetch what lies between two places of the x-axis `x`, of each of `runs` that is held thinned; null forgets it. Until
   * it comes, or if it does not, the thinned points stay.
   * @param {Run[]} runs @param {[number, number] | null} range @param {string} x
   */
  async showDetail(runs, range, x) {
    await Promise.allSettled(runs.map(({ id, history, detail }) => {
      const steps = range?.map((place) => this.axisOf(keyOf(id, "loss"), x).stepAt(place));
      return detail.show(history.isThinned && steps ? steps : null, NAMES, this.#points);
    }));
  }

  /** The page's address with exactly these runs. */
  writeUrl() {
    const query = new URLSearchParams(location.search);
    query.delete("run");
    for (const id of this.#runs.keys()) query.append("run", id);
    replaceQuery(query);
  }

  /** @param {import("../stream.js").Stream} stream */
  follow(stream) {
    for (const run of this.#runs.values()) run.feed.follow(stream);
    stream.on("job", ({ job_id: id, payload }) => {
      const run = this.#runs.get(id);
      if (run) run.job = { ...run.job, ...payload };
    });
    stream.on("hello", ({ resumed }) => resumed || this.#askAgain());
  }

  /** What was said between the answer about a run and the opening of the stream was not heard. */
  async #askAgain() {
    await Promise.all(this.all.map(async (run) => {
      const before = run.job;
      const fresh = await get(`/jobs/${run.id}`).catch(() => null);
      // What was heard meanwhile is newer.
      if (fresh && run.job === before) run.job = fresh;
    }));
  }

  /** @param {string} key run and metric, as keys.js joins them */
  seriesOf = (key) => {
    const [id, metric] = partsOf(key);
    return this.#runs.get(id).detail.seriesOf(metric);
  };

  /** @param {string} key @param {string} x */
  axisOf = (key, x) => {
    const span = Math.max(...this.all.map(({ history }) => spanOf(history.seriesOf("loss"))));
    return xAxisOf(x, this.#runs.get(partsOf(key)[0]).history.seriesOf, span);
  };
}
