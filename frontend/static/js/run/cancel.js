/** The cancel button: says first what will be lost and what will be kept, then asks the server. */

import { post } from "../api.js";
import { byId, showFault } from "../dom.js";
import { count } from "../format.js";

/** @param {() => any} currentJob @param {(job: any) => void} onCancelled */
export function listenToCancel(currentJob, onCancelled) {
  const dialog = byId("cancel-dialog");
  byId("cancel").addEventListener("click", () => {
    byId("cancel-effect").textContent = effectOf(currentJob());
    showFault(byId("cancel-fault"), null);
    dialog.showModal();
  });
  byId("cancel-now").addEventListener("click", async () => {
    const button = byId("cancel-now");
    button.disabled = true;
    try {
      onCancelled(await post(`/jobs/${currentJob().id}/cancel`));
      dialog.close();
    } catch (error) {
      showFault(byId("cancel-fault"), error);
    } finally {
      button.disabled = false;
    }
  });
}

function effectOf(job) {
  if (job.state === "queued") return "It leaves the queue. Nothing has been trained yet.";
  if (job.step === 0) return "It has not trained a step yet. Its processes end and its devices are free again.";
  const place = `(about ${count(job.step)} of ${count(job.train_iters)})`;
  return `The engine ends the step it is in ${place}, writes a checkpoint, then frees the devices. `
    + "A cancelled run does not go on; a clone of it starts from the beginning.";
}
