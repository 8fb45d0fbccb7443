/** What the data and models pages share: a list of named things, newest first, to which a form adds. */

import { byId, cell, copyOf, setText, sinceElement } from "../dom.js";

/**
 * @param {any} item
 * @param {Record<string, (item: any) => string | Node>} cells
 */
export function addItem(item, cells) {
  const row = copyOf("row");
  row.dataset.name = item.name;
  for (const [name, content] of Object.entries(cells)) {
    const place = cell(row, name);
    const value = content(item);
    if (typeof value === "string") setText(place, value);
    else place.replaceChildren(value);
  }
  cell(row, "created_at").replaceChildren(sinceElement(item.created_at));
  byId("items").prepend(row);
  byId("frame").hidden = false;
  byId("none").hidden = true;
  byId("said").textContent = `${item.name} has been added.`;
  return row;
}
