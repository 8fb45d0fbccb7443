/** The controls above the charts, which stand for all of them: x-axis, smoothing, far values, marks, zoom, link. */

import { copyText } from "../copy_text.js";
import { byId } from "../dom.js";

/** @param {import("./grid.js").ChartGrid} grid */
export function startBar(grid) {
  const { view } = grid;
  startChoice(byId("x-axis"), view.x, (x) => grid.change({ x }));
  startSmoothing(byId("smoothing"), view.smoothing, (smoothing) => grid.change({ smoothing }));
  startToggle(byId("clips"), view.clips, (clips) => grid.change({ clips }));
  if (byId("marks")) startToggle(byId("marks"), view.marks, (marks) => grid.change({ marks }));
  byId("reset-zoom").hidden = !view.range;
  byId("reset-zoom").addEventListener("click", () => grid.change({ range: null }));
  const copy = byId("copy-view");
  copy.addEventListener("click", () => copyText(location.href, copy.querySelector("span")));
}

function startChoice(select, value, onChange) {
  select.value = value;
  select.addEventListener("change", () => onChange(select.value));
}

function startSmoothing(slider, value, onChange) {
  const show = () => { byId("smoothing-value").textContent = Number(slider.value).toFixed(2); };
  slider.value = String(value);
  slider.addEventListener("input", () => {
    show();
    onChange(Number(slider.value));
  });
  show();
}

function startToggle(button, isOn, onChange) {
  button.setAttribute("aria-pressed", String(isOn));
  button.addEventListener("click", () => {
    const isNowOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isNowOn));
    onChange(isNowOn);
  });
}
