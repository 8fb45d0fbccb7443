/**
 * Lines of a log of any length, fetched a block at a time when they are looked at. Few blocks are kept, so that a million
 * lines cost no more memory than a screen full of them.
 */

import { get } from "../../api.js";

const BLOCK = 500;
const RETRY_MS = 2000;
const MOST_BLOCKS = 40;

export class LogLines {
  /** @type {Map<number, string[] | null>} by the number of the block; null: on its way */ #blocks = new Map();
  numLines = 0;
  attempt = 0;

  /** @param {string} jobId @param {() => void} onChange */
  constructor(jobId, onChange) {
    this.jobId = jobId;
    this.onChange = onChange;
  }

  /** The text of line `number`, from 1; null while it is on its way. */
  line(number) {
    const block = Math.floor((number - 1) / BLOCK);
    if (!this.#blocks.has(block)) this.#fetch(block);
    return this.#blocks.get(block)?.[(number - 1) % BLOCK] ?? null;
  }

  /** Ask how long the log is. Raises ApiError. @param {number} attempt 0: the newest */
  async open(attempt) {
    const answer = await get(`/jobs/${this.jobId}/logs`, { first_line: -1, limit: 1, attempt });
    this.#blocks.clear();
    this.attempt = answer.attempt;
    this.numLines = answer.num_lines;
    this.onChange();
  }

  /** Take lines that the stream tells. What leaves a gap is only counted, and fetched when it is looked at. */
  hear({ first_line: first, lines }) {
    lines.forEach((text, at) => this.#put(first + at, text));
    this.numLines = Math.max(this.numLines, first + lines.length - 1);
    this.onChange();
  }

  #put(number, text) {
    const [block, at] = [Math.floor((number - 1) / BLOCK), (number - 1) % BLOCK];
    if (at === 0 && !this.#blocks.has(block)) this.#keep(block, []);
    const held = this.#blocks.get(block);
    if (held && at === held.length) held.push(text);
    // A block that is on its way, or that lacks lines before this one, is fetched again when it is next looked at.
    else if (held && at > held.length) this.#blocks.delete(block);
  }

  async #fetch(block) {
    this.#keep(block, null);
    const wanted = { first_line: block * BLOCK + 1, limit: BLOCK, attempt: this.attempt };
    const answer = await get(`/jobs/${this.jobId}/logs`, wanted).catch(() => null);
    // Without an answer the lines stay dots, and are asked for again a little later if they are still looked at.
    if (!answer) {
      this.#blocks.delete(block);
      setTimeout(this.onChange, RETRY_MS);
      return;
    }
    if (answer.attempt === this.attempt) this.#keep(block, [...answer.lines]);
    this.onChange();
  }

  #keep(block, lines) {
    this.#blocks.delete(block);
    this.#blocks.set(block, lines);
    if (this.#blocks.size > MOST_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value);
  }
}
