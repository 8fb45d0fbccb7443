/** How fast something goes, over the last seconds: a mean over all would not notice that the line has become slow. */

const WINDOW_MS = 6000;

export function startRate() {
  let seen = [];
  /** @returns {number} units a second; 0 until that can be said */
  return (done, now = performance.now()) => {
    seen.push([now, done]);
    seen = seen.filter(([at]) => now - at < WINDOW_MS || at === seen.at(-1)[0]);
    const [[firstAt, firstDone]] = seen;
    return now > firstAt ? Math.max(0, ((done - firstDone) / (now - firstAt)) * 1000) : 0;
  };
}
