/**
 * Lines of a log of any length, fetched a block at a time when they are looked at. Few blocks are kept, so that a million
 * lines cost no more memory than a screen full of them.
 */

import { get } from "../../api.js";
import { inOrder } from "../../in_order.js";

const BLOCK = 500;
const RETRY_MS = 2000;
const MOST_BLOCKS = 40;

/** @typedef {{lines: string[], isComing: boolean}} Block its first lines, maybe not all of them yet */

export class LogLines {
  /** @type {Map<number, Block>} by the number of the block */ #blocks = new Map();
  #ask = inOrder();
  numLines = 0;
  attempt = 0;

  /** @param {string} jobId @param {() => void} onChange */
  constructor(jobId, onChange) {
    this.jobId = jobId;
    this.onChange = onChange;
  }

  /** The text of line `number`, from 1; null while it is on its way. */
  line(number) {
    const { block, at } = placeOf(number);
    const text = this.#blocks.get(block)?.lines[at] ?? null;
    if (text === null) this.#fetch(block);
    return text;
  }

  /** Ask how long the log is. Raises ApiError. @param {number} attempt 0: the newest */
  async open(attempt) {
    const isNewest = this.#ask();
    const answer = await get(`/jobs/${this.jobId}/logs`, { first_line: -1, limit: 1, attempt });
    if (!isNewest()) return;
    this.#blocks.clear();
    // What the stream told meanwhile may be more than the answer knows.
    const numHeard = answer.attempt === this.attempt ? this.numLines : 0;
    this.attempt = answer.attempt;
    this.numLines = Math.max(answer.num_lines, numHeard);
    this.onChange();
  }

  /** Take lines that the stream tells. What leaves a gap is only counted, and fetched when it is looked at. */
  hear({ first_line: first, lines }) {
    lines.forEach((text, at) => this.#put(first + at, text));
    this.numLines = Math.max(this.numLines, first + lines.length - 1);
    this.onChange();
  }

  #put(number, text) {
    const { block, at } = placeOf(number);
    if (at === 0 && !this.#blocks.has(block)) this.#keep(block, { lines: [], isComing: false });
    const held = this.#blocks.get(block);
    if (held && at <= held.lines.length) held.lines[at] = text;
  }

  async #fetch(block) {
    const held = this.#blocks.get(block) ?? { lines: [], isComing: false };
    if (held.isComing) return;
    held.isComing = true;
    this.#keep(block, held);
    const wanted = { first_line: block * BLOCK + 1, limit: BLOCK, attempt: this.attempt };
    const answer = await get(`/jobs/${this.jobId}/logs`, wanted).catch(() => null);
    held.isComing = false;
    // Without an answer the lines stay dots, and are asked for again a little later if they are still looked at.
    if (!answer) {
      setTimeout(this.onChange, RETRY_MS);
      return;
    }
    // Lines that the stream told meanwhile may be newer than the answer.
    if (answer.lines.length > held.lines.length) held.lines = [...answer.lines];
    this.onChange();
  }

  #keep(block, held) {
    this.#blocks.delete(block);
    this.#blocks.set(block, held);
    if (this.#blocks.size > MOST_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value);
  }
}

function placeOf(number) {
  return { block: Math.floor((number - 1) / BLOCK), at: (number - 1) % BLOCK };
}
