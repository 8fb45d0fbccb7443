/** How a file is read, as a form: shape, columns, roles, and what becomes of rows with faults. */

/** @typedef {import("../api.js").Problem} Problem */

/**
 * The reading that the form says; what is left at its default is not sent.
 * @param {HTMLElement} form an element of the macro `reading_form`
 */
export function readingOf(form) {
  const reading = {};
  for (const input of form.querySelectorAll("[data-reading]")) {
    const value = input.value.trim();
    if (value === "" || value === input.dataset.default) continue;
    put(reading, input.dataset.reading.split("."), input.type === "number" ? Number(value) : value);
  }
  const roles = rolesOf(form.querySelector("[data-roles]")?.value ?? "");
  return Object.keys(roles).length ? { ...reading, roles } : reading;
}

/** @param {HTMLElement} form @param {any} reading @param {string[]} columns of the file @param {string} [shape] that was found */
export function fillReading(form, reading, columns, shape) {
  for (const input of form.querySelectorAll("[data-reading]")) {
    const value = input.dataset.reading.split(".").reduce((place, key) => place?.[key], reading);
    input.value = input.tagName === "INPUT" && String(value) === input.dataset.default ? "" : value ?? "";
  }
  const roles = form.querySelector("[data-roles]");
  if (roles) roles.value = Object.entries(reading.roles ?? {}).map(([name, role]) => `${name}=${role}`).join(", ");
  showColumnsFound(form, columns, shape);
}

/**
 * What the file turned out to have; what somebody has typed stays.
 * @param {HTMLElement} form @param {string[]} columns @param {string} [shape]
 */
export function showColumnsFound(form, columns, shape) {
  form.dataset.found = shape ?? "";
  form.querySelector("datalist").replaceChildren(...columns.map((name) => new Option(name)));
  showColumnsOf(form);
}

/** As it is before anybody has said how a file is read. @param {HTMLElement} form */
export function resetReading(form) {
  for (const input of form.querySelectorAll("[data-reading]")) {
    input.value = input.tagName === "SELECT" ? input.dataset.default : "";
  }
  form.querySelector("[data-roles]").value = "";
  showColumnsFound(form, [], "");
}

/** Only the columns of the chosen shape are asked for, or of that which was found; all, where there is none. */
export function showColumnsOf(form) {
  const shape = form.querySelector('[data-reading="shape"]').value || form.dataset.found;
  for (const holder of form.querySelectorAll("[data-shapes]")) {
    holder.hidden = Boolean(shape) && !holder.dataset.shapes.split(" ").includes(shape);
  }
}

/** `narrator=assistant, asker=user` */
function rolesOf(text) {
  const pairs = text.split(",").map((pair) => pair.split("=").map((part) => part.trim()));
  return Object.fromEntries(pairs.filter(([name, role]) => name && role));
}

function put(place, keys, value) {
  const last = keys.pop();
  for (const key of keys) place = place[key] ??= {};
  place[last] = value;
}
