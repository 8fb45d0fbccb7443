/** What the chosen preset would give each field that is left empty, shown where its default stands otherwise. */

/** @param {HTMLFormElement} form @param {any} values the preset's part of a spec; undefined without a preset */
export function showPresetValues(form, values) {
  for (const input of form.querySelectorAll("[data-kind]")) {
    const value = input.name.split(".").reduce((place, key) => place?.[key], values);
    if (input.tagName === "SELECT") showInChoice(input, value);
    else showInPlaceholder(input, value);
  }
}

function showInPlaceholder(input, value) {
  input.dataset.plain ??= input.placeholder;
  const source = input.dataset.nullable === undefined ? "preset" : "preset, or none";
  input.placeholder = isGiven(value) ? `${value} (${source})` : input.dataset.plain;
}

/** The first option stands for "left empty"; the last one of a nullable choice has a meaning over a preset only. */
function showInChoice(select, value) {
  const [empty] = select.options;
  select.dataset.plain ??= empty.textContent;
  empty.textContent = isGiven(value) ? `Preset: ${YES_OR_NO.get(value) ?? value}` : select.dataset.plain;
  const none = [...select.options].find((option) => option.value === "none" && select.dataset.nullable !== undefined);
  if (none) none.hidden = !isGiven(value) && !none.selected;
}

const YES_OR_NO = new Map([[true, "yes"], [false, "no"]]);
const isGiven = (value) => value !== undefined && value !== null;
