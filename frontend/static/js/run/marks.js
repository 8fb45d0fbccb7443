/** What happened to the run, for its charts: checkpoints, evaluations, beginnings of attempts, pauses, alerts. */

import { get } from "../api.js";
import { count, number } from "../format.js";

const KINDS = ["plan", "checkpoint", "eval", "alert"];
const AT_ONCE = 1000;

export class RunMarks {
  /** @type {any[]} */ #events = [];
  /** @type {any[]} */ #transitions = [];

  /**
   * @param {string} jobId
   * @param {(metric: string) => import("../charts/series.js").MetricSeries} seriesOf for the step at which something was
   * @param {() => void} onChange
   */
  constructor(jobId, seriesOf, onChange) {
    this.jobId = jobId;
    this.seriesOf = seriesOf;
    this.onChange = onChange;
  }

  listen(stream) {
    for (const kind of KINDS) stream.on(kind, (event) => this.#add(event));
  }

  async load() {
    let cursor = "";
    do {
      const page = await get(`/jobs/${this.jobId}/events`, { kind: KINDS, limit: AT_ONCE, cursor });
      this.#addAll(page.items);
      cursor = page.next_cursor;
    } while (cursor);
  }

  /** What was heard since they were asked for is not among them. */
  #addAll(items) {
    const byEvent = new Map([...this.#events, ...items].map((event) => [event.id, event]));
    this.#events = [...byEvent.values()].sort((one, other) => Number(one.id) - Number(other.id));
    this.onChange();
  }

  #add(event) {
    if (this.#events.some(({ id }) => id === event.id)) return;
    this.#events.push(event);
    this.onChange();
  }

  /** @param {any} job JobDetail */
  showJob(job) {
    this.#transitions = job.transitions;
    this.onChange();
  }

  /** @returns {import("../charts/marks.js").Mark[]} */
  all = () => [this.#checkpoints(), this.#evaluations(), this.#attempts(), this.#pauses(), this.#alerts()].flat();

  #alerts() {
    const opened = this.#events.filter(({ kind, payload }) => kind === "alert" && payload.event === "opened");
    return opened.map(({ payload: { alert } }) => ({ kind: "alert", step: alert.step, text: alert.text }));
  }

  #checkpoints() {
    const steps = new Set();
    for (const { kind, payload } of this.#events) if (kind === "checkpoint") steps.add(payload.step);
    return [...steps].map((step) => ({ kind: "checkpoint", step, text: `checkpoint of step ${count(step)}` }));
  }

  #evaluations() {
    const texts = new Map();
    for (const { kind, payload } of this.#events) {
      if (kind === "eval") texts.set(payload.step, `validation loss ${number(payload.metrics.validation_loss)}`);
    }
    return [...texts].map(([step, loss]) => ({ kind: "evaluation", step, text: `step ${count(step)}: ${loss}` }));
  }

  #attempts() {
    const later = this.#events.filter(({ kind, attempt }) => kind === "plan" && attempt > 1);
    return later.map(({ attempt, payload }) => ({
      kind: "attempt",
      step: payload.first_step - 1,
      text: `attempt ${attempt} goes on from step ${count(payload.first_step - 1)}`,
    }));
  }

  #pauses() {
    const { steps, times } = this.seriesOf("loss");
    return this.#transitions.filter(({ to_state: state }) => state === "paused").map(({ at, why }) => {
      const before = times.findLastIndex((time) => time <= at);
      return { kind: "pause", step: steps[before] ?? 0, text: `paused: ${why}` };
    });
  }
}
