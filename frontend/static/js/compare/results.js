/** What came out of each run: the newest and the best of its numbers, in a table that sorts by any of them. */

import { setText, tableRow } from "../dom.js";
import { count, duration, number, si, size } from "../format.js";
import { runLink } from "./run_link.js";

/** How long a run has trained, in seconds; null before it began. */
function tookS({ started_at: started, ended_at: ended }) {
  return started === null ? null : (ended ?? Date.now() / 1000) - started;
}

/** Of all points that are held: a run's typical speed is not that of its newest step. */
function median({ history }, metric) {
  const known = history.seriesOf(metric).values.filter((value) => value !== null).sort((a, b) => a - b);
  return known[known.length >> 1] ?? null;
}

/** The smallest that is held: no extreme is left out where points are thinned. */
function smallest({ history }, metric) {
  const known = history.seriesOf(metric).values.filter((value) => value !== null);
  return known.length ? known.reduce((one, other) => Math.min(one, other)) : null;
}

const COLUMNS = [
  { title: "Steps", of: ({ job }) => job.step, text: count, best: null },
  { title: "Training loss", of: ({ job }) => job.latest.loss ?? null, text: number, best: Math.min },
  { title: "Best training", of: (run) => smallest(run, "loss"), text: number, best: Math.min },
  { title: "Validation loss", of: ({ job }) => job.latest.validation_loss ?? null, text: number, best: Math.min },
  { title: "Best validation", of: ({ job }) => job.best_validation_loss, text: number, best: Math.min },
  { title: "Tokens/s per GPU", of: (run) => median(run, "tokens_per_s_per_gpu"), text: si, best: Math.max },
  { title: "MFU", of: (run) => median(run, "mfu"), text: (part) => `${(100 * part).toFixed(1)}%`, best: Math.max },
  { title: "Peak memory", of: ({ job }) => job.latest.peak_memory_bytes ?? null, text: size, best: Math.min },
  { title: "Trained for", of: ({ job }) => tookS(job), text: duration, best: null },
];

export class Results {
  #sortedBy = -1;
  #isDown = false;
  /** @type {Map<string, HTMLTableRowElement>} by run */ #rows = new Map();

  /** @param {HTMLTableElement} table */
  constructor(table) {
    this.table = table;
    const row = table.tHead.rows[0];
    row.append(...COLUMNS.map(({ title }, at) => this.#headOf(title, at)));
  }

  #headOf(title, at) {
    const head = document.createElement("th");
    head.className = "num";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.textContent = title;
    button.addEventListener("click", () => {
      this.#isDown = this.#sortedBy === at && !this.#isDown;
      this.#sortedBy = at;
      this.show(this.runs);
    });
    head.append(button);
    return head;
  }

  /** @param {import("./run_set.js").Run[]} runs */
  show(runs) {
    this.runs = runs;
    const ids = new Set(runs.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    const values = runs.map((run) => COLUMNS.map(({ of }) => of(run)));
    const best = COLUMNS.map(({ best: pick }, at) => {
      const known = values.map((row) => row[at]).filter((value) => value !== null);
      return pick && new Set(known).size > 1 ? pick(...known) : null;
    });
    const rows = runs.map((run, place) => this.#rowOf(run, values[place], best));
    this.#arrange(this.#order(values).map((place) => rows[place]));
    this.#markHeads();
  }

  /** A row that is there already is changed where it stands: one that is made anew would lose focus and selection. */
  #rowOf(run, values, best) {
    const told = `${run.label} ${run.place}`;
    let row = this.#rows.get(run.id);
    if (row?.dataset.run !== told) {
      row = tableRow([["Run", runLink(run), "head"], ...COLUMNS.map(({ title }) => [title, "", "num"])]);
      row.dataset.run = told;
      this.#rows.set(run.id, row);
    }
    COLUMNS.forEach(({ text }, at) => {
      const cell = row.cells[at + 1];
      setText(cell, values[at] === null ? "–" : text(values[at]));
      cell.classList.toggle("best", best[at] !== null && values[at] === best[at]);
    });
    return row;
  }

  #arrange(rows) {
    const body = this.table.tBodies[0];
    const isSame = rows.length === body.rows.length && rows.every((row, at) => row === body.rows[at]);
    if (isSame) return;
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    body.replaceChildren(...rows);
    focused?.focus({ preventScroll: true });
  }

  /** Places of the rows in the order in which they are shown; what has no value comes last. */
  #order(values) {
    const places = values.map((_, place) => place);
    const by = this.#sortedBy;
    if (by < 0) return places;
    const direction = this.#isDown ? -1 : 1;
    return places.sort((a, b) => {
      if (values[a][by] === null || values[b][by] === null) return (values[a][by] === null) - (values[b][by] === null);
      return direction * (values[a][by] - values[b][by]);
    });
  }

  #markHeads() {
    [...this.table.tHead.rows[0].cells].slice(1).forEach((head, at) => {
      if (at === this.#sortedBy) head.setAttribute("aria-sort", this.#isDown ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }
}
