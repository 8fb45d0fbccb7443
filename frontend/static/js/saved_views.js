/**
 * The menu of saved views: names for addresses of a page, the same for everybody. Opening one is following a link; what
 * the page shows now is saved under a name, and one that is deleted can be brought back until the menu is used again.
 */

import { get, put, remove } from "./api.js";
import { byId, setText, showFault } from "./dom.js";
import { inOrder } from "./in_order.js";

/** @param {"runs" | "compare"} page */
export function startSavedViews(page) {
  const menu = byId("saved-views");
  menu.addEventListener("toggle", () => menu.open && load(page));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  document.addEventListener("click", ({ target }) => menu.contains(target) || !target.isConnected || (menu.open = false));
  byId("save-view").addEventListener("submit", (event) => {
    event.preventDefault();
    save(page, byId("view-name").value.trim(), false);
  });
  // It may have been opened before this module ran.
  if (menu.open) load(page);
}

const addressOf = (page, name) => `/views/${page}/${encodeURIComponent(name)}`;
const currentQuery = () => location.search.slice(1);
const ask = inOrder();

async function load(page) {
  const isNewest = ask();
  try {
    const { items } = await get(`/views/${page}`);
    if (!isNewest()) return;
    byId("views").replaceChildren(...items.map((view) => entryOf(page, view)));
    byId("no-views").hidden = items.length > 0;
    tell(null);
  } catch (error) {
    if (isNewest()) tell(error);
  }
}

function entryOf(page, view) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/${page}${view.query ? `?${view.query}` : ""}`;
  link.textContent = view.name;
  link.title = `saved by ${view.saved_by}`;
  if (view.query === currentQuery()) link.setAttribute("aria-current", "true");
  item.append(
    link,
    buttonOf("Overwrite", `Save what is shown as ${view.name}`, () => save(page, view.name, true)),
    buttonOf("Delete", `Delete the view ${view.name}`, () => drop(page, view.name)),
  );
  return item;
}

function buttonOf(text, label, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button quiet small";
  button.textContent = text;
  button.setAttribute("aria-label", label);
  button.addEventListener("click", onClick);
  return button;
}

async function save(page, name, overwrite) {
  try {
    await put(`${addressOf(page, name)}${overwrite ? "?overwrite=true" : ""}`, { query: currentQuery() });
    byId("view-name").value = "";
    await load(page);
    setText(byId("view-note"), `Saved as ${name}.`);
  } catch (error) {
    tell(error);
  }
}

async function drop(page, name) {
  try {
    const { query } = await remove(addressOf(page, name));
    await load(page);
    const undo = buttonOf("Undo", `Bring the view ${name} back`, async () => {
      await put(addressOf(page, name), { query }).then(() => load(page), tell);
    });
    byId("view-note").replaceChildren(`${name} is deleted. `, undo);
  } catch (error) {
    tell(error);
  }
}

function tell(error) {
  byId("view-note").replaceChildren();
  showFault(byId("view-fault"), error);
}
