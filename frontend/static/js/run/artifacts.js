/** The tab of files that a run left for other tools: fetched each time it is shown, since nothing announces them. */

import { get } from "../api.js";
import { byId, showFault, sinceElement, tableRow } from "../dom.js";
import { count, size } from "../format.js";
import { inOrder } from "../in_order.js";

const KINDS = {
  profile: "Profile",
  tensorboard: "TensorBoard",
  wandb: "Weights & Biases",
  memory: "Memory snapshot",
  fp8: "FP8 proof",
};

export class ArtifactList {
  #ask = inOrder();

  constructor(jobId) {
    this.jobId = jobId;
  }

  async open() {
    const isNewest = this.#ask();
    try {
      const { items } = await get(`/jobs/${this.jobId}/artifacts`);
      if (!isNewest()) return;
      byId("artifacts").replaceChildren(...items.map((item) => rowOf(this.jobId, item)));
      byId("artifacts").closest(".table-frame").hidden = items.length === 0;
      byId("artifacts-hint").hidden = items.length === 0;
      byId("no-artifacts").hidden = items.length > 0;
      showFault(byId("artifacts-fault"), null);
    } catch (error) {
      if (isNewest()) showFault(byId("artifacts-fault"), error);
    }
  }
}

function rowOf(jobId, item) {
  return tableRow([
    ["Kind", KINDS[item.kind] ?? item.kind],
    ["File", linkOf(jobId, item), "mono"],
    ["Attempt", count(item.attempt), "num"],
    ["Size", size(item.size_bytes), "num"],
    ["Written", sinceElement(item.changed_at), "num"],
  ]);
}

function linkOf(jobId, item) {
  const link = document.createElement("a");
  const path = item.path.split("/").map(encodeURIComponent).join("/");
  link.href = `/api/v1/jobs/${jobId}/artifacts/${item.attempt}/${path}`;
  link.download = "";
  link.textContent = item.path;
  return link;
}
