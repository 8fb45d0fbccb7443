/** From the specs of several runs to a table of what was different. */

/** Of each part of a spec: it stands at one path and is never changed, and the page asks several times. */
const known = new WeakMap();

/**
 * Every field of a resolved spec by its path, as text.
 * @param {any} value @param {string} [path] @returns {[string, string][]}
 */
function leaves(value, path = "") {
  const isTree = value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isTree) return [[path, typeof value === "string" ? value : JSON.stringify(value)]];
  let found = known.get(value);
  if (!found) {
    found = Object.entries(value).flatMap(([key, part]) => leaves(part, path ? `${path}.${key}` : key));
    known.set(value, found);
  }
  return found;
}

/**
 * @param {{id: string, spec: any}[]} runs
 * @returns {{path: string, values: Map<string, string>, differs: boolean}[]} in the order of the specs
 */
export function rowsOf(runs) {
  const byRun = new Map(runs.map(({ id, spec }) => [id, new Map(leaves(spec))]));
  const paths = new Set([...byRun.values()].flatMap((fields) => [...fields.keys()]));
  paths.delete("name"); // it heads the column
  return [...paths].map((path) => {
    const values = new Map([...byRun].map(([id, fields]) => [id, fields.get(path) ?? "–"]));
    return { path, values, differs: new Set(values.values()).size > 1 };
  });
}
