/** The range of y that shows what is usual, where a few values lie far outside of it. */

const USUAL = [0.01, 0.99];
const MARGIN = 0.25;

/**
 * The hundredth and the ninety-ninth percentile with a quarter of their distance around; never more than the data.
 * @param {(number | null)[][]} lists values of all lines
 * @returns {[number, number] | null} null where nothing would be cut off
 */
export function usualRange(lists) {
  const known = knownOf(lists).sort();
  if (known.length < 20) return null;
  const [low, high] = USUAL.map((share) => known[Math.round(share * (known.length - 1))]);
  const margin = MARGIN * (high - low || Math.abs(high) || 1);
  const range = [Math.max(known[0], low - margin), Math.min(known.at(-1), high + margin)];
  return range[0] > known[0] || range[1] < known.at(-1) ? range : null;
}

function knownOf(lists) {
  const known = new Float64Array(lists.reduce((number, { length }) => number + length, 0));
  let number = 0;
  for (const values of lists) {
    for (const value of values) {
      if (value === null) continue;
      known[number] = value;
      number += 1;
    }
  }
  return known.subarray(0, number);
}

/**
 * The points outside of a range, set on its edge.
 * @param {{x: any[], y: (number | null)[]}} points
 * @param {[number, number]} range
 */
export function pointsBeyond({ x, y }, [low, high]) {
  const beyond = { x: [], y: [], symbols: [], values: [] };
  y.forEach((value, at) => {
    if (value === null || (value >= low && value <= high)) return;
    beyond.x.push(x[at]);
    beyond.y.push(value > high ? high : low);
    beyond.symbols.push(value > high ? "triangle-up" : "triangle-down");
    beyond.values.push(value);
  });
  return beyond;
}
