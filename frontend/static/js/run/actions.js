/**
 * The buttons of a run. Which there are, the server says (JobView.actions). What can be undone is done at once; what
 * loses something, or needs a choice, asks in a dialog first.
 */

import { post } from "../api.js";
import { byId, showFault } from "../dom.js";
import { count } from "../format.js";
import { startDialog } from "../dialog.js";
import { startPoints } from "./retry_points.js";

const AT_ONCE = ["pause", "resume", "hold", "release", "archive", "unarchive"];
const NO_STEP_YET = new Set(["starting", "placing", "pausing"]);

const buttonOf = (action) => document.querySelector(`[data-action="${action}"]`);

/** @param {any} job JobView */
export function showActions(job) {
  for (const button of document.querySelectorAll("[data-action]")) {
    button.hidden = !job.actions.includes(button.dataset.action);
  }
  const cancel = buttonOf("cancel");
  cancel.hidden ||= job.desired === "cancel_now";
  cancel.lastChild.textContent = job.state === "stopping" ? "End at once" : "Cancel";
  buttonOf("resume").hidden ||= job.desired === "requeue";
}

/** @param {() => any} currentJob @param {(job: any) => void} onChanged */
export function startActions(currentJob, onChanged) {
  const act = async (action, body) => onChanged(await post(`/jobs/${currentJob().id}/${action}`, body));
  for (const action of AT_ONCE) {
    const button = buttonOf(action);
    button.addEventListener("click", async () => {
      button.disabled = true;
      const failed = await act(action).then(() => null, (error) => error);
      showFault(byId("action-fault"), failed);
      button.disabled = false;
    });
  }
  startDialog("cancel", () => showCancelEffect(currentJob()), () => act("cancel", { checkpoint: wantsCheckpoint(currentJob()) }));
  const points = startPoints();
  startDialog("retry", () => points.load(currentJob()), () => act("retry", points.chosen()));
  startDialog(
    "reprioritise",
    () => { byId("priority").value = String(currentJob().priority); },
    () => act("reprioritise", { priority: Number(byId("priority").value) }),
  );
}

const wantsCheckpoint = (job) => job.state !== "stopping" && byId("last-checkpoint").checked;

function showCancelEffect(job) {
  const isTraining = ["running", "pausing"].includes(job.state) && job.step > 0;
  byId("cancel-effect").textContent = effectOf(job);
  byId("last-checkpoint").closest("label").hidden = !isTraining;
}

function effectOf(job) {
  if (job.host === "") return "It leaves the queue. What it has trained so far is kept; a retry goes on from there.";
  if (job.state === "stopping") return "It is writing its last checkpoint. Steps after the one before it are lost.";
  if (job.step === 0 || NO_STEP_YET.has(job.state)) return "Its processes end and its devices are free again.";
  const place = `(about ${count(job.step)} of ${count(job.train_iters)})`;
  return `The engine ends the step it is in ${place}, writes a checkpoint, then frees the devices. `
    + "Without the checkpoint it ends within seconds, and the steps since the last one are lost. "
    + "A retry goes on from the newest checkpoint.";
}
