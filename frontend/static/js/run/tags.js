/** The tags of a run: each leads to the runs that have it, one is taken away by its button, words typed are added. */

import { post } from "../api.js";
import { byId, showFault } from "../dom.js";
import { wordsOf } from "../runs/tag_dialog.js";

/** @param {any} job JobView */
export function showTags(job) {
  byId("is-archived").hidden = !job.archived_at;
  const list = byId("tag-list");
  const tags = job.tags ?? [];
  if (list.dataset.tags === tags.join(" ")) return;
  list.dataset.tags = tags.join(" ");
  list.replaceChildren(...tags.map((tag) => {
    const item = document.createElement("li");
    item.className = "tag";
    const link = document.createElement("a");
    link.href = `/runs?q=${encodeURIComponent(`tag=${tag}`)}`;
    link.textContent = tag;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "×";
    button.dataset.tag = tag;
    button.setAttribute("aria-label", `Take the tag ${tag} away`);
    item.append(link, button);
    return item;
  }));
}

/** @param {() => any} currentJob @param {(job: any) => void} onChanged */
export function startTags(currentJob, onChanged) {
  const change = async (changes) => {
    const fault = await post(`/jobs/${currentJob().id}/tag`, changes).then(onChanged, (error) => error);
    showFault(byId("tag-fault"), fault);
    return !fault;
  };
  byId("add-tag").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = byId("new-tag");
    const add = wordsOf(field.value);
    if (add.length && await change({ add })) field.value = "";
  });
  byId("tag-list").addEventListener("click", async ({ target }) => {
    if (!target.dataset.tag) return;
    await change({ remove: [target.dataset.tag] });
    byId("new-tag").focus();
  });
  showTags(currentJob());
}
