/** What names a line of a chart that draws several runs: the run's id and the metric. */

/** @param {string} id @param {string} metric */
export const keyOf = (id, metric) => `${id}/${metric}`;

/** @param {string} key @returns {[string, string]} run and metric */
export const partsOf = (key) => key.split("/");
