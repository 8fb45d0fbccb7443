/**
 * Keeps a RunHistory complete. The stream is opened first and its events wait until the metrics call has answered, so
 * nothing can fall between the two. It asks again when the stream says so (`reset`), when a new connection could not go
 * on from the last event, when a step is missing, and when more points are held than a chart may draw.
 */

import { get } from "../api.js";
import { METRIC_NAMES } from "../charts/definitions.js";

const FETCHED_POINTS = 1000;
const RETRY_MS = 2000;
/** So many times the points that are wanted may be held until they are fetched again. */
const MORE = 4 / 3;

export class RunFeed {
  #waiting = [];
  #isLoading = false;
  #mustReload = false;
  /** The feed id from which on the stream tells everything: what comes before it must have been fetched. */
  #mustReach = 0;
  #mendedGapAt = 0;

  /**
   * @param {string} jobId
   * @param {import("./history.js").RunHistory} history
   * @param {(metrics: string[] | null) => void} onChange null: everything changed
   * @param {{names?: string[], points?: number}} [wanted] metrics, and of each how many points
   */
  constructor(jobId, history, onChange, { names = METRIC_NAMES, points = FETCHED_POINTS } = {}) {
    this.jobId = jobId;
    this.history = history;
    this.onChange = onChange;
    this.names = names;
    this.points = points;
  }

  /** Hold about so many points of each metric from now on; those that are held stay where they are nearly as many. */
  want(points) {
    if (points <= this.points * MORE && this.points <= points * MORE) return;
    this.points = points;
    if (this.#isLoading || this.history.isThinned || this.history.numHeld > points) this.reload();
  }

  /** @param {import("../stream.js").Stream} stream */
  follow(stream) {
    for (const kind of ["plan", "step", "eval"]) stream.on(kind, (event) => this.#hear(event));
    stream.on("hello", ({ cursor, resumed }) => {
      if (resumed) return;
      this.#mustReach = Number(cursor);
      if (!this.#isLoading && this.#mustReach > this.history.cursor) this.reload();
    });
    stream.on("reset", () => this.reload());
  }

  async reload() {
    this.#mustReload = true;
    if (this.#isLoading) return;
    this.#isLoading = true;
    while (this.#mustReload) {
      this.#mustReload = false;
      try {
        this.history.load(await get(`/jobs/${this.jobId}/metrics`, { name: this.names, max_points: this.points }));
        this.#mustReload ||= this.history.cursor < this.#mustReach;
        this.#mustReach = 0;
      } catch {
        // The live dot says that the server is away; the points that are held stay.
        this.#mustReload = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.#isLoading = false;
    for (const event of this.#waiting.splice(0)) this.history.apply(event);
    this.onChange(null);
  }

  #hear(event) {
    if (event.job_id !== this.jobId) return;
    if (this.#isLoading) {
      this.#waiting.push(event);
      return;
    }
    const { metrics, isGap } = this.history.apply(event);
    if (metrics.length) this.onChange(metrics);
    const isNewGap = isGap && event.payload.step > this.#mendedGapAt;
    if (isNewGap) this.#mendedGapAt = event.payload.step;
    if (isNewGap || this.history.numHeld > MORE * this.points) this.reload();
  }
}
