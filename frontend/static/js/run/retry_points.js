/** The choice of the checkpoint from which a retry goes on. */

import { get } from "../api.js";
import { byId, showFault } from "../dom.js";
import { ago, count } from "../format.js";
import { inOrder } from "../in_order.js";

export function startPoints() {
  const select = byId("retry-from");
  const ask = inOrder();
  let points = [];

  async function load(job) {
    select.replaceChildren(new Option("the last checkpoint", "last"), new Option("the beginning", "start"));
    const isNewest = ask();
    try {
      const { items } = await get(`/jobs/${job.id}/checkpoints`);
      if (isNewest()) show(items.filter((item) => item.format === "dist_checkpointing"));
    } catch (error) {
      if (isNewest()) showFault(byId("retry-fault"), error);
    }
  }

  /** The last one stands first and is chosen; a step that two attempts have is named with its attempt. */
  function show(found) {
    for (const option of [...select.options].slice(1, -1)) option.remove();
    points = found;
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
