/**
 * The log of the engine: the last lines, live ones after them, earlier ones on demand. At most MOST_LINES are in the
 * page while it follows.
 */

import { get } from "../api.js";
import { byId } from "../dom.js";
import { count } from "../format.js";

const MOST_LINES = 3000;
const CHUNK = 500;

export class LogTail {
  #first = 0; // number of the first line in the page; 0 before anything is loaded
  #last = 0;
  #attempt = 0;
  #isOpen = false;
  #follows = true;
  #isFilling = false;

  constructor(jobId) {
    this.jobId = jobId;
    this.frame = byId("log");
    this.lines = byId("log-lines");
    byId("follow").addEventListener("click", () => this.#follow(!this.#follows));
    byId("earlier").addEventListener("click", () => this.#earlier());
    this.frame.addEventListener("wheel", (event) => event.deltaY < 0 && this.#follow(false), { passive: true });
    this.frame.addEventListener("scroll", () => this.#isAtEnd() && this.#follow(true), { passive: true });
  }

  #isAtEnd() {
    return this.frame.scrollHeight - this.frame.scrollTop - this.frame.clientHeight < 8;
  }

  /** @param {import("../stream.js").Stream} stream */
  listen(stream) {
    stream.on("log", (message) => this.#hear(message));
    stream.on("hello", () => this.#isOpen && this.#fill());
  }

  /** The tab is shown for the first time, or again. */
  async open() {
    this.#isOpen = true;
    if (!this.#first) await this.#fill();
    this.#scroll();
  }

  #hear({ attempt, first_line, lines }) {
    if (!this.#isOpen || !this.#first || attempt < this.#attempt) return;
    const isNewAttempt = attempt > this.#attempt;
    if (isNewAttempt || first_line > this.#last + 1) {
      this.#fill();
      return;
    }
    this.#append(lines.slice(this.#last + 1 - first_line));
  }

  /** Load the end, or all that is missing after the last line held. */
  async #fill() {
    if (this.#isFilling) return;
    this.#isFilling = true;
    try {
      const missing = { first_line: this.#last + 1, limit: MOST_LINES };
      const end = { first_line: -CHUNK, limit: CHUNK };
      const answer = await get(`/jobs/${this.jobId}/logs`, this.#last ? missing : end);
      if (answer.attempt !== this.#attempt) this.#begin(answer);
      else this.#append(answer.lines.slice(Math.max(0, this.#last + 1 - answer.first_line)));
      this.#note(answer.num_lines);
    } catch (error) {
      byId("log-note").textContent = `${error.message} ${error.mend}`;
    } finally {
      this.#isFilling = false;
    }
  }

  #begin(answer) {
    this.#attempt = answer.attempt;
    this.lines.replaceChildren();
    this.#first = answer.first_line || 1;
    this.#last = this.#first - 1;
    this.#append(answer.lines);
  }

  #append(lines) {
    this.lines.append(...lines.map((text, at) => lineElement(this.#last + 1 + at, text)));
    this.#last += lines.length;
    // Who reads further up must not have the lines pulled away; a much longer tail is cut all the same.
    const most = this.#follows ? MOST_LINES : 3 * MOST_LINES;
    while (this.lines.childElementCount > most) {
      this.lines.firstElementChild.remove();
      this.#first += 1;
    }
    this.#note();
    this.#scroll();
  }

  async #earlier() {
    const from = Math.max(1, this.#first - CHUNK);
    const answer = await get(`/jobs/${this.jobId}/logs`, { first_line: from, limit: this.#first - from });
    const height = this.lines.offsetHeight;
    this.#follow(false);
    this.lines.prepend(...answer.lines.map((text, at) => lineElement(answer.first_line + at, text)));
    this.#first = from;
    // What was the first line stands at the top: the eye goes on upwards from there.
    this.frame.scrollTop = this.lines.offsetHeight - height;
    this.#note();
  }

  #follow(wanted) {
    this.#follows = wanted;
    byId("follow").setAttribute("aria-pressed", String(wanted));
    this.#scroll();
  }

  #scroll() {
    if (this.#follows && !this.#isAtEnd()) this.frame.scrollTop = this.frame.scrollHeight;
  }

  #note() {
    byId("earlier").hidden = this.#first <= 1;
    const shown = `Lines ${count(this.#first)} to ${count(this.#last)}, attempt ${this.#attempt}`;
    byId("log-note").textContent = this.#last ? shown : "No line yet.";
  }
}

function lineElement(number, text) {
  const element = document.createElement("li");
  element.value = number;
  element.textContent = text;
  return element;
}
