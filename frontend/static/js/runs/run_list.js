/**
 * The rows of the list, kept right by two sources: answers of GET /jobs and the stream. Both carry an id of the feed, by
 * which the older of two is known: an answer tells all up to its `as_of`, an event what was so at its own id. So it does
 * not matter which of them arrives first.
 *
 * Whether a run belongs into the list, the server alone decides, since only it can search specs. It is asked about each
 * run that is new here or has changed in something that a filter may look at.
 */

import { get } from "../api.js";
import { byId } from "../dom.js";
import { fillRow, newRow } from "./row.js";

const PAGE_SIZE = 50;
const MOST_ROWS = 500;
const ASKED_AT_ONCE = 100;
/** What happens meanwhile is asked about together. */
const GATHER_MS = 150;
const RETRY_MS = 2000;

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
/** What filters look at and what may change. */
const searched = (job) => JSON.stringify([job.state, job.tags, job.archived_at, job.priority, job.best_validation_loss]);

export class RunList {
  /** The newest that is known of each run, and as of which id. @type {Map<string, {job: any, at: number}>} */
  #known = new Map();
  /** @type {Map<string, HTMLTableRowElement>} */ #rows = new Map();
  /** Runs of which it is not known whether they belong into the list. @type {Set<string>} */ #doubted = new Set();
  /** Runs that go as soon as nobody is about to act on their rows. @type {Set<string>} */ #leaving = new Set();
  #isSettling = false;
  #asOf = 0;
  /** Grows with every list that is asked for: what was asked before is about other filters, or about an older list. */
  #generation = 0;
  #nextCursor = "";

  /**
   * @param {import("./filters.js").Filters} filters
   * @param {any} page JobList, of which the rows stand in the page already
   * @param {{onChange: () => void, onFault: (fault: any) => void}} listeners
   */
  constructor(filters, page, { onChange, onFault }) {
    this.filters = filters;
    this.onChange = onChange;
    this.onFault = onFault;
    this.#rows = new Map([...byId("runs").children].map((row) => [row.dataset.job, row]));
    this.#learnAll(page);
    this.#asOf = Number(page.as_of);
    this.#nextCursor = page.next_cursor;
    for (const [id, row] of this.#rows) fillRow(row, this.jobOf(id));
    byId("runs").addEventListener("change", () => this.#sweep());
    // Only then is it known where the focus went.
    byId("runs").addEventListener("focusout", () => setTimeout(() => this.#sweep()));
  }

  get size() {
    return this.#rows.size;
  }

  get hasOlder() {
    return Boolean(this.#nextCursor);
  }

  /** Every run that was heard of. */
  get jobs() {
    return [...this.#known.values()].map(({ job }) => job);
  }

  jobOf = (id) => this.#known.get(id)?.job;

  /** @param {import("../stream.js").Stream} stream */
  follow(stream) {
    stream.on("job", (event) => this.#hear(event));
    stream.on("reset", () => this.load());
    stream.on("hello", ({ cursor, resumed }) => {
      if (!resumed && Number(cursor) > this.#asOf) this.load();
    });
  }

  #hear({ id, payload: job }) {
    const at = Number(id);
    const before = this.#known.get(job.id);
    if (at <= (before?.at ?? this.#asOf)) return;
    this.#known.set(job.id, { job, at });
    if (this.#rows.has(job.id)) fillRow(this.#rows.get(job.id), job);
    // Notes are searched, too, but are no part of what the stream says.
    const mayHaveMoved = !before || searched(before.job) !== searched(job) || this.filters.text.includes("notes");
    if (mayHaveMoved) this.#doubt(job.id);
    this.onChange();
  }

  /** Ask for the list as the filters are now; with as many rows as there are where only its content may have changed. */
  async load({ keepsLength = true } = {}) {
    this.#generation += 1;
    const generation = this.#generation;
    const limit = keepsLength ? Math.min(MOST_ROWS, Math.max(PAGE_SIZE, this.size)) : PAGE_SIZE;
    try {
      const page = await get("/jobs", { ...this.filters.query, limit });
      if (generation !== this.#generation) return;
      this.#replaceRows(page);
      this.onFault(null);
    } catch (error) {
      if (generation === this.#generation) this.onFault(error);
    }
    this.onChange();
  }

  async loadOlder() {
    const generation = this.#generation;
    const cursor = this.#nextCursor;
    try {
      const page = await get("/jobs", { ...this.filters.query, limit: PAGE_SIZE, cursor });
      if (generation !== this.#generation || cursor !== this.#nextCursor) return;
      this.#learnAll(page);
      this.#nextCursor = page.next_cursor;
      for (const { id } of page.items) this.#show(id);
      this.#doubtWhatIsNewerThan(page);
    } catch (error) {
      this.onFault(error);
    }
    this.onChange();
  }

  #replaceRows(page) {
    this.#learnAll(page);
    this.#asOf = Number(page.as_of);
    this.#nextCursor = page.next_cursor;
    const rows = page.items.map(({ id }) => [id, this.#filledRow(id)]);
    this.#rows = new Map(rows);
    this.#leaving.clear();
    const shown = rows.map(([, row]) => row);
    const isSame = shown.length === byId("runs").children.length && shown.every((row, at) => row === byId("runs").children[at]);
    if (!isSame) putRows(shown);
    for (const [id, { at }] of this.#known) if (at <= this.#asOf && !this.#rows.has(id)) this.#known.delete(id);
    this.#doubtWhatIsNewerThan(page);
  }

  /** The answer does not know what these have said since. */
  #doubtWhatIsNewerThan(page) {
    for (const [id, { at }] of this.#known) if (at > Number(page.as_of)) this.#doubt(id);
  }

  #learnAll(page) {
    const at = Number(page.as_of);
    for (const job of page.items) if (at >= (this.#known.get(job.id)?.at ?? 0)) this.#known.set(job.id, { job, at });
  }

  #doubt(id) {
    this.#doubted.add(id);
    this.#settle();
  }

  /** Ask about those that are doubted until there are none. */
  async #settle() {
    if (this.#isSettling) return;
    this.#isSettling = true;
    while (this.#doubted.size) {
      await wait(GATHER_MS);
      const ids = [...this.#doubted].slice(0, ASKED_AT_ONCE);
      for (const id of ids) this.#doubted.delete(id);
      await this.#ask(ids);
      this.onChange();
    }
    this.#isSettling = false;
  }

  async #ask(ids) {
    const generation = this.#generation;
    try {
      const page = await get("/jobs", { ...this.filters.query, id: ids, limit: ids.length });
      if (generation === this.#generation) this.#decide(ids, page);
      else for (const id of ids) this.#doubted.add(id);
    } catch (error) {
      // A search that makes no sense is told by the list itself, and mending it asks anew.
      if (error.code !== "unreachable" && error.code !== "unavailable") return;
      for (const id of ids) this.#doubted.add(id);
      await wait(RETRY_MS);
    }
  }

  #decide(ids, page) {
    this.#learnAll(page);
    const belonging = new Set(page.items.map(({ id }) => id));
    for (const id of ids) {
      if (this.#known.get(id)?.at > Number(page.as_of)) this.#doubted.add(id);
      else if (belonging.has(id)) this.#show(id);
      else this.#hide(id);
    }
  }

  #filledRow(id) {
    const row = this.#rows.get(id);
    return row ? fillRow(row, this.jobOf(id)) : newRow(this.jobOf(id));
  }

  /** Put a run where its age places it; one that is older than all shown belongs to a page not yet asked for. */
  #show(id) {
    this.#leaving.delete(id);
    const isShown = this.#rows.has(id);
    if (!isShown && this.#nextCursor && id < this.#nextCursor) return;
    const row = this.#filledRow(id);
    if (isShown) return;
    this.#rows.set(id, row);
    const next = [...byId("runs").children].find((other) => other.dataset.job < id);
    byId("runs").insertBefore(row, next ?? null);
  }

  /** What somebody is about to act on stays where it is until they let go of it. */
  #hide(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    if (isInUse(row)) {
      this.#leaving.add(id);
      return;
    }
    this.#leaving.delete(id);
    this.#rows.delete(id);
    row.remove();
  }

  #sweep() {
    if (!this.#leaving.size) return;
    for (const id of [...this.#leaving]) this.#hide(id);
    this.onChange();
  }
}

const isInUse = (row) => row.contains(document.activeElement) || row.querySelector('[data-cell="select"]').checked;

/** A row that is moved loses the focus, which is given back to it. */
function putRows(rows) {
  const focused = byId("runs").contains(document.activeElement) ? document.activeElement : null;
  byId("runs").replaceChildren(...rows);
  focused?.focus({ preventScroll: true });
}
