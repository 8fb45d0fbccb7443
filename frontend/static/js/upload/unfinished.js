/** Uploads that are on the server and have not become data sets: what is missing of each, to go on with or give up. */

import { get } from "../api.js";
import { clock, percent, size } from "../format.js";
import { inOrder } from "../in_order.js";
import { discard } from "./tus.js";

const ask = inOrder();

/**
 * @param {HTMLElement} list
 * @param {(id: string, name: string) => void} onLook called for one that is complete
 * @param {string} [shown] the id of one that is shown elsewhere
 */
export async function showUnfinished(list, onLook, shown) {
  const isNewest = ask();
  const { items } = await get("/uploads");
  if (!isNewest()) return;
  const again = () => showUnfinished(list, onLook, shown);
  list.replaceChildren(...items.filter(({ id }) => id !== shown).map((upload) => rowOf(upload, onLook, again)));
}

function rowOf(upload, onLook, again) {
  const row = document.createElement("li");
  row.dataset.upload = upload.id;
  const isComplete = upload.offset === upload.num_bytes;
  const name = document.createElement("strong");
  name.textContent = upload.file_name;
  const about = document.createElement("span");
  about.className = "muted small";
  about.textContent = isComplete
    ? `${size(upload.num_bytes)}, not added yet; kept until ${clock(upload.expires_at)}`
    : `${percent(upload.offset, upload.num_bytes)} of ${size(upload.num_bytes)} is here; choose the same file to go on`;
  row.append(name, about);
  if (isComplete) row.append(button("Look inside", () => onLook(upload.id, upload.file_name)));
  row.append(button("Give up", async () => {
    await discard(upload.id);
    await again();
  }));
  return row;
}

function button(text, onClick) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button small";
  made.textContent = text;
  made.addEventListener("click", onClick);
  return made;
}
