/** Progress of an upload or of long work: a bar, how much, how fast, how long yet. */

import { showProgress } from "../dom.js";
import { count, duration, size } from "../format.js";
import { startRate } from "../upload/rate.js";

/** @param {HTMLElement} line an element of the macro `progress_line` */
export function progressLine(line, onStop) {
  const bar = line.querySelector(".progress");
  const text = line.querySelector("[data-text]");
  const stop = line.querySelector("[data-stop]");
  stop.addEventListener("click", () => onStop());
  let rate = startRate();
  return {
    begin(title) {
      rate = startRate();
      line.hidden = false;
      stop.disabled = false;
      text.textContent = title;
      showProgress(bar, "running", 0, 0);
    },
    show(title, done, total, unit) {
      const perSecond = rate(done);
      showProgress(bar, "running", done, total);
      text.textContent = sentence(title, done, total, unit, perSecond);
    },
    showWork(title, work) {
      if (work.isUnheard) this.say(`${title}: the server does not answer. When it is back, it goes on.`);
      else if (work.state === "waiting") this.say(`${title}: waits for other work`);
      else this.show(title, work.done, work.total, work.unit);
    },
    say(title) { text.textContent = title; },
    end() { line.hidden = true; },
  };
}

function sentence(title, done, total, unit, perSecond) {
  const amount = unit === "bytes" ? size : (number) => count(number);
  const noun = unit === "bytes" ? "" : ` ${unit}`;
  const parts = [total ? `${amount(done)} of ${amount(total)}${noun}` : `${amount(done)}${noun}`];
  if (perSecond > 0) parts.push(`${amount(perSecond)}/s`);
  if (perSecond > 0 && total > done) parts.push(`${duration((total - done) / perSecond)} left`);
  return `${title}: ${parts.join(", ")}`;
}
