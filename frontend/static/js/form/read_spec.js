/** From the inputs of a form to a JobSpec. An empty input is not sent: "unset" and "the default" are not the same. */

/** @param {HTMLFormElement} form */
export function readSpec(form) {
  const spec = {};
  for (const input of form.querySelectorAll("[name][data-kind]")) {
    const text = input.value.trim();
    if (text !== "") put(spec, input.name, valueOf(text, input.dataset));
  }
  return spec;
}

/** What cannot be read as its kind is sent as typed, so that the server names the field and the value. */
function valueOf(text, { kind, nullable }) {
  if (nullable !== undefined && text.toLowerCase() === "none") return null;
  if (kind === "boolean") return text === "true";
  if (kind !== "integer" && kind !== "number") return text;
  const value = Number(text.replaceAll(/[,_ ]/g, ""));
  return Number.isFinite(value) ? value : text;
}

function put(spec, path, value) {
  const keys = path.split(".");
  const last = keys.pop();
  let place = spec;
  for (const key of keys) place = place[key] ??= {};
  place[last] = value;
}
