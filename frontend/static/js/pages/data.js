/** Data: the list, an upload with progress, a form that registers a file of the server, and what a file holds. */

import { finished, post } from "../api.js";
import { byId, keepTimesFresh, pageData, showProgress } from "../dom.js";
import { startForm, suggestName } from "../form/send.js";
import { count, duration, size } from "../format.js";
import { listenToKeys } from "../keyboard.js";
import { startRate } from "../upload/rate.js";
import { sendFile } from "../upload/tus.js";
import { addItem } from "./registry.js";

const CELLS = {
  name: (item) => item.name,
  shape: (item) => item.shape,
  num_rows: (item) => count(item.num_rows),
  num_trainable_rows: (item) => count(item.num_trainable_rows),
  size_bytes: (item) => size(item.size_bytes),
};
const items = new Map(pageData().items.items.map((item) => [item.name, item]));

function add(item) {
  items.set(item.name, item);
  const row = addItem(item, CELLS);
  row.querySelector("[data-preview]").dataset.preview = item.name;
}

async function send(form) {
  const meter = form.querySelector(".meter");
  const abort = form.querySelector("[data-abort]");
  const stopping = new AbortController();
  const rate = startRate();
  abort.onclick = () => stopping.abort();
  meter.hidden = abort.hidden = false;
  try {
    const [file] = form.elements.file.files;
    const upload = await sendFile(file, {
      signal: stopping.signal,
      onSent: (sent, total) => showSent(meter, sent, total, rate(sent)),
      onWaiting: () => {},
    });
    return await finished(await post("/datasets", { name: form.elements.name.value.trim(), upload }));
  } finally {
    meter.hidden = abort.hidden = true;
  }
}

function aboutText(item) {
  const idle = item.num_rows - item.num_trainable_rows;
  const shown = `The first ${item.sample.length} of ${count(item.num_rows)} rows as conversations.`;
  return idle ? `${shown} ${count(idle)} rows have nothing to train.` : shown;
}

function showSent(meter, sent, total, rate) {
  showProgress(meter.querySelector(".progress"), "running", sent, total);
  meter.querySelector("[data-rate]").textContent = sent < total
    ? `${size(sent)} of ${size(total)}, ${size(rate)}/s, ${duration((total - sent) / rate)} left`
    : "Sent. The rows are being checked.";
}

function preview(name) {
  const item = items.get(name);
  if (!item) return;
  byId("preview-title").textContent = name;
  byId("preview-about").textContent = aboutText(item);
  byId("preview-rows").replaceChildren(...item.sample.map(conversation));
  byId("preview").showModal();
}

function conversation(row, at) {
  const holder = document.createElement("section");
  const title = document.createElement("h3");
  title.textContent = `Row ${at + 1}`;
  const chat = document.createElement("div");
  chat.className = "chat";
  chat.append(...(row.messages ?? []).map(turn));
  holder.append(title, chat);
  return holder;
}

function turn({ role, content }) {
  const box = document.createElement("div");
  box.className = "turn";
  box.dataset.role = role;
  const name = document.createElement("span");
  name.className = "role";
  name.textContent = role;
  box.append(name, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  return box;
}

listenToKeys();
keepTimesFresh();
suggestName(byId("u-file"), byId("u-name"));
suggestName(byId("r-path"), byId("r-name"));
startForm(byId("upload"), send, add);
startForm(
  byId("register"),
  (form) => post("/datasets", { name: form.elements.name.value.trim(), path: form.elements.path.value.trim() }),
  add,
);
byId("items").addEventListener("click", (event) => {
  const button = event.target.closest("[data-preview]");
  if (button) preview(button.dataset.preview);
});
