/** The tab of the log: all of it, live, or only the lines that were searched for. */

import { get, logAddress } from "../../api.js";
import { byId } from "../../dom.js";
import { count } from "../../format.js";
import { LogLines } from "./lines.js";
import { LogWindow } from "./window.js";

const SEARCH_AFTER_MS = 250;
const MOST_HITS = 1000;

export class LogTab {
  #isOpen = false;
  /**
   * What was searched for, and all lines that were found between `from` (0: the first) and `to`; null: nothing is.
   * @type {{query: any, lines: any[], from: number, to: number, isGrowing?: boolean} | null}
   */
  #hits = null;
  #asked = 0;
  #timer = 0;

  /** @param {any} job JobDetail */
  constructor(job) {
    this.jobId = job.id;
    this.showJob(job);
    this.lines = new LogLines(job.id, () => {
      this.#show();
      this.#searchOn();
    });
    this.window = new LogWindow(byId("log"), byId("log-lines"), (follows) => {
      byId("follow").setAttribute("aria-pressed", String(follows));
    });
    byId("follow").addEventListener("click", () => this.window.follow(!this.window.follows));
    byId("log-error").addEventListener("click", () => this.#goToError());
    byId("log-attempt").addEventListener("change", () => this.#load());
    for (const id of ["log-search", "log-rank", "log-level"]) {
      byId(id).addEventListener("input", () => this.#searchSoon());
    }
  }

  /** @param {import("../../stream.js").Stream} stream */
  listen(stream) {
    stream.on("log", (message) => {
      const isNewest = !Number(byId("log-attempt").value);
      if (!this.#isOpen || !isNewest || message.attempt < this.lines.attempt) return;
      if (message.attempt > this.lines.attempt) this.#load();
      else this.lines.hear(message);
    });
    stream.on("hello", ({ resumed }) => this.#isOpen && !resumed && this.#load());
  }

  /** The tab is shown for the first time, or again. */
  async open() {
    const isFirst = !this.#isOpen;
    this.#isOpen = true;
    if (isFirst) await this.#load();
    this.window.draw();
  }

  /** What the log can be narrowed to is known once the engine has told its plan. @param {any} job JobDetail */
  showJob({ attempt, facts }) {
    offer(byId("log-attempt"), attempt - 1, (at) => new Option(`attempt ${at + 1}`, String(at + 1)));
    offer(byId("log-rank"), facts.num_ranks > 1 ? facts.num_ranks : 0, (at) => new Option(`rank ${at}`, String(at)));
  }

  async #load() {
    const attempt = Number(byId("log-attempt").value);
    byId("log-file").href = logAddress(this.jobId, attempt);
    try {
      await this.lines.open(attempt);
    } catch (error) {
      byId("log-note").textContent = `${error.message} ${error.mend}`;
    }
    if (this.#hits) this.#search();
  }

  #wanted() {
    const level = { error: ["error"], warning: ["warning", "error"] }[byId("log-level").value] ?? [];
    return { q: byId("log-search").value, rank: byId("log-rank").value, level, attempt: this.lines.attempt };
  }

  #searchSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#search(), SEARCH_AFTER_MS);
  }

  async #search() {
    const mine = (this.#asked += 1);
    const wanted = this.#wanted();
    if (!wanted.q && wanted.rank === "" && !wanted.level.length) {
      this.#hits = null;
      this.#show();
      return;
    }
    const answer = await this.#found({ ...wanted, backwards: true, limit: MOST_HITS });
    if (!answer || mine !== this.#asked) return;
    this.#hits = { query: wanted, lines: answer.lines, from: answer.next_line, to: answer.num_lines };
    this.window.follow(true);
    this.#show();
    this.#searchOn();
  }

  /** Search what has come since, too, as often as there are answers. */
  async #searchOn() {
    const hits = this.#hits;
    if (!hits || hits.isGrowing || this.lines.numLines <= hits.to) return;
    hits.isGrowing = true;
    await new Promise((resolve) => { setTimeout(resolve, SEARCH_AFTER_MS); });
    const answer = await this.#found({ ...hits.query, from_line: hits.to + 1, limit: MOST_HITS });
    hits.isGrowing = false;
    if (!answer || hits !== this.#hits) return;
    hits.lines = [...hits.lines, ...answer.lines];
    hits.to = answer.next_line ? answer.next_line - 1 : answer.num_lines;
    this.#show();
    this.#searchOn();
  }

  #found(query) {
    return get(`/jobs/${this.jobId}/logs/search`, query).catch((error) => {
      byId("log-note").textContent = `${error.message} ${error.mend}`;
      return null;
    });
  }

  /** The last line that tells an error; the whole log is shown around it. */
  async #goToError() {
    const query = { level: ["error"], attempt: this.lines.attempt, backwards: true, limit: 1 };
    let found = await this.#found(query);
    // The server looks through a part of a very long log at once.
    while (found?.next_line && !found.lines.length) found = await this.#found({ ...query, from_line: found.next_line });
    if (!found) return;
    if (!found.lines.length) {
      byId("log-note").textContent = "No line tells an error.";
      return;
    }
    for (const id of ["log-search", "log-rank", "log-level"]) byId(id).value = "";
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#hits = null;
    this.#show();
    this.window.goTo(found.lines[0].number - 1);
  }

  #show() {
    const hits = this.#hits;
    this.window.numLines = hits ? hits.lines.length : this.lines.numLines;
    this.window.lineAt = hits
      ? (place) => hits.lines[place]
      : (place) => ({ number: place + 1, text: this.lines.line(place + 1) });
    const all = `${count(this.lines.numLines)} lines`;
    byId("log-note").textContent = hits ? foundText(hits, all) : this.lines.numLines ? all : "No line yet.";
    this.window.draw();
  }
}

function foundText({ lines, from }, all) {
  return `${count(lines.length)} of ${all}${from ? `; searched back to line ${count(from)}` : ""}`;
}

/** Behind the choice of everything one for each; the field is hidden while there is nothing to choose. */
function offer(select, number, optionOf) {
  const chosen = select.value;
  const options = Array.from({ length: Math.max(0, number) }, (_, at) => optionOf(at));
  select.replaceChildren(select.options[0], ...options);
  select.value = chosen;
  select.hidden = options.length === 0;
}
