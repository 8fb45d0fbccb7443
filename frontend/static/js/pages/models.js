/** Models: the list, and a form that registers a folder. */

import { post } from "../api.js";
import { byId, keepTimesFresh } from "../dom.js";
import { startForm, suggestName } from "../form/send.js";
import { si, size } from "../format.js";
import { listenToKeys } from "../keyboard.js";
import { addItem } from "./registry.js";

const CELLS = {
  name: (item) => item.name,
  path: (item) => item.path,
  architecture: (item) => item.architecture,
  num_parameters: (item) => si(item.num_parameters),
  size_bytes: (item) => size(item.size_bytes),
};

listenToKeys();
keepTimesFresh();
suggestName(byId("r-path"), byId("r-name"));
startForm(
  byId("register"),
  (form) => post("/models", { name: form.elements.name.value.trim(), path: form.elements.path.value.trim() }),
  (item) => addItem(item, CELLS),
);
