/** The tab of checkpoints and exports: fetched when it is shown and when one is written or removed. */

import { get } from "../api.js";
import { byId, showFault, sinceElement, tableRow } from "../dom.js";
import { count, size } from "../format.js";
import { inOrder } from "../in_order.js";

const FORMS = { dist_checkpointing: "Megatron checkpoint", huggingface: "Hugging Face folder" };

export class CheckpointList {
  #isOpen = false;
  #ask = inOrder();

  constructor(jobId) {
    this.jobId = jobId;
  }

  listen(stream) {
    for (const kind of ["checkpoint", "checkpoint_removed", "reset"]) {
      stream.on(kind, () => this.#isOpen && this.open());
    }
    // One may have been written between the answer and the opening of the stream.
    stream.on("hello", ({ resumed }) => this.#isOpen && !resumed && this.open());
  }

  async open() {
    this.#isOpen = true;
    const isNewest = this.#ask();
    try {
      const { items } = await get(`/jobs/${this.jobId}/checkpoints`);
      if (!isNewest()) return;
      byId("checkpoints").replaceChildren(...items.map(rowOf));
      byId("checkpoints").closest(".table-frame").hidden = items.length === 0;
      byId("no-checkpoints").hidden = items.length > 0;
      showFault(byId("checkpoints-fault"), null);
    } catch (error) {
      if (isNewest()) showFault(byId("checkpoints-fault"), error);
    }
  }
}

function rowOf(item) {
  return tableRow([
    ["Step", count(item.step)],
    ["Form", FORMS[item.format] ?? item.format],
    ["Path", item.path, "mono"],
    ["Size", size(item.size_bytes), "num"],
    ["Written", sinceElement(item.created_at), "num"],
  ]);
}
