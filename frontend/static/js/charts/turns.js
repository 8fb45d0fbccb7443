/**
 * Work that takes some hundredths of a second a piece, such as drawing a chart: done between frames, so that the browser
 * shows what a reader did before it goes on, and never waits for more than one long piece.
 */

/** So much may be done between two frames, in short pieces. */
const TURN_MS = 5;

export class Turns {
  /** In order of their first wish. @type {Map<string, () => void | Promise<void>>} */ #waiting = new Map();
  #hasTurn = false;

  /** Do `work` soon. Of the same name only the last wish counts. @param {string} name @param {() => void | Promise<void>} work */
  add(name, work) {
    this.#waiting.set(name, work);
    if (!this.#hasTurn) this.#afterFrame();
  }

  #afterFrame() {
    this.#hasTurn = true;
    // In the callback itself it would be work before the frame; the browser paints between the two.
    requestAnimationFrame(() => setTimeout(() => this.#take()));
  }

  /** A piece that fails holds up no other; why, stands in the console. What a piece promises belongs to its turn. */
  async #take() {
    const began = performance.now();
    do {
      const [[name, work]] = this.#waiting;
      this.#waiting.delete(name);
      try {
        await work();
      } catch (error) {
        reportError(error);
      }
    } while (this.#waiting.size && performance.now() - began < TURN_MS);
    this.#hasTurn = false;
    if (this.#waiting.size) this.#afterFrame();
  }
}
