/** The name of a run behind its colour, the same in every list of the page. */

/** @param {import("./run_set.js").Run} run */
export function runLink({ id, label, style }) {
  const link = document.createElement("a");
  link.href = `/runs/${id}`;
  link.append(swatch(style), label);
  return link;
}

/** @param {{colour: number, dash: string}} style */
export function swatch({ colour, dash }) {
  const mark = document.createElement("span");
  mark.className = "swatch";
  mark.dataset.dash = dash;
  mark.style.setProperty("--key", `var(--series-${colour + 1})`);
  return mark;
}
