/** The lines that are in sight, of as many as there are: an element for each of these, and none for the others. */

import { levelOf } from "./levels.js";

const BEYOND = 20;

export class LogWindow {
  /** @type {(place: number) => {number: number, text: string | null}} */ lineAt = () => ({ number: 0, text: null });
  numLines = 0;
  follows = true;
  #lineHeight;
  #isDrawn = false;

  /**
   * @param {HTMLElement} frame what scrolls
   * @param {HTMLOListElement} list the lines in it
   * @param {(follows: boolean) => void} onFollow
   */
  constructor(frame, list, onFollow) {
    this.frame = frame;
    this.list = list;
    this.onFollow = onFollow;
    frame.addEventListener("wheel", (event) => event.deltaY < 0 && this.follow(false), { passive: true });
    frame.addEventListener("keydown", ({ key }) => ["PageUp", "ArrowUp", "Home"].includes(key) && this.follow(false));
    frame.addEventListener("scroll", () => {
      if (this.#isAtEnd() && !this.follows) this.follow(true);
      this.draw();
    }, { passive: true });
    new ResizeObserver(() => this.draw()).observe(frame);
  }

  #isAtEnd() {
    return this.frame.scrollHeight - this.frame.scrollTop - this.frame.clientHeight < 4;
  }

  follow(wanted) {
    this.follows = wanted;
    this.onFollow(wanted);
    if (wanted) this.draw();
  }

  /** Show the line at `place` in the middle. */
  goTo(place) {
    this.follow(false);
    this.#measure();
    this.frame.scrollTop = place * this.#lineHeight - this.frame.clientHeight / 2;
    this.draw();
  }

  #measure() {
    this.#lineHeight ??= Number.parseFloat(getComputedStyle(this.list).lineHeight);
    this.list.style.height = `${this.numLines * this.#lineHeight}px`;
  }

  /** At the next frame, however often it is asked for. */
  draw() {
    if (this.#isDrawn || !this.frame.clientHeight) return;
    this.#isDrawn = true;
    requestAnimationFrame(() => {
      this.#isDrawn = false;
      this.#drawNow();
    });
  }

  #drawNow() {
    this.#measure();
    if (this.follows) this.frame.scrollTop = this.frame.scrollHeight;
    const height = this.#lineHeight;
    const first = Math.max(0, Math.floor(this.frame.scrollTop / height) - BEYOND);
    const last = Math.min(this.numLines, Math.ceil((this.frame.scrollTop + this.frame.clientHeight) / height) + BEYOND);
    const elements = [];
    for (let place = first; place < last; place += 1) elements.push(this.#elementOf(place, height));
    this.list.replaceChildren(...elements);
  }

  #elementOf(place, height) {
    const { number, text } = this.lineAt(place);
    const element = document.createElement("li");
    element.value = number;
    element.style.top = `${place * height}px`;
    element.textContent = text ?? "…";
    element.dataset.level = levelOf(text ?? "");
    return element;
  }
}
