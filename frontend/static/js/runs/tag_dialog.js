/** Tags of the ticked runs: words to add, and those of any of them to take away. */

import { byId, showFault } from "../dom.js";

/**
 * @param {() => any[]} chosen JobViews of the ticked rows
 * @param {(action: {action: "tag", add: string[], remove: string[]}) => Promise<void>} send
 */
export function startTagDialog(chosen, send) {
  const dialog = byId("tag-dialog");
  byId("bulk-tag").addEventListener("click", () => {
    showFault(byId("tag-fault"), null);
    byId("tags-to-add").value = "";
    showPresent(chosen());
    dialog.showModal();
    byId("tags-to-add").focus();
  });
  byId("tag-form").addEventListener("submit", async (event) => {
    if (event.submitter?.value !== "send") return;
    event.preventDefault();
    try {
      await send({ action: "tag", add: wordsOf(byId("tags-to-add").value), remove: ticked() });
      dialog.close();
    } catch (error) {
      showFault(byId("tag-fault"), error);
    }
  });
}

export const wordsOf = (text) => text.split(/[\s,]+/).filter(Boolean);

const ticked = () => [...byId("tags-to-remove").querySelectorAll("input:checked")].map(({ value }) => value);

function showPresent(jobs) {
  const tags = [...new Set(jobs.flatMap((job) => job.tags ?? []))].sort();
  byId("tags-present").hidden = tags.length === 0;
  byId("tags-to-remove").replaceChildren(...tags.map((tag) => {
    const label = document.createElement("label");
    label.className = "choice";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = tag;
    const number = jobs.filter((job) => job.tags?.includes(tag)).length;
    label.append(box, `${tag} (${number === jobs.length ? "all" : number})`);
    return label;
  }));
}
