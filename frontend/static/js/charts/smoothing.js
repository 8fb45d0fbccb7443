/** Exponential moving average. Its start is corrected as Adam corrects its moments: the first points do not drag. */

/**
 * @param {(number | null)[]} values null stays null and leaves the average as it was
 * @param {number} weight of the past, 0 to below 1; 0 gives the values back
 * @returns {(number | null)[]}
 */
export function movingAverage(values, weight) {
  let average = 0;
  let past = 1;
  return values.map((value) => {
    if (value === null) return null;
    average = weight * average + (1 - weight) * value;
    past *= weight;
    return average / (1 - past);
  });
}
