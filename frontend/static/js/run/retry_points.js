/** The choice of the checkpoint from which a retry goes on. */

import { get } from "../api.js";
import { byId, showFault } from "../dom.js";
import { ago, count } from "../format.js";

export function startPoints() {
  const select = byId("retry-from");
  let points = [];

  /** The last one stands first and is chosen; a step that two attempts have is named with its attempt. */
  async function load(job) {
    select.replaceChildren(new Option("the last checkpoint", "last"), new Option("the beginning", "start"));
    try {
      const { items } = await get(`/jobs/${job.id}/checkpoints`);
      points = items.filter((item) => item.format === "dist_checkpointing");
    } catch (error) {
      showFault(byId("retry-fault"), error);
    }
    points.forEach((point, at) => {
      const text = `step ${count(point.step)} of attempt ${count(point.attempt)}, ${ago(point.created_at)}`;
      select.add(new Option(text, String(at)), select.options.length - 1);
    });
    if (points.length === 0) select.value = "start";
    select.options[0].hidden = points.length === 0;
  }

  /** What the retry call is sent. */
  function chosen() {
    if (select.value === "last") return {};
    if (select.value === "start") return { step: 0 };
    const { step, attempt } = points[Number(select.value)];
    return { step, attempt };
  }

  return { load, chosen };
}
